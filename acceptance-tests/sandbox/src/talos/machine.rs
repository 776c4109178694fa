//! One machine that is powered on.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto_talos::machine as api;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::config::{MachineConfig, Role};
use crate::openiaas::model::{Millis, new_id, now};

/// Where a machine is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Firmware, loader, kernel.
    Booting,
    /// Waits for a configuration.
    Maintenance,
    /// Runs its services.
    Running,
    /// On the way down and up again.
    Rebooting,
    /// On the way down.
    ShuttingDown,
    /// Wipes itself.
    Resetting,
    /// Installs another system.
    Upgrading,
}

impl Stage {
    /// As resources show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Maintenance => "maintenance",
            Self::Running => "running",
            Self::Rebooting => "rebooting",
            Self::ShuttingDown => "shutting down",
            Self::Resetting => "resetting",
            Self::Upgrading => "upgrading",
        }
    }

    /// Its number in the machine API.
    pub fn number(self) -> i32 {
        match self {
            Self::Booting => 1,
            Self::Maintenance => 3,
            Self::Running => 4,
            Self::Rebooting => 5,
            Self::ShuttingDown => 6,
            Self::Resetting => 7,
            Self::Upgrading => 8,
        }
    }
}

/// A service of the system.
#[derive(Debug, Clone)]
pub struct Service {
    /// `Running`, `Preparing`, ...
    pub state: &'static str,
    /// Healthy; unknown when absent.
    pub healthy: Option<bool>,
    /// What it waits for, or said last.
    pub message: String,
    /// Its life so far.
    pub history: Vec<(Millis, &'static str, String)>,
}

/// What the machine is told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Go down and up again.
    Reboot,
    /// Power off.
    Halt,
    /// A configuration has been persisted while the machine waited for one.
    Configured,
}

/// What etcd does on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EtcdPhase {
    /// Not on this machine.
    #[default]
    Absent,
    /// No data yet: waits for bootstrap or for a cluster to join.
    Preparing,
    /// Starts with its data.
    Starting,
    /// Runs.
    Running,
    /// Left or failed.
    Stopped,
}

/// What changes while a machine runs.
#[derive(Default)]
pub struct State {
    /// Where it is.
    pub stage: Option<Stage>,
    /// Of this boot.
    pub boot_id: String,
    /// Of this boot.
    pub booted_at: Millis,
    /// The active configuration.
    pub config: Option<Arc<MachineConfig>>,
    /// Why the configuration was refused.
    pub config_error: Option<String>,
    /// Names and addresses.
    pub hostname: String,
    /// Private addresses.
    pub addresses: Vec<Ipv4Addr>,
    /// Loopback address of the listeners.
    pub loopback: Option<Ipv4Addr>,
    /// Services by id.
    pub services: BTreeMap<String, Service>,
    /// What etcd does.
    pub etcd: EtcdPhase,
    /// The Kubernetes API is served here.
    pub api: bool,
    /// The kubelet has registered its node.
    pub registered: bool,
    /// The clock is in sync.
    pub time_synced: bool,
    /// A try of a configuration ends when this fires.
    pub trial: Option<CancellationToken>,
    /// Versions of resources: a hash of the contents and the number.
    pub versions: BTreeMap<(String, String, String), (u64, u64)>,
}

/// A machine that is powered on.
pub struct Machine {
    /// The VM.
    pub vm: String,
    /// Its name.
    pub name: String,
    /// Fires when the power is cut.
    pub power: CancellationToken,
    /// Orders from the machine API.
    pub orders: mpsc::UnboundedSender<Order>,
    /// Rings at every change.
    pub bell: watch::Sender<u64>,
    /// Events as they happen.
    pub live: broadcast::Sender<api::Event>,
    log: Mutex<VecDeque<api::Event>>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Machine")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine whose power has just come on.
    pub fn new(
        vm: String,
        name: String,
        power: CancellationToken,
        orders: mpsc::UnboundedSender<Order>,
    ) -> Self {
        Self {
            vm,
            name,
            power,
            orders,
            bell: watch::Sender::new(0),
            live: broadcast::Sender::new(256),
            log: Mutex::default(),
            state: Mutex::default(),
        }
    }

