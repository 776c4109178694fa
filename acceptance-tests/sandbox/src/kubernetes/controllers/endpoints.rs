//! Services: the addresses behind them, load-balancer addresses, and the API services that they carry.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Pass, all, pods, put_status};
use crate::kubernetes::api::State;
use crate::kubernetes::bootstrap;
use crate::kubernetes::selector::Labels;
use crate::kubernetes::service;
use crate::kubernetes::value::{
    array, deleting, members, name, namespace, owner_reference, set_condition, text,
};

pub(super) fn reconcile(state: &mut State, pass: &mut Pass<'_>) {
    for service in all(&state.store, "services") {
        if deleting(&service) {
            continue;
        }
        if service["spec"]["selector"]
            .as_object()
            .is_some_and(|map| !map.is_empty())
        {
            endpoints(state, &service);
        }
        balancer(state, &service);
    }
    for api in all(&state.store, "apiservices.apiregistration.k8s.io") {
        availability(state, &api, &pass.stamp);
    }
}

fn endpoints(state: &mut State, service: &Value) {
    let selector = Labels::of_map(&service["spec"]["selector"]);
    let behind: Vec<_> = state
        .store
        .list_in("pods", namespace(service))
        .filter(|pod| {
            selector.matches(&pod["metadata"]["labels"])
                && pods::active(pod)
                && !text(&pod["status"]["podIP"]).is_empty()
        })
        .cloned()
        .collect();
    let reference = |pod: &Value| json!({ "kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": pod["metadata"]["uid"] });
    let address = |pod: &Arc<Value>| json!({ "ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": reference(pod) });
    let (ready, not_ready): (Vec<_>, Vec<_>) = behind.iter().partition(|pod| pods::ready(pod));
    let ports: Vec<Value> = array(&service["spec"]["ports"])
        .iter()
        .map(|port| {
            let target = match port["targetPort"].as_i64() {
                Some(number) => number,
                None => port["port"].as_i64().unwrap_or_default(),
            };
            json!({ "name": text(&port["name"]), "port": target, "protocol": port["protocol"] })
        })
        .collect();
    let mut subset = json!({ "ports": ports });
    if !ready.is_empty() {
        subset["addresses"] = ready.iter().map(|pod| address(pod)).collect();
    }
    if !not_ready.is_empty() {
        subset["notReadyAddresses"] = not_ready.iter().map(|pod| address(pod)).collect();
    }
    let subsets = if behind.is_empty() {
        json!([])
    } else {
        json!([subset])
    };
    keep(
        state,
        "endpoints",
        json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": { "name": name(service), "namespace": namespace(service), "ownerReferences": [owner_reference(service)] },
            "subsets": subsets,
        }),
        "subsets",
    );
    let listed: Vec<Value> = behind
        .iter()
        .map(|pod| {
            let ready = pods::ready(pod);
            json!({
                "addresses": [pod["status"]["podIP"]],
                "conditions": { "ready": ready, "serving": ready, "terminating": false },
                "nodeName": pod["spec"]["nodeName"],
                "targetRef": reference(pod),
            })
        })
        .collect();
    keep(
        state,
        "endpointslices.discovery.k8s.io",
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": format!("{}-1", name(service)), "namespace": namespace(service),
                "labels": { "kubernetes.io/service-name": name(service) },
                "ownerReferences": [owner_reference(service)],
            },
            "addressType": "IPv4",
            "endpoints": listed,
            "ports": ports,
        }),
        "endpoints",
    );
}

/// Creates the object, or brings `field` of the one that is there up to date.
fn keep(state: &mut State, resource: &str, object: Value, field: &str) {
    match state
        .store
        .get(resource, namespace(&object), name(&object))
        .cloned()
    {
        None => bootstrap::add(&mut state.store, object),
        Some(old) if old[field] != object[field] => {
            let mut new = (*old).clone();
            members(&mut new).insert(field.to_owned(), object[field].clone());
            state.store.put(resource, new);
        }
        Some(_) => {}
    }
}

fn balancer(state: &mut State, service: &Arc<Value>) {
    let wanted = text(&service["spec"]["type"]) == "LoadBalancer";
    let given = !array(&service["status"]["loadBalancer"]["ingress"]).is_empty();
    let status = if wanted && !given {
        match service::balancer_address(&state.store, service) {
            Some(address) => {
                json!({ "loadBalancer": { "ingress": [{ "ip": address, "ipMode": "VIP" }] } })
            }
            None => json!({ "loadBalancer": {} }),
        }
    } else if !wanted {
        json!({ "loadBalancer": {} })
    } else {
        return;
    };
    put_status(&mut state.store, "services", service, status);
}

fn availability(state: &mut State, api: &Arc<Value>, stamp: &str) {
    let backing = &api["spec"]["service"];
    let (available, reason) = if backing.is_object() {
        let served = state
            .store
            .get(
                "endpoints",
                text(&backing["namespace"]),
                text(&backing["name"]),
            )
            .is_some_and(|endpoints| !array(&endpoints["subsets"][0]["addresses"]).is_empty());
        (served, if served { "Passed" } else { "MissingEndpoints" })
    } else {
        (true, "Local")
    };
    let mut status = api["status"].clone();
    set_condition(&mut status, "Available", available, reason, "", stamp);
    put_status(
        &mut state.store,
        "apiservices.apiregistration.k8s.io",
        api,
        status,
    );
}
