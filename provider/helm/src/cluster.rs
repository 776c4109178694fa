//! What a release needs of a Kubernetes API, as one object-safe trait.
//!
//! The crate `kubernetes` implements it over a real client. Objects travel as [`serde_json::Value`]
//! in the API's own JSON form: a chart may hold kinds that nobody has types for.
//!
//! Rules every implementation keeps:
//!
//! - a 404 is an answer, not an error: [`Cluster::get`] gives `None`, [`Cluster::delete`] gives
//!   [`Deleted::Absent`]; everything that leaves doubt is an `Err`;
//! - reads may be retried inside, writes are sent once (the caller looks up and decides);
//! - cancellation ends the call with [`ClusterError::Cancelled`] as soon as no answer is half read.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Names one object of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Group and version as in a manifest: `v1`, `apps/v1`.
    pub api_version: String,
    /// The kind: `Deployment`.
    pub kind: String,
    /// The namespace; `None` for objects of the whole cluster.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// An object inside a namespace.
    pub fn namespaced(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }

    /// An object of the whole cluster.
    pub fn cluster(api_version: &str, kind: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
        }
    }

    /// The reference that `object` carries in its own metadata; `None` when `apiVersion`, `kind`
    /// or `metadata.name` is missing. The namespace is taken as written, so an object that relies
    /// on a default namespace must have it filled in before.
    pub fn of(object: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        let metadata = object.get("metadata")?;
        Some(Self {
            api_version: object.get("apiVersion").and_then(text)?,
            kind: object.get("kind").and_then(text)?,
            namespace: metadata.get("namespace").and_then(text),
            name: metadata.get("name").and_then(text)?,
        })
    }

    /// The group without the version: `apps`; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The version without the group: `v1`.
    pub fn version(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or(self.api_version.as_str(), |(_, version)| version)
    }

    /// Whether both name the same stored object whatever the version they are read in.
    pub fn same_object(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl fmt::Display for ObjectRef {
    /// `apps/v1 Deployment kube-system/coredns`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.api_version, self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

/// What `GET /version` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// `v1.36.2`, with a vendor's suffix where there is one.
    pub git_version: String,
    /// `1`.
    pub major: String,
    /// `36`, sometimes `36+`.
    pub minor: String,
}

/// One resource of discovery, subresources left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiResource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The name in URLs: `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The verbs the server offers: `get`, `list`, `patch`, ...
    pub verbs: BTreeSet<String>,
}

impl ApiResource {
    /// Group and version as in a manifest.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// Everything the API server offers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The resources, in the order in which the server lists them (preferred versions first).
    pub resources: Vec<ApiResource>,
}

impl Discovery {
    /// The resource of a manifest's `apiVersion` and `kind`.
    pub fn find(&self, api_version: &str, kind: &str) -> Option<&ApiResource> {
        self.resources
            .iter()
            .find(|resource| resource.kind == kind && resource.api_version() == api_version)
    }

    /// The strings behind `.Capabilities.APIVersions` as Helm computes them on a live cluster: each
    /// group and version (`apps/v1`), and each with its kind (`apps/v1/Deployment`).
    pub fn api_versions(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for resource in &self.resources {
            let api_version = resource.api_version();
            all.insert(format!("{api_version}/{}", resource.kind));
            all.insert(api_version);
        }
        all
    }
}

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

/// One field of an apply conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldConflict {
    /// The path as the server writes it: `.spec.replicas`.
    pub field: String,
    /// The manager that owns it, as the server writes it: `kubectl-edit`.
    pub manager: String,
}

