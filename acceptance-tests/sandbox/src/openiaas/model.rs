//! What the tenant has: everything the API shows, and what a machine keeps on its disk.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::talos::{EtcdCluster, MachineDisk};

/// Milliseconds since 1970.
pub type Millis = i64;

/// Now, in milliseconds.
pub fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

/// RFC 3339 with milliseconds, as activities show dates.
pub fn date(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at)
        .map(|at| format!("{at:.3}"))
        .unwrap_or_default()
}

/// A new random identifier.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The identifier of a seeded object: a function of its name, so that it is the same in every run.
pub fn seed_id(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// A name with its identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
}

/// A host of a pool.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Host {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Zone.
    pub zone: String,
    /// Bytes.
    pub memory: u64,
    /// Cores.
    pub cores: u32,
    /// No VM is placed on it.
    pub maintenance: bool,
}

/// A storage repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StorageRepository {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Zone.
    pub zone: String,
    /// `lvmohba`, `iso`, ...
    pub kind: String,
    /// Bytes.
    pub capacity: u64,
    /// Reachable from every host of the pool.
    pub shared: bool,
    /// The one host of a local repository.
    pub host: Option<String>,
    /// Reachable at all.
    pub accessible: bool,
    /// In maintenance.
    pub maintenance: bool,
}

/// A network of a pool.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Network {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Zone.
    pub zone: String,
    /// The private network behind it, on VPC-backed networks.
    pub behind: Option<String>,
}

/// A template.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Template {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Zone.
    pub zone: String,
    /// Lower bound.
    pub cpu: u32,
    /// Lower bound in bytes.
    pub memory: u64,
    /// Name and size of its disk; a configuration template has none.
    pub disk: Option<(String, u64)>,
    /// Repository of the disk.
    pub storage: String,
    /// Network of its adapter.
    pub network: String,
    /// The system in it, such as `v1.13.9`.
    pub talos_version: String,
}

/// A backup policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Policy {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Zone.
    pub zone: String,
    /// VMs it is assigned to.
    pub vms: Vec<String>,
}

/// A VPC with its only private network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PrivateNetwork {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Network in CIDR form.
    pub cidr: String,
    /// The VPC.
    pub vpc: Named,
}

/// A static address of a private network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StaticIp {
    /// Identifier.
    pub id: String,
    /// Private network.
    pub private_network: String,
    /// Address.
    pub address: Ipv4Addr,
    /// MAC address, lower case with colons.
    pub mac: String,
    /// `xoa` or `custom`.
    pub source: String,
    /// Free text.
    pub description: Option<String>,
}

/// A public address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FloatingIp {
    /// Identifier.
    pub id: String,
    /// Address.
    pub address: Ipv4Addr,
    /// Free text.
    pub description: String,
    /// The static address it is bound to.
    pub static_ip: Option<String>,
}

/// Power of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Power {
    /// On.
    Running,
    /// Off.
    Halted,
}

/// A virtual machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vm {
    /// Identifier.
    pub id: String,
    /// The hypervisor's own identifier: the guest's SMBIOS UUID.
    pub internal_id: String,
    /// Name.
    pub name: String,
    /// Zone.
    pub zone: String,
    /// Template it came from.
    pub template: String,
    /// Power.
    pub power: Power,
    /// vCPUs.
    pub cpu: u32,
    /// Cores a socket.
    pub cores: u32,
    /// Bytes.
    pub memory: u64,
    /// Secure boot.
    pub secure_boot: bool,
    /// `uefi` or `bios`.
    pub firmware: String,
    /// Boot order.
    pub boot_order: Vec<String>,
    /// Starts with its host.
    pub auto_power_on: bool,
    /// `disabled`, `restart`, `best-effort`.
    pub high_availability: String,
    /// Mounted ISO.
    pub dvd: Option<String>,
    /// Where it runs.
    pub host: Option<String>,
    /// Guest drivers are seen from then on.
    pub drivers_at: Option<Millis>,
    /// Made at.
    pub created_at: Millis,
    /// How often it was powered on.
    pub starts: u32,
    /// User data of the config drive, while that exists.
    pub user_data: Option<String>,
    /// Network configuration of the config drive.
    pub network_data: Option<String>,
    /// What the operating system keeps.
    pub machine: MachineDisk,
}

