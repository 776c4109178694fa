//! Starting and stopping a sandbox.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::openiaas;
use crate::persist;
use crate::talos::{LoopbackClaim, Nodes};
use crate::world::World;

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for the {what}")]
    Listen {
        /// What was to listen.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// No loopback network is free, or the wanted one is taken.
    #[error("the loopback network {wanted} is in use by another sandbox")]
    Loopback {
        /// What was wanted.
        wanted: String,
    },
    /// The folder of the state cannot be read or written.
    #[error("the state in {path} cannot be used")]
    State {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A certificate of the sandbox cannot be made.
    #[error("the sandbox's own certificate cannot be made")]
    Certificate(#[source] rcgen::Error),
    /// The real control plane is not there.
    #[error(transparent)]
    Kubernetes(#[from] crate::kubernetes::real::RealError),
    /// The charts cannot be packed.
    #[error("the charts in {path} cannot be packed")]
    Charts {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Where a sandbox is reached, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// OpenIaaS API, `host:port`: the value of `CLOUDTEMPLE_HTTP_ADDR`.
    pub api: String,
    /// Its scheme: the value of `CLOUDTEMPLE_HTTP_SCHEME`.
    pub api_scheme: String,
    /// Certificate of the authority behind `https`, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_ca: Option<String>,
    /// Client id of the personal access token.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Admin endpoint, a URL.
    pub admin: String,
    /// HTTP CONNECT proxy, a URL.
    pub proxy: String,
    /// The same port as SOCKS5, a URL.
    pub proxy_socks5: String,
    /// Chart repositories, a URL: the value of `chart_mirror`. The index of `https://host/path` is at
    /// `{charts}/host/path/index.yaml`.
    pub charts: String,
    /// OCI registry, `host:port`: `oci://host/path/chart` is at `{oci}/host/path/chart`.
    pub oci: String,
    /// Loopback network of the nodes.
    pub loopback: String,
}

/// A simulated cloud.
#[derive(Debug)]
pub struct Sandbox;

/// A sandbox at work. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Running {
    world: Arc<World>,
    addresses: Addresses,
    tasks: TaskTracker,
    _claim: LoopbackClaim,
}

impl Sandbox {
    /// Starts a sandbox in this process. Needs a tokio runtime; ends with the [`Running`] that it returns.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        // Another part of the process may have installed one; any will do.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let claim = LoopbackClaim::take(config.loopback).await?;
        let loaded = persist::load(config.state_dir.as_deref())?;
        let fresh = loaded.is_none();
        let cloud = loaded.unwrap_or_else(|| openiaas::seed::seed(&config.tenant));
        let repository = crate::charts::Repository::load(config.charts_dir.as_deref())?;

        let api = listen("OpenIaaS API", config.api).await?;
        let admin = listen("admin endpoint", config.admin).await?;
        let proxy = listen("proxy", config.proxy).await?;
        let charts = listen("charts", config.charts).await?;
        let tls = if config.https {
            Some(crate::authority::server(api.1.ip()).map_err(StartError::Certificate)?)
        } else {
            None
        };
        let addresses = Addresses {
            api: api.1.to_string(),
            api_scheme: if tls.is_some() { "https" } else { "http" }.into(),
            api_ca: tls.as_ref().map(|tls| tls.ca_pem.clone()),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            admin: format!("http://{}", admin.1),
            proxy: format!("http://{}", proxy.1),
            proxy_socks5: format!("socks5://{}", proxy.1),
            charts: format!("http://{}", charts.1),
            oci: charts.1.to_string(),
            loopback: claim.network(),
        };
        let nodes = Nodes::new(claim.prefix());
        let world = World::new(config, cloud, nodes);
        world.set_kubernetes(world.config.kubernetes)?;
        let tasks = TaskTracker::new();
        tasks.spawn(openiaas::serve(
            Arc::clone(&world),
            api.0,
            tls.map(|tls| tls.config),
        ));
        tasks.spawn(crate::admin::serve(
            Arc::clone(&world),
            addresses.clone(),
            admin.0,
        ));
        tasks.spawn(crate::proxy::serve(Arc::clone(&world), proxy.0));
        tasks.spawn(crate::charts::serve(
            Arc::clone(&world),
            repository,
            charts.0,
        ));
        tasks.spawn(persist::keep(Arc::clone(&world)));
        if !fresh {
            world.nodes.resume(&world);
            openiaas::resume(&world);
        }
        tasks.close();
        Ok(Running {
            world,
            addresses,
            tasks,
            _claim: claim,
        })
    }
}

impl Running {
    /// Where it is reached.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// A client of its admin endpoint.
    pub fn admin(&self) -> crate::admin::Client {
        crate::admin::Client::new(&self.addresses.admin)
    }

    /// Stops everything and writes the state.
    pub async fn shutdown(self) {
        self.world.stop.cancel();
        self.tasks.wait().await;
        self.world.nodes.stopped().await;
    }

    /// Waits until somebody stops it through the admin endpoint.
    pub async fn stopped(&self) {
        self.world.stop.cancelled().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.world.stop.cancel();
    }
}

async fn listen(
    what: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let fail = |source| StartError::Listen {
        what,
        address,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((listener, bound))
}

/// The default folder of the charts: the sandbox's own.
pub fn own_charts() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/charts"))
}
