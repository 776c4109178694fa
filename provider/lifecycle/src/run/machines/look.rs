//! What is there: one list a zone, one read for each tag not seen before.

use futures::FutureExt as _;
use openiaas::{MachineManagerId, VirtualMachine, VmId, VmLookup};
use product::{Identifier, NodeKey, Path, Problem, Zone};
use transport::CancellationToken;

use super::{FoundVm, Inventory, Look, Machines};
use crate::Error;
use crate::run::side_by_side;

/// Reads side by side.
const TOGETHER: usize = 8;

impl Machines {
    /// Every machine of an identifier in these zones (all of the tenant when empty): one list a zone, and
    /// one read for each tag not seen before.
    pub(crate) async fn inventory(
        &self,
        identifier: &Identifier,
        zones: &[Zone],
        look: impl Into<Look>,
        cancel: &CancellationToken,
    ) -> Result<Inventory, Error> {
        let look = look.into();
        let zones = self.zone_ids(zones, cancel).await?;
        let mut lists = Vec::with_capacity(zones.len());
        for zone in zones {
            lists.push(self.named(zone, identifier, look, cancel).boxed());
        }
        let mut complete = true;
        let mut work = Vec::new();
        for listed in side_by_side(TOGETHER, lists).await {
            let (zone, named, strict) = listed?;
            complete &= strict;
            for (node, vm) in named {
                work.push(self.tagged(zone.clone(), node, vm, cancel).boxed());
            }
        }
        let found = side_by_side(TOGETHER, work).await;
        let mut vms = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        vms.sort_by(|left, right| {
            (left.node, left.id.as_str()).cmp(&(right.node, right.id.as_str()))
        });
        if let Some(pair) = vms.windows(2).find(|pair| pair[0].node == pair[1].node) {
            return Err(Error::refused(
                Problem::error(Path::of("identifier"), "two machines have the same name")
                    .seen(format!(
                        "{}: {} and {}",
                        pair[0].name, pair[0].id, pair[1].id
                    ))
                    .allowed("one machine of each name in the tenant")
                    .next("Remove the one that is not this cluster's, then apply again."),
            ));
        }
        Ok(Inventory { vms, complete })
    }

    async fn zone_ids(
        &self,
        zones: &[Zone],
        cancel: &CancellationToken,
    ) -> Result<Vec<MachineManagerId>, Error> {
        if zones.is_empty() {
            let all = self
                .cloud
                .zones(cancel)
                .await
                .map_err(Error::cloud("list the zones"))?;
            return Ok(all.into_iter().map(|zone| zone.id).collect());
        }
        let mut ids = Vec::with_capacity(zones.len());
        for zone in zones {
            let doing = Error::cloud(format!("find the zone {zone}"));
            ids.push(
                self.cloud
                    .zone(zone.as_str(), cancel)
                    .await
                    .map_err(doing)?,
            );
        }
        Ok(ids)
    }

    /// The machines of a zone whose names are of this identifier, and whether the listing was complete.
    async fn named(
        &self,
        zone: MachineManagerId,
        identifier: &Identifier,
        look: Look,
        cancel: &CancellationToken,
    ) -> Result<(MachineManagerId, Vec<(NodeKey, VirtualMachine)>, bool), Error> {
        let doing = Error::cloud("list the machines of a zone");
        let fresh = self.freshness_of(look, &zone);
        let listing = self.cloud.vms(&zone, fresh, cancel).await.map_err(doing)?;
        let named = listing
            .items
            .iter()
            .filter_map(|vm| Some((NodeKey::from_name(identifier, &vm.name)?, vm.clone())))
            .collect();
        Ok((zone, named, listing.strict))
    }

    async fn tagged(
        &self,
        zone: MachineManagerId,
        node: NodeKey,
        vm: VirtualMachine,
        cancel: &CancellationToken,
    ) -> Result<FoundVm, Error> {
        let tag = self.tag(&vm.id, cancel).await?;
        Ok(FoundVm {
            id: vm.id.clone(),
            name: vm.name.clone(),
            node,
            zone,
            vm,
            tag,
        })
    }

    /// The VM of a name and MAC address, if there is one; foreign ones are an error.
    pub(crate) async fn look_up(
        &self,
        zone: &MachineManagerId,
        name: &str,
        mac: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<VirtualMachine>, Error> {
        let doing = Error::cloud(format!("look for the machine {name}"));
        match self
            .cloud
            .look_up(zone, name, mac, cancel)
            .await
            .map_err(doing)?
        {
            VmLookup::Absent => Ok(None),
            VmLookup::Ours(vm) => Ok(Some(*vm)),
            VmLookup::Bare(vm) | VmLookup::Foreign(vm) => Err(Error::refused(
                Problem::error(
                    Path::of("identifier"),
                    "a machine of this name belongs to somebody else",
                )
                .seen(format!(
                    "{name} is machine {}, without the MAC address {mac}",
                    vm.id
                ))
                .allowed("names that nobody else uses in the tenant")
                .next("Choose another identifier, or remove that machine."),
            )),
            VmLookup::Several(ids) => Err(Error::refused(
                Problem::error(
                    Path::of("identifier"),
                    "several machines have the same name",
                )
                .seen(format!(
                    "{name}: {}",
                    ids.iter().map(VmId::as_str).collect::<Vec<_>>().join(", ")
                ))
                .allowed("one machine of each name in the tenant")
                .next("Remove those that are not this cluster's, then apply again."),
            )),
        }
    }
}