    /// What changes; never held over a wait or while another lock is taken.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and rings.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let value = change(&mut self.state());
        self.bell.send_modify(|count| *count += 1);
        value
    }

    /// The active configuration.
    pub fn config(&self) -> Option<Arc<MachineConfig>> {
        self.state().config.clone()
    }

    /// Whether it runs with a configuration of this role.
    pub fn is(&self, role: Role) -> bool {
        self.config().is_some_and(|config| config.role == role)
    }

    /// Whether the machine API is that of a configured node.
    pub fn is_configured(&self) -> bool {
        self.state().config.is_some()
    }

    /// Sets the stage and tells.
    pub fn enter(&self, stage: Stage) {
        self.change(|state| state.stage = Some(stage));
        self.tell_status();
    }

    /// Sets a service and tells.
    pub fn service(&self, id: &str, state: &'static str, healthy: Option<bool>, message: &str) {
        self.change(|all| {
            let service = all
                .services
                .entry(id.to_owned())
                .or_insert_with(|| Service {
                    state,
                    healthy,
                    message: String::new(),
                    history: Vec::new(),
                });
            service.state = state;
            service.healthy = healthy;
            message.clone_into(&mut service.message);
            service.history.push((now(), state, message.to_owned()));
        });
        let event = api::ServiceStateEvent {
            service: id.to_owned(),
            action: action(state),
            message: message.to_owned(),
            health: None,
        };
        self.tell("ServiceStateEvent", &event);
        self.tell_status();
    }

    /// Conditions that are not met yet: name and reason.
    pub fn unmet(&self) -> Vec<(&'static str, String)> {
        let state = self.state();
        let Some(config) = &state.config else {
            return Vec::new();
        };
        let mut unmet = Vec::new();
        if !state.time_synced {
            unmet.push(("time", "time is not synced".to_owned()));
        }
        let waiting: Vec<&str> = state
            .services
            .iter()
            .filter(|(_, service)| service.state != "Running" || service.healthy == Some(false))
            .map(|(id, _)| id.as_str())
            .collect();
        if !waiting.is_empty() {
            unmet.push((
                "services",
                format!("services not ready: {}", waiting.join(", ")),
            ));
        }
        if config.role == Role::ControlPlane && !state.api {
            unmet.push(("staticPods", "kube-apiserver is not running".to_owned()));
        }
        if !state.registered {
            unmet.push((
                "nodeReady",
                format!("node \"{}\" is not registered", state.hostname),
            ));
        }
        unmet
    }

    fn tell_status(&self) {
        let unmet = self.unmet();
        let (stage, maintenance) = {
            let state = self.state();
            (state.stage.map_or(0, Stage::number), state.config.is_none())
        };
        let status = api::machine_status_event::MachineStatus {
            ready: unmet.is_empty() && !maintenance && stage == Stage::Running.number(),
            unmet_conditions: unmet
                .into_iter()
                .map(
                    |(name, reason)| api::machine_status_event::machine_status::UnmetCondition {
                        name: name.into(),
                        reason,
                    },
                )
                .collect(),
        };
        self.tell(
            "MachineStatusEvent",
            &api::MachineStatusEvent {
                stage,
                status: Some(status),
            },
        );
    }

    /// Puts an event on the stream.
    pub fn tell<M: prost::Message>(&self, kind: &str, message: &M) {
        let event = api::Event {
            metadata: None,
            data: Some(prost_types::Any {
                type_url: format!("talos/runtime/machine.{kind}"),
                value: message.encode_to_vec(),
            }),
            id: new_id(),
            actor_id: String::new(),
        };
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_back(event.clone());
        if log.len() > 500 {
            log.pop_front();
        }
        drop(log);
        let _ = self.live.send(event);
    }

    /// Events so far, oldest first.
    pub fn past_events(&self) -> Vec<api::Event> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

fn action(state: &str) -> i32 {
    match state {
        "Preparing" => 1,
        "Waiting" => 2,
        "Running" => 3,
        "Stopping" => 4,
        "Finished" => 5,
        "Failed" => 6,
        "Skipped" => 7,
        "Starting" => 8,
        _ => 0,
    }
}
