//! What a state lost is imported, and the plan of the unchanged configuration is empty; of a cluster that cannot tell
//! about itself it is an update in place.

use harness::{Binaries, Cloud, Error, Terraform, repository};
use serde_json::Value;
use suites::{Bench, Result};

/// A root key for a sandbox.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";
const LOST: [&str; 2] = ["managedk8s_worker_pool.default", "managedk8s_addon.metallb"];

#[tokio::test]
async fn lost_pools_and_addons_come_back_unchanged() -> std::result::Result<(), Error> {
    let binaries = Binaries::find()?;
    let work = tempfile::tempdir().expect("a folder");
    let cloud = Cloud::start(
        &binaries,
        work.path().join("sandbox.log"),
        ["--profile", "demo", "--speed", "50"],
    )
    .await?;
    let mut terraform = Terraform::new(work.path().join("work"), &binaries)?;
    cloud.connect(&mut terraform, KEY);
    terraform.copy_example(&repository().join("examples/devtest"))?;
    terraform.init().await?;
    terraform.apply().await?;

    let shown = terraform.show(None).await?;
    let resources = shown["values"]["root_module"]["resources"].as_array();
    let mut lost = Vec::new();
    for address in LOST {
        let resource = resources
            .into_iter()
            .flatten()
            .find(|one| one["address"] == address);
        let id = resource.and_then(|one| one["values"]["id"].as_str());
        lost.push((address, id.expect("it was applied").to_owned()));
    }
    for (address, id) in &lost {
        let id = id.as_str();
        terraform
            .run(["state", "rm", address])
            .await?
            .expect_code(0)?;
        terraform
            .run(["import", "-no-color", address, id])
            .await?
            .expect_code(0)?;
    }
    terraform
        .run(["plan", "-no-color", "-detailed-exitcode"])
        .await?
        .expect_code(0)?;

    // What belongs to the cluster itself is not for an add-on to take.
    let (_, pool) = &lost[0];
    let cluster = pool.trim_end_matches("/default");
    for (address, id, said) in [
        (LOST[0], format!("{cluster}/other"), "non-existent"),
        (LOST[0], "alphat".to_owned(), "id cannot be imported"),
        (
            LOST[1],
            format!("{cluster}/kube-system/cilium"),
            "something else manages this release",
        ),
    ] {
        terraform.run(["state", "rm", address]).await?;
        let refused = terraform
            .run(["import", "-no-color", address, id.as_str()])
            .await?
            .expect_code(1)?;
        assert!(refused.words().contains(said), "{id}: {}", refused.text());
    }
    cloud.stop().await
}

const CLUSTER: &str = "managedk8s_cluster.dev";
const POOL: &str = "managedk8s_worker_pool.default";

/// Takes cluster and pool out of state and imports them again; everything that terraform printed.
async fn lose_and_import(bench: &Bench) -> Result<String> {
    let mut told = String::new();
    for address in [CLUSTER, POOL] {
        let id = bench.attribute(address, "id").await?;
        let id = id.as_str().ok_or("no id")?;
        let remove = ["state", "rm", address];
        bench.terraform.run(remove).await?.expect_code(0)?;
        let import = ["import", "-no-color", address, id];
        let done = bench.terraform.run(import).await?.expect_code(0)?;
        told.push_str(&done.words());
    }
    Ok(told)
}

/// Every planned change is an update in place.
fn expect_updates_only(plan: &Value) {
    let changes = plan["resource_changes"].as_array();
    for change in changes.into_iter().flatten() {
        let actions = change["change"]["actions"].to_string();
        assert!(
            ["[\"update\"]", "[\"no-op\"]"].contains(&actions.as_str()),
            "{}: {actions}",
            change["address"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_every_machine_off_is_imported_and_updated_in_place() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let before = bench.inventory().await?;
    let names = bench.vm_names().await?;
    for name in &names {
        bench.admin().power(name, false).await?;
    }
    let told = lose_and_import(&bench).await?;
    assert!(
        told.contains("cluster does not tell about itself"),
        "{told}"
    );
    assert!(told.contains("pool does not tell about itself"), "{told}");
    assert_eq!(bench.attribute(POOL, "workers").await?, "1-3");
    assert_eq!(bench.attribute(CLUSTER, "topology").await?, "devtest");
    expect_updates_only(&bench.saved_plan("in-place").await?);

    for name in &names {
        bench.admin().power(name, true).await?;
    }
    for _ in 0..120 {
        let nodes = bench.admin().nodes().await?;
        let up = nodes.iter().filter(|node| node.stage == "running").count();
        if up == names.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    let after = bench.inventory().await?;
    let machines = |inventory: &sandbox::admin::Inventory| {
        let one =
            |vm: &sandbox::admin::VmView| (vm.name.clone(), vm.tags.clone(), vm.disks.clone());
        inventory.vms.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(machines(&before), machines(&after), "the same machines");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_recorded_nothing_is_imported_and_records_again() -> Result {
    let mut bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let records = [
        "configmap/managedk8s-cluster-alphat",
        "configmap/managedk8s-pool-default",
    ];
    let kubectl = |verb| [&[verb, "-n", "kube-system"][..], &records[..]].concat();
    tools.kubectl(&kubectl("delete")).await?;
    let before = bench.inventory().await?;
    let told = lose_and_import(&bench).await?;
    assert!(told.contains("it recorded nothing about itself"), "{told}");
    expect_updates_only(&bench.saved_plan("in-place").await?);
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    tools.kubectl(&kubectl("get")).await?;
    assert_eq!(before.vms, bench.inventory().await?.vms);

    // Its machines show that another key is not the cluster's.
    let id = bench.attribute(CLUSTER, "id").await?;
    bench
        .terraform
        .run(["state", "rm", CLUSTER])
        .await?
        .expect_code(0)?;
    bench.terraform.env(
        "MANAGEDK8S_KEY",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    );
    let import = [
        "import",
        "-no-color",
        CLUSTER,
        id.as_str().unwrap_or_default(),
    ];
    let refused = bench.terraform.run(import).await?.expect_code(1)?.words();
    assert!(refused.contains("another key than"), "{refused}");
    Ok(())
}
