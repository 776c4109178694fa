//! A machine configuration, judged by the real control plane that it starts: every setting of it arrives, versions
//! change with it, and what was written outlives a restart.

mod support;

use std::path::{Path, PathBuf};

use proto_talos::machine as api;
use proto_talos::machine::apply_configuration_request::Mode;
use sandbox::{Config, KubernetesKind};
use serde_json::{Value, json};
use support::{ADDRESSES, Bed, Caller, MACS, until_real};

/// What the configuration of the test says beside what every cluster needs.
const SETTINGS: &str = "
        certSANs: [api.alpha.example]
        extraArgs: { anonymous-auth: \"true\", goaway-chance: \"0\" }
        admissionControl:
            - name: PodSecurity
              configuration:
                  apiVersion: pod-security.admission.config.k8s.io/v1
                  kind: PodSecurityConfiguration
                  defaults: { enforce: baseline, enforce-version: latest }
                  exemptions: { namespaces: [kube-system] }
        auditPolicy:
            apiVersion: audit.k8s.io/v1
            kind: Policy
            rules:
                - { level: Request, resources: [{ group: \"\", resources: [configmaps] }], verbs: [create] }
                - { level: None }
";
const COMPONENTS: &str = "
    secretboxEncryptionSecret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
    controllerManager:
        image: registry.k8s.io/kube-controller-manager:VERSION
        extraArgs: { v: \"1\", concurrent-gc-syncs: \"7\" }
    scheduler:
        image: registry.k8s.io/kube-scheduler:VERSION
        config:
            profiles: [{ schedulerName: default-scheduler }, { schedulerName: second }]
";

fn configuration(bed: &Bed, version: &str) -> String {
    let image = "        image: registry.k8s.io/kube-apiserver:v1.36.3";
    let plain = bed
        .cluster
        .control_plane("cp-1", ADDRESSES[0], MACS[0])
        .replace(image, &format!("{image}{SETTINGS}"))
        .replace("    etcd:\n", &format!("{}    etcd:\n", &COMPONENTS[1..]));
    plain
        .replace("v1.36.3", version)
        .replace("VERSION", version)
}

impl Bed {
    fn kubernetes(&self) -> Caller<'_> {
        Caller::new(&self.cluster, self.sandbox.addresses(), ADDRESSES[0])
    }

    /// Waits for an answer of the API.
    async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) {
        until_real(path, || async { so(&self.kubernetes().get(path).await) }).await;
    }

    async fn serves(&self, version: &str) {
        self.until("/version", |seen| seen["gitVersion"] == version)
            .await;
    }

    async fn make(&self, path: &str, object: Value) -> Value {
        let (code, made) = self.kubernetes().send("POST", path, object).await;
        assert_eq!(code, 201, "{made}");
        made
    }
}

/// The folder of the cluster in that of the sandbox.
fn folder_of(state: &Path) -> PathBuf {
    std::fs::read_dir(state)
        .expect("the state is written")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_dir() && path.to_string_lossy().contains("/kubernetes-"))
        .expect("a real control plane keeps its data in a folder")
}

/// Whether the bytes are in some file below the folder.
fn holds(folder: &Path, wanted: &str) -> bool {
    std::fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path())
        .any(|path| {
            if path.is_dir() {
                return holds(&path, wanted);
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(wanted)
        })
}

fn config_map(name: &str, text: &str) -> Value {
    json!({ "metadata": { "name": name }, "data": { "text": text } })
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_configuration_becomes_a_real_control_plane() {
    let Some(oracles) = std::env::var_os("MANAGEDK8S_KUBERNETES_ORACLES") else {
        eprintln!(
            "PART SKIPPED: MANAGEDK8S_KUBERNETES_ORACLES is not set (acceptance-tests/run sets it)"
        );
        return;
    };
    // A part that ends by itself says why.
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::ERROR)
        .with_test_writer()
        .try_init();
    let state = tempfile::tempdir().expect("a folder");
    let config = Config {
        state_dir: Some(state.path().to_owned()),
        kubernetes: KubernetesKind::Real,
        oracles: Some(oracles.into()),
        ..Config::default()
    };
    let bed = Bed::with(config.clone()).await;
    let text = configuration(&bed, "v1.35.4");
    let vm = bed.machine(0, "cp-1", &text).await;
    bed.bootstrap(0).await;
    bed.serves("v1.35.4").await;
    bed.until("/api/v1/nodes/cp-1", Value::is_object).await;
    let folder = folder_of(state.path());
    settings(&bed).await;
    kept_in_etcd_and_in_the_audit_log(&bed, &folder).await;

    // The next sandbox goes on with what is there.
    let before = bed.kubernetes().get(&format!("{MAPS}/seen")).await;
    let bed = bed.restart(config).await;
    bed.serves("v1.35.4").await;
    let after = bed.kubernetes().get(&format!("{MAPS}/seen")).await;
    assert_eq!(after, before, "the object is the same one");

    versions_follow(&bed, &folder).await;

    // Power.
    bed.api.power(&vm, false, true).await.expect("power off");
    until_real("nobody serves", || async {
        bed.kubernetes()
            .send("GET", "/version", Value::Null)
            .await
            .0
            == 0
    })
    .await;
    bed.api.power(&vm, true, false).await.expect("power on");
    bed.serves("v1.36.3").await;
    let kept = bed.kubernetes().get(&format!("{MAPS}/seen")).await;
    assert_eq!(kept["metadata"]["uid"], before["metadata"]["uid"]);

    // With its machine, a cluster goes for good.
    bed.api.power(&vm, false, true).await.expect("power off");
    let path = format!("/compute/v1/open_iaas/virtual_machines/{vm}");
    let gone = bed.api.write("DELETE", &path, None).await;
    gone.expect("the machine is deleted");
    until_real("the data is gone", || async { !folder.exists() }).await;
    bed.sandbox.shutdown().await;
}

async fn settings(bed: &Bed) {
    // A name of the certificate.
    let named = Caller {
        name: "api.alpha.example",
        ..bed.kubernetes()
    };
    assert_eq!(named.send("GET", "/version", Value::Null).await.0, 200);
    let other = Caller {
        name: "other.alpha.example",
        ..bed.kubernetes()
    };
    assert_eq!(other.send("GET", "/version", Value::Null).await.0, 0);
    // A flag: strangers are let in as far as RBAC lets them.
    let stranger = Caller {
        known: false,
        ..bed.kubernetes()
    };
    assert_eq!(stranger.send("GET", "/livez", Value::Null).await.0, 200);
    assert_eq!(stranger.send("GET", MAPS, Value::Null).await.0, 403);
    // An admission plugin's configuration.
    let pod = json!({
        "metadata": { "name": "intruder" },
        "spec": {
            "schedulerName": "second",
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{ "name": "c", "image": "i", "securityContext": { "privileged": true } }],
        },
    });
    bed.until(
        "/api/v1/namespaces/default/serviceaccounts/default",
        |seen| seen["kind"] == "ServiceAccount",
    )
    .await;
    let (code, refused) = bed.kubernetes().send("POST", PODS, pod.clone()).await;
    assert_eq!(code, 403, "{refused}");
    let told = refused["message"].as_str().unwrap_or_default();
    assert!(
        told.contains("violates PodSecurity \"baseline:latest\""),
        "{told}"
    );
    // A profile of the scheduler.
    let mut pod = pod;
    pod["spec"]["containers"][0]["securityContext"] = Value::Null;
    bed.make(PODS, pod).await;
    bed.until(&format!("{PODS}/intruder"), |seen| {
        seen["spec"]["nodeName"] == "cp-1"
    })
    .await;
}

async fn kept_in_etcd_and_in_the_audit_log(bed: &Bed, folder: &Path) {
    bed.make(MAPS, config_map("seen", "an-open-word")).await;
    bed.make(
        SECRETS,
        json!({ "metadata": { "name": "a" }, "stringData": { "x": "a-hidden-word" } }),
    )
    .await;
    let secret = bed.kubernetes().get(&format!("{SECRETS}/a")).await;
    assert_eq!(secret["data"]["x"], "YS1oaWRkZW4td29yZA==");
    let data = folder.join("etcd");
    until_real("etcd wrote it", || async { holds(&data, "an-open-word") }).await;
    assert!(holds(&data, "k8s:enc:secretbox:v1:key2:"));
    assert!(
        !holds(&data, "a-hidden-word"),
        "secrets are encrypted at rest"
    );
    let audit = std::fs::read_to_string(folder.join("audit.log")).expect("the log is written");
    let events: Vec<Value> = audit
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an event"))
        .collect();
    assert!(
        events
            .iter()
            .all(|event| event["objectRef"]["resource"] == "configmaps"
                && event["verb"] == "create"
                && event["level"] == "Request"),
        "the policy asks for nothing else: {audit}"
    );
    assert!(
        events
            .iter()
            .any(|event| event["requestObject"]["data"]["text"] == "an-open-word"),
        "{audit}"
    );
    let log = folder.join("kube-controller-manager.log");
    let log = std::fs::read_to_string(log).expect("the log is written");
    assert!(
        log.contains("--concurrent-gc-syncs=\"7\""),
        "flags are told: {log}"
    );
}

/// Another version in the configuration: the other program on the same data.
async fn versions_follow(bed: &Bed, folder: &Path) {
    let text = configuration(bed, "v1.36.3");
    let request = api::ApplyConfigurationRequest {
        data: text.into_bytes(),
        mode: Mode::NoReboot.into(),
        ..api::ApplyConfigurationRequest::default()
    };
    let mut client = bed.client(0).await;
    let applied = client.apply_configuration(request).await;
    applied.expect("the configuration is taken");
    bed.serves("v1.36.3").await;
    bed.until("/api/v1/nodes/cp-1", |node| {
        node["status"]["nodeInfo"]["kubeletVersion"] == "v1.36.3"
    })
    .await;
    let pods = "/api/v1/namespaces/kube-system/pods";
    bed.until(&format!("{pods}/kube-apiserver-cp-1"), |pod| {
        pod["spec"]["containers"][0]["image"]
            .as_str()
            .is_some_and(|image| image.ends_with(":v1.36.3"))
    })
    .await;
    let secret = bed.kubernetes().get(&format!("{SECRETS}/a")).await;
    assert_eq!(
        secret["data"]["x"], "YS1oaWRkZW4td29yZA==",
        "it is still read"
    );
    assert!(holds(&folder.join("etcd"), "an-open-word"));
}
