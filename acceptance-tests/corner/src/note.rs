//! The smallest resource there is: what one costs is what the framework costs.

use framework::{
    Attribute, CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Outcome, Path,
    ReadRequest, ReadResponse, Resource, Schema, UpdateRequest, UpdateResponse, async_trait,
};

use crate::store::Store;

pub struct Note;

#[async_trait]
impl Resource<Store> for Note {
    fn type_name(&self) -> &'static str {
        "corner_note"
    }

    fn schema(&self) -> Schema {
        Schema::new("A text that is nowhere but in the state.")
            .attribute("id", Attribute::string("Its id.").computed().keep_known())
            .attribute("text", Attribute::string("The text.").optional())
    }

    async fn create(
        &self,
        request: CreateRequest<Store>,
        response: &mut CreateResponse,
    ) -> Outcome {
        let mut state = request.plan;
        state.set_at(&Path::of("id"), "note".to_owned());
        response.state = Some(state);
        Ok(())
    }

    async fn read(&self, _: ReadRequest<Store>, _: &mut ReadResponse) -> Outcome {
        Ok(())
    }

    async fn update(
        &self,
        request: UpdateRequest<Store>,
        response: &mut UpdateResponse,
    ) -> Outcome {
        response.state = Some(request.plan);
        Ok(())
    }

    async fn delete(&self, _: DeleteRequest<Store>, _: &mut DeleteResponse) -> Outcome {
        Ok(())
    }
}
