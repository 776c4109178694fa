//! Messages and services of Terraform's plugin protocol 6 and of go-plugin.
//!
//! Generated at build time from the `.proto` files beside this crate, which hold only names,
//! numbers and types; client and server code of each service are both there, so that a provider
//! serves with it and a test plays core with it.
//!
//! - [`tfplugin6`]: protocol 6 at minor 11 (Terraform 1.16). Minors only add, and nothing on the wire
//!   tells one from another: old cores drop the fields they do not know.
//! - [`plugin`]: go-plugin's controller, standard streams and broker.
//! - [`health`]: the gRPC health service, asked by hosts that ping.
//!
//! An RPC `X` has the messages [`x::Request` and `x::Response`](tfplugin6::read_resource).

/// Terraform's plugin protocol 6: the `Provider` service and its messages.
#[expect(
    missing_docs,
    unused_qualifications,
    clippy::pedantic,
    reason = "generated code"
)]
pub mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// go-plugin's own services: `GRPCController`, `GRPCStdio` and `GRPCBroker`.
#[expect(
    missing_docs,
    unused_qualifications,
    clippy::pedantic,
    reason = "generated code"
)]
pub mod plugin {
    tonic::include_proto!("plugin");
}

/// The gRPC health service.
#[expect(
    missing_docs,
    unused_qualifications,
    clippy::pedantic,
    reason = "generated code"
)]
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}
