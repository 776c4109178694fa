//! What activities do when their time has come.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::model::{
    Adapter, Attachment, Bucket, Cloud, Disk, FloatingIp, Power, Replication, StaticIp, Vm, new_id,
    now,
};
use crate::config::{Behaviour, Delays};
use crate::talos::MachineDisk;

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

fn random_mac() -> String {
    let bytes = *uuid::Uuid::new_v4().as_bytes();
    format!(
        "00:16:3e:{:02x}:{:02x}:{:02x}",
        bytes[0], bytes[1], bytes[2]
    )
}

#[expect(
    clippy::too_many_arguments,
    reason = "they are the fields of one request"
)]
fn create_vm(
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

fn update_vm(cloud: &mut Cloud, id: &str, patch: VmPatch) -> Outcome {
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

fn power_on(
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

fn power_off(cloud: &mut Cloud, id: &str, force: bool, after: &mut Vec<Aftermath>) -> Outcome {
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

fn relocate(cloud: &mut Cloud, id: &str, host: String) -> Outcome {
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

fn delete_vm(
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

fn create_disk(
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

fn is_plugged(cloud: &Cloud, disk: &Disk) -> bool {
    disk.attachments.iter().any(|link| {
        link.plugged
            && cloud
                .vms
                .get(&link.vm)
                .is_some_and(|vm| vm.power == Power::Running)
    })
}

fn refuse_plugged(cloud: &mut Cloud, id: &str) -> Result<(), String> {
    let disk = disk_mut(cloud, id)?.clone();
    if is_plugged(cloud, &disk) {
        return Err("VDI_IN_USE: the disk is connected to a running virtual machine".into());
    }
    Ok(())
}

/// A config drive that is detached or deleted takes its contents with it.
fn forget_config_drive(cloud: &mut Cloud, disk: &str, from: Option<&str>) {
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

fn update_disk(
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

fn plug_disk(cloud: &mut Cloud, id: String, vm: &str, plug: bool) -> Outcome {
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

fn create_adapter(
    cloud: &mut Cloud,
    id: String,
    vm: &str,
    network: &str,
    mac: Option<String>,
    address: Option<Ipv4Addr>,
) -> Outcome {
    let zone = vm_mut(cloud, vm)?.zone.clone();
    let found = cloud
        .networks
        .iter()
        .find(|known| known.id == network && known.zone == zone)
        .cloned()
        .ok_or_else(|| gone("network", network))?;
    let names: Vec<String> = cloud
        .adapters_of(vm)
        .iter()
        .map(|adapter| adapter.name.clone())
        .collect();
    if names.len() >= 7 {
        return Err("A virtual machine has at most 7 network adapters".into());
    }
    let name = (0..7)
        .map(|index| format!("VIF #{index}"))
        .find(|name| !names.contains(name))
        .unwrap_or_default();
    let mac = mac.unwrap_or_else(random_mac);
    let adapter = Adapter {
        id: id.clone(),
        internal_id: new_id(),
        name,
        vm: vm.to_owned(),
        network: network.to_owned(),
        mac: mac.clone(),
        attached: true,
        tx_checksumming: true,
        created_at: now(),
    };
    cloud.adapters.insert(id.clone(), adapter);
    if let Some(private) = found.behind {
        // The loss of a taken address is silent on this path.
        let _ = register(cloud, new_id(), &private, &mac, address, "xoa", None);
    }
    Ok(id)
}

fn update_adapter(cloud: &mut Cloud, id: &str, patch: AdapterPatch) -> Outcome {
    let adapter = cloud
        .adapters
        .get(id)
        .cloned()
        .ok_or_else(|| gone("network adapter", id))?;
    let private = |cloud: &Cloud, network: &str| {
        cloud
            .networks
            .iter()
            .find(|known| known.id == network)
            .and_then(|known| known.behind.clone())
    };
    let on_vpc = private(cloud, &adapter.network).is_some();
    let same_network = patch
        .network_id
        .as_ref()
        .is_none_or(|network| *network == adapter.network);
    let same_mac = patch.mac.as_ref().is_none_or(|mac| *mac == adapter.mac);
    let touched = patch.network_id.is_some() || patch.mac.is_some();
    if on_vpc && touched && same_network && same_mac && patch.ip_address.is_none() {
        let name = cloud
            .vms
            .get(&adapter.vm)
            .map(|vm| vm.name.clone())
            .unwrap_or_default();
        return Err(format!(
            "VPC configuration incomplete: Static IP operation failed: MAC address {} is already used by virtual machine {name}",
            adapter.mac
        ));
    }
    let zone = cloud
        .vms
        .get(&adapter.vm)
        .map(|vm| vm.zone.clone())
        .unwrap_or_default();
    if let Some(network) = &patch.network_id
        && !cloud
            .networks
            .iter()
            .any(|known| known.id == *network && known.zone == zone)
    {
        return Err(gone("network", network));
    }
    release_static_ip(cloud, &adapter.mac);
    let Some(found) = cloud.adapters.get_mut(id) else {
        return Err(gone("network adapter", id));
    };
    if let Some(network) = patch.network_id {
        found.network = network;
    }
    if let Some(mac) = patch.mac {
        found.mac = mac;
    }
    found.tx_checksumming = patch.tx_checksumming.unwrap_or(found.tx_checksumming);
    found.attached = patch.attached.unwrap_or(found.attached);
    let (network, mac) = (found.network.clone(), found.mac.clone());
    if let Some(private) = private(cloud, &network) {
        let _ = register(
            cloud,
            new_id(),
            &private,
            &mac,
            patch.ip_address,
            "xoa",
            None,
        );
    }
    Ok(id.to_owned())
}

fn assign(cloud: &mut Cloud, vm: &str, wanted: &[String]) -> Outcome {
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

fn register(
    cloud: &mut Cloud,
    id: String,
    private_network: &str,
    mac: &str,
    address: Option<Ipv4Addr>,
    source: &str,
    description: Option<String>,
) -> Outcome {
    let network = cloud
        .private_networks
        .iter()
        .find(|known| known.id == private_network)
        .ok_or_else(|| gone("private network", private_network))?;
    let cidr: ipnet::Ipv4Net = network
        .cidr
        .parse()
        .map_err(|_| "the private network has no CIDR".to_owned())?;
    let taken = |address: Ipv4Addr| {
        cloud
            .static_ips
            .values()
            .any(|known| known.private_network == private_network && known.address == address)
    };
    if cloud
        .static_ips
        .values()
        .any(|known| known.private_network == private_network && known.mac == mac)
    {
        return Err(format!("MAC address {mac} is already registered"));
    }
    let address = match address {
        Some(address) if !cidr.contains(&address) => {
            return Err(format!("{address} is not in {cidr}"));
        }
        Some(address) if taken(address) => return Err(format!("{address} is already registered")),
        Some(address) => address,
        // The first address is the gateway's.
        None => cidr
            .hosts()
            .skip(1)
            .find(|address| !taken(*address))
            .ok_or("the private network is full")?,
    };
    let new = StaticIp {
        id: id.clone(),
        private_network: private_network.to_owned(),
        address,
        mac: mac.to_owned(),
        source: source.to_owned(),
        description,
    };
    cloud.static_ips.insert(id.clone(), new);
    Ok(id)
}

fn release_static_ip(cloud: &mut Cloud, mac: &str) {
    let released: Vec<String> = cloud
        .static_ips
        .values()
        .filter(|known| known.mac == mac && known.source == "xoa")
        .map(|known| known.id.clone())
        .collect();
    for id in released {
        cloud.static_ips.remove(&id);
        for floating in cloud.floating_ips.values_mut() {
            if floating.static_ip.as_ref() == Some(&id) {
                floating.static_ip = None;
            }
        }
    }
}
