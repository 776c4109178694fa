//! The definitions in a chart's `crds/` folders, which Helm never deletes: found and removed where that is declared.

use std::time::Duration;

use ::helm::{Cluster as _, DeleteOptions, Deleted, ObjectRef, ReleaseId};
use transport::{CancellationToken, pause};

use super::kubernetes::{KubernetesDoor, call, helm_fault};
use crate::addon::DesiredAddon;
use crate::error::Fault;

/// How long a definition may take to go once it is deleted.
const DEFINITION_GONE: Duration = Duration::from_mins(1);

impl KubernetesDoor {
    /// The CRDs of the chart's `crds/` folders. The record knows those of the chart itself alone, so it is asked only
    /// where the chart cannot be had.
    pub(super) async fn definitions(
        &self,
        addon: &DesiredAddon,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<Vec<ObjectRef>, Fault> {
        let chart = self
            .charts
            .fetch(&addon.source, &addon.chart_digest, cancel)
            .await;
        let crds = match chart {
            Ok(chart) => chart.crds(),
            Err(Fault::Cancelled) => return Err(Fault::Cancelled),
            Err(fault) => {
                tracing::warn!(release = %id, "the chart cannot be had: {fault}");
                let newest = self.releases.newest(id, cancel).await;
                let newest = newest.map_err(helm_fault(format!("read the release {id}")))?;
                newest
                    .map(|release| release.chart.crds())
                    .unwrap_or_default()
            }
        };
        let mut found = Vec::new();
        for crd in crds {
            let documents = ::helm::yaml::decode(&crd.content)
                .map_err(Fault::failed(format!("read {}", crd.path)))?;
            found.extend(documents.iter().filter_map(ObjectRef::of));
        }
        Ok(found)
    }

    pub(super) async fn delete_definitions(
        &self,
        definitions: &[ObjectRef],
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        for definition in definitions {
            let doing = || format!("delete {definition}");
            let deleted = self
                .client
                .delete(definition, &DeleteOptions::default(), cancel)
                .await
                .map_err(call(doing()))?;
            if deleted == Deleted::Absent {
                continue;
            }
            let mut waited = Duration::ZERO;
            let nap = Duration::from_millis(250);
            while self
                .client
                .get(definition, cancel)
                .await
                .map_err(call(doing()))?
                .is_some()
            {
                if waited >= DEFINITION_GONE {
                    return Err(Fault::Unreachable(format!(
                        "{definition} is still there: objects of its kind have finalizers that nothing runs"
                    )));
                }
                pause(self.clock.as_ref(), nap, cancel)
                    .await
                    .map_err(|_| Fault::Cancelled)?;
                waited += nap;
            }
        }
        if !definitions.is_empty() {
            self.client.forget_discovery().await;
        }
        Ok(())
    }
}
