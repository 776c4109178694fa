//! Virtual machines, their adapters, and templates.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::common::RepositoryRef;
use super::{Reference, Vpc};
use crate::{AdapterId, DiskId, HostId, MachineManagerId, NetworkId, PoolId, TemplateId, VmId};

macro_rules! remote_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$arm_doc:meta])* $arm:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$arm_doc])* $arm,)+
            /// A word that this version does not know.
            Unknown(String),
        }

        impl $name {
            /// The word as the API writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$arm => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Unknown(String::new())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $(if text.eq_ignore_ascii_case($text) {
                    return Self::$arm;
                })+
                Self::Unknown(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(String::deserialize(deserializer)?.as_str()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

remote_enum! {
    /// The power state of a VM.
    PowerState {
        /// It runs.
        Running = "Running",
        /// It is off.
        Halted = "Halted",
        /// It is paused.
        Paused = "Paused",
        /// Its memory lies on disk.
        Suspended = "Suspended",
    }
}

remote_enum! {
    /// The firmware of a VM.
    Firmware {
        /// BIOS.
        Bios = "bios",
        /// UEFI.
        Uefi = "uefi",
    }
}

remote_enum! {
    /// What the hypervisor does with the VM of a lost host.
    Restart {
        /// Nothing.
        Disabled = "disabled",
        /// Starts it elsewhere.
        Restart = "restart",
        /// Starts it elsewhere if there is room.
        BestEffort = "best-effort",
    }
}

remote_enum! {
    /// A device to boot from.
    BootDevice {
        /// A disk.
        HardDrive = "Hard-Drive",
        /// An installation image.
        DvdDrive = "DVD-Drive",
        /// PXE.
        Network = "Network",
    }
}

/// A virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VirtualMachine {
    /// Its identifier.
    pub id: VmId,
    /// Its name.
    pub name: String,
    /// The hypervisor's own identifier: what the guest sees as SMBIOS UUID. Never used in paths.
    pub internal_id: String,
    /// Its power state.
    pub power_state: PowerState,
    /// vCPUs.
    pub cpu: u32,
    /// Cores per socket; divides `cpu`.
    pub num_cores_per_socket: u32,
    /// Memory in bytes. It may differ from what was asked by some 2 MB.
    pub memory: u64,
    /// UEFI secure boot.
    pub secure_boot: bool,
    /// Its firmware.
    pub boot_firmware: Firmware,
    /// The order of boot devices.
    pub boot_order: Vec<BootDevice>,
    /// Whether it starts with its host.
    pub auto_power_on: bool,
    /// What happens when its host is lost.
    pub high_availability: Restart,
    /// A mounted image.
    pub dvd_drive: DvdDrive,
    /// As the guest's tools report it.
    pub operating_system_name: String,
    /// Paravirtualised drivers in the guest.
    pub pv_drivers: Detected,
    /// A guest agent.
    pub management_agent: Detected,
    /// Addresses that the guest reports, by `DEVICE/ipv4/N`.
    pub addresses: BTreeMap<String, String>,
    /// Its zone.
    pub machine_manager: Reference<MachineManagerId>,
    /// Its pool.
    pub pool: Reference<PoolId>,
    /// The host it runs on; empty when it is halted.
    pub host: Reference<HostId>,
}

/// The drive for images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DvdDrive {
    /// The mounted image.
    pub name: String,
    /// Whether one is mounted.
    pub attached: bool,
}

/// Something that the platform finds in a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Detected {
    /// Whether it was found.
    pub detected: bool,
    /// Its version.
    pub version: String,
}

/// A network adapter of a VM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Adapter {
    /// Its identifier.
    pub id: AdapterId,
    /// `VIF #0`, `VIF #1`, ...
    pub name: String,
    /// Its VM.
    pub virtual_machine_id: VmId,
    /// Its MAC address, lower case with colons.
    pub mac_address: String,
    /// Whether it is plugged; means nothing on a halted VM.
    pub attached: bool,
    /// Whether checksums are left to the host.
    pub tx_checksumming: bool,
    /// Its network.
    pub network: Reference<NetworkId>,
    /// Its zone.
    pub machine_manager: Reference<MachineManagerId>,
    /// As the guest reports it.
    pub ipv4_address: String,
    /// Present only on networks that belong to a VPC.
    pub vpc: Option<Vpc>,
}

/// A template of one machine manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Template {
    /// Its identifier.
    pub id: TemplateId,
    /// Its name.
    pub name: String,
    /// Its zone.
    pub machine_manager: Reference<MachineManagerId>,
    /// vCPUs: the least a VM from it may have.
    pub cpu: u32,
    /// Cores per socket.
    pub num_cores_per_socket: u32,
    /// Memory in bytes: the least a VM from it may have.
    pub memory: u64,
    /// Its disks; a VM from a template without disks cannot have cloud-init data.
    pub disks: Vec<TemplateDisk>,
    /// Its adapters.
    pub network_adapters: Vec<TemplateAdapter>,
    /// Backup policies that it carries, and that a VM from it may inherit.
    pub sla_policies: Vec<serde_json::Value>,
}

/// A disk of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TemplateDisk {
    /// Its identifier; may be empty.
    pub id: DiskId,
    /// Its name.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Where it lies, and where clones of it will lie.
    pub storage_repository: RepositoryRef,
}

/// An adapter of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TemplateAdapter {
    /// `VIF #0`, ...
    pub name: String,
    /// Its network.
    pub network: Reference<NetworkId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halted_machine_reads_back_whatever_stands_in_the_place_of_its_host() {
        for host in [
            r#""host":null,"#,
            r#""host":{},"#,
            r#""host":{"id":"","name":""},"#,
            "",
        ] {
            let body = format!(
                r#"{{{host}"id":"vm-1","powerState":"Halted","bootFirmware":"UEFI","addresses":null,
                "highAvailability":"disabled","memory":8589934592,"new":[1]}}"#
            );
            let vm: VirtualMachine = crate::decode::typed(body.as_bytes()).expect("readable");
            assert_eq!(vm.host.get(), None);
            assert_eq!(vm.power_state, PowerState::Halted);
            assert_eq!(vm.boot_firmware, Firmware::Uefi);
            assert_eq!(vm.memory, 8_589_934_592);
        }
    }

    #[test]
    fn an_unknown_state_keeps_its_word() {
        let vm: VirtualMachine =
            crate::decode::typed(br#"{"powerState":"Melting"}"#).expect("readable");
        assert_eq!(vm.power_state, PowerState::Unknown("Melting".into()));
        assert_eq!(vm.power_state.to_string(), "Melting");
    }
}
