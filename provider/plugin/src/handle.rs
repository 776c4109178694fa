//! The cluster's `handle`: everything public that pools, add-ons and ephemeral resources need to know of a cluster, so
//! that they discover nothing.

use framework::{Diagnostics, Dynamic, FromValue, Path, ToValue, Type};
use lifecycle::cluster::Infrastructure;
use lifecycle::run::ClusterHandle;
use product::catalogue::ClusterFacts;
use product::{
    AddressRange, ApiEndpoint, Birth, Checked, ClusterId, Contract, Identifier, KubernetesRelease,
    LoadBalancerMode, NetworkPlan, NetworkSettings, NodeNetwork, Offering, PodNetwork, Problem,
    PublicZone, Region, ServiceNetwork, TalosVersion, Topology, Zone, Zones,
};

use talos::CaCertificates;

use crate::problems::{refused, report};

/// The CA certificates of a cluster, PEM. Public: only the keys are derived again when they are needed.
#[derive(Clone, Debug, PartialEq, Eq, FromValue, ToValue)]
pub struct Authorities {
    /// Signs the machine API's certificates.
    pub talos: String,
    /// Signs the Kubernetes API's certificates.
    pub kubernetes: String,
    /// Signs the front proxy's certificates.
    pub aggregator: String,
    /// Signs etcd's certificates.
    pub etcd: String,
}

/// The network of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, FromValue, ToValue)]
pub struct HandleNetwork {
    /// The `/22` of the nodes.
    pub node_cidr: String,
    /// Default gateway.
    pub gateway: String,
    /// Name servers.
    pub nameservers: Vec<String>,
    /// Time servers.
    pub ntp_servers: Vec<String>,
    /// Addresses of pods.
    pub pod_cidr: String,
    /// Addresses of services.
    pub service_cidr: String,
    /// Public DNS zone.
    pub public_zone: String,
    /// Who announces addresses of LoadBalancer services.
    pub load_balancer: String,
    /// Internal addresses of LoadBalancer services.
    pub internal_range: String,
    /// External addresses of LoadBalancer services.
    pub external_range: String,
}

/// Names of what the tenant provides.
#[derive(Clone, Debug, PartialEq, Eq, FromValue, ToValue)]
pub struct HandleInfrastructure {
    /// The template of nodes.
    pub template: String,
    /// The network of nodes.
    pub network: String,
    /// The backup policy of machines.
    pub backup_policy: String,
    /// The storage repository of data disks.
    pub storage_repository: Option<String>,
}

/// A handle whose every part is known.
#[derive(Clone, Debug, PartialEq, Eq, FromValue, ToValue)]
pub struct Handle {
    /// The cluster's identifier.
    pub identifier: String,
    /// The birth, 32 hexadecimal digits.
    pub birth: String,
    /// The tenant that holds it.
    pub tenant: String,
    /// The fingerprint of the cluster's key.
    pub key_fingerprint: String,
    /// The CA certificates.
    pub certificate_authorities: Authorities,
    /// The offering.
    pub offering: String,
    /// The topology.
    pub topology: String,
    /// The region.
    pub region: String,
    /// The zones, in order.
    pub zones: Vec<String>,
    /// URL of the Kubernetes API.
    pub endpoint: String,
    /// Addresses of the control planes.
    pub control_plane_addresses: Vec<String>,
    /// DNS domain inside the cluster.
    pub cluster_domain: String,
    /// The network.
    pub network: HandleNetwork,
    /// What the tenant provides.
    pub infrastructure: HandleInfrastructure,
    /// GB of Ceph on each of the first three workers of a devtest cluster; 0 in production.
    pub worker_ceph_gb: u32,
    /// Form of the machine configuration.
    pub contract: String,
    /// Release of Talos.
    pub talos_version: String,
    /// Release of Kubernetes.
    pub kubernetes_version: String,
}

/// The handle's type. A plain object, not nested attributes: it is passed on whole.
pub fn handle_type() -> Type {
    let text = || Type::String;
    let list = || Type::list(Type::String);
    Type::object([
        ("identifier", text()),
        ("birth", text()),
        ("tenant", text()),
        ("key_fingerprint", text()),
        (
            "certificate_authorities",
            Type::object([
                ("talos", text()),
                ("kubernetes", text()),
                ("aggregator", text()),
                ("etcd", text()),
            ]),
        ),
        ("offering", text()),
        ("topology", text()),
        ("region", text()),
        ("zones", list()),
        ("endpoint", text()),
        ("control_plane_addresses", list()),
        ("cluster_domain", text()),
        (
            "network",
            Type::object([
                ("node_cidr", text()),
                ("gateway", text()),
                ("nameservers", list()),
                ("ntp_servers", list()),
                ("pod_cidr", text()),
                ("service_cidr", text()),
                ("public_zone", text()),
                ("load_balancer", text()),
                ("internal_range", text()),
                ("external_range", text()),
            ]),
        ),
        (
            "infrastructure",
            Type::object([
                ("template", text()),
                ("network", text()),
                ("backup_policy", text()),
                ("storage_repository", text()),
            ]),
        ),
        ("worker_ceph_gb", Type::Number),
        ("contract", text()),
        ("talos_version", text()),
        ("kubernetes_version", text()),
    ])
}

