//! Signals, and the death of the parent.

use std::time::Duration;

use super::connection::Lifetime;

/// How often the parent is looked at.
#[cfg(unix)]
const LOOK: Duration = Duration::from_secs(1);

/// Handlers that are in place before terraform is told that we are.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    parent: u32,
}

#[cfg(unix)]
impl Signals {
    pub fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            parent: std::os::unix::process::parent_id(),
        })
    }
}

/// Returns when the process should end: on SIGTERM, when the parent is gone, and on Ctrl-C in
/// reattach mode. Otherwise SIGINT is swallowed, however often it comes: it reaches the whole
/// process group, and terraform tells us by StopProvider what to do about it.
#[cfg(unix)]
pub(super) async fn watch(mut signals: Signals, lifetime: Lifetime, debug: bool) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = signals.interrupt.recv() => {
                if debug {
                    return;
                }
                tracing::debug!("SIGINT ignored, waiting for the stop request");
            }
            _ = signals.terminate.recv() => {
                tracing::info!("SIGTERM");
                return;
            }
            _ = look.tick(), if !debug => {
                if std::os::unix::process::parent_id() != signals.parent {
                    tracing::info!("the calling process is gone");
                    return;
                }
            }
            () = lifetime.over.cancelled() => return,
        }
    }
}

/// Nothing to install in advance.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "installing can fail elsewhere")]
    pub fn install() -> std::io::Result<Self> {
        Ok(Self)
    }
}

/// Returns when the process should end.
#[cfg(not(unix))]
pub(super) async fn watch(_: Signals, lifetime: Lifetime, debug: bool) {
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {
                if debug {
                    return;
                }
            }
            () = lifetime.over.cancelled() => return,
        }
    }
}
