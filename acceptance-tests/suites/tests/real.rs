//! A cluster's life on the real control plane: the provider's PKI and machine configuration start it, and its nodes,
//! drains and releases are Kubernetes' own.

use std::time::{Duration, Instant};

use serde_json::Value;
use suites::{Bench, Result, SHOP, Tools, shop, shop_of};

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == kind)?["status"]
        .as_str()
}

/// Asks until it is so; fails after `seconds`.
async fn until(
    tools: &Tools,
    arguments: &[&str],
    seconds: u64,
    so: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let begin = Instant::now();
    loop {
        let seen = tools.get(arguments).await?;
        if so(&seen) {
            return Ok(seen);
        }
        if begin.elapsed() > Duration::from_secs(seconds) {
            return Err(format!("{arguments:?} did not get there: {seen:#}").into());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// A Deployment that allows one of its pods to be away.
const GUARDED: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  replicas: 6
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop } }
    spec:
      containers: [{ name: shop, image: shop }]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: shop }
spec:
  maxUnavailable: 1
  selector: { matchLabels: { app: shop } }
";

/// Nodes as kubelets of that name register them, with what the configuration says.
fn expect_nodes(nodes: &Value, names: &[&str]) {
    let items = nodes["items"].as_array().map_or(&[][..], Vec::as_slice);
    let seen: Vec<&str> = items
        .iter()
        .filter_map(|node| node["metadata"]["name"].as_str())
        .collect();
    assert_eq!(seen, names);
    for node in items {
        let name = &node["metadata"]["name"];
        assert_eq!(condition(node, "Ready"), Some("True"), "{name}");
        assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.36.3");
        assert_eq!(
            node["metadata"]["labels"]["topology.kubernetes.io/region"], "fr1",
            "{name}"
        );
    }
}

