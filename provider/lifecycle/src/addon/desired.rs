//! What an add-on should be.

use std::time::Duration;

use product::catalogue::{ClusterFacts, Component, PodSecurity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{DriftRules, PatchRule, ReleaseOptions};

/// Where a chart comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChartSource {
    /// `https://` repository with an index, `oci://` registry, or a folder or archive on this machine.
    pub repository: String,
    /// The chart's name; empty for a path.
    pub chart: String,
    /// The exact version; empty for a path.
    pub version: String,
}

impl ChartSource {
    /// A chart as it is configured: without a repository and without a scheme it is a path, however that is written
    /// (`${path.module}/charts/web` may come out as `modules/shop/charts/web`).
    pub fn configured(repository: &str, chart: &str, version: &str) -> Self {
        let path = repository.is_empty()
            && !chart.contains("://")
            && !chart.starts_with(['/', '.'])
            && !std::path::Path::new(chart).is_absolute();
        Self {
            repository: repository.to_owned(),
            chart: if path {
                format!("./{chart}")
            } else {
                chart.to_owned()
            },
            version: version.to_owned(),
        }
    }

    /// Whether the chart is a folder or an archive on this machine: its content may change under one version.
    pub fn is_local(&self) -> bool {
        let path = if self.chart.is_empty() {
            &self.repository
        } else {
            &self.chart
        };
        (self.chart.is_empty() || self.repository.is_empty())
            && (path.starts_with(['/', '.']) || std::path::Path::new(path).is_absolute())
    }
}

/// An add-on as the configuration asks for it, the catalogue's part filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesiredAddon {
    /// The release's name.
    pub name: String,
    /// The release's namespace, made by us with its Pod Security labels.
    pub namespace: String,
    /// What the namespace enforces; `None` leaves its labels alone.
    pub pod_security: Option<PodSecurity>,
    /// The chart.
    pub source: ChartSource,
    /// SHA-256 of the chart as it was planned; empty while that is not known. Other bytes are refused.
    pub chart_digest: String,
    /// All values but secret ones: the catalogue's, with the configuration's merged over them.
    pub values: Value,
    /// Stands for the write-only values: their version, empty for none. The values themselves come at apply, and
    /// nothing of them is kept, a hash neither: short secrets can be guessed from one.
    pub secret_values_fingerprint: String,
    /// Objects applied once the release is healthy.
    pub objects: Vec<Value>,
    /// Patches of the rendered objects.
    pub post_render: Vec<PatchRule>,
    /// How operations behave.
    pub options: ReleaseOptions,
    /// What counts as drift.
    pub drift: DriftRules,
    /// How long to wait for health; zero does not wait.
    pub timeout: Duration,
    /// What manages the release: `addon`, `cluster`, ... Recorded with it, since a release has one owner.
    pub owner: String,
    /// The public inputs to record in the cluster for an import (design law 2); nothing is recorded without them.
    pub inputs: Option<Value>,
}

/// Where the inputs of a release are recorded. Namespaces have no dots, so that no two releases share a name.
pub fn inputs_name(namespace: &str, name: &str) -> String {
    format!("addon-{namespace}.{name}")
}

/// Owner of releases that are resources of their own.
pub const OWNER_ADDON: &str = "addon";
/// Owner of releases that belong to a cluster.
pub const OWNER_CLUSTER: &str = "cluster";

impl DesiredAddon {
    /// An add-on of the catalogue.
    pub fn from_catalogue(
        component: &Component,
        facts: &ClusterFacts,
        version: Option<&str>,
        overrides: &Value,
    ) -> Self {
        let mut values = (component.values)(facts);
        merge(&mut values, overrides);
        Self {
            name: component.name.to_owned(),
            namespace: component.namespace.to_owned(),
            pod_security: component.pod_security,
            source: ChartSource {
                repository: component.repository.to_owned(),
                chart: component.chart.to_owned(),
                version: version.unwrap_or(component.version).to_owned(),
            },
            chart_digest: String::new(),
            values,
            secret_values_fingerprint: String::new(),
            objects: (component.objects)(facts),
            post_render: Vec::new(),
            options: ReleaseOptions::default(),
            drift: DriftRules::default(),
            timeout: Duration::from_mins(u64::from(component.timeout_minutes)),
            owner: OWNER_ADDON.to_owned(),
            inputs: None,
        }
    }

    /// `namespace/name`.
    pub fn release(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Where its inputs are recorded.
    pub fn inputs_name(&self) -> String {
        inputs_name(&self.namespace, &self.name)
    }

    /// A fingerprint of everything that makes a difference in the cluster: kept with the release, so that
    /// an observation tells an outdated one without its values.
    pub fn fingerprint(&self) -> String {
        let Self {
            name,
            namespace,
            pod_security,
            source,
            chart_digest,
            values,
            secret_values_fingerprint,
            objects,
            post_render,
            options,
            drift: _,
            timeout: _,
            owner: _,
            inputs: _,
        } = self;
        let mut text = serde_json::json!([
            name,
            namespace,
            pod_security,
            source,
            values,
            secret_values_fingerprint,
            objects
        ]);
        if let Value::Array(parts) = &mut text {
            // The same chart may come from a mirror packed anew; a folder has only its content.
            if source.is_local() {
                parts.push(chart_digest.as_str().into());
            }
            if !post_render.is_empty() {
                parts.push(serde_json::json!(post_render));
            }
            let crds = options.crds;
            if !(crds.install && crds.upgrade) {
                parts.push(serde_json::json!([crds.install, crds.upgrade]));
            }
        }
        hex::encode(&Sha256::digest(text.to_string().as_bytes())[..16])
    }
}

/// Merges the way Helm does: maps by key, everything else replaced. Null stays: the chart's own default goes with it.
pub fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match (base.get_mut(key), value) {
                    (Some(below @ Value::Object(_)), Value::Object(_)) => merge(below, value),
                    _ => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merges_like_helm() {
        let mut base = json!({ "a": { "x": 1, "y": 2 }, "list": [1, 2], "gone": true });
        merge(
            &mut base,
            &json!({ "a": { "y": 3, "z": 4 }, "list": [9], "gone": null, "b": { "c": null } }),
        );
        assert_eq!(
            base,
            json!({ "a": { "x": 1, "y": 3, "z": 4 }, "list": [9], "gone": null, "b": { "c": null } })
        );
    }

    #[test]
    fn paths_are_local() {
        let source = |repository: &str, chart: &str| ChartSource {
            repository: repository.to_owned(),
            chart: chart.to_owned(),
            version: String::new(),
        };
        assert!(source("", "./charts/web").is_local());
        assert!(source("", "/charts/web").is_local());
        assert!(source("../web", "").is_local());
        assert!(!source("https://charts.example.org", "web").is_local());
        assert_eq!(
            ChartSource::configured("", "modules/web", "").chart,
            "./modules/web"
        );
        assert_eq!(ChartSource::configured("https://h", "web", "").chart, "web");
        assert!(!source("", "oci://registry.example.org/web").is_local());
        assert!(!source("", "https://charts.example.org/web.tgz").is_local());
    }
}