/// What of a handle is known at every plan, the create's included: everything but what the birth decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFacts {
    /// The facts that rules and charts depend on.
    pub facts: ClusterFacts,
    /// What the tenant provides.
    pub infrastructure: HandleInfrastructure,
    /// The release of Talos.
    pub talos: TalosVersion,
    /// The form of machine configurations.
    pub contract: Contract,
    /// GB of Ceph on each of the first three workers of a devtest cluster.
    pub worker_ceph_gb: u32,
}

impl KnownFacts {
    /// Reads the facts of a handle as far as it is known; `None` while something in it is not, errors when the handle
    /// was not made by this provider.
    pub fn read(handle: &Dynamic, diagnostics: &mut Diagnostics) -> Option<Self> {
        let text = |name: &str| handle.member(name)?.as_str().map(str::to_owned);
        let network = handle.member("network")?.get::<HandleNetwork>().ok()?;
        let infrastructure = handle.member("infrastructure")?.get().ok()?;
        let zones = handle.member("zones")?.get::<Vec<String>>().ok()?;
        let raw = RawFacts {
            identifier: text("identifier")?,
            offering: text("offering")?,
            topology: text("topology")?,
            region: text("region")?,
            zones,
            network,
            talos: text("talos_version")?,
            contract: text("contract")?,
            kubernetes: text("kubernetes_version")?,
        };
        let worker_ceph_gb = handle.member("worker_ceph_gb")?.get().ok()?;
        match raw.check() {
            Ok((facts, talos, contract)) => Some(Self {
                facts,
                infrastructure,
                talos,
                contract,
                worker_ceph_gb,
            }),
            Err(problem) => {
                let problem = problem.under(&product::Path::of("cluster"));
                report([&problem], diagnostics);
                None
            }
        }
    }
}

struct RawFacts {
    identifier: String,
    offering: String,
    topology: String,
    region: String,
    zones: Vec<String>,
    network: HandleNetwork,
    talos: String,
    contract: String,
    kubernetes: String,
}

impl RawFacts {
    fn check(&self) -> Checked<(ClusterFacts, TalosVersion, Contract)> {
        let talos = TalosVersion::parse(&self.talos)?;
        let contract = Contract::parse(&self.contract)?;
        let zones = self
            .zones
            .iter()
            .map(|zone| Zone::parse(zone))
            .collect::<Checked<Vec<_>>>()?;
        let facts = ClusterFacts {
            identifier: Identifier::parse_free(&self.identifier)?,
            offering: Offering::parse(&self.offering)?,
            topology: Topology::parse(&self.topology)?,
            region: Region::parse(&self.region)?,
            zones: Zones::new(zones)?,
            kubernetes: KubernetesRelease::parse(&self.kubernetes)?,
            network: network_plan(&self.network)?,
            public_zone: PublicZone::parse(&self.network.public_zone)?,
            load_balancer: LoadBalancerMode::parse(&self.network.load_balancer)?,
            gateway_api: false,
        };
        Ok((facts, talos, contract))
    }
}

/// The address plan of a handle's network.
fn network_plan(network: &HandleNetwork) -> Checked<NetworkPlan> {
    let address = |text: &str| {
        text.parse().map_err(|_| {
            Box::new(
                Problem::error(product::Path::root(), "not an IPv4 address")
                    .seen(format!("{text:?}"))
                    .allowed("four numbers from 0 to 255 with dots between them")
                    .next("Pass the handle of a managedk8s_cluster as it is."),
            )
        })
    };
    Ok(NetworkPlan::new(NetworkSettings {
        node_network: NodeNetwork::parse(&network.node_cidr)?,
        gateway: address(&network.gateway)?,
        nameservers: network
            .nameservers
            .iter()
            .map(|text| address(text))
            .collect::<Checked<_>>()?,
        ntp_servers: network.ntp_servers.clone(),
        pod_network: PodNetwork::parse(&network.pod_cidr)?,
        service_network: ServiceNetwork::parse(&network.service_cidr)?,
        internal_range: Some(AddressRange::parse(&network.internal_range)?),
        external_range: Some(AddressRange::parse(&network.external_range)?),
    }))
}

impl Handle {
    /// The birth, as keys are derived from it.
    ///
    /// # Errors
    ///
    /// A text that is none.
    pub fn birth(&self) -> Result<Birth, Diagnostics> {
        Birth::parse(&self.birth)
            .map_err(|problem| refused(problem.under(&product::Path::of("cluster.birth"))))
    }

