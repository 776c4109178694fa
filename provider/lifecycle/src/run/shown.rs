//! What the machines show of a cluster or a pool when it cannot tell about itself: enough for an import, whose next plan
//! is then an update in place (design law 2).

use std::net::Ipv4Addr;

use openiaas::{Freshness, VirtualMachine};
use product::{
    ClusterId, IndexSet, NodeKey, NodeNetwork, Path, PoolName, Problem, Role, Topology, Zone, Zones,
};
use transport::CancellationToken;

use super::machines::FoundVm;
use super::{ClusterHandle, ClusterRecord, Engine, MintedKey, RecordedCluster, RecordedPool};
use crate::Error;
use crate::error::Fault;
use crate::ports::Occupant;

/// A cluster that an import looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterImport {
    /// What it recorded about itself.
    Recorded(Box<RecordedCluster>),
    /// It does not answer, or recorded nothing: what its machines show.
    Shown(ShownCluster),
}

/// What the machines of a cluster show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCluster {
    /// Identifier and birth, from the tags.
    pub id: ClusterId,
    /// From the machines' roles.
    pub topology: Topology,
    /// From the places of the control planes, in production and when none is missing.
    pub zones: Option<Zones>,
    /// From the address of a control plane, when one reports it.
    pub node_network: Option<NodeNetwork>,
    /// How many machines there are.
    pub machines: usize,
    /// Why it did not tell more.
    pub reason: String,
}

/// A pool that an import looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolImport {
    /// What it recorded about itself.
    Recorded(Box<RecordedPool>),
    /// What its machines show.
    Shown(ShownPool),
}

/// What the machines of a pool show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPool {
    /// The numbers of its workers.
    pub indexes: IndexSet,
    /// Processors of the first of them.
    pub vcpu: u32,
    /// Its memory in GiB.
    pub memory_gib: u64,
}

impl Engine {
    /// Looks for a cluster by its id: what it recorded about itself, or what its machines show when its API does not
    /// answer or the record is gone.
    ///
    /// # Errors
    /// No machine of this birth; machines that answer with certificates of another key.
    pub async fn look_for_cluster(
        &self,
        id: &ClusterId,
        cancel: &CancellationToken,
    ) -> Result<ClusterImport, Error> {
        let ours = self.machines_of_birth(id, cancel).await?;
        if ours.is_empty() {
            return Err(no_machine(id));
        }
        let minted = self
            .key
            .mint(&self.tenant, &id.identifier, id.birth, None)?;
        // The network is what is asked for: members are reached at the addresses that their machines report.
        let members: Vec<Ipv4Addr> = ours
            .iter()
            .filter(|found| found.node.role == Role::ControlPlane)
            .flat_map(FoundVm::addresses)
            .collect();
        let reason = match self.recorded(id, &minted, &members, cancel).await? {
            Ok(recorded) => return Ok(ClusterImport::Recorded(Box::new(recorded))),
            Err(reason) => reason,
        };
        Ok(ClusterImport::Shown(shown_cluster(id, &ours, reason)))
    }

    /// As [`Self::look_for_cluster`], for who needs all of it.
    ///
    /// # Errors
    /// Also a cluster that does not answer, or recorded nothing.
    pub async fn find_cluster(
        &self,
        id: &ClusterId,
        cancel: &CancellationToken,
    ) -> Result<RecordedCluster, Error> {
        match self.look_for_cluster(id, cancel).await? {
            ClusterImport::Recorded(recorded) => Ok(*recorded),
            ClusterImport::Shown(shown) => Err(Error::refused(
                Problem::error(Path::of("id"), "the cluster does not tell about itself")
                    .seen(format!("{id}, {} machines: {}", shown.machines, shown.reason))
                    .allowed("the ConfigMap that the last step of an apply writes, in an API that answers")
                    .next("Bring its control planes up, or apply the resource that owns it: that records it again."),
            )),
        }
    }

