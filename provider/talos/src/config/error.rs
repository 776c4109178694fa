//! Why a text is not a machine configuration.

use thiserror::Error;

use crate::yaml::YamlError;

/// Why a text is not a machine configuration. Content is never repeated: it holds secrets.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Not YAML.
    #[error("the machine configuration is not readable")]
    Yaml(#[from] YamlError),
    /// A document is not a mapping.
    #[error("document {number} of the machine configuration is {kind}, not a mapping")]
    NotAMapping {
        /// Position in the stream, from one.
        number: usize,
        /// What it is.
        kind: &'static str,
    },
    /// Two documents with the same kind and name.
    #[error("the machine configuration holds two documents {identity}")]
    Duplicate {
        /// Kind and name.
        identity: String,
    },
}
