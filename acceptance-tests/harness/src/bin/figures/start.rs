//! What a start costs: a command starts the binary 2 to 11 times.

use std::process::Stdio;
use std::time::Instant;

use core_client::{Core, Identity, Launch, MAGIC_COOKIE};
use harness::Binaries;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::Result;
use crate::table::{Table, median};

/// Starts counted.
const RUNS: usize = 20;

/// Handshake, memory, schema call.
pub async fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    let identity = Identity::generate()?;
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let started = Instant::now();
        let mut child = Command::new(&binaries.provider)
            .env("TF_PLUGIN_MAGIC_COOKIE", MAGIC_COOKIE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
            .env("PLUGIN_CLIENT_CERT", identity.pem())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        line.ok_or("no handshake line")?;
        if let Some(pid) = child.id() {
            memory.extend(resident_mb(pid));
        }
        child.kill().await?;
    }
    table.row(
        "start",
        "process start to handshake line, mutual TLS, median of 20",
        ms(median(times)),
        "under 5 ms",
    );
    table.row(
        "",
        "resident memory then",
        format!("{:.1} MB", median(memory)),
        "under 12 MB",
    );
    let mut schema = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        let core = Core::start(&Launch::new(&binaries.provider)).await?;
        schema.push(started.elapsed().as_secs_f64() * 1000.0);
        drop(core);
    }
    table.row(
        "",
        "start, connection, all schemas read and checked, median of 5",
        ms(median(schema)),
        "",
    );
    Ok(())
}

fn ms(figure: f64) -> String {
    format!("{figure:.1} ms")
}

/// Resident memory of a process, where the system tells.
fn resident_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
