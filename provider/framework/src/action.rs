//! Actions: things done on request, without state.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    ClientCapabilities, Deferred, Diagnostics, Dynamic, Outcome, Schema, ValidateConfigRequest,
};

/// An announcement of an action.
#[derive(Debug)]
pub struct PlanActionRequest<D> {
    /// The configuration; anything may be unknown.
    pub config: Dynamic,
    /// What the caller can take.
    pub capabilities: ClientCapabilities,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// What becomes of an announcement.
#[derive(Debug, Default)]
pub struct PlanActionResponse {
    /// Puts the action off; only if `capabilities.deferral_allowed`.
    pub deferred: Option<Deferred>,
    /// Messages; errors stop the plan.
    pub diagnostics: Diagnostics,
}

/// A run of an action.
#[derive(Debug)]
pub struct InvokeRequest<D> {
    /// The configuration, wholly known.
    pub config: Dynamic,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// Shows lines to the user while an action runs.
#[derive(Clone, Debug)]
pub struct Progress {
    pub(crate) sender: mpsc::Sender<String>,
}

impl Progress {
    /// Shows a line. It does not matter whether anybody still reads.
    pub async fn report(&self, message: impl Into<String>) {
        let _ = self.sender.send(message.into()).await;
    }
}

/// An action (Terraform 1.14 and later).
#[async_trait]
pub trait Action<D: Send + Sync + 'static>: Send + Sync {
    /// The full type name.
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

    /// Refuses or puts off an announced run.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn modify_plan(
        &self,
        request: PlanActionRequest<D>,
        response: &mut PlanActionResponse,
    ) -> Outcome {
        let _ = (request, response);
        Ok(())
    }

    /// Runs. Warnings and errors go to `diagnostics`.
    ///
    /// # Errors
    /// More messages, added to `diagnostics`.
    async fn invoke(
        &self,
        request: InvokeRequest<D>,
        progress: Progress,
        diagnostics: &mut Diagnostics,
    ) -> Outcome;
}
