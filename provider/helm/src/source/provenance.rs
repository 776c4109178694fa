//! Provenance: whether an archive is the one that somebody of a keyring signed, as `helm verify` says.

use std::path::Path;

use serde_json::Value;

use super::sums::sha256;
use crate::openpgp::{self, Certificate, clear_signed, read_keyring};
use crate::yaml;

/// The most bytes of a provenance file.
pub(super) const MAX_PROVENANCE: usize = 4 << 20;

/// Whether signatures are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// They are not.
    #[default]
    Never,
    /// A signature that is there must hold; without one the chart is taken.
    IfPossible,
    /// There must be one, and it must hold.
    Always,
}

/// Public keys that may sign charts.
pub struct Keyring {
    certificates: Vec<Certificate>,
}

/// Who signed what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The names of the key: `Ada <ada@example.com>`.
    pub signed_by: Vec<String>,
    /// The primary key's fingerprint, in capital hexadecimal digits.
    pub fingerprint: String,
    /// The archive's name as it was signed.
    pub file_name: String,
    /// `sha256:` and the archive's digest in hex.
    pub file_hash: String,
    /// Why the signature proves less than it should, though Helm takes it: a hash that collides, a short key.
    pub weakness: Option<String>,
}

/// Why an archive does not count as signed, in Helm's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceError {
    /// The keyring cannot be used.
    #[error("failed to load keyring: {0}")]
    Keyring(String),
    /// The provenance file holds no clear-signed message.
    #[error("signature block not found")]
    NoSignature,
    /// The signature does not hold.
    #[error("{0}")]
    Signature(String),
    /// The signed text is not what Helm signs.
    #[error("{0}")]
    Message(String),
    /// Another file was signed.
    #[error("provenance does not contain a SHA for a file named {0:?}")]
    NoFile(String),
    /// The file was changed after it was signed.
    #[error("sha256 sum does not match for {file}: {signed:?} != {seen:?}")]
    Sum {
        /// The archive.
        file: String,
        /// What was signed.
        signed: String,
        /// What is there.
        seen: String,
    },
    /// Folders have no bytes to sign.
    #[error("unpacked charts cannot be verified")]
    Unpacked,
    /// There is no provenance file.
    #[error("failed to fetch provenance {0:?}")]
    Missing(String),
}

impl Keyring {
    /// Reads what `gpg --export` writes, armoured or not. Keys that cannot be used here are left out.
    ///
    /// # Errors
    ///
    /// Bytes that are no keyring, and one without any usable key.
    pub fn read(bytes: &[u8]) -> Result<Self, ProvenanceError> {
        read_keyring(bytes)
            .map(|certificates| Self { certificates })
            .map_err(|error| ProvenanceError::Keyring(error.to_string()))
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], and what cannot be read at all.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ProvenanceError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| {
            ProvenanceError::Keyring(format!("open {}: {error}", path.display()))
        })?;
        Self::read(&bytes)
    }

    /// Checks that `provenance` signs `archive` under the name `file_name`; `now` decides what has expired.
    ///
    /// # Errors
    ///
    /// [`ProvenanceError`].
    pub fn verify(
        &self,
        archive: &[u8],
        provenance: &[u8],
        file_name: &str,
        now: jiff::Timestamp,
    ) -> Result<Verification, ProvenanceError> {
        let signed = clear_signed(provenance).ok_or(ProvenanceError::NoSignature)?;
        let now = u64::try_from(now.as_second()).unwrap_or(0);
        let (signer, weakness) = openpgp::signer(&self.certificates, &signed, now)
            .map_err(|error| ProvenanceError::Signature(error.to_string()))?;
        let sums = sums(&signed.text)?;
        let seen = format!("sha256:{}", sha256(archive));
        let Some(sum) = sums.get("files").and_then(|files| files.get(file_name)) else {
            return Err(ProvenanceError::NoFile(file_name.to_owned()));
        };
        let sum = sum.as_str().unwrap_or_default();
        if sum != seen {
            return Err(ProvenanceError::Sum {
                file: file_name.to_owned(),
                signed: sum.to_owned(),
                seen,
            });
        }
        Ok(Verification {
            signed_by: signer.names().to_vec(),
            fingerprint: signer.fingerprint(),
            file_name: file_name.to_owned(),
            file_hash: seen,
            weakness,
        })
    }
}

/// The name under which `provenance` speaks of `archive`; nothing is verified.
pub(super) fn signed_name(provenance: &[u8], archive: &[u8]) -> Option<String> {
    let sums = sums(&clear_signed(provenance)?.text).ok()?;
    let seen = format!("sha256:{}", sha256(archive));
    let mut files = sums.get("files")?.as_object()?.iter();
    files
        .find(|(_, sum)| sum.as_str() == Some(&seen))
        .map(|(name, _)| name.clone())
}

/// The second part of the message: sums by file.
fn sums(text: &str) -> Result<Value, ProvenanceError> {
    let part = text.split("\n...\n").nth(1).ok_or_else(|| {
        ProvenanceError::Message("message block must have at least two parts".to_owned())
    })?;
    yaml::decode_one(part.as_bytes()).map_err(|error| ProvenanceError::Message(error.to_string()))
}
