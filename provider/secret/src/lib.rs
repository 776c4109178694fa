//! Secrets without `Debug`, their derivation from one key, and the registry that scrubs them.
//!
//! Everything secret in the product is a function of one 32-byte key held by the user and of the
//! public birth of a cluster; see [`RootKey`] and [`ClusterKey`].

mod derive;
mod error;
mod keys;
mod scrub;
mod text;

pub use derive::{DERIVATION_VERSION, Identity};
pub use error::KeyError;
pub use keys::{ClusterKey, RootKey};
pub use scrub::{MASK, register, register_bytes, scrub};
pub use text::{SecretArray, SecretBytes, SecretString};