    /// What the cluster recorded, or why that cannot be had.
    async fn recorded(
        &self,
        id: &ClusterId,
        minted: &MintedKey,
        members: &[Ipv4Addr],
        cancel: &CancellationToken,
    ) -> Result<Result<RecordedCluster, String>, Error> {
        if members.is_empty() {
            return Ok(Err("no control plane reports an address".to_owned()));
        }
        let kubernetes = self.access.kubernetes(&minted.pki, members)?;
        let name = format!("cluster-{}", id.identifier);
        match kubernetes.inputs(&name, cancel).await {
            Ok(value) => {
                let recorded = value.and_then(|value| serde_json::from_value(value).ok());
                let ours = recorded.filter(|recorded: &RecordedCluster| recorded.record.id == *id);
                Ok(ours.ok_or_else(|| "it recorded nothing about itself".to_owned()))
            }
            Err(Fault::Cancelled) => Err(Error::Cancelled),
            Err(fault) => {
                self.same_key(id, minted, members, cancel).await?;
                match fault {
                    Fault::Unreachable(reason) => Ok(Err(reason)),
                    fault => Err(Error::cluster(
                        "read what the cluster recorded about itself",
                    )(fault)),
                }
            }
        }
    }

    /// Machines that carry the birth's tag and show certificates of somebody else were made with another key.
    async fn same_key(
        &self,
        id: &ClusterId,
        minted: &MintedKey,
        members: &[Ipv4Addr],
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let nodes = self.access.nodes(&minted.pki)?;
        for member in members {
            let doing = Error::cluster(format!("look at {member}"));
            if nodes.occupant(*member, cancel).await.map_err(doing)? == Some(Occupant::Foreign) {
                return Err(Error::refused(
                    Problem::error(Path::root(), "another key than this cluster was made with")
                        .seen(format!(
                            "{member} is a control plane of {id}, and its certificate is not of the key with fingerprint {}",
                            minted.fingerprint
                        ))
                        .allowed("the key that the cluster was made with")
                        .next("Set MANAGEDK8S_KEY or MANAGEDK8S_CLUSTER_KEY to that key, then import again."),
                ));
            }
        }
        Ok(())
    }

    /// What identifies a cluster, derived anew from the key and the birth.
    ///
    /// # Errors
    /// A key of another birth.
    pub fn record_of(&self, id: &ClusterId) -> Result<ClusterRecord, Error> {
        let minted = self
            .key
            .mint(&self.tenant, &id.identifier, id.birth, None)?;
        Ok(ClusterRecord {
            id: id.clone(),
            cas: minted.pki.ca_certificates().into(),
            key_fingerprint: minted.fingerprint,
        })
    }

