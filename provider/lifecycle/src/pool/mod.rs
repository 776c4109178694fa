//! A worker pool.

mod desired;
mod observed;
mod planner;

pub use desired::DesiredPool;
pub use observed::ObservedPool;
pub use planner::{deviations, drift, plan, plan_destroy, plan_from_state, target_indexes};
