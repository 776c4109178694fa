//! A worker pool.

mod desired;
mod observed;
mod planner;
#[cfg(test)]
mod tests;

pub use desired::DesiredPool;
pub use observed::ObservedPool;
pub use planner::{deviations, drift, plan, plan_destroy, plan_from_state, target_indexes};
