//! Data sources.

mod cluster;
mod helm_template;
mod versions;

pub use cluster::Cluster;
pub use helm_template::HelmTemplate;
pub use versions::Versions;
