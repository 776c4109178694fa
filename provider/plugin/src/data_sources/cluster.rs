//! `managedk8s_cluster`: a cluster that another state owns.

use framework::{
    Attribute, DataSource, Dynamic, FromValue, Outcome, Path, ReadDataRequest, ReadDataResponse,
    Schema, ToValue, Value, async_trait,
};
use product::ClusterId;

use crate::clients::Data;
use crate::cluster::state::imported;
use crate::handle::handle_type;
use crate::problems::{error, refused};

/// `managedk8s_cluster`.
pub struct Cluster;

#[derive(FromValue, ToValue)]
struct Model {
    id: Value<String>,
    handle: Dynamic,
    kubeconfig: Value<String>,
}

#[async_trait]
impl DataSource<Data> for Cluster {
    fn type_name(&self) -> &'static str {
        "managedk8s_cluster"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A cluster that another state owns, found by its id: its handle serves pools, add-ons and ephemeral resources here.",
        )
        .attributes([
            ("id", Attribute::string("`<identifier>/<birth>`, the `id` of the resource.").required()),
            ("handle", Attribute::new(handle_type(), "Everything public about the cluster.").computed()),
            ("kubeconfig", Attribute::string("A kubeconfig without any secret.").computed()),
        ])
    }

    async fn read(
        &self,
        request: ReadDataRequest<Data>,
        response: &mut ReadDataResponse,
    ) -> Outcome {
        let mut model: Model = request.config.get()?;
        let text = model.id.as_known().map(String::as_str).unwrap_or_default();
        let id = ClusterId::parse(text)
            .map_err(|problem| refused(problem.under(&product::Path::of("id"))))?;
        let engine = request.data.engine(&request.cancel).await?;
        let recorded = engine
            .find_cluster(&id, &request.cancel)
            .await
            .map_err(error)?;
        let state = imported(&recorded, engine.tenant(), &request.data);
        model.handle = state
            .at(&Path::of("handle"))
            .cloned()
            .unwrap_or(Dynamic::Null);
        model.kubeconfig = state.get_at(&Path::of("kubeconfig"))?;
        response.set_state(&model);
        Ok(())
    }
}
