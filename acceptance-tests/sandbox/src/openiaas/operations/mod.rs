//! What activities do when their time has come.

mod adapters;
mod disks;
mod machines;

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::model::{Attachment, Bucket, Cloud, Disk, FloatingIp, Power, Replication, Vm};
use crate::config::{Behaviour, Delays};

use adapters::{create_adapter, register, release_static_ip, update_adapter};
use disks::{create_disk, forget_config_drive, plug_disk, refuse_plugged, update_disk};
use machines::{assign, create_vm, delete_vm, power_off, power_on, relocate, update_vm};
pub use machines::{halt, remove_vm};

/// An adapter asked for with a VM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WantedAdapter {
    /// Network.
    pub network: String,
    /// MAC address; the platform chooses when absent.
    pub mac: Option<String>,
    /// Address on a VPC network.
    pub address: Option<Ipv4Addr>,
}

/// Properties of a VM to change.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VmPatch {
    /// Name.
    pub name: Option<String>,
    /// vCPUs.
    pub cpu: Option<u32>,
    /// Cores a socket.
    pub num_cores_per_socket: Option<u32>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Secure boot.
    pub secure_boot: Option<bool>,
    /// Firmware.
    pub boot_firmware: Option<String>,
    /// Starts with its host.
    pub auto_power_on: Option<bool>,
    /// High availability.
    pub high_availability: Option<String>,
}

/// Properties of an adapter to change.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AdapterPatch {
    /// Network.
    pub network_id: Option<String>,
    /// MAC address.
    pub mac: Option<String>,
    /// Checksum offload.
    pub tx_checksumming: Option<bool>,
    /// VPC address.
    pub ip_address: Option<Ipv4Addr>,
    /// Link is plugged.
    pub attached: Option<bool>,
}

/// The work of an activity. Identifiers of what is made are chosen at acceptance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Operation {
    CreateVm {
        id: String,
        name: String,
        template: String,
        cpu: u32,
        memory: u64,
        user_data: Option<String>,
        network_data: Option<String>,
        adapters: Option<Vec<WantedAdapter>>,
        storage: Option<String>,
    },
    UpdateVm {
        vm: String,
        patch: VmPatch,
    },
    PowerOn {
        vm: String,
        host: Option<String>,
        bypass_mac_check: bool,
    },
    PowerOff {
        vm: String,
        force: bool,
    },
    Relocate {
        vm: String,
        host: String,
    },
    Mount {
        vm: String,
        disk: Option<String>,
    },
    BootOrder {
        vm: String,
        order: Vec<String>,
    },
    DeleteVm {
        vm: String,
    },
    CreateDisk {
        id: String,
        name: String,
        size: u64,
        storage: String,
        vm: String,
        read_only: bool,
    },
    UpdateDisk {
        disk: String,
        name: Option<String>,
        size: Option<u64>,
    },
    RelocateDisk {
        disk: String,
        storage: String,
    },
    PlugDisk {
        disk: String,
        vm: String,
        plug: bool,
    },
    AttachDisk {
        disk: String,
        vm: String,
        read_only: bool,
    },
    DetachDisk {
        disk: String,
        vm: String,
    },
    DeleteDisk {
        disk: String,
    },
    CreateAdapter {
        id: String,
        vm: String,
        network: String,
        mac: Option<String>,
        address: Option<Ipv4Addr>,
    },
    UpdateAdapter {
        adapter: String,
        patch: AdapterPatch,
    },
    PlugAdapter {
        adapter: String,
        plug: bool,
    },
    DeleteAdapter {
        adapter: String,
    },
    AssignPolicies {
        vm: String,
        policies: Vec<String>,
    },
    CreateReplication {
        id: String,
        name: String,
        storage: String,
        hours: u64,
        minutes: u64,
    },
    DeleteReplication {
        id: String,
    },
    Replicate {
        vm: String,
        configuration: Option<String>,
    },
    CreateStaticIp {
        id: String,
        private_network: String,
        mac: String,
        address: Option<Ipv4Addr>,
        description: String,
    },
    UpdateStaticIp {
        id: String,
        mac: Option<String>,
        description: Option<String>,
    },
    DeleteStaticIp {
        id: String,
    },
    CreateFloatingIp {
        id: String,
    },
    UpdateFloatingIp {
        id: String,
        description: String,
    },
    DeleteFloatingIp {
        id: String,
    },
    Bind {
        floating: String,
        fixed: Option<String>,
    },
    CreateBucket {
        id: String,
        name: String,
        access: String,
        whitelist: Vec<String>,
    },
    UpdateBucket {
        name: String,
        access: Option<String>,
        whitelist: Vec<String>,
        versioning: Option<String>,
    },
    DeleteBucket {
        name: String,
    },
    DeleteAccount {
        name: String,
    },
    Grant {
        bucket: String,
        account: String,
        role: String,
        grant: bool,
    },
}

