//! Discovery: which kinds are served, in the legacy and in the aggregated form
//! ("Kubernetes docs", API discovery), and the small OpenAPI documents that clients ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::registry::{REVIEWS, Resource};
use super::store::Store;

/// Content type of the aggregated form.
pub(super) const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// One entry of a resource list, for the kinds that are stored and those that are only asked.
struct Entry {
    plural: String,
    singular: String,
    kind: String,
    namespaced: bool,
    short_names: Vec<String>,
    categories: Vec<String>,
    verbs: Vec<&'static str>,
    /// Name, group, version, kind, verbs.
    subresources: Vec<(&'static str, String, String, String, Vec<&'static str>)>,
}

fn entry(resource: &Resource) -> Entry {
    let mut subresources = Vec::new();
    let own = |name: &'static str, kind: &str, verbs: Vec<&'static str>| {
        (
            name,
            resource.group.clone(),
            resource.version.clone(),
            kind.to_owned(),
            verbs,
        )
    };
    let write = || vec!["get", "patch", "update"];
    if resource.status || resource.kind == "Pod" {
        subresources.push(own("status", &resource.kind, write()));
    }
    if resource.scale {
        subresources.push((
            "scale",
            "autoscaling".to_owned(),
            "v1".to_owned(),
            "Scale".to_owned(),
            write(),
        ));
    }
    match resource.kind.as_str() {
        "Pod" => {
            subresources.push((
                "eviction",
                "policy".to_owned(),
                "v1".to_owned(),
                "Eviction".to_owned(),
                vec!["create"],
            ));
            subresources.push(own("log", "Pod", vec!["get"]));
        }
        "Namespace" => subresources.push(own("finalize", "Namespace", vec!["update"])),
        "ServiceAccount" => subresources.push((
            "token",
            "authentication.k8s.io".to_owned(),
            "v1".to_owned(),
            "TokenRequest".to_owned(),
            vec!["create"],
        )),
        "CertificateSigningRequest" => {
            subresources.push(own("approval", &resource.kind, write()));
        }
        _ => {}
    }
    Entry {
        plural: resource.plural.clone(),
        singular: resource.singular.clone(),
        kind: resource.kind.clone(),
        namespaced: resource.namespaced,
        short_names: resource.short_names.clone(),
        categories: resource.categories.clone(),
        verbs: VERBS.to_vec(),
        subresources,
    }
}

/// Group, then version, then entries. Versions keep the order of the table.
fn groups(store: &Store) -> BTreeMap<String, Vec<(String, Vec<Entry>)>> {
    let mut groups: BTreeMap<String, Vec<(String, Vec<Entry>)>> = BTreeMap::new();
    let mut add = |group: &str, version: &str, entry: Entry| {
        let versions = groups.entry(group.to_owned()).or_default();
        match versions.iter_mut().find(|(seen, _)| seen == version) {
            Some((_, entries)) => entries.push(entry),
            None => versions.push((version.to_owned(), vec![entry])),
        }
    };
    for resource in store.resources() {
        add(&resource.group, &resource.version, entry(resource));
    }
    for (group, version, plural, kind) in REVIEWS {
        add(
            group,
            version,
            Entry {
                plural: (*plural).to_owned(),
                singular: kind.to_lowercase(),
                kind: (*kind).to_owned(),
                namespaced: false,
                short_names: Vec::new(),
                categories: Vec::new(),
                verbs: vec!["create"],
                subresources: Vec::new(),
            },
        );
    }
    groups
}

fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// `/api`.
pub(super) fn core_versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [],
    })
}

fn group(name: &str, versions: &[(String, Vec<Entry>)]) -> Value {
    let listed: Vec<Value> = versions
        .iter()
        .map(|(version, _)| json!({ "groupVersion": group_version(name, version), "version": version }))
        .collect();
    json!({
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": listed,
        "preferredVersion": listed.first(),
    })
}

