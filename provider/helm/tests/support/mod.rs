//! A cluster in memory: just enough of an API server to hold releases against their rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use helm::{
    ApiResource, Cluster, ClusterError, DeleteOptions, Deleted, Discovery, FieldConflict,
    ListQuery, LogQuery, ObjectRef, Patch, ServerVersion, WriteOptions,
};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

/// What makes a write fail once, and how.
pub struct Fault {
    /// The verb: `apply`, `create`, `replace`, `delete`.
    pub verb: &'static str,
    /// The object's kind.
    pub kind: &'static str,
    /// Whether the write is done all the same.
    pub done: bool,
    /// Makes the error.
    pub error: fn(&ObjectRef) -> ClusterError,
}

#[derive(Default)]
struct World {
    objects: BTreeMap<ObjectRef, Value>,
    calls: Vec<String>,
    faults: Vec<Fault>,
    logs: BTreeMap<String, String>,
    uid: u64,
}

/// The cluster.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<World>>);

impl Memory {
    fn world<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes one write fail.
    pub fn fault(&self, fault: Fault) {
        self.world(|world| world.faults.push(fault));
    }

    /// The names of all objects of a kind.
    pub fn names(&self, kind: &str) -> Vec<String> {
        self.world(|world| {
            let of_kind = world.objects.keys().filter(|object| object.kind == kind);
            of_kind.map(|object| object.name.clone()).collect()
        })
    }

    /// One object.
    pub fn object(&self, kind: &str, name: &str) -> Option<Value> {
        self.world(|world| {
            let mut all = world.objects.iter();
            all.find(|(object, _)| object.kind == kind && object.name == name)
                .map(|(_, value)| value.clone())
        })
    }

    /// Changes one object behind everybody's back.
    pub fn edit(&self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        self.world(|world| {
            let mut all = world.objects.iter_mut();
            if let Some((_, value)) = all.find(|(o, _)| o.kind == kind && o.name == name) {
                change(value);
            }
        });
    }

    /// Takes one object away.
    pub fn remove(&self, kind: &str, name: &str) {
        self.world(|world| {
            world
                .objects
                .retain(|o, _| o.kind != kind || o.name != name);
        });
    }

    /// Puts an object there.
    pub fn put(&self, object: Value) {
        let reference = ObjectRef::of(&object).expect("tests put whole objects");
        self.world(|world| world.objects.insert(reference, object));
    }

    /// What a container prints, by `pod/container`.
    pub fn print(&self, container: &str, text: &str) {
        self.world(|world| world.logs.insert(container.to_owned(), text.to_owned()));
    }

    /// The writes so far, as `verb Kind name`, records left out.
    pub fn writes(&self) -> Vec<String> {
        self.world(|world| {
            let calls = std::mem::take(&mut world.calls);
            calls
                .into_iter()
                .filter(|call| !call.contains("sh.helm.release"))
                .collect()
        })
    }

    fn write(
        &self,
        verb: &'static str,
        reference: &ObjectRef,
        work: impl FnOnce(&mut World) -> Result<Value, ClusterError>,
    ) -> Result<Value, ClusterError> {
        self.world(|world| {
            world
                .calls
                .push(format!("{verb} {} {}", reference.kind, reference.name));
            let fault = world
                .faults
                .iter()
                .position(|fault| fault.verb == verb && fault.kind == reference.kind);
            if let Some(index) = fault {
                let fault = world.faults.remove(index);
                if fault.done {
                    work(world)?;
                }
                return Err((fault.error)(reference));
            }
            work(world)
        })
    }
}

fn reference(object: &Value) -> ObjectRef {
    ObjectRef::of(object).expect("releases write whole objects")
}

