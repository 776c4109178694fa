//! Private data: what the provider keeps beside the state, unseen by users.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Private data of one object: JSON values under keys, stored in state (unencrypted) and never
/// shown.
///
/// Treat it as a cache: terraform loses it when the provider dies in an update. Keep it under a
/// few KiB and put no secret into it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Private(BTreeMap<String, serde_json::Value>);

/// The stored form; the version allows another one later.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    values: BTreeMap<String, serde_json::Value>,
}

const VERSION: u8 = 1;

impl Private {
    /// The value under a key; `None` if it is absent or of another shape.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_value(self.0.get(key)?.clone()).ok()
    }

    /// Stores a value under a key. A value that JSON cannot express removes the key.
    pub fn set<T: Serialize>(&mut self, key: impl Into<String>, value: &T) {
        let key = key.into();
        match serde_json::to_value(value) {
            Ok(value) => self.0.insert(key, value),
            Err(_) => self.0.remove(&key),
        };
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the stored form. Bytes of another origin read as empty: private data is a cache.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        match serde_json::from_slice::<Stored>(bytes) {
            Ok(stored) if stored.version == VERSION => Self(stored.values),
            Ok(stored) => {
                tracing::warn!(
                    version = stored.version,
                    "private data of another version ignored"
                );
                Self::default()
            }
            Err(_) => {
                tracing::warn!("private data of another origin ignored");
                Self::default()
            }
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let stored = Stored {
            version: VERSION,
            values: self.0.clone(),
        };
        serde_json::to_vec(&stored).expect("JSON values under text keys are JSON")
    }
}
