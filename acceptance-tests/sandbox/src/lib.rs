//! A simulated cloud over real sockets: OpenIaaS, Talos nodes, Kubernetes, charts, a proxy.
//!
//! [`Sandbox::start`] runs one in this process; the binary `sandbox` runs one in its own. Many can run side by side:
//! each has its own ports and its own loopback network for the nodes.

pub mod admin;
mod authority;
mod charts;
mod config;
pub mod gate;
mod http;
pub mod kubernetes;
mod openiaas;
mod persist;
mod proxy;
mod running;
mod talos;
mod world;
mod yaml;

pub use charts::{CHARTS_PASSWORD, CHARTS_USER};
pub use config::{
    Behaviour, CLIENT_ID, CLIENT_SECRET, Config, Delays, KubernetesKind, Profile, Tenant,
};
pub use running::{Addresses, Running, Sandbox, StartError};