/// A disk's link to a VM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attachment {
    /// The VM.
    pub vm: String,
    /// Read-only on it.
    pub read_only: bool,
    /// Meant to be plugged while the VM runs.
    pub plugged: bool,
}

/// A disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Disk {
    /// Identifier.
    pub id: String,
    /// The hypervisor's own identifier.
    pub internal_id: String,
    /// Name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Repository.
    pub storage: String,
    /// Links.
    pub attachments: Vec<Attachment>,
    /// Goes when its VM goes: template disks and the config drive.
    pub of_vm: Option<String>,
    /// The cloud-init drive.
    pub config_drive: bool,
    /// Made at.
    pub created_at: Millis,
}

/// A network adapter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Adapter {
    /// Identifier.
    pub id: String,
    /// The hypervisor's own identifier.
    pub internal_id: String,
    /// `VIF #n`.
    pub name: String,
    /// Its VM.
    pub vm: String,
    /// Its network.
    pub network: String,
    /// Lower case with colons.
    pub mac: String,
    /// Link is plugged.
    pub attached: bool,
    /// Checksum offload.
    pub tx_checksumming: bool,
    /// Made at.
    pub created_at: Millis,
}

/// A tag, as the tag service keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tag {
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
}

/// Where an activity is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Accepted.
    Waiting,
    /// At work.
    Running {
        /// Since.
        start: Millis,
        /// 0 to 1.
        progression: f64,
    },
    /// Done.
    Completed {
        /// Since.
        start: Millis,
        /// Until.
        stop: Millis,
        /// Identifier of what was made, or empty.
        result: String,
    },
    /// Refused or broken.
    Failed {
        /// Since.
        start: Millis,
        /// Until.
        stop: Millis,
        /// Why.
        reason: String,
    },
}

/// An asynchronous operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Activity {
    /// Identifier.
    pub id: String,
    /// What it does, in words.
    pub description: String,
    /// `ComputeActivity`, ...
    pub kind: String,
    /// Words of the operation.
    pub tags: Vec<String>,
    /// Kind and identifier of what is concerned.
    pub concerned: Vec<(String, String)>,
    /// Accepted at.
    pub created_at: Millis,
    /// Where it is.
    pub progress: Progress,
    /// 404 answers still to be given.
    pub hidden_reads: u32,
    /// What is to be done.
    pub operation: super::operations::Operation,
    /// The request, said to have come for it.
    pub stuck: bool,
}

impl Activity {
    /// Whether nothing more happens to it.
    pub fn is_over(&self) -> bool {
        matches!(
            self.progress,
            Progress::Completed { .. } | Progress::Failed { .. }
        )
    }
}

/// A bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bucket {
    /// Identifier.
    pub id: String,
    /// Name, the key in paths.
    pub name: String,
    /// `public`, `private`, `custom`.
    pub access: String,
    /// Networks of `custom`.
    pub whitelist: Vec<String>,
    /// `Enabled`, `Suspended`, `Disabled`.
    pub versioning: String,
    /// Account name to role.
    pub grants: BTreeMap<String, String>,
}

/// A storage account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StorageAccount {
    /// Identifier.
    pub id: String,
    /// Name, the key in paths.
    pub name: String,
    /// Access key.
    pub access_key: String,
    /// Made at.
    pub created_at: Millis,
}

/// A personal access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessToken {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Secret.
    pub secret: String,
    /// Role identifiers.
    pub roles: Vec<String>,
    /// Milliseconds since 1970.
    pub expires: i64,
}

/// A replication policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replication {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: String,
    /// Target repository.
    pub storage: String,
    /// Hours.
    pub hours: u64,
    /// Minutes.
    pub minutes: u64,
    /// VMs that use it.
    pub vms: Vec<String>,
}

