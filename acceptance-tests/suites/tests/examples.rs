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

/// What an example's path or text shows to need a language of its own: since which minors of Terraform and OpenTofu. The
/// protocol suite drives what is behind them on every version.
const NEWER_LANGUAGE: [(&str, u32, Option<u32>); 6] = [
    ("provider::managedk8s::", 8, Some(7)),
    ("ephemeral \"", 11, Some(11)),
    ("_wo ", 11, Some(11)),
    ("import-by-identity.tf", 12, None),
    ("actions/", 14, None),
    ("list-resources/", 14, None),
];

/// The program at hand.
#[derive(Clone, Copy)]
struct Program {
    tofu: bool,
    minor: u32,
}

impl Program {
    async fn of(terraform: &Terraform) -> Result<Self, Error> {
        let done = terraform.run(["version"]).await?.expect_code(0)?;
        let minor = done
            .stdout
            .split_once(" v1.")
            .and_then(|(_, rest)| rest.split('.').next()?.parse().ok());
        Ok(Self {
            tofu: done.stdout.contains("OpenTofu"),
            minor: minor.unwrap_or_else(|| panic!("no version in {}", done.stdout)),
        })
    }

    /// Whether it has the language of an example.
    fn understands(self, name: &str, text: &str) -> bool {
        let has = |terraform, tofu| {
            let since = if self.tofu { tofu } else { Some(terraform) };
            since.is_some_and(|since| self.minor >= since)
        };
        NEWER_LANGUAGE
            .iter()
            .filter(|(part, ..)| name.contains(part) || text.contains(part))
            .all(|(_, terraform, tofu)| has(*terraform, *tofu))
    }

    /// The text without the demand for a newer program: users are asked for 1.11, for what is in the whole of the
    /// examples, but older ones load the provider as well and are held to what they understand.
    fn accept(self, text: &str) -> String {
        if self.minor >= 11 {
            return text.to_owned();
        }
        let lines = text
            .lines()
            .filter(|line| !line.contains("required_version"));
        lines.collect::<Vec<_>>().join("\n")
    }
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
    let (mut planned, mut old) = (0, false);
    for path in &found {
        let name = path.strip_prefix(&root).unwrap_or(path);
        let name = name.display().to_string();
        if NEED_FILES.contains(&name.as_str()) {
            continue;
        }
        // One at a time: each holds a copy of the provider.
        let work = tempfile::tempdir().expect("a folder");
        let terraform = folder(&binaries, work.path())?;
        let program = Program::of(&terraform).await?;
        old = program.minor < 11;
        let configuration = configuration(&name);
        let mut texts = configuration.iter().map(|(_, text)| text);
        if !texts.all(|text| program.understands(&name, text)) {
            continue;
        }
        for (file, text) in &configuration {
            terraform.write(file, &program.accept(text))?;
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
    // Programs older than they ask for understand half of them.
    let least = if old { 9 } else { 18 };
    assert!(planned >= least, "only {planned} examples in {found:#?}");
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
    let program = Program::of(&terraform).await?;
    if !program.understands("production", &text) {
        return Ok(());
    }
    terraform.write("main.tf", &program.accept(&text))?;
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
