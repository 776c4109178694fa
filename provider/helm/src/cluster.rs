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

mod calls;
mod discovery;
mod error;
mod object;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use calls::{
    DeleteOptions, Deleted, FIELD_MANAGER, ListQuery, LogQuery, Patch, Propagation, WriteOptions,
};
pub use discovery::{ApiResource, Discovery, ServerVersion};
pub use error::{ClusterError, FieldCause, FieldConflict};
pub use object::ObjectRef;

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

    /// The end of what a container printed; `None` where this API server has no output of containers.
    async fn logs(
        &self,
        query: &LogQuery,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, ClusterError>;

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
