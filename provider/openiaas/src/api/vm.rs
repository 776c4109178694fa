//! Virtual machines (OpenIaaS API, compute).

use std::time::Duration;

use secret::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use transport::{CancellationToken, Pace, Probe, WaitError, poll_until};

use crate::{
    BootDevice, Class, Client, Error, Firmware, Handle, HostId, NetworkId, PowerState, Request,
    Restart, Template, TemplateId, VirtualMachine, VmId,
};

const MANAGEMENT: &str = "compute_iaas_opensource_management";
const POWER: &str = "compute_iaas_opensource_virtual_machine_power";

/// A VM to make from a template. It is born halted.
#[derive(Clone)]
pub struct NewVm {
    /// Its name, which is also how it is found again.
    pub name: String,
    /// The template; must be of the zone of the networks.
    pub template: TemplateId,
    /// vCPUs, not below the template's.
    pub cpu: u32,
    /// Memory in bytes, not below the template's.
    pub memory: u64,
    /// Written once to the config drive; cannot be changed later.
    pub cloud_init: Option<CloudInit>,
    /// All adapters, in order.
    pub adapters: Vec<VmAdapter>,
}

/// What the config drive carries.
#[derive(Clone)]
pub struct CloudInit {
    /// `user-data`, verbatim.
    pub config: SecretString,
    /// `network-config`.
    pub network: Option<String>,
}

/// An adapter of a new VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmAdapter {
    /// The network, of the VM's pool.
    pub network: NetworkId,
    /// The MAC address, chosen by us; the platform chooses when it is absent.
    pub mac: Option<String>,
    /// An IPv4 address to register; honoured on networks of a VPC only.
    pub address: Option<String>,
}

/// What to change of a VM. Fields that are `None` are left alone and not sent: the platform refuses
/// some values although they are the present ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VmPatch {
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// vCPUs; the VM must be halted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Cores per socket; the VM must be halted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_cores_per_socket: Option<u32>,
    /// Memory in bytes; the VM must be halted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// UEFI secure boot; set while halted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
    /// Firmware; set while halted, before the first boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_firmware: Option<Firmware>,
    /// Start with the host; needs a backup policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_power_on: Option<bool>,
    /// What happens when the host is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_availability: Option<Restart>,
}

impl VmPatch {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl NewVm {
    fn request(&self) -> Request {
        let adapters: Vec<Value> = self
            .adapters
            .iter()
            .map(|adapter| {
                let mut value = json!({"networkId": adapter.network});
                if let Some(mac) = &adapter.mac {
                    value["mac"] = json!(mac);
                }
                if let Some(address) = &adapter.address {
                    value["ipAddress"] = json!(address);
                }
                value
            })
            .collect();
        let mut body = json!({
            "name": self.name,
            "templateId": self.template,
            "cpu": self.cpu,
            "memory": self.memory,
            "networkAdapters": adapters,
        });
        if let Some(cloud_init) = &self.cloud_init {
            body["cloudInit"] = json!({"cloudConfig": cloud_init.config.expose_secret()});
            if let Some(network) = &cloud_init.network {
                body["cloudInit"]["networkConfig"] = json!(network);
            }
        }
        let class = Class::Create {
            find_by: Handle::VmName(self.name.clone()),
        };
        Request::post("/compute/v1/open_iaas/virtual_machines", &[], class)
            .body(body)
            .needs(MANAGEMENT)
            .takes_up_to(20)
    }
}

impl Client {
    /// Reads a VM. `None` on 404, which alone does not prove absence: see
    /// [`Self::vm_presence`].
    ///
    /// # Errors
    /// As every read.
    pub async fn virtual_machine(
        &self,
        id: &VmId,
        cancel: &CancellationToken,
    ) -> Result<Option<VirtualMachine>, Error> {
        let path = "/compute/v1/open_iaas/virtual_machines/{}";
        self.get(&Request::get(path, &[id.as_str()]), cancel).await
    }

    /// Reads a template. `None` on 404.
    ///
    /// # Errors
    /// As every read.
    pub async fn template(
        &self,
        id: &TemplateId,
        cancel: &CancellationToken,
    ) -> Result<Option<Template>, Error> {
        let path = "/compute/v1/open_iaas/templates/{}";
        self.get(&Request::get(path, &[id.as_str()]), cancel).await
    }

    /// Makes a VM and waits until it exists, halted.
    ///
    /// # Errors
    /// After any error for which [`Error::may_have_written`] holds the VM may exist: look it up with
    /// [`Self::look_up_vm`].
    pub async fn create_vm(&self, vm: &NewVm, cancel: &CancellationToken) -> Result<VmId, Error> {
        self.make(&vm.request(), cancel).await.map(VmId::new)
    }

    /// Changes a VM. Nothing is sent for an empty patch. Read the VM back: sizes were seen
    /// acknowledged and not applied.
    ///
    /// # Errors
    /// As every write.
    pub async fn update_vm(
        &self,
        id: &VmId,
        patch: &VmPatch,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        if patch.is_empty() {
            return Ok(());
        }
        let request = Request::patch("/compute/v1/open_iaas/virtual_machines/{}", &[id.as_str()])
            .body(json!(patch))
            .needs(MANAGEMENT);
        self.carry_out(&request, cancel).await.map(drop)
    }

