//! A small Kubernetes API server in memory: discovery, objects, watches, server-side apply, and controllers
//! that are just good enough for `kubectl`, `helm` and client libraries to find a living cluster.

mod api;
mod pki;
mod server;
mod settings;

pub use api::ApiServer;
pub use server::ServeError;
pub use settings::{Authority, Delays, NodeRegistration, NodeRole, Settings};
