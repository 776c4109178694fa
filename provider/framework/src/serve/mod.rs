//! Serving a provider to terraform.

use std::process::ExitCode;
use std::sync::Arc;

use crate::Provider;

/// Removes secrets from a log line; the second net, after types that cannot be printed.
pub type Scrub = Arc<dyn Fn(String) -> String + Send + Sync>;

/// How to serve.
#[derive(Clone)]
pub struct Options {
    /// The provider's address, for messages and reattach mode: `registry.terraform.io/acme/acme`.
    pub address: String,
    /// Serve for a debugger: print `TF_REATTACH_PROVIDERS` and wait for Ctrl-C.
    pub debug: bool,
    /// Applied to every log line.
    pub scrub: Option<Scrub>,
}

impl Options {
    /// Serves as terraform asks.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            debug: false,
            scrub: None,
        }
    }

    /// Serves for a debugger: prints `TF_REATTACH_PROVIDERS` and waits for Ctrl-C.
    pub fn debug(mut self, debug: bool) -> Self {
        self.debug = debug;
        self
    }

    /// Applies `scrub` to every log line.
    pub fn scrub(mut self, scrub: impl Fn(String) -> String + Send + Sync + 'static) -> Self {
        self.scrub = Some(Arc::new(scrub));
        self
    }
}

/// Serves until terraform is done. The exit code is the process's.
pub fn serve<P: Provider>(provider: P, options: Options) -> ExitCode {
    let _ = (provider, options);
    ExitCode::FAILURE
}
