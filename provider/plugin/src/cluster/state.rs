//! What is stored of a cluster.

use framework::{Dynamic, Path, ToValue, Type};
use lifecycle::cluster::DesiredCluster;
use lifecycle::run::{ClusterRecord, RecordedCluster, ShownCluster};
use lifecycle::{Deviation, DeviationKind, Drift, Object};
use product::Role;
use talos::access::{ClusterIdentity, KubernetesAccess, TalosAccess};

use super::plan::{Derived, infrastructure, network_members, public_members, zones};
use crate::clients::Data;
use crate::handle::{Handle, handle_type};

/// The state after an apply: the plan, with everything the birth decides filled in.
pub fn write(
    planned: &Dynamic,
    desired: &DesiredCluster,
    record: &ClusterRecord,
    drift: &Drift,
    tenant: &str,
    data: &Data,
) -> Dynamic {
    let mut state = planned.clone();
    let handle = handle(desired, record, tenant);
    state.set_at(&Path::of("id"), Dynamic::string(record.id.to_string()));
    state.set_at(
        &Path::of("kubernetes_release"),
        Dynamic::string(desired.kubernetes.to_string()),
    );
    state.set_at(
        &Path::of("cilium_version"),
        Dynamic::string(desired.network_chart.clone()),
    );
    let derived = Derived::of(desired);
    for name in [
        "api",
        "cluster_domain",
        "urls",
        "private_dns_records",
        "totals",
    ] {
        state.set_at(&Path::of(name), derived.get(name));
    }
    state.set_at(&Path::of("drift"), drift.as_map().to_value());
    if let Ok(handle) = handle.get::<Handle>() {
        state.set_at(&Path::of("kubeconfig"), kubeconfig(&handle, data));
        state.set_at(&Path::of("talosconfig"), talosconfig(&handle, data));
    }
    state.set_at(&Path::of("handle"), handle);
    state
}

/// The handle, all of it.
fn handle(desired: &DesiredCluster, record: &ClusterRecord, tenant: &str) -> Dynamic {
    let cas = &record.cas;
    let mut members = public_members(desired);
    members.extend([
        ("birth", Dynamic::string(record.id.birth.to_string())),
        ("tenant", Dynamic::string(tenant)),
        (
            "key_fingerprint",
            Dynamic::string(record.key_fingerprint.clone()),
        ),
        (
            "certificate_authorities",
            Dynamic::object([
                ("talos", Dynamic::string(cas.talos.clone())),
                ("kubernetes", Dynamic::string(cas.kubernetes.clone())),
                ("aggregator", Dynamic::string(cas.aggregator.clone())),
                ("etcd", Dynamic::string(cas.etcd.clone())),
            ]),
        ),
    ]);
    Dynamic::object(members)
}

/// The public kubeconfig: no credential inside, but how to get one at use.
pub fn kubeconfig(handle: &Handle, data: &Data) -> Dynamic {
    let Some(identity) = identity(handle) else {
        return Dynamic::Null;
    };
    let access = KubernetesAccess {
        name: &handle.identifier,
        server: &handle.endpoint,
        ca: &handle.certificate_authorities.kubernetes,
        proxy_url: data.settings.proxy_url.as_deref(),
    };
    Dynamic::string(access.with_program(&identity))
}

/// The public talosconfig: no credential inside, but the command that completes it.
pub fn talosconfig(handle: &Handle, data: &Data) -> Dynamic {
    let Some(identity) = identity(handle) else {
        return Dynamic::Null;
    };
    let access = TalosAccess {
        name: &handle.identifier,
        endpoints: &handle.control_plane_addresses,
        nodes: &handle.control_plane_addresses[..handle.control_plane_addresses.len().min(1)],
        ca: &handle.certificate_authorities.talos,
        proxy_url: data.settings.proxy_url.as_deref(),
    };
    Dynamic::string(access.without_credential(&identity))
}

/// Which cluster credentials are minted for.
fn identity(handle: &Handle) -> Option<ClusterIdentity<'_>> {
    Some(ClusterIdentity {
        tenant: &handle.tenant,
        identifier: &handle.identifier,
        birth: handle.birth().ok()?,
    })
}