    /// Looks for a pool by its name. `cluster` is absent when its cluster does not answer.
    ///
    /// # Errors
    /// Listings that fail.
    pub async fn look_for_pool(
        &self,
        id: &ClusterId,
        cluster: Option<&ClusterHandle>,
        name: &PoolName,
        cancel: &CancellationToken,
    ) -> Result<Option<PoolImport>, Error> {
        if let Some(cluster) = cluster {
            match self.find_pool(cluster, name, cancel).await {
                Ok(Some(recorded)) => return Ok(Some(PoolImport::Recorded(Box::new(recorded)))),
                Ok(None)
                | Err(Error::Cluster {
                    source: Fault::Unreachable(_),
                    ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        let ours = self.machines_of_birth(id, cancel).await?;
        let workers: Vec<&FoundVm> = ours
            .iter()
            .filter(|found| found.owner().and_then(|tag| tag.pool.as_ref()) == Some(name))
            .collect();
        Ok(workers.first().map(|first| {
            PoolImport::Shown(ShownPool {
                indexes: workers.iter().map(|found| found.node.index).collect(),
                vcpu: first.vm.cpu,
                // The platform rounds by some MB.
                memory_gib: (first.vm.memory + (1 << 29)) >> 30,
            })
        }))
    }

    async fn machines_of_birth(
        &self,
        id: &ClusterId,
        cancel: &CancellationToken,
    ) -> Result<Vec<FoundVm>, Error> {
        let inventory = self
            .machines
            .inventory(&id.identifier, &[], Freshness::Now, cancel)
            .await?;
        let ours = |found: &FoundVm| found.owner().is_some_and(|tag| tag.birth == id.birth);
        Ok(inventory.vms.into_iter().filter(ours).collect())
    }
}

impl FoundVm {
    /// The IPv4 addresses that its guest reports, under `DEVICE/ipv4/N`.
    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        reported(&self.vm).collect()
    }
}

/// The IPv4 addresses that the guest of a machine reports.
pub(crate) fn reported(vm: &VirtualMachine) -> impl Iterator<Item = Ipv4Addr> + '_ {
    vm.addresses
        .iter()
        .filter(|(device, _)| device.contains("ipv4"))
        .filter_map(|(_, address)| address.parse().ok())
}

fn no_machine(id: &ClusterId) -> Error {
    Error::refused(
        Problem::error(Path::of("id"), "no machine of this cluster")
            .seen(id)
            .allowed("the identifier and birth of a cluster in this tenant")
            .next("Check the id; it is in the message that refused the create."),
    )
}

fn shown_cluster(id: &ClusterId, ours: &[FoundVm], reason: String) -> ShownCluster {
    let production = ours.iter().any(|found| match found.node.role {
        Role::ControlPlane => found.node.index > 1,
        Role::Storage => true,
        Role::Worker | Role::GitRunner => false,
    });
    let topology = if production {
        Topology::Production
    } else {
        Topology::DevTest
    };
    ShownCluster {
        id: id.clone(),
        topology,
        zones: production.then(|| zones(ours)).flatten(),
        node_network: ours.iter().find_map(node_network),
        machines: ours.len(),
        reason,
    }
}

/// Control plane n lies in zone n.
fn zones(ours: &[FoundVm]) -> Option<Zones> {
    let zone = |index| {
        let node = NodeKey::control_plane(index);
        let found = ours.iter().find(|found| found.node == node)?;
        Zone::parse(&found.vm.machine_manager.name).ok()
    };
    Zones::new((1..=3).map(zone).collect::<Option<Vec<_>>>()?).ok()
}

/// The /22 in which a control plane would have the address that it reports.
fn node_network(found: &FoundVm) -> Option<NodeNetwork> {
    if found.node.role != Role::ControlPlane {
        return None;
    }
    let host = u32::from(20 + found.node.index);
    found.addresses().into_iter().find_map(|address| {
        let base = u32::from(address).checked_sub(host)?;
        NodeNetwork::parse(&format!("{}/22", Ipv4Addr::from(base))).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::machines::TagSeen;

    fn machine(node: NodeKey, zone: &str, address: Option<&str>) -> FoundVm {
        let mut vm = VirtualMachine {
            cpu: 12,
            memory: (24 << 30) - (2 << 20),
            ..VirtualMachine::default()
        };
        vm.machine_manager.name = zone.to_owned();
        if let Some(address) = address {
            let reported = ("0/ipv4/0".to_owned(), address.to_owned());
            vm.addresses = [reported].into();
        }
        FoundVm {
            id: vm.id.clone(),
            name: node.to_string(),
            node,
            zone: vm.machine_manager.id.clone(),
            vm,
            tag: TagSeen::None,
        }
    }

    fn id() -> ClusterId {
        ClusterId::parse(&format!("alpha/{}", "00".repeat(16))).expect("an id")
    }

    #[test]
    fn machines_show_topology_zones_and_network() {
        let planes = ["AZ05", "AZ06", "AZ07"];
        let all: Vec<FoundVm> = planes
            .iter()
            .zip(1..)
            .map(|(zone, index)| {
                let address = (index == 2).then_some("10.20.0.22");
                machine(NodeKey::control_plane(index), zone, address)
            })
            .collect();
        let shown = shown_cluster(&id(), &all, String::new());
        assert_eq!(shown.topology, Topology::Production);
        let zones = shown.zones.expect("all three");
        assert_eq!(zones.of(3).as_str(), "AZ07");
        let network = shown.node_network.expect("one reports its address");
        assert_eq!(network.net().to_string(), "10.20.0.0/22");
        // A missing control plane leaves the order of zones open, not the topology.
        let shown = shown_cluster(&id(), &all[1..], String::new());
        assert_eq!((shown.topology, shown.zones), (Topology::Production, None));
    }

    #[test]
    fn a_lone_control_plane_is_devtest_and_an_odd_address_shows_no_network() {
        let first = machine(NodeKey::control_plane(1), "AZ05", Some("192.168.7.9"));
        let worker = machine(NodeKey::worker(2), "AZ05", Some("10.24.0.52"));
        let shown = shown_cluster(&id(), &[first, worker], String::new());
        assert_eq!(shown.topology, Topology::DevTest);
        assert_eq!((shown.zones, shown.node_network), (None, None));
    }
}
