//! List resources, one file each: what `terraform query` finds in a tenant, ready to be imported.
//!
//! Clusters and pools are found by the names and tags of machines, add-ons by the records of their releases. Whole
//! objects come from the resources' own imports, so that a listing and an import cannot disagree.

mod addon;
mod cluster;
mod worker_pool;

pub use addon::Addons;
pub use cluster::Clusters;
pub use worker_pool::WorkerPools;

use framework::{
    Attribute, ClientCapabilities, Diagnostics, Dynamic, FromValue, ListRequest, ListResult,
    ListSink, Private, ReadRequest, ReadResponse, Resource, ToValue, Value,
};
use lifecycle::Engine;
use lifecycle::run::FoundCluster;
use product::Identifier;

use crate::clients::Data;
use crate::problems::{diagnostic, error};

/// The `config` block of every listing here.
#[derive(FromValue, ToValue)]
struct Config {
    identifier: Value<String>,
}

/// `identifier`.
fn identifier() -> Attribute {
    Attribute::string("The identifier of one cluster; every cluster of the tenant by default.")
        .optional()
}

/// One listing: what is asked for, and where results go.
struct Listing<'a> {
    request: &'a ListRequest<Data>,
    results: &'a ListSink,
    only: Option<Identifier>,
}

impl<'a> Listing<'a> {
    fn new(request: &'a ListRequest<Data>, results: &'a ListSink) -> Result<Self, Diagnostics> {
        let config: Config = request.config.get()?;
        let only = config.identifier.as_known().map(|text| {
            Identifier::parse_free(text).map_err(|problem| {
                Diagnostics::from(diagnostic(&problem.under(&product::Path::of("identifier"))))
            })
        });
        Ok(Self {
            request,
            results,
            only: only.transpose()?,
        })
    }

    /// Calls `found` with each complete cluster, until it answers that nobody wants more. A create that never ended is
    /// a warning: it cannot be imported.
    async fn each_cluster<F>(
        &self,
        engine: &Engine,
        mut found: impl FnMut(FoundCluster) -> F + Send,
    ) -> Result<(), Diagnostics>
    where
        F: Future<Output = Result<bool, Diagnostics>> + Send,
    {
        let cancel = &self.request.cancel;
        let candidates = engine
            .candidates(self.only.as_ref(), cancel)
            .await
            .map_err(error)?;
        if !candidates.complete {
            let mut warnings = Diagnostics::new();
            warnings.warning(
                "the listing may not be complete",
                "A zone answered with a part of its machines only: a cluster that is not listed may exist. List again.",
            );
            self.results.warn(warnings).await;
        }
        for candidate in &candidates.items {
            for cluster in engine.identify(candidate, cancel).await.map_err(error)? {
                if !cluster.completed {
                    self.results.warn(unfinished(&cluster)).await;
                } else if !found(cluster).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Hands one object over, whole when that is wanted. An object that cannot be read is listed without its
    /// attributes, and a warning says why.
    async fn send(
        &self,
        resource: &dyn Resource<Data>,
        display_name: String,
        id: String,
        identity: Dynamic,
    ) -> bool {
        let mut diagnostics = Diagnostics::new();
        let mut object = None;
        if self.request.include_resource {
            match self.whole(resource, id, &identity).await {
                Ok((state, messages)) => {
                    object = state;
                    diagnostics.extend(messages);
                }
                Err(errors) => diagnostics.extend(as_warnings(errors)),
            }
        }
        let result = ListResult {
            identity,
            display_name,
            resource: object,
            diagnostics,
        };
        self.results.send(result).await
    }

    /// The state that an import of `id` would leave.
    async fn whole(
        &self,
        resource: &dyn Resource<Data>,
        id: String,
        identity: &Dynamic,
    ) -> Result<(Option<Dynamic>, Diagnostics), Diagnostics> {
        let request = ReadRequest {
            state: Dynamic::object([("id", Dynamic::string(id))]),
            private: Private::default(),
            identity: Some(identity.clone()),
            provider_meta: None,
            capabilities: ClientCapabilities::default(),
            data: self.request.data.clone(),
            cancel: self.request.cancel.clone(),
        };
        let mut response = ReadResponse::default();
        resource.read(request, &mut response).await?;
        Ok((response.state, response.diagnostics))
    }
}

fn unfinished(cluster: &FoundCluster) -> Diagnostics {
    let mut warnings = Diagnostics::new();
    warnings.warning(
        "a cluster was never completed",
        format!(
            "Seen: {}\nIt cannot be imported. Apply the configuration that makes it: the create goes on where it stopped.",
            cluster.id
        ),
    );
    warnings
}

/// One object that cannot be read must not end the whole query.
fn as_warnings(errors: Diagnostics) -> Diagnostics {
    let mut warnings = Diagnostics::new();
    for one in &errors {
        warnings.warning(one.summary.clone(), one.detail.clone());
    }
    warnings
}