const MEMBERS: [&str; 6] = [
    "alpha-ceph-01",
    "alpha-ceph-02",
    "alpha-ceph-03",
    "alpha-cp-01",
    "alpha-cp-02",
    "alpha-cp-03",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_lives_on_the_real_control_plane() -> Result {
    let Some(bench) = Bench::start_real().await? else {
        return Ok(());
    };
    bench.use_example("quickstart").await?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    if let Some(tools) = bench.tools().await? {
        let mut names = MEMBERS.to_vec();
        names.extend(["alpha-wrk-01", "alpha-wrk-02", "alpha-wrk-03"]);
        expect_nodes(&tools.get(&["nodes"]).await?, &names);
        judged(&tools).await?;
        released(&bench, &tools).await?;
        bench.terraform.write("shop.yaml", GUARDED)?;
        let file = bench.terraform.folder().join("shop.yaml");
        tools
            .kubectl(&["apply", "-f", &file.display().to_string()])
            .await?;
        until(&tools, &["deployment", "shop"], 60, |seen| {
            seen["status"]["readyReplicas"] == 6
        })
        .await?;
        // Three pods a node at least; the budget lets them go one by one.
        bench.edit("main.tf", "size    = 3", "size    = 2")?;
        bench.apply().await?;
        names.pop();
        expect_nodes(&tools.get(&["nodes"]).await?, &names);
        until(&tools, &["deployment", "shop"], 60, |seen| {
            seen["status"]["readyReplicas"] == 6
        })
        .await?;
        bench.expect_empty_plan().await?;
        lost(&bench, &tools).await?;
        bench.expect_empty_plan().await?;
    }
    bench.destroy().await
}

/// What the real programs say of the configuration that started them.
async fn judged(tools: &Tools) -> Result {
    let version: Value = serde_json::from_str(&tools.kubectl(&["version", "-o", "json"]).await?)?;
    assert_eq!(version["serverVersion"]["gitVersion"], "v1.36.3");
    // Kubelets came with the bootstrap token and were signed under the cluster's authority.
    let requests = tools.get(&["certificatesigningrequests"]).await?;
    let requests = requests["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(requests.len(), 9);
    assert!(
        requests
            .iter()
            .all(|request| condition(request, "Approved") == Some("True")),
        "{requests:#?}"
    );
    // Service-account tokens carry the endpoint as issuer, signed with the configured key.
    let token = tools
        .kubectl(&["create", "token", "default", "--namespace", "default"])
        .await?;
    let body = token.split('.').nth(1).ok_or("no token")?;
    let claims: Value = {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body)?;
        serde_json::from_slice(&bytes)?
    };
    assert_eq!(claims["iss"], "https://10.20.0.20:6443", "{claims}");
    // Pod security is as the configuration says: privileged pods are refused outside of the system's namespaces.
    let refused = tools
        .kubectl(&[
            "run",
            "intruder",
            "--image=intruder",
            "--privileged",
            "--dry-run=server",
        ])
        .await;
    let refused = refused
        .err()
        .ok_or("a privileged pod was let in")?
        .to_string();
    assert!(refused.contains("violates PodSecurity"), "{refused}");
    Ok(())
}

/// An add-on's life: installed with its definitions and hooks, waited for, changed by hand, broken, upgraded, removed.
async fn released(bench: &Bench, tools: &Tools) -> Result {
    let set = |addon: &str| bench.set_shop(&addon.replace("cluster.dev", "cluster.prod"));
    let live = async || tools.get(&["deployment", "shop", "-n", "shop"]).await;
    set(&shop("  values = { check = { enabled = true } }"))?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    let check = tools.get(&["job", "shop-check", "-n", "shop"]).await?;
    assert_eq!(condition(&check, "Complete"), Some("True"), "the hook ran");
    // A hand on it is named in the plan, and put back.
    let patch = ["-p", "{\"spec\":{\"replicas\":2}}"];
    let by = "--field-manager=kubectl-edit";
    let edit = ["patch", "deployment", "shop", "-n", "shop", by];
    tools.kubectl(&[&edit[..], &patch].concat()).await?;
    let change = bench.planned("drift", SHOP).await?;
    let drift = change["before"]["drift"].to_string();
    assert!(
        drift.contains(".spec.replicas") && drift.contains("kubectl-edit"),
        "{drift}"
    );
    bench.apply_plan("drift").await?;
    assert_eq!(live().await?["spec"]["replicas"], 1);
    bench.expect_empty_plan().await?;
    // Pods that never get ready fail the run in time, and the next one goes on.
    set(&shop(
        "  values   = { outcome = \"crash\" }\n  timeouts = { update = \"5s\" }",
    ))?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(refused.contains("Deployment"), "{refused}");
    set(&shop_of("2.0.0", ""))?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    assert_eq!(live().await?["status"]["readyReplicas"], 1);
    let definition = tools.get(&["crd", "orders.suite.example"]).await?;
    assert_eq!(
        definition["metadata"]["annotations"]["suite.example/shop"],
        "2"
    );
    bench.set_shop("")?;
    bench.apply().await?;
    let kinds = "deployments,services,configmaps,secrets,pods";
    let left = ["get", kinds, "-n", "shop", "-o", "name"];
    // The hook's job is no part of the release, and stays with its pod.
    let left = tools.kubectl(&left).await?;
    let left: Vec<&str> = left
        .lines()
        .filter(|line| !line.starts_with("pod/shop-check-"))
        .collect();
    assert_eq!(left, ["configmap/kube-root-ca.crt"]);
    tools
        .kubectl(&["get", "crd", "orders.suite.example"])
        .await?;
    bench.expect_empty_plan().await
}

/// A worker loses its power: Kubernetes notices, and notices that it came back.
async fn lost(bench: &Bench, tools: &Tools) -> Result {
    bench.admin().power("alpha-wrk-02", false).await?;
    let node = ["node", "alpha-wrk-02"];
    until(tools, &node, 60, |seen| {
        condition(seen, "Ready") == Some("Unknown")
    })
    .await?;
    bench.admin().power("alpha-wrk-02", true).await?;
    until(tools, &node, 60, |seen| {
        condition(seen, "Ready") == Some("True")
    })
    .await?;
    Ok(())
}