/// `/apis`.
pub(super) fn group_list(store: &Store) -> Value {
    let listed: Vec<Value> = groups(store)
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, versions)| group(name, versions))
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": listed })
}

/// `/apis/<group>`.
pub(super) fn one_group(store: &Store, name: &str) -> Option<Value> {
    groups(store)
        .get(name)
        .filter(|_| !name.is_empty())
        .map(|versions| group(name, versions))
}

/// `/api/v1` and `/apis/<group>/<version>`.
pub(super) fn resource_list(store: &Store, name: &str, version: &str) -> Option<Value> {
    let groups = groups(store);
    let (_, entries) = groups.get(name)?.iter().find(|(seen, _)| seen == version)?;
    let mut listed = Vec::new();
    for entry in entries {
        let mut json = json!({
            "name": entry.plural,
            "singularName": entry.singular,
            "namespaced": entry.namespaced,
            "kind": entry.kind,
            "verbs": entry.verbs,
        });
        if !entry.short_names.is_empty() {
            json["shortNames"] = json!(entry.short_names);
        }
        if !entry.categories.is_empty() {
            json["categories"] = json!(entry.categories);
        }
        listed.push(json);
        for (sub, group, version, kind, verbs) in &entry.subresources {
            let mut json = json!({
                "name": format!("{}/{sub}", entry.plural),
                "singularName": "",
                "namespaced": entry.namespaced,
                "kind": kind,
                "verbs": verbs,
            });
            if group != name {
                json["group"] = json!(group);
                json["version"] = json!(version);
            }
            listed.push(json);
        }
    }
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version(name, version),
        "resources": listed,
    }))
}