/// What controllers would make of an object.
fn settle(world: &mut World, object: &mut Value) {
    world.uid += 1;
    object["metadata"]["uid"] = json!(format!("uid-{}", world.uid));
    match object["kind"].as_str() {
        Some("Job") => {
            let failed = object["metadata"]["name"] == "fails";
            let condition = if failed { "Failed" } else { "Complete" };
            object["status"] = json!({"startTime": "x",
                "conditions": [{"type": condition, "status": "True", "reason": "Test"}]});
        }
        Some("Deployment") if object["metadata"]["name"] == "refused" => {
            object["status"] = json!({"conditions": [{"type": "ReplicaFailure", "status": "True",
                "message": "it violates PodSecurity"}]});
        }
        Some("CustomResourceDefinition") => {
            object["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
        }
        _ => {}
    }
}

#[async_trait]
impl Cluster for Memory {
    async fn version(&self, _: &CancellationToken) -> Result<ServerVersion, ClusterError> {
        Ok(ServerVersion {
            git_version: "v1.36.2".into(),
            major: "1".into(),
            minor: "36".into(),
        })
    }

    async fn discovery(&self, _: &CancellationToken) -> Result<Arc<Discovery>, ClusterError> {
        let resource = |group: &str, kind: &str, namespaced| ApiResource {
            group: group.into(),
            version: "v1".into(),
            kind: kind.into(),
            plural: format!("{}s", kind.to_lowercase()),
            namespaced,
            verbs: BTreeSet::new(),
        };
        let mut resources = vec![
            resource("", "ConfigMap", true),
            resource("", "Secret", true),
            resource("", "Service", true),
            resource("", "Pod", true),
            resource("", "Namespace", false),
            resource("apps", "Deployment", true),
            resource("batch", "Job", true),
            resource("apiextensions.k8s.io", "CustomResourceDefinition", false),
        ];
        self.world(|world| {
            for crd in world
                .objects
                .values()
                .filter(|o| o["kind"] == "CustomResourceDefinition")
            {
                let text = |path: &str| {
                    crd.pointer(path)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                };
                let namespaced = text("/spec/scope") == "Namespaced";
                resources.push(resource(
                    text("/spec/group"),
                    text("/spec/names/kind"),
                    namespaced,
                ));
            }
        });
        Ok(Arc::new(Discovery { resources }))
    }

    async fn forget_discovery(&self) {}

    async fn get(
        &self,
        object: &ObjectRef,
        _: &CancellationToken,
    ) -> Result<Option<Value>, ClusterError> {
        Ok(self.world(|world| world.objects.get(object).cloned()))
    }

    async fn list(
        &self,
        query: &ListQuery,
        _: &CancellationToken,
    ) -> Result<Vec<Value>, ClusterError> {
        let wanted: Vec<(&str, &str)> = query
            .labels
            .split(',')
            .filter_map(|label| label.split_once('='))
            .collect();
        Ok(self.world(|world| {
            let fits = |object: &&Value| {
                wanted
                    .iter()
                    .all(|(key, value)| object["metadata"]["labels"][key] == *value)
            };
            let of_kind = world.objects.iter().filter(|(reference, _)| {
                reference.kind == query.kind
                    && (query.namespace.is_none() || reference.namespace == query.namespace)
            });
            of_kind
                .map(|(_, object)| object)
                .filter(fits)
                .cloned()
                .collect()
        }))
    }

    async fn apply(
        &self,
        object: &Value,
        options: &WriteOptions,
        _: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        let reference = reference(object);
        let verb = if options.dry_run { "dry-run" } else { "apply" };
        self.write(verb, &reference, |world| {
            if let Some(live) = world.objects.get(&reference) {
                let owned = live["metadata"]["managedFields"].is_array();
                let wanted = object["spec"].get("replicas");
                let differs = wanted.is_some_and(|wanted| live["spec"]["replicas"] != *wanted);
                if owned && !options.force && differs {
                    return Err(ClusterError::Conflict {
                        object: Box::new(reference.clone()),
                        fields: vec![FieldConflict {
                            field: ".spec.replicas".into(),
                            manager: "kubectl-edit".into(),
                        }],
                    });
                }
            }
            let mut stored = object.clone();
            settle(world, &mut stored);
            if !options.dry_run {
                world.objects.insert(reference.clone(), stored.clone());
            }
            Ok(stored)
        })
    }

    async fn create(
        &self,
        object: &Value,
        _: &WriteOptions,
        _: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        let reference = reference(object);
        self.write("create", &reference, |world| {
            if world.objects.contains_key(&reference) {
                return Err(ClusterError::AlreadyExists {
                    object: Box::new(reference.clone()),
                });
            }
            let mut stored = object.clone();
            settle(world, &mut stored);
            world.objects.insert(reference.clone(), stored.clone());
            Ok(stored)
        })
    }

    async fn replace(
        &self,
        object: &Value,
        _: &WriteOptions,
        _: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        let reference = reference(object);
        self.write("replace", &reference, |world| {
            if !world.objects.contains_key(&reference) {
                return Err(ClusterError::NotFound {
                    object: Box::new(reference.clone()),
                });
            }
            world.objects.insert(reference.clone(), object.clone());
            Ok(object.clone())
        })
    }

    async fn patch(
        &self,
        object: &ObjectRef,
        patch: &Patch,
        _: &WriteOptions,
        _: &CancellationToken,
    ) -> Result<Value, ClusterError> {
        self.write("patch", object, |world| {
            let Some(live) = world.objects.get_mut(object) else {
                return Err(ClusterError::NotFound {
                    object: Box::new(object.clone()),
                });
            };
            if let Patch::Merge(patch) = patch {
                merge(live, patch);
            }
            Ok(live.clone())
        })
    }

    async fn logs(
        &self,
        query: &LogQuery,
        _: &CancellationToken,
    ) -> Result<Option<String>, ClusterError> {
        let container = format!("{}/{}", query.pod, query.container);
        Ok(self.world(|world| world.logs.get(&container).cloned()))
    }

    async fn delete(
        &self,
        object: &ObjectRef,
        _: &DeleteOptions,
        _: &CancellationToken,
    ) -> Result<Deleted, ClusterError> {
        let mut answer = Deleted::Absent;
        self.write("delete", object, |world| {
            if world.objects.remove(object).is_some() {
                answer = Deleted::Accepted;
            }
            Ok(Value::Null)
        })?;
        Ok(answer)
    }
}

fn merge(live: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *live = patch.clone();
        return;
    };
    if !live.is_object() {
        *live = Value::Object(Map::new());
    }
    for (key, value) in patch {
        merge(&mut live[key], value);
    }
}
