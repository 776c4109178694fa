//! An add-on: one release, of the catalogue or of any chart.

mod desired;
mod observed;
mod planner;
#[cfg(test)]
mod tests;

pub(crate) use desired::merge;
pub use desired::{ChartSource, DesiredAddon, OWNER_ADDON, OWNER_CLUSTER};
pub use observed::{ObservedAddon, ReleaseSeen};
pub use planner::{deviations, drift, plan, plan_from_state};
