//! What a node is told: configuration, bootstrap, power.

use std::time::Duration;

use proto_talos::machine::machine_service_client::MachineServiceClient;
use proto_talos::machine::{
    ApplyConfigurationRequest, BootstrapRequest, ReadRequest, RebootRequest, ResetPartitionSpec,
    ResetRequest, ShutdownRequest, apply_configuration_request, reboot_request, reset_request,
};
use proto_talos::storage::disk::DiskType;
use proto_talos::storage::storage_service_client::StorageServiceClient;
use secret::SecretString;
use tonic::Code;

use super::connect::{READ, sized, timed};
use super::error::excerpt;
use super::{BootId, Node, Service, ServiceState, TalosError, types};
use crate::config::{ConfigError, ConfigHash, MachineConfig, RenderedConfig};

/// Deadlines of calls that change something.
const APPLY: Duration = Duration::from_mins(1);
const BOOTSTRAP: Duration = Duration::from_secs(5);
const POWER: Duration = Duration::from_secs(30);

/// How a configuration takes effect. The mode that reboots at once has no name here: it is the
/// wire's default, drains nothing, and Talos 1.14 refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyMode {
    /// At once where possible, otherwise (until 1.13) with a reboot.
    Auto,
    /// At once, or refused.
    NoReboot,
    /// At the next boot.
    Staged,
    /// At once, and undone after a minute unless applied again.
    Try,
}

impl ApplyMode {
    const fn to_wire(self) -> apply_configuration_request::Mode {
        use apply_configuration_request::Mode;
        match self {
            Self::Auto => Mode::Auto,
            Self::NoReboot => Mode::NoReboot,
            Self::Staged => Mode::Staged,
            Self::Try => Mode::Try,
        }
    }
}

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedConfig {
    /// Whether the node reboots (or would) because of it.
    pub reboots: bool,
    /// The node's warnings; they belong into diagnostics.
    pub warnings: Vec<String>,
    /// The node's own words on what it does. The diff that a dry run adds is left out: it quotes
    /// the configuration, secrets included.
    pub details: String,
}

/// Which configuration of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSlot {
    /// The one in use.
    Active,
    /// The one for the next boot.
    Persistent,
}

/// A configuration as a node holds it.
#[derive(Clone)]
pub struct HeldConfig {
    /// The text, byte for byte.
    pub text: SecretString,
    /// Its hash: equal to the hash of what was sent when nobody else changed it.
    pub hash: ConfigHash,
}

impl HeldConfig {
    /// The configuration, to be compared with another.
    ///
    /// # Errors
    /// [`ConfigError`] when the text is none.
    pub fn parse(&self) -> Result<MachineConfig, ConfigError> {
        MachineConfig::parse(self.text.expose_secret())
    }
}

/// What became of a bootstrap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootstrapOutcome {
    /// etcd is being started.
    Started,
    /// etcd has data already: a former call succeeded. Success, once etcd is seen healthy.
    AlreadyDone,
    /// The node is not that far, in its own words; call again.
    NotYet(String),
}

/// How a node is rebooted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebootMode {
    /// With kexec.
    Default,
    /// Through the firmware: needed after a change of virtual hardware.
    PowerCycle,
    /// Without taking services down in order.
    Force,
}

/// What a reset wipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Whether the node drains itself and leaves etcd and discovery. Impossible for the last
    /// member of etcd.
    pub graceful: bool,
    /// Whether it boots again; otherwise it halts.
    pub reboot: bool,
    /// Labels of the partitions to wipe, `STATE` and `EPHEMERAL`. Never empty: wiping everything
    /// takes the boot loader of a cloud machine.
    pub partitions: Vec<String>,
}

/// A disk of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// `/dev/xvda`.
    pub device: String,
    /// Bytes.
    pub size: u64,
    /// Model, if it has one.
    pub model: String,
    /// Whether Talos is on it.
    pub is_system: bool,
    /// Whether it cannot be written, or is a CD.
    pub is_readonly: bool,
}

