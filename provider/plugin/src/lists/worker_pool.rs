//! Every worker pool of the tenant's clusters.

use framework::{Dynamic, ListRequest, ListResource, ListSink, Outcome, Schema, async_trait};

use super::{Listing, identifier};
use crate::clients::Data;
use crate::problems::error;
use crate::worker_pool::WorkerPool;

/// `managedk8s_worker_pool`.
pub struct WorkerPools;

#[async_trait]
impl ListResource<Data> for WorkerPools {
    fn type_name(&self) -> &'static str {
        "managedk8s_worker_pool"
    }

    fn schema(&self) -> Schema {
        Schema::new("The worker pools of the tenant's clusters that have a worker, found by the tags of their machines.")
            .attribute("identifier", identifier())
    }

    async fn list(&self, request: ListRequest<Data>, results: ListSink) -> Outcome {
        let listing = Listing::new(&request, &results)?;
        let engine = request.data.engine(&request.cancel).await?;
        listing
            .each_cluster(engine, |found| {
                let (listing, cancel) = (&listing, &request.cancel);
                async move {
                    let id = &found.id;
                    for pool in engine.pools_of(id, cancel).await.map_err(error)? {
                        let identity = Dynamic::object([
                            ("identifier", Dynamic::string(id.identifier.to_string())),
                            ("name", Dynamic::string(pool.name.to_string())),
                            ("birth", Dynamic::string(id.birth.to_string())),
                        ]);
                        let name = format!("{}/{} ({})", id.identifier, pool.name, pool.workers);
                        let import = format!("{id}/{}", pool.name);
                        if !listing.send(&WorkerPool, name, import, identity).await {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                }
            })
            .await
    }
}
