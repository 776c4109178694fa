//! What is there: the cloud's machines, the nodes' own word, the Kubernetes API.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use product::NodeKey;
use serde_json::json;

use super::refusals::check_owner;
use super::{Depth, Run, is_control_plane};
use crate::Error;
use crate::addon::{DesiredAddon, OWNER_CLUSTER, ReleaseSeen};
use crate::cluster::{Etcd, MachineSpec, NetworkSeen, ObservedCluster};
use crate::error::Fault;
use crate::guard::EtcdMember;
use crate::ports::{EtcdService, Look, NodeLook};
use crate::run::machines::Inventory;
use crate::run::record::RecordedCluster;
use crate::run::side_by_side;
use crate::seen::{MachineSeen, NodeSeen, Seen, absent_or_unknown};

impl Run<'_> {
    /// One observation.
    pub(super) async fn observe(
        &self,
        depth: Depth,
    ) -> Result<(ObservedCluster, Inventory), Error> {
        let machines = &self.engine.machines;
        let identifier = &self.desired.identifier;
        let zones = self.desired.zones.as_slice();
        let inventory = machines
            .inventory(identifier, zones, self.look, self.cancel)
            .await?;
        let complete = match inventory.of(self.desired.first()) {
            Some(first) if first.owner().is_some() => {
                machines.seen_complete(&first.id, self.cancel).await?
            }
            // Its first machine is gone: whether it was complete, its members and its record tell below.
            _ => false,
        };
        let mut observed = ObservedCluster {
            complete,
            ..ObservedCluster::nothing(self.desired)
        };
        for spec in self.desired.machines() {
            let seen = self.machine(&spec, &inventory, complete, depth).await?;
            observed.machines.insert(spec.node, seen);
        }
        let running: Vec<NodeKey> = observed
            .machines
            .iter()
            .filter(|(_, seen)| matches!(seen, Seen::Known(MachineSeen::Running { .. })))
            .map(|(node, _)| *node)
            .collect();
        if depth == Depth::Apply {
            observed.machine_api = self.answering(&running).await?;
        }
        observed.etcd = self.etcd(&running).await?;
        if matches!(observed.etcd, Seen::Known(Etcd::Members(_))) {
            self.inside(&mut observed).await?;
        }
        Ok((observed, inventory))
    }

    async fn machine(
        &self,
        spec: &MachineSpec,
        inventory: &Inventory,
        complete: bool,
        depth: Depth,
    ) -> Result<Seen<MachineSeen>, Error> {
        let Some(found) = inventory.of(spec.node) else {
            return Ok(absent_or_unknown(inventory.complete));
        };
        if !check_owner(found, self.record.id.birth)? {
            return Ok(Seen::Known(MachineSeen::Unclaimed));
        }
        let condition = self
            .engine
            .machines
            .condition(found, spec, self.cancel)
            .await?;
        Ok(Seen::Known(if !found.is_halted() {
            let differs = [condition.lacks, condition.differs]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
            // Whether the drive can go is tried once, when the machine is made; a refresh does not ask again.
            let config_drive = depth == Depth::Apply
                && !complete
                && condition.config_drive
                && !self.kept_drives.contains(&spec.node);
            MachineSeen::Running {
                differs,
                config_drive,
            }
        } else if !condition.lacks.is_empty() {
            MachineSeen::Unfinished {
                lacks: condition.lacks,
            }
        } else if !complete {
            MachineSeen::Unfinished {
                lacks: "its first start".to_owned(),
            }
        } else {
            MachineSeen::Halted
        }))
    }

    /// One look at each node, side by side.
    pub(super) async fn looks(&self, nodes: &[NodeKey]) -> Vec<(NodeKey, Result<NodeLook, Fault>)> {
        let mut work = Vec::with_capacity(nodes.len());
        for node in nodes.iter().copied() {
            let address = self.handle.network.address(node);
            work.push(async move { (node, self.nodes.look(address, self.cancel).await) }.boxed());
        }
        side_by_side(8, work).await
    }

    /// Which machines answer on the machine API: one call each, side by side.
    async fn answering(&self, nodes: &[NodeKey]) -> Result<BTreeMap<NodeKey, bool>, Error> {
        let looks = self.looks(nodes).await;
        let mut answering = BTreeMap::new();
        for (node, look) in looks {
            match look {
                Ok(look) => answering.insert(node, !look.maintenance),
                Err(Fault::Cancelled) => return Err(Error::Cancelled),
                Err(Fault::Unreachable(_) | Fault::Failed { .. }) => answering.insert(node, false),
            };
        }
        Ok(answering)
    }

    /// etcd as its members tell: one call to each control plane that runs.
    pub(super) async fn etcd(&self, running: &[NodeKey]) -> Result<Seen<Etcd>, Error> {
        let control_planes: Vec<NodeKey> = running
            .iter()
            .copied()
            .filter(|node| is_control_plane(*node))
            .collect();
        let mut work = Vec::with_capacity(control_planes.len());
        for node in control_planes {
            let address = self.handle.network.address(node);
            work.push(async move { (node, self.nodes.etcd(address, self.cancel).await) }.boxed());
        }
        let mut answers = side_by_side(8, work).await;
        answers.sort_by_key(|(node, _)| *node);
        self.etcd_of(answers)
    }

    fn etcd_of(
        &self,
        answers: Vec<(NodeKey, Result<EtcdService, Fault>)>,
    ) -> Result<Seen<Etcd>, Error> {
        let wanted = usize::from(self.desired.topology.control_planes());
        let mut members: Option<Vec<EtcdMember>> = None;
        let mut healthy = Vec::new();
        let (mut waiting, mut last) = (0, "no control plane runs".to_owned());
        for (node, answer) in answers {
            let name = node.name(&self.desired.identifier);
            match answer {
                Ok(EtcdService::Running(list)) => {
                    healthy.push(name);
                    members.get_or_insert(list);
                }
                Ok(EtcdService::Waiting) => waiting += 1,
                Ok(EtcdService::Starting(state)) => last = format!("etcd of {name} is {state}"),
                Err(Fault::Cancelled) => return Err(Error::Cancelled),
                Err(fault) => last = format!("{name}: {}", transport::chain(&fault)),
            }
        }
        Ok(match members {
            Some(mut members) => {
                for member in &mut members {
                    member.healthy = healthy.contains(&member.name);
                }
                members.sort();
                Seen::Known(Etcd::Members(members))
            }
            None if waiting == wanted => Seen::Known(Etcd::NotBootstrapped),
            None => Seen::Unknown(last),
        })
    }

    /// What the Kubernetes API shows.
    async fn inside(&self, observed: &mut ObservedCluster) -> Result<(), Error> {
        observed.api = seen(self.kubernetes.alive(self.cancel).await)?;
        if observed.api.known().is_none() {
            return Ok(());
        }
        observed.nodes = match seen(self.kubernetes.nodes(self.cancel).await)? {
            Seen::Unknown(reason) => Seen::Unknown(reason),
            Seen::Known(nodes) => Seen::Known(self.ours(nodes)),
        };
        let network = self.network();
        let look = Look {
            drift: &network.drift,
            health: false,
            shared: false,
        };
        let release = self
            .kubernetes
            .release(&network.namespace, &network.name, look, self.cancel)
            .await;
        observed.network = match seen(release)? {
            Seen::Unknown(reason) => Seen::Unknown(reason),
            Seen::Known(ReleaseSeen::Absent) => Seen::Known(NetworkSeen::Absent),
            Seen::Known(ReleaseSeen::Present {
                version,
                fingerprint,
                deployed,
                changed,
                ..
            }) => {
                let outdated = if version != network.source.version {
                    format!("{version}, wanted {}", network.source.version)
                } else if fingerprint != network.fingerprint() {
                    "other values".to_owned()
                } else {
                    String::new()
                };
                Seen::Known(NetworkSeen::Present {
                    outdated,
                    deployed,
                    changed,
                })
            }
        };
        let recorded = self
            .kubernetes
            .inputs(&self.inputs_name(), self.cancel)
            .await;
        observed.inputs_recorded = match seen(recorded)? {
            Seen::Unknown(reason) => Seen::Unknown(reason),
            Seen::Known(recorded) => Seen::Known(recorded.as_ref() == Some(&self.inputs())),
        };
        Ok(())
    }

    fn ours(&self, nodes: BTreeMap<String, NodeSeen>) -> BTreeMap<NodeKey, NodeSeen> {
        let wanted: Vec<NodeKey> = self
            .desired
            .machines()
            .into_iter()
            .map(|spec| spec.node)
            .collect();
        nodes
            .into_iter()
            .filter_map(|(name, node)| {
                Some((NodeKey::from_name(&self.desired.identifier, &name)?, node))
            })
            .filter(|(key, _)| wanted.contains(key))
            .collect()
    }

    /// The network as a release.
    pub(super) fn network(&self) -> DesiredAddon {
        let component =
            product::catalogue::component("cilium").expect("the catalogue has the network");
        let facts = self.handle.facts();
        let version = Some(self.desired.network_chart.as_str());
        let mut network = DesiredAddon::from_catalogue(component, &facts, version, &json!({}));
        OWNER_CLUSTER.clone_into(&mut network.owner);
        network
    }

    /// Where the inputs are recorded.
    pub(super) fn inputs_name(&self) -> String {
        format!("cluster-{}", self.desired.identifier)
    }

    /// The inputs as recorded.
    pub(super) fn inputs(&self) -> serde_json::Value {
        json!(RecordedCluster {
            schema: RecordedCluster::SCHEMA,
            desired: self.desired.clone(),
            record: self.record.clone(),
        })
    }
}

/// A fault is an unknown piece, an interruption ends the run.
pub(crate) fn seen<T>(answer: Result<T, Fault>) -> Result<Seen<T>, Error> {
    match answer {
        Ok(value) => Ok(Seen::Known(value)),
        Err(Fault::Cancelled) => Err(Error::Cancelled),
        Err(fault) => Ok(Seen::Unknown(transport::chain(&fault))),
    }
}
