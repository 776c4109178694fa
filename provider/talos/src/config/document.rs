//! A machine configuration as a stream of documents.

use std::collections::BTreeSet;
use std::fmt;

use secret::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ConfigError, Patch, merge};
use crate::yaml::{self, Map, Yaml};

/// What a document is: two documents with one identity are the same document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    /// Empty for the main document, `version: v1alpha1`.
    pub kind: String,
    /// Empty for kinds of which there is one.
    pub name: String,
}

impl Identity {
    pub(super) fn of(document: &Map) -> Self {
        Self {
            kind: document.text("kind").unwrap_or_default().to_owned(),
            name: document.text("name").unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind.as_str(), self.name.as_str()) {
            ("", _) => f.write_str("v1alpha1"),
            (kind, "") => f.write_str(kind),
            (kind, name) => write!(f, "{kind}/{name}"),
        }
    }
}

/// A machine configuration: the main document and those beside it, in order. It holds every
/// secret of the cluster, so it has no `Debug`; its text comes as a [`SecretString`].
#[derive(Clone, PartialEq, Eq)]
pub struct MachineConfig {
    pub(super) documents: Vec<Map>,
}

/// The SHA-256 of a rendered configuration, in hexadecimal digits. State keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConfigHash(String);

impl ConfigHash {
    /// The hash of a text as a node holds it.
    pub fn of(text: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(text)))
    }

    /// 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A configuration as it is sent to a node.
#[derive(Clone)]
pub struct RenderedConfig {
    /// The text, byte for byte what the node will give back.
    pub text: SecretString,
    /// Its hash.
    pub hash: ConfigHash,
}

impl MachineConfig {
    /// Reads a configuration, for example one that a node holds.
    ///
    /// # Errors
    /// [`ConfigError`] when it is no YAML stream of mappings with one document each.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut documents = Vec::new();
        for (position, document) in yaml::parse(text)?.into_iter().enumerate() {
            match document {
                Yaml::Map(map) => documents.push(map),
                other => {
                    return Err(ConfigError::NotAMapping {
                        number: position + 1,
                        kind: other.kind(),
                    });
                }
            }
        }
        let mut seen = BTreeSet::new();
        for document in &documents {
            let identity = Identity::of(document);
            let text = identity.to_string();
            if !seen.insert(identity) {
                return Err(ConfigError::Duplicate { identity: text });
            }
        }
        Ok(Self { documents })
    }

    /// This configuration with patches merged on top, in order.
    pub fn patched<'a>(mut self, patches: impl IntoIterator<Item = &'a Patch>) -> Self {
        for patch in patches {
            merge::apply(&mut self.documents, &patch.documents);
        }
        self
    }

    /// The text and its hash.
    pub fn render(&self) -> RenderedConfig {
        let mut text = String::new();
        for (position, document) in self.documents.iter().enumerate() {
            if position > 0 {
                text.push_str("---\n");
            }
            text.push_str(&yaml::to_text(&Yaml::Map(document.clone())));
        }
        RenderedConfig {
            hash: ConfigHash::of(text.as_bytes()),
            text: SecretString::new(text),
        }
    }

    /// The main document.
    pub(super) fn main(&self) -> Option<&Map> {
        self.documents
            .iter()
            .find(|document| document.get("kind").is_none())
    }

    /// The image of a component: `machine.kubelet.image` and its like, when present.
    pub fn image(&self, path: &[&str]) -> Option<&str> {
        let (first, rest) = path.split_first()?;
        self.main()?.get(first)?.text_at(rest)
    }
}
