//! What happens to disks.

use super::{HALTED, Outcome, disk_mut, reachable, room_for};
use crate::config::Behaviour;
use crate::openiaas::model::{Attachment, Cloud, Disk, Power, new_id, now};

pub(super) fn create_disk(
    cloud: &mut Cloud,
    id: String,
    name: String,
    size: u64,
    storage: String,
    vm: String,
    read_only: bool,
) -> Outcome {
    reachable(cloud, &storage, &vm)?;
    room_for(cloud, &storage, size)?;
    if cloud.disks_of(&vm).len() >= 24 {
        return Err("A virtual machine has at most 24 disks".into());
    }
    let disk = Disk {
        id: id.clone(),
        internal_id: new_id(),
        name,
        size,
        storage,
        attachments: vec![Attachment {
            vm,
            read_only,
            plugged: true,
        }],
        of_vm: None,
        config_drive: false,
        created_at: now(),
    };
    cloud.disks.insert(id.clone(), disk);
    Ok(id)
}

pub(super) fn is_plugged(cloud: &Cloud, disk: &Disk) -> bool {
    disk.attachments.iter().any(|link| {
        link.plugged
            && cloud
                .vms
                .get(&link.vm)
                .is_some_and(|vm| vm.power == Power::Running)
    })
}

pub(super) fn refuse_plugged(cloud: &mut Cloud, id: &str) -> Result<(), String> {
    let disk = disk_mut(cloud, id)?.clone();
    if is_plugged(cloud, &disk) {
        return Err("VDI_IN_USE: the disk is connected to a running virtual machine".into());
    }
    Ok(())
}

/// A config drive that is detached or deleted takes its contents with it.
pub(super) fn forget_config_drive(cloud: &mut Cloud, disk: &str, from: Option<&str>) {
    let Some(found) = cloud.disks.get(disk) else {
        return;
    };
    if !found.config_drive {
        return;
    }
    let owner = from.map(str::to_owned).or_else(|| found.of_vm.clone());
    if let Some(vm) = owner.and_then(|owner| cloud.vms.get_mut(&owner)) {
        vm.user_data = None;
        vm.network_data = None;
    }
}

pub(super) fn update_disk(
    cloud: &mut Cloud,
    behaviour: &Behaviour,
    id: String,
    name: Option<String>,
    size: Option<u64>,
) -> Outcome {
    let disk = disk_mut(cloud, &id)?.clone();
    if let Some(size) = size {
        if size < disk.size {
            return Err(format!(
                "A disk cannot shrink from {} to {size} bytes",
                disk.size
            ));
        }
        if size != disk.size && behaviour.resize_needs_halt && is_plugged(cloud, &disk) {
            return Err("VDI_IN_USE: the disk is connected to a running virtual machine".into());
        }
        room_for(cloud, &disk.storage, size - disk.size)?;
    }
    let disk = disk_mut(cloud, &id)?;
    disk.size = size.unwrap_or(disk.size);
    if let Some(name) = name {
        disk.name = name;
    }
    Ok(id)
}

pub(super) fn plug_disk(cloud: &mut Cloud, id: String, vm: &str, plug: bool) -> Outcome {
    if cloud
        .vms
        .get(vm)
        .is_none_or(|vm| vm.power != Power::Running)
    {
        return Err(HALTED.into());
    }
    let link = disk_mut(cloud, &id)?
        .attachments
        .iter_mut()
        .find(|link| link.vm == vm)
        .ok_or_else(|| format!("the disk is not attached to virtual machine {vm}"))?;
    link.plugged = plug;
    Ok(id)
}
