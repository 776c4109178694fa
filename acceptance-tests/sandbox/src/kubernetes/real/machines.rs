//! What happens to a machine, told to the real API: its kubelet registers, its network comes up, it is lost.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::client::{Api, Credential, MERGE, STRATEGIC};
use super::files::{Leaf, params};
use super::{RealError, Spec};
use crate::kubernetes::controllers::node::{self, CONTROL_PLANE, MIRROR};
use crate::kubernetes::value::{array, is_true, text};
use crate::kubernetes::{NodeRegistration, NodeRole, ServeError};

/// Label of Nodes whose kubelet runs: kwok plays these.
pub(super) const KUBELET: &str = "sandbox.managedk8s.io/kubelet";
/// Annotation of Nodes where a CNI runs.
const NETWORK: &str = "sandbox.managedk8s.io/network";

/// Annotation of pods that were told to kwok again.
const AGAIN: &str = "sandbox.managedk8s.io/again";

/// All kubelets of a cluster.
#[derive(Default)]
pub(super) struct Machines {
    /// The certificates of kubelets, as clients.
    identities: BTreeMap<String, Api>,
    /// Nodes whose kubelet runs, and whether a network was seen there.
    up: BTreeMap<String, bool>,
    /// Addresses of the control plane.
    members: BTreeSet<String>,
}

fn node_path(name: &str) -> String {
    format!("/api/v1/nodes/{name}")
}

