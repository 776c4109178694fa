//! The plan of a cluster: rules, computed values, steps. Nothing is asked of any API.

use framework::{
    Change, Diagnostics, Dynamic, ModifyPlanRequest, ModifyPlanResponse, Outcome, Path, ToValue,
};
use lifecycle::cluster::{DesiredCluster, plan_from_state};
use product::rules::check_cluster;
use product::{ApiStrategy, Role, Totals, api_name, cluster_urls, private_dns_records};

use super::ClusterModel;
use super::model::nested;
use crate::attributes::{refuse_change, show_plan, stored_drift};
use crate::problems::report;
use crate::protection;

/// Attributes that nothing changes in place, and that are no reason to replace a cluster.
const FIXED: &[(&str, &str)] = &[
    (
        "zones",
        "Machines do not move between zones: set it back, or create another cluster beside this one.",
    ),
    (
        "network.gateway",
        "Nodes keep their network settings for life: set it back.",
    ),
    (
        "network.nameservers",
        "Nodes keep their network settings for life: set it back.",
    ),
    (
        "network.ntp_servers",
        "Nodes keep their network settings for life: set it back.",
    ),
    (
        "network.public_zone",
        "The names are in the cluster's certificates: set it back.",
    ),
    (
        "api.endpoint",
        "Every machine's configuration and the tokens of service accounts name it: set it back.",
    ),
    (
        "api.strategy",
        "Every control plane's configuration depends on it: set it back.",
    ),
    (
        "infrastructure.network",
        "Machines do not change their network: set it back.",
    ),
    (
        "control_plane",
        "System disks cannot be resized: set it back.",
    ),
    (
        "storage",
        "Storage nodes cannot be changed by this version of the provider: set it back.",
    ),
    (
        "kubernetes_release",
        "Upgrades of Kubernetes are not part of this version of the provider: set kubernetes_version back.",
    ),
    (
        "talos_version",
        "Upgrades of Talos are not part of this version of the provider: set it back.",
    ),
];

/// Changes or refuses a plan.
pub fn plan<D>(request: &ModifyPlanRequest<D>, response: &mut ModifyPlanResponse) -> Outcome {
    if request.change() == Change::Destroy {
        return protection::check_destroy(&request.prior_state, &request.prior_private);
    }
    let prior: Option<ClusterModel> = if request.prior_state.is_null() {
        None
    } else {
        Some(request.prior_state.get()?)
    };
    let model: ClusterModel = response.planned_state.get()?;
    protection::remember(
        model.deletion_protection.as_known().copied(),
        &mut response.planned_private,
    );
    let config: ClusterModel = request.config.get()?;
    let exists = prior.as_ref().map(ClusterModel::as_prior);
    report(
        &check_cluster(&model.rules_input(nested(&config.api).as_ref(), exists)),
        &mut response.diagnostics,
    );
    let model = ClusterModel {
        api: config.api,
        ..model
    };
    compute(&model, prior.as_ref(), request, response);
    if let Some(prior) = &prior {
        for (name, next) in FIXED {
            refuse_change(
                name,
                &request.prior_state,
                &response.planned_state,
                next,
                &mut response.diagnostics,
            );
        }
        protection::check_replace(prior.deletion_protection.as_known().copied(), response);
    }
    Ok(())
}

/// Fills in what follows from the configuration, each value as soon as its inputs are known.
fn compute<D>(
    model: &ClusterModel,
    prior: Option<&ClusterModel>,
    request: &ModifyPlanRequest<D>,
    response: &mut ModifyPlanResponse,
) {
    let mut model = model.clone();
    if model.cilium_version.is_unknown() || model.cilium_version.is_null() {
        let stored = prior.and_then(|prior| prior.cilium_version.clone().known());
        let pinned =
            product::catalogue::component("cilium").map(|component| component.version.to_owned());
        if let (true, Some(version)) = (
            configured_null(request, "cilium_version"),
            stored.or(pinned),
        ) {
            model.cilium_version = version.into();
        }
    }
    let stored = prior.and_then(ClusterModel::stored_kubernetes);
    model.kubernetes_release = match model.resolve_kubernetes(stored.as_ref()) {
        Some(release) => release.to_string().into(),
        None => framework::Value::Unknown,
    };
    response.set_at(&Path::of("cilium_version"), &model.cilium_version);
    response.set_at(&Path::of("kubernetes_release"), &model.kubernetes_release);
    let desired = model.desired(prior);
    let derived = desired.as_ref().map(Derived::of);
    for name in [
        "api",
        "cluster_domain",
        "urls",
        "private_dns_records",
        "totals",
    ] {
        let value = match &derived {
            Some(derived) => derived.get(name),
            None => unknown(&request.config, name),
        };
        response.set_at(&Path::of(name), &value);
    }
    let handle = handle(desired.as_ref(), &request.prior_state);
    response.set_at(&Path::of("handle"), &handle);
    // They follow from the handle and the provider block; Read keeps them current.
    for name in ["kubeconfig", "talosconfig"] {
        let stored = request.prior_state.member(name);
        let stored = stored.filter(|stored| !stored.is_null()).cloned();
        response.set_at(&Path::of(name), &stored.unwrap_or(Dynamic::UNKNOWN));
    }
    let Some(desired) = desired else {
        response.set_at(&Path::of("plan_summary"), &Dynamic::UNKNOWN);
        response.set_at(&Path::of("drift"), &Dynamic::UNKNOWN);
        return;
    };
    // Of a cluster that an import saw from outside the drift says what is to be done.
    let before = prior.map(|prior| {
        let before = prior.desired(Some(prior));
        let before = before.unwrap_or_else(|| desired.clone());
        (before, stored_drift(&prior.drift))
    });
    let plan = plan_from_state(
        &desired,
        before.as_ref().map(|(before, drift)| (before, drift)),
    );
    show_plan(&plan, &request.prior_state, response);
}

