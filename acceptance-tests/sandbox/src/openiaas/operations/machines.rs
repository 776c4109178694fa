//! What happens to machines.

use super::adapters::{create_adapter, release_static_ip};
use super::{Aftermath, HALTED, Outcome, VmPatch, WantedAdapter, gone, room_for, vm_mut};
use crate::config::{Behaviour, Delays};
use crate::openiaas::model::{Attachment, Cloud, Disk, Power, Vm, new_id, now};
use crate::talos::MachineDisk;

#[expect(
    clippy::too_many_arguments,
    reason = "they are the fields of one request"
)]
pub(super) fn create_vm(
    cloud: &mut Cloud,
    id: String,
    name: String,
    template: &str,
    cpu: u32,
    memory: u64,
    user_data: Option<String>,
    network_data: Option<String>,
    adapters: Option<Vec<WantedAdapter>>,
    storage: Option<String>,
) -> Outcome {
    let template = cloud
        .templates
        .iter()
        .find(|known| known.id == template)
        .cloned()
        .ok_or_else(|| gone("template", template))?;
    if cpu < template.cpu || memory < template.memory {
        return Err(format!(
            "MEMORY_CONSTRAINT_VIOLATION_ORDER(requested {cpu} vCPU and {memory} bytes, template {} has {} vCPU and {} bytes)",
            template.name, template.cpu, template.memory
        ));
    }
    if cloud.vm_by_name(&name, Some(&template.zone)).is_some() {
        return Err(format!(
            "A virtual machine named {name} already exists: name already taken"
        ));
    }
    let adapters = adapters.unwrap_or_else(|| {
        vec![WantedAdapter {
            network: template.network.clone(),
            mac: None,
            address: None,
        }]
    });
    if adapters.len() > 7 {
        return Err("A virtual machine has at most 7 network adapters".into());
    }
    for adapter in &adapters {
        if !cloud
            .networks
            .iter()
            .any(|known| known.id == adapter.network && known.zone == template.zone)
        {
            return Err(gone("network", &adapter.network));
        }
    }
    let storage = storage.unwrap_or_else(|| template.storage.clone());
    let Some((disk_name, disk_size)) = template.disk.clone() else {
        if user_data.is_some() {
            return Err("cloud-init needs a virtual machine with a disk".into());
        }
        return Err("the template has no disk".into());
    };
    room_for(cloud, &storage, disk_size)?;
    let created_at = now();
    let mut disk = |name: String, size: u64, config_drive: bool| {
        let new = Disk {
            id: new_id(),
            internal_id: new_id(),
            name,
            size,
            storage: storage.clone(),
            attachments: vec![Attachment {
                vm: id.clone(),
                read_only: config_drive,
                plugged: true,
            }],
            of_vm: Some(id.clone()),
            config_drive,
            created_at,
        };
        cloud.disks.insert(new.id.clone(), new);
    };
    disk(disk_name, disk_size, false);
    if user_data.is_some() {
        disk("XO CloudConfigDrive".into(), 10 << 20, true);
    }
    let vm = Vm {
        id: id.clone(),
        internal_id: new_id(),
        name,
        zone: template.zone.clone(),
        template: template.id.clone(),
        power: Power::Halted,
        cpu,
        cores: 1,
        memory,
        secure_boot: false,
        firmware: "uefi".into(),
        boot_order: vec!["Hard-Drive".into()],
        auto_power_on: false,
        high_availability: "disabled".into(),
        dvd: None,
        host: None,
        drivers_at: None,
        created_at,
        starts: 0,
        user_data,
        network_data,
        machine: MachineDisk::new(&template.talos_version),
    };
    cloud.vms.insert(id.clone(), vm);
    for adapter in adapters {
        // An address that is taken is lost without a word: the VM is made, the address is not registered.
        create_adapter(
            cloud,
            new_id(),
            &id,
            &adapter.network,
            adapter.mac,
            adapter.address,
        )?;
    }
    Ok(id)
}

