//! Managed resources.

mod messages;

use async_trait::async_trait;

use crate::{Diagnostics, Dynamic, IdentitySchema, Outcome, Schema};

pub use messages::{
    Change, CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, FoundResponse,
    ImportRequest, ImportResponse, ModifyPlanRequest, ModifyPlanResponse, MoveStateRequest,
    MoveStateResponse, ObjectResponse, ReadRequest, ReadResponse, UpdateRequest, UpdateResponse,
    UpgradeIdentityRequest, UpgradeStateRequest, UpgradeStateResponse, ValidateConfigRequest,
};

/// A managed resource.
///
/// Handlers answer through their response, which also holds what was reached when they end with an
/// error (or a panic): set the state as soon as something exists. Handlers run side by side for
/// different objects.
#[async_trait]
pub trait Resource<D: Send + Sync + 'static>: Send + Sync {
    /// The full type name: `acme_machine`.
    fn type_name(&self) -> &'static str;

    /// The schema.
    fn schema(&self) -> Schema;

    /// The identity, if the resource has one. Once given it must stay.
    ///
    /// Members that bear the names of attributes of the schema need no further care: where a handler gives no
    /// identity, the state's attributes of these names are it.
    fn identity_schema(&self) -> Option<IdentitySchema> {
        None
    }

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

    /// Changes or refuses a plan: on create, update and destroy.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn modify_plan(
        &self,
        request: ModifyPlanRequest<D>,
        response: &mut ModifyPlanResponse,
    ) -> Outcome {
        let _ = (request, response);
        Ok(())
    }

    /// Makes the object.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn create(&self, request: CreateRequest<D>, response: &mut CreateResponse) -> Outcome;

    /// Finds the object as it is now.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn read(&self, request: ReadRequest<D>, response: &mut ReadResponse) -> Outcome;

    /// Changes the object.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn update(&self, request: UpdateRequest<D>, response: &mut UpdateResponse) -> Outcome;

    /// Deletes the object; that it is gone already is a success.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn delete(&self, request: DeleteRequest<D>, response: &mut DeleteResponse) -> Outcome;

    /// Finds an existing object by what the user typed.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn import_state(
        &self,
        request: ImportRequest<D>,
        response: &mut ImportResponse,
    ) -> Outcome {
        let _ = (request, response);
        Err(Diagnostics::one_error(
            "import not supported",
            format!("{} objects cannot be imported.", self.type_name()),
        ))
    }

    /// Turns state of any older schema version into the current shape, in one step.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn upgrade_state(
        &self,
        request: UpgradeStateRequest,
        response: &mut UpgradeStateResponse,
    ) -> Outcome {
        let _ = response;
        Err(Diagnostics::one_error(
            "stored state cannot be upgraded",
            format!(
                "The state of {} was stored with schema version {}, which this version of the provider cannot read. \
                 Use a version of the provider in between first.",
                self.type_name(),
                request.version,
            ),
        ))
    }

    /// Turns an identity of an older version into the current shape.
    ///
    /// # Errors
    /// The version is not known.
    async fn upgrade_identity(
        &self,
        request: UpgradeIdentityRequest,
    ) -> Result<Dynamic, Diagnostics> {
        Err(Diagnostics::one_error(
            "stored identity cannot be upgraded",
            format!(
                "The identity of {} was stored with version {}, which this version of the provider cannot read.",
                self.type_name(),
                request.version,
            ),
        ))
    }

    /// Takes over the state of another resource type, named in a `moved` block.
    ///
    /// # Errors
    /// More messages, added to those of the response.
    async fn move_state(
        &self,
        request: MoveStateRequest,
        response: &mut MoveStateResponse,
    ) -> Outcome {
        let _ = response;
        Err(Diagnostics::one_error(
            "resource type cannot be moved",
            format!(
                "{} cannot take over objects of type {} of {}. Use an import block and a removed block instead.",
                self.type_name(),
                request.source_type_name,
                request.source_provider_address,
            ),
        ))
    }

    /// Writes a legal configuration from state, for `-generate-config-out`. `config` is the state without what only the
    /// provider sets; resolve attributes that exclude each other.
    fn generate_config(&self, config: Dynamic) -> Dynamic {
        config
    }
}