/// The aggregated form of `/api` (core) or `/apis` (the rest).
pub(super) fn aggregated(store: &Store, core: bool) -> Value {
    let mut items = Vec::new();
    for (name, versions) in groups(store) {
        if name.is_empty() != core {
            continue;
        }
        let versions: Vec<Value> = versions
            .iter()
            .map(|(version, entries)| {
                let resources: Vec<Value> = entries
                    .iter()
                    .map(|entry| aggregated_entry(&name, version, entry))
                    .collect();
                json!({ "version": version, "freshness": "Current", "resources": resources })
            })
            .collect();
        let metadata = if core {
            json!({ "creationTimestamp": null })
        } else {
            json!({ "name": name, "creationTimestamp": null })
        };
        items.push(json!({ "metadata": metadata, "versions": versions }));
    }
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn aggregated_entry(group: &str, version: &str, entry: &Entry) -> Value {
    let scope = if entry.namespaced {
        "Namespaced"
    } else {
        "Cluster"
    };
    let subresources: Vec<Value> = entry
        .subresources
        .iter()
        .map(|(name, group, version, kind, verbs)| {
            json!({
                "subresource": name,
                "responseKind": { "group": group, "version": version, "kind": kind },
                "verbs": verbs,
            })
        })
        .collect();
    let mut json = json!({
        "resource": entry.plural,
        "responseKind": { "group": group, "version": version, "kind": entry.kind },
        "scope": scope,
        "singularResource": entry.singular,
        "verbs": entry.verbs,
    });
    for (key, list) in [
        ("shortNames", &entry.short_names),
        ("categories", &entry.categories),
    ] {
        if !list.is_empty() {
            json[key] = json!(list);
        }
    }
    if !subresources.is_empty() {
        json["subresources"] = json!(subresources);
    }
    json
}

/// `/version`.
pub(super) fn version(version: &str) -> Value {
    let bare = version.trim_start_matches('v');
    let mut parts = bare.split('.');
    json!({
        "major": parts.next().unwrap_or_default(),
        "minor": parts.next().unwrap_or_default(),
        "gitVersion": format!("v{bare}"),
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.26.0",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

/// `/openapi/v3`: one document a group and version.
pub(super) fn openapi_index(store: &Store) -> Value {
    let mut paths = serde_json::Map::new();
    for (name, versions) in groups(store) {
        for (version, entries) in versions {
            let path = if name.is_empty() {
                format!("api/{version}")
            } else {
                format!("apis/{name}/{version}")
            };
            // Clients cache a document by this hash, so it must follow the content.
            let kinds: Vec<&String> = entries.iter().map(|entry| &entry.kind).collect();
            let hash = super::value::hash(&json!([name, version, kinds]));
            paths.insert(
                path.clone(),
                json!({ "serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}") }),
            );
        }
    }
    json!({ "paths": paths })
}

/// `/openapi/v3/<path>`: a document that names the kinds, their patch operations and, for custom kinds, their
/// schema. Built-in kinds are any object: clients then leave validation to the server.
pub(super) fn openapi(store: &Store, group: &str, version: &str) -> Option<Value> {
    let resources: Vec<Arc<Resource>> = store
        .resources()
        .filter(|resource| resource.group == group && resource.version == version)
        .cloned()
        .collect();
    if resources.is_empty()
        && !REVIEWS
            .iter()
            .any(|review| review.0 == group && review.1 == version)
    {
        return None;
    }
    let root = if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    };
    let (mut paths, mut schemas) = (serde_json::Map::new(), serde_json::Map::new());
    for resource in resources {
        let kind = json!({ "group": group, "version": version, "kind": resource.kind });
        let schema_name = format!(
            "{}.{version}.{}",
            if group.is_empty() { "core" } else { group },
            resource.kind
        );
        let reference = json!({ "$ref": format!("#/components/schemas/{schema_name}") });
        let mut schema = match &resource.schema {
            Some(schema) => (**schema).clone(),
            None => json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true }),
        };
        schema["x-kubernetes-group-version-kind"] = json!([kind]);
        schemas.insert(schema_name, schema);
        let path = if resource.namespaced {
            format!(
                "{root}/namespaces/{{namespace}}/{}/{{name}}",
                resource.plural
            )
        } else {
            format!("{root}/{}/{{name}}", resource.plural)
        };
        let parameter = |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } });
        let response = json!({ "200": { "description": "OK", "content": { "application/json": { "schema": reference } } } });
        paths.insert(
            path,
            json!({
                "get": {
                    "operationId": format!("read{}", resource.kind),
                    "responses": response,
                    "x-kubernetes-action": "get",
                    "x-kubernetes-group-version-kind": kind,
                },
                "patch": {
                    "operationId": format!("patch{}", resource.kind),
                    "parameters": [
                        parameter("dryRun"), parameter("fieldManager"),
                        parameter("fieldValidation"), parameter("force"),
                    ],
                    "requestBody": { "content": {
                        "application/apply-patch+yaml": { "schema": { "type": "object" } },
                        "application/json-patch+json": { "schema": { "type": "object" } },
                        "application/merge-patch+json": { "schema": { "type": "object" } },
                    } },
                    "responses": response,
                    "x-kubernetes-action": "patch",
                    "x-kubernetes-group-version-kind": kind,
                },
            }),
        );
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": paths,
        "components": { "schemas": schemas },
    }))
}

/// `/openapi/v2` in protobuf: version and title, no kinds. Clients then have nothing to validate with.
pub(super) const SWAGGER_PROTOBUF: (&str, &[u8]) = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    b"\x0a\x032.0\x12\x19\x0a\x0aKubernetes\x12\x0bunversioned",
);

/// `/openapi/v2` in JSON: the kinds, without their members.
pub(super) fn swagger(store: &Store) -> Value {
    let mut definitions = serde_json::Map::new();
    for resource in store.resources() {
        let group = if resource.group.is_empty() {
            "core"
        } else {
            &resource.group
        };
        definitions.insert(
            format!("{group}.{}.{}", resource.version, resource.kind),
            json!({
                "type": "object",
                "x-kubernetes-group-version-kind": [{
                    "group": resource.group, "version": resource.version, "kind": resource.kind,
                }],
            }),
        );
    }
    json!({
        "swagger": "2.0",
        "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": {},
        "definitions": definitions,
    })
}
