//! Talos nodes: machines that boot from the configuration they were given.

mod loopback;
mod model;
mod nodes;

pub use loopback::LoopbackClaim;
pub use model::{EtcdCluster, MachineDisk};
pub use nodes::Nodes;
