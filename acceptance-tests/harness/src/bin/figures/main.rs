//! `cargo figures`: what the provider costs, measured on this machine, as the table of docs/figures.md.
//!
//! Counts and sizes are exact; times are only worth the ratios between rows of one run.

mod addons;
mod charts;
mod framework;
mod life;
mod start;
mod table;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harness::{Binaries, repository};

use table::Table;

/// Measures what the provider costs and prints the table of docs/figures.md.
#[derive(Debug, Parser)]
#[command(name = "cargo figures", version)]
struct Options {
    /// Write the table to docs/figures.md as well
    #[arg(long)]
    write: bool,
    /// Measure one part only
    #[arg(long, conflicts_with = "write")]
    only: Option<Part>,
    /// Measure the debug build, which is quicker to make and slower to run
    #[arg(long)]
    debug: bool,
    /// Render the heaviest charts below this folder beside the real helm (`MANAGEDK8S_HELM`, else the path's);
    /// the sandbox's own charts without it
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
}

/// A part of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Starts of the process.
    Start,
    /// The framework, by its smallest resource.
    Framework,
    /// One life of a cluster.
    Life,
    /// A plan of many add-ons.
    Addons,
    /// Charts beside the real helm.
    Charts,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("figures: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    eprintln!("building ...");
    let binaries = match std::env::var_os("MANAGEDK8S_BIN_DIR") {
        Some(_) => Binaries::find()?,
        None => Binaries::build(!options.debug)?,
    };
    let mut table = Table::default();
    let size = std::fs::metadata(&binaries.provider)?.len();
    table.row(
        "binary",
        "size of the provider",
        format!("{:.1} MB", size as f64 / 1e6),
        "under 20 MB",
    );
    let wanted = |part| options.only.is_none_or(|only| only == part);
    if wanted(Part::Start) {
        eprintln!("starting the provider 20 times ...");
        start::measure(&binaries, &mut table).await?;
    }
    if wanted(Part::Framework) {
        eprintln!("a thousand instances of the smallest resource ...");
        framework::measure(&binaries, &mut table).await?;
    }
    if wanted(Part::Life) {
        eprintln!("one life of a cluster on the sandbox ...");
        life::measure(&binaries, &mut table).await?;
    }
    if wanted(Part::Addons) {
        eprintln!("thirty add-ons on the sandbox ...");
        addons::measure(&binaries, &mut table).await?;
    }
    if wanted(Part::Charts) {
        eprintln!("rendering charts beside helm ...");
        let own = || repository().join("acceptance-tests/sandbox/charts");
        charts::measure(&options.charts.clone().unwrap_or_else(own), &mut table)?;
    }
    let command = if options.debug {
        "cargo figures --debug"
    } else {
        "cargo figures"
    };
    let text = table.markdown(command);
    print_table(&text);
    if options.write {
        std::fs::write(repository().join("docs/figures.md"), &text)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn print_table(text: &str) {
    println!("{text}");
}
