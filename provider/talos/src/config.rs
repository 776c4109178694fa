//! Machine configurations: typed inputs in, ordered YAML out.
//!
//! The order of work: [`ClusterProfile`] and [`NodeProfile`] are rendered for the cluster's pinned
//! contract (`render`), patches of users are merged on top (`patch`), and the result is written
//! as text whose hash state keeps. What a node holds is read back and compared with `compare`.
//!
//! Contracts 1.12 and 1.13 differ by one empty section; 1.14 is written in the form of 1.13, which
//! it accepts: the EPHEMERAL volume keeps the right to execute, and patches go on to work.

mod compare;
mod document;
mod error;
mod inputs;
mod kinds;
mod merge;
mod patch;
mod render;

pub use document::{ConfigHash, MachineConfig, RenderedConfig};
pub use error::ConfigError;
pub use inputs::{
    ClusterProfile, ComponentVersions, DataVolume, Install, MachineRole, NodeProfile, VolumeUse,
};
pub use patch::Patch;
pub use render::generate;

#[cfg(test)]
mod tests;
