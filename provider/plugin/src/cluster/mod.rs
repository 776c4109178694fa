//! `managedk8s_cluster`: control plane, storage nodes, network.

mod model;
mod plan;
mod resource;
mod schema;
pub mod state;

pub use model::ClusterModel;
pub use resource::ManagedCluster;

/// The type name.
pub const TYPE_NAME: &str = "managedk8s_cluster";
