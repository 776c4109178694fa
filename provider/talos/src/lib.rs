//! Talos PKI, machine configuration and machine API.
//!
//! From pure to impure: [`Contract`] and [`pki`] say what a cluster is made of, `config` writes
//! machine configurations, `access` writes the files people use, `client` talks to nodes.

mod contract;
pub mod pki;

pub use contract::{Contract, UnknownContract};
pub use pki::{CaCertificates, ClientCredential, ClusterPki, PkiError, TalosRole, Validity};
