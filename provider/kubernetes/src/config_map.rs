//! ConfigMaps, in which the public inputs of a cluster, a pool or an add-on are kept for import.

use std::collections::BTreeMap;

use helm::{Cluster as _, DeleteOptions, ObjectRef, WriteOptions};
use serde_json::{Value, json};
use transport::CancellationToken;

use crate::{Client, Error, FIELD_MANAGER};

/// A ConfigMap, as far as the product reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMap {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its data.
    pub data: BTreeMap<String, String>,
}

impl Client {
    /// Reads a ConfigMap. `None` only when the server says that it does not exist.
    ///
    /// # Errors
    /// As every read.
    pub async fn config_map(
        &self,
        namespace: &str,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<ConfigMap>, Error> {
        let object = ObjectRef::namespaced("v1", "ConfigMap", namespace, name);
        let value = self.read(&object, cancel).await?;
        Ok(value.map(|value| ConfigMap {
            labels: texts(value.pointer("/metadata/labels")),
            data: texts(value.get("data")),
        }))
    }

    /// Writes a ConfigMap by server-side apply: keys that we wrote before and leave out now are
    /// removed, keys of others stay.
    ///
    /// # Errors
    /// As every write.
    pub async fn write_config_map(
        &self,
        namespace: &str,
        name: &str,
        map: &ConfigMap,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "labels": map.labels},
            "data": map.data,
        });
        let options = WriteOptions {
            field_manager: FIELD_MANAGER.to_owned(),
            force: true,
            ..WriteOptions::default()
        };
        self.apply(&object, &options, cancel).await?;
        Ok(())
    }

    /// Removes a ConfigMap. One that is gone already is success.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_config_map(
        &self,
        namespace: &str,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let object = ObjectRef::namespaced("v1", "ConfigMap", namespace, name);
        self.delete(&object, &DeleteOptions::default(), cancel)
            .await?;
        Ok(())
    }
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let fields = value.and_then(Value::as_object);
    fields
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
