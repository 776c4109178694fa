//! The resource as the framework calls it.

use framework::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Diagnostics, IdentitySchema,
    ModifyPlanRequest, ModifyPlanResponse, Outcome, ReadRequest, ReadResponse, Resource, Schema,
    UpdateRequest, UpdateResponse, ValidateConfigRequest, async_trait,
};

use super::{TYPE_NAME, plan, schema};
use crate::clients::Data;

/// `ManagedCluster`.
pub struct ManagedCluster;

#[async_trait]
impl Resource<Data> for ManagedCluster {
    fn type_name(&self) -> &'static str {
        TYPE_NAME
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        Some(schema::identity())
    }

    async fn validate_config(
        &self,
        request: ValidateConfigRequest,
        diagnostics: &mut Diagnostics,
    ) -> Outcome {
        plan::validate(&request.config, diagnostics)
    }

    async fn modify_plan(
        &self,
        request: ModifyPlanRequest<Data>,
        response: &mut ModifyPlanResponse,
    ) -> Outcome {
        plan::plan(&request, response)
    }

    async fn create(
        &self,
        _request: CreateRequest<Data>,
        _response: &mut CreateResponse,
    ) -> Outcome {
        Err(Diagnostics::one_error("not there yet", ""))
    }

    async fn read(&self, _request: ReadRequest<Data>, _response: &mut ReadResponse) -> Outcome {
        Err(Diagnostics::one_error("not there yet", ""))
    }

    async fn update(
        &self,
        _request: UpdateRequest<Data>,
        _response: &mut UpdateResponse,
    ) -> Outcome {
        Err(Diagnostics::one_error("not there yet", ""))
    }

    async fn delete(
        &self,
        _request: DeleteRequest<Data>,
        _response: &mut DeleteResponse,
    ) -> Outcome {
        Err(Diagnostics::one_error("not there yet", ""))
    }
}
