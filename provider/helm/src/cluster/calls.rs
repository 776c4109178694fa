//! How objects are asked for and written.

use serde_json::Value;

/// Which objects to list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListQuery {
    /// Group and version as in a manifest.
    pub api_version: String,
    /// The kind of the elements.
    pub kind: String,
    /// One namespace; `None` for all of them and for objects of the whole cluster.
    pub namespace: Option<String>,
    /// A label selector as the API takes it: `owner=helm,name=metallb`; empty for all.
    pub labels: String,
}

/// How to write an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// The owner of the fields written; Helm's own is [`FIELD_MANAGER`].
    pub field_manager: String,
    /// Server-side apply only: take fields over from other managers.
    pub force: bool,
    /// Let the server compute and validate everything, and store nothing.
    pub dry_run: bool,
    /// Refuse fields that the kind does not have instead of dropping them.
    pub strict: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            field_manager: FIELD_MANAGER.to_owned(),
            force: false,
            dry_run: false,
            strict: true,
        }
    }
}

/// The field manager of the helm CLI. Releases of ours use the same, so that a later `helm upgrade`
/// by a human meets no conflict and leaves no field behind.
pub const FIELD_MANAGER: &str = "helm";

/// A patch and its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// RFC 7386.
    Merge(Value),
    /// RFC 6902, an array of operations.
    Json(Value),
    /// Kubernetes' strategic merge; built-in kinds only.
    Strategic(Value),
}

/// What happens to the objects that an object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are collected afterwards.
    #[default]
    Background,
    /// The object stays until they are gone.
    Foreground,
    /// They stay.
    Orphan,
}

/// How to delete an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What happens to owned objects.
    pub propagation: Propagation,
    /// Delete only the object with this UID: one of the same name made later is left alone.
    pub uid: Option<String>,
    /// Validate only.
    pub dry_run: bool,
}

/// The answer to a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The server accepted it; the object may still be there while finalizers run.
    Accepted,
    /// There was no such object.
    Absent,
}

/// Which part of a container's output to read: the end of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// At most as many lines.
    pub lines: u32,
    /// At most as many bytes.
    pub bytes: u32,
}
