//! `managedk8s_worker_pool`: workers of one shape.

mod model;
mod plan;
mod resource;
mod schema;

pub use model::PoolModel;
pub use resource::WorkerPool;

/// The type name.
pub const TYPE_NAME: &str = "managedk8s_worker_pool";
