//! The provider: its block, and all that it offers.

use std::sync::Arc;

use framework::{
    Action, ConfigureRequest, ConfigureResponse, DataSource, Diagnostics, EphemeralResource,
    Function, ListResource, Provider, Resource, Schema, async_trait,
};

use crate::actions::EtcdSnapshot;
use crate::addon::Addon;
use crate::clients::Data;
use crate::cluster::ManagedCluster;
use crate::data_sources::{Cluster, HelmTemplate, Versions};
use crate::ephemeral::{GeneratedPassword, Kubeconfig, Talosconfig};
use crate::lists::{Addons, Clusters, WorkerPools};
use crate::settings::{self, Settings};
use crate::worker_pool::WorkerPool;

/// The provider's source address, with Terraform's default host.
pub const ADDRESS: &str = "registry.terraform.io/managedk8s/managedk8s";

/// The provider.
pub struct ManagedK8s;

#[async_trait]
impl Provider for ManagedK8s {
    type Data = Data;

    fn name(&self) -> &'static str {
        "managedk8s"
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn schema(&self) -> Schema {
        settings::schema()
    }

    async fn configure(
        &self,
        request: ConfigureRequest,
        response: &mut ConfigureResponse,
    ) -> Result<Data, Diagnostics> {
        let settings = Settings::read(&request.config, &settings::environment)?;
        response.unready = settings.is_open();
        Ok(Data::new(settings))
    }

    fn resources(&self) -> Vec<Arc<dyn Resource<Data>>> {
        vec![
            Arc::new(ManagedCluster),
            Arc::new(WorkerPool),
            Arc::new(Addon),
        ]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource<Data>>> {
        vec![
            Arc::new(Versions),
            Arc::new(Cluster),
            Arc::new(HelmTemplate),
        ]
    }

    fn ephemeral_resources(&self) -> Vec<Arc<dyn EphemeralResource<Data>>> {
        vec![
            Arc::new(Kubeconfig),
            Arc::new(Talosconfig),
            Arc::new(GeneratedPassword),
        ]
    }

    fn list_resources(&self) -> Vec<Arc<dyn ListResource<Data>>> {
        vec![Arc::new(Clusters), Arc::new(WorkerPools), Arc::new(Addons)]
    }

    fn actions(&self) -> Vec<Arc<dyn Action<Data>>> {
        vec![Arc::new(EtcdSnapshot)]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        let mut all = crate::functions::all();
        all.push(Arc::new(crate::helm_function::HelmTemplateFunction));
        all
    }
}
