//! One case with both engines.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use helm::values::Sources;
use helm::{Chart, RenderOptions, render};

use crate::Arguments;
use crate::cases::Case;
use crate::report::{Outcome, Report};

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
        // Warnings come first.
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let error = text.rfind("Error: ").map_or(&*text, |at| &text[at + 7..]);
        Err(error.trim().to_owned())
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

pub fn compare(case: &Case, helm: &str, scratch: &Path, arguments: &Arguments) -> Report {
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
            let again = || with_helm(case, helm, scratch).unwrap_or_default();
            let different = not_random(&expected, &seen, again);
            if different.is_empty() {
                report.outcome = Outcome::EqualButRandom;
            } else {
                report.outcome = Outcome::Different;
                report.detail = difference(&different, arguments.lines);
                if let Some(folder) = &arguments.keep {
                    keep(folder, &case.label, &expected, &seen);
                }
            }
        }
        (Err(expected), Err(seen)) => {
            report.outcome = if essence(&expected) == essence(&seen) {
                Outcome::FailedBoth
            } else if wants_the_network(&expected) {
                Outcome::WantsTheNetwork
            } else {
                Outcome::FailedBothDifferently
            };
            report.detail = format!("  helm: {}\n  ours: {}", short(&expected), short(&seen));
        }
        (Ok(_), Err(seen)) => {
            report.outcome = Outcome::OnlyOursFails;
            report.detail = format!("  {}", short(&seen));
        }
        (Err(expected), Ok(_)) => {
            report.outcome = if wants_the_network(&expected) {
                Outcome::WantsTheNetwork
            } else {
                Outcome::OnlyHelmFails
            };
            report.detail = format!("  {}", short(&expected));
        }
    }
    report
}

/// What is compared of two messages: not what the command line adds, not how a schema's findings are worded.
fn essence(message: &str) -> String {
    let end = message.find("\n\nUse --debug").unwrap_or(message.len());
    let message = message[..end].trim();
    let open = "values don't meet the specifications";
    match message.find(open) {
        Some(at) => message[..at + open.len()].to_owned(),
        None => message.to_owned(),
    }
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

/// How often helm is asked whether a line is random: the minutes of two schedules are the same once in sixty times.
const AGAIN: usize = 5;

/// A line of helm's and ours in its place.
type Pair<'t> = (usize, Option<&'t str>, Option<&'t str>);

/// The lines that differ although helm prints them alike each time.
fn not_random<'t>(expected: &'t str, seen: &'t str, again: impl Fn() -> String) -> Vec<Pair<'t>> {
    let (mut left, mut right) = (expected.lines(), seen.lines());
    let length = expected.lines().count();
    let longest = length.max(seen.lines().count());
    let mut different: Vec<Pair<'t>> = (1..=longest)
        .map(|number| (number, left.next(), right.next()))
        .filter(|(_, a, b)| a != b)
        .collect();
    for _ in 0..AGAIN {
        if different.is_empty() || length != longest {
            break;
        }
        let other = again();
        let other: Vec<&str> = other.lines().collect();
        if other.len() != length {
            break;
        }
        different.retain(|(number, a, _)| other.get(number - 1) == a.as_ref());
    }
    different
}

fn difference(different: &[Pair<'_>], lines: usize) -> String {
    let shown = different.iter().take(lines).map(|(number, a, b)| {
        let (a, b) = (a.unwrap_or("(end)"), b.unwrap_or("(end)"));
        format!("  {number}: helm {a:?}\n  {number}: ours {b:?}")
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// Whether helm failed because a schema stands elsewhere, which it fetches and we do not.
fn wants_the_network(error: &str) -> bool {
    error.contains("failing loading \"http")
}