/// One finding of the server's validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCause {
    /// The field: `spec.selector`; may be empty.
    pub field: String,
    /// The server's reason word: `FieldValueInvalid`, `FieldValueForbidden`, ...; may be empty.
    pub reason: String,
    /// The server's text.
    pub message: String,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Server-side apply met fields that others own (409 with `FieldManagerConflict` causes).
    #[error("{object}: {}", conflict_text(.fields))]
    Conflict {
        /// The object.
        object: Box<ObjectRef>,
        /// Every field in conflict.
        fields: Vec<FieldConflict>,
    },
    /// Create of a name that is taken (409 `AlreadyExists`).
    #[error("{object} already exists")]
    AlreadyExists {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// The object changed since it was read, or its UID is another (409 `Conflict`).
    #[error("{object} was changed by someone else at the same time: {message}")]
    Stale {
        /// The object.
        object: Box<ObjectRef>,
        /// The server's text.
        message: String,
    },
    /// The object to replace or patch does not exist (404).
    #[error("{object} not found")]
    NotFound {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// Validation or admission refused it (400, 422, or 403 of an admission plug-in).
    #[error("{object} is refused: {message}")]
    Invalid {
        /// The object.
        object: Box<ObjectRef>,
        /// The server's text.
        message: String,
        /// The findings by field, where the server lists them.
        causes: Vec<FieldCause>,
    },
    /// The server does not have this kind.
    #[error("no matches for kind \"{kind}\" in version \"{api_version}\"")]
    UnknownKind {
        /// Group and version asked for.
        api_version: String,
        /// Kind asked for.
        kind: String,
    },
    /// Credentials were refused or do not allow this (401, 403).
    #[error("{verb} {target} is not allowed: {message}")]
    Denied {
        /// The verb: `get`, `patch`, ...
        verb: &'static str,
        /// What it was about.
        target: String,
        /// The server's text.
        message: String,
    },
    /// Any other refusal of the server.
    #[error("{verb} {target}: the server answered {status}: {message}")]
    Refused {
        /// The verb.
        verb: &'static str,
        /// What it was about.
        target: String,
        /// The HTTP status.
        status: u16,
        /// The server's text.
        message: String,
    },
    /// No usable answer. After a write it is unknown whether it was done.
    #[error("{verb} {target}: no answer from the cluster")]
    Unreachable {
        /// The verb.
        verb: &'static str,
        /// What it was about.
        target: String,
        /// The transport's own error.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
}

fn conflict_text(fields: &[FieldConflict]) -> String {
    let mut text = match fields.len() {
        1 => "a field is owned by someone else: ".to_owned(),
        n => format!("{n} fields are owned by someone else: "),
    };
    for (position, conflict) in fields.iter().enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        let _ = write!(text, "{} by \"{}\"", conflict.field, conflict.manager);
    }
    text
}

/// A Kubernetes API server, as far as releases need it.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// The server's version.
    async fn version(&self, cancel: &CancellationToken) -> Result<ServerVersion, ClusterError>;

    /// What the server offers; implementations cache it until [`Self::forget_discovery`].
    async fn discovery(&self, cancel: &CancellationToken) -> Result<Arc<Discovery>, ClusterError>;

    /// Drops cached discovery: called after CRDs were created.
    async fn forget_discovery(&self);

    /// Reads one object; `None` only when the server says that it does not exist (a kind that the
    /// server does not have is [`ClusterError::UnknownKind`]).
    async fn get(
        &self,
        object: &ObjectRef,
        cancel: &CancellationToken,
    ) -> Result<Option<Value>, ClusterError>;

    /// Reads all objects of a query, all pages, in the server's order. Elements carry `apiVersion`
    /// and `kind` (the API leaves them out of lists; the implementation fills them in).
    async fn list(
        &self,
        query: &ListQuery,
        cancel: &CancellationToken,
    ) -> Result<Vec<Value>, ClusterError>;

    /// Server-side apply of a whole object (its own `apiVersion`, `kind`, `metadata`), which the
    /// server creates if need be. Returns the object as the server sees it afterwards.
    async fn apply(
        &self,
        object: &Value,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError>;

    /// Creates an object (`metadata.name` or `metadata.generateName`).
    async fn create(
        &self,
        object: &Value,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError>;

    /// Replaces an object as a whole (PUT). With `metadata.resourceVersion` set the server refuses
    /// it when the object changed meanwhile ([`ClusterError::Stale`]).
    async fn replace(
        &self,
        object: &Value,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError>;

    /// Patches an object.
    async fn patch(
        &self,
        object: &ObjectRef,
        patch: &Patch,
        options: &WriteOptions,
        cancel: &CancellationToken,
    ) -> Result<Value, ClusterError>;

    /// Deletes an object.
    async fn delete(
        &self,
        object: &ObjectRef,
        options: &DeleteOptions,
        cancel: &CancellationToken,
    ) -> Result<Deleted, ClusterError>;

    /// Waits until one of `objects` may have changed, `at_most` this long. The caller reads the
    /// objects again either way, so coming back early is always allowed. The provided body only
    /// lets the time pass; an implementation that watches comes back sooner, and one that shares
    /// watches between releases saves calls.
    async fn changed(
        &self,
        objects: &[ObjectRef],
        at_most: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), ClusterError> {
        let _ = objects;
        tokio::select! {
            () = cancel.cancelled() => Err(ClusterError::Cancelled),
            () = tokio::time::sleep(at_most) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reference_is_read_from_an_object_and_prints_with_its_namespace() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "speaker", "namespace": "lb"}});
        let reference = ObjectRef::of(&object).expect("the object is complete");
        assert_eq!(reference.to_string(), "apps/v1 Deployment lb/speaker");
        assert_eq!((reference.group(), reference.version()), ("apps", "v1"));
        assert_eq!(ObjectRef::of(&json!({"kind": "Pod"})), None);
    }

    #[test]
    fn the_same_object_in_another_version_is_the_same_object() {
        let v1 = ObjectRef::namespaced("autoscaling/v1", "HorizontalPodAutoscaler", "a", "x");
        let v2 = ObjectRef::namespaced("autoscaling/v2", "HorizontalPodAutoscaler", "a", "x");
        assert!(v1.same_object(&v2));
        assert!(!v1.same_object(&ObjectRef::namespaced(
            "v1",
            "HorizontalPodAutoscaler",
            "a",
            "x"
        )));
    }

    #[test]
    fn a_conflict_names_each_field_with_its_owner() {
        let error = ClusterError::Conflict {
            object: Box::new(ObjectRef::namespaced(
                "apps/v1",
                "Deployment",
                "lb",
                "speaker",
            )),
            fields: vec![FieldConflict {
                field: ".spec.replicas".into(),
                manager: "kubectl-edit".into(),
            }],
        };
        assert_eq!(
            error.to_string(),
            "apps/v1 Deployment lb/speaker: a field is owned by someone else: .spec.replicas by \"kubectl-edit\""
        );
    }
}
