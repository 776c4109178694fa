//! The provider block.

use std::sync::Arc;

use framework::{
    Action, Attribute, ConfigureRequest, ConfigureResponse, DataSource, Diagnostics,
    EphemeralResource, FromValue, Function, ListResource, Provider, Resource, Schema, Value,
    async_trait,
};

use crate::store::Store;

pub struct Corner;

#[derive(FromValue)]
struct Config {
    directory: Value<String>,
}

#[async_trait]
impl Provider for Corner {
    type Data = Store;

    fn name(&self) -> &'static str {
        "corner"
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn schema(&self) -> Schema {
        Schema::new("Keeps objects in files.").attribute(
            "directory",
            Attribute::string("Where the files are.").optional(),
        )
    }

    fn meta_schema(&self) -> Option<Schema> {
        let module = Attribute::string("The module, for statistics.").optional();
        Some(Schema::new("Who asks.").attribute("module", module))
    }

    async fn configure(
        &self,
        request: ConfigureRequest,
        response: &mut ConfigureResponse,
    ) -> Result<Store, Diagnostics> {
        let config: Config = request.config.get()?;
        response.unready = config.directory.is_unknown();
        Ok(Store::new(config.directory.known()))
    }

    fn resources(&self) -> Vec<Arc<dyn Resource<Store>>> {
        vec![
            Arc::new(crate::thing::Thing),
            Arc::new(crate::section::Section),
            Arc::new(crate::note::Note),
            Arc::new(crate::heap::Heap),
        ]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource<Store>>> {
        vec![Arc::new(crate::data::Everything)]
    }

    fn ephemeral_resources(&self) -> Vec<Arc<dyn EphemeralResource<Store>>> {
        vec![Arc::new(crate::ephemeral::Lease)]
    }

    fn list_resources(&self) -> Vec<Arc<dyn ListResource<Store>>> {
        vec![Arc::new(crate::list::Things)]
    }

    fn actions(&self) -> Vec<Arc<dyn Action<Store>>> {
        vec![Arc::new(crate::action::Count)]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![
            Arc::new(crate::functions::Join),
            Arc::new(crate::functions::Echo),
        ]
    }
}
