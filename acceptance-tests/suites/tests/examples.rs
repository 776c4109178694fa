//! Every example is planned by the real terraform, or validated where a plan would need a cluster that exists.

use std::path::{Path, PathBuf};

use harness::{Binaries, Error, Terraform, repository};

/// A root key that nothing is protected by: planning a new cluster reaches no cloud.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";

/// The examples that read a cluster which must exist.
const NEED_A_CLUSTER: [&str; 1] = ["data-sources/managedk8s_cluster/data-source.tf"];

/// The kinds whose language Terraform 1.11 does not have; the protocol suite drives them.
const NEWER_LANGUAGE: [&str; 3] = ["import-by-identity.tf", "actions/", "list-resources/"];

fn example(path: &str) -> String {
    let path = repository().join("examples").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All `.tf` files below a folder, in order.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .expect("the examples are there")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            found.push(path);
        }
    }
}

fn folder(binaries: &Binaries, path: &Path) -> Result<Terraform, Error> {
    let mut terraform = Terraform::new(path, binaries)?;
    for (name, value) in [
        // Nothing listens there: a call during the plan of a create would fail the test.
        ("CLOUDTEMPLE_HTTP_ADDR", "127.0.0.1:9"),
        ("CLOUDTEMPLE_HTTP_SCHEME", "http"),
        ("CLOUDTEMPLE_CLIENT_ID", "id"),
        ("CLOUDTEMPLE_SECRET_ID", "secret"),
        ("MANAGEDK8S_KEY", KEY),
    ] {
        terraform.env(name, value);
    }
    Ok(terraform)
}

/// The files that together are a configuration: the example, the provider block, and the cluster that it refers to.
fn configuration(name: &str) -> Vec<(&'static str, String)> {
    let text = example(name);
    let mut all = Vec::new();
    if name != "provider/provider.tf" && !text.contains("required_providers") {
        all.push(("provider.tf", example("provider/provider.tf")));
    }
    let refers = text.contains("= managedk8s_cluster.prod.handle");
    if refers && !text.contains("\"managedk8s_cluster\" \"prod\"") {
        let cluster = example("resources/managedk8s_cluster/resource.tf");
        all.push(("cluster.tf", cluster));
    }
    all.push(("main.tf", text));
    all
}

#[tokio::test]
async fn every_example_plans() -> Result<(), Error> {
    let binaries = Binaries::find()?;
    let root = repository().join("examples");
    let mut found = Vec::new();
    files(&root, &mut found);
    let mut planned = 0;
    for path in &found {
        let name = path.strip_prefix(&root).unwrap_or(path);
        let name = name.display().to_string();
        if NEWER_LANGUAGE.iter().any(|part| name.contains(part)) {
            continue;
        }
        // One at a time: each holds a copy of the provider.
        let work = tempfile::tempdir().expect("a folder");
        let terraform = folder(&binaries, work.path())?;
        for (file, text) in configuration(&name) {
            terraform.write(file, &text)?;
        }
        terraform.init().await?;
        let command: &[&str] = if NEED_A_CLUSTER.contains(&name.as_str()) {
            &["validate", "-no-color"]
        } else {
            &["plan", "-no-color", "-input=false"]
        };
        let done = terraform.run(command.iter().copied()).await?;
        assert_eq!(done.code, 0, "{name}:\n{}", done.text());
        planned += 1;
    }
    assert!(planned >= 18, "only {planned} examples in {found:#?}");
    Ok(())
}

/// The example says that it shows every attribute: a new one must be added to it.
#[tokio::test]
async fn production_shows_every_attribute() -> Result<(), Error> {
    // They repeat what other attributes decide: the pinned Cilium, the vendor's zone, Ceph of devtest.
    const LEFT_OUT: [&str; 3] = [
        "managedk8s_cluster.cilium_version",
        "managedk8s_cluster.network.public_zone",
        "managedk8s_worker_pool.ceph_gb",
    ];
    let binaries = Binaries::find()?;
    let work = tempfile::tempdir().expect("a folder");
    let terraform = folder(&binaries, work.path())?;
    let text = example("production/main.tf");
    terraform.write("main.tf", &text)?;
    terraform.init().await?;
    let done = terraform.run(["providers", "schema", "-json"]).await?;
    let done = done.expect_code(0)?;
    let schema: serde_json::Value =
        serde_json::from_str(&done.stdout).expect("terraform prints JSON");
    // Terraform and OpenTofu show it under the address of their own default host.
    let provider = schema["provider_schemas"]
        .as_object()
        .and_then(|all| all.values().next())
        .expect("the one provider");
    let resources = provider["resource_schemas"].as_object().expect("resources");
    let mut missing = Vec::new();
    for (name, resource) in resources {
        settable(name, &resource["block"]["attributes"], &mut |path, leaf| {
            let shown = text.lines().any(|line| {
                let rest = line.trim_start().strip_prefix(leaf);
                rest.is_some_and(|rest| rest.trim_start().starts_with('='))
            });
            // The members of a taint are on one line, or none.
            if !shown && !path.contains(".taints.") && !LEFT_OUT.contains(&path) {
                missing.push(path.to_owned());
            }
        });
    }
    assert!(missing.is_empty(), "{missing:#?}");
    Ok(())
}

/// Calls `visit` with path and name of every attribute that a configuration can set.
fn settable(at: &str, attributes: &serde_json::Value, visit: &mut impl FnMut(&str, &str)) {
    for (name, attribute) in attributes.as_object().into_iter().flatten() {
        if attribute["required"] == true || attribute["optional"] == true {
            let path = format!("{at}.{name}");
            visit(&path, name);
            settable(&path, &attribute["nested_type"]["attributes"], visit);
        }
    }
}
