//! A data source.

use framework::{
    Attribute, DataSource, Dynamic, Outcome, Path, ReadDataRequest, ReadDataResponse, Schema,
    async_trait,
};

use crate::store::Store;

pub struct Everything;

#[async_trait]
impl DataSource<Store> for Everything {
    fn type_name(&self) -> &'static str {
        "corner_content"
    }

    fn schema(&self) -> Schema {
        Schema::new("The content of a thing.")
            .attribute("name", Attribute::string("Its name.").required())
            .attribute("content", Attribute::string("Its content.").computed())
    }

    async fn read(
        &self,
        request: ReadDataRequest<Store>,
        response: &mut ReadDataResponse,
    ) -> Outcome {
        request.data.note(request.provider_meta.as_ref(), "data")?;
        let name: String = request.config.get_at(&Path::of("name"))?;
        // One that is always there, whatever the provider was configured with.
        let content = match name.as_str() {
            "static" => Some("always".to_owned()),
            name => request.data.read(name)?,
        };
        response.set_state(&Dynamic::object([
            ("name", name.into()),
            ("content", content.map_or(Dynamic::Null, Dynamic::String)),
        ]));
        Ok(())
    }
}
