//! The digest of a chart's files.

use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};

use super::File;

/// The SHA-256 of files, made when somebody asks for it: a rendering never does.
#[derive(Clone, Debug, Default)]
pub(super) struct Digest {
    files: Arc<[File]>,
    text: OnceLock<String>,
}

impl Digest {
    pub(super) fn of(files: &[File]) -> Self {
        Self {
            files: files.into(),
            text: OnceLock::new(),
        }
    }

    /// In hex; empty without files.
    pub(super) fn text(&self) -> &str {
        self.text.get_or_init(|| {
            if self.files.is_empty() {
                return String::new();
            }
            let mut sorted: Vec<&File> = self.files.iter().collect();
            sorted.sort_by(|a, b| a.name.cmp(&b.name));
            let mut hash = Sha256::new();
            for file in sorted {
                for part in [file.name.as_bytes(), &file.data] {
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
            }
            hex::encode(hash.finalize())
        })
    }
}
