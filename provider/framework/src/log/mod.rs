//! Logging as terraform reads it: one JSON object a line on standard error.

mod layer;
mod level;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::serve::Scrub;

/// Installs the subscriber, unless the user asked for no log: then every event costs nothing.
pub(crate) fn install(name: &str, scrub: Option<Scrub>) {
    let get = |variable: &str| std::env::var(variable).ok();
    let Some(filter) = level::filter(name, get) else {
        return;
    };
    let layer = layer::Hclog::new(name, scrub, std::io::stderr);
    // A subscriber that is there already (a test's) is kept.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init();
}