/// Everything, as it is kept in one file. Maps keep no order of creation, so objects carry `created_at`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cloud {
    /// Tenant, user and company identifiers.
    pub tenant: String,
    /// User of the token.
    pub user: String,
    /// Company.
    pub company: String,
    /// Machine managers.
    pub zones: Vec<Named>,
    /// Pool of each zone, in the order of the zones.
    pub pools: Vec<Named>,
    /// Hosts.
    pub hosts: Vec<Host>,
    /// Storage repositories.
    pub storage: Vec<StorageRepository>,
    /// Networks.
    pub networks: Vec<Network>,
    /// Templates.
    pub templates: Vec<Template>,
    /// Backup policies.
    pub policies: Vec<Policy>,
    /// Private networks.
    pub private_networks: Vec<PrivateNetwork>,
    /// VMs by identifier.
    pub vms: BTreeMap<String, Vm>,
    /// Disks by identifier.
    pub disks: BTreeMap<String, Disk>,
    /// Adapters by identifier.
    pub adapters: BTreeMap<String, Adapter>,
    /// Tags by resource.
    pub tags: BTreeMap<String, Vec<Tag>>,
    /// Activities by identifier.
    pub activities: BTreeMap<String, Activity>,
    /// Static addresses.
    pub static_ips: BTreeMap<String, StaticIp>,
    /// Public addresses.
    pub floating_ips: BTreeMap<String, FloatingIp>,
    /// Replication policies.
    pub replications: BTreeMap<String, Replication>,
    /// Buckets by name.
    pub buckets: BTreeMap<String, Bucket>,
    /// Storage accounts by name.
    pub accounts: BTreeMap<String, StorageAccount>,
    /// Access tokens beside the configured one.
    pub access_tokens: BTreeMap<String, AccessToken>,
    /// etcd clusters by identifier.
    pub etcd: BTreeMap<String, EtcdCluster>,
}

impl Cloud {
    /// The pool of a zone.
    pub fn pool(&self, zone: &str) -> Named {
        self.zones
            .iter()
            .position(|known| known.id == zone)
            .and_then(|index| self.pools.get(index))
            .cloned()
            .unwrap_or_else(|| Named {
                id: String::new(),
                name: String::new(),
            })
    }

    /// A zone by identifier.
    pub fn zone(&self, id: &str) -> Named {
        self.zones
            .iter()
            .find(|zone| zone.id == id)
            .cloned()
            .unwrap_or_else(|| Named {
                id: String::new(),
                name: String::new(),
            })
    }

    /// Bytes of a repository that are taken.
    pub fn used(&self, storage: &str) -> u64 {
        self.disks
            .values()
            .filter(|disk| disk.storage == storage)
            .map(|disk| disk.size)
            .sum()
    }

    /// A VM by name in a zone, or in any zone.
    pub fn vm_by_name(&self, name: &str, zone: Option<&str>) -> Option<&Vm> {
        self.vms
            .values()
            .find(|vm| vm.name == name && zone.is_none_or(|zone| zone == vm.zone))
    }

    /// The adapters of a VM, in device order.
    pub fn adapters_of(&self, vm: &str) -> Vec<&Adapter> {
        let mut adapters: Vec<_> = self
            .adapters
            .values()
            .filter(|adapter| adapter.vm == vm)
            .collect();
        adapters.sort_by(|a, b| a.name.cmp(&b.name));
        adapters
    }

    /// The disks of a VM, oldest first.
    pub fn disks_of(&self, vm: &str) -> Vec<&Disk> {
        let mut disks: Vec<_> = self
            .disks
            .values()
            .filter(|disk| disk.attachments.iter().any(|link| link.vm == vm))
            .collect();
        disks.sort_by(|a, b| {
            (a.created_at, a.config_drive, &a.id).cmp(&(b.created_at, b.config_drive, &b.id))
        });
        disks
    }
}