/// A value that cannot be computed yet: what of it is configured stays, the rest is unknown.
fn unknown(config: &Dynamic, name: &str) -> Dynamic {
    let Some(members) = config.member(name).and_then(Dynamic::as_members) else {
        return Dynamic::UNKNOWN;
    };
    Dynamic::object(members.iter().map(|(member, value)| {
        let value = if value.is_null() {
            Dynamic::UNKNOWN
        } else {
            value.clone()
        };
        (member.clone(), value)
    }))
}

fn configured_null<D>(request: &ModifyPlanRequest<D>, name: &str) -> bool {
    request.config.member(name).is_none_or(Dynamic::is_null)
}

/// Values that follow from the desired cluster alone.
pub struct Derived {
    members: Vec<(&'static str, Dynamic)>,
}

impl Derived {
    /// Computes them.
    pub fn of(desired: &DesiredCluster) -> Self {
        let plan = &desired.network;
        let name = api_name(&desired.identifier, &desired.public_zone);
        let texts = |map: std::collections::BTreeMap<String, String>| {
            Dynamic::map(
                map.into_iter()
                    .map(|(key, value)| (key, Dynamic::string(value))),
            )
        };
        let urls = cluster_urls(&desired.identifier, &desired.public_zone, false)
            .into_iter()
            .map(|(name, url)| (name.to_owned(), url))
            .collect();
        let totals = totals(desired);
        let number = |value: u64| value.to_value();
        let text = |value: &dyn std::fmt::Display| Dynamic::string(value.to_string());
        Self {
            members: vec![
                (
                    "api",
                    Dynamic::object([
                        ("endpoint", text(&desired.api_endpoint())),
                        ("strategy", text(&desired.api_strategy)),
                        ("vip", Dynamic::string(plan.vip().to_string())),
                        ("name", Dynamic::string(name)),
                    ]),
                ),
                (
                    "cluster_domain",
                    Dynamic::string(desired.identifier.cluster_domain()),
                ),
                ("urls", texts(urls)),
                (
                    "private_dns_records",
                    texts(private_dns_records(
                        &desired.identifier,
                        &desired.public_zone,
                        plan,
                        match desired.api_strategy {
                            ApiStrategy::Vip => Some(plan.vip()),
                            ApiStrategy::External => desired.api_endpoint().address(),
                        },
                    )),
                ),
                (
                    "totals",
                    Dynamic::object([
                        ("vcpu", number(totals.vcpu)),
                        ("memory_gib", number(totals.memory_gib)),
                        ("os_disk_gb", number(totals.os_disk_gb)),
                        ("ceph_raw_gb", number(totals.ceph_raw_gb)),
                    ]),
                ),
            ],
        }
    }

