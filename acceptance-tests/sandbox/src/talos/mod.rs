//! Talos nodes: machines that boot from the configuration they were given.

mod apply;
mod config;
mod control_plane;
mod cosi;
mod etcd;
mod life;
mod loopback;
mod machine;
mod model;
mod nodes;
mod pki;
mod resources;
mod rights;
mod rpc;
mod schema;
mod server;
mod upgrade;

pub use loopback::LoopbackClaim;
pub use model::{EtcdCluster, MachineDisk};
pub use nodes::Nodes;
