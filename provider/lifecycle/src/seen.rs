//! What an observation may answer: a value, or that nobody could tell.

/// A piece of an observation. Unreachable is normal (design law 7) and never the same as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It was read.
    Known(T),
    /// It could not be read; the reason is shown, never a secret.
    Unknown(String),
}

impl<T> Seen<T> {
    /// The value, if it was read.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The reason, if it was not read.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(reason) => Some(reason),
        }
    }
}

/// What was seen of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineSeen {
    /// No VM of its name; concluded from a complete listing only.
    Absent,
    /// A VM of its name and MAC address without a tag: whose it is was never said.
    Unclaimed,
    /// A tagged VM that stands still and lacks a disk, a policy or a property, or was never started while
    /// its cluster is being made: making it was interrupted.
    Unfinished {
        /// What is lacking.
        lacks: String,
    },
    /// A finished VM that stands still.
    Halted,
    /// A VM that runs.
    Running {
        /// What of its size or disks differs from what is desired; empty for nothing.
        differs: String,
        /// Whether the drive with its configuration is still attached.
        config_drive: bool,
    },
}

impl MachineSeen {
    /// A running machine in good order.
    pub const fn in_order() -> Self {
        Self::Running {
            differs: String::new(),
            config_drive: false,
        }
    }
}

/// What was seen of a Kubernetes node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSeen {
    /// Whether the condition `Ready` is true.
    pub ready: bool,
    /// All labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Labels that the provider set, by its own record on the node.
    pub owned_labels: std::collections::BTreeSet<String>,
    /// All taints.
    pub taints: std::collections::BTreeSet<product::Taint>,
    /// Taints that the provider set, by its own record on the node.
    pub owned_taints: std::collections::BTreeSet<product::Taint>,
}

/// A machine that no listing names: absent if the listing was complete.
pub(crate) fn absent_or_unknown(complete: bool) -> Seen<MachineSeen> {
    if complete {
        Seen::Known(MachineSeen::Absent)
    } else {
        Seen::Unknown("the listing of its zone is incomplete".to_owned())
    }
}