    /// Powers a VM on, on `host` if one is wanted: a stale host would move the VM. At least one
    /// backup policy must be assigned.
    ///
    /// # Errors
    /// As every write.
    pub async fn power_on(
        &self,
        id: &VmId,
        host: Option<&HostId>,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let mut body = json!({"powerState": "on"});
        if let Some(host) = host {
            body["hostId"] = json!(host);
        }
        self.power(id, body, cancel).await
    }

    /// Powers a VM off: a clean shutdown, or with `force` at once.
    ///
    /// # Errors
    /// As every write.
    pub async fn power_off(
        &self,
        id: &VmId,
        force: bool,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let mut body = json!({"powerState": "off"});
        if force {
            body["force"] = json!(true);
        }
        self.power(id, body, cancel).await
    }

    async fn power(&self, id: &VmId, body: Value, cancel: &CancellationToken) -> Result<(), Error> {
        let path = "/compute/v1/open_iaas/virtual_machines/{}/power";
        let request = Request::patch(path, &[id.as_str()]).body(body).needs(POWER);
        self.carry_out(&request, cancel).await.map(drop)
    }

    /// Waits until a VM is in `state`, and returns it.
    ///
    /// # Errors
    /// [`Error::NotReached`] after `limit`, or those of a read.
    pub async fn wait_for_power(
        &self,
        id: &VmId,
        state: &PowerState,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<VirtualMachine, Error> {
        let look = || async {
            let vm = match self.virtual_machine(id, cancel).await {
                Ok(vm) => vm,
                Err(error) if error.is_transient() => {
                    return Ok(Probe::Pending("the API does not answer".to_owned()));
                }
                Err(error) => return Err(error),
            };
            Ok(match vm {
                Some(vm) if vm.power_state == *state => Probe::Ready(vm),
                Some(vm) => Probe::Pending(vm.power_state.to_string()),
                None => Probe::Pending("not found".to_owned()),
            })
        };
        let clock = self.clock();
        poll_until(clock.as_ref(), cancel, &mut Pace::new(), limit, look)
            .await
            .map_err(|error| match error {
                WaitError::Cancelled => Error::Cancelled,
                WaitError::Look(error) => error,
                WaitError::Deadline { last, elapsed } => Error::NotReached {
                    what: format!("VM {id} is not {}", state.as_str().to_ascii_lowercase()),
                    last,
                    elapsed,
                },
            })
    }

    /// Sets the order of boot devices.
    ///
    /// # Errors
    /// As every write.
    pub async fn set_boot_order(
        &self,
        id: &VmId,
        order: &[BootDevice],
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let path = "/compute/v1/open_iaas/virtual_machines/{}/boot_order";
        let request = Request::patch(path, &[id.as_str()])
            .body(json!({"order": order}))
            .needs(MANAGEMENT);
        self.carry_out(&request, cancel).await.map(drop)
    }

    /// Deletes a VM with its template disks and config drive. Halt it before: the platform can
    /// refuse a running one. A VM that is gone already is success.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_vm(&self, id: &VmId, cancel: &CancellationToken) -> Result<(), Error> {
        let path = "/compute/v1/open_iaas/virtual_machines/{}";
        let request = Request::delete(path, &[id.as_str()])
            .needs(MANAGEMENT)
            .takes_up_to(20);
        self.remove(&request, cancel).await
    }

    /// A delete with its activity; 404 is success.
    pub(crate) async fn remove(
        &self,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        match self.carry_out(request, cancel).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_sends_what_was_chosen_and_nothing_empty() {
        let mut vm = NewVm {
            name: "alpha-cp-1".into(),
            template: TemplateId::new("tpl-1"),
            cpu: 4,
            memory: 8 << 30,
            cloud_init: None,
            adapters: vec![VmAdapter {
                network: NetworkId::new("net-1"),
                mac: None,
                address: None,
            }],
        };
        assert_eq!(
            vm.request().body.expect("a body").to_string(),
            r#"{"cpu":4,"memory":8589934592,"name":"alpha-cp-1","networkAdapters":[{"networkId":"net-1"}],"templateId":"tpl-1"}"#
        );
        vm.adapters[0].mac = Some("02:00:5e:10:20:01".into());
        vm.cloud_init = Some(CloudInit {
            config: SecretString::new("machine: {}"),
            network: Some("version: 1\nconfig: []\n".into()),
        });
        let request = vm.request();
        assert_eq!(
            request.body.as_ref().expect("a body")["cloudInit"],
            json!({"cloudConfig": "machine: {}", "networkConfig": "version: 1\nconfig: []\n"})
        );
        assert!(!format!("{request:?}").contains("machine: {}"));
        let find_by = Handle::VmName("alpha-cp-1".into());
        assert_eq!(*request.operation(), Class::Create { find_by });
    }

    #[test]
    fn a_patch_sends_only_what_changes() {
        let patch = VmPatch {
            num_cores_per_socket: Some(4),
            high_availability: Some(Restart::BestEffort),
            boot_firmware: Some(Firmware::Uefi),
            ..VmPatch::default()
        };
        assert_eq!(
            json!(patch),
            json!({"numCoresPerSocket": 4, "highAvailability": "best-effort", "bootFirmware": "uefi"})
        );
        assert!(VmPatch::default().is_empty() && !patch.is_empty());
    }
}
