//! Renders every chart below a folder with this crate and with the real helm, and compares the
//! bytes.
//!
//! `cargo corpus DIR [--values ci] [--flip SEED] [--vendor]`
//!
//! The real helm is the program named by `MANAGEDK8S_HELM`, else `helm` on the path. When two runs
//! of the real helm differ from each other (random passwords, certificates), the lines in which they
//! differ are left out of the comparison. Exit code 1 on any difference, and when one renders what
//! the other refuses.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use helm::values::Sources;
use helm::{Chart, RenderOptions, render};
use serde_json::{Map, Value};

/// Compares renderings with the real helm.
#[derive(Parser)]
struct Arguments {
    /// The folder to search for charts.
    folder: PathBuf,
    /// `ci`: also with each chart's `ci/*.yaml`.
    #[arg(long)]
    values: Option<String>,
    /// Also with flipped booleans: all `enabled` and `create` on, all off, five random subsets.
    #[arg(long)]
    flip: Option<u64>,
    /// Takes dependencies that are not vendored from the charts found, drops the others, in a copy.
    #[arg(long)]
    vendor: bool,
    /// Only charts whose path contains this.
    #[arg(long)]
    only: Option<String>,
    /// Charts rendered side by side; more than one blurs the timings.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Shows this many lines of each difference.
    #[arg(long, default_value_t = 6)]
    lines: usize,
    /// Shows both messages of cases that fail in both.
    #[arg(long)]
    messages: bool,
    /// Writes both outputs of each difference below this folder.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// One chart with one set of values.
struct Case {
    chart: PathBuf,
    /// The name in reports.
    label: String,
    values: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Equal,
    EqualButRandom,
    Different,
    FailedBoth,
    OnlyOursFails,
    OnlyHelmFails,
}

struct Report {
    label: String,
    outcome: Outcome,
    detail: String,
    ours: Duration,
    helm: Duration,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let scratch = std::env::temp_dir().join(format!("corpus-{}", std::process::id()));
    let outcome = run(&arguments, &scratch);
    let _ = fs::remove_dir_all(&scratch);
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("corpus: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments, scratch: &Path) -> Result<bool, String> {
    let helm = std::env::var("MANAGEDK8S_HELM").unwrap_or_else(|_| "helm".to_owned());
    let version = Command::new(&helm)
        .args(["version", "--short"])
        .output()
        .map_err(|error| format!("cannot run {helm}: {error}; set MANAGEDK8S_HELM"))?;
    println!(
        "oracle: {}",
        String::from_utf8_lossy(&version.stdout).trim()
    );

    let mut charts = Vec::new();
    find(&arguments.folder, &mut charts)?;
    if arguments.vendor {
        charts = vendor(&charts, &scratch.join("vendored"))?;
    }
    if let Some(only) = &arguments.only {
        charts.retain(|chart| chart.to_string_lossy().contains(only.as_str()));
    }
    let mut cases = Vec::new();
    for chart in &charts {
        add_cases(chart, arguments, scratch, &mut cases)?;
    }
    println!("{} charts, {} cases", charts.len(), cases.len());

    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = compare(case, &helm, scratch, arguments);
                    show(&report, arguments);
                    if let Ok(mut all) = reports.lock() {
                        all.push(report);
                    }
                }
            });
        }
    });
    let reports = reports.into_inner().map_err(|error| error.to_string())?;
    Ok(summary(&reports))
}

fn show(report: &Report, arguments: &Arguments) {
    let word = match report.outcome {
        Outcome::Equal | Outcome::EqualButRandom => return,
        Outcome::FailedBoth if !arguments.messages => return,
        Outcome::FailedBoth => "failed in both",
        Outcome::Different => "DIFFERENT",
        Outcome::OnlyOursFails => "ONLY OURS FAILS",
        Outcome::OnlyHelmFails => "ONLY HELM FAILS",
    };
    println!("{word}: {}\n{}", report.label, report.detail);
}

