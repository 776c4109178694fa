//! What others do to a cluster shows in the next plan, by name, and the next apply repairs it; a saved plan never does
//! more than it showed.

use serde_json::Value;
use suites::{Bench, Result};

const POOL: &str = "managedk8s_worker_pool.default";
const ADDON: &str = "managedk8s_addon.metallb";
const CLUSTER: &str = "managedk8s_cluster.dev";

/// A plan that shows exactly this drift of exactly this resource: what the refresh found.
async fn expect_drift(bench: &Bench, address: &str, wanted: &[(&str, &str)]) -> Result<Value> {
    let plan = bench.saved_plan("drifted").await?;
    let changed: Vec<&Value> = plan["resource_changes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|change| change.pointer("/change/actions/0") != Some(&"no-op".into()))
        .collect();
    let addresses: Vec<&str> = changed
        .iter()
        .filter_map(|change| change["address"].as_str())
        .collect();
    assert_eq!(addresses, [address], "{plan:#}");
    let change = &changed[0]["change"];
    assert_eq!(change["actions"], serde_json::json!(["update"]));
    let drift = change["before"]["drift"].as_object().ok_or("no drift")?;
    let keys: Vec<&str> = drift.keys().map(String::as_str).collect();
    let wanted_keys: Vec<&str> = wanted.iter().map(|(object, _)| *object).collect();
    assert_eq!(keys, wanted_keys, "{drift:?}");
    for (object, text) in wanted {
        let seen = drift[*object].as_str().unwrap_or_default();
        assert!(seen.contains(text), "{object}: {seen:?}, wanted {text:?}");
    }
    Ok(plan)
}

async fn repair(bench: &Bench) -> Result {
    bench
        .terraform
        .run(["apply", "-no-color", "drifted"])
        .await?
        .expect_code(0)?;
    bench.expect_empty_plan().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_worker_is_named_and_made_again() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let names = bench.vm_names().await?;
    bench.admin().delete_vm("alphat-wrk-02").await?;
    expect_drift(&bench, POOL, &[("wrk-02", "missing")]).await?;
    // The text that people read.
    let text = bench.terraform.plan().await?.expect_code(2)?.words();
    assert!(text.contains("wrk-02"), "{text}");
    assert!(text.contains("missing"), "{text}");
    repair(&bench).await?;
    assert_eq!(bench.vm_names().await?, names);
    if let Some(tools) = bench.tools().await? {
        let nodes = tools.kubectl(&["get", "nodes", "--no-headers"]).await?;
        assert_eq!(nodes.lines().count(), 4, "{nodes}");
        assert!(!nodes.contains("NotReady"), "{nodes}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_label_is_named_and_set_again() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.edit(
        "main.tf",
        "size    = 3",
        "size    = 3\n  labels  = { team = \"blue\" }",
    )?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    tools
        .kubectl(&["label", "node", "alphat-wrk-01", "team-"])
        .await?;
    expect_drift(&bench, POOL, &[("wrk-01.labels", "team")]).await?;
    repair(&bench).await?;
    let nodes = tools
        .kubectl(&["get", "nodes", "-l", "team=blue", "--no-headers"])
        .await?;
    assert_eq!(nodes.lines().count(), 3, "{nodes}");
    // A label that somebody else owns is nobody's drift.
    tools
        .kubectl(&["label", "node", "alphat-wrk-01", "theirs=yes"])
        .await?;
    bench.expect_empty_plan().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uninstalled_release_is_named_and_installed_again() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    tools
        .helm(&["uninstall", "metallb", "-n", "metallb-system"])
        .await?;
    // The chart's definitions took the objects of its kinds with them.
    let wanted = [
        ("object beside metallb-system/metallb", "missing"),
        ("release metallb-system/metallb", "not installed"),
    ];
    expect_drift(&bench, ADDON, &wanted).await?;
    repair(&bench).await?;
    let releases = tools.helm(&["list", "-A", "--short"]).await?;
    assert!(releases.lines().any(|line| line == "metallb"), "{releases}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_object_of_a_release_is_named_and_made_again() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let objects = tools
        .kubectl(&["get", "daemonset", "-n", "metallb-system", "-o", "name"])
        .await?;
    let object = objects
        .lines()
        .next()
        .ok_or("no DaemonSet in metallb-system")?;
    tools
        .kubectl(&["delete", "-n", "metallb-system", object])
        .await?;
    let name = object.rsplit('/').next().unwrap_or(object);
    let key = format!("object apps/v1 DaemonSet metallb-system/{name}");
    expect_drift(&bench, ADDON, &[(&key, "changed")]).await?;
    repair(&bench).await?;
    tools
        .kubectl(&["get", "-n", "metallb-system", object])
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_control_plane_is_named_and_started_again() -> Result {
    let bench = Bench::with_example("quickstart").await?;
    bench.apply().await?;
    bench.admin().power("alpha-cp-03", false).await?;
    let drift = {
        bench.saved_plan("drifted").await?;
        let shown = bench.terraform.plan().await?.expect_code(2)?.words();
        assert!(shown.contains("cp-03"), "{shown}");
        assert!(shown.contains("halted"), "{shown}");
        shown
    };
    assert!(!drift.contains("must be replaced"), "{drift}");
    repair(&bench).await?;
    let vm = bench.vm("alpha-cp-03").await?;
    assert!(vm.running);
    assert_eq!(vm.starts, 2);
    assert_eq!(bench.inventory().await?.etcd_clusters.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_does_not_disturb_more_than_it_showed() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.edit("main.tf", "size    = 3", "size    = 4")?;
    bench.apply().await?;
    bench.edit("main.tf", "size    = 4", "size    = 3")?;
    let plan = bench.saved_plan("shrink").await?;
    let summary = plan["resource_changes"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|change| change["address"] == POOL)
        .and_then(|change| change.pointer("/change/after/plan_summary")?.as_str())
        .ok_or("no summary")?;
    assert!(summary.contains("\"wrk 4\""), "{summary}");
    // A worker that nobody planned to touch: a node of the pool without a machine, which the pool would give back.
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let mut stranger = tools.get(&["node", "alphat-wrk-04"]).await?;
    let metadata = serde_json::json!({
        "name": "alphat-wrk-06",
        "labels": stranger["metadata"]["labels"],
    });
    stranger["metadata"] = metadata;
    stranger["metadata"]["labels"]["kubernetes.io/hostname"] = "alphat-wrk-06".into();
    stranger["status"] = serde_json::json!({});
    stranger["spec"] = serde_json::json!({});
    let file = bench.folder().join("stranger.json");
    std::fs::write(&file, stranger.to_string())?;
    tools
        .kubectl(&["create", "-f", &file.display().to_string()])
        .await?;
    let refused = bench
        .terraform
        .run(["apply", "-no-color", "shrink"])
        .await?
        .expect_code(1)?
        .words();
    assert!(refused.contains("wrk-06"), "{refused}");
    assert!(refused.to_lowercase().contains("plan again"), "{refused}");
    let kept = tools.kubectl(&["get", "nodes", "-o", "name"]).await?;
    assert!(kept.contains("alphat-wrk-06"), "it was not touched: {kept}");
    for name in ["alphat-wrk-01", "alphat-wrk-02", "alphat-wrk-03"] {
        assert!(bench.vm(name).await?.running, "{name}");
    }
    // The new plan shows it, and may do it.
    let again = bench.saved_plan("again").await?.to_string();
    assert!(again.contains("wrk-06"), "the new plan does not show it");
    bench
        .terraform
        .run(["apply", "-no-color", "again"])
        .await?
        .expect_code(0)?;
    let left = tools.kubectl(&["get", "nodes", "-o", "name"]).await?;
    assert_eq!(left.lines().count(), 4, "{left}");
    assert_eq!(bench.vm_names().await?.len(), 4);
    bench.expect_empty_plan().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deviation_that_heals_by_itself_is_skipped() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    bench.admin().power("alphat-wrk-03", false).await?;
    expect_drift(&bench, POOL, &[("wrk-03", "halted")]).await?;
    bench.admin().power("alphat-wrk-03", true).await?;
    let starts = bench.vm("alphat-wrk-03").await?.starts;
    bench.admin().reset_calls().await?;
    repair(&bench).await?;
    assert_eq!(
        bench.vm("alphat-wrk-03").await?.starts,
        starts,
        "it was not started again"
    );
    let writes = bench.admin().writes().await?;
    let cloud: Vec<String> = writes
        .iter()
        .map(|write| format!("{write:?}"))
        .filter(|write| write.contains("virtual_machines"))
        .collect();
    assert!(cloud.is_empty(), "machines were written to: {cloud:?}");
    assert_eq!(
        bench.attribute(CLUSTER, "drift").await?,
        serde_json::json!({})
    );
    Ok(())
}
