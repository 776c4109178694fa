//! What must be true before the first machine of a cluster is made: later it would leave half a cluster behind.

use std::collections::BTreeSet;

use product::{ApiStrategy, Path};

use super::Run;
use crate::Error;
use crate::run::occupied::Wanted;

impl Run<'_> {
    /// Every zone has what the machines need, and nobody has their addresses.
    pub(super) async fn preflight(&self) -> Result<(), Error> {
        let machines = self.desired.machines();
        let mut seen = BTreeSet::new();
        for spec in &machines {
            if seen.insert(spec.zone.to_string()) {
                let names = &self.desired.infrastructure;
                let machines = &self.engine.machines;
                machines.resources(&spec.zone, names, self.cancel).await?;
            }
        }
        let plan = &self.desired.network;
        let planned = machines
            .iter()
            .map(|spec| (plan.address(spec.node), spec.node.to_string()));
        let shared = (self.desired.api_strategy == ApiStrategy::Vip)
            .then(|| (plan.vip(), "the Kubernetes API".to_owned()));
        let wanted = Wanted {
            addresses: planned.chain(shared).collect(),
            plan,
            network: &self.desired.infrastructure.network,
            place: Path::of("network.node_cidr"),
        };
        self.engine
            .free_addresses(&wanted, self.nodes.as_ref(), self.cancel)
            .await
    }
}
