//! Charts and releases as helm 4.3 treats them, natively.

mod cluster;
mod dates;
mod functions;
mod regex_go;

pub mod chart;
pub mod release;
pub mod render;
pub mod semver;
pub mod source;
pub mod template;
pub mod value;
pub mod values;
pub mod yaml;

pub use chart::Chart;
pub use cluster::{
    ApiResource, Cluster, ClusterError, DeleteOptions, Deleted, Discovery, FIELD_MANAGER,
    FieldCause, FieldConflict, ListQuery, ObjectRef, Patch, Propagation, ServerVersion,
    WriteOptions,
};
pub use release::{ReleaseId, Releases};
pub use render::{Capabilities, RenderOptions, Rendered, render};