pub(super) fn update_vm(cloud: &mut Cloud, id: &str, patch: VmPatch) -> Outcome {
    let has_policy = cloud
        .policies
        .iter()
        .any(|policy| policy.vms.iter().any(|vm| vm == id));
    let zone = vm_mut(cloud, id)?.zone.clone();
    if let Some(name) = &patch.name
        && cloud
            .vms
            .values()
            .any(|vm| vm.id != id && vm.zone == zone && vm.name == *name)
    {
        return Err(format!(
            "A virtual machine named {name} already exists: name already taken"
        ));
    }
    let vm = vm_mut(cloud, id)?;
    let sizing =
        patch.cpu.is_some() || patch.memory.is_some() || patch.num_cores_per_socket.is_some();
    let cold = sizing || patch.secure_boot.is_some() || patch.boot_firmware.is_some();
    if cold && vm.power == Power::Running {
        return Err(
            "VM_BAD_POWER_STATE: the virtual machine is running but should be halted".into(),
        );
    }
    let cpu = patch.cpu.unwrap_or(vm.cpu);
    let cores = patch.num_cores_per_socket.unwrap_or(vm.cores);
    if cores == 0 || !cpu.is_multiple_of(cores) {
        return Err(format!(
            "{cores} cores per socket do not divide {cpu} vCPUs"
        ));
    }
    if patch.auto_power_on == Some(true) && !has_policy {
        return Err("auto power on needs a backup policy on the virtual machine".into());
    }
    if let Some(value) = &patch.high_availability
        && !["disabled", "restart", "best-effort"].contains(&value.as_str())
    {
        return Err(format!(
            "highAvailability must be disabled, restart or best-effort, not {value}"
        ));
    }
    vm.cpu = cpu;
    vm.cores = cores;
    vm.memory = patch.memory.unwrap_or(vm.memory);
    vm.secure_boot = patch.secure_boot.unwrap_or(vm.secure_boot);
    if let Some(name) = patch.name {
        vm.name = name;
    }
    if let Some(firmware) = patch.boot_firmware {
        vm.firmware = firmware;
    }
    vm.auto_power_on = patch.auto_power_on.unwrap_or(vm.auto_power_on);
    if let Some(value) = patch.high_availability {
        vm.high_availability = value;
    }
    Ok(id.to_owned())
}

pub(super) fn power_on(
    cloud: &mut Cloud,
    behaviour: &Behaviour,
    delays: &Delays,
    id: &str,
    host: Option<String>,
    bypass_mac_check: bool,
) -> Result<bool, String> {
    let vm = vm_mut(cloud, id)?.clone();
    if vm.power == Power::Running {
        return Ok(false);
    }
    if behaviour.policy_required
        && !cloud
            .policies
            .iter()
            .any(|policy| policy.vms.iter().any(|known| known == id))
    {
        return Err("The virtual machine cannot be started without a backup policy".into());
    }
    if !bypass_mac_check {
        for adapter in cloud.adapters_of(id) {
            let twin = cloud.adapters.values().find(|other| {
                other.vm != id
                    && other.mac == adapter.mac
                    && cloud
                        .vms
                        .get(&other.vm)
                        .is_some_and(|vm| vm.power == Power::Running)
            });
            if let Some(twin) = twin {
                return Err(format!(
                    "DUPLICATE_MAC_ADDRESS: {} is in use by virtual machine {}",
                    adapter.mac, twin.vm
                ));
            }
        }
    }
    let load = |host: &str| -> u64 {
        cloud
            .vms
            .values()
            .filter(|vm| vm.host.as_deref() == Some(host))
            .map(|vm| vm.memory)
            .sum()
    };
    let place = cloud
        .hosts
        .iter()
        .filter(|known| known.zone == vm.zone && !known.maintenance)
        .filter(|known| host.as_ref().is_none_or(|wanted| *wanted == known.id))
        .filter(|known| known.memory.saturating_sub(load(&known.id)) >= vm.memory)
        .min_by_key(|known| load(&known.id))
        .map(|known| known.id.clone())
        .ok_or("NO_HOSTS_AVAILABLE: no host of the pool has enough memory")?;
    let drivers_at = now() + delays.time(delays.drivers).as_millis() as i64;
    let vm = vm_mut(cloud, id)?;
    vm.power = Power::Running;
    vm.host = Some(place);
    vm.starts += 1;
    vm.drivers_at = Some(drivers_at);
    Ok(true)
}

