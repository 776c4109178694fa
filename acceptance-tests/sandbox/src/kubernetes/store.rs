//! The objects, their versions, and the log that watches follow.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::registry::{self, Resource};
use super::value::{name, namespace};

/// Namespace (empty for cluster-wide objects) and name.
pub(super) type Key = (String, String);

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One entry of the log.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub version: u64,
    /// Storage key of the resource: `deployments.apps`.
    pub resource: String,
    pub change: Change,
    pub object: Arc<Value>,
    /// The object before, for watches with a selector that it left.
    pub previous: Option<Arc<Value>>,
}

/// How many entries of the log are kept; a watch that is further behind starts again.
const LOG: usize = 20_000;

/// All objects of a cluster.
pub(super) struct Store {
    version: u64,
    objects: BTreeMap<String, BTreeMap<Key, Arc<Value>>>,
    log: VecDeque<Event>,
    built_in: Vec<Arc<Resource>>,
    custom: BTreeMap<String, Vec<Arc<Resource>>>,
    /// Range of Service addresses.
    pub service_range: Option<ipnet::IpNet>,
}

/// Storage key of CustomResourceDefinitions.
pub(super) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

impl Store {
    pub fn new() -> Self {
        Self {
            version: 1,
            objects: BTreeMap::new(),
            log: VecDeque::new(),
            built_in: registry::built_in(),
            custom: BTreeMap::new(),
            service_range: None,
        }
    }

    /// The current time, as objects carry it.
    pub fn now() -> String {
        jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    }

    /// Version of the newest change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All served resources, built-in ones first.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.built_in.iter().chain(self.custom.values().flatten())
    }

    /// The resource at a path.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.resources()
            .find(|resource| {
                resource.group == group && resource.version == version && resource.plural == plural
            })
            .cloned()
    }

    /// Any served version of the resource with that storage key.
    pub fn resource_by_key(&self, key: &str) -> Option<Arc<Resource>> {
        self.resources()
            .find(|resource| resource.key() == key)
            .cloned()
    }

    /// The resource of a kind.
    pub fn resource_of(&self, object: &Value) -> Option<Arc<Resource>> {
        let (api_version, kind) = (
            object["apiVersion"].as_str().unwrap_or_default(),
            object["kind"].as_str().unwrap_or_default(),
        );
        self.resources()
            .find(|resource| resource.kind == kind && resource.api_version() == api_version)
            .cloned()
    }

    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.objects
            .get(resource)?
            .get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Objects of a resource in the order of namespace and name.
    pub fn list<'a>(&'a self, resource: &str) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
        self.objects
            .get(resource)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// Objects of a resource in one namespace.
    pub fn list_in<'a>(
        &'a self,
        resource: &str,
        namespace: &str,
    ) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
        let from = (namespace.to_owned(), String::new());
        let namespace = namespace.to_owned();
        self.objects.get(resource).into_iter().flat_map(move |map| {
            let namespace = namespace.clone();
            map.range(from.clone()..)
                .take_while(move |((seen, _), _)| *seen == namespace)
                .map(|(_, object)| object)
        })
    }

    /// Storage keys that hold objects.
    pub fn keys(&self) -> Vec<String> {
        self.objects
            .iter()
            .filter(|(_, map)| !map.is_empty())
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Stores an object under the next version and tells the watches. An object that did not change keeps its version.
    pub fn put(&mut self, resource: &str, mut object: Value) -> Arc<Value> {
        let key = (namespace(&object).to_owned(), name(&object).to_owned());
        let map = self.objects.entry(resource.to_owned()).or_default();
        let previous = map.get(&key).cloned();
        if let Some(previous) = &previous {
            object["metadata"]["resourceVersion"] = previous["metadata"]["resourceVersion"].clone();
            if object == **previous {
                return previous.clone();
            }
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = Arc::new(object);
        map.insert(key, object.clone());
        let change = if previous.is_some() {
            Change::Modified
        } else {
            Change::Added
        };
        if resource == DEFINITIONS {
            let definition = name(&object).to_owned();
            self.custom.insert(definition, registry::custom(&object));
        }
        self.record(resource, change, object.clone(), previous);
        object
    }

    /// Removes an object and tells the watches.
    pub fn remove(&mut self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = (namespace.to_owned(), name.to_owned());
        let previous = self.objects.get_mut(resource)?.remove(&key)?;
        self.version += 1;
        let mut last = (*previous).clone();
        last["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if resource == DEFINITIONS {
            self.forget_custom(name, &previous);
        }
        self.record(
            resource,
            Change::Deleted,
            Arc::new(last),
            Some(previous.clone()),
        );
        Some(previous)
    }

    /// The objects of a definition go with it.
    fn forget_custom(&mut self, name: &str, definition: &Value) {
        self.custom.remove(name);
        let plural = definition["spec"]["names"]["plural"]
            .as_str()
            .unwrap_or_default();
        let group = definition["spec"]["group"].as_str().unwrap_or_default();
        let resource = super::status::group_resource(group, plural);
        for (_, object) in self.objects.remove(&resource).unwrap_or_default() {
            self.version += 1;
            self.record(&resource, Change::Deleted, object.clone(), Some(object));
        }
    }

    fn record(
        &mut self,
        resource: &str,
        change: Change,
        object: Arc<Value>,
        previous: Option<Arc<Value>>,
    ) {
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(Event {
            version: self.version,
            resource: resource.to_owned(),
            change,
            object,
            previous,
        });
    }

    /// Changes after `version`, or nothing when the log no longer reaches back that far.
    pub fn since(&self, version: u64) -> Option<impl Iterator<Item = &Event>> {
        let oldest = self
            .log
            .front()
            .map_or(self.version + 1, |event| event.version);
        if version + 1 < oldest && version < self.version {
            return None;
        }
        let from = self.log.partition_point(|event| event.version <= version);
        Some(self.log.range(from..))
    }

    /// Objects of a resource as they were at a version, or nothing when the log no longer reaches back that far.
    pub fn list_at(&self, resource: &str, version: u64) -> Option<Vec<Arc<Value>>> {
        let mut objects = self.objects.get(resource).cloned().unwrap_or_default();
        let later: Vec<&Event> = self.since(version)?.collect();
        for event in later.into_iter().rev() {
            if event.resource != resource {
                continue;
            }
            let key = (
                namespace(&event.object).to_owned(),
                name(&event.object).to_owned(),
            );
            match &event.previous {
                Some(previous) => objects.insert(key, Arc::clone(previous)),
                None => objects.remove(&key),
            };
        }
        Some(objects.into_values().collect())
    }

    /// Everything, for `restore`.
    pub fn snapshot(&self) -> Value {
        let mut objects = serde_json::Map::new();
        for (resource, map) in &self.objects {
            let list = map.values().map(|object| (**object).clone()).collect();
            objects.insert(resource.clone(), Value::Array(list));
        }
        json!({ "version": self.version, "objects": objects })
    }

    /// A store with the objects of a snapshot; nothing for anything else.
    pub fn restored(snapshot: &Value) -> Option<Self> {
        let mut store = Self::new();
        store.version = snapshot["version"].as_u64()?;
        for (resource, list) in snapshot["objects"].as_object()? {
            for object in list.as_array()? {
                let key = (namespace(object).to_owned(), name(object).to_owned());
                if resource == DEFINITIONS {
                    store.custom.insert(key.1.clone(), registry::custom(object));
                }
                store
                    .objects
                    .entry(resource.clone())
                    .or_default()
                    .insert(key, Arc::new(object.clone()));
            }
        }
        Some(store)
    }
}
