//! Destroying a cluster.

use futures::FutureExt as _;
use openiaas::Freshness;
use product::{ClusterId, NodeKey, Path, Problem};
use transport::CancellationToken;

use crate::Error;
use crate::plan::{Object, Step, StepKind};
use crate::run::machines::{FoundVm, TagSeen};
use crate::run::record::ClusterRecord;
use crate::run::{Engine, EventState, going, side_by_side};

impl Engine {
    /// How many machines of a birth there are: what the plan of a destroy says.
    pub async fn machines_of(
        &self,
        id: &ClusterId,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, Error> {
        let inventory = self
            .machines
            .inventory(&id.identifier, &[], self.machines.shared(), cancel)
            .await?;
        Ok(of_birth(&inventory.vms, id)
            .into_iter()
            .map(|found| found.name.clone())
            .collect())
    }

    /// Removes every machine of a cluster's birth, whatever its role and wherever it is, and verifies that
    /// none is left. Nothing inside the cluster is asked: it works with every node off.
    pub async fn delete_cluster(
        &self,
        record: &ClusterRecord,
        cancel: &CancellationToken,
    ) -> Result<usize, Error> {
        let id = &record.id;
        let inventory = self
            .machines
            .inventory(&id.identifier, &[], Freshness::Now, cancel)
            .await?;
        let ours: Vec<FoundVm> = of_birth(&inventory.vms, id).into_iter().cloned().collect();
        let count = ours.len();
        // The first control plane carries the claim: as long as it is there the rest is found again.
        let first = NodeKey::control_plane(1);
        let (last, others): (Vec<FoundVm>, Vec<FoundVm>) =
            ours.into_iter().partition(|found| found.node == first);
        let mut work = Vec::with_capacity(others.len());
        for found in &others {
            work.push(self.remove_told(found, id, cancel).boxed());
        }
        let results = side_by_side(self.settings.parallelism, work).await;
        results.into_iter().collect::<Result<(), Error>>()?;
        for found in &last {
            self.remove_told(found, id, cancel).await?;
        }
        self.sweep_leftovers(&inventory.vms, id, cancel).await?;
        going(cancel)?;
        let inventory = self
            .machines
            .inventory(&id.identifier, &[], Freshness::Now, cancel)
            .await?;
        let left = of_birth(&inventory.vms, id);
        if left.is_empty() && inventory.complete {
            return Ok(count);
        }
        let names: Vec<&str> = left.iter().map(|found| found.name.as_str()).collect();
        Err(Error::refused(
            Problem::error(
                Path::root(),
                "whether the cluster is gone could not be proved",
            )
            .seen(if names.is_empty() {
                "an incomplete listing of a zone".to_owned()
            } else {
                names.join(", ")
            })
            .allowed("complete listings without a machine of this birth")
            .next("Destroy again."),
        ))
    }

    /// Machines of our names and MAC addresses that a dead run left without a tag: removed if they stand
    /// still, left alone with a warning otherwise.
    async fn sweep_leftovers(
        &self,
        vms: &[FoundVm],
        id: &ClusterId,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        for found in vms.iter().filter(|found| found.tag == TagSeen::None) {
            let mac = self.machines.mac(&id.identifier, found.node);
            let removed = match self
                .machines
                .look_up(&found.zone, &found.name, &mac, cancel)
                .await
            {
                Ok(Some(vm)) => {
                    self.machines
                        .remove_leftover(&found.zone, &vm, cancel)
                        .await
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            match removed {
                Ok(()) => {}
                Err(Error::Refused(problem)) => {
                    tracing::warn!(name = found.name, "an untagged machine stays: {problem}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn remove_told(
        &self,
        found: &FoundVm,
        id: &ClusterId,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let step = Step::calm(
            StepKind::RemoveWorker,
            Object::Machine(found.node),
            "the cluster is destroyed",
        );
        let subject = id.identifier.as_str();
        self.tell(subject, &step, EventState::Started);
        let result = self.machines.remove(found, cancel).await;
        self.tell(
            subject,
            &step,
            match &result {
                Ok(()) => EventState::Finished,
                Err(error) => EventState::Failed(error.to_string()),
            },
        );
        result
    }
}

fn of_birth<'a>(vms: &'a [FoundVm], id: &ClusterId) -> Vec<&'a FoundVm> {
    vms.iter()
        .filter(|found| found.owner().is_some_and(|tag| tag.birth == id.birth))
        .collect()
}
