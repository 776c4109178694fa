//! `managedk8s_addon`: one release, of the catalogue or of any chart.

mod effects;
mod imported;
mod model;
mod patches;
mod plan;
mod resource;
mod schema;
pub mod values;

pub use model::AddonModel;
pub use resource::Addon;

/// The type name.
pub const TYPE_NAME: &str = "managedk8s_addon";
