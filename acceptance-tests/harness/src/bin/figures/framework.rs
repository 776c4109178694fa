//! What the framework costs: a thousand instances of the smallest resource beside as many of terraform's built-in one,
//! the schema call, and the instructions of one plan.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use core_client::{Core, Launch};
use harness::{Binaries, Terraform};
use serde_json::json;

use crate::Result;
use crate::table::{Table, median};

/// Where the provider of corner cases is installed from.
const ADDRESS: &str = "example.test/test/corner";
/// Instances of each kind.
const INSTANCES: usize = 1000;
/// Runs of each kind, one after the other in turn.
const RUNS: usize = 3;

/// Everything of this file.
pub async fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    let corner = &binaries.corner;
    schema(&binaries.provider, table).await?;
    thousand(binaries, corner, table).await?;
    instructions(corner, table).await
}

/// The schema call of our own provider.
async fn schema(provider: &Path, table: &mut Table) -> Result<()> {
    let mut core = Core::start(&Launch::new(provider)).await?;
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..20 {
        let started = Instant::now();
        bytes = core.schema_size().await?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    table.row(
        "framework",
        "GetProviderSchema, answered again, median of 20",
        format!("{:.2} ms", median(times)),
        "",
    );
    table.row("", "its size", format!("{:.1} kB", bytes as f64 / 1e3), "");
    Ok(())
}

async fn thousand(binaries: &Binaries, corner: &Path, table: &mut Table) -> Result<()> {
    let notes = format!(
        "terraform {{\n  required_providers {{\n    corner = {{ source = \"{ADDRESS}\" }}\n  }}\n}}\n\
         resource \"corner_note\" \"all\" {{\n  count = {INSTANCES}\n  text  = \"note ${{count.index}}\"\n}}\n"
    );
    let data = format!(
        "resource \"terraform_data\" \"all\" {{\n  count = {INSTANCES}\n  input = \"note ${{count.index}}\"\n}}\n"
    );
    let (mut ours, mut floor, mut peaks) = (Times::default(), Times::default(), Vec::new());
    for _ in 0..RUNS {
        floor.add(run(binaries, corner, &data).await?);
        let figures = run(binaries, corner, &notes).await?;
        peaks.extend(figures.peak_mb);
        ours.add(figures);
    }
    for (what, ours, floor) in [
        ("plan and apply", median(ours.apply), median(floor.apply)),
        ("no-change plan", median(ours.plan), median(floor.plan)),
    ] {
        let text = format!("{ours:.2} s / {floor:.2} s = {:.2}", ours / floor);
        let what =
            format!("{what} of {INSTANCES} instances, ours / terraform_data, medians of {RUNS}");
        let aim = if what.starts_with("plan") {
            "at most 1.3"
        } else {
            ""
        };
        table.row("", &what, text, aim);
    }
    let peak = peaks.into_iter().fold(0.0, f64::max);
    let shown = if peak > 0.0 {
        format!("{peak:.1} MB")
    } else {
        "not available".to_owned()
    };
    table.row("", "peak memory of the provider in that apply", shown, "");
    Ok(())
}

#[derive(Default)]
struct Times {
    apply: Vec<f64>,
    plan: Vec<f64>,
}

impl Times {
    fn add(&mut self, figures: Figures) {
        self.apply.push(figures.apply);
        self.plan.push(figures.plan);
    }
}

struct Figures {
    apply: f64,
    plan: f64,
    peak_mb: Option<f64>,
}

/// One apply from nothing and one plan without changes.
async fn run(binaries: &Binaries, corner: &Path, configuration: &str) -> Result<Figures> {
    let folder = std::env::temp_dir().join(format!("figures-{}", std::process::id()));
    let result = run_in(&folder, binaries, corner, configuration).await;
    std::fs::remove_dir_all(&folder)?;
    result
}

async fn run_in(
    folder: &Path,
    binaries: &Binaries,
    corner: &Path,
    configuration: &str,
) -> Result<Figures> {
    let terraform = Terraform::new(folder, binaries)?;
    terraform.install(ADDRESS, corner)?;
    terraform.write("main.tf", configuration)?;
    terraform.init().await?;
    let started = Instant::now();
    let (done, peak_mb) = {
        let work = terraform.apply();
        let watch = peak(corner, folder);
        tokio::pin!(work, watch);
        let mut highest = None;
        loop {
            tokio::select! {
                done = &mut work => break (done?, highest),
                seen = &mut watch => {
                    highest = highest.max(seen);
                    watch.set(peak(corner, folder));
                }
            }
        }
    };
    let apply = started.elapsed().as_secs_f64();
    done.expect_code(0)?;
    let started = Instant::now();
    terraform.plan().await?.expect_code(0)?;
    Ok(Figures {
        apply,
        plan: started.elapsed().as_secs_f64(),
        peak_mb: peak_mb.map(|kib: u64| kib as f64 * 1024.0 / 1e6),
    })
}

/// After a moment: the most memory that any provider process of this run has had, in KiB, where the system tells.
async fn peak(corner: &Path, folder: &Path) -> Option<u64> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    let name = corner.file_name()?.to_str()?;
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let status = |process: PathBuf| {
        let program = std::fs::read_link(process.join("exe")).ok()?;
        let ours = program.file_name()?.to_str()?.starts_with(name)
            && std::fs::read_link(process.join("cwd"))
                .ok()?
                .starts_with(folder);
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib = line.split_whitespace().next()?.parse().ok()?;
        ours.then_some(kib)
    };
    processes.filter_map(|entry| status(entry.path())).max()
}

