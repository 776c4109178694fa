//! `helm template NAME CHART [-f VALUES]...` with this crate: what `cargo figures` measures beside the real
//! helm, as a process beside a process. The last line on standard error is the peak of resident memory in
//! kilobytes, where the system tells it.

#![expect(clippy::print_stderr, reason = "a program for the terminal")]

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use helm::template::Set;
use helm::values::Sources;
use helm::{Chart, RenderOptions, render};

/// Renders a chart as `helm template` does.
#[derive(Parser)]
struct Arguments {
    /// The release's name.
    name: String,
    /// A folder or an archive.
    chart: PathBuf,
    /// Values files.
    #[arg(short = 'f', long)]
    values: Vec<PathBuf>,
    /// Renders this often and prints nothing: for profilers.
    #[arg(long)]
    repeat: Option<u32>,
    /// Only parses the chart's own templates, again and again for a while; prints the bytes a second.
    #[arg(long)]
    parse: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => {
            if let Some(peak) = peak() {
                eprintln!("{peak}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut sources = Sources::new();
    for path in &arguments.values {
        sources = sources.file(path.display().to_string(), std::fs::read(path)?);
    }
    let chart = Chart::load(&arguments.chart)?;
    if arguments.parse {
        writeln!(std::io::stdout(), "{:.0}", parse(&chart)?)?;
        return Ok(());
    }
    let options = RenderOptions {
        release_name: arguments.name.clone(),
        values: sources.merge()?,
        include_crds: true,
        ..RenderOptions::default()
    };
    if let Some(times) = arguments.repeat {
        for _ in 0..times {
            std::hint::black_box(render(&chart, &options)?.to_template_output());
        }
        return Ok(());
    }
    let rendered = render(&chart, &options)?;
    let mut out = std::io::BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
    rendered.write_template_output(&mut out)?;
    out.flush()?;
    // The process ends here, and takes its memory with it.
    std::mem::forget((chart, rendered));
    Ok(())
}

/// Bytes of templates a second.
fn parse(chart: &Chart) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut bytes = 0;
    while start.elapsed() < Duration::from_millis(300) {
        let mut set = Set::new();
        for file in &chart.templates {
            set.parse(&file.name, &String::from_utf8_lossy(&file.data))?;
            bytes += file.data.len();
        }
        std::hint::black_box(&set);
    }
    Ok(bytes as f64 / start.elapsed().as_secs_f64())
}

fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
