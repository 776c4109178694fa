//! Renders every chart below a folder with this crate and with the real helm, and compares the
//! bytes.
//!
//! `cargo corpus DIR [--values ci] [--flip SEED] [--vendor[=FOLDER]]`
//!
//! The real helm is the program named by `MANAGEDK8S_HELM`, else `helm` on the path. When two runs
//! of the real helm differ from each other (random passwords, certificates), the lines in which they
//! differ are left out of the comparison. Exit code 1 on any difference, and when one renders what
//! the other refuses; texts of errors are compared, but how a schema words its findings is not, and a
//! schema that helm would fetch from elsewhere is counted apart.

#![expect(clippy::print_stderr, reason = "a program for the terminal")]

mod cases;
mod compare;
mod report;
mod vendor;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;

/// Compares renderings with the real helm.
#[derive(Parser)]
struct Arguments {
    /// The folder to search for charts.
    folder: PathBuf,
    /// Also with each of these files of a chart.
    #[arg(long, num_args = 0..=1, default_missing_value = "ci/*.yaml", value_parser = ["ci", "ci/*.yaml"])]
    values: Option<String>,
    /// Also with flipped booleans: all `enabled` and `create` on, all off, five random subsets.
    #[arg(long)]
    flip: Option<u64>,
    /// Takes dependencies that are not vendored from the charts found, drops the others, in a copy; with a folder
    /// the copies stay there, for `cargo figures --charts` among others.
    #[expect(
        clippy::option_option,
        reason = "clap's form of an option whose value may be left out"
    )]
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    vendor: Option<Option<PathBuf>>,
    /// Only charts whose path contains this.
    #[arg(long)]
    only: Option<String>,
    /// Charts rendered side by side; more than one blurs the timings.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Shows this many lines of each difference.
    #[arg(long, default_value_t = 6)]
    lines: usize,
    /// Shows both messages of cases that fail in both, not only of those whose messages differ.
    #[arg(long)]
    messages: bool,
    /// Writes both outputs of each difference below this folder.
    #[arg(long)]
    keep: Option<PathBuf>,
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
    report::say!(
        "oracle: {}",
        String::from_utf8_lossy(&version.stdout).trim()
    );

    let mut charts = Vec::new();
    cases::find(&arguments.folder, &mut charts)?;
    if let Some(folder) = &arguments.vendor {
        let own = || scratch.join("vendored");
        charts = vendor::vendor(&charts, &folder.clone().unwrap_or_else(own))?;
    }
    if let Some(only) = &arguments.only {
        charts.retain(|chart| chart.to_string_lossy().contains(only.as_str()));
    }
    let mut all = Vec::new();
    for chart in &charts {
        cases::add(chart, arguments, scratch, &mut all)?;
    }
    report::say!("{} charts, {} cases", charts.len(), all.len());

    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some(case) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = compare::compare(case, &helm, scratch, arguments);
                    report.show(arguments.messages);
                    if let Ok(mut reports) = reports.lock() {
                        reports.push(report);
                    }
                }
            });
        }
    });
    let reports = reports.into_inner().map_err(|error| error.to_string())?;
    Ok(report::summary(&reports))
}