/// What the machines do after the cloud's own state has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aftermath {
    /// Power came on.
    Boot(String),
    /// Power went off.
    Kill(String),
}

/// What an operation made, or why it was refused.
pub type Outcome = Result<String, String>;

impl Operation {
    /// The name faults use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateVm { .. } => "vm.create",
            Self::UpdateVm { .. } => "vm.update",
            Self::PowerOn { .. } => "vm.power_on",
            Self::PowerOff { .. } => "vm.power_off",
            Self::Relocate { .. } => "vm.relocate",
            Self::Mount { .. } => "vm.mount",
            Self::BootOrder { .. } => "vm.boot_order",
            Self::DeleteVm { .. } => "vm.delete",
            Self::CreateDisk { .. } => "disk.create",
            Self::UpdateDisk { .. } => "disk.update",
            Self::RelocateDisk { .. } => "disk.relocate",
            Self::PlugDisk { plug: true, .. } => "disk.connect",
            Self::PlugDisk { .. } => "disk.disconnect",
            Self::AttachDisk { .. } => "disk.attach",
            Self::DetachDisk { .. } => "disk.detach",
            Self::DeleteDisk { .. } => "disk.delete",
            Self::CreateAdapter { .. } => "adapter.create",
            Self::UpdateAdapter { .. } => "adapter.update",
            Self::PlugAdapter { plug: true, .. } => "adapter.connect",
            Self::PlugAdapter { .. } => "adapter.disconnect",
            Self::DeleteAdapter { .. } => "adapter.delete",
            Self::AssignPolicies { .. } => "policy.assign",
            Self::CreateReplication { .. } => "replication.create",
            Self::DeleteReplication { .. } => "replication.delete",
            Self::Replicate { .. } => "replication.assign",
            Self::CreateStaticIp { .. } => "static_ip.create",
            Self::UpdateStaticIp { .. } => "static_ip.update",
            Self::DeleteStaticIp { .. } => "static_ip.delete",
            Self::CreateFloatingIp { .. } => "floating_ip.create",
            Self::UpdateFloatingIp { .. } => "floating_ip.update",
            Self::DeleteFloatingIp { .. } => "floating_ip.delete",
            Self::Bind { fixed: Some(_), .. } => "floating_ip.bind",
            Self::Bind { .. } => "floating_ip.unbind",
            Self::CreateBucket { .. } => "bucket.create",
            Self::UpdateBucket { .. } => "bucket.update",
            Self::DeleteBucket { .. } => "bucket.delete",
            Self::DeleteAccount { .. } => "account.delete",
            Self::Grant { grant: true, .. } => "bucket.grant",
            Self::Grant { .. } => "bucket.revoke",
        }
    }

    /// The VM it is about, or the name of the object.
    pub fn target(&self, cloud: &Cloud) -> String {
        let vm_name = |id: &String| {
            cloud
                .vms
                .get(id)
                .map_or_else(|| id.clone(), |vm| vm.name.clone())
        };
        let disk_vm = |id: &String| {
            cloud
                .disks
                .get(id)
                .and_then(|disk| disk.attachments.first())
                .map_or_else(|| id.clone(), |link| vm_name(&link.vm))
        };
        let adapter_vm = |id: &String| {
            cloud
                .adapters
                .get(id)
                .map_or_else(|| id.clone(), |a| vm_name(&a.vm))
        };
        match self {
            Self::CreateVm { name, .. }
            | Self::CreateReplication { name, .. }
            | Self::CreateBucket { name, .. }
            | Self::UpdateBucket { name, .. }
            | Self::DeleteBucket { name }
            | Self::DeleteAccount { name } => name.clone(),
            Self::UpdateVm { vm, .. }
            | Self::PowerOn { vm, .. }
            | Self::PowerOff { vm, .. }
            | Self::Relocate { vm, .. }
            | Self::Mount { vm, .. }
            | Self::BootOrder { vm, .. }
            | Self::DeleteVm { vm }
            | Self::CreateDisk { vm, .. }
            | Self::PlugDisk { vm, .. }
            | Self::AttachDisk { vm, .. }
            | Self::DetachDisk { vm, .. }
            | Self::CreateAdapter { vm, .. }
            | Self::AssignPolicies { vm, .. }
            | Self::Replicate { vm, .. } => vm_name(vm),
            Self::UpdateDisk { disk, .. }
            | Self::RelocateDisk { disk, .. }
            | Self::DeleteDisk { disk } => disk_vm(disk),
            Self::UpdateAdapter { adapter, .. }
            | Self::PlugAdapter { adapter, .. }
            | Self::DeleteAdapter { adapter } => adapter_vm(adapter),
            Self::DeleteReplication { id }
            | Self::CreateStaticIp { id, .. }
            | Self::UpdateStaticIp { id, .. }
            | Self::DeleteStaticIp { id }
            | Self::CreateFloatingIp { id }
            | Self::UpdateFloatingIp { id, .. }
            | Self::DeleteFloatingIp { id }
            | Self::Bind { floating: id, .. } => id.clone(),
            Self::Grant { bucket, .. } => bucket.clone(),
        }
    }

    /// Kinds and identifiers for `concernedItems`.
    pub fn concerned(&self) -> Vec<(String, String)> {
        let item = |kind: &str, id: &String| (kind.to_owned(), id.clone());
        match self {
            Self::CreateVm { id, .. } => vec![item("virtual_machine", id)],
            Self::UpdateVm { vm, .. }
            | Self::PowerOn { vm, .. }
            | Self::PowerOff { vm, .. }
            | Self::Relocate { vm, .. }
            | Self::Mount { vm, .. }
            | Self::BootOrder { vm, .. }
            | Self::DeleteVm { vm }
            | Self::AssignPolicies { vm, .. }
            | Self::Replicate { vm, .. } => vec![item("virtual_machine", vm)],
            Self::CreateDisk { id, vm, .. } => {
                vec![item("virtual_disk", id), item("virtual_machine", vm)]
            }
            Self::PlugDisk { disk, vm, .. }
            | Self::AttachDisk { disk, vm, .. }
            | Self::DetachDisk { disk, vm } => {
                vec![item("virtual_disk", disk), item("virtual_machine", vm)]
            }
            Self::UpdateDisk { disk, .. }
            | Self::RelocateDisk { disk, .. }
            | Self::DeleteDisk { disk } => {
                vec![item("virtual_disk", disk)]
            }
            Self::CreateAdapter { id, vm, .. } => {
                vec![item("network_adapter", id), item("virtual_machine", vm)]
            }
            Self::UpdateAdapter { adapter, .. }
            | Self::PlugAdapter { adapter, .. }
            | Self::DeleteAdapter { adapter } => vec![item("network_adapter", adapter)],
            _ => Vec::new(),
        }
    }

    /// The activity's type.
    pub fn activity_kind(&self) -> &'static str {
        match self {
            Self::AssignPolicies { .. } => "BackupActivity",
            _ => "ComputeActivity",
        }
    }

    /// How long the work takes, in milliseconds before the speed factor.
    pub fn duration(&self, delays: &Delays) -> u64 {
        match self {
            Self::CreateVm { .. } => delays.vm_create,
            Self::PowerOff { force: false, .. } => delays.shutdown + delays.vm_power,
            Self::PowerOn { .. } | Self::PowerOff { .. } => delays.vm_power,
            Self::DeleteVm { .. } => delays.vm_delete,
            Self::CreateDisk { .. } | Self::UpdateDisk { .. } | Self::RelocateDisk { .. } => {
                delays.disk
            }
            _ => delays.other,
        }
    }

    /// Does the work.
    pub fn apply(
        &self,
        cloud: &mut Cloud,
        behaviour: &Behaviour,
        delays: &Delays,
        after: &mut Vec<Aftermath>,
    ) -> Outcome {
        match self.clone() {
            Self::CreateVm {
                id,
                name,
                template,
                cpu,
                memory,
                user_data,
                network_data,
                adapters,
                storage,
            } => create_vm(
                cloud,
                id,
                name,
                &template,
                cpu,
                memory,
                user_data,
                network_data,
                adapters,
                storage,
            ),
            Self::UpdateVm { vm, patch } => update_vm(cloud, &vm, patch),
            Self::PowerOn {
                vm,
                host,
                bypass_mac_check,
            } => {
                let outcome = power_on(cloud, behaviour, delays, &vm, host, bypass_mac_check);
                if outcome == Ok(true) {
                    after.push(Aftermath::Boot(vm.clone()));
                }
                outcome.map(|_| vm)
            }
            Self::PowerOff { vm, force } => power_off(cloud, &vm, force, after),
            Self::Relocate { vm, host } => relocate(cloud, &vm, host),
            Self::Mount { vm, disk } => {
                let machine = vm_mut(cloud, &vm)?;
                machine.dvd = disk;
                Ok(vm)
            }
            Self::BootOrder { vm, order } => {
                vm_mut(cloud, &vm)?.boot_order = order;
                Ok(vm)
            }
            Self::DeleteVm { vm } => delete_vm(cloud, behaviour, &vm, after),
            Self::CreateDisk {
                id,
                name,
                size,
                storage,
                vm,
                read_only,
            } => create_disk(cloud, id, name, size, storage, vm, read_only),
            Self::UpdateDisk { disk, name, size } => {
                update_disk(cloud, behaviour, disk, name, size)
            }
            Self::RelocateDisk { disk, storage } => {
                let size = disk_mut(cloud, &disk)?.size;
                room_for(cloud, &storage, size)?;
                disk_mut(cloud, &disk)?.storage = storage;
                Ok(disk)
            }
            Self::PlugDisk { disk, vm, plug } => plug_disk(cloud, disk, &vm, plug),
            Self::AttachDisk {
                disk,
                vm,
                read_only,
            } => {
                let storage = disk_mut(cloud, &disk)?.storage.clone();
                reachable(cloud, &storage, &vm)?;
                let found = disk_mut(cloud, &disk)?;
                found.attachments.retain(|link| link.vm != vm);
                found.attachments.push(Attachment {
                    vm,
                    read_only,
                    plugged: true,
                });
                Ok(disk)
            }
            Self::DetachDisk { disk, vm } => {
                refuse_plugged(cloud, &disk)?;
                disk_mut(cloud, &disk)?
                    .attachments
                    .retain(|link| link.vm != vm);
                forget_config_drive(cloud, &disk, Some(&vm));
                Ok(disk)
            }
            Self::DeleteDisk { disk } => {
                refuse_plugged(cloud, &disk)?;
                forget_config_drive(cloud, &disk, None);
                cloud.disks.remove(&disk);
                Ok(disk)
            }
            Self::CreateAdapter {
                id,
                vm,
                network,
                mac,
                address,
            } => create_adapter(cloud, id, &vm, &network, mac, address),
            Self::UpdateAdapter { adapter, patch } => update_adapter(cloud, &adapter, patch),
            Self::PlugAdapter { adapter, plug } => {
                let found = cloud
                    .adapters
                    .get(&adapter)
                    .ok_or_else(|| gone("network adapter", &adapter))?;
                let running = cloud
                    .vms
                    .get(&found.vm)
                    .is_some_and(|vm| vm.power == Power::Running);
                if !running {
                    return Err(HALTED.into());
                }
                if let Some(found) = cloud.adapters.get_mut(&adapter) {
                    found.attached = plug;
                }
                Ok(adapter)
            }
            Self::DeleteAdapter { adapter } => {
                let found = cloud
                    .adapters
                    .remove(&adapter)
                    .ok_or_else(|| gone("network adapter", &adapter))?;
                release_static_ip(cloud, &found.mac);
                Ok(adapter)
            }
            Self::AssignPolicies { vm, policies } => assign(cloud, &vm, &policies),
            Self::CreateReplication {
                id,
                name,
                storage,
                hours,
                minutes,
            } => {
                if !cloud.storage.iter().any(|known| known.id == storage) {
                    return Err(gone("storage repository", &storage));
                }
                let replication = Replication {
                    id: id.clone(),
                    name,
                    storage,
                    hours,
                    minutes,
                    vms: Vec::new(),
                };
                cloud.replications.insert(id.clone(), replication);
                Ok(id)
            }
            Self::DeleteReplication { id } => {
                cloud
                    .replications
                    .remove(&id)
                    .ok_or_else(|| gone("replication policy", &id))?;
                Ok(id)
            }
            Self::Replicate { vm, configuration } => {
                for replication in cloud.replications.values_mut() {
                    replication.vms.retain(|known| *known != vm);
                    if configuration.as_ref() == Some(&replication.id) {
                        replication.vms.push(vm.clone());
                    }
                }
                Ok(vm)
            }
            Self::CreateStaticIp {
                id,
                private_network,
                mac,
                address,
                description,
            } => register(
                cloud,
                id,
                &private_network,
                &mac,
                address,
                "custom",
                Some(description),
            ),
            Self::UpdateStaticIp {
                id,
                mac,
                description,
            } => {
                let found = cloud
                    .static_ips
                    .get_mut(&id)
                    .ok_or_else(|| gone("static IP", &id))?;
                if let Some(mac) = mac {
                    found.mac = mac;
                }
                if description.is_some() {
                    found.description = description;
                }
                Ok(id)
            }
            Self::DeleteStaticIp { id } => {
                cloud
                    .static_ips
                    .remove(&id)
                    .ok_or_else(|| gone("static IP", &id))?;
                Ok(id)
            }
            Self::CreateFloatingIp { id } => {
                let taken: Vec<_> = cloud
                    .floating_ips
                    .values()
                    .map(|known| known.address)
                    .collect();
                let address = (1..=254)
                    .map(|last| Ipv4Addr::new(203, 0, 113, last))
                    .find(|address| !taken.contains(address))
                    .ok_or("no public address is left")?;
                let floating = FloatingIp {
                    id: id.clone(),
                    address,
                    description: String::new(),
                    static_ip: None,
                };
                cloud.floating_ips.insert(id.clone(), floating);
                Ok(id)
            }
            Self::UpdateFloatingIp { id, description } => {
                cloud
                    .floating_ips
                    .get_mut(&id)
                    .ok_or_else(|| gone("floating IP", &id))?
                    .description = description;
                Ok(id)
            }
            Self::DeleteFloatingIp { id } => {
                cloud
                    .floating_ips
                    .remove(&id)
                    .ok_or_else(|| gone("floating IP", &id))?;
                Ok(id)
            }
            Self::Bind { floating, fixed } => {
                cloud
                    .floating_ips
                    .get_mut(&floating)
                    .ok_or_else(|| gone("floating IP", &floating))?
                    .static_ip = fixed;
                Ok(floating)
            }
            Self::CreateBucket {
                id,
                name,
                access,
                whitelist,
            } => {
                if cloud.buckets.contains_key(&name) {
                    return Err(format!("Bucket {name} already exists"));
                }
                let bucket = Bucket {
                    id: id.clone(),
                    name: name.clone(),
                    access,
                    whitelist,
                    versioning: "Disabled".into(),
                    grants: std::collections::BTreeMap::new(),
                };
                cloud.buckets.insert(name, bucket);
                Ok(id)
            }
            Self::UpdateBucket {
                name,
                access,
                whitelist,
                versioning,
            } => {
                let bucket = cloud
                    .buckets
                    .get_mut(&name)
                    .ok_or_else(|| gone("bucket", &name))?;
                if let Some(access) = access {
                    bucket.access = access;
                    bucket.whitelist = whitelist;
                }
                if let Some(versioning) = versioning {
                    bucket.versioning = versioning;
                }
                Ok(bucket.id.clone())
            }
            Self::DeleteBucket { name } => cloud
                .buckets
                .remove(&name)
                .map(|bucket| bucket.id)
                .ok_or_else(|| gone("bucket", &name)),
            Self::DeleteAccount { name } => {
                for bucket in cloud.buckets.values_mut() {
                    bucket.grants.remove(&name);
                }
                cloud
                    .accounts
                    .remove(&name)
                    .map(|account| account.id)
                    .ok_or_else(|| gone("storage account", &name))
            }
            Self::Grant {
                bucket,
                account,
                role,
                grant,
            } => {
                let found = cloud
                    .buckets
                    .get_mut(&bucket)
                    .ok_or_else(|| gone("bucket", &bucket))?;
                if grant {
                    found.grants.insert(account, role);
                } else if found.grants.get(&account) == Some(&role) {
                    found.grants.remove(&account);
                } else {
                    return Err(format!("{account} has no role {role} on {bucket}"));
                }
                Ok(found.id.clone())
            }
        }
    }
}

