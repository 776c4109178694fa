//! Addresses and node ports of Services.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::store::Store;
use super::value::{array, int, members, name, text};

/// First port of the range for node ports ("Kubernetes docs", Service).
const NODE_PORTS: std::ops::Range<i64> = 30_000..32_768;

/// What an update leaves out stays: addresses and node ports.
pub(super) fn keep(old: &Value, new: &mut Value) {
    if text(&new["spec"]["type"]) == "ExternalName" || text(&old["spec"]["type"]) == "ExternalName"
    {
        return;
    }
    for field in ["clusterIP", "clusterIPs"] {
        let kept = old["spec"][field].clone();
        if new["spec"][field].is_null() && !kept.is_null() {
            members(&mut new["spec"]).insert(field.to_owned(), kept);
        }
    }
    let before = array(&old["spec"]["ports"]).to_vec();
    if let Some(ports) = new["spec"]["ports"].as_array_mut() {
        for port in ports {
            let same = before.iter().find(|seen| {
                seen["port"] == port["port"]
                    && text(&seen["protocol"]) == port["protocol"].as_str().unwrap_or("TCP")
            });
            if let (true, Some(same)) = (port["nodePort"].is_null(), same)
                && !same["nodePort"].is_null()
            {
                members(port).insert("nodePort".to_owned(), same["nodePort"].clone());
            }
        }
    }
}

/// Gives a Service the addresses and ports that it lacks.
pub(super) fn allocate(store: &Store, service: &mut Value) {
    let kind = text(&service["spec"]["type"]).to_owned();
    let owner = name(service).to_owned();
    let others: Vec<_> = store
        .list("services")
        .filter(|other| {
            name(other) != owner
                || other["metadata"]["namespace"] != service["metadata"]["namespace"]
        })
        .cloned()
        .collect();
    let spec = &mut service["spec"];
    if kind == "ExternalName" {
        return;
    }
    if text(&spec["clusterIP"]).is_empty() {
        let taken: BTreeSet<&str> = others
            .iter()
            .map(|other| text(&other["spec"]["clusterIP"]))
            .collect();
        let free = store
            .service_range
            .and_then(|range| {
                // The first address is the API's, the tenth the cluster's DNS.
                range
                    .hosts()
                    .skip(10)
                    .map(|address| address.to_string())
                    .find(|address| !taken.contains(address.as_str()))
            })
            .unwrap_or_else(|| "None".to_owned());
        spec["clusterIP"] = json!(free);
    }
    if spec["clusterIPs"].is_null() {
        spec["clusterIPs"] = json!([spec["clusterIP"]]);
    }
    let ports = spec["allocateLoadBalancerNodePorts"] != Value::Bool(false);
    if kind == "NodePort" || (kind == "LoadBalancer" && ports) {
        let mut taken: BTreeSet<i64> = others
            .iter()
            .flat_map(|other| {
                array(&other["spec"]["ports"])
                    .iter()
                    .map(|port| int(&port["nodePort"]))
            })
            .collect();
        for port in spec["ports"].as_array_mut().into_iter().flatten() {
            if port["nodePort"].is_null()
                && let Some(free) = NODE_PORTS.clone().find(|number| !taken.contains(number))
            {
                taken.insert(free);
                port["nodePort"] = json!(free);
            }
        }
    } else if let Some(list) = spec["ports"].as_array_mut() {
        for port in list {
            members(port).remove("nodePort");
        }
    }
}

/// A load-balancer address from the first pool with a free one, as MetalLB would choose.
pub(super) fn balancer_address(store: &Store, service: &Value) -> Option<String> {
    let taken: BTreeSet<String> = store
        .list("services")
        .flat_map(|other| {
            array(&other["status"]["loadBalancer"]["ingress"])
                .iter()
                .map(|ingress| text(&ingress["ip"]).to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    let wanted = service["metadata"]["annotations"]
        .get("metallb.io/loadBalancerIPs")
        .map(text)
        .filter(|wanted| !wanted.is_empty());
    let mut pools: Vec<_> = store
        .list("ipaddresspools.metallb.io")
        .filter(|pool| serves(pool, service))
        .collect();
    // Pinned pools come first.
    pools.sort_by_key(|pool| pool["spec"]["serviceAllocation"].is_null());
    for pool in pools {
        if pool["spec"]["autoAssign"] == Value::Bool(false) && wanted.is_none() {
            continue;
        }
        for addresses in array(&pool["spec"]["addresses"]) {
            for address in expand(text(addresses)) {
                let address = address.to_string();
                if wanted.is_none_or(|wanted| wanted == address) && !taken.contains(&address) {
                    return Some(address);
                }
            }
        }
    }
    None
}

fn serves(pool: &Value, service: &Value) -> bool {
    let selectors = array(&pool["spec"]["serviceAllocation"]["serviceSelectors"]);
    selectors.is_empty()
        || selectors.iter().any(|selector| {
            super::selector::Labels::of(selector).matches(&service["metadata"]["labels"])
        })
}

/// The addresses of `10.0.0.1-10.0.0.9` or `10.0.0.0/28`; at most a thousand.
fn expand(text: &str) -> Vec<IpAddr> {
    if let Some((from, to)) = text.split_once('-') {
        let (Ok(IpAddr::V4(from)), Ok(IpAddr::V4(to))) = (from.trim().parse(), to.trim().parse())
        else {
            return Vec::new();
        };
        return (u32::from(from)..=u32::from(to))
            .take(1000)
            .map(|address| IpAddr::V4(address.into()))
            .collect();
    }
    text.parse::<ipnet::IpNet>()
        .map(|range| range.hosts().take(1000).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn ranges_expand() {
        assert_eq!(super::expand("10.0.0.1-10.0.0.3").len(), 3);
        assert_eq!(super::expand("10.0.0.0/30").len(), 2);
        assert!(super::expand("nothing").is_empty());
    }
}
