//! The official clients. They run when the environment names them: `MANAGEDK8S_KUBECTL`, `MANAGEDK8S_HELM`.

use std::process::Stdio;

use super::bed::Bed;

/// Runs a program on the bed; its output and whether it succeeded. Nothing when the environment does not name it.
async fn run(bed: &Bed, variable: &str, arguments: &[&str], input: &str) -> Option<(bool, String)> {
    use tokio::io::AsyncWriteExt as _;

    let program = std::env::var_os(variable)?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", bed.path("config"))
        .env("HOME", bed.path(""))
        .env("HELM_CACHE_HOME", bed.path("helm-cache"))
        .env("HELM_CONFIG_HOME", bed.path("helm-config"))
        .env("HELM_DATA_HOME", bed.path("helm-data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program named by the environment starts");
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin
        .write_all(input.as_bytes())
        .await
        .expect("the program reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("the program ends");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Some((output.status.success(), text))
}

/// Serves until interrupted, for trying things by hand: `cargo test -p sandbox by_hand -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "serves until interrupted"]
async fn by_hand() {
    let bed = Bed::with_nodes().await;
    let marker = std::env::var("BY_HAND").unwrap_or_else(|_| "by-hand-kubeconfig".to_owned());
    std::fs::copy(bed.path("config"), marker).expect("the folder is writable");
    std::fs::copy(bed.path("reader"), std::env::temp_dir().join("reader"))
        .expect("the folder is writable");
    tokio::time::sleep(std::time::Duration::from_hours(1)).await;
}

/// Runs `kubectl` once a line, or `helm` where the line starts so; each must succeed.
async fn script(bed: &Bed, lines: &[&str]) -> Option<String> {
    let mut all = String::new();
    for line in lines {
        let mut words: Vec<String> = line
            .split_whitespace()
            .map(|word| word.replace("CHARTS", CHARTS))
            .collect();
        let (variable, skip) = if words[0] == "helm" {
            ("MANAGEDK8S_HELM", 1)
        } else {
            ("MANAGEDK8S_KUBECTL", 0)
        };
        words.drain(..skip);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (fine, text) = run(bed, variable, &words, DEPLOYMENT).await?;
        assert!(fine, "{line}: {text}");
        all.push_str(&text);
    }
    Some(all)
}

const CHARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts");

const DEPLOYMENT: &str = r#"{
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
    "spec": { "replicas": 3, "selector": { "matchLabels": { "app": "web" } }, "template": {
        "metadata": { "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "c", "image": "nginx:1", "ports": [{ "containerPort": 80 }] }] }
    } }
}"#;

/// The clients are as content with the real programs, in one cluster.
#[tokio::test(flavor = "multi_thread")]
async fn clients_of_the_real_control_plane() {
    let Some(bed) = Bed::real_with_nodes().await else {
        return;
    };
    reads(&bed).await;
    writes(&bed).await;
    drains(&bed).await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_reads() {
    reads(&Bed::with_nodes().await).await;
}

async fn reads(bed: &Bed) {
    let Some(text) = script(
        bed,
        &[
            "version",
            "get nodes,pods -A -o wide",
            "api-resources",
            "describe node wrk-1",
        ],
    )
    .await
    else {
        return;
    };
    for wanted in [
        "Server Version: v1.36.3",
        "node/cp-1    Ready    control-plane",
        "pod/kube-apiserver-cp-1",
        "customresourcedefinitions",
        "InternalIP:  10.20.0.21",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_writes() {
    writes(&Bed::with_nodes().await).await;
}

async fn writes(bed: &Bed) {
    let lines = [
        "label node wrk-1 a=b",
        "annotate node wrk-1 c=d",
        "label node wrk-1 a-",
        "taint node wrk-1 k=v:NoSchedule",
        "taint node wrk-1 k-",
        "apply -f -",
        "rollout status deploy/web --timeout=60s",
        "apply --server-side --force-conflicts -f -",
        "scale deploy/web --replicas=5",
        "wait --for=jsonpath={.status.readyReplicas}=5 deploy/web --timeout=60s",
        "set image deploy/web c=nginx:2",
        "rollout status deploy/web --timeout=60s",
        "rollout undo deploy/web",
        "rollout status deploy/web --timeout=60s",
        "create job one --image=x",
        "wait --for=condition=Complete job/one --timeout=60s",
        "create namespace other",
        "create configmap x --from-literal=a=b -n other",
        "delete namespace other --timeout=60s",
        "delete deploy/web --cascade=foreground --timeout=60s",
        "auth can-i create pods",
        "explain deployment",
    ];
    script(bed, &lines).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_drains() {
    drains(&Bed::with_nodes().await).await;
}

async fn drains(bed: &Bed) {
    let lines = [
        "apply -f -",
        "rollout status deploy/web --timeout=60s",
        "drain wrk-1 --ignore-daemonsets --timeout=60s",
        "rollout status deploy/web --timeout=60s",
        "get pods -A -o wide --field-selector spec.nodeName=wrk-1",
    ];
    if script(bed, &lines[..4]).await.is_some() {
        let text = script(bed, &lines[4..]).await.unwrap_or_default();
        assert!(text.contains("cilium-") && !text.contains("web-"), "{text}");
        // A control-plane node: its static pods are no obstacle.
        script(
            bed,
            &[
                "drain cp-1 --ignore-daemonsets --timeout=60s",
                "uncordon cp-1",
            ],
        )
        .await;
    }
}

/// Lines whose words are the same whoever answers; where a line is expected to fail, it does on both.
const WORDS: &[&str] = &[
    "apply -f -",
    "rollout status deploy/web --timeout=60s",
    "apply -f -",
    "create -f -",
    "diff -f -",
    "get deploy/web --no-headers -o custom-columns=N:.metadata.name,R:.status.readyReplicas,G:.metadata.generation",
    "get deploy,rs,pods -o name --selector app=none",
    "get nodes -o name",
    "get nodes -o custom-columns=N:.metadata.name,V:.status.nodeInfo.kubeletVersion --sort-by=.metadata.name",
    "get nothing",
    "get deploy/none",
    "get pods --field-selector spec.none=1",
    "scale deploy/web --replicas=2 --current-replicas=9",
    "scale deploy/web --replicas=2",
    "rollout status deploy/web --timeout=60s",
    "rollout history deploy/web",
    "rollout pause deploy/web",
    "rollout pause deploy/web",
    "rollout resume deploy/web",
    "label deploy/web a=b",
    "label deploy/web a=c",
    "label deploy/web a=c --overwrite",
    "label deploy/web a=not/a/label --overwrite",
    "annotate deploy/web note=x",
    "annotate deploy/web note-",
    "patch deploy/web --type=merge -p {\"spec\":{\"minReadySeconds\":1}}",
    "patch deploy/web --type=merge -p {\"spec\":{\"minReadySeconds\":1}}",
    "patch deploy/web --type=json -p [{\"op\":\"test\",\"path\":\"/spec/minReadySeconds\",\"value\":9}]",
    "patch deploy/web --type=strategic -p {\"spec\":{\"selector\":{\"matchLabels\":{\"x\":\"y\"}}}}",
    "patch deploy/web --subresource=scale --type=merge -p {\"spec\":{\"replicas\":-1}}",
    "set image deploy/web none=nginx:2",
    "set image deploy/web c=nginx:2",
    "rollout status deploy/web --timeout=60s",
    "rollout history deploy/web",
    "rollout undo deploy/web --to-revision=9",
    "rollout undo deploy/web",
    "wait --for=condition=Available deploy/web --timeout=60s",
    "wait --for=delete deploy/none --timeout=5s",
    "apply --server-side -f -",
    "apply --server-side --field-manager=other -f -",
    "expose deploy/web --port=80",
    "get service/web -o custom-columns=N:.metadata.name,T:.spec.type,P:.spec.ports[0].port,G:.spec.ports[0].targetPort",
    "create configmap one --from-literal=a=b",
    "create configmap one --from-literal=a=b",
    "create configmap Not_a_name",
    "create secret generic two --from-literal=a=b",
    "get secret/two -o jsonpath={.data.a}",
    "create namespace three",
    "get namespace/three -o jsonpath={.status.phase}",
    "create quota four --hard=pods=9 --namespace three",
    "create serviceaccount five --namespace none",
    "cordon wrk-3",
    "cordon wrk-3",
    "uncordon wrk-3",
    "taint node wrk-3 k=v:NoSchedule",
    "taint node wrk-3 k=v:NoSchedule",
    "taint node wrk-3 k-",
    "auth can-i delete nodes",
    "delete pod none",
    "delete namespace three --timeout=60s",
    "delete deploy/web --cascade=foreground --timeout=60s",
    "delete service/web configmap/one secret/two",
    "delete deploy/web",
];

/// Progress, which is seen or not, and advice.
fn unlike(line: &str) -> bool {
    line.starts_with("Waiting for deployment") || line.starts_with("Warning: ")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_answer_kubectl_in_the_same_words() {
    let Some(real) = Bed::real_with_nodes().await else {
        return;
    };
    let ours = Bed::with_nodes().await;
    let mut unlikes = Vec::new();
    for line in WORDS {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = async |bed: &Bed| {
            let told = run(bed, "MANAGEDK8S_KUBECTL", &words, DEPLOYMENT).await?;
            let text: Vec<&str> = told.1.lines().filter(|line| !unlike(line)).collect();
            Some((told.0, text.join("\n").replace(&bed.url, "URL")))
        };
        let (Some(is), Some(should)) = (answer(&ours).await, answer(&real).await) else {
            return;
        };
        if is != should {
            unlikes.push(format!(
                "kubectl {line}\n  ours: {is:?}\n  real: {should:?}"
            ));
        }
    }
    real.end().await;
    assert!(unlikes.is_empty(), "{}", unlikes.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_takes_a_release_through_its_life() {
    let bed = Bed::with_nodes().await;
    let lines = [
        "helm install lb CHARTS/metallb -n lb --create-namespace --wait --timeout 30s --set frrk8s.enabled=false",
        "helm list -A",
        "helm status lb -n lb",
        "helm get values lb -n lb",
        "helm upgrade lb CHARTS/metallb -n lb --wait --timeout 30s --set frrk8s.enabled=true",
        "helm rollback lb 1 -n lb --wait --timeout 30s",
        "helm history lb -n lb",
    ];
    if let Some(text) = script(&bed, &lines).await {
        assert!(text.contains("Rollback to 1"), "{text}");
        script(&bed, &["helm uninstall lb -n lb --wait --timeout 30s"]).await;
        let left = bed.get("/apis/apps/v1/namespaces/lb/deployments").await;
        assert_eq!(left["items"], serde_json::json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_chart_installs() {
    let bed = Bed::with_nodes().await;
    let mut charts: Vec<String> = std::fs::read_dir(CHARTS)
        .expect("the charts are in this crate")
        .flatten()
        .map(|chart| chart.file_name().to_string_lossy().into_owned())
        .collect();
    // Definitions come before their objects: rook-ceph sorts before rook-ceph-cluster.
    charts.sort();
    for chart in charts {
        if chart == "cilium" {
            script(&bed, &["delete daemonset cilium -n kube-system"]).await;
        }
        let space = if chart == "cilium" {
            "kube-system"
        } else {
            &chart
        };
        let line = format!(
            "helm install {chart} CHARTS/{chart} -n {space} --create-namespace --wait --timeout 30s"
        );
        if script(&bed, &[&line]).await.is_none() {
            return;
        }
    }
}

/// What `kube` expects of a server: typed lists, watches, patches, evictions.
#[tokio::test(flavor = "multi_thread")]
async fn the_rust_client_works() {
    use futures::StreamExt as _;
    use k8s_openapi::api::core::v1::{ConfigMap, Node};
    use kube::api::{Api, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};

    let bed = Bed::with_nodes().await;
    let text = std::fs::read_to_string(bed.path("config")).expect("the bed wrote it");
    let config = kube::config::Kubeconfig::from_yaml(&text).expect("a kubeconfig");
    let config =
        kube::Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default())
            .await
            .expect("the kubeconfig is complete");
    let client = kube::Client::try_from(config).expect("the settings are complete");
    let nodes = Api::<Node>::all(client.clone());
    let found = nodes
        .list(&ListParams::default())
        .await
        .expect("nodes are listed");
    assert_eq!(found.items.len(), 6);
    let maps = Api::<ConfigMap>::namespaced(client, "default");
    let object: ConfigMap =
        serde_json::from_value(serde_json::json!({ "metadata": { "name": "a" } }))
            .expect("a ConfigMap");
    let version = maps
        .list(&ListParams::default())
        .await
        .expect("listed")
        .metadata
        .resource_version
        .unwrap_or_default();
    maps.create(&PostParams::default(), &object)
        .await
        .expect("created");
    let events = maps
        .watch(&WatchParams::default(), &version)
        .await
        .expect("watched");
    let first = events
        .boxed()
        .next()
        .await
        .expect("an event")
        .expect("no error");
    assert!(matches!(first, WatchEvent::Added(map) if map.metadata.name.as_deref() == Some("a")));
    let apply = Patch::Apply(serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "x": "1" },
    }));
    let seen = maps
        .patch("a", &PatchParams::apply("suite"), &apply)
        .await
        .expect("applied");
    assert_eq!(
        seen.data.map(|data| data["x"].clone()).as_deref(),
        Some("1")
    );
    assert!(
        maps.get_opt("none")
            .await
            .expect("a definitive answer")
            .is_none()
    );
}
