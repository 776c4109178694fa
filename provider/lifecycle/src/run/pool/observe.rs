//! What is there of a pool: its machines, its nodes, its record.

use product::{IndexSet, NodeKey, Role};

use super::Run;
use crate::Error;
use crate::pool::ObservedPool;
use crate::run::cluster::seen;
use crate::run::machines::{FoundVm, Inventory};
use crate::seen::{MachineSeen, Seen, absent_or_unknown};

impl Run<'_> {
    pub(super) async fn observe(
        &self,
        wanted: &IndexSet,
        drives: bool,
    ) -> Result<(ObservedPool, Inventory), Error> {
        let id = &self.cluster.id;
        let zones = self.cluster.zones.as_slice();
        let inventory = self
            .engine
            .machines
            .inventory(&id.identifier, zones, self.look, self.cancel)
            .await?;
        let mut observed = ObservedPool {
            taken: self
                .engine
                .reserved_by_others(id.identifier.as_str(), self.desired.name.as_str()),
            inputs_recorded: Seen::Known(true),
            ..ObservedPool::nothing()
        };
        for found in inventory
            .vms
            .iter()
            .filter(|found| found.node.role == Role::Worker)
        {
            let index = found.node.index;
            match found.owner() {
                Some(tag) if *tag == self.tag() => {
                    let seen = self.machine(found, drives).await?;
                    observed.machines.insert(index, Seen::Known(seen));
                }
                Some(_) => {
                    observed.taken.insert(index);
                }
                // Nobody's yet: if it is ours by number it is looked at when it is made.
                None if wanted.contains(index) => {
                    observed
                        .machines
                        .insert(index, Seen::Known(MachineSeen::Unclaimed));
                }
                None => {}
            }
        }
        for index in wanted
            .iter()
            .filter(|index| !observed.taken.contains(*index))
        {
            observed
                .machines
                .entry(index)
                .or_insert_with(|| absent_or_unknown(inventory.complete));
        }
        observed.nodes = match seen(self.inside.kubernetes.nodes(self.cancel).await)? {
            Seen::Unknown(reason) => Seen::Unknown(reason),
            Seen::Known(nodes) => Seen::Known(
                nodes
                    .into_iter()
                    .filter_map(|(name, node)| {
                        Some((NodeKey::from_name(&id.identifier, &name)?, node))
                    })
                    .filter(|(key, node)| {
                        key.role == Role::Worker && self.is_ours(key.index, node, &observed)
                    })
                    .map(|(key, node)| (key.index, node))
                    .collect(),
            ),
        };
        Ok((observed, inventory))
    }

    /// A node of this pool: of one of its machines, or labelled with its name and without a machine.
    fn is_ours(&self, index: u16, node: &crate::NodeSeen, observed: &ObservedPool) -> bool {
        observed.machines.contains_key(&index)
            || (!observed.taken.contains(index)
                && node
                    .labels
                    .get(product::POOL_LABEL)
                    .is_some_and(|pool| pool == self.desired.name.as_str()))
    }

    async fn machine(&self, found: &FoundVm, drives: bool) -> Result<MachineSeen, Error> {
        let spec = self.desired.machine(found.node.index);
        let condition = self
            .engine
            .machines
            .condition(found, &spec, self.cancel)
            .await?;
        Ok(if !found.is_halted() {
            let parts = [condition.lacks, condition.differs];
            let differs: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            let config_drive =
                drives && condition.config_drive && !self.kept_drives.contains(found.node);
            MachineSeen::Running {
                differs: differs.join("; "),
                config_drive,
            }
        } else if !condition.lacks.is_empty() {
            MachineSeen::Unfinished {
                lacks: condition.lacks,
            }
        } else {
            MachineSeen::Halted
        })
    }

    pub(super) async fn with_inputs(
        &self,
        mut observed: ObservedPool,
        target: &IndexSet,
    ) -> Result<ObservedPool, Error> {
        let recorded = seen(
            self.inside
                .kubernetes
                .inputs(&self.inputs_name(), self.cancel)
                .await,
        )?;
        observed.inputs_recorded = match recorded {
            Seen::Unknown(reason) => Seen::Unknown(reason),
            Seen::Known(recorded) => Seen::Known(recorded.as_ref() == Some(&self.inputs(target))),
        };
        Ok(observed)
    }
}
