//! What a new tenant has.

use super::model::{
    Cloud, Host, Named, Network, Policy, PrivateNetwork, StorageRepository, Template, seed_id,
};
use crate::config::Tenant;

const GIB: u64 = 1 << 30;

/// The cloud of a tenant that has made nothing yet. Every identifier is a function of the names.
pub fn seed(tenant: &Tenant) -> Cloud {
    let named = |kind: &str, name: &str| Named {
        id: seed_id(&format!("{kind}/{}/{name}", tenant.name)),
        name: name.into(),
    };
    let vpc = named("vpc", "vpc-sandbox");
    let private = PrivateNetwork {
        id: named("private-network", "k8s-nodes").id,
        name: "k8s-nodes".into(),
        cidr: "10.30.0.0/24".into(),
        vpc,
    };
    let mut cloud = Cloud {
        tenant: named("tenant", &tenant.name).id,
        user: named("user", "robot").id,
        company: named("company", "Sandbox Company").id,
        ..Cloud::default()
    };
    for zone_name in &tenant.zones {
        let zone = named("zone", zone_name);
        let id = |kind: &str, name: &str| {
            seed_id(&format!("{kind}/{}/{}/{name}", tenant.name, zone.name))
        };
        cloud.pools.push(Named {
            id: id("pool", "1"),
            name: format!("POOL-{zone_name}"),
        });
        for index in 1..=tenant.hosts {
            cloud.hosts.push(Host {
                id: id("host", &index.to_string()),
                name: format!("{}-h{index:02}", zone_name.to_lowercase()),
                zone: zone.id.clone(),
                memory: tenant.host_memory_gib * GIB,
                cores: tenant.host_cores,
                maintenance: false,
            });
        }
        let block = id("storage", "block");
        for (name, sr, kind, shared) in [
            ("block", block.clone(), "lvmohba", true),
            ("iso", id("storage", "iso"), "iso", true),
        ] {
            cloud.storage.push(StorageRepository {
                id: sr,
                name: format!("sr-{}-{name}", zone_name.to_lowercase()),
                zone: zone.id.clone(),
                kind: kind.into(),
                capacity: tenant.storage_gib * GIB,
                shared,
                host: None,
                accessible: true,
                maintenance: false,
            });
        }
        let mut first_network = String::new();
        for name in &tenant.networks {
            let network = id("network", name);
            if first_network.is_empty() {
                first_network.clone_from(&network);
            }
            cloud.networks.push(Network {
                id: network,
                name: name.clone(),
                zone: zone.id.clone(),
                behind: None,
            });
        }
        cloud.networks.push(Network {
            id: id("network", "vpc-k8s-nodes"),
            name: "vpc-k8s-nodes".into(),
            zone: zone.id.clone(),
            behind: Some(private.id.clone()),
        });
        for (name, version) in &tenant.templates {
            cloud.templates.push(Template {
                id: id("template", name),
                name: name.clone(),
                zone: zone.id.clone(),
                cpu: 2,
                memory: 2 * GIB,
                disk: Some(("talos-system".into(), 4 * GIB)),
                storage: block.clone(),
                network: first_network.clone(),
                talos_version: version.clone(),
            });
        }
        for name in &tenant.policies {
            cloud.policies.push(Policy {
                id: id("policy", name),
                name: name.clone(),
                zone: zone.id.clone(),
                vms: Vec::new(),
            });
        }
        cloud.zones.push(zone);
    }
    cloud.private_networks.push(private);
    cloud
}
