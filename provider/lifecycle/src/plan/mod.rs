//! Steps, plans, the summary that is shown and approved, deviations and drift: what every planner shares.

mod approve;
mod deviation;
mod nodes;
mod step;
mod summary;

pub use approve::{Refused, approve};
pub use deviation::{Deviation, DeviationKind, Drift};
pub use nodes::NodeSet;
pub use step::{Object, Plan, Step, StepKind};
pub use summary::{PlanSummary, SummaryStep};
