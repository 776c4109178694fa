//! Serving a provider to terraform.
//!
//! Order of a start: environment, log, signal handlers, socket, certificate, handshake line; then
//! connections until the caller says goodbye, hangs up or dies.

mod connection;
mod environment;
mod listener;
mod process;
mod reattach;
mod services;
mod tls;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::Provider;
use crate::log;
use crate::server::{Session, Shared, install_hook};

use connection::{Host, Lifetime};
use environment::Environment;
use listener::Listener;

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

/// Why serving is not possible.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("cannot listen for terraform")]
    Listen(#[source] std::io::Error),
    #[error("cannot set up TLS")]
    Tls(#[source] tls::TlsError),
    #[error("cannot handle signals")]
    Signals(#[source] std::io::Error),
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
}

/// How long calls in flight may take to end once the caller is gone.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until terraform is done. The exit code is the process's.
///
/// Nothing else may write to standard output, before or after: it carries the handshake. Log with
/// `tracing`; what users must see belongs into diagnostics.
pub fn serve<P: Provider>(provider: P, options: Options) -> ExitCode {
    let environment = Environment::read();
    if !options.debug && !environment.started_by_host {
        eprintln!(
            "This is {} {}, a provider for Terraform and OpenTofu. It is started by them and not by hand; \
             name it in required_providers as {:?}, or run it with -debug.",
            provider.name(),
            provider.version(),
            options.address,
        );
        return ExitCode::FAILURE;
    }
    log::install(provider.name(), options.scrub.clone());
    install_hook();
    match run(provider, &options, &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            eprintln!("[ERROR] {error}{cause}");
            ExitCode::FAILURE
        }
    }
}

fn run<P: Provider>(
    provider: P,
    options: &Options,
    environment: &Environment,
) -> Result<(), ServeError> {
    // Two workers: calls mostly wait, and one that computes must not hold up the others.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    let result = runtime.block_on(serve_async(provider, options, environment));
    // Work that nobody waits for must not delay the exit: core kills after two seconds.
    runtime.shutdown_background();
    result
}

async fn serve_async<P: Provider>(
    provider: P,
    options: &Options,
    environment: &Environment,
) -> Result<(), ServeError> {
    let signals = process::Signals::install().map_err(ServeError::Signals)?;
    let listener = Listener::bind(environment)
        .await
        .map_err(ServeError::Listen)?;
    let tls = match &environment.client_certificate {
        Some(pem) if !options.debug => Some(tls::Tls::new(pem).map_err(ServeError::Tls)?),
        _ => None,
    };
    let line = if options.debug {
        reattach::instructions(&options.address, &listener)
    } else {
        handshake_line(&listener, tls.as_ref(), environment)
    };
    write_line(&line).map_err(ServeError::Output)?;

    let lifetime = Lifetime::new();
    let shared = Arc::new(Shared::new(provider, options.address.clone()));
    let host = Host {
        shared: Arc::clone(&shared),
        // In reattach mode each connection is a provider configuration of its own.
        session: (!options.debug).then(|| Arc::new(Session::new(lifetime.work.child_token()))),
        lifetime: lifetime.clone(),
    };
    let accept = connection::accept(listener, tls, host);
    let watch = process::watch(signals, lifetime.clone(), options.debug);
    tokio::select! {
        () = accept => {}
        () = watch => {}
        () = lifetime.over.cancelled() => {}
    }
    end(&shared.calls, &lifetime).await;
    Ok(())
}

/// Ends calls in flight in order, as far as the reason for the end leaves time.
async fn end(calls: &tokio_util::task::TaskTracker, lifetime: &Lifetime) {
    lifetime.work.cancel();
    calls.close();
    if !lifetime.shutdown.is_cancelled() {
        let _ = tokio::time::timeout(GRACE, calls.wait()).await;
    }
}

/// The line core reads: versions, address, kind, certificate.
fn handshake_line(
    listener: &Listener,
    tls: Option<&tls::Tls>,
    environment: &Environment,
) -> String {
    let certificate = tls.map(tls::Tls::certificate_base64).unwrap_or_default();
    let mut line = format!(
        "1|6|{}|{}|grpc|{certificate}",
        listener.network(),
        listener.address()
    );
    if environment.asks_multiplexing {
        line.push_str("|false");
    }
    line
}

fn write_line(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    // In one piece: a reader may leave as soon as it has what it wants.
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}

/// Tokens that end things: `token()` of the process and of its work.
pub(crate) type Token = CancellationToken;
