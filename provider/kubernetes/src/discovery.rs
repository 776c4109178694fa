//! What the server offers (Kubernetes docs, API discovery): two aggregated calls where the server has
//! them, else one for each group and version.

use std::collections::BTreeSet;
use std::sync::Arc;

use helm::{ApiResource, ClusterError, Discovery};
use serde::Deserialize;
use serde_json::Value;
use transport::{CancellationToken, or_cancelled};

use crate::Client;
use crate::client::Ask;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
     application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupList {
    kind: String,
    items: Vec<Group>,
    /// Of the plain `/api`.
    versions: Value,
    /// Of the plain `/apis`.
    groups: Vec<PlainGroup>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Group {
    metadata: Named,
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    version: String,
    resources: Vec<Resource>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Resource {
    #[serde(rename = "resource")]
    plural: String,
    response_kind: Kind,
    scope: String,
    verbs: BTreeSet<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind {
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PlainGroup {
    name: String,
    versions: Vec<PlainVersion>,
    preferred_version: PlainVersion,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct PlainVersion {
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResourceList {
    resources: Vec<PlainResource>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PlainResource {
    name: String,
    kind: String,
    namespaced: bool,
    verbs: BTreeSet<String>,
}

impl Client {
    /// What the server offers, read once until it is forgotten.
    pub(crate) async fn discover(
        &self,
        cancel: &CancellationToken,
    ) -> Result<Arc<Discovery>, ClusterError> {
        let mut kept = or_cancelled(cancel, self.0.discovery.lock())
            .await
            .map_err(|_| ClusterError::Cancelled)?;
        if let Some(discovery) = kept.as_ref() {
            return Ok(Arc::clone(discovery));
        }
        let mut resources = Vec::new();
        for root in ["/api", "/apis"] {
            let list = self.groups(root, cancel).await?;
            if list.kind == "APIGroupDiscoveryList" {
                resources.extend(list.items.into_iter().flat_map(aggregated));
            } else {
                for (group, version) in plain(root, list) {
                    self.plain_version(&group, &version, &mut resources, cancel)
                        .await?;
                }
            }
        }
        let discovery = Arc::new(Discovery { resources });
        *kept = Some(Arc::clone(&discovery));
        Ok(discovery)
    }

    async fn groups(
        &self,
        root: &'static str,
        cancel: &CancellationToken,
    ) -> Result<GroupList, ClusterError> {
        let mut ask = Ask::read("discover", root.to_owned(), root);
        ask.accept = AGGREGATED;
        let value = self.ask(&ask, cancel).await?;
        serde_json::from_value(value).map_err(|error| unreadable(&ask, error))
    }

    async fn plain_version(
        &self,
        group: &str,
        version: &str,
        resources: &mut Vec<ApiResource>,
        cancel: &CancellationToken,
    ) -> Result<(), ClusterError> {
        let path = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{group}/{version}")
        };
        let ask = Ask::read("discover", path.clone(), path);
        let value = match self.ask(&ask, cancel).await {
            Ok(value) => value,
            // A group of an extension server that is away: the others are there all the same.
            Err(ClusterError::Refused {
                status: 503 | 404, ..
            }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let list: ResourceList =
            serde_json::from_value(value).map_err(|error| unreadable(&ask, error))?;
        let offered = list.resources.into_iter();
        resources.extend(
            offered
                .filter(|item| !item.name.contains('/'))
                .map(|item| ApiResource {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    kind: item.kind,
                    plural: item.name,
                    namespaced: item.namespaced,
                    verbs: item.verbs,
                }),
        );
        Ok(())
    }
}

fn aggregated(group: Group) -> impl Iterator<Item = ApiResource> {
    let name = group.metadata.name;
    group.versions.into_iter().flat_map(move |version| {
        let group = name.clone();
        version.resources.into_iter().map(move |item| ApiResource {
            group: group.clone(),
            version: version.version.clone(),
            kind: item.response_kind.kind,
            plural: item.plural,
            namespaced: item.scope == "Namespaced",
            verbs: item.verbs,
        })
    })
}

/// Groups and versions of the plain form, the preferred version of a group first.
fn plain(root: &str, list: GroupList) -> Vec<(String, String)> {
    if root == "/api" {
        let versions: Vec<String> = serde_json::from_value(list.versions).unwrap_or_default();
        return versions
            .into_iter()
            .map(|version| (String::new(), version))
            .collect();
    }
    let mut all = Vec::new();
    for group in list.groups {
        let preferred = group.preferred_version.version;
        let mut versions: Vec<String> = group
            .versions
            .into_iter()
            .map(|version| version.version)
            .collect();
        versions.sort_by_key(|version| *version != preferred);
        all.extend(
            versions
                .into_iter()
                .map(|version| (group.name.clone(), version)),
        );
    }
    all
}

fn unreadable(ask: &Ask, error: serde_json::Error) -> ClusterError {
    ClusterError::Unreachable {
        verb: ask.verb,
        target: ask.target.clone(),
        source: Box::new(error),
    }
}
