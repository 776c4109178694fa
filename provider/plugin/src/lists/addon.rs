//! Every add-on of the tenant's clusters.

use framework::{
    Diagnostics, Dynamic, ListRequest, ListResource, ListSink, Outcome, Schema, async_trait,
};
use lifecycle::Engine;
use lifecycle::addon::OWNER_ADDON;
use lifecycle::run::{FoundCluster, InstalledRelease};

use super::{Listing, as_warnings, identifier};
use crate::addon::Addon;
use crate::clients::Data;
use crate::handle::Handle;
use crate::import;
use crate::problems::error;

/// `managedk8s_addon`.
pub struct Addons;

#[async_trait]
impl ListResource<Data> for Addons {
    fn type_name(&self) -> &'static str {
        "managedk8s_addon"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The add-ons of the tenant's clusters: releases that a `managedk8s_addon` installed. A cluster that does not \
             answer is a warning.",
        )
        .attribute("identifier", identifier())
    }

    async fn list(&self, request: ListRequest<Data>, results: ListSink) -> Outcome {
        let listing = Listing::new(&request, &results)?;
        let engine = request.data.engine(&request.cancel).await?;
        listing
            .each_cluster(engine, |found| {
                let (listing, request) = (&listing, &request);
                async move {
                    let releases = match releases(engine, &found, request).await {
                        Ok(releases) => releases,
                        Err(errors) => return Ok(listing.results.warn(as_warnings(errors)).await),
                    };
                    let id = &found.id;
                    for InstalledRelease {
                        namespace, name, ..
                    } in releases
                    {
                        let identity = Dynamic::object([
                            ("identifier", Dynamic::string(id.identifier.to_string())),
                            ("name", Dynamic::string(name.clone())),
                            ("birth", Dynamic::string(id.birth.to_string())),
                            ("namespace", Dynamic::string(namespace.clone())),
                        ]);
                        let shown = format!("{}: {namespace}/{name}", id.identifier);
                        let import = format!("{id}/{namespace}/{name}");
                        if !listing.send(&Addon, shown, import, identity).await {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                }
            })
            .await
    }
}

/// The releases of a cluster that add-ons manage.
async fn releases(
    engine: &Engine,
    found: &FoundCluster,
    request: &ListRequest<Data>,
) -> Result<Vec<InstalledRelease>, Diagnostics> {
    let handle = import::handle(&found.id, &request.data, &request.cancel).await?;
    let cluster = Handle::read(&handle)?.cluster()?;
    engine
        .releases_of(&cluster, OWNER_ADDON, &request.cancel)
        .await
        .map_err(error)
}
