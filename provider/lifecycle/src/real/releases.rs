//! Releases as the labels of Helm's records name them, without opening a record.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ports::InstalledRelease;

/// The label of a release's record that says what manages it.
pub(super) const OWNER: &str = "managedk8s-owner";

/// The releases behind Helm's records, by the labels that Helm puts on them: the newest revision of each speaks.
pub(super) fn installed(records: &[Value]) -> Vec<InstalledRelease> {
    let mut newest: BTreeMap<(&str, &str), (u64, &Value)> = BTreeMap::new();
    for record in records {
        let text = |pointer| record.pointer(pointer).and_then(Value::as_str);
        let (Some(namespace), Some(name)) =
            (text("/metadata/namespace"), text("/metadata/labels/name"))
        else {
            continue;
        };
        let revision = text("/metadata/labels/version").and_then(|version| version.parse().ok());
        let revision: u64 = revision.unwrap_or_default();
        let entry = newest
            .entry((namespace, name))
            .or_insert((revision, record));
        if revision > entry.0 {
            *entry = (revision, record);
        }
    }
    let release = |((namespace, name), (_, record)): ((&str, &str), (u64, &Value))| {
        let label = |key: &str| record["metadata"]["labels"][key].as_str();
        (label("status") != Some("uninstalled")).then(|| InstalledRelease {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            owner: label(OWNER).unwrap_or_default().to_owned(),
        })
    };
    newest.into_iter().filter_map(release).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, version: &str, status: &str, owner: &str) -> Value {
        json!({ "metadata": { "namespace": "apps", "labels": {
            "name": name, "version": version, "status": status, OWNER: owner, "owner": "helm",
        } } })
    }

    #[test]
    fn the_newest_revision_of_each_release_speaks() {
        let records = [
            record("web", "9", "superseded", "somebody"),
            record("web", "10", "deployed", "addon"),
            record("old", "1", "superseded", "addon"),
            record("old", "2", "uninstalled", "addon"),
            json!({ "metadata": { "namespace": "apps" } }),
        ];
        let found = installed(&records);
        let web = InstalledRelease {
            namespace: "apps".to_owned(),
            name: "web".to_owned(),
            owner: "addon".to_owned(),
        };
        assert_eq!(found, [web]);
    }
}
