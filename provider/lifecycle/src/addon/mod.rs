//! An add-on: one release, of the catalogue or of any chart.

mod desired;
mod observed;
mod options;
mod planner;
mod post_render;
#[cfg(test)]
mod tests;

pub use desired::{ChartSource, DesiredAddon, OWNER_ADDON, OWNER_CLUSTER, inputs_name, merge};
pub use observed::{ObservedAddon, ReleaseSeen};
pub use options::{CrdRules, DriftRules, IgnoredFields, ReleaseOptions, Target};
pub use planner::{Prior, deviations, drift, plan, plan_from_state};
pub use post_render::{PatchRule, PatchTarget, post_render};
