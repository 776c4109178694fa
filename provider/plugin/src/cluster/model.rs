//! The attributes as a Rust type, and what they mean.

use std::collections::BTreeMap;

use framework::{Dynamic, FromValue, ToValue, Value};
use lifecycle::cluster::{DesiredCluster, Infrastructure, StorageNodes};
use product::rules::{ClusterInput, PriorCluster};
use product::{
    AddressRange, ApiEndpoint, ApiStrategy, Checked, Identifier, KubernetesRelease,
    KubernetesVersion, LoadBalancerMode, MachineSize, NetworkPlan, NetworkSettings, NodeNetwork,
    Offering, PodNetwork, PublicZone, Region, Role, ServiceNetwork, TalosVersion, Topology, Zones,
};

/// `managedk8s_cluster` as configuration, plan and state: anything may be null or unknown.
#[derive(Clone, Debug, FromValue, ToValue)]
pub struct ClusterModel {
    pub identifier: Value<String>,
    pub identifier_policy: Value<String>,
    pub topology: Value<String>,
    pub offering: Value<String>,
    pub region: Value<String>,
    pub zones: Value<Vec<Value<String>>>,
    pub kubernetes_version: Value<String>,
    pub talos_version: Value<String>,
    pub cilium_version: Value<String>,
    pub network: Value<NetworkModel>,
    pub infrastructure: Value<InfrastructureModel>,
    pub api: Value<ApiModel>,
    pub control_plane: Value<ControlPlaneModel>,
    pub storage: Value<StorageModel>,
    pub deletion_protection: Value<bool>,
    pub timeouts: Dynamic,
    pub id: Value<String>,
    pub handle: Dynamic,
    pub kubernetes_release: Value<String>,
    pub cluster_domain: Value<String>,
    pub urls: Dynamic,
    pub private_dns_records: Dynamic,
    pub totals: Dynamic,
    pub kubeconfig: Value<String>,
    pub talosconfig: Value<String>,
    pub drift: Value<BTreeMap<String, String>>,
    pub plan_summary: Value<String>,
}

/// `network`.
#[derive(Clone, Debug, Default, FromValue, ToValue)]
pub struct NetworkModel {
    pub node_cidr: Value<String>,
    pub gateway: Value<String>,
    pub nameservers: Value<Vec<Value<String>>>,
    pub ntp_servers: Value<Vec<Value<String>>>,
    pub pod_cidr: Value<String>,
    pub service_cidr: Value<String>,
    pub public_zone: Value<String>,
    pub metallb: Value<MetallbModel>,
}

/// `network.metallb`.
#[derive(Clone, Debug, Default, FromValue, ToValue)]
pub struct MetallbModel {
    pub mode: Value<String>,
    pub internal_range: Value<String>,
    pub external_range: Value<String>,
}

/// `infrastructure`.
#[derive(Clone, Debug, Default, FromValue, ToValue)]
pub struct InfrastructureModel {
    pub template: Value<String>,
    pub network: Value<String>,
    pub backup_policy: Value<String>,
    pub storage_repository: Value<String>,
}

/// `api`: what is not configured is computed.
#[derive(Clone, Debug, Default, FromValue, ToValue)]
pub struct ApiModel {
    pub endpoint: Value<String>,
    pub strategy: Value<String>,
    pub vip: Value<String>,
    pub name: Value<String>,
}

/// `control_plane`.
#[derive(Clone, Debug, Default, FromValue, ToValue)]
pub struct ControlPlaneModel {
    pub os_disk_gb: Value<i64>,
}

/// `storage`.
#[derive(Clone, Debug, Default, FromValue, ToValue)]
pub struct StorageModel {
    pub ceph_gb_per_node: Value<i64>,
    pub node: Value<StorageNodeModel>,
}

/// `storage.node`.
#[derive(Clone, Debug, Default, FromValue, ToValue)]
pub struct StorageNodeModel {
    pub vcpu: Value<i64>,
    pub memory_gib: Value<i64>,
    pub os_disk_gb: Value<i64>,
}

/// A known text by reference.
fn text(value: &Value<String>) -> Option<&str> {
    value.as_known().map(String::as_str)
}

/// A list whose every element is known.
fn texts(value: &Value<Vec<Value<String>>>) -> Option<Vec<&str>> {
    value.as_known()?.iter().map(text).collect()
}

/// The members of a nested attribute that is optional: none of them is set when it is null, and nothing is known when it
/// is unknown.
pub fn nested<T: Clone + Default>(value: &Value<T>) -> Option<T> {
    match value {
        Value::Known(members) => Some(members.clone()),
        Value::Null => Some(T::default()),
        Value::Unknown => None,
    }
}

/// An optional number with its default; `None` while unknown.
fn number(value: Value<i64>, default: i64) -> Option<i64> {
    value.or_default_to(default).known()
}