/// A kubelet's certificate by the real flow: bootstrap token, signing request, approval by the controller manager.
async fn bootstrap(spec: &Spec, address: std::net::Ipv4Addr, name: &str) -> Result<Api, RealError> {
    let make = |error| RealError::Certificate(ServeError::Certificate(error));
    let key = KeyPair::generate().map_err(make)?;
    let user = format!("system:node:{name}");
    let request = params(&user, Some("system:nodes"))
        .serialize_request(&key)
        .and_then(|request| request.pem())
        .map_err(make)?;
    let token = Api::new(spec, address, &Credential::Token(&spec.bootstrap_token))?;
    let object = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": { "generateName": "csr-" },
        "spec": {
            "request": STANDARD.encode(request),
            "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "client auth"],
        },
    });
    let requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let made = token.create(requests, &object).await?;
    let path = format!("{requests}/{}", text(&made["metadata"]["name"]));
    for _ in 0..100 {
        let seen = token.get(&path).await?.or(&[])?;
        if let Ok(certificate) = STANDARD.decode(text(&seen["status"]["certificate"]))
            && !certificate.is_empty()
        {
            let leaf = Leaf {
                certificate: String::from_utf8_lossy(&certificate).into_owned(),
                key: key.serialize_pem(),
            };
            return Api::new(spec, address, &Credential::Certificate(&leaf));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(RealError::Refused {
        what: format!("the certificate of {user}"),
        code: 0,
        message: "the controller manager did not sign it within 10 seconds".into(),
    })
}

impl Machines {
    /// A kubelet starts. `version` is that of the machine's static pods.
    pub async fn up(
        &mut self,
        admin: &Api,
        spec: &Spec,
        address: std::net::Ipv4Addr,
        machine: &NodeRegistration,
        version: &str,
    ) -> Result<(), RealError> {
        let name = &machine.name;
        if !self.identities.contains_key(name) {
            let own = bootstrap(spec, address, name).await?;
            self.identities.insert(name.clone(), own);
        }
        let own = &self.identities[name];
        register(own, machine).await?;
        // Talos sets what the configuration says with the rights of the machine: those of a node on workers.
        let hand = if machine.role == NodeRole::ControlPlane {
            admin
        } else {
            own
        };
        configured(hand, machine).await?;
        if machine.role == NodeRole::ControlPlane {
            static_pods(own, machine, version).await?;
            self.members
                .extend(machine.addresses.first().map(ToString::to_string));
            endpoints(admin, &self.members).await?;
        }
        let label = json!({ "metadata": { "labels": { KUBELET: "up" } } });
        admin.patch(&node_path(name), MERGE, &label).await?;
        self.up.insert(name.clone(), false);
        Ok(())
    }

    /// A kubelet stops: nobody reports for it any more.
    pub async fn down(&mut self, admin: &Api, name: &str) -> Result<(), RealError> {
        self.up.remove(name);
        stopped(admin, name).await
    }

    /// Whether some node waits for its network.
    pub fn waiting(&self) -> bool {
        self.up.values().any(|network| !network)
    }

    /// What a kubelet does from time to time: looks again at its pods. One whose event was lost when kwok began to play the
    /// machine is told once more.
    pub async fn relist(&self, admin: &Api) -> Result<(), RealError> {
        let pods = admin.get("/api/v1/pods?resourceVersion=0").await?.or(&[])?;
        let now = jiff::Timestamp::now();
        let waits = |since: &Value| {
            text(since)
                .parse::<jiff::Timestamp>()
                .is_ok_and(|since| now.as_second() - since.as_second() > 4)
        };
        for pod in array(&pods["items"]) {
            let (metadata, status) = (&pod["metadata"], &pod["status"]);
            let unseen = status["phase"] == "Pending" && status["startTime"].is_null();
            let overlooked = (unseen && waits(&metadata["creationTimestamp"]))
                || waits(&metadata["deletionTimestamp"]);
            if !overlooked
                || !self.up.contains_key(text(&pod["spec"]["nodeName"]))
                || !array(&metadata["finalizers"]).is_empty()
            {
                continue;
            }
            let path = format!(
                "/api/v1/namespaces/{}/pods/{}",
                text(&metadata["namespace"]),
                text(&metadata["name"])
            );
            let again = json!({ "metadata": { "annotations": { AGAIN: now.to_string() } } });
            let answer = admin.call("PATCH", &path, MERGE, &again).await?;
            answer.or(&[404, 409])?;
        }
        Ok(())
    }

    /// Looks where a CNI runs.
    pub async fn networks(&mut self, admin: &Api) -> Result<(), RealError> {
        if !self.waiting() {
            return Ok(());
        }
        let pods = "/api/v1/namespaces/kube-system/pods?resourceVersion=0";
        let pods = admin.get(pods).await?.or(&[])?;
        let agents: BTreeSet<&str> = array(&pods["items"])
            .iter()
            .filter(|pod| is_true(pod, "Ready"))
            .filter(|pod| {
                array(&pod["metadata"]["ownerReferences"])
                    .iter()
                    .any(|owner| {
                        owner["kind"] == "DaemonSet" && node::AGENTS.contains(&text(&owner["name"]))
                    })
            })
            .map(|pod| text(&pod["spec"]["nodeName"]))
            .collect();
        for (name, network) in &mut self.up {
            if !*network && agents.contains(name.as_str()) {
                let patch = json!({ "metadata": { "annotations": { NETWORK: "up" } } });
                admin
                    .call("PATCH", &node_path(name), MERGE, &patch)
                    .await?
                    .or(&[404])?;
                *network = true;
            }
        }
        Ok(())
    }
}

/// No kubelet runs on any machine.
pub(super) async fn all_down(admin: &Api) -> Result<(), RealError> {
    let path = format!("/api/v1/nodes?labelSelector={KUBELET}");
    let known = admin.get(&path).await?.or(&[])?;
    for node in array(&known["items"]) {
        stopped(admin, text(&node["metadata"]["name"])).await?;
    }
    Ok(())
}

async fn stopped(admin: &Api, name: &str) -> Result<(), RealError> {
    let patch = json!({ "metadata": {
        "labels": { KUBELET: null }, "annotations": { NETWORK: null },
    } });
    let answer = admin.call("PATCH", &node_path(name), MERGE, &patch).await?;
    answer.or(&[404]).map(drop)
}

/// The Node as its kubelet makes it, and its status.
async fn register(own: &Api, machine: &NodeRegistration) -> Result<(), RealError> {
    let path = node_path(&machine.name);
    let mut labels: BTreeMap<String, String> = node::labels(machine).into_iter().collect();
    // A kubelet may not give itself these; Talos adds the role, and the rest comes from the configuration.
    labels.retain(|key, _| !machine.labels.contains_key(key) && key != CONTROL_PLANE);
    let taints: Vec<Value> = machine
        .taints
        .iter()
        .filter_map(|taint| node::parse_taint(taint))
        .chain([json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" })])
        .collect();
    let mut status = Value::Null;
    node::fill_status(&mut status, machine);
    let mut object = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": machine.name, "labels": labels },
        "spec": { "taints": taints },
    });
    if let Some(provider) = &machine.provider_id {
        object["spec"]["providerID"] = json!(provider);
    }
    own.create("/api/v1/nodes", &object).await?;
    own.patch(
        &format!("{path}/status"),
        STRATEGIC,
        &json!({ "status": status }),
    )
    .await?;
    Ok(())
}

/// Labels, annotations and taints of the configuration on a Node that exists.
async fn configured(hand: &Api, machine: &NodeRegistration) -> Result<(), RealError> {
    let path = node_path(&machine.name);
    let seen = hand.get(&path).await?.or(&[])?;
    let mut wanted = json!({ "metadata": {
        "labels": seen["metadata"]["labels"], "annotations": seen["metadata"]["annotations"],
    } });
    node::owned(&mut wanted, "labels", &machine.labels);
    node::owned(&mut wanted, "annotations", &machine.annotations);
    if machine.role == NodeRole::ControlPlane {
        wanted["metadata"]["labels"][CONTROL_PLANE] = json!("");
    }
    // A merge patch removes only what it names.
    for field in ["labels", "annotations"] {
        for (key, _) in seen["metadata"][field].as_object().into_iter().flatten() {
            if wanted["metadata"][field].get(key).is_none() {
                wanted["metadata"][field][key] = Value::Null;
            }
        }
    }
    hand.patch(&path, MERGE, &wanted).await?;
    Ok(())
}

/// The mirror pods of the control plane; one whose component changed is made anew.
async fn static_pods(
    own: &Api,
    machine: &NodeRegistration,
    version: &str,
) -> Result<(), RealError> {
    let seen = own.get(&node_path(&machine.name)).await?.or(&[])?;
    let space = "/api/v1/namespaces/kube-system/pods";
    for pod in node::mirror_pods(&machine.name, text(&seen["metadata"]["uid"]), version) {
        let path = format!("{space}/{}", text(&pod["metadata"]["name"]));
        let known = own.get(&path).await?;
        if known.code == 200 {
            let digest = |pod: &Value| pod["metadata"]["annotations"][MIRROR].clone();
            if digest(&known.body) == digest(&pod) {
                continue;
            }
            own.delete(&path).await?;
        }
        own.create(space, &pod).await?;
    }
    Ok(())
}

/// The addresses behind the API's own Service.
async fn endpoints(admin: &Api, members: &BTreeSet<String>) -> Result<(), RealError> {
    let addresses: Vec<Value> = members.iter().map(|ip| json!({ "ip": ip })).collect();
    let object = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": { "name": "kubernetes", "namespace": "default" },
        "subsets": [{
            "addresses": addresses,
            "ports": [{ "name": "https", "port": 6443, "protocol": "TCP" }],
        }],
    });
    let path = "/api/v1/namespaces/default/endpoints";
    let named = format!("{path}/kubernetes");
    if admin.get(&named).await?.code == 404 {
        admin.create(path, &object).await?;
    } else {
        admin.patch(&named, MERGE, &object).await?;
    }
    Ok(())
}