/// Instructions of one PlanResourceChange: the difference between a process that planned often and one that did not.
async fn instructions(corner: &Path, table: &mut Table) -> Result<()> {
    const FEW: u64 = 10;
    const MANY: u64 = 210;
    for (what, kind, config) in [
        (
            "of the smallest resource",
            "corner_note",
            json!({ "text": "a" }),
        ),
        (
            "of a resource of 20 attributes",
            "corner_thing",
            json!({ "name": "a", "content": "text", "tags": ["a", "b"], "single": { "key": "k" } }),
        ),
    ] {
        let few = counted(corner, kind, &config, FEW).await;
        let many = counted(corner, kind, &config, MANY).await;
        let shown = match (few, many) {
            (Ok(few), Ok(many)) => {
                let each = many.saturating_sub(few) / (MANY - FEW);
                format!("{} thousand", each / 1000)
            }
            (Err(error), _) | (_, Err(error)) => {
                eprintln!("callgrind: {error}");
                "not available".to_owned()
            }
        };
        table.row(
            "",
            &format!("instructions of one PlanResourceChange {what} (callgrind)"),
            shown,
            "",
        );
    }
    Ok(())
}

/// Instructions of a provider process that answers `plans` plans.
async fn counted(corner: &Path, kind: &str, config: &serde_json::Value, plans: u64) -> Result<u64> {
    let mut launch = Launch::new("valgrind");
    launch.arguments = vec![
        "--tool=callgrind".into(),
        "--callgrind-out-file=/dev/null".into(),
        corner.into(),
    ];
    // Without TLS, whose work is not the framework's.
    launch.tls = false;
    let mut core = Core::start(&launch).await?;
    core.configure(&json!({})).await?;
    for _ in 0..plans {
        core.plan_only(kind, None, config).await?;
    }
    let process = core.process.take().ok_or("no process")?;
    drop(core);
    let (_, said, _) = process.shutdown_within(Duration::from_mins(1)).await?;
    let line = said.lines().find_map(|line| line.split_once("Collected :"));
    let (_, count) = line.ok_or_else(|| format!("no count in:\n{said}"))?;
    Ok(count.trim().parse()?)
}
