//! What was seen of a node: plain values for planners and diagnostics.

use std::fmt;
use std::net::IpAddr;

use proto_talos::talos::resource::definitions::enums::RuntimeMachineStage;

use super::{EtcdAlarm, EtcdMember, EtcdStatus};
use crate::config::ConfigHash;

/// One look at one node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeObservation {
    /// The address that was dialled.
    pub address: IpAddr,
    /// What answered there.
    pub reach: Reach,
}

impl NodeObservation {
    /// The facts, when the node answered under this cluster's configuration.
    pub const fn facts(&self) -> Option<&NodeFacts> {
        match &self.reach {
            Reach::Configured(facts) => Some(facts),
            _ => None,
        }
    }
}

/// What answers at an address. Only [`Reach::Configured`] says anything about a node of ours; not
/// to answer is no proof of absence.
#[derive(Clone, Debug, PartialEq)]
pub enum Reach {
    /// A node that runs under this cluster's configuration.
    Configured(Box<NodeFacts>),
    /// A node without a configuration: it did not get one, or could not use it.
    Maintenance(MaintenanceFacts),
    /// A machine API that does not know this cluster.
    Foreign {
        /// What it said.
        reason: String,
    },
    /// Nothing.
    Silent {
        /// What the dialler said.
        reason: String,
    },
}

/// What a configured node says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeFacts {
    /// Version tag, `v1.13.9`.
    pub version: String,
    /// Where the machine is in its life.
    pub stage: Stage,
    /// Whether it has all it waits for.
    pub ready: bool,
    /// What it waits for.
    pub unmet: Vec<UnmetCondition>,
    /// Hash of the active configuration, as the node holds it.
    pub config_hash: Option<ConfigHash>,
    /// Which boot this is; another value proves a reboot. Not read at [`super::Depth::Quick`].
    pub boot_id: Option<BootId>,
    /// Services. Not read at [`super::Depth::Quick`].
    pub services: Vec<Service>,
    /// Id of the image's schematic, when the image comes from a factory. Not read at
    /// [`super::Depth::Quick`].
    pub schematic: Option<String>,
    /// System extensions, sorted. Not read at [`super::Depth::Quick`].
    pub extensions: Vec<String>,
    /// etcd as this node sees it; control-plane nodes only. Not read at [`super::Depth::Quick`].
    pub etcd: Option<EtcdObservation>,
}

impl NodeFacts {
    /// A service by id.
    pub fn service(&self, id: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.id == id)
    }
}

/// What a node in maintenance tells anyone; it goes into diagnostics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MaintenanceFacts {
    /// Version tag, when it tells.
    pub version: Option<String>,
    /// Where it is.
    pub stage: Stage,
    /// What it waits for.
    pub unmet: Vec<UnmetCondition>,
    /// Problems it sees in itself.
    pub diagnostics: Vec<String>,
    /// Hardware addresses of its interfaces, with colons.
    pub mac_addresses: Vec<String>,
}

impl fmt::Display for MaintenanceFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in maintenance (stage {})", self.stage)?;
        if let Some(version) = &self.version {
            write!(f, ", Talos {version}")?;
        }
        if !self.mac_addresses.is_empty() {
            write!(f, ", interfaces {}", self.mac_addresses.join(", "))?;
        }
        for condition in &self.unmet {
            write!(f, "; {}: {}", condition.name, condition.reason)?;
        }
        for diagnostic in &self.diagnostics {
            write!(f, "; {diagnostic}")?;
        }
        Ok(())
    }
}

/// Where a machine is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It starts.
    Booting,
    /// It installs itself.
    Installing,
    /// It has no configuration.
    Maintenance,
    /// It runs.
    Running,
    /// It goes down to come back.
    Rebooting,
    /// It goes down.
    ShuttingDown,
    /// It forgets.
    Resetting,
    /// It writes another version.
    Upgrading,
    /// It did not say.
    #[default]
    NotTold,
    /// A stage of a later Talos.
    Unknown(String),
}

impl Stage {
    pub(super) fn from_wire(number: i32) -> Self {
        match RuntimeMachineStage::try_from(number) {
            Ok(RuntimeMachineStage::MachineStageUnknown) => Self::NotTold,
            Ok(RuntimeMachineStage::MachineStageBooting) => Self::Booting,
            Ok(RuntimeMachineStage::MachineStageInstalling) => Self::Installing,
            Ok(RuntimeMachineStage::MachineStageMaintenance) => Self::Maintenance,
            Ok(RuntimeMachineStage::MachineStageRunning) => Self::Running,
            Ok(RuntimeMachineStage::MachineStageRebooting) => Self::Rebooting,
            Ok(RuntimeMachineStage::MachineStageShuttingDown) => Self::ShuttingDown,
            Ok(RuntimeMachineStage::MachineStageResetting) => Self::Resetting,
            Ok(RuntimeMachineStage::MachineStageUpgrading) => Self::Upgrading,
            Err(_) => Self::Unknown(number.to_string()),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Booting => "booting",
            Self::Installing => "installing",
            Self::Maintenance => "maintenance",
            Self::Running => "running",
            Self::Rebooting => "rebooting",
            Self::ShuttingDown => "shutting down",
            Self::Resetting => "resetting",
            Self::Upgrading => "upgrading",
            Self::NotTold => "not told",
            Self::Unknown(number) => {
                return write!(f, "{number}, which this provider does not know");
            }
        })
    }
}

/// Something a machine waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetCondition {
    /// `time`, `network`, `services`, `staticPods`, `nodeReady` and others.
    pub name: String,
    /// Why it is not met, in the node's words.
    pub reason: String,
}

/// Which boot a machine is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootId(pub(super) String);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One service of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `etcd`, `kubelet`, `apid` and others.
    pub id: String,
    /// Its state.
    pub state: ServiceState,
    /// Whether it is healthy; `None` when nothing checks it, or not yet.
    pub healthy: Option<bool>,
    /// The last words of its health check.
    pub message: String,
}

impl Service {
    /// Whether it runs and nothing says that it is ill.
    pub fn is_up(&self) -> bool {
        self.state == ServiceState::Running && self.healthy != Some(false)
    }
}

/// State of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// Known, not started.
    Initialized,
    /// Its image is fetched, or it waits to be bootstrapped.
    Preparing,
    /// It waits for others.
    Waiting,
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It is being stopped.
    Stopping,
    /// It ended well.
    Finished,
    /// It ended badly.
    Failed,
    /// It is not needed.
    Skipped,
    /// A state of a later Talos.
    Unknown(String),
}

impl ServiceState {
    pub(super) fn from_wire(text: &str) -> Self {
        match text {
            "Initialized" => Self::Initialized,
            "Preparing" => Self::Preparing,
            "Waiting" => Self::Waiting,
            "Starting" => Self::Starting,
            "Running" => Self::Running,
            "Stopping" => Self::Stopping,
            "Finished" => Self::Finished,
            "Failed" => Self::Failed,
            "Skipped" => Self::Skipped,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// etcd as one control-plane node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdObservation {
    /// The members, when this node's etcd answers.
    pub members: Option<Vec<EtcdMember>>,
    /// This node's own member, when its etcd answers.
    pub status: Option<EtcdStatus>,
    /// Alarms, when this node's etcd answers.
    pub alarms: Vec<EtcdAlarm>,
}