impl ClusterModel {
    /// The input of the product's rules: whatever is known, defaults filled in.
    ///
    /// `api` is what the configuration says about it: in a plan the rest of it is computed.
    pub fn rules_input<'a>(
        &'a self,
        api: Option<&'a ApiModel>,
        prior: Option<PriorCluster>,
    ) -> ClusterInput<'a> {
        let network = self.network.as_known();
        let metallb = network.and_then(|network| network.metallb.as_known());
        let storage = nested(&self.storage);
        let node = storage.as_ref().and_then(|storage| nested(&storage.node));
        let size = MachineSize::of(Role::Storage);
        ClusterInput {
            identifier: text(&self.identifier),
            identifier_policy: text(&self.identifier_policy),
            offering: text(&self.offering),
            topology: text(&self.topology),
            region: text(&self.region),
            zones: texts(&self.zones),
            kubernetes_version: text(&self.kubernetes_version),
            talos_version: text(&self.talos_version),
            node_cidr: network.and_then(|network| text(&network.node_cidr)),
            gateway: network.and_then(|network| text(&network.gateway)),
            nameservers: network.and_then(|network| texts(&network.nameservers)),
            ntp_servers: network.and_then(|network| texts(&network.ntp_servers)),
            pod_cidr: network.and_then(|network| text(&network.pod_cidr)),
            service_cidr: network.and_then(|network| text(&network.service_cidr)),
            public_zone: network.and_then(|network| text(&network.public_zone)),
            internal_range: metallb.and_then(|metallb| text(&metallb.internal_range)),
            external_range: metallb.and_then(|metallb| text(&metallb.external_range)),
            control_plane_os_disk_gb: nested(&self.control_plane).and_then(|control_plane| {
                number(control_plane.os_disk_gb, i64::from(size.os_disk_gb))
            }),
            ceph_gb_per_node: self.ceph_gb(),
            storage_vcpu: node
                .as_ref()
                .and_then(|node| number(node.vcpu, i64::from(size.vcpu))),
            storage_memory_gib: node
                .as_ref()
                .and_then(|node| number(node.memory_gib, i64::from(size.memory_gib))),
            storage_os_disk_gb: node
                .as_ref()
                .and_then(|node| number(node.os_disk_gb, i64::from(size.os_disk_gb))),
            api_strategy: api.as_ref().and_then(|api| match &api.strategy {
                Value::Null => Some(ApiStrategy::Vip.as_str()),
                strategy => text(strategy),
            }),
            api_endpoint: api.as_ref().and_then(|api| match &api.endpoint {
                Value::Null => Some(None),
                endpoint => text(endpoint).map(Some),
            }),
            prior,
            ..ClusterInput::default()
        }
    }

    fn ceph_gb(&self) -> Option<i64> {
        let topology = Topology::parse(text(&self.topology)?).ok()?;
        number(
            nested(&self.storage)?.ceph_gb_per_node,
            i64::from(topology.minimum_ceph_gb()),
        )
    }

    /// The release of Kubernetes to run: the one in state while it satisfies the configuration, so that a newer provider
    /// raises nothing by itself.
    pub fn resolve_kubernetes(
        &self,
        prior: Option<&KubernetesRelease>,
    ) -> Option<KubernetesRelease> {
        let wanted = KubernetesVersion::parse(text(&self.kubernetes_version)?).ok()?;
        prior
            .filter(|release| wanted.accepts(release))
            .copied()
            .or_else(|| wanted.resolve().ok())
    }

    /// The release in state.
    pub fn stored_kubernetes(&self) -> Option<KubernetesRelease> {
        KubernetesRelease::parse(text(&self.kubernetes_release)?).ok()
    }

    /// The network plan, once every input is known and valid.
    pub fn network_plan(&self) -> Option<NetworkPlan> {
        let network = self.network.as_known()?;
        let metallb = nested(&network.metallb)?;
        let range = |value: &Value<String>| match value {
            Value::Known(text) => AddressRange::parse(text).ok().map(Some),
            Value::Null => Some(None),
            Value::Unknown => None,
        };
        Some(NetworkPlan::new(NetworkSettings {
            node_network: NodeNetwork::parse(text(&network.node_cidr)?).ok()?,
            gateway: text(&network.gateway)?.parse().ok()?,
            nameservers: texts(&network.nameservers)?
                .into_iter()
                .map(|address| address.parse().ok())
                .collect::<Option<_>>()?,
            ntp_servers: texts(&network.ntp_servers)?
                .into_iter()
                .map(str::to_owned)
                .collect(),
            pod_network: PodNetwork::parse(text(&network.pod_cidr)?).ok()?,
            service_network: ServiceNetwork::parse(text(&network.service_cidr)?).ok()?,
            internal_range: range(&metallb.internal_range)?,
            external_range: range(&metallb.external_range)?,
        }))
    }

    /// What the configuration asks for, once everything it depends on is known and valid. `prior` pins what a create
    /// chose.
    pub fn desired(&self, prior: Option<&ClusterModel>) -> Option<DesiredCluster> {
        let network = self.network_plan()?;
        let (endpoint, api_strategy) = self.api(&network)?;
        let topology = Topology::parse(text(&self.topology)?).ok()?;
        let talos = TalosVersion::parse(text(&self.talos_version)?).ok()?;
        let contract = match prior
            .and_then(|prior| prior.handle.member("contract")?.as_str().map(str::to_owned))
        {
            Some(text) => product::Contract::parse(&text).ok()?,
            None => talos.contract().ok()?,
        };
        let zones = texts(&self.zones)?;
        let infrastructure = self.infrastructure.as_known()?;
        Some(DesiredCluster {
            identifier: self.identifier(topology).ok()?,
            offering: Offering::parse(text(&self.offering)?).ok()?,
            topology,
            region: Region::parse(text(&self.region)?).ok()?,
            zones: Zones::parse(&zones, topology).ok()?,
            kubernetes: self
                .resolve_kubernetes(prior.and_then(Self::stored_kubernetes).as_ref())?,
            talos,
            contract,
            network,
            public_zone: PublicZone::parse(text(&self.network.as_known()?.public_zone)?).ok()?,
            load_balancer: match &nested(&self.network.as_known()?.metallb)?.mode {
                Value::Known(mode) => LoadBalancerMode::parse(mode).ok()?,
                Value::Null => LoadBalancerMode::L2,
                Value::Unknown => return None,
            },
            gateway_api: false,
            control_plane: self.size(Role::ControlPlane)?,
            storage: StorageNodes {
                count: topology.storage_nodes(),
                size: self.size(Role::Storage)?,
                ceph_gb_per_node: self.ceph_gb()?.try_into().ok()?,
            },
            infrastructure: Infrastructure {
                template: text(&infrastructure.template)?.to_owned(),
                network: text(&infrastructure.network)?.to_owned(),
                backup_policy: text(&infrastructure.backup_policy)?.to_owned(),
                storage_repository: infrastructure.storage_repository.clone().settled()?,
            },
            endpoint,
            api_strategy,
            network_chart: text(&self.cilium_version)?.to_owned(),
        })
    }

    /// The endpoint when it is not the virtual address, and the strategy.
    fn api(&self, network: &NetworkPlan) -> Option<(Option<ApiEndpoint>, ApiStrategy)> {
        let api = nested(&self.api)?;
        let strategy = match &api.strategy {
            Value::Known(word) => ApiStrategy::parse(word).ok()?,
            Value::Null => ApiStrategy::Vip,
            Value::Unknown => return None,
        };
        let endpoint = match &api.endpoint {
            Value::Known(url) => Some(ApiEndpoint::parse(url).ok()?),
            Value::Null if strategy == ApiStrategy::Vip => None,
            Value::Null | Value::Unknown => return None,
        };
        let vip = ApiEndpoint::of_vip(network.vip());
        Some((endpoint.filter(|endpoint| *endpoint != vip), strategy))
    }

    fn identifier(&self, topology: Topology) -> Checked<Identifier> {
        let identifier = text(&self.identifier).unwrap_or_default();
        match text(&self.identifier_policy) {
            Some("free") => Identifier::parse_free(identifier),
            _ => Identifier::parse(identifier, topology, product::IdentifierPolicy::Strict),
        }
    }

    fn size(&self, role: Role) -> Option<MachineSize> {
        let size = MachineSize::of(role);
        let or =
            |value: Value<i64>, default: u32| number(value, i64::from(default))?.try_into().ok();
        if role == Role::ControlPlane {
            let control_plane = nested(&self.control_plane)?;
            return Some(MachineSize {
                os_disk_gb: or(control_plane.os_disk_gb, size.os_disk_gb)?,
                ..size
            });
        }
        let node = nested(&nested(&self.storage)?.node)?;
        Some(MachineSize {
            vcpu: number(node.vcpu, i64::from(size.vcpu))?.try_into().ok()?,
            memory_gib: number(node.memory_gib, i64::from(size.memory_gib))?
                .try_into()
                .ok()?,
            os_disk_gb: or(node.os_disk_gb, size.os_disk_gb)?,
        })
    }

    /// What state says about the cluster, for rules about changes.
    pub fn as_prior(&self) -> PriorCluster {
        PriorCluster {
            kubernetes: self.stored_kubernetes(),
            talos: text(&self.talos_version).and_then(|text| TalosVersion::parse(text).ok()),
            ceph_gb_per_node: self.ceph_gb().and_then(|gb| gb.try_into().ok()),
            offering: text(&self.offering).and_then(|text| Offering::parse(text).ok()),
        }
    }
}

impl ClusterModel {
    /// Fills in the schema's defaults where a configuration is checked before any plan did.
    pub fn fill_defaults(&mut self) {
        let fill = |value: &mut Value<String>, default: &str| {
            if value.is_null() {
                *value = default.to_owned().into();
            }
        };
        fill(&mut self.identifier_policy, "strict");
        fill(&mut self.offering, "complete");
        fill(&mut self.region, "fr1");
        if let Value::Known(network) = &mut self.network {
            fill(&mut network.pod_cidr, PodNetwork::DEFAULT);
            fill(&mut network.service_cidr, ServiceNetwork::DEFAULT);
            fill(&mut network.public_zone, product::PUBLIC_ZONE);
        }
    }
}
