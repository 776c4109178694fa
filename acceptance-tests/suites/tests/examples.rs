//! Every example is planned by the real terraform, or validated where a plan would need a cluster that exists.

use std::path::{Path, PathBuf};

use harness::{Binaries, Error, Terraform, repository};

/// A root key that nothing is protected by: planning a new cluster reaches no cloud.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";

/// The examples that read a cluster or a chart repository which must exist.
const NEED_A_CLUSTER: [&str; 2] = [
    "data-sources/managedk8s_cluster/data-source.tf",
    "data-sources/managedk8s_helm_template/data-source.tf",
];

/// The examples that read files of the user's own; their suites have some.
const NEED_FILES: [&str; 1] = ["functions/helm_template/function.tf"];

/// The kinds whose language came after Terraform 1.11, and with which minor; OpenTofu has none of it but the first. The
/// protocol suite drives what is behind them on every version.
const NEWER_LANGUAGE: [(&str, u32); 3] = [
    ("import-by-identity.tf", 12),
    ("actions/", 14),
    ("list-resources/", 14),
];

/// Whether the program at hand has the language of an example.
fn understood(name: &str, minor: Option<u32>) -> bool {
    let needs = NEWER_LANGUAGE.iter().find(|(part, _)| name.contains(part));
    needs.is_none_or(|(_, needs)| minor.is_some_and(|minor| minor >= *needs))
}

/// The minor of the terraform 1 at hand; `None` for another program.
async fn minor(terraform: &Terraform) -> Result<Option<u32>, Error> {
    let done = terraform.run(["version", "-json"]).await?.expect_code(0)?;
    let version: serde_json::Value = serde_json::from_str(&done.stdout).unwrap_or_default();
    let text = version["terraform_version"].as_str().unwrap_or_default();
    let tofu = terraform
        .run(["version"])
        .await?
        .stdout
        .contains("OpenTofu");
    let minor = text
        .strip_prefix("1.")
        .and_then(|rest| rest.split('.').next()?.parse().ok());
    Ok(minor.filter(|_| !tofu))
}

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
        } else if path
            .extension()
            .is_some_and(|extension| extension == "tf" || extension == "hcl")
        {
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
        // A chart that cannot be fetched is a warning of the plan.
        ("MANAGEDK8S_CHART_MIRROR", "http://127.0.0.1:9"),
    ] {
        terraform.env(name, value);
    }
    Ok(terraform)
}

/// The files that together are a configuration: the example, the provider block, and the cluster that it refers to.
fn configuration(name: &str) -> Vec<(&'static str, String)> {
    let mut text = example(name);
    if let Some(folder) = name.strip_suffix("import-by-identity.tf") {
        // What is imported is the resource beside it.
        text.push_str(&example(&format!("{folder}resource.tf")));
    }
    let mut all = Vec::new();
    if name != "provider/provider.tf" && !text.contains("required_providers") {
        all.push(("provider.tf", example("provider/provider.tf")));
    }
    let refers = text.contains("= managedk8s_cluster.prod.handle");
    if refers && !text.contains("\"managedk8s_cluster\" \"prod\"") {
        let cluster = example("resources/managedk8s_cluster/resource.tf");
        all.push(("cluster.tf", cluster));
    }
    let main = if name.ends_with(".tfquery.hcl") {
        "main.tfquery.hcl"
    } else {
        "main.tf"
    };
    all.push((main, text));
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
        if NEED_FILES.contains(&name.as_str()) {
            continue;
        }
        // One at a time: each holds a copy of the provider.
        let work = tempfile::tempdir().expect("a folder");
        let terraform = folder(&binaries, work.path())?;
        if !understood(&name, minor(&terraform).await?) {
            continue;
        }
        for (file, text) in configuration(&name) {
            terraform.write(file, &text)?;
        }
        terraform.init().await?;
        let command: &[&str] = if name.ends_with(".tfquery.hcl") {
            &["validate", "-query", "-no-color"]
        } else if NEED_A_CLUSTER.contains(&name.as_str()) || name.ends_with("import-by-identity.tf")
        {
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
