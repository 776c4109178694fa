//! Pools and add-ons that a state lost are imported, and the plan of the unchanged configuration is empty.

use harness::{Binaries, Cloud, Error, Terraform, repository};

/// A root key for a sandbox.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";
const LOST: [&str; 2] = ["managedk8s_worker_pool.default", "managedk8s_addon.metallb"];

#[tokio::test]
async fn lost_pools_and_addons_come_back_unchanged() -> Result<(), Error> {
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
