//! The sandbox as a program.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sandbox::{Config, Delays, KubernetesKind, Profile, Sandbox};

/// A simulated cloud over real sockets: OpenIaaS, Talos nodes, Kubernetes, charts, a proxy.
///
/// When ready it prints one line of JSON with every address and credential on standard output; logs go to standard
/// error (RUST_LOG chooses what). It runs until it is interrupted. Settings come from the file, then from the options
/// below; the file knows more (behaviour, tenant, single delays).
#[derive(Debug, Parser)]
#[command(name = "sandbox", version)]
struct Options {
    /// Settings file in TOML; `sandbox.toml` in the working folder is taken when it is there
    #[arg(long, env = "SANDBOX_CONFIG")]
    config: Option<PathBuf>,
    /// Address of the OpenIaaS API; port 0 takes a free one
    #[arg(long, env = "SANDBOX_API")]
    api: Option<SocketAddr>,
    /// Serve the OpenIaaS API over HTTPS
    #[arg(long, env = "SANDBOX_HTTPS")]
    https: bool,
    /// Address of the admin endpoint
    #[arg(long, env = "SANDBOX_ADMIN")]
    admin: Option<SocketAddr>,
    /// Address of the proxy (HTTP CONNECT and SOCKS5)
    #[arg(long, env = "SANDBOX_PROXY")]
    proxy: Option<SocketAddr>,
    /// Address of the chart repositories and the OCI registry
    #[arg(long, env = "SANDBOX_CHARTS")]
    charts: Option<SocketAddr>,
    /// Loopback network of the nodes (a /16, such as 127.77.0.0); a free one is taken when absent
    #[arg(long, env = "SANDBOX_LOOPBACK")]
    loopback: Option<Ipv4Addr>,
    /// Client id of the personal access token
    #[arg(long, env = "SANDBOX_CLIENT_ID")]
    client_id: Option<String>,
    /// Secret of the personal access token
    #[arg(long, env = "SANDBOX_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Folder that keeps the state over restarts
    #[arg(long, env = "SANDBOX_STATE")]
    state: Option<PathBuf>,
    /// Folder of charts to serve instead of the sandbox's own
    #[arg(long, env = "SANDBOX_CHARTS_DIR")]
    charts_dir: Option<PathBuf>,
    /// What serves the Kubernetes API of clusters
    #[arg(long, env = "SANDBOX_KUBERNETES", value_enum)]
    kubernetes: Option<KubernetesKind>,
    /// Folder of the real control plane's programs, which acceptance-tests/run builds
    #[arg(long, env = "MANAGEDK8S_KUBERNETES_ORACLES")]
    oracles: Option<PathBuf>,
    /// How long things take
    #[arg(long, env = "SANDBOX_PROFILE", value_enum)]
    profile: Option<Profile>,
    /// Divides every duration of the profile
    #[arg(long, env = "SANDBOX_SPEED")]
    speed: Option<f64>,
    /// Seed that shuffles every listing
    #[arg(long, env = "SANDBOX_SHUFFLE")]
    shuffle: Option<u64>,
    /// Stop when standard input ends: for programs that start a sandbox
    #[arg(long)]
    until_stdin_ends: bool,
}

fn settings(options: &Options) -> Result<Config, String> {
    let default = PathBuf::from("sandbox.toml");
    let file = options
        .config
        .clone()
        .or_else(|| default.is_file().then_some(default));
    let mut config = match file {
        Some(path) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => Config::default(),
    };
    config.https |= options.https;
    let addresses = [
        (&mut config.api, options.api),
        (&mut config.admin, options.admin),
        (&mut config.proxy, options.proxy),
        (&mut config.charts, options.charts),
    ];
    for (setting, wanted) in addresses {
        *setting = wanted.unwrap_or(*setting);
    }
    config.loopback = options.loopback.or(config.loopback);
    config.state_dir = options.state.clone().or(config.state_dir);
    config.charts_dir = options.charts_dir.clone().or(config.charts_dir);
    config.kubernetes = options.kubernetes.unwrap_or(config.kubernetes);
    config.oracles = options.oracles.clone().or(config.oracles);
    config.profile = options.profile.unwrap_or(config.profile);
    config.behaviour.shuffle = options.shuffle.or(config.behaviour.shuffle);
    if let Some(id) = &options.client_id {
        config.client_id.clone_from(id);
    }
    if let Some(secret) = &options.client_secret {
        config.client_secret.clone_from(secret);
    }
    if let Some(speed) = options.speed {
        config.delays = Some(Delays {
            speed,
            ..config.delays()
        });
    }
    Ok(config)
}

async fn end(wait_for_input: bool) {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    let input = async {
        if !wait_for_input {
            std::future::pending::<()>().await;
        }
        let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
        () = input => {}
    }
}

async fn run(options: Options) -> Result<(), String> {
    let running = Sandbox::start(settings(&options)?).await.map_err(|error| {
        let cause = std::error::Error::source(&error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        format!("{error}{cause}")
    })?;
    let line = serde_json::to_string(running.addresses()).map_err(|error| error.to_string())?;
    writeln!(std::io::stdout(), "{line}").map_err(|error| error.to_string())?;
    tokio::select! {
        () = end(options.until_stdin_ends) => {}
        () = running.stopped() => {}
    }
    running.shutdown().await;
    Ok(())
}

fn main() -> ExitCode {
    let options = Options::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "sandbox=info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run(options));
    // Reading standard input blocks a thread that must not hold the process.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("{why}");
            ExitCode::FAILURE
        }
    }
}
