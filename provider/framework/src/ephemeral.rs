//! Ephemeral resources: values that are never stored.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{
    ClientCapabilities, Deferred, Diagnostics, Dynamic, Outcome, Private, Schema, ToValue,
    ValidateConfigRequest,
};

/// An opening.
#[derive(Debug)]
pub struct OpenRequest<D> {
    /// The configuration, wholly known.
    pub config: Dynamic,
    /// What the caller can take.
    pub capabilities: ClientCapabilities,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// What was opened.
#[derive(Debug, Default)]
pub struct OpenResponse {
    /// The whole object, wholly known, configured attributes as configured.
    pub result: Option<Dynamic>,
    /// When to call [`EphemeralResource::renew`].
    pub renew_at: Option<SystemTime>,
    /// Goes to renew and close.
    pub private: Private,
    /// Puts the opening off; only if `capabilities.deferral_allowed`.
    pub deferred: Option<Deferred>,
    /// Messages.
    pub diagnostics: Diagnostics,
}

impl OpenResponse {
    /// Sets the result from a struct or value.
    pub fn set_result<T: ToValue>(&mut self, result: &T) {
        self.result = Some(result.to_value());
    }
}

/// A renewal.
#[derive(Debug)]
pub struct RenewRequest<D> {
    /// Private data of the last open or renew.
    pub private: Private,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// What became of a renewal.
#[derive(Debug, Default)]
pub struct RenewResponse {
    /// When to renew again; none ends renewing.
    pub renew_at: Option<SystemTime>,
    /// Goes to the next renew; begins as the one before.
    pub private: Private,
    /// Messages.
    pub diagnostics: Diagnostics,
}

/// A closing.
#[derive(Debug)]
pub struct CloseRequest<D> {
    /// Private data of open.
    pub private: Private,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// What became of a closing.
#[derive(Debug, Default)]
pub struct CloseResponse {
    /// Messages.
    pub diagnostics: Diagnostics,
}

/// An ephemeral resource. It is opened in plan and again in apply, even in destroy; it is not
/// closed if terraform is killed, so what it hands out must expire by itself.
#[async_trait]
pub trait EphemeralResource<D: Send + Sync + 'static>: Send + Sync {
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

    /// Makes the value.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn open(&self, request: OpenRequest<D>, response: &mut OpenResponse) -> Outcome;

    /// Extends its life.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn renew(&self, request: RenewRequest<D>, response: &mut RenewResponse) -> Outcome {
        let _ = (request, response);
        Ok(())
    }

    /// Ends its life; that it has expired already is a success.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn close(&self, request: CloseRequest<D>, response: &mut CloseResponse) -> Outcome {
        let _ = (request, response);
        Ok(())
    }
}
