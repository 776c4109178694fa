//! What the user wants to see.
//!
//! `TF_LOG_PROVIDER_<NAME>`, `TF_LOG_PROVIDER` and `TF_LOG` in this order; the first that is set
//! counts. Each holds a level, and may go on with levels of subsystems: `info,helm=debug`.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Libraries whose finest levels show what passes through them, secrets included.
const QUIET: [&str; 7] = [
    "h2",
    "hyper",
    "hyper_util",
    "rustls",
    "tonic",
    "tower",
    "reqwest",
];

/// The filter the user asked for; `None` for no log at all.
pub(super) fn filter(name: &str, get: impl Fn(&str) -> Option<String>) -> Option<Targets> {
    let own = format!("TF_LOG_PROVIDER_{}", name.to_uppercase().replace('-', "_"));
    let wish = [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"]
        .into_iter()
        .find_map(|variable| get(variable).filter(|value| !value.is_empty()))?;
    let mut parts = wish.split(',').map(str::trim);
    let default = level(parts.next().unwrap_or_default());
    let mut targets = Targets::new().with_default(default);
    for library in QUIET {
        targets = targets.with_target(library, default.min(LevelFilter::INFO));
    }
    for part in parts {
        if let Some((target, wanted)) = part.split_once('=') {
            targets = targets.with_target(target.to_owned(), level(wanted));
        }
    }
    Some(targets)
}

/// A level by terraform's names. `JSON` means everything; so does, as in terraform, an unknown word.
fn level(name: &str) -> LevelFilter {
    match name.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => Level::ERROR.into(),
        "warn" => Level::WARN.into(),
        "info" => Level::INFO.into(),
        "debug" => Level::DEBUG.into(),
        _ => Level::TRACE.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Option<Targets> {
        filter("acme", |name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_most_specific_variable_counts() {
        assert!(with(&[]).is_none());
        let targets = with(&[
            ("TF_LOG", "trace"),
            ("TF_LOG_PROVIDER_ACME", "warn,helm=debug"),
        ])
        .unwrap();
        assert!(targets.would_enable("anything", &Level::WARN));
        assert!(!targets.would_enable("anything", &Level::INFO));
        assert!(targets.would_enable("helm", &Level::DEBUG));
    }

    #[test]
    fn libraries_never_show_what_passes_through() {
        let targets = with(&[("TF_LOG", "JSON")]).unwrap();
        assert!(targets.would_enable("acme", &Level::TRACE));
        assert!(!targets.would_enable("h2::codec", &Level::DEBUG));
    }
}
