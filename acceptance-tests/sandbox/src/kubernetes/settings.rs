//! What one cluster's API server is told, all of it read from a machine configuration by the caller.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::gate::Gate;

/// A certificate authority in PEM, as a machine configuration carries it.
#[derive(Clone)]
pub struct Authority {
    /// The certificate, label `CERTIFICATE`.
    pub certificate_pem: String,
    /// The private key: `EC PRIVATE KEY` (SEC1) or `PRIVATE KEY` (PKCS#8).
    pub key_pem: String,
}

/// Settings of one cluster.
#[derive(Clone)]
pub struct Settings {
    /// Name of the cluster, for names of nodes' cloud objects and logs only.
    pub cluster_name: String,
    /// Version the server reports, with or without the leading `v`: `1.36.3`.
    pub kubernetes_version: String,
    /// The cluster's CA: signs the serving certificate and verifies client certificates.
    pub ca: Authority,
    /// The aggregator's CA certificate in PEM, published in `extension-apiserver-authentication`.
    pub aggregator_ca_pem: Option<String>,
    /// The service-account key in PEM. Kept for tokens; nothing is signed with it yet.
    pub service_account_key_pem: Option<String>,
    /// Range of Service addresses.
    pub service_cidr: IpNet,
    /// Range of pod addresses; each node gets a /24 of it.
    pub pod_cidr: IpNet,
    /// Domain of the cluster: `alpha-cluster.local`.
    pub dns_domain: String,
    /// Addresses of the control plane published as endpoints of the `kubernetes` Service.
    pub control_plane_addresses: Vec<IpAddr>,
    /// Port of the API server, 6443.
    pub api_port: u16,
    /// How long things take.
    pub delays: Delays,
    /// What stands before and after each request; the default lets everything through.
    pub gate: Gate,
}

/// How long the built-in kubelets and controllers take.
#[derive(Debug, Clone, Copy)]
pub struct Delays {
    /// From scheduling to Running and Ready.
    pub pod_start: Duration,
    /// From Running to Succeeded, for pods of Jobs.
    pub job_run: Duration,
    /// From the deletion of a pod to its disappearance.
    pub pod_stop: Duration,
    /// From a node going down to the eviction of its pods.
    pub eviction: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            pod_start: Duration::from_millis(60),
            job_run: Duration::from_millis(60),
            pod_stop: Duration::from_millis(20),
            eviction: Duration::from_secs(5),
        }
    }
}

/// Role of a node in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// Runs the control plane's static pods and carries its taint and label.
    ControlPlane,
    /// Anything else.
    Worker,
}

/// A kubelet that registers its node, or reports again after a reboot.
#[derive(Debug, Clone)]
pub struct NodeRegistration {
    /// Name of the Node object.
    pub name: String,
    /// Internal addresses.
    pub addresses: Vec<IpAddr>,
    /// Labels given by the machine configuration, beside the well-known ones.
    pub labels: BTreeMap<String, String>,
    /// Annotations given by the machine configuration.
    pub annotations: BTreeMap<String, String>,
    /// Taints as `key=value:Effect` or `key:Effect`.
    pub taints: Vec<String>,
    /// Role.
    pub role: NodeRole,
    /// Kubelet version, with or without the leading `v`.
    pub kubelet_version: String,
    /// Text such as `Talos (v1.13.9)`.
    pub os_image: String,
    /// `spec.providerID`, if the platform has one.
    pub provider_id: Option<String>,
    /// Capacity: cores.
    pub cpus: u32,
    /// Capacity: memory in bytes.
    pub memory_bytes: u64,
}
