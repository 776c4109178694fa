//! Zones, pools, hosts, networks, policies.

use serde::Deserialize;

use crate::{
    AdapterId, HostId, MachineManagerId, NetworkId, PolicyId, PoolId, StorageRepositoryId, VmId,
};

/// A reference to another object: its identifier and name. The API also writes an empty object, or
/// empty strings, where nothing is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, bound = "Id: Deserialize<'de> + Default")]
pub struct Reference<Id> {
    /// The identifier; may be empty.
    pub id: Id,
    /// The name; may be empty.
    pub name: String,
}

impl<Id: Default> Default for Reference<Id> {
    fn default() -> Self {
        Self {
            id: Id::default(),
            name: String::new(),
        }
    }
}

impl<Id: AsRef<str>> Reference<Id> {
    /// The identifier, unless the reference is empty.
    pub fn get(&self) -> Option<&Id> {
        (!self.id.as_ref().is_empty()).then_some(&self.id)
    }
}

/// A machine manager: one Xen Orchestra, one availability zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MachineManager {
    /// Its identifier, passed everywhere as `machineManagerId`.
    pub id: MachineManagerId,
    /// Its name, `AZ05`; the casing varies between tenants.
    pub name: String,
    /// Operating system of the appliance.
    pub os_name: String,
    /// Its version.
    pub os_version: String,
}

/// A pool of hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pool {
    /// Its identifier.
    pub id: PoolId,
    /// Its name.
    pub name: String,
    /// Its zone.
    pub machine_manager: Reference<MachineManagerId>,
    /// Whether the hypervisor restarts VMs of a lost host.
    pub high_availability_enabled: bool,
    /// The master host.
    pub master: HostId,
    /// All hosts.
    pub hosts: Vec<HostId>,
}

/// A hypervisor host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Host {
    /// Its identifier.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Its zone.
    pub machine_manager: Reference<MachineManagerId>,
    /// Its pool.
    pub pool: Reference<PoolId>,
    /// `Running` or another state.
    pub power_state: String,
    /// Maintenance.
    pub update_data: UpdateData,
    /// The VMs that run on it.
    pub virtual_machines: Vec<VmId>,
    /// Sizes and versions.
    pub metrics: HostMetrics,
}

/// The maintenance state of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UpdateData {
    /// Whether no VM may start there.
    pub maintenance_mode: bool,
    /// The platform's word for it.
    pub status: String,
}

/// The size of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HostMetrics {
    /// Memory in bytes.
    pub memory: Memory,
    /// Processor cores.
    pub cpu: Cpu,
}

/// Memory of a host, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// In use.
    pub usage: u64,
    /// Installed.
    pub size: u64,
}

/// Processors of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// Cores.
    pub cores: u64,
    /// Sockets.
    pub sockets: u64,
}

/// A network, scoped to its pool: one VLAN has another identifier in each zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Network {
    /// Its identifier.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Its zone.
    pub machine_manager: Reference<MachineManagerId>,
    /// Its pool.
    pub pool: Reference<PoolId>,
    /// MTU in bytes; zero when the API does not tell.
    pub maximum_transmission_unit: u32,
    /// The adapters on it.
    pub network_adapters: Vec<AdapterId>,
    /// Present only on networks that belong to a VPC.
    pub vpc: Option<Vpc>,
}

/// The VPC behind a network or an adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Vpc {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The private network.
    pub private_network: PrivateNetwork,
    /// The address that the guest reports; empty when the VM is off.
    pub static_ip_address: String,
}

/// A private network of a VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PrivateNetwork {
    /// Its identifier.
    pub id: String,
    /// Its name; may be empty.
    pub name: String,
}

/// An address registered in a VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StaticIp {
    /// Its identifier.
    pub id: String,
    /// The address.
    pub ip_address: String,
    /// The MAC address it belongs to, lower case.
    pub mac_address: String,
    /// The VM, when one has that MAC address.
    pub virtual_machine: Reference<VmId>,
    /// `xoa` (registered by the platform), `custom` (by a user), or another word.
    pub source: String,
    /// The user's remark.
    pub resource_description: String,
    /// The private network.
    pub private_network: PrivateNetwork,
}

/// A backup policy of one machine manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Policy {
    /// Its identifier.
    pub id: PolicyId,
    /// Its name; names repeat across machine managers.
    pub name: String,
    /// Its zone.
    pub machine_manager: Reference<MachineManagerId>,
    /// The VMs it is assigned to.
    pub virtual_machines: Vec<VmId>,
}

/// A repository identifier reference, used by templates and disks.
pub(super) type RepositoryRef = Reference<StorageRepositoryId>;
