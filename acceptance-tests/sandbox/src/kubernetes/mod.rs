//! A small Kubernetes API server in memory: discovery, objects, watches, server-side apply, and controllers
//! that are just good enough for `kubectl`, `helm` and client libraries to find a living cluster.
//!
//! A request goes `server` (TLS, identity) → `handle` (route, authorization) → `verbs` or
//! `watch` → `write`, `apply`, `patch`, `delete` → `store`. Each change of the store wakes `controllers`, one loop that plays scheduler, kubelets and
//! the controller manager until nothing changes. Members of `system:masters` may do everything; others what
//! RBAC objects say; callers without client certificate nothing.
//!
//! [`real`] is the other kind: the true control plane, as processes. [`ControlPlane`] is either.

pub mod alone;
mod answer;
mod api;
mod apply;
mod authorize;
mod bootstrap;
mod conform;
mod controllers;
mod defaults;
mod delete;
mod discovery;
mod fields;
mod handle;
mod patch;
mod pki;
mod plane;
mod protobuf;
pub mod real;
mod registry;
mod route;
mod selector;
mod server;
mod service;
mod settings;
mod shape;
mod status;
mod store;
mod subresource;
mod table;
#[cfg(test)]
mod tests;
mod typed;
mod validate;
mod value;
mod verbs;
mod watch;
mod write;

pub use api::ApiServer;
pub use plane::ControlPlane;
pub use server::ServeError;
pub use settings::{Authority, Delays, NodeRegistration, NodeRole, Settings};
