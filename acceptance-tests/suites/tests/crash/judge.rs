//! What must be the same after every accident: everything in the inventory but ids, birth and times.

use std::collections::BTreeSet;

use sandbox::admin::{Inventory, VmView};

use crate::Result;

/// The key of the tag that marks a cluster complete; its value is the birth.
const COMPLETE: &str = "managedk8s-complete";

/// Everything that is there, a line each, with what differs from run to run left out.
pub fn lines(inventory: &Inventory) -> Vec<String> {
    let mut lines: Vec<String> = inventory.vms.iter().map(machine).collect();
    for disk in &inventory.disks {
        lines.push(format!(
            "disk {} {} of {:?}",
            disk.name, disk.size, disk.vms
        ));
    }
    for adapter in &inventory.adapters {
        let (vm, mac, network) = (&adapter.vm, &adapter.mac, &adapter.network);
        lines.push(format!("adapter {mac} of {vm} in {network}"));
    }
    for tag in &inventory.tags {
        let (resource, key, value) = (&tag.resource, &tag.key, &tag.value);
        lines.push(format!(
            "tag {key}={value} on {resource} orphan={}",
            tag.orphan
        ));
    }
    for address in &inventory.addresses {
        lines.push(format!("address {} of {}", address.address, address.vm));
    }
    for address in &inventory.static_ips {
        let (mac, source) = (&address.mac, &address.source);
        lines.push(format!("static {} of {mac} by {source}", address.address));
    }
    for address in &inventory.floating_ips {
        lines.push(format!("public {address}"));
    }
    for node in &inventory.nodes {
        lines.push(format!(
            "node {} {} {} {} {} etcd={} api={}",
            node.vm, node.hostname, node.stage, node.role, node.talos_version, node.etcd, node.api
        ));
    }
    for (name, members) in &inventory.etcd_clusters {
        lines.push(format!("etcd {name} of {members}"));
    }
    let births: BTreeSet<&String> = inventory
        .vms
        .iter()
        .filter_map(|vm| vm.tags.get(COMPLETE))
        .collect();
    for line in &mut lines {
        for birth in &births {
            *line = line.replace(birth.as_str(), "BIRTH");
        }
        for vm in &inventory.vms {
            *line = line.replace(&vm.id, &format!("ID({})", vm.name));
        }
    }
    lines.sort();
    lines
}

fn machine(vm: &VmView) -> String {
    let VmView {
        id: _,
        name,
        zone,
        running,
        cpu,
        memory,
        starts,
        macs,
        disks,
        tags,
        policies,
        template,
        config_drive,
    } = vm;
    let mut disks = disks.clone();
    disks.sort();
    format!(
        "vm {name} {zone} running={running} {cpu} {memory} starts={starts} {macs:?} {disks:?} {tags:?} {policies:?} \
         {template} config_drive={config_drive}"
    )
}

/// That the inventory is the one of an undisturbed run: nothing missing, double or left over.
pub fn same(wanted: &[String], seen: &Inventory) -> Result {
    let seen = lines(seen);
    if wanted == seen {
        return Ok(());
    }
    let mut missing = wanted.to_vec();
    let mut differences = Vec::new();
    for line in seen {
        match missing.iter().position(|known| *known == line) {
            Some(place) => drop(missing.remove(place)),
            None => differences.push(format!("  + {line}")),
        }
    }
    differences.extend(missing.iter().map(|line| format!("  - {line}")));
    let differences = differences.join("\n");
    Err(format!("the inventory is not that of an undisturbed run:\n{differences}").into())
}

/// That every machine that ran before the accident is still the same machine, and was never started again.
pub fn none_replaced(before: &Inventory, after: &Inventory) -> Result {
    for vm in before.vms.iter().filter(|vm| vm.running) {
        let Some(now) = after.vms.iter().find(|now| now.id == vm.id) else {
            return Err(format!("{} ran and was replaced", vm.name).into());
        };
        if now.starts != vm.starts {
            let (was, is) = (vm.starts, now.starts);
            return Err(format!("{} ran and was started again: {was}, {is}", vm.name).into());
        }
    }
    // A machine that was still on its way up has no boot to compare yet.
    for node in before.nodes.iter().filter(|node| node.stage == "running") {
        let same = after
            .nodes
            .iter()
            .any(|now| now.vm == node.vm && now.boot_id == node.boot_id);
        if !same {
            return Err(format!("{} ran and booted again", node.vm).into());
        }
    }
    Ok(())
}