/// The state of an imported cluster, from what it recorded about itself: as the configuration that made it would leave it.
pub fn imported(recorded: &RecordedCluster, tenant: &str, data: &Data) -> Dynamic {
    let RecordedCluster {
        desired, record, ..
    } = recorded;
    let text = |value: &dyn std::fmt::Display| Dynamic::string(value.to_string());
    let default_size = |role| product::MachineSize::of(role);
    let control_plane = (desired.control_plane != default_size(Role::ControlPlane))
        .then(|| Dynamic::object([("os_disk_gb", desired.control_plane.os_disk_gb.to_value())]));
    let configured = Dynamic::object([
        ("identifier", text(&desired.identifier)),
        (
            "identifier_policy",
            Dynamic::string(identifier_policy(desired)),
        ),
        ("topology", text(&desired.topology)),
        ("offering", text(&desired.offering)),
        ("region", text(&desired.region)),
        ("zones", zones(desired)),
        (
            "kubernetes_version",
            Dynamic::string(recorded.desired.kubernetes.minor().to_string()),
        ),
        ("talos_version", text(&desired.talos)),
        ("cilium_version", Dynamic::Null),
        (
            "network",
            Dynamic::object(
                network_members(desired)
                    .into_iter()
                    .chain([("metallb", Dynamic::Null)]),
            ),
        ),
        ("infrastructure", infrastructure(desired)),
        ("control_plane", control_plane.unwrap_or(Dynamic::Null)),
        ("storage", storage(desired)),
        ("deletion_protection", Dynamic::Bool(false)),
        ("timeouts", Dynamic::Null),
        ("id", Dynamic::Null),
        ("handle", Dynamic::Null),
        ("kubernetes_release", Dynamic::Null),
        ("api", Dynamic::Null),
        ("cluster_domain", Dynamic::Null),
        ("urls", Dynamic::Null),
        ("private_dns_records", Dynamic::Null),
        ("totals", Dynamic::Null),
        ("kubeconfig", Dynamic::Null),
        ("talosconfig", Dynamic::Null),
        ("drift", Dynamic::Null),
        ("plan_summary", Dynamic::Null),
    ]);
    write(
        &configured,
        desired,
        record,
        &Drift::default(),
        tenant,
        data,
    )
}

/// The state of a cluster that an import could only see from outside. What is null there is no reason to replace
/// anything: the next plan is an update in place, and the next read that reaches the cluster fills it in.
pub fn shown(shown: &ShownCluster, tenant: &str) -> Dynamic {
    let id = &shown.id;
    let text = |value: &dyn std::fmt::Display| Dynamic::string(value.to_string());
    let zones = shown
        .zones
        .as_ref()
        .map(|zones| Dynamic::list(zones.as_slice().iter().map(|zone| text(zone))));
    let network = shown.node_network.map(|network| {
        let names = [
            "gateway",
            "nameservers",
            "ntp_servers",
            "pod_cidr",
            "service_cidr",
            "public_zone",
            "metallb",
        ];
        let unseen = names.into_iter().map(|name| (name, Dynamic::Null));
        Dynamic::object(std::iter::once(("node_cidr", text(&network.net()))).chain(unseen))
    });
    let Type::Object(members) = handle_type() else {
        return Dynamic::Null;
    };
    let mut handle = Dynamic::object(members.into_keys().map(|name| (name, Dynamic::Null)));
    for (name, value) in [
        ("identifier", text(&id.identifier)),
        ("birth", text(&id.birth)),
        ("tenant", Dynamic::string(tenant)),
        ("topology", text(&shown.topology)),
        ("cluster_domain", text(&id.identifier.cluster_domain())),
    ] {
        handle.set_at(&Path::of(name), value);
    }
    let unread = Deviation::new(
        Object::Cluster,
        DeviationKind::Inputs,
        "they could not be read",
    );
    Dynamic::object([
        ("id", text(id)),
        ("identifier", text(&id.identifier)),
        ("topology", text(&shown.topology)),
        ("zones", zones.unwrap_or(Dynamic::Null)),
        ("network", network.unwrap_or(Dynamic::Null)),
        ("handle", handle),
        ("drift", Drift::of(&[unread]).as_map().to_value()),
    ])
}

/// Whether a state is what an import saw from outside.
pub fn is_shown(state: &Dynamic) -> bool {
    let handle = state.member("handle").filter(|handle| !handle.is_null());
    handle.is_some_and(|handle| {
        handle
            .member("certificate_authorities")
            .is_none_or(Dynamic::is_null)
    })
}

/// The strict policy when the identifier keeps it.
fn identifier_policy(desired: &DesiredCluster) -> &'static str {
    if product::identifier_ok(desired.identifier.as_str(), desired.topology) {
        "strict"
    } else {
        "free"
    }
}

/// `storage`, null when every part of it is the default.
fn storage(desired: &DesiredCluster) -> Dynamic {
    let default = product::MachineSize::of(Role::Storage);
    let size = desired.storage.size;
    let ceph = desired.storage.ceph_gb_per_node;
    if size == default && ceph == desired.topology.minimum_ceph_gb() {
        return Dynamic::Null;
    }
    let unless = |value: u32, default: u32| {
        if value == default {
            Dynamic::Null
        } else {
            value.to_value()
        }
    };
    let node = if size == default {
        Dynamic::Null
    } else {
        Dynamic::object([
            (
                "vcpu",
                unless(u32::from(size.vcpu), u32::from(default.vcpu)),
            ),
            ("memory_gib", unless(size.memory_gib, default.memory_gib)),
            ("os_disk_gb", unless(size.os_disk_gb, default.os_disk_gb)),
        ])
    };
    Dynamic::object([
        (
            "ceph_gb_per_node",
            unless(ceph, desired.topology.minimum_ceph_gb()),
        ),
        ("node", node),
    ])
}
