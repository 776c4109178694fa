//! List resources: what `terraform query` finds.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Diagnostics, Dynamic, Outcome, Schema, ValidateConfigRequest};

/// A listing.
#[derive(Debug)]
pub struct ListRequest<D> {
    /// The `config` block, wholly known.
    pub config: Dynamic,
    /// Whether whole objects are wanted, not identities alone.
    pub include_resource: bool,
    /// The most results wanted; `None` for all.
    pub limit: Option<u64>,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when enough was read, the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// One object found.
#[derive(Clone, Debug)]
pub struct ListResult {
    /// Its full identity.
    pub identity: Dynamic,
    /// Its name on screen.
    pub display_name: String,
    /// The whole object, when wanted.
    pub resource: Option<Dynamic>,
    /// Messages about it.
    pub diagnostics: Diagnostics,
}

/// Where results go as they are found.
#[derive(Clone, Debug)]
pub struct ListSink {
    pub(crate) sender: mpsc::Sender<Result<ListResult, Diagnostics>>,
}

impl ListSink {
    /// Hands a result over, waiting for room. False means that nobody wants more.
    pub async fn send(&self, result: ListResult) -> bool {
        self.sender.send(Ok(result)).await.is_ok()
    }

    /// Hands warnings over that belong to no object.
    pub async fn warn(&self, warnings: Diagnostics) -> bool {
        self.sender.send(Err(warnings)).await.is_ok()
    }
}

/// Lists existing objects of a managed resource that has an identity.
#[async_trait]
pub trait ListResource<D: Send + Sync + 'static>: Send + Sync {
    /// The full type name: that of the managed resource.
    fn type_name(&self) -> &'static str;

    /// The schema of the `config` block.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond the schema's own validators; without remote calls.
    ///
    /// # Errors
    /// More messages, added to the others.
    async fn validate_config(
        &self,
        request: ValidateConfigRequest,
        diagnostics: &mut Diagnostics,
    ) -> Outcome {
        let _ = (request, diagnostics);
        Ok(())
    }

    /// Lists, each result as soon as it is known.
    ///
    /// # Errors
    /// They end the query.
    async fn list(&self, request: ListRequest<D>, results: ListSink) -> Outcome;
}