    /// Reads a handle that must be wholly known, as at apply.
    ///
    /// # Errors
    ///
    /// What of it is null, unknown or of the wrong type.
    pub fn read(value: &Dynamic) -> Result<Self, Diagnostics> {
        Self::from_value(value, &Path::of("cluster"))
    }

    /// The executors' form of it.
    ///
    /// # Errors
    ///
    /// A part that this provider did not write.
    pub fn cluster(&self) -> Result<ClusterHandle, Diagnostics> {
        self.checked()
            .map_err(|problem| refused(problem.under(&product::Path::of("cluster"))))
    }

    fn checked(&self) -> Checked<ClusterHandle> {
        let raw = RawFacts {
            identifier: self.identifier.clone(),
            offering: self.offering.clone(),
            topology: self.topology.clone(),
            region: self.region.clone(),
            zones: self.zones.clone(),
            network: self.network.clone(),
            talos: self.talos_version.clone(),
            contract: self.contract.clone(),
            kubernetes: self.kubernetes_version.clone(),
        };
        let (facts, talos, contract) = raw.check()?;
        let Authorities {
            talos: talos_ca,
            kubernetes,
            aggregator,
            etcd,
        } = self.certificate_authorities.clone();
        Ok(ClusterHandle {
            id: ClusterId {
                identifier: facts.identifier,
                birth: Birth::parse(&self.birth)?,
            },
            key_fingerprint: self.key_fingerprint.clone(),
            cas: CaCertificates {
                talos: talos_ca,
                kubernetes,
                aggregator,
                etcd,
            }
            .into(),
            offering: facts.offering,
            topology: facts.topology,
            region: facts.region,
            zones: facts.zones,
            kubernetes: facts.kubernetes,
            talos,
            contract,
            network: facts.network,
            public_zone: facts.public_zone,
            load_balancer: facts.load_balancer,
            gateway_api: facts.gateway_api,
            endpoint: ApiEndpoint::parse(&self.endpoint)?,
            // Only control planes take it, and these are not made from a handle.
            virtual_address: true,
            infrastructure: self.infrastructure.lifecycle(),
            worker_ceph_gb: self.worker_ceph_gb,
        })
    }
}

impl HandleInfrastructure {
    /// The executors' form of it.
    pub fn lifecycle(&self) -> Infrastructure {
        let Self {
            template,
            network,
            backup_policy,
            storage_repository,
        } = self.clone();
        Infrastructure {
            template,
            network,
            backup_policy,
            storage_repository,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The struct and the type name the same attributes, or every apply would fail.
    #[test]
    fn struct_and_type_agree() {
        let handle = Handle {
            identifier: "alpha".into(),
            birth: "00".repeat(16),
            tenant: "t".into(),
            key_fingerprint: "f".into(),
            certificate_authorities: Authorities {
                talos: String::new(),
                kubernetes: String::new(),
                aggregator: String::new(),
                etcd: String::new(),
            },
            offering: "complete".into(),
            topology: "production".into(),
            region: "fr1".into(),
            zones: vec!["AZ05".into(), "AZ06".into(), "AZ07".into()],
            endpoint: "https://10.20.0.20:6443".into(),
            control_plane_addresses: vec!["10.20.0.21".into()],
            cluster_domain: "alpha-cluster.local".into(),
            network: HandleNetwork {
                node_cidr: "10.20.0.0/22".into(),
                gateway: "10.20.3.254".into(),
                nameservers: vec!["10.20.3.253".into()],
                ntp_servers: vec!["10.20.3.253".into()],
                pod_cidr: PodNetwork::DEFAULT.into(),
                service_cidr: ServiceNetwork::DEFAULT.into(),
                public_zone: "mk.ms-cloud-temple.com".into(),
                load_balancer: "l2".into(),
                internal_range: "10.20.1.1-10.20.1.127".into(),
                external_range: "10.20.1.128-10.20.1.254".into(),
            },
            infrastructure: HandleInfrastructure {
                template: "talos-1.13".into(),
                network: "cluster-vlan".into(),
                backup_policy: "nobackup".into(),
                storage_repository: None,
            },
            worker_ceph_gb: 0,
            contract: "1.13".into(),
            talos_version: "1.13.9".into(),
            kubernetes_version: "1.36.3".into(),
        };
        let value = handle.to_value();
        let Type::Object(members) = handle_type() else {
            panic!("a handle is an object")
        };
        let names: Vec<&String> = value.as_members().expect("an object").keys().collect();
        assert_eq!(names, members.keys().collect::<Vec<_>>());
        let mut diagnostics = Diagnostics::new();
        let facts = KnownFacts::read(&value, &mut diagnostics).expect("known");
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        assert_eq!(facts.facts.network.vip().to_string(), "10.20.0.20");
    }
}
