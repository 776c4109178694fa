//! One cluster's API server: its state and its doors.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::pki::Identity;
use super::server::{self, ServeError};
use super::settings::{Delays, NodeRegistration, Settings};
use super::store::Store;
use super::{bootstrap, controllers};

/// One request, with its body read and its caller known.
pub(super) struct Request {
    pub method: http::Method,
    pub uri: http::Uri,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    pub identity: Arc<Identity>,
}

/// The API server of one cluster, held in memory. Clones share the state.
#[derive(Clone)]
pub struct ApiServer {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    settings: Settings,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// What a kubelet does, as its node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kubelet {
    /// Reports.
    Up,
    /// Does not report since this many milliseconds after the epoch.
    Down(i64),
    /// Will never report again.
    Gone,
}

/// Everything that a lock guards.
pub(super) struct State {
    pub store: Store,
    pub kubelets: BTreeMap<String, Kubelet>,
    /// Version reported by `/version`.
    pub version: String,
    /// Version of each node's control-plane components: the server's when its kubelet registered.
    pub components: BTreeMap<String, String>,
    pub delays: Delays,
    /// Version of the store that the controllers have seen.
    pub reconciled: u64,
    /// When things of pods are due, in milliseconds after the epoch.
    pub timers: BTreeMap<String, i64>,
}

/// The state, locked; whoever watches is told of changes when it is dropped.
pub(super) struct Guard<'a> {
    state: Option<MutexGuard<'a, State>>,
    before: u64,
    changed: &'a watch::Sender<u64>,
}

impl std::ops::Deref for Guard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.state.as_ref().expect("taken only when dropped")
    }
}

impl std::ops::DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.state.as_mut().expect("taken only when dropped")
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let now = self.store.version();
        self.state.take();
        if now != self.before {
            self.changed.send_replace(now);
        }
    }
}

impl Inner {
    pub fn lock(&self) -> Guard<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Guard {
            before: state.store.version(),
            state: Some(state),
            changed: &self.changed,
        }
    }

    /// The settings of the cluster.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Wakes controllers although no object changed.
    pub fn nudge(&self) {
        self.changed.send_modify(|_| {});
    }
}

impl ApiServer {
    /// An empty cluster: the objects that a fresh control plane makes, no node. Needs a tokio runtime, where
    /// its controllers run until the last clone is dropped.
    pub fn new(settings: Settings) -> Self {
        let mut store = Store::new();
        bootstrap::objects(&mut store, &settings);
        let version = store.version();
        let (changed, _) = watch::channel(version);
        let inner = Arc::new(Inner {
            state: Mutex::new(State {
                store,
                kubelets: BTreeMap::new(),
                version: settings.kubernetes_version.clone(),
                components: BTreeMap::new(),
                delays: settings.delays,
                reconciled: 0,
                timers: BTreeMap::new(),
            }),
            settings,
            changed,
        });
        tokio::spawn(controllers::run(
            Arc::downgrade(&inner),
            inner.changed.subscribe(),
        ));
        Self { inner }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(super) fn lock(&self) -> Guard<'_> {
        self.inner.lock()
    }

    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    pub(super) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.inner)
    }

    /// Serves on `listener` until `stop`, which also ends open connections. `names` are the addresses and DNS
    /// names of the serving certificate beside the standard ones. May run several times side by side, once for
    /// each control-plane node.
    ///
    /// # Errors
    /// When the cluster's CA cannot be used.
    pub async fn serve(
        &self,
        listener: TcpListener,
        names: Vec<String>,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        server::serve(self.clone(), listener, names, stop).await
    }

    /// A kubelet registers its node or reports again. The Node is NotReady until a pod of the CNI's DaemonSet
    /// (`kube-system/cilium`) runs there. Addresses and versions of an existing Node follow the registration;
    /// labels and taints that it names are set, others are left alone.
    pub fn node_up(&self, node: NodeRegistration) {
        let mut state = self.lock();
        controllers::node::register(&mut state, &node, &self.inner.settings);
        drop(state);
        self.inner.nudge();
    }

    /// The kubelet stopped reporting: the Node turns NotReady at once, its pods are evicted after a while.
    pub fn node_down(&self, name: &str) {
        let now = jiff::Timestamp::now().as_millisecond();
        self.lock()
            .kubelets
            .insert(name.to_owned(), Kubelet::Down(now));
        self.inner.nudge();
    }

    /// The machine is gone for good: as `node_down`; the Node object stays until somebody deletes it, and its
    /// pods then go too.
    pub fn node_gone(&self, name: &str) {
        self.lock().kubelets.insert(name.to_owned(), Kubelet::Gone);
        self.inner.nudge();
    }

    /// The version that the server reports from now on. A control-plane node's static pods follow when its
    /// kubelet registers next: call this before `node_up`.
    pub fn set_version(&self, version: &str) {
        version.clone_into(&mut self.lock().version);
    }

    /// Sets how long things take from now on.
    pub fn set_delays(&self, delays: Delays) {
        self.lock().delays = delays;
    }

    /// Grows with each write: a sandbox persists its state when this changed.
    pub fn revision(&self) -> u64 {
        self.lock().store.version()
    }

    /// The whole state, for a sandbox that is kept in a directory.
    pub fn snapshot(&self) -> Value {
        let state = self.lock();
        let kubelets: BTreeMap<&String, Value> = state
            .kubelets
            .iter()
            .map(|(name, kubelet)| {
                let told = match kubelet {
                    Kubelet::Up => json!("up"),
                    Kubelet::Gone => json!("gone"),
                    Kubelet::Down(since) => json!(since),
                };
                (name, told)
            })
            .collect();
        json!({
            "store": state.store.snapshot(),
            "version": state.version,
            "components": state.components,
            "kubelets": kubelets,
        })
    }

    /// Replaces the state by a snapshot's. False when it is not one; the state then stays.
    pub fn restore(&self, snapshot: &Value) -> bool {
        let Some(mut store) = Store::restored(&snapshot["store"]) else {
            return false;
        };
        store.service_range = Some(self.inner.settings.service_cidr);
        let mut state = self.lock();
        state.store = store;
        state.reconciled = 0;
        if let Some(version) = snapshot["version"].as_str() {
            version.clone_into(&mut state.version);
        }
        state.components = super::value::texts(&snapshot["components"]);
        state.kubelets = snapshot["kubelets"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, told)| {
                let kubelet = match (told.as_str(), told.as_i64()) {
                    (_, Some(since)) => Kubelet::Down(since),
                    (Some("gone"), _) => Kubelet::Gone,
                    _ => Kubelet::Up,
                };
                (name.clone(), kubelet)
            })
            .collect();
        drop(state);
        self.inner.nudge();
        true
    }
}