    /// One of them, by attribute.
    pub fn get(&self, name: &str) -> Dynamic {
        self.members
            .iter()
            .find(|(member, _)| *member == name)
            .map_or(Dynamic::Null, |(_, value)| value.clone())
    }
}

fn totals(desired: &DesiredCluster) -> Totals {
    desired
        .machines()
        .iter()
        .fold(Totals::default(), |totals, machine| {
            let ceph = if machine.node.role == Role::Storage {
                machine.disks.total_gb()
            } else {
                0
            };
            totals.add(machine.node.role, 1, machine.size, ceph)
        })
}

/// The handle as far as it is known at plan: what the birth decides is that of the state.
fn handle(desired: Option<&DesiredCluster>, prior: &Dynamic) -> Dynamic {
    let Some(desired) = desired else {
        return Dynamic::UNKNOWN;
    };
    let born = |name: &str| {
        prior
            .member("handle")
            .and_then(|handle| handle.member(name))
            .filter(|value| !value.is_null())
            .cloned()
            .unwrap_or(Dynamic::UNKNOWN)
    };
    let authorities = match born("certificate_authorities") {
        Dynamic::Unknown(_) => Dynamic::object(
            ["talos", "kubernetes", "aggregator", "etcd"].map(|name| (name, Dynamic::UNKNOWN)),
        ),
        known => known,
    };
    let mut members = public_members(desired);
    members.extend([
        ("birth", born("birth")),
        ("tenant", born("tenant")),
        ("key_fingerprint", born("key_fingerprint")),
        ("certificate_authorities", authorities),
    ]);
    Dynamic::object(members)
}

/// GB of Ceph on each of the first three workers: storage lies there in devtest.
fn worker_ceph_gb(desired: &DesiredCluster) -> u32 {
    if desired.topology.storage_workers() > 0 {
        desired.storage.ceph_gb_per_node
    } else {
        0
    }
}

/// The zones as configuration and handle give them.
pub fn zones(desired: &DesiredCluster) -> Dynamic {
    let zones = desired.zones.as_slice().iter();
    Dynamic::list(zones.map(|zone| Dynamic::string(zone.to_string())))
}

/// The members of `network` that configuration and handle share.
pub fn network_members(desired: &DesiredCluster) -> Vec<(&'static str, Dynamic)> {
    let text = |value: &dyn std::fmt::Display| Dynamic::string(value.to_string());
    let network = &desired.network;
    let servers = network.ntp_servers.iter().map(Dynamic::string);
    vec![
        ("node_cidr", text(&network.node_network.net())),
        ("gateway", text(&network.gateway)),
        (
            "nameservers",
            Dynamic::list(network.nameservers.iter().map(|address| text(address))),
        ),
        ("ntp_servers", Dynamic::list(servers)),
        ("pod_cidr", text(&network.pod_network.net())),
        ("service_cidr", text(&network.service_network.net())),
        ("public_zone", text(&desired.public_zone)),
    ]
}

/// `infrastructure` as configuration and handle give it.
pub fn infrastructure(desired: &DesiredCluster) -> Dynamic {
    let infrastructure = &desired.infrastructure;
    Dynamic::object([
        ("template", Dynamic::string(&infrastructure.template)),
        ("network", Dynamic::string(&infrastructure.network)),
        (
            "backup_policy",
            Dynamic::string(&infrastructure.backup_policy),
        ),
        (
            "storage_repository",
            infrastructure.storage_repository.to_value(),
        ),
    ])
}

/// Members of the handle that follow from the configuration.
pub fn public_members(desired: &DesiredCluster) -> Vec<(&'static str, Dynamic)> {
    let text = |value: &dyn std::fmt::Display| Dynamic::string(value.to_string());
    let network = &desired.network;
    let control_planes = (1..=desired.topology.control_planes())
        .map(|index| text(&network.address(product::NodeKey::control_plane(index))));
    vec![
        ("identifier", text(&desired.identifier)),
        ("offering", text(&desired.offering)),
        ("topology", text(&desired.topology)),
        ("region", text(&desired.region)),
        ("zones", zones(desired)),
        ("endpoint", text(&desired.api_endpoint())),
        ("control_plane_addresses", Dynamic::list(control_planes)),
        (
            "cluster_domain",
            Dynamic::string(desired.identifier.cluster_domain()),
        ),
        (
            "network",
            Dynamic::object(network_members(desired).into_iter().chain([
                ("load_balancer", text(&desired.load_balancer)),
                ("internal_range", text(&network.internal_range)),
                ("external_range", text(&network.external_range)),
            ])),
        ),
        ("infrastructure", infrastructure(desired)),
        ("worker_ceph_gb", worker_ceph_gb(desired).to_value()),
        ("contract", text(&desired.contract)),
        ("talos_version", text(&desired.talos)),
        ("kubernetes_version", text(&desired.kubernetes)),
    ]
}

/// Checks a configuration before any plan: the product's rules on what is known.
pub fn validate(config: &Dynamic, diagnostics: &mut Diagnostics) -> Outcome {
    let mut model: ClusterModel = config.get()?;
    model.fill_defaults();
    let api = nested(&model.api);
    report(
        &check_cluster(&model.rules_input(api.as_ref(), None)),
        diagnostics,
    );
    Ok(())
}
