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
    table.row(
        "create",
        &format!("API calls per VM ({vms:.0} VMs), activity polls apart"),
        format!("{:.1}", calls.openiaas as f64 / vms),
        "at most 9, 10 with a data disk",
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
        calls.lists.to_string(),
        "one a zone: 3",
    );
    table.row(
        "",
        "other API calls per VM",
        format!("{:.1}", (calls.openiaas - calls.lists) as f64 / vms),
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

/// Calls by surface.
#[derive(Debug, Default)]
struct Calls {
    openiaas: u64,
    polls: u64,
    lists: u64,
    talos: u64,
    kubernetes: u64,
}

fn count(routes: &BTreeMap<String, u64>) -> Calls {
    let mut calls = Calls::default();
    for (route, number) in routes {
        match route.split(' ').next().unwrap_or_default() {
            "openiaas" if route.contains("/activity/") => calls.polls += number,
            "openiaas" => {
                calls.openiaas += number;
                if route.ends_with("get /compute/v1/open_iaas/virtual_machines") {
                    calls.lists += number;
                }
            }
            "talos" => calls.talos += number,
            "kubernetes" => calls.kubernetes += number,
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
