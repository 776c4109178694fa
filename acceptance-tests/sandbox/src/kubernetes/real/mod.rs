//! The real control plane of a cluster: API server with embedded etcd, controller manager and scheduler, with kwok in
//! the place of kubelets, each a process of its own (`acceptance-tests/oracles/kubernetes`).
//!
//! Certificates, flags and files are what Talos would make of the machine configuration, so that the real programs
//! judge it. What differs from a cluster of machines, and why:
//!
//! - One API server and one etcd stand for all members: three of each would need 900 MiB. Port 6443 of each
//!   control-plane machine leads to it, untouched, while that machine's etcd has quorum; the serving certificate
//!   carries the names of every member that serves. What it runs is what the member said that was configured last, so
//!   in a rolling upgrade the version changes with the first member. Static pods show each member's own.
//! - Machines have no time to spare here: nodes are NotReady a quarter of a minute after their power went, not fifty
//!   seconds, and pods leave lost nodes after seconds, not five minutes. Flags of the configuration go before.
//! - Kubelets come with the bootstrap token of their configuration, get a certificate by the real signing flow and
//!   register as `system:node:NAME`. From there kwok plays them while the machine is up ([`machines`]).
//! - No container runs: the output of each is one line ([`kubelets`]), exec has nothing behind it, and nobody answers at a
//!   pod's address. Webhooks are therefore not called, whatever their failure policy: with `Fail`, the default, no object of
//!   cert-manager or MetalLB could be made at all. Aggregated APIs are registered and stay unavailable, as on any cluster
//!   whose backend is away; nothing is dialled outside of the sandbox for either.
//! - With a folder of its own the data outlives the sandbox: the next one goes on with it.
//! - Requests do not pass the gate: faults of the Kubernetes surface work on the built-in API only.

mod client;
mod files;
mod kubelets;
mod machines;
mod manifests;
mod process;
mod spec;
mod supervisor;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use spec::{Flags, Spec};

use super::{NodeRegistration, ServeError};

/// Why there is no real control plane.
#[derive(Debug, thiserror::Error)]
pub enum RealError {
    /// No folder of programs was named.
    #[error(
        "the real control plane needs its programs: run acceptance-tests/run, which builds them with Go, then set \
         MANAGEDK8S_KUBERNETES_ORACLES (or `oracles` in sandbox.toml) to the folder of `kubernetes-v1.36.3` and others"
    )]
    NoFolder,
    /// The folder has no program that can serve the version.
    #[error("{folder} has no program `kubernetes-{version}`, nor another patch of that minor")]
    NoProgram {
        /// The folder.
        folder: PathBuf,
        /// What the machine configuration asks for.
        version: String,
    },
    /// The folder of a cluster cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A certificate cannot be made.
    #[error("a certificate of the control plane cannot be made")]
    Certificate(#[source] ServeError),
    /// A part does not start.
    #[error("{part} cannot be started")]
    Start {
        /// The part.
        part: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// A part ended before it was ready.
    #[error("{part} ended: {log}")]
    Ended {
        /// The part.
        part: &'static str,
        /// The end of its log.
        log: String,
    },
    /// The API cannot be asked.
    #[error("the API server cannot be asked")]
    Ask(#[source] kube::Error),
    /// The API refused something that the sandbox does itself.
    #[error("{what} was answered with {code}: {message}")]
    Refused {
        /// Method and path.
        what: String,
        /// Status code.
        code: u16,
        /// The server's words.
        message: String,
    },
}

/// Where a real control plane runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// The programs: `kubernetes-v1.36.3` and others.
    pub oracles: PathBuf,
    /// Loopback address of its own.
    pub address: Ipv4Addr,
    /// Folder that outlives the sandbox; absent takes a temporary one.
    pub folder: Option<PathBuf>,
}

enum Order {
    Up(Box<NodeRegistration>),
    Down(String),
    Configure(String, Box<Spec>),
    Names,
}

/// The real control plane of one cluster. Its processes end with its token.
pub struct Real {
    place: Place,
    names: Mutex<BTreeSet<String>>,
    orders: mpsc::UnboundedSender<Order>,
    ready: watch::Receiver<bool>,
    stop: CancellationToken,
    /// Nobody will ask again: the folder goes too.
    forgotten: AtomicBool,
}

impl Real {
    /// A control plane and the task that runs it until `stop`.
    pub fn new(
        place: Place,
        spec: Spec,
        names: Vec<String>,
        stop: CancellationToken,
    ) -> (
        Arc<Self>,
        impl Future<Output = Result<(), RealError>> + Send + 'static,
    ) {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (tell, ready) = watch::channel(false);
        let real = Arc::new(Self {
            place,
            names: Mutex::new(names.into_iter().collect()),
            orders,
            ready,
            stop,
            forgotten: AtomicBool::new(false),
        });
        let task = supervisor::run(Arc::clone(&real), spec, inbox, tell);
        (real, task)
    }

    /// Returns when the API answers.
    pub async fn ready(&self) {
        let mut ready = self.ready.clone();
        // An error means that it ended: whoever waits is cancelled with it.
        if ready.wait_for(|ready| *ready).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn names(&self) -> BTreeSet<String> {
        self.names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Passes connections on, as they are, until `stop`.
    pub(super) async fn serve(
        &self,
        listener: TcpListener,
        names: &[String],
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        self.name(names);
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            let Ok((mut near, _)) = accepted else {
                continue;
            };
            let (stop, mut ready) = (stop.clone(), self.ready.clone());
            let target = (self.place.address, process::API_PORT);
            tokio::spawn(async move {
                let pass = async {
                    // While it restarts, connections wait.
                    if ready.wait_for(|ready| *ready).await.is_err() {
                        return;
                    }
                    if let Ok(mut far) = TcpStream::connect(target).await {
                        let _ = near.set_nodelay(true);
                        let _ = far.set_nodelay(true);
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = pass => {}
                }
            });
        }
    }

    /// The serving certificate carries these names too.
    pub(super) fn name(&self, names: &[String]) {
        let fresh = {
            let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let before = known.len();
            known.extend(names.iter().cloned());
            known.len() != before
        };
        if fresh {
            self.order(Order::Names);
        }
    }

    fn order(&self, order: Order) {
        // A receiver that is gone has ended with the sandbox.
        let _ = self.orders.send(order);
    }

    /// A member runs with this configuration now.
    pub(super) fn configure(&self, member: &str, spec: Spec) {
        self.order(Order::Configure(member.to_owned(), Box::new(spec)));
    }

    pub(super) fn node_up(&self, node: NodeRegistration) {
        self.order(Order::Up(Box::new(node)));
    }

    pub(super) fn node_down(&self, name: &str) {
        self.order(Order::Down(name.to_owned()));
    }

    pub(super) fn forget(&self) {
        self.forgotten.store(true, Ordering::Release);
        self.stop.cancel();
    }
}

/// Programs in a folder, by the version they call themselves.
pub fn programs(folder: &std::path::Path) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix("kubernetes-")?;
            version
                .starts_with('v')
                .then(|| (version.to_owned(), entry.path()))
        })
        .collect();
    found.sort();
    found
}
