//! What was seen of a cluster. Each piece has its own way to be unknown.

use std::collections::BTreeMap;

use product::NodeKey;

use super::DesiredCluster;
use crate::guard::EtcdMember;
use crate::seen::{MachineSeen, NodeSeen, Seen};

/// What was seen of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Etcd {
    /// Every control plane that answers waits to be told: it was never bootstrapped.
    NotBootstrapped,
    /// The members.
    Members(Vec<EtcdMember>),
}

/// What was seen of the network's release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkSeen {
    /// No release.
    Absent,
    /// A release.
    Present {
        /// How it differs from what is desired; empty for nothing.
        outdated: String,
        /// Whether its last operation ended well.
        deployed: bool,
        /// Objects of it that are missing or were changed: the object and how.
        changed: BTreeMap<String, String>,
    },
}

/// A node of the cluster resource, or that it is not registered.
pub type ClusterNode = Option<NodeSeen>;

/// A cluster as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedCluster {
    /// Whether the completion tag is on the first control plane.
    pub complete: bool,
    /// The machines of the cluster resource, each that is desired and each that is there.
    pub machines: BTreeMap<NodeKey, Seen<MachineSeen>>,
    /// Whether the machine API answers, for machines that run.
    pub machine_api: BTreeMap<NodeKey, bool>,
    /// etcd.
    pub etcd: Seen<Etcd>,
    /// Whether the Kubernetes API answers: `Unknown` says why not.
    pub api: Seen<()>,
    /// The nodes, once the API answers.
    pub nodes: Seen<BTreeMap<NodeKey, NodeSeen>>,
    /// The network.
    pub network: Seen<NetworkSeen>,
    /// Whether the recorded inputs are the desired ones.
    pub inputs_recorded: Seen<bool>,
}

impl ObservedCluster {
    /// Before a create: nothing is there.
    pub fn nothing(desired: &DesiredCluster) -> Self {
        let not_yet = || "the cluster does not exist yet".to_owned();
        Self {
            complete: false,
            machines: desired
                .machines()
                .into_iter()
                .map(|machine| (machine.node, Seen::Known(MachineSeen::Absent)))
                .collect(),
            machine_api: BTreeMap::new(),
            etcd: Seen::Unknown(not_yet()),
            api: Seen::Unknown(not_yet()),
            nodes: Seen::Unknown(not_yet()),
            network: Seen::Unknown(not_yet()),
            inputs_recorded: Seen::Unknown(not_yet()),
        }
    }

    /// Exactly what the desired state asks for: the end of an apply.
    pub fn in_order(desired: &DesiredCluster) -> Self {
        let machines = desired.machines();
        let members = machines
            .iter()
            .filter(|machine| machine.node.role == product::Role::ControlPlane)
            .map(|machine| EtcdMember {
                id: u64::from(machine.node.index),
                name: machine.node.name(&desired.identifier),
                learner: false,
                healthy: true,
            })
            .collect();
        let node = |node: NodeKey| NodeSeen {
            ready: true,
            labels: desired.labels(node),
            owned_labels: desired.labels(node).into_keys().collect(),
            taints: desired.taints(node),
            owned_taints: desired.taints(node),
        };
        Self {
            complete: true,
            machines: machines
                .iter()
                .map(|machine| (machine.node, Seen::Known(MachineSeen::in_order())))
                .collect(),
            machine_api: machines
                .iter()
                .map(|machine| (machine.node, true))
                .collect(),
            etcd: Seen::Known(Etcd::Members(members)),
            api: Seen::Known(()),
            nodes: Seen::Known(
                machines
                    .iter()
                    .map(|machine| (machine.node, node(machine.node)))
                    .collect(),
            ),
            network: Seen::Known(NetworkSeen::Present {
                outdated: String::new(),
                deployed: true,
                changed: BTreeMap::new(),
            }),
            inputs_recorded: Seen::Known(true),
        }
    }

    /// Whether etcd has members: from here on nothing of value may be lost (design law 6).
    pub fn bootstrapped(&self) -> bool {
        self.complete || matches!(&self.etcd, Seen::Known(Etcd::Members(_)))
    }

    /// Why pieces could not be read, for warnings.
    pub fn unknowns(&self) -> Vec<String> {
        let machines = self
            .machines
            .iter()
            .filter_map(|(node, seen)| Some(format!("{node}: {}", seen.reason()?)));
        let pieces = [
            ("etcd", self.etcd.reason()),
            ("Kubernetes API", self.api.reason()),
            ("nodes", self.nodes.reason()),
            ("network", self.network.reason()),
        ];
        machines
            .chain(
                pieces
                    .into_iter()
                    .filter_map(|(what, reason)| Some(format!("{what}: {}", reason?))),
            )
            .collect()
    }
}
