//! Every cluster of the tenant.

use framework::{Dynamic, ListRequest, ListResource, ListSink, Outcome, Schema, async_trait};

use super::{Listing, identifier};
use crate::clients::Data;
use crate::cluster::ManagedCluster;

/// `managedk8s_cluster`.
pub struct Clusters;

#[async_trait]
impl ListResource<Data> for Clusters {
    fn type_name(&self) -> &'static str {
        "managedk8s_cluster"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The clusters of the tenant, whoever made them: found by the tags of their machines. Clusters whose create never \
             ended are warnings.",
        )
        .attribute("identifier", identifier())
    }

    async fn list(&self, request: ListRequest<Data>, results: ListSink) -> Outcome {
        let listing = Listing::new(&request, &results)?;
        let engine = request.data.engine(&request.cancel).await?;
        listing
            .each_cluster(engine, |found| {
                let listing = &listing;
                async move {
                    let id = &found.id;
                    let identity = Dynamic::object([
                        ("identifier", Dynamic::string(id.identifier.to_string())),
                        ("birth", Dynamic::string(id.birth.to_string())),
                    ]);
                    let name = id.identifier.to_string();
                    Ok(listing
                        .send(&ManagedCluster, name, id.to_string(), identity)
                        .await)
                }
            })
            .await
    }
}
