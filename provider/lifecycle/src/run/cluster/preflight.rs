//! What must be true before the first machine of a cluster is made: later it would leave half a cluster behind.

use std::collections::BTreeSet;

use futures::FutureExt as _;
use product::{NodeKey, Path, Problem};

use super::Run;
use crate::Error;
use crate::run::side_by_side;

/// Addresses that are looked at together: those that nobody has answer late.
const TOGETHER: usize = 16;

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
        let nodes: Vec<NodeKey> = machines.iter().map(|spec| spec.node).collect();
        self.free_addresses(&nodes).await
    }

    async fn free_addresses(&self, nodes: &[NodeKey]) -> Result<(), Error> {
        let mut work = Vec::with_capacity(nodes.len());
        for node in nodes.iter().copied() {
            let address = self.handle.network.address(node);
            let look = async move { (node, self.nodes.occupant(address, self.cancel).await) };
            work.push(look.boxed());
        }
        let mut taken = Vec::new();
        for (node, occupant) in side_by_side(TOGETHER, work).await {
            let doing = format!("look whether the address of {node} is free");
            if let Some(who) = occupant.map_err(Error::cluster(doing))? {
                let address = self.handle.network.address(node);
                taken.push(format!("{address}, planned for {node}, is held by {who}"));
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        taken.sort();
        Err(Error::refused(
            Problem::error(
                Path::of("network.node_cidr"),
                "addresses of the cluster are in use",
            )
            .seen(taken.join("; "))
            .allowed("a range in which nobody has the addresses of the plan")
            .next("Choose another range, or remove the machines that have these addresses."),
        ))
    }
}
