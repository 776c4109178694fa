//! What an add-on should be.

use product::catalogue::{ClusterFacts, Component, PodSecurity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

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
    /// All values but secret ones: the catalogue's, with the configuration's merged over them.
    pub values: Value,
    /// Fingerprint of the write-only values; empty for none. The values themselves come at apply.
    pub secret_values_fingerprint: String,
    /// Objects applied once the release is healthy.
    pub objects: Vec<Value>,
    /// Minutes to wait for health; 0 does not wait.
    pub timeout_minutes: u32,
    /// What manages the release: `addon`, `cluster`, ... Recorded with it, since a release has one owner.
    pub owner: String,
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
            values,
            secret_values_fingerprint: String::new(),
            objects: (component.objects)(facts),
            timeout_minutes: component.timeout_minutes,
            owner: OWNER_ADDON.to_owned(),
        }
    }

    /// `namespace/name`.
    pub fn release(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// A fingerprint of everything that makes a difference in the cluster: kept with the release, so that
    /// an observation tells an outdated one without its values.
    pub fn fingerprint(&self) -> String {
        let Self {
            name,
            namespace,
            pod_security,
            source,
            values,
            secret_values_fingerprint,
            objects,
            timeout_minutes: _,
            owner: _,
        } = self;
        let text = serde_json::json!([
            name,
            namespace,
            pod_security,
            source,
            values,
            secret_values_fingerprint,
            objects
        ])
        .to_string();
        hex::encode(&Sha256::digest(text.as_bytes())[..16])
    }
}

/// Merges the way Helm does: maps by key, everything else replaced, null removes.
pub(crate) fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match value {
                    Value::Null => {
                        base.remove(key);
                    }
                    _ => merge(base.entry(key.clone()).or_insert(Value::Null), value),
                }
            }
        }
        (_, Value::Null) => {}
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
            &json!({ "a": { "y": 3, "z": 4 }, "list": [9], "gone": null }),
        );
        assert_eq!(
            base,
            json!({ "a": { "x": 1, "y": 3, "z": 4 }, "list": [9] })
        );
    }
}
