//! What a life of the quickstart cluster costs: calls, bytes of state, times beside the floor.

use std::collections::BTreeMap;
use std::time::Instant;

use base64::Engine as _;
use harness::{Binaries, Cloud, Terraform, repository};
use serde_json::Value;

use crate::Result;
use crate::table::Table;

/// As many trivial resources as the quickstart has.
const FLOOR: &str = "resource \"terraform_data\" \"a\" {\n  count = 3\n  input = count.index\n}\n";

/// One life, and the same commands on `terraform_data`.
pub async fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    let home = std::env::temp_dir().join(format!("managedk8s-figures-{}", std::process::id()));
    std::fs::create_dir_all(&home)?;
    let result = measure_in(&home, binaries, table).await;
    std::fs::remove_dir_all(&home)?;
    result
}

async fn measure_in(home: &std::path::Path, binaries: &Binaries, table: &mut Table) -> Result<()> {
    let cloud = Cloud::start(binaries, home.join("sandbox.log"), ["--profile", "fast"]).await?;
    let admin = cloud.admin();
    let mut ours = Terraform::new(home.join("ours"), binaries)?;
    ours.copy_example(&repository().join("examples/quickstart"))?;
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    cloud.connect(
        &mut ours,
        &base64::engine::general_purpose::STANDARD.encode(key),
    );
    ours.init().await?;
    let floor = Terraform::new(home.join("floor"), binaries)?;
    floor.write("main.tf", FLOOR)?;
    floor.init().await?;

    let floor_create = timed(&floor, &["apply", "-auto-approve"]).await?;
    admin.reset_calls().await?;
    let create = timed(&ours, &["apply", "-auto-approve"]).await?;
    let calls = count(&admin.calls().await?);
    let vms = admin.inventory().await?.vms.len() as f64;
    let data_disks = calls.of("post /compute/v1/open_iaas/virtual_disks") as f64;
    // Beside each VM's own tag: the claim's is read back, and the completion is written and read back.
    let tags = (calls.of("post /tag/v1/tags") + calls.of("get /tag/v1/tags/resources/{id}")) as f64;
    let marks = tags - vms;
    let one = (calls.about_machines() as f64 - data_disks - marks) / vms;
    table.row(
        "create",
        "API calls about one VM, activity polls apart",
        format!("{one:.1}, {:.1} with a data disk", one + 1.0),
        "at most 9, 10 with a data disk",
    );
    table.row(
        "",
        "API calls for all VMs together: login, names, listings, claim, completion",
        format!("{:.0}", calls.shared() as f64 + marks),
        "",
    );
    table.row(
        "",
        &format!("all API calls divided by VMs ({vms:.0}, {data_disks:.0} data disks), activity polls apart"),
        format!("{:.1}", calls.openiaas() as f64 / vms),
        "",
    );
    table.row(
        "",
        "activity polls per VM",
        format!("{:.1}", calls.polls as f64 / vms),
        "",
    );
    let bytes = state_bytes(&ours)?;
    for (address, size) in &bytes {
        table.row(
            "state",
            address,
            format!("{:.1} kB", *size as f64 / 1000.0),
            "under 20 kB",
        );
    }
    let floor_plan = timed(&floor, &["plan", "-detailed-exitcode"]).await?;
    admin.reset_calls().await?;
    let plan = timed(&ours, &["plan", "-detailed-exitcode"]).await?;
    let calls = count(&admin.calls().await?);
    table.row(
        "no-change plan",
        "VM lists",
        calls.lists().to_string(),
        "one a zone: 3",
    );
    table.row(
        "",
        "other API calls per VM",
        format!("{:.1}", (calls.openiaas() - calls.lists()) as f64 / vms),
        "at most 3",
    );
    table.row(
        "",
        "machine API calls per node",
        format!("{:.1}", calls.talos as f64 / vms),
        "at most 1",
    );
    table.row("", "Kubernetes API calls", calls.kubernetes.to_string(), "");
    let floor_destroy = timed(&floor, &["destroy", "-auto-approve"]).await?;
    let destroy = timed(&ours, &["destroy", "-auto-approve"]).await?;
    for (what, ours, floor) in [
        ("create", create, floor_create),
        ("no-change plan", plan, floor_plan),
        ("destroy", destroy, floor_destroy),
    ] {
        let text = format!("{ours:.2} s / {floor:.2} s = {:.1}", ours / floor);
        table.row("whole command, ours / three terraform_data", what, text, "");
    }
    cloud.stop().await?;
    Ok(())
}

async fn timed(terraform: &Terraform, arguments: &[&str]) -> Result<f64> {
    let started = Instant::now();
    terraform
        .run(arguments.iter().copied())
        .await?
        .expect_code(0)?;
    Ok(started.elapsed().as_secs_f64())
}

/// Calls that serve all VMs at once.
const SHARED: [&str; 7] = [
    "post /iam/v2/auth/personal_access_token",
    "get /compute/v1/open_iaas",
    "get /compute/v1/open_iaas/networks",
    "get /compute/v1/open_iaas/storage_repositories",
    "get /compute/v1/open_iaas/templates",
    "get /compute/v1/open_iaas/virtual_machines",
    "get /backup/v1/open_iaas/policies",
];

/// Calls by surface; those of the cloud by route, without looks at activities.
#[derive(Debug, Default)]
struct Calls {
    cloud: BTreeMap<String, u64>,
    polls: u64,
    talos: u64,
    kubernetes: u64,
}

impl Calls {
    fn of(&self, route: &str) -> u64 {
        self.cloud.get(route).copied().unwrap_or_default()
    }

    fn openiaas(&self) -> u64 {
        self.cloud.values().sum()
    }

    fn shared(&self) -> u64 {
        SHARED.iter().map(|route| self.of(route)).sum()
    }

    fn about_machines(&self) -> u64 {
        self.openiaas() - self.shared()
    }

    fn lists(&self) -> u64 {
        self.of("get /compute/v1/open_iaas/virtual_machines")
    }
}

fn count(routes: &BTreeMap<String, u64>) -> Calls {
    let mut calls = Calls::default();
    for (route, number) in routes {
        match route.split_once(' ') {
            Some(("openiaas", route)) if route.contains("/activity/") => calls.polls += number,
            Some(("openiaas", route)) => drop(calls.cloud.insert(route.to_owned(), *number)),
            Some(("talos", _)) => calls.talos += number,
            Some(("kubernetes", _)) => calls.kubernetes += number,
            _ => {}
        }
    }
    calls
}

/// Bytes of each instance in the state file, as JSON without white space.
fn state_bytes(terraform: &Terraform) -> Result<Vec<(String, usize)>> {
    let text = std::fs::read_to_string(terraform.folder().join("terraform.tfstate"))?;
    let state: Value = serde_json::from_str(&text)?;
    let resources = state["resources"]
        .as_array()
        .ok_or("no resources in state")?;
    let mut sizes = Vec::new();
    for resource in resources {
        let name = format!(
            "{}.{}",
            resource["type"].as_str().unwrap_or_default(),
            resource["name"].as_str().unwrap_or_default()
        );
        for instance in resource["instances"].as_array().into_iter().flatten() {
            sizes.push((name.clone(), instance.to_string().len()));
        }
    }
    Ok(sizes)
}
