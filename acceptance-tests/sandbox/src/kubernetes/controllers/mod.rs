//! The controllers and kubelets, as one loop: it wakes on changes and on time, and works until nothing changes.

pub(super) mod budget;
mod daemon_set;
mod deployment;
mod endpoints;
mod events;
mod garbage;
mod job;
mod kubelet;
mod namespaces;
pub(super) mod node;
mod pods;
mod quota;
mod replica_set;
mod scheduler;
mod stateful_set;
mod volumes;

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::api::{Inner, State};
use super::settings::Settings;
use super::store::Store;
use super::value::members;

/// One run of the loop.
pub(super) struct Pass<'a> {
    pub settings: &'a Settings,
    /// Milliseconds after the epoch.
    pub now: i64,
    /// The same as objects carry it.
    pub stamp: String,
    /// When to wake at the latest.
    pub next: Option<i64>,
    /// Resources that changed.
    dirty: BTreeSet<String>,
    all: bool,
}

impl Pass<'_> {
    /// True when one of these resources changed.
    fn touched(&self, resources: &[&str]) -> bool {
        self.all
            || resources
                .iter()
                .any(|resource| self.dirty.contains(*resource))
    }

    /// True when it is due; otherwise the loop wakes then.
    pub fn due(&mut self, when: i64) -> bool {
        if when > self.now {
            self.next = Some(self.next.map_or(when, |next| next.min(when)));
        }
        when <= self.now
    }

    /// True `after` the first call with this key.
    pub fn elapsed(&mut self, state: &mut State, key: String, after: Duration) -> bool {
        let wanted = self.now + i64::try_from(after.as_millis()).unwrap_or(i64::MAX / 2);
        let when = *state.timers.entry(key).or_insert(wanted);
        self.due(when)
    }
}

/// Rounds after which a pass gives up looking for a state in which nothing changes.
const ROUNDS: usize = 100;

/// Runs until the server is dropped.
pub(super) async fn run(inner: Weak<Inner>, mut changed: watch::Receiver<u64>) {
    loop {
        let wait = {
            let Some(inner) = inner.upgrade() else { return };
            changed.borrow_and_update();
            let mut state = inner.lock();
            let now = jiff::Timestamp::now().as_millisecond();
            pass(&mut state, inner.settings(), now).map(|next| next - now)
        };
        let wait = wait.map_or(Duration::from_hours(1), |wait| {
            Duration::from_millis(u64::try_from(wait).unwrap_or(1).max(1))
        });
        tokio::select! {
            more = changed.changed() => if more.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
        // Writes come in bursts: one pass serves them together.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Works until nothing changes; the answer is when to look again.
fn pass(state: &mut State, settings: &Settings, now: i64) -> Option<i64> {
    let mut pass = Pass {
        settings,
        now,
        stamp: Store::now(),
        next: None,
        dirty: BTreeSet::new(),
        all: false,
    };
    for round in 0..ROUNDS {
        pass.all = state.reconciled == 0;
        pass.dirty = match state.store.since(state.reconciled) {
            Some(events) => events.map(|event| event.resource.clone()).collect(),
            None => {
                pass.all = true;
                BTreeSet::new()
            }
        };
        if round > 0 && pass.dirty.is_empty() {
            break;
        }
        state.reconciled = state.store.version();
        work(state, &mut pass);
    }
    pass.next
}

fn work(state: &mut State, pass: &mut Pass<'_>) {
    const WORKLOADS: &[&str] = &[
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
        "daemonsets.apps",
        "jobs.batch",
    ];
    let nodes = pass.touched(&["nodes"]);
    let pods = pass.touched(&["pods"]);
    if pass.touched(&["namespaces"])
        || state
            .store
            .list("namespaces")
            .any(|space| super::value::deleting(space))
    {
        namespaces::reconcile(state, pass);
    }
    node::reconcile(state, pass);
    if pods || nodes || pass.touched(WORKLOADS) {
        deployment::reconcile(state, pass);
        replica_set::reconcile(state, pass);
        stateful_set::reconcile(state, pass);
        daemon_set::reconcile(state, pass);
        job::reconcile(state, pass);
    }
    if pods || nodes {
        scheduler::reconcile(state, pass);
    }
    kubelet::reconcile(state, pass);
    if pods
        || pass.touched(&[
            "services",
            "ipaddresspools.metallb.io",
            "apiservices.apiregistration.k8s.io",
        ])
    {
        endpoints::reconcile(state, pass);
    }
    if pods || pass.touched(&["poddisruptionbudgets.policy"]) {
        budget::reconcile(state, pass);
    }
    if pods
        || pass.touched(&[
            "persistentvolumeclaims",
            "persistentvolumes",
            "storageclasses.storage.k8s.io",
        ])
    {
        volumes::reconcile(state);
    }
    quota::reconcile(state);
    garbage::reconcile(state);
}

/// Stores `status` as the object's, without a change of anything else.
fn put_status(store: &mut Store, resource: &str, old: &Arc<Value>, status: Value) {
    if old["status"] != status {
        let mut object = (**old).clone();
        members(&mut object).insert("status".to_owned(), status);
        store.put(resource, object);
    }
}

/// The objects of a resource, for a loop that changes the store.
fn all(store: &Store, resource: &str) -> Vec<Arc<Value>> {
    store.list(resource).cloned().collect()
}
