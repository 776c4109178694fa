//! What there is in a tenant, found by names and tags alone: clusters, their pools, the releases inside. For listings;
//! nothing here needs a state, and only the releases need a cluster that answers.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt as _;
use openiaas::{Freshness, VmId};
use product::{ClusterId, Identifier, IndexSet, NodeKey, PoolName, Role, VmTag};
use transport::CancellationToken;

use super::{ClusterHandle, Engine, side_by_side};
use crate::Error;
use crate::ports::InstalledRelease;

/// Machines whose names are those of one cluster's control planes; whose they are, only their tags tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The identifier in their names.
    pub identifier: Identifier,
    machines: Vec<VmId>,
}

/// The candidates of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// In the order of their identifiers.
    pub items: Vec<Candidate>,
    /// Whether every zone's listing was complete: what is not here may exist otherwise.
    pub complete: bool,
}

/// A cluster that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCluster {
    /// Identifier and birth.
    pub id: ClusterId,
    /// Whether its create ended: what was not completed cannot be imported, the next create goes on with it.
    pub completed: bool,
}

/// A pool that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPool {
    /// Its name.
    pub name: PoolName,
    /// The numbers of its workers.
    pub workers: IndexSet,
}

impl Engine {
    /// Who may be a cluster, by the names of machines: one list a zone. `only` leaves out other identifiers.
    ///
    /// # Errors
    /// What the cloud's API answers.
    pub async fn candidates(
        &self,
        only: Option<&Identifier>,
        cancel: &CancellationToken,
    ) -> Result<Candidates, Error> {
        let cloud = &self.machines.cloud;
        let zones = cloud
            .zones(cancel)
            .await
            .map_err(Error::cloud("list the zones"))?;
        let mut complete = true;
        let mut found: BTreeMap<Identifier, Vec<(NodeKey, VmId)>> = BTreeMap::new();
        for zone in zones {
            let listing = cloud
                .vms(&zone.id, Freshness::Now, cancel)
                .await
                .map_err(Error::cloud("list the machines of a zone"))?;
            complete &= listing.strict;
            for vm in &listing.items {
                let Some((identifier, node)) = control_plane(&vm.name) else {
                    continue;
                };
                if only.is_none_or(|only| *only == identifier) {
                    let machines = found.entry(identifier).or_default();
                    machines.push((node, vm.id.clone()));
                }
            }
        }
        let items = found.into_iter().map(|(identifier, mut machines)| {
            machines.sort_by_key(|(node, _)| *node);
            let machines = machines.into_iter().map(|(_, id)| id).collect();
            Candidate {
                identifier,
                machines,
            }
        });
        Ok(Candidates {
            items: items.collect(),
            complete,
        })
    }

    /// The clusters behind a candidate: none when its machines are somebody else's, two when their births disagree.
    ///
    /// # Errors
    /// What the cloud's API answers.
    pub async fn identify(
        &self,
        candidate: &Candidate,
        cancel: &CancellationToken,
    ) -> Result<Vec<FoundCluster>, Error> {
        let work = candidate
            .machines
            .iter()
            .map(|id| {
                async move {
                    let doing = Error::cloud(format!("read the tags of machine {id}"));
                    self.machines.cloud.tags(id, cancel).await.map_err(doing)
                }
                .boxed()
            })
            .collect();
        let mut births: BTreeMap<_, bool> = BTreeMap::new();
        for tags in side_by_side(8, work).await {
            let tags: BTreeMap<String, String> = tags?;
            let Some(Ok(tag)) = tags.get(VmTag::KEY).map(|value| VmTag::parse(value)) else {
                continue;
            };
            if tag.identifier == candidate.identifier {
                *births.entry(tag.birth).or_default() |= tags.contains_key(VmTag::COMPLETION_KEY);
            }
        }
        let of = |(birth, completed)| FoundCluster {
            id: ClusterId {
                identifier: candidate.identifier.clone(),
                birth,
            },
            completed,
        };
        Ok(births.into_iter().map(of).collect())
    }

    /// The pools of a cluster that have a worker, by the tags of its machines.
    ///
    /// # Errors
    /// What the cloud's API answers.
    pub async fn pools_of(
        &self,
        id: &ClusterId,
        cancel: &CancellationToken,
    ) -> Result<Vec<FoundPool>, Error> {
        let inventory = self
            .machines
            .inventory(&id.identifier, &[], self.machines.shared(), cancel)
            .await?;
        let mut pools: BTreeMap<PoolName, IndexSet> = BTreeMap::new();
        for found in &inventory.vms {
            let owner = found.owner().filter(|tag| tag.birth == id.birth);
            if let Some(name) = owner.and_then(|tag| tag.pool.clone()) {
                pools.entry(name).or_default().insert(found.node.index);
            }
        }
        let of = |(name, workers)| FoundPool { name, workers };
        Ok(pools.into_iter().map(of).collect())
    }

    /// The releases inside a cluster that `owner` manages.
    ///
    /// # Errors
    /// Another key, or a cluster that does not answer.
    pub async fn releases_of(
        &self,
        cluster: &ClusterHandle,
        owner: &str,
        cancel: &CancellationToken,
    ) -> Result<Vec<InstalledRelease>, Error> {
        let inside = self.inside(cluster)?;
        let all = inside
            .kubernetes
            .releases(cancel)
            .await
            .map_err(Error::cluster("list the releases of the cluster"))?;
        let ours: BTreeSet<_> = all
            .into_iter()
            .filter(|release| release.owner == owner)
            .collect();
        Ok(ours.into_iter().collect())
    }
}

/// The identifier and number in the name of a control plane, `alpha-cp-01`; `None` for any other name.
fn control_plane(name: &str) -> Option<(Identifier, NodeKey)> {
    let (rest, _) = name.rsplit_once('-')?;
    let (identifier, _) = rest.rsplit_once('-')?;
    let identifier = Identifier::parse_free(identifier).ok()?;
    let node = NodeKey::from_name(&identifier, name)?;
    (node.role == Role::ControlPlane).then_some((identifier, node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_control_planes_make_a_candidate() {
        let found = |name| {
            control_plane(name).map(|(identifier, node)| (identifier.to_string(), node.index))
        };
        assert_eq!(found("alpha-cp-01"), Some(("alpha".to_owned(), 1)));
        assert_eq!(found("dev-7-cp-03"), Some(("dev-7".to_owned(), 3)));
        for other in [
            "alpha-wrk-01",
            "alpha-ceph-01",
            "alpha-gitrunner",
            "alpha-cp-1",
            "cp-01",
            "-cp-01",
            "web",
            "",
        ] {
            assert_eq!(found(other), None, "{other:?}");
        }
    }
}
