//! COSI: the resources of a node, made from its state when they are asked for.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto_talos::cosi::resource as cosi;
use tokio::sync::mpsc;
use tonic::Status;

use super::resources::{self, Item};
use super::rpc::{decode, timestamp, unary};
use super::server::{Context, Reply};

type Key = (String, String, String);

/// A resource with its version.
fn wire(context: &Context, item: Item) -> (Key, cosi::Resource) {
    let key = (
        item.namespace.to_owned(),
        item.kind.to_owned(),
        item.id.clone(),
    );
    let mut hasher = DefaultHasher::new();
    (&item.proto, &item.yaml).hash(&mut hasher);
    let hash = hasher.finish();
    let (version, created) = {
        let mut state = context.machine.state();
        let created = state.booted_at;
        let known = state.versions.entry(key.clone()).or_insert((hash, 1));
        if known.0 != hash {
            *known = (hash, known.1 + 1);
        }
        (known.1, created)
    };
    let at = Some(timestamp(created));
    let metadata = cosi::Metadata {
        namespace: key.0.clone(),
        r#type: key.1.clone(),
        id: key.2.clone(),
        version: version.to_string(),
        owner: item.owner.to_owned(),
        phase: "running".into(),
        created: at,
        updated: at,
        finalizers: Vec::new(),
        labels: BTreeMap::new().into_iter().collect(),
        annotations: item.annotations.into_iter().collect(),
    };
    let spec = cosi::Spec {
        proto_spec: item.proto,
        yaml_spec: item.yaml,
    };
    (
        key,
        cosi::Resource {
            metadata: Some(metadata),
            spec: Some(spec),
        },
    )
}

fn check(context: &Context, namespace: &str, kind: &str) -> Result<(), Status> {
    let Some(definition) = resources::definition(kind) else {
        return Err(Status::permission_denied(format!(
            "resource type \"{kind}\" is not supported"
        )));
    };
    if !resources::NAMESPACES.contains(&namespace) {
        return Err(Status::permission_denied(format!(
            "namespace \"{namespace}\" is not supported"
        )));
    }
    if definition.sensitive && !context.is_admin() {
        return Err(Status::permission_denied("not authorized"));
    }
    Ok(())
}

fn find(context: &Context, namespace: &str, kind: &str) -> Vec<(Key, cosi::Resource)> {
    resources::list(context, kind)
        .into_iter()
        .filter(|item| item.namespace == namespace)
        .map(|item| wire(context, item))
        .collect()
}

/// `cosi.resource.State`.
pub fn service(context: &Context, rpc: &str, messages: &[Bytes]) -> Result<Reply, Status> {
    match rpc {
        "Get" => {
            let request: cosi::GetRequest = decode(messages)?;
            check(context, &request.namespace, &request.r#type)?;
            let found = find(context, &request.namespace, &request.r#type)
                .into_iter()
                .find(|(key, _)| key.2 == request.id)
                .ok_or_else(|| {
                    Status::not_found(format!(
                        "resource {}({}/{}) doesn't exist",
                        request.r#type, request.namespace, request.id
                    ))
                })?;
            unary(cosi::GetResponse {
                resource: Some(found.1),
            })
        }
        "List" => {
            let request: cosi::ListRequest = decode(messages)?;
            check(context, &request.namespace, &request.r#type)?;
            let items = find(context, &request.namespace, &request.r#type)
                .into_iter()
                .map(|(_, resource)| cosi::ListResponse {
                    resource: Some(resource),
                })
                .collect();
            super::rpc::stream(items)
        }
        "Watch" => {
            let request: cosi::WatchRequest = decode(messages)?;
            check(context, &request.namespace, &request.r#type)?;
            Ok(watch(context.clone(), request))
        }
        _ => Err(Status::permission_denied("resource state is read-only")),
    }
}

fn event(
    resource: Option<cosi::Resource>,
    old: Option<cosi::Resource>,
    kind: cosi::EventType,
) -> cosi::Event {
    cosi::Event {
        resource,
        event_type: kind.into(),
        old,
        error: None,
        bookmark: None,
    }
}

fn watch(context: Context, request: cosi::WatchRequest) -> Reply {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let world = Arc::clone(&context.world);
        let mut own = context.machine.bell.subscribe();
        let mut all = world.nodes.bell.subscribe();
        let options = request.options.clone().unwrap_or_default();
        let now = || -> BTreeMap<Key, cosi::Resource> {
            find(&context, &request.namespace, &request.r#type)
                .into_iter()
                .filter(|(key, _)| request.id.as_ref().is_none_or(|id| *id == key.2))
                .collect()
        };
        let mut known = now();
        let mut first: Vec<cosi::Event> = Vec::new();
        match &request.id {
            Some(id) if known.is_empty() => {
                let absent = cosi::Resource {
                    metadata: Some(cosi::Metadata {
                        namespace: request.namespace.clone(),
                        r#type: request.r#type.clone(),
                        id: id.clone(),
                        version: "undefined".into(),
                        phase: "tearingDown".into(),
                        ..cosi::Metadata::default()
                    }),
                    spec: None,
                };
                first.push(event(Some(absent), None, cosi::EventType::Destroyed));
            }
            Some(_) => {
                first.extend(
                    known
                        .values()
                        .cloned()
                        .map(|one| event(Some(one), None, cosi::EventType::Created)),
                );
            }
            None if options.bootstrap_contents => {
                first.extend(
                    known
                        .values()
                        .cloned()
                        .map(|one| event(Some(one), None, cosi::EventType::Created)),
                );
                first.push(event(None, None, cosi::EventType::Bootstrapped));
            }
            None => {}
        }
        // An empty answer confirms the subscription.
        let mut batches: Vec<Vec<cosi::Event>> = vec![Vec::new()];
        if options.aggregated {
            batches.push(first);
        } else {
            batches.extend(first.into_iter().map(|event| vec![event]));
        }
        loop {
            for event in batches.drain(..) {
                let message = cosi::WatchResponse { event };
                if sender.send(Ok(message.encode_to_vec())).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = sender.closed() => return,
                _ = own.changed() => {}
                _ = all.changed() => {}
            }
            let next = now();
            for (key, resource) in &next {
                match known.get(key) {
                    None => batches.push(vec![event(
                        Some(resource.clone()),
                        None,
                        cosi::EventType::Created,
                    )]),
                    Some(old) if old != resource => {
                        let change = event(
                            Some(resource.clone()),
                            Some(old.clone()),
                            cosi::EventType::Updated,
                        );
                        batches.push(vec![change]);
                    }
                    Some(_) => {}
                }
            }
            for (key, old) in &known {
                if !next.contains_key(key) {
                    batches.push(vec![event(
                        Some(old.clone()),
                        None,
                        cosi::EventType::Destroyed,
                    )]);
                }
            }
            known = next;
        }
    });
    Reply::Stream(receiver)
}
