//! Data sources.

mod cluster;
mod versions;

pub use cluster::Cluster;
pub use versions::Versions;
