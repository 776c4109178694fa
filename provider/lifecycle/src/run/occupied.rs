//! Whether somebody has an address before a machine gets it: afterwards the two would fight for it.
//!
//! Two witnesses are asked. The cloud's lists name every machine whose guest reports the address; knocking at the address
//! finds whoever is not in these lists.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use futures::FutureExt as _;
use openiaas::VirtualMachine;
use product::{NetworkPlan, Path, Problem};
use transport::CancellationToken;

use super::shown::reported;
use super::{Engine, side_by_side};
use crate::Error;
use crate::ports::{Nodes, Occupant};

/// Addresses that are looked at together: those that nobody has answer late.
const TOGETHER: usize = 16;

/// What the addresses are for.
pub(crate) struct Wanted<'a> {
    /// The address and what is planned for it.
    pub addresses: BTreeMap<Ipv4Addr, String>,
    /// The plan they come from.
    pub plan: &'a NetworkPlan,
    /// The network that the machines are in, by name: elsewhere the same address is somebody else's business.
    pub network: &'a str,
    /// The attribute to blame.
    pub place: Path,
}

impl Engine {
    /// Refuses to go on when somebody has one of these addresses.
    pub(crate) async fn free_addresses(
        &self,
        wanted: &Wanted<'_>,
        nodes: &dyn Nodes,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let mut holders = self.listed(wanted, cancel).await?;
        for (address, occupant) in knocked(wanted, nodes, cancel).await? {
            holders
                .entry(address)
                .or_insert_with(|| occupant.to_string());
        }
        if holders.is_empty() {
            return Ok(());
        }
        let seen: Vec<String> = holders
            .into_iter()
            .map(|(address, holder)| {
                let planned = &wanted.addresses[&address];
                format!("{address}, planned for {planned}, is held by {holder}")
            })
            .collect();
        Err(Error::refused(
            Problem::error(wanted.place.clone(), "addresses of the cluster are in use")
                .seen(seen.join("; "))
                .allowed("addresses of the plan that nobody has")
                .next("Remove the machines that have these addresses, or choose another range for a new cluster."),
        ))
    }

    /// Machines of the cloud whose guests report one of the addresses, in the same network.
    async fn listed(
        &self,
        wanted: &Wanted<'_>,
        cancel: &CancellationToken,
    ) -> Result<BTreeMap<Ipv4Addr, String>, Error> {
        let doing = || Error::cloud("look for the addresses of the plan among the machines");
        let machines = &self.machines;
        let mut holders = BTreeMap::new();
        for zone in machines.cloud.zones(cancel).await.map_err(doing())? {
            let shared = machines.shared();
            let listing = machines.cloud.vms(&zone.id, shared, cancel).await;
            for vm in &listing.map_err(doing())?.items {
                let Some(address) = reported(vm).find(|one| wanted.addresses.contains_key(one))
                else {
                    continue;
                };
                if self.is_in(vm, wanted.network, cancel).await? {
                    let holder = format!("machine {} in zone {}", vm.name, zone.name);
                    holders.insert(address, holder);
                }
            }
        }
        Ok(holders)
    }

    async fn is_in(
        &self,
        vm: &VirtualMachine,
        network: &str,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let doing = Error::cloud(format!("read the adapters of {}", vm.name));
        let adapters = self.machines.cloud.adapters(&vm.id, cancel).await;
        Ok(adapters
            .map_err(doing)?
            .iter()
            .any(|adapter| adapter.network.name == network))
    }
}

/// Who stirs at the addresses. A refusal counts only while an address that the plan gives to nobody is silent: some
/// firewalls refuse in the name of everybody.
async fn knocked(
    wanted: &Wanted<'_>,
    nodes: &dyn Nodes,
    cancel: &CancellationToken,
) -> Result<Vec<(Ipv4Addr, Occupant)>, Error> {
    let witness = wanted.plan.node_network.at(2, 253);
    let addresses: Vec<Ipv4Addr> = wanted.addresses.keys().copied().chain([witness]).collect();
    let mut work = Vec::with_capacity(addresses.len());
    for address in addresses {
        work.push(async move { (address, nodes.occupant(address, cancel).await) }.boxed());
    }
    let mut found = Vec::new();
    for (address, occupant) in side_by_side(TOGETHER, work).await {
        let doing = format!("look whether the address {address} is free");
        if let Some(occupant) = occupant.map_err(Error::cluster(doing))? {
            found.push((address, occupant));
        }
    }
    Ok(judged(found, witness))
}

fn judged(found: Vec<(Ipv4Addr, Occupant)>, witness: Ipv4Addr) -> Vec<(Ipv4Addr, Occupant)> {
    let everybody = found
        .iter()
        .any(|(address, occupant)| *address == witness && matches!(occupant, Occupant::Refuses(_)));
    found
        .into_iter()
        .filter(|(address, occupant)| {
            *address != witness && !(everybody && matches!(occupant, Occupant::Refuses(_)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firewall_that_refuses_for_everybody_is_no_occupant() {
        let [one, two, witness] =
            [[10, 0, 0, 21], [10, 0, 0, 22], [10, 0, 2, 253]].map(Ipv4Addr::from);
        let seen = vec![(one, Occupant::Refuses(22)), (two, Occupant::Answers(80))];
        assert_eq!(judged(seen.clone(), witness), seen);
        let mut behind = seen.clone();
        behind.push((witness, Occupant::Refuses(22)));
        assert_eq!(judged(behind, witness), seen[1..]);
        // Somebody who has the witness' own address disturbs nobody.
        let mut odd = seen.clone();
        odd.push((witness, Occupant::Answers(22)));
        assert_eq!(judged(odd, witness), seen);
    }
}