fn summary(reports: &[Report]) -> bool {
    let count = |outcome| reports.iter().filter(|r| r.outcome == outcome).count();
    let median = |pick: fn(&Report) -> Duration| {
        let mut all: Vec<Duration> = reports.iter().map(pick).collect();
        all.sort();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let different = count(Outcome::Different);
    let (ours, helms) = (count(Outcome::OnlyOursFails), count(Outcome::OnlyHelmFails));
    println!("equal                       {:6}", count(Outcome::Equal));
    println!(
        "equal but for random lines  {:6}",
        count(Outcome::EqualButRandom)
    );
    println!("different                   {different:6}");
    println!(
        "failed in both              {:6}",
        count(Outcome::FailedBoth)
    );
    println!("failed only here            {ours:6}");
    println!("failed only in helm         {helms:6}");
    println!(
        "median time here {:.1?}, helm's process {:.1?}",
        median(|report| report.ours),
        median(|report| report.helm)
    );
    different + ours + helms == 0
}

/// Folders with a `Chart.yaml` and archives, but not the charts inside charts.
fn find(folder: &Path, charts: &mut Vec<PathBuf>) -> Result<(), String> {
    if folder.join("Chart.yaml").is_file() {
        charts.push(folder.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            find(&path, charts)?;
        } else if path.extension().is_some_and(|extension| extension == "tgz") {
            charts.push(path);
        }
    }
    Ok(())
}

fn add_cases(
    chart: &Path,
    arguments: &Arguments,
    scratch: &Path,
    cases: &mut Vec<Case>,
) -> Result<(), String> {
    let name = chart
        .strip_prefix(&arguments.folder)
        .or_else(|_| chart.strip_prefix(scratch.join("vendored")))
        .unwrap_or(chart)
        .display()
        .to_string();
    let mut add = |label: String, values: Option<PathBuf>| {
        cases.push(Case {
            chart: chart.to_owned(),
            label,
            values,
        });
    };
    add(name.clone(), None);
    if arguments.values.as_deref() == Some("ci") {
        let ci = chart.join("ci");
        let mut files: Vec<PathBuf> = fs::read_dir(&ci)
            .map(|entries| entries.filter_map(|e| e.ok().map(|e| e.path())).collect())
            .unwrap_or_default();
        files.retain(|f| f.extension().is_some_and(|e| e == "yaml" || e == "yml"));
        files.sort();
        for file in files {
            let base = file.file_name().unwrap_or_default().to_string_lossy();
            add(format!("{name} with ci/{base}"), Some(file.clone()));
        }
    }
    if let Some(seed) = arguments.flip {
        let Ok(loaded) = Chart::load(chart) else {
            return Ok(());
        };
        let flags = flags(&Value::Object(loaded.values.clone()));
        let mut random = Random(seed ^ 0x9E37_79B9_7F4A_7C15 ^ hash(&name));
        for round in 0..7 {
            let mut tree = Map::new();
            for (path, value) in &flags {
                let last = path.last().map_or("", String::as_str);
                let flipped = match round {
                    0 => matches!(last, "enabled" | "create").then_some(true),
                    1 => Some(false),
                    _ => random.bit().then_some(!value),
                };
                if let Some(flipped) = flipped {
                    put(&mut tree, path, flipped);
                }
            }
            let folder = scratch.join("flips");
            fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
            let file = folder.join(format!("{:016x}-{round}.yaml", hash(&name)));
            fs::write(&file, Value::Object(tree).to_string()).map_err(|e| e.to_string())?;
            add(format!("{name} flipped {seed}/{round}"), Some(file));
        }
    }
    Ok(())
}

fn flags(values: &Value) -> Vec<(Vec<String>, bool)> {
    fn walk(value: &Value, path: &mut Vec<String>, all: &mut Vec<(Vec<String>, bool)>) {
        match value {
            Value::Bool(value) => all.push((path.clone(), *value)),
            Value::Object(map) => {
                let sorted: BTreeMap<&String, &Value> = map.iter().collect();
                for (key, value) in sorted {
                    path.push(key.clone());
                    walk(value, path, all);
                    path.pop();
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(values, &mut Vec::new(), &mut all);
    all
}

fn put(tree: &mut Map<String, Value>, path: &[String], value: bool) {
    match path {
        [] => {}
        [last] => {
            tree.insert(last.clone(), value.into());
        }
        [first, rest @ ..] => {
            let inner = tree
                .entry(first.clone())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// Splitmix: the same flips for the same seed everywhere.
struct Random(u64);

impl Random {
    fn bit(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) & 1 == 1
    }
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// Copies charts with the dependencies that can be had from each other; the rest is dropped.
fn vendor(charts: &[PathBuf], target: &Path) -> Result<Vec<PathBuf>, String> {
    let mut by_name: BTreeMap<String, &PathBuf> = BTreeMap::new();
    for chart in charts.iter().filter(|chart| chart.is_dir()) {
        if let Ok(loaded) = Chart::load(chart) {
            by_name.entry(loaded.name().to_owned()).or_insert(chart);
        }
    }
    let mut copies = Vec::new();
    for (index, chart) in charts.iter().enumerate() {
        if chart.is_dir() {
            let name = chart.file_name().unwrap_or_default();
            let copy = target.join(format!("{index:04}")).join(name);
            vendor_one(chart, &copy, &by_name, 0)?;
            copies.push(copy);
        } else {
            copies.push(chart.clone());
        }
    }
    Ok(copies)
}

fn vendor_one(
    chart: &Path,
    copy: &Path,
    by_name: &BTreeMap<String, &PathBuf>,
    depth: usize,
) -> Result<(), String> {
    copy_folder(chart, copy)?;
    let file = copy.join("Chart.yaml");
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let Ok(Value::Object(mut metadata)) = helm::yaml::decode_one(text.as_bytes()) else {
        return Ok(());
    };
    let Some(Value::Array(declared)) = metadata.get("dependencies").cloned() else {
        return Ok(());
    };
    let present = Chart::load(copy)
        .map(|c| c.dependencies)
        .unwrap_or_default();
    let mut kept = Vec::new();
    for dependency in declared.iter().cloned() {
        let name = dependency["name"].as_str().unwrap_or_default();
        if !present.iter().any(|chart| chart.name() == name) {
            let Some(source) = by_name.get(name).filter(|_| depth < 4) else {
                continue;
            };
            vendor_one(source, &copy.join("charts").join(name), by_name, depth + 1)?;
        }
        let mut dependency = dependency;
        // Heads of repositories move on; the constraint is not what is compared here.
        dependency["version"] = "*-0".into();
        kept.push(dependency);
    }
    if kept.len() == declared.len() && kept.iter().zip(&declared).all(|(a, b)| a == b) {
        return Ok(());
    }
    metadata.insert("dependencies".into(), Value::Array(kept));
    let _ = fs::remove_file(copy.join("Chart.lock"));
    fs::write(&file, Value::Object(metadata).to_string()).map_err(|error| error.to_string())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| error.to_string())?;
    let entries = fs::read_dir(from).map_err(|error| error.to_string())?;
    for entry in entries.filter_map(Result::ok) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else if source.is_file() {
            fs::copy(&source, &target).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn with_helm(case: &Case, helm: &str, scratch: &Path) -> Result<String, String> {
    let mut command = Command::new(helm);
    command.args(["template", "corpus"]).arg(&case.chart).args([
        "--namespace",
        "default",
        "--include-crds",
    ]);
    if let Some(values) = &case.values {
        command.arg("-f").arg(values);
    }
    for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(home, scratch.join("home"));
    }
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn with_ours(case: &Case) -> Result<String, String> {
    let chart = Chart::load(&case.chart).map_err(|error| error.to_string())?;
    let mut sources = Sources::new();
    if let Some(file) = &case.values {
        let text = fs::read(file).map_err(|error| error.to_string())?;
        sources = sources.file(file.display().to_string(), text);
    }
    let options = RenderOptions {
        release_name: "corpus".to_owned(),
        values: sources.merge().map_err(|error| error.to_string())?,
        include_crds: true,
        ..RenderOptions::default()
    };
    render(&chart, &options)
        .map(|rendered| rendered.to_template_output())
        .map_err(|error| error.to_string())
}

fn compare(case: &Case, helm: &str, scratch: &Path, arguments: &Arguments) -> Report {
    let start = Instant::now();
    let expected = with_helm(case, helm, scratch);
    let helm_time = start.elapsed();
    let start = Instant::now();
    let seen = with_ours(case);
    let ours_time = start.elapsed();
    let mut report = Report {
        label: case.label.clone(),
        outcome: Outcome::Equal,
        detail: String::new(),
        ours: ours_time,
        helm: helm_time,
    };
    match (expected, seen) {
        (Ok(expected), Ok(seen)) if expected == seen => {}
        (Ok(expected), Ok(seen)) => {
            let again = with_helm(case, helm, scratch).unwrap_or_default();
            if same_but_random(&expected, &again, &seen) {
                report.outcome = Outcome::EqualButRandom;
            } else {
                report.outcome = Outcome::Different;
                report.detail = difference(&expected, &again, &seen, arguments.lines);
                if let Some(folder) = &arguments.keep {
                    keep(folder, &case.label, &expected, &seen);
                }
            }
        }
        (Err(expected), Err(seen)) => {
            report.outcome = Outcome::FailedBoth;
            report.detail = format!("  helm: {}\n  ours: {}", short(&expected), short(&seen));
        }
        (Ok(_), Err(seen)) => {
            report.outcome = Outcome::OnlyOursFails;
            report.detail = format!("  {}", short(&seen));
        }
        (Err(expected), Ok(_)) => {
            report.outcome = Outcome::OnlyHelmFails;
            report.detail = format!("  {}", short(&expected));
        }
    }
    report
}

fn keep(folder: &Path, label: &str, expected: &str, seen: &str) {
    let name: String = label
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let _ = fs::create_dir_all(folder);
    let _ = fs::write(folder.join(format!("{name}.helm")), expected);
    let _ = fs::write(folder.join(format!("{name}.ours")), seen);
}

fn short(text: &str) -> String {
    text.chars().take(600).collect()
}

fn same_but_random(one: &str, other: &str, seen: &str) -> bool {
    let (one, other, seen): (Vec<_>, Vec<_>, Vec<_>) = (
        one.lines().collect(),
        other.lines().collect(),
        seen.lines().collect(),
    );
    one.len() == other.len()
        && one.len() == seen.len()
        && one
            .iter()
            .zip(&other)
            .zip(&seen)
            .all(|((one, other), seen)| one != other || one == seen)
}

fn difference(expected: &str, again: &str, seen: &str, lines: usize) -> String {
    let random: Vec<bool> = expected
        .lines()
        .zip(again.lines())
        .map(|(a, b)| a != b)
        .collect();
    let mut shown = Vec::new();
    let (mut left, mut right) = (expected.lines(), seen.lines());
    let mut number = 0;
    while shown.len() < lines {
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() {
            break;
        }
        let masked = random.get(number).copied().unwrap_or(false);
        number += 1;
        if a != b && !masked {
            shown.push(format!(
                "  {number}: helm {:?}\n  {number}: ours {:?}",
                a.unwrap_or("(end)"),
                b.unwrap_or("(end)")
            ));
        }
    }
    shown.join("\n")
}
