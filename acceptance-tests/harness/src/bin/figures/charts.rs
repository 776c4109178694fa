//! What rendering costs beside the real helm: a process beside a process, in one run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::repository;

use crate::Result;
use crate::table::{Table, median};

/// Charts shown.
const SHOWN: usize = 10;
/// Runs of each; the middle one counts.
const RUNS: usize = 5;

/// The heaviest charts below `folder`, by the real helm's own time.
pub fn measure(folder: &Path, table: &mut Table) -> Result<()> {
    let programs = build()?;
    let helm = std::env::var("MANAGEDK8S_HELM").unwrap_or_else(|_| "helm".to_owned());
    let Some(floor) = run(&helm, &["version", "--short"]) else {
        eprintln!("skipped: no helm on the path, and MANAGEDK8S_HELM is not set");
        return Ok(());
    };
    let mut charts = Vec::new();
    find(folder, &mut charts)?;
    let mut heavy: Vec<(f64, PathBuf)> = charts
        .into_iter()
        .filter_map(|chart| {
            let one = run(
                &helm,
                &[
                    "template",
                    "figures",
                    &chart.display().to_string(),
                    "--include-crds",
                ],
            )?;
            Some((one.time, chart))
        })
        .collect();
    heavy.sort_by(|a, b| b.0.total_cmp(&a.0));
    let template = programs.join("template").display().to_string();
    let mut compared: Vec<Compared> = Vec::new();
    for (_, chart) in &heavy {
        let shown = |secrets| compared.iter().filter(|one| one.secrets == secrets).count();
        if shown(false) >= SHOWN {
            break;
        }
        // The same chart in two versions tells nothing new.
        if compared.iter().any(|one| chart.ends_with(&one.name)) {
            continue;
        }
        let Some(secrets) = makes_secrets(&helm, chart) else {
            continue;
        };
        if shown(secrets) < SHOWN {
            compared.extend(compare(&helm, &template, chart, secrets));
        }
    }
    for (secrets, title) in [
        (false, "rendering, ours / helm"),
        // The search for a key's primes is luck, and costs either program the same.
        (true, "the same, of charts that make keys or passwords"),
    ] {
        let group: Vec<&Compared> = compared
            .iter()
            .filter(|one| one.secrets == secrets)
            .collect();
        if group.is_empty() {
            continue;
        }
        for (index, one) in group.iter().enumerate() {
            let title = if index == 0 { title } else { "" };
            table.row(title, &one.name, one.text(), "");
        }
        let middle =
            |ratio: fn(&Compared) -> f64| median(group.iter().map(|one| ratio(one)).collect());
        table.row(
            "",
            &format!("median of these {}", group.len()),
            format!(
                "time 1/{:.1}, memory 1/{:.1}",
                middle(|one| one.theirs.time / one.ours.time),
                middle(|one| one.theirs.memory / one.ours.memory)
            ),
            "time 1/5, memory 1/3",
        );
    }
    heavy.truncate(SHOWN);
    table.row(
        "",
        "`helm version` alone, which renders nothing",
        format!("{:.0} ms, {:.0} MB", floor.time * 1000.0, floor.memory),
        "",
    );
    let speeds = heavy.iter().filter_map(|(_, chart)| {
        let output = Command::new(&template)
            .arg("figures")
            .arg(chart)
            .arg("--parse")
            .output();
        String::from_utf8_lossy(&output.ok()?.stdout)
            .trim()
            .parse()
            .ok()
    });
    let speed: f64 = median(speeds.collect());
    table.row(
        "templates",
        "parsed a second",
        format!("{:.0} MB", speed / 1e6),
        "",
    );
    let output = Command::new(programs.join("install")).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let times: Vec<f64> = text
        .split_whitespace()
        .filter_map(|text| text.parse().ok())
        .collect();
    if let [install, upgrade] = times[..] {
        table.row(
            "releases",
            "time on top of the API's own, 100 objects: install, upgrade",
            format!("{:.1} ms, {:.1} ms", install / 1000.0, upgrade / 1000.0),
            "",
        );
    }
    Ok(())
}

/// A chart by both programs.
struct Compared {
    name: String,
    /// Whether it makes up keys or passwords.
    secrets: bool,
    ours: Cost,
    theirs: Cost,
}

impl Compared {
    fn text(&self) -> String {
        let (ours, theirs) = (&self.ours, &self.theirs);
        format!(
            "{:.0} ms / {:.0} ms = 1/{:.1}, {:.0} MB / {:.0} MB = 1/{:.1}",
            ours.time * 1000.0,
            theirs.time * 1000.0,
            theirs.time / ours.time,
            ours.memory,
            theirs.memory,
            theirs.memory / ours.memory
        )
    }
}

fn compare(helm: &str, template: &str, chart: &Path, secrets: bool) -> Option<Compared> {
    let path = chart.display().to_string();
    Some(Compared {
        name: chart.file_name()?.to_string_lossy().into_owned(),
        secrets,
        theirs: middle(helm, &["template", "figures", &path, "--include-crds"])?,
        ours: middle(template, &["figures", &path])?,
    })
}

/// Whether two renderings by the real helm differ; nothing when it fails.
fn makes_secrets(helm: &str, chart: &Path) -> Option<bool> {
    let render = || {
        let output = Command::new(helm)
            .args(["template", "figures"])
            .arg(chart)
            .output()
            .ok()?;
        output.status.success().then_some(output.stdout)
    };
    Some(render()? != render()?)
}

/// The folder of the programs that use the crate `helm` alone.
fn build() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("MANAGEDK8S_HELM_EXAMPLES") {
        return Ok(PathBuf::from(folder));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .current_dir(repository())
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "helm",
            "--examples",
        ])
        .status()?;
    if !done.success() {
        return Err("cargo build of the crate helm's examples failed".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository().join("target"), PathBuf::from);
    Ok(target.join("release/examples"))
}

/// The folders that hold a chart, those inside of charts left out.
fn find(folder: &Path, charts: &mut Vec<PathBuf>) -> Result<()> {
    if folder.join("Chart.yaml").exists() {
        charts.push(folder.to_path_buf());
        return Ok(());
    }
    let mut inner: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    inner.sort();
    for path in inner {
        find(&path, charts)?;
    }
    Ok(())
}

/// Seconds, and megabytes of resident memory at the peak.
struct Cost {
    time: f64,
    memory: f64,
}

fn middle(program: &str, arguments: &[&str]) -> Option<Cost> {
    let runs: Option<Vec<Cost>> = (0..RUNS).map(|_| run(program, arguments)).collect();
    let runs = runs?;
    Some(Cost {
        time: median(runs.iter().map(|run| run.time).collect()),
        memory: median(runs.iter().map(|run| run.memory).collect()),
    })
}

/// One run; `None` when it fails. Memory is looked at while the process lives: its peak only grows, so that the
/// last look is nearly all of it.
fn run(program: &str, arguments: &[&str]) -> Option<Cost> {
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0.0;
    loop {
        let peak = std::fs::read_to_string(&status).ok();
        memory = peak.as_deref().and_then(peak_mb).unwrap_or(memory);
        if let Some(done) = child.try_wait().ok()? {
            let time = start.elapsed().as_secs_f64();
            return done.success().then_some(Cost { time, memory });
        }
        std::thread::park_timeout(Duration::from_micros(500));
    }
}

fn peak_mb(status: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
