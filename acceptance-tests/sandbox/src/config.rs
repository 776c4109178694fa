//! Every setting of the sandbox, with its default.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Everything takes milliseconds: for tests.
    #[default]
    Fast,
    /// Visible seconds: for people who watch.
    Demo,
}

/// Durations in milliseconds, before the speed factor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delays {
    /// Everything below is divided by this; 1 is the profile's own pace.
    pub speed: f64,
    /// From acceptance to `running` of an activity.
    pub activity_queue: u64,
    /// Cloning a template.
    pub vm_create: u64,
    /// Power on and off, and every other short operation.
    pub vm_power: u64,
    /// Deleting a VM.
    pub vm_delete: u64,
    /// Making or growing a disk.
    pub disk: u64,
    /// Any other activity.
    pub other: u64,
    /// From power-on to the machine API.
    pub node_boot: u64,
    /// From the machine API to running services.
    pub node_services: u64,
    /// From bootstrap or join to a healthy etcd member.
    pub etcd: u64,
    /// From a healthy etcd to the Kubernetes API.
    pub api_server: u64,
    /// From kubelet start to a registered node.
    pub kubelet: u64,
    /// Stopping an operating system in an orderly way.
    pub shutdown: u64,
    /// Installing an image.
    pub install: u64,
    /// Until the guest's drivers are detected after power-on.
    pub drivers: u64,
}

impl Delays {
    /// The table of a profile.
    pub fn of(profile: Profile) -> Self {
        match profile {
            Profile::Fast => Self {
                speed: 1.0,
                activity_queue: 1,
                vm_create: 5,
                vm_power: 2,
                vm_delete: 2,
                disk: 2,
                other: 1,
                node_boot: 10,
                node_services: 5,
                etcd: 10,
                api_server: 10,
                kubelet: 5,
                shutdown: 5,
                install: 5,
                drivers: 5,
            },
            Profile::Demo => Self {
                speed: 1.0,
                activity_queue: 200,
                vm_create: 2_500,
                vm_power: 900,
                vm_delete: 700,
                disk: 800,
                other: 300,
                node_boot: 3_000,
                node_services: 1_500,
                etcd: 2_000,
                api_server: 2_500,
                kubelet: 1_500,
                shutdown: 1_500,
                install: 3_000,
                drivers: 2_000,
            },
        }
    }

    /// A duration of this table at its speed.
    pub fn time(&self, milliseconds: u64) -> std::time::Duration {
        let speed = if self.speed > 0.0 { self.speed } else { 1.0 };
        std::time::Duration::from_secs_f64(milliseconds as f64 / 1000.0 / speed)
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self::of(Profile::Fast)
    }
}

/// Behaviour of the OpenIaaS API that is not certain, or differs between tenants. Can be changed while running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Life of a token in seconds (documented 300; 1800 was seen).
    pub token_lifetime: u64,
    /// Calls a second and source address; 0 is no limit (documented: 25).
    pub rate_limit: u32,
    /// Authentications a second and source address; 0 is no limit (documented: 5).
    pub auth_rate_limit: u32,
    /// 404 answers before a new activity can be read.
    pub activity_not_found_reads: u32,
    /// Seed that shuffles every listing; absent keeps the order of creation.
    pub shuffle: Option<u64>,
    /// Rights taken away: calls that need one answer 403.
    pub denied_rights: Vec<String>,
    /// Listings without `machineManagerId` answer 500.
    pub unscoped_listing_fails: bool,
    /// Power-on needs a backup policy.
    pub policy_required: bool,
    /// The guest agent is in the templates: addresses are reported.
    pub guest_agent: bool,
    /// Growing a disk that is connected to a running VM is refused.
    pub resize_needs_halt: bool,
    /// A running VM can be deleted.
    pub delete_running: bool,
    /// Floating IP changes answer 202 with an activity; else 204.
    pub floating_ip_async: bool,
    /// Status of an absent bucket or storage account.
    pub object_absent_status: u16,
    /// Bytes taken from the memory of a VM when it is read.
    pub memory_read_deficit: u64,
    /// Milliseconds until a new object shows in listings and reads.
    pub visibility_delay: u64,
    /// Private addresses that machines outside this cloud have, each with its open ports; the others refuse.
    pub strangers: BTreeMap<Ipv4Addr, Vec<u16>>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            token_lifetime: 300,
            rate_limit: 0,
            auth_rate_limit: 0,
            activity_not_found_reads: 0,
            shuffle: None,
            denied_rights: Vec::new(),
            unscoped_listing_fails: false,
            policy_required: true,
            guest_agent: true,
            resize_needs_halt: true,
            delete_running: true,
            floating_ip_async: false,
            object_absent_status: 403,
            memory_read_deficit: 0,
            visibility_delay: 0,
            strangers: BTreeMap::new(),
        }
    }
}