const HALTED: &str = "VM state is halted but should be running";

fn gone(kind: &str, id: &str) -> String {
    format!("Could not find {kind} with uuid {id}")
}

fn vm_mut<'a>(cloud: &'a mut Cloud, id: &str) -> Result<&'a mut Vm, String> {
    cloud
        .vms
        .get_mut(id)
        .ok_or_else(|| gone("virtual machine", id))
}

fn disk_mut<'a>(cloud: &'a mut Cloud, id: &str) -> Result<&'a mut Disk, String> {
    cloud
        .disks
        .get_mut(id)
        .ok_or_else(|| gone("virtual disk", id))
}

fn room_for(cloud: &Cloud, storage: &str, size: u64) -> Result<(), String> {
    let repository = cloud
        .storage
        .iter()
        .find(|known| known.id == storage)
        .ok_or_else(|| gone("storage repository", storage))?;
    if repository.capacity.saturating_sub(cloud.used(storage)) < size {
        return Err("Limited storage capacity".into());
    }
    Ok(())
}

/// A repository serves a VM when it is of the VM's pool, and shared.
fn reachable(cloud: &Cloud, storage: &str, vm: &str) -> Result<(), String> {
    let zone = cloud
        .vms
        .get(vm)
        .map(|vm| vm.zone.as_str())
        .ok_or_else(|| gone("virtual machine", vm))?;
    let fits = cloud.storage.iter().any(|known| {
        known.id == storage && known.zone == zone && known.accessible && !known.maintenance
    });
    if fits {
        Ok(())
    } else {
        Err(gone("storage repository", storage))
    }
}