pub(super) fn power_off(
    cloud: &mut Cloud,
    id: &str,
    force: bool,
    after: &mut Vec<Aftermath>,
) -> Outcome {
    let vm = vm_mut(cloud, id)?;
    if vm.power == Power::Halted {
        return Ok(id.to_owned());
    }
    if !force && vm.drivers_at.is_none_or(|at| at > now()) {
        return Err("VM_MISSING_PV_DRIVERS: the guest cannot be asked to shut down".into());
    }
    halt(vm);
    after.push(Aftermath::Kill(id.to_owned()));
    Ok(id.to_owned())
}

/// Takes the power from a VM.
pub fn halt(vm: &mut Vm) {
    vm.power = Power::Halted;
    vm.host = None;
    vm.drivers_at = None;
}

pub(super) fn relocate(cloud: &mut Cloud, id: &str, host: String) -> Outcome {
    let zone = vm_mut(cloud, id)?.zone.clone();
    if !cloud
        .hosts
        .iter()
        .any(|known| known.id == host && known.zone == zone)
    {
        return Err(gone("host", &host));
    }
    let vm = vm_mut(cloud, id)?;
    if vm.power != Power::Running {
        return Err(HALTED.into());
    }
    vm.host = Some(host);
    Ok(id.to_owned())
}

pub(super) fn delete_vm(
    cloud: &mut Cloud,
    behaviour: &Behaviour,
    id: &str,
    after: &mut Vec<Aftermath>,
) -> Outcome {
    let running = vm_mut(cloud, id)?.power == Power::Running;
    if running && !behaviour.delete_running {
        return Err(
            "VM_BAD_POWER_STATE: the virtual machine is running but should be halted".into(),
        );
    }
    remove_vm(cloud, id);
    after.push(Aftermath::Kill(id.to_owned()));
    Ok(id.to_owned())
}

/// Removes a VM with what goes with it; separately made disks stay, attached to nothing.
pub fn remove_vm(cloud: &mut Cloud, id: &str) {
    cloud.vms.remove(id);
    cloud
        .disks
        .retain(|_, disk| disk.of_vm.as_deref() != Some(id));
    for disk in cloud.disks.values_mut() {
        disk.attachments.retain(|link| link.vm != id);
    }
    let macs: Vec<String> = cloud
        .adapters
        .values()
        .filter(|adapter| adapter.vm == id)
        .map(|adapter| adapter.mac.clone())
        .collect();
    cloud.adapters.retain(|_, adapter| adapter.vm != id);
    for mac in macs {
        release_static_ip(cloud, &mac);
    }
    for policy in &mut cloud.policies {
        policy.vms.retain(|vm| vm != id);
    }
    for replication in cloud.replications.values_mut() {
        replication.vms.retain(|vm| vm != id);
    }
}

pub(super) fn assign(cloud: &mut Cloud, vm: &str, wanted: &[String]) -> Outcome {
    let zone = vm_mut(cloud, vm)?.zone.clone();
    let fits = wanted.iter().all(|id| {
        cloud
            .policies
            .iter()
            .any(|policy| policy.id == *id && policy.zone == zone)
    });
    if !fits {
        return Err("Could not assign all policies with the provided identifiers".into());
    }
    for policy in &mut cloud.policies {
        policy.vms.retain(|known| known != vm);
        if wanted.contains(&policy.id) {
            policy.vms.push(vm.to_owned());
        }
    }
    Ok(vm.to_owned())
}
