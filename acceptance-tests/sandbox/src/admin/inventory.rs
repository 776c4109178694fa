//! Everything that is there, in one object: what a test for leftovers compares.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::openiaas::model::Power;
use crate::world::World;

/// Everything that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// VMs by name.
    pub vms: Vec<VmView>,
    /// All disks, attached or not.
    pub disks: Vec<DiskView>,
    /// All adapters.
    pub adapters: Vec<AdapterView>,
    /// Tags, those of deleted resources included.
    pub tags: Vec<TagView>,
    /// Addresses that running machines hold.
    pub addresses: Vec<AddressView>,
    /// Static addresses of private networks.
    pub static_ips: Vec<StaticIpView>,
    /// Public addresses.
    pub floating_ips: Vec<Ipv4Addr>,
    /// Machines that are powered on.
    pub nodes: Vec<NodeView>,
    /// etcd clusters: name and members. Two of one name are a split brain.
    pub etcd_clusters: Vec<(String, usize)>,
    /// Activities that are not over.
    pub open_activities: usize,
}

/// A VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmView {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Name of the zone.
    pub zone: String,
    /// Powered on.
    pub running: bool,
    /// vCPUs.
    pub cpu: u32,
    /// Bytes.
    pub memory: u64,
    /// How often it was powered on.
    pub starts: u32,
    /// MAC addresses in device order.
    pub macs: Vec<String>,
    /// Name and size of the disks.
    pub disks: Vec<(String, u64)>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Backup policies.
    pub policies: Vec<String>,
    /// Name of the template.
    pub template: String,
    /// The config drive is still there.
    pub config_drive: bool,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskView {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// VMs that it is attached to, by name.
    pub vms: Vec<String>,
}

/// An adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterView {
    /// Identifier.
    pub id: String,
    /// Its VM, by name.
    pub vm: String,
    /// MAC address.
    pub mac: String,
    /// Its network, by name.
    pub network: String,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagView {
    /// The tagged resource.
    pub resource: String,
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
    /// The resource is gone.
    pub orphan: bool,
}

/// An address in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressView {
    /// Private address.
    pub address: Ipv4Addr,
    /// Who holds it, by name.
    pub vm: String,
    /// The loopback address behind it.
    pub loopback: Ipv4Addr,
}

/// A static address of a private network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticIpView {
    /// Address.
    pub address: Ipv4Addr,
    /// MAC address.
    pub mac: String,
    /// `xoa` or `custom`.
    pub source: String,
}

/// A machine that is powered on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Name of the VM.
    pub vm: String,
    /// Host name, once it is known.
    pub hostname: String,
    /// `off`, `booting`, `maintenance`, `running`, ...
    pub stage: String,
    /// `controlplane`, `worker`, or empty.
    pub role: String,
    /// Loopback address of its listeners.
    pub loopback: Option<Ipv4Addr>,
    /// Private addresses.
    pub addresses: Vec<Ipv4Addr>,
    /// Version of the system.
    pub talos_version: String,
    /// State of the etcd service, on control planes.
    pub etcd: String,
    /// The Kubernetes API is served.
    pub api: bool,
    /// Boot id.
    pub boot_id: String,
}

/// Looks at everything.
pub fn take(world: &World) -> Inventory {
    let nodes = world.nodes.views(world);
    let addresses = world.nodes.addresses(world);
    let cloud = world.cloud();
    let vm_name = |id: &str| {
        cloud
            .vms
            .get(id)
            .map_or_else(|| id.to_owned(), |vm| vm.name.clone())
    };
    let mut inventory = Inventory {
        addresses,
        nodes,
        ..Inventory::default()
    };
    for vm in cloud.vms.values() {
        let tags = cloud
            .tags
            .get(&vm.id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        inventory.vms.push(VmView {
            id: vm.id.clone(),
            name: vm.name.clone(),
            zone: cloud.zone(&vm.zone).name,
            running: vm.power == Power::Running,
            cpu: vm.cpu,
            memory: vm.memory,
            starts: vm.starts,
            macs: cloud
                .adapters_of(&vm.id)
                .iter()
                .map(|adapter| adapter.mac.clone())
                .collect(),
            disks: cloud
                .disks_of(&vm.id)
                .iter()
                .map(|disk| (disk.name.clone(), disk.size))
                .collect(),
            tags: tags
                .iter()
                .map(|tag| (tag.key.clone(), tag.value.clone()))
                .collect(),
            policies: cloud
                .policies
                .iter()
                .filter(|policy| policy.vms.contains(&vm.id))
                .map(|policy| policy.name.clone())
                .collect(),
            template: cloud
                .templates
                .iter()
                .find(|template| template.id == vm.template)
                .map(|template| template.name.clone())
                .unwrap_or_default(),
            config_drive: vm.user_data.is_some(),
        });
    }
    inventory.vms.sort_by(|a, b| a.name.cmp(&b.name));
    inventory.disks = cloud
        .disks
        .values()
        .map(|disk| DiskView {
            id: disk.id.clone(),
            name: disk.name.clone(),
            size: disk.size,
            vms: disk
                .attachments
                .iter()
                .map(|link| vm_name(&link.vm))
                .collect(),
        })
        .collect();
    inventory.adapters = cloud
        .adapters
        .values()
        .map(|adapter| AdapterView {
            id: adapter.id.clone(),
            vm: vm_name(&adapter.vm),
            mac: adapter.mac.clone(),
            network: cloud
                .networks
                .iter()
                .find(|network| network.id == adapter.network)
                .map(|network| network.name.clone())
                .unwrap_or_default(),
        })
        .collect();
    for (resource, tags) in &cloud.tags {
        for tag in tags {
            inventory.tags.push(TagView {
                resource: resource.clone(),
                key: tag.key.clone(),
                value: tag.value.clone(),
                orphan: !cloud.vms.contains_key(resource),
            });
        }
    }
    inventory.static_ips = cloud
        .static_ips
        .values()
        .map(|known| StaticIpView {
            address: known.address,
            mac: known.mac.clone(),
            source: known.source.clone(),
        })
        .collect();
    inventory.floating_ips = cloud
        .floating_ips
        .values()
        .map(|known| known.address)
        .collect();
    inventory.etcd_clusters = cloud
        .etcd
        .values()
        .map(|cluster| (cluster.name.clone(), cluster.members.len()))
        .collect();
    inventory.open_activities = cloud
        .activities
        .values()
        .filter(|activity| !activity.is_over())
        .count();
    inventory
}
