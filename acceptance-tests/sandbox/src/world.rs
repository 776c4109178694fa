//! What all surfaces of one sandbox share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::{Behaviour, Config, Delays, KubernetesKind};
use crate::gate::Gate;
use crate::kubernetes::real::{self, RealError};
use crate::openiaas::model::Cloud;
use crate::talos::Nodes;

/// Something that happened, for people and tests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 1.
    pub number: u64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// `activity`, `node`, `etcd`, ...
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// In words.
    pub text: String,
}

const EVENT_LOG: usize = 20_000;

/// The shared state of one sandbox.
#[derive(Debug)]
pub struct World {
    /// Settings it was started with.
    pub config: Config,
    /// Counters, faults, pause points.
    pub gate: Gate,
    /// Power to stop everything.
    pub stop: CancellationToken,
    /// Running nodes.
    pub nodes: Nodes,
    /// Told when the state has to be written.
    pub dirty: Notify,
    cloud: Mutex<Cloud>,
    delays: Mutex<Delays>,
    behaviour: Mutex<Behaviour>,
    kubernetes: Mutex<KubernetesKind>,
    events: Mutex<(u64, VecDeque<Event>)>,
    shuffles: AtomicU64,
}

impl World {
    /// A world around a cloud.
    pub fn new(config: Config, cloud: Cloud, nodes: Nodes) -> Arc<Self> {
        Arc::new(Self {
            gate: Gate::default(),
            stop: CancellationToken::new(),
            nodes,
            dirty: Notify::new(),
            cloud: Mutex::new(cloud),
            delays: Mutex::new(config.delays()),
            behaviour: Mutex::new(config.behaviour.clone()),
            kubernetes: Mutex::new(config.kubernetes),
            events: Mutex::default(),
            shuffles: AtomicU64::new(0),
            config,
        })
    }

    /// The cloud; never held over a wait.
    pub fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the cloud has changed.
    pub fn changed(&self) {
        self.dirty.notify_one();
    }

    /// The durations in force.
    pub fn delays(&self) -> Delays {
        self.delays
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets the durations.
    pub fn set_delays(&self, delays: Delays) {
        *self.delays.lock().unwrap_or_else(PoisonError::into_inner) = delays;
    }

    /// The behaviour in force.
    pub fn behaviour(&self) -> Behaviour {
        self.behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets the behaviour.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        *self
            .behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// What serves the Kubernetes API of clusters born now.
    pub fn kubernetes(&self) -> KubernetesKind {
        *self
            .kubernetes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets it.
    ///
    /// # Errors
    /// When the real programs are not there.
    pub fn set_kubernetes(&self, kind: KubernetesKind) -> Result<(), RealError> {
        let folder = self.config.oracles.clone().unwrap_or_default();
        if kind == KubernetesKind::Real && real::programs(&folder).is_empty() {
            return Err(RealError::NoFolder);
        }
        *self
            .kubernetes
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = kind;
        Ok(())
    }

    /// Waits as long as something takes, at the speed in force.
    pub async fn take(&self, milliseconds: u64) {
        let time = self.delays().time(milliseconds);
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    /// Writes something down.
    pub fn event(&self, kind: &str, subject: &str, text: impl Into<String>) {
        let text = text.into();
        tracing::info!(kind, subject, "{text}");
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.0 += 1;
        let event = Event {
            number: events.0,
            at: crate::openiaas::model::now(),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            text,
        };
        events.1.push_back(event);
        if events.1.len() > EVENT_LOG {
            events.1.pop_front();
        }
    }

    /// Events after a number.
    pub fn events(&self, after: u64) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events
            .1
            .iter()
            .filter(|event| event.number > after)
            .cloned()
            .collect()
    }

    /// Puts a listing into the order of the day: as made, or shuffled anew at every call.
    pub fn order<T>(&self, list: &mut [T]) {
        let Some(seed) = self.behaviour().shuffle else {
            return;
        };
        let turn = self.shuffles.fetch_add(1, Ordering::Relaxed);
        let mut state = seed ^ turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for end in (1..list.len()).rev() {
            // splitmix64
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            list.swap(end, (mixed % (end as u64 + 1)) as usize);
        }
    }
}
