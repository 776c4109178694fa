//! What an API server says of itself.

use std::collections::BTreeSet;

/// What `GET /version` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// `v1.36.2`, with a vendor's suffix where there is one.
    pub git_version: String,
    /// `1`.
    pub major: String,
    /// `36`, sometimes `36+`.
    pub minor: String,
}

/// One resource of discovery, subresources left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiResource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The name in URLs: `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The verbs the server offers: `get`, `list`, `patch`, ...
    pub verbs: BTreeSet<String>,
}

impl ApiResource {
    /// Group and version as in a manifest.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// Everything the API server offers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The resources, in the order in which the server lists them (preferred versions first).
    pub resources: Vec<ApiResource>,
}

impl Discovery {
    /// The resource of a manifest's `apiVersion` and `kind`.
    pub fn find(&self, api_version: &str, kind: &str) -> Option<&ApiResource> {
        self.resources
            .iter()
            .find(|resource| resource.kind == kind && resource.api_version() == api_version)
    }

    /// The strings behind `.Capabilities.APIVersions` as Helm computes them on a live cluster: each
    /// group and version (`apps/v1`), and each with its kind (`apps/v1/Deployment`).
    pub fn api_versions(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for resource in &self.resources {
            let api_version = resource.api_version();
            all.insert(format!("{api_version}/{}", resource.kind));
            all.insert(api_version);
        }
        all
    }
}
