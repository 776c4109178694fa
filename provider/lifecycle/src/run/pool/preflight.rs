//! What must be true before the first machine of a pool is made.

use product::{IndexSet, NodeKey, Path};

use super::Run;
use crate::Error;
use crate::pool::ObservedPool;
use crate::run::occupied::Wanted;
use crate::seen::{MachineSeen, Seen};

impl Run<'_> {
    /// Nobody has the addresses of the workers that do not exist yet.
    pub(super) async fn free_addresses(
        &self,
        target: &IndexSet,
        observed: &ObservedPool,
    ) -> Result<(), Error> {
        let plan = &self.cluster.network;
        let absent = |index: &u16| {
            let seen = observed.machines.get(index);
            matches!(seen, None | Some(Seen::Known(MachineSeen::Absent)))
        };
        let wanted = Wanted {
            addresses: target
                .iter()
                .filter(absent)
                .map(NodeKey::worker)
                .map(|node| (plan.address(node), node.to_string()))
                .collect(),
            plan,
            network: &self.desired.infrastructure.network,
            place: Path::root(),
        };
        if wanted.addresses.is_empty() {
            return Ok(());
        }
        self.engine
            .free_addresses(&wanted, self.inside.nodes.as_ref(), self.cancel)
            .await
    }
}
