//! Talos PKI, machine configuration and machine API.
//!
//! From pure to impure: [`pki`] makes what a cluster trusts, [`config`] writes machine
//! configurations, [`access`] writes the files people use, [`client`] talks to nodes.

pub mod access;
pub mod client;
pub mod config;
pub mod pki;
pub mod yaml;

pub use pki::{CaCertificates, ClientCredential, ClusterPki, PkiError, TalosRole, Validity};
