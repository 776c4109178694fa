//! The provider: its block, and all that it offers.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{
    Action, DataSource, Diagnostics, Dynamic, EphemeralResource, Function, ListResource, Outcome,
    Resource, Schema,
};

/// What the caller can take beyond the minimum. Nothing else is ever sent to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// A response may be deferred. Do not defer merely because of it: OpenTofu 1.11 announces it and
    /// then turns every deferred answer into an error.
    pub deferral_allowed: bool,
    /// Write-only attributes are never stored; without it they would be.
    pub write_only_attributes_allowed: bool,
    /// Planned private data of the first plan comes back in the second.
    pub store_planned_private: bool,
    /// Computed blocks are understood.
    pub computed_blocks_allowed: bool,
}

/// Why a change is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferred {
    /// Something in the object's configuration is unknown.
    ResourceConfigUnknown,
    /// Something in the provider block is unknown.
    ProviderConfigUnknown,
    /// A prerequisite does not exist yet.
    AbsentPrerequisite,
}

/// A check of the provider block.
#[derive(Debug)]
pub struct ValidateProviderRequest {
    /// The provider block; anything may be unknown.
    pub config: Dynamic,
}

/// The provider block, with what surrounds it.
#[derive(Debug)]
pub struct ConfigureRequest {
    /// The provider block; at plan anything may be unknown.
    pub config: Dynamic,
    /// The version of the calling program, terraform's or OpenTofu's. Never derive abilities from
    /// it: that is what the capabilities are for.
    pub terraform_version: String,
    /// What the caller can take.
    pub capabilities: ClientCapabilities,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// The result of configuring.
#[derive(Debug, Default)]
pub struct ConfigureResponse {
    /// Something in the block is unknown, so that nothing remote can be asked. Resources go on being planned by their
    /// own hooks, and ephemeral resources opened. A refresh keeps the state, with one warning. What cannot do without an
    /// answer (data sources, imports, actions) is put off if the caller allows that; otherwise an import is refused, and
    /// the other handlers are called and say what they miss.
    pub unready: bool,
    /// Messages; errors make terraform stop.
    pub diagnostics: Diagnostics,
}

/// A provider: the entry to everything it offers.
///
/// Lists are asked for once; type names are full ones (`acme_machine`).
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What [`Provider::configure`] makes of the provider block, shared by all calls: clients,
    /// settings, caches. In reattach mode one process may hold several.
    type Data: Send + Sync + 'static;

    /// The type prefix: `acme` for `acme_machine`.
    fn name(&self) -> &'static str;

    /// The provider's own version.
    fn version(&self) -> &'static str;

    /// The schema of the provider block.
    fn schema(&self) -> Schema;

    /// The schema of `provider_meta` in a module's `terraform` block, if there is one.
    fn meta_schema(&self) -> Option<Schema> {
        None
    }

    /// Checks the provider block beyond the schema's own validators.
    async fn validate_config(
        &self,
        request: ValidateProviderRequest,
        diagnostics: &mut Diagnostics,
    ) -> Outcome {
        let _ = (request, diagnostics);
        Ok(())
    }

    /// Turns the provider block into the data that all calls share. Do no slow work here: connect
    /// and log in when first needed.
    ///
    /// # Errors
    /// The block cannot be used. Unknown values are no reason: keep them and complain when used.
    async fn configure(
        &self,
        request: ConfigureRequest,
        response: &mut ConfigureResponse,
    ) -> Result<Self::Data, Diagnostics>;

    /// The managed resources.
    fn resources(&self) -> Vec<Arc<dyn Resource<Self::Data>>> {
        Vec::new()
    }

    /// The data sources.
    fn data_sources(&self) -> Vec<Arc<dyn DataSource<Self::Data>>> {
        Vec::new()
    }

    /// The ephemeral resources.
    fn ephemeral_resources(&self) -> Vec<Arc<dyn EphemeralResource<Self::Data>>> {
        Vec::new()
    }

    /// The list resources.
    fn list_resources(&self) -> Vec<Arc<dyn ListResource<Self::Data>>> {
        Vec::new()
    }

    /// The actions.
    fn actions(&self) -> Vec<Arc<dyn Action<Self::Data>>> {
        Vec::new()
    }

    /// The functions.
    fn functions(&self) -> Vec<Arc<dyn Function>> {
        Vec::new()
    }
}