impl Node {
    /// The version tag that runs, `v1.13.9`.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn version(&self) -> Result<String, TalosError> {
        const RPC: &str = "Version";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let reply = self
            .call(RPC, READ, client.version(timed((), READ)))
            .await?;
        let version = self.one(RPC, reply.messages)?.version;
        Ok(version
            .ok_or_else(|| self.unexpected(RPC, "no version in the answer"))?
            .tag)
    }

    /// The services.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn services(&self) -> Result<Vec<Service>, TalosError> {
        const RPC: &str = "ServiceList";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let work = client.service_list(timed((), READ));
        let reply = self.call(RPC, READ, work).await?;
        let services = self.one(RPC, reply.messages)?.services;
        Ok(services
            .into_iter()
            .map(|service| {
                let health = service.health.unwrap_or_default();
                Service {
                    state: ServiceState::from_wire(&service.state),
                    id: service.id,
                    healthy: (!health.unknown).then_some(health.healthy),
                    message: excerpt(&health.last_message),
                }
            })
            .collect())
    }

    /// Which boot the machine is in.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn boot_id(&self) -> Result<BootId, TalosError> {
        const RPC: &str = "Read";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let request = ReadRequest {
            path: "/proc/sys/kernel/random/boot_id".to_owned(),
        };
        let mut stream = self
            .call(RPC, READ, client.read(timed(request, READ)))
            .await?;
        let mut text = String::new();
        while let Some(chunk) = self.bounded(RPC, READ, stream.message()).await? {
            text.push_str(&String::from_utf8_lossy(&chunk.bytes));
        }
        match text.trim() {
            "" => Err(self.unexpected(RPC, "the boot id is empty")),
            id => Ok(BootId(id.to_owned())),
        }
    }

    /// A configuration as the node holds it; needs the admin role.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn config(&self, slot: ConfigSlot) -> Result<Option<HeldConfig>, TalosError> {
        let id = match slot {
            ConfigSlot::Active => "v1alpha1",
            ConfigSlot::Persistent => "persistent",
        };
        let Some(resource) = self.get(&types::MACHINE_CONFIG, id).await? else {
            return Ok(None);
        };
        let bytes = resource.spec.yaml_marshalled;
        let hash = ConfigHash::of(&bytes);
        let text = String::from_utf8(bytes)
            .map_err(|_| self.unexpected("State.Get", "the configuration is not text"))?;
        Ok(Some(HeldConfig {
            text: SecretString::new(text),
            hash,
        }))
    }

    /// Sends a configuration, all documents of it. Warnings of the node come back.
    ///
    /// # Errors
    /// [`TalosError`]; `InvalidArgument` when the node refuses the configuration, or the mode.
    pub async fn apply_config(
        &self,
        config: &RenderedConfig,
        mode: ApplyMode,
    ) -> Result<AppliedConfig, TalosError> {
        self.send_config(config, mode, false).await
    }

    /// Asks what a configuration would do; nothing changes.
    ///
    /// # Errors
    /// As [`Self::apply_config`].
    pub async fn try_config(
        &self,
        config: &RenderedConfig,
        mode: ApplyMode,
    ) -> Result<AppliedConfig, TalosError> {
        self.send_config(config, mode, true).await
    }

    async fn send_config(
        &self,
        config: &RenderedConfig,
        mode: ApplyMode,
        dry_run: bool,
    ) -> Result<AppliedConfig, TalosError> {
        const RPC: &str = "ApplyConfiguration";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let request = ApplyConfigurationRequest {
            data: config.text.expose_secret().as_bytes().to_vec(),
            mode: mode.to_wire().into(),
            dry_run,
            try_mode_timeout: None,
        };
        let work = client.apply_configuration(timed(request, APPLY));
        let reply = self.call(RPC, APPLY, work).await?;
        let applied = self.one(RPC, reply.messages)?;
        let reboots = applied.mode == apply_configuration_request::Mode::Reboot as i32;
        Ok(AppliedConfig {
            reboots,
            warnings: applied.warnings.iter().map(|text| excerpt(text)).collect(),
            details: excerpt(&without_diff(&applied.mode_details)),
        })
    }

    /// Starts etcd on this node, once in the life of a cluster: ask [`super::guard::bootstrap`]
    /// first. A second call on another fresh node would make a second etcd.
    ///
    /// # Errors
    /// [`TalosError`] when the node can never be bootstrapped: a worker, or a configuration
    /// without etcd's CA.
    pub async fn bootstrap(&self) -> Result<BootstrapOutcome, TalosError> {
        const RPC: &str = "Bootstrap";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let request = BootstrapRequest {
            recover_etcd: false,
            recover_skip_hash_check: false,
        };
        let work = client.bootstrap(timed(request, BOOTSTRAP));
        let answer = self
            .call(RPC, BOOTSTRAP, work)
            .await
            .and_then(|reply| self.one(RPC, reply.messages));
        match answer {
            Ok(_) => Ok(BootstrapOutcome::Started),
            Err(error) if error.code() == Some(Code::AlreadyExists) => {
                Ok(BootstrapOutcome::AlreadyDone)
            }
            Err(error) if error.is_passing() || error.code() == Some(Code::FailedPrecondition) => {
                Ok(BootstrapOutcome::NotYet(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// Reboots the machine, without draining it. What proves the reboot is another boot id:
    /// [`super::TalosClient::await_boot`].
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn reboot(&self, mode: RebootMode) -> Result<(), TalosError> {
        const RPC: &str = "Reboot";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let mode = match mode {
            RebootMode::Default => reboot_request::Mode::Default,
            RebootMode::PowerCycle => reboot_request::Mode::Powercycle,
            RebootMode::Force => reboot_request::Mode::Force,
        };
        let request = RebootRequest { mode: mode.into() };
        let work = client.reboot(timed(request, POWER));
        let reply = self.call(RPC, POWER, work).await?;
        self.one(RPC, reply.messages).map(drop)
    }

    /// Halts the machine; it drains itself unless `force`.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn shutdown(&self, force: bool) -> Result<(), TalosError> {
        const RPC: &str = "Shutdown";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let work = client.shutdown(timed(ShutdownRequest { force }, POWER));
        let reply = self.call(RPC, POWER, work).await?;
        self.one(RPC, reply.messages).map(drop)
    }

    /// Wipes partitions of the system disk.
    ///
    /// # Errors
    /// [`TalosError`]; an empty list of partitions is refused here.
    pub async fn reset(&self, reset: &Reset) -> Result<(), TalosError> {
        const RPC: &str = "Reset";
        if reset.partitions.is_empty() {
            return Err(self.unexpected(RPC, "a reset without partitions would wipe the machine"));
        }
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let partitions = reset.partitions.iter().map(|label| ResetPartitionSpec {
            label: label.clone(),
            wipe: true,
        });
        let request = ResetRequest {
            graceful: reset.graceful,
            reboot: reset.reboot,
            system_partitions_to_wipe: partitions.collect(),
            user_disks_to_wipe: Vec::new(),
            mode: reset_request::WipeMode::SystemDisk.into(),
        };
        let work = client.reset(timed(request, POWER));
        let reply = self.call(RPC, POWER, work).await?;
        self.one(RPC, reply.messages).map(drop)
    }

    /// The disks.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn disks(&self) -> Result<Vec<Disk>, TalosError> {
        const RPC: &str = "Disks";
        let mut client = sized!(StorageServiceClient::new(self.channel.clone()));
        let reply = self.call(RPC, READ, client.disks(timed((), READ))).await?;
        let disks = self.one(RPC, reply.messages)?.disks;
        Ok(disks
            .into_iter()
            .map(|disk| Disk {
                is_readonly: disk.readonly || disk.r#type == DiskType::Cd as i32,
                device: disk.device_name,
                size: disk.size,
                model: disk.model,
                is_system: disk.system_disk,
            })
            .collect())
    }
}

/// What a node says before it quotes the configuration.
fn without_diff(details: &str) -> String {
    let quotes = |line: &str| {
        let line = line.trim_start().to_ascii_lowercase();
        line.starts_with("config diff") || line.starts_with("---") || line.starts_with("@@")
    };
    details
        .lines()
        .take_while(|line| !quotes(line))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_shows_no_configuration() {
        let details = "Dry run summary:\nApplied without a reboot.\nConfig diff:\n--- a\n+++ b\n@@ -1 \
                       @@\n-  token: old.token\n";
        assert_eq!(
            without_diff(details),
            "Dry run summary:\nApplied without a reboot."
        );
        assert_eq!(without_diff("--- a\n+token: x"), "");
        assert_eq!(without_diff("Applied"), "Applied");
    }
}
