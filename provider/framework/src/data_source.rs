//! Data sources.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{
    ClientCapabilities, Deferred, Diagnostics, Dynamic, Outcome, Schema, ToValue,
    ValidateConfigRequest,
};

/// A read of a data source.
#[derive(Debug)]
pub struct ReadDataRequest<D> {
    /// The configuration, wholly known.
    pub config: Dynamic,
    /// The module's `provider_meta`.
    pub provider_meta: Option<Dynamic>,
    /// What the caller can take.
    pub capabilities: ClientCapabilities,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// What was read.
#[derive(Debug, Default)]
pub struct ReadDataResponse {
    /// The whole object, configured attributes as configured.
    pub state: Option<Dynamic>,
    /// Puts the read off; only if `capabilities.deferral_allowed`.
    pub deferred: Option<Deferred>,
    /// Messages.
    pub diagnostics: Diagnostics,
}

impl ReadDataResponse {
    /// Sets the state from a struct or value.
    pub fn set_state<T: ToValue>(&mut self, state: &T) {
        self.state = Some(state.to_value());
    }
}

/// A data source.
#[async_trait]
pub trait DataSource<D: Send + Sync + 'static>: Send + Sync {
    /// The full type name.
    fn type_name(&self) -> &'static str;

    /// The schema.
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

    /// Reads.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn read(&self, request: ReadDataRequest<D>, response: &mut ReadDataResponse) -> Outcome;
}
