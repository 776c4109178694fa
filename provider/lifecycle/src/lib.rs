//! Desired and observed state, pure planners and guards, executors over the clients.
//!
//! Each resource has one pure function `(desired, observed) -> plan`. An observation is compared with
//! what is desired once, as a list of deviations; the plan is the steps that answer them and `drift`
//! is their compact form, so that the two can never disagree. Executors run the front of a plan and
//! observe again until the plan is empty: a run that died is continued by the next one.

pub mod addon;
pub mod cluster;
mod error;
#[cfg(test)]
mod fixtures;
pub mod guard;
mod node_meta;
pub mod plan;
pub mod pool;
pub mod ports;
mod real;
pub mod run;
mod seen;

pub use error::{Error, Fault};
pub use plan::{
    Deviation, DeviationKind, Drift, NodeSet, Object, Plan, PlanSummary, Refused, Step, StepKind,
    SummaryStep, approve,
};
pub use real::{ChartAccess, Charts, ClusterAccess, FetchedChart};
pub use run::{
    ClusterHandle, ClusterOutcome, ClusterRead, ClusterRecord, Engine, Event, EventState, Key,
    Phase, Progress, RecordedCluster, Settings,
};
pub use seen::{MachineSeen, NodeSeen, Seen};
