//! What a create without state meets under its identifier.

use std::collections::BTreeSet;

use openiaas::Freshness;
use product::{Birth, ClusterId, Path, Problem};
use transport::CancellationToken;

use super::Found;
use super::refusals::import_advice;
use crate::Error;
use crate::cluster::DesiredCluster;
use crate::run::Engine;
use crate::run::machines::{FoundVm, Look};

impl Engine {
    /// Looks for what a create without state would meet.
    ///
    /// # Errors
    /// A complete cluster of the identifier is refused with the `import` block to paste; births that
    /// disagree and machines without their first control plane are named.
    pub async fn discover(
        &self,
        desired: &DesiredCluster,
        cancel: &CancellationToken,
    ) -> Result<Found, Error> {
        self.discovered(desired, Freshness::Now.into(), cancel)
            .await
    }

    pub(super) async fn discovered(
        &self,
        desired: &DesiredCluster,
        look: Look,
        cancel: &CancellationToken,
    ) -> Result<Found, Error> {
        let identifier = &desired.identifier;
        let inventory = self
            .machines
            .inventory(identifier, &[], look, cancel)
            .await?;
        let births: BTreeSet<Birth> = inventory
            .vms
            .iter()
            .filter_map(FoundVm::owner)
            .filter(|tag| tag.identifier == *identifier)
            .map(|tag| tag.birth)
            .collect();
        let mut births = births.into_iter();
        let (Some(birth), other) = (births.next(), births.next()) else {
            return Ok(Found::Nothing);
        };
        if let Some(other) = other {
            return Err(Error::refused(
                Problem::error(Path::of("identifier"), "machines of two clusters have this identifier")
                    .seen(format!("births {birth} and {other}"))
                    .allowed("machines of one birth")
                    .next("Destroy one of the two from the state that owns it, or choose another identifier."),
            ));
        }
        let first = inventory
            .of(desired.first())
            .filter(|first| first.owner().is_some());
        let Some(first) = first else {
            let names: Vec<&str> = inventory
                .vms
                .iter()
                .map(|found| found.name.as_str())
                .collect();
            return Err(Error::refused(
                Problem::error(
                    Path::of("identifier"),
                    "machines of a cluster are there without its first control plane",
                )
                .seen(format!("birth {birth}: {}", names.join(", ")))
                .allowed("no machine of this identifier, or an unfinished create")
                .next(import_advice(&ClusterId {
                    identifier: identifier.clone(),
                    birth,
                })),
            ));
        };
        if self.machines.is_complete(&first.id, cancel).await? {
            return Err(Error::refused(
                Problem::error(
                    Path::of("identifier"),
                    "a complete cluster of this identifier exists",
                )
                .seen(format!("{} with birth {birth}", first.name))
                .allowed("an identifier that no cluster of the tenant has")
                .next(import_advice(&ClusterId {
                    identifier: identifier.clone(),
                    birth,
                })),
            ));
        }
        Ok(Found::Unfinished(birth))
    }
}
