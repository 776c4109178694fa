//! Processes of the system, by number: which descend from which, and signals.

use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::Result;

/// The processes whose parent is `parent` (proc(5)).
pub fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| stat(*pid).is_some_and(|(_, seen)| seen == parent))
        .collect()
}

/// Whether it runs; one that has ended and that nobody has waited for yet does not.
fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

/// State and parent.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// Sends a signal to a process, or with a minus before the number to a process group.
pub async fn signal(name: &str, target: &str) -> Result {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$1\" -- \"$2\"", "kill", name, target])
        .status()
        .await?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("kill -s {name} {target}: {status}").into())
    }
}

/// Waits until none of them runs; names those that stay.
pub async fn gone(pids: &[u32], within: Duration) -> Result {
    let end = Instant::now() + within;
    loop {
        let stay: Vec<u32> = pids.iter().copied().filter(|pid| runs(*pid)).collect();
        if stay.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("processes {stay:?} stay after {within:?}").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
}
