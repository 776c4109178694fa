//! What a machine configuration is made from.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use product::{Contract, KubernetesRelease, MacAddress, NetworkPlan, Taint};

/// What all nodes of a cluster have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterProfile {
    /// The form of the configuration, pinned when the cluster was created.
    pub contract: Contract,
    /// Name of the cluster: its identifier.
    pub name: String,
    /// URL of the Kubernetes API, `https://10.20.0.20:6443`.
    pub endpoint: String,
    /// Names and addresses that server certificates of the control plane carry beside those of the
    /// node itself: VIP, DNS name, all control-plane addresses.
    pub certificate_names: Vec<String>,
    /// DNS domain inside the cluster.
    pub cluster_domain: String,
    /// Networks, gateway, name servers, time servers.
    pub network: NetworkPlan,
    /// Address that control-plane nodes take by turns, if they do.
    pub vip: Option<Ipv4Addr>,
    /// Pods a node may run.
    pub max_pods: u16,
    /// Whether control-plane nodes run ordinary pods.
    pub schedule_on_control_planes: bool,
    /// Whether nodes announce themselves (encrypted) to the public discovery service. Not needed:
    /// nodes find each other through the API endpoint.
    pub discovery: bool,
    /// Whether etcd, scheduler and controller manager serve their metrics on the node's addresses.
    pub control_plane_metrics: bool,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Mirrors of image registries: host to URLs. The registry itself is then not asked.
    pub registry_mirrors: BTreeMap<String, Vec<String>>,
}

/// What is particular to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProfile {
    /// Control plane or worker.
    pub role: MachineRole,
    /// Host name, and so the name of the Kubernetes node.
    pub hostname: String,
    /// Selects the network interface: names of interfaces are not predictable.
    pub mac: MacAddress,
    /// Static address in the node network.
    pub address: Ipv4Addr,
    /// Versions of the Kubernetes components on this node.
    pub kubernetes: ComponentVersions,
    /// Labels of the Kubernetes node.
    pub labels: BTreeMap<String, String>,
    /// Taints of the Kubernetes node, set when it registers. One effect a key.
    pub taints: Vec<Taint>,
    /// Volumes on disks other than the system disk.
    pub volumes: Vec<DataVolume>,
    /// Installation; absent for machines that start from an installed image.
    pub install: Option<Install>,
}

/// The two kinds of machine. A storage node is a worker with its own labels, taints and disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MachineRole {
    /// Runs etcd and the control plane.
    ControlPlane,
    /// Runs pods.
    Worker,
}

impl MachineRole {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ControlPlane => "controlplane",
            Self::Worker => "worker",
        }
    }
}

/// The version of each component, so that an upgrade can move them one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentVersions {
    /// kube-apiserver.
    pub api_server: KubernetesRelease,
    /// kube-controller-manager.
    pub controller_manager: KubernetesRelease,
    /// kube-scheduler.
    pub scheduler: KubernetesRelease,
    /// kubelet.
    pub kubelet: KubernetesRelease,
}

impl ComponentVersions {
    /// All components at one version.
    pub const fn all(version: KubernetesRelease) -> Self {
        Self {
            api_server: version,
            controller_manager: version,
            scheduler: version,
            kubelet: version,
        }
    }
}

/// A volume that Talos makes on another disk than the system's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataVolume {
    /// Name: 1 to 34 letters, digits and hyphens.
    pub name: String,
    /// How it is used.
    pub usage: VolumeUse,
    /// Disks larger than this are taken, in GB (10^9 bytes): virtual disks have no serial number
    /// to rely on, and the configuration drive is a small disk too.
    pub disk_larger_than_gb: u32,
    /// The volume is at least this large, in GB.
    pub min_size_gb: u32,
}

/// How a volume is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeUse {
    /// Formatted and mounted at `/var/mnt/<name>`.
    Mounted,
    /// A bare partition, `/dev/disk/by-partlabel/r-<name>`.
    Raw,
}

/// Where an installer puts Talos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// Device, `/dev/xvda`.
    pub disk: String,
    /// Installer image.
    pub image: Option<String>,
}