/// What the tenant has before anybody comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// Name of the tenant.
    pub name: String,
    /// Availability zones, each a machine manager with one pool.
    pub zones: Vec<String>,
    /// Hosts in each pool.
    pub hosts: u32,
    /// Memory of a host in GiB.
    pub host_memory_gib: u64,
    /// Cores of a host.
    pub host_cores: u32,
    /// Capacity of a storage repository in GiB.
    pub storage_gib: u64,
    /// Templates in each zone, with the Talos version in them.
    pub templates: BTreeMap<String, String>,
    /// Plain networks in each zone.
    pub networks: Vec<String>,
    /// Backup policies in each zone.
    pub policies: Vec<String>,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            name: "sandbox".into(),
            zones: ["AZ05", "AZ06", "AZ07"].map(String::from).to_vec(),
            hosts: 3,
            host_memory_gib: 768,
            host_cores: 96,
            storage_gib: 100 * 1024,
            templates: [
                ("talos-1.12", "v1.12.11"),
                ("talos-1.13", "v1.13.9"),
                ("talos-1.14", "v1.14.0"),
            ]
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .into(),
            networks: vec!["cluster-vlan".into(), "management-vlan".into()],
            policies: ["nobackup", "daily-7d", "weekly-4w"]
                .map(String::from)
                .to_vec(),
        }
    }
}

/// What serves the Kubernetes API of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum KubernetesKind {
    /// A small one in this process: for demos and fast tests.
    #[default]
    BuiltIn,
    /// The real programs, which [`Config::oracles`] holds.
    Real,
}

/// The settings of one sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of the OpenIaaS API; port 0 takes a free one.
    pub api: SocketAddr,
    /// Serve the OpenIaaS API over HTTPS, with a certificate of the sandbox's own authority.
    pub https: bool,
    /// Address of the admin endpoint.
    pub admin: SocketAddr,
    /// Address of the proxy (HTTP CONNECT and SOCKS5 on one port).
    pub proxy: SocketAddr,
    /// Address of the chart repositories.
    pub charts: SocketAddr,
    /// First two numbers of the loopback network of the nodes, such as `127.77.0.0`; absent takes a free one.
    pub loopback: Option<Ipv4Addr>,
    /// Client id of the personal access token.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Folder that keeps the state; absent keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// Folder of the charts; absent takes the sandbox's own.
    pub charts_dir: Option<PathBuf>,
    /// What serves the Kubernetes API of clusters; can be changed while running, for clusters born later.
    pub kubernetes: KubernetesKind,
    /// Folder of the real control plane's programs, `kubernetes-v1.36.3` and others.
    pub oracles: Option<PathBuf>,
    /// How long things take.
    pub profile: Profile,
    /// Single durations, instead of the profile's.
    pub delays: Option<Delays>,
    /// Behaviour of the API.
    pub behaviour: Behaviour,
    /// What the tenant has.
    pub tenant: Tenant,
    /// Whether the proxy also reaches loopback addresses.
    pub proxy_loopback: bool,
}

/// Client id when none is set.
pub const CLIENT_ID: &str = "5a4d0b0c-0000-4000-8000-000000000001";
/// Secret when none is set.
pub const CLIENT_SECRET: &str = "sandbox-secret";

impl Default for Config {
    fn default() -> Self {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            api: any,
            https: false,
            admin: any,
            proxy: any,
            charts: any,
            loopback: None,
            client_id: CLIENT_ID.into(),
            client_secret: CLIENT_SECRET.into(),
            state_dir: None,
            charts_dir: None,
            kubernetes: KubernetesKind::BuiltIn,
            oracles: None,
            profile: Profile::Fast,
            delays: None,
            behaviour: Behaviour::default(),
            tenant: Tenant::default(),
            proxy_loopback: true,
        }
    }
}

impl Config {
    /// The durations in force.
    pub fn delays(&self) -> Delays {
        self.delays
            .clone()
            .unwrap_or_else(|| Delays::of(self.profile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_holds_the_defaults() {
        let example: Config =
            toml::from_str(include_str!("../sandbox.example.toml")).expect("it is right");
        assert_eq!(example, Config::default());
    }
}
