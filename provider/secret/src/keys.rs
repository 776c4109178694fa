//! The user's key, and the key of one cluster.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use product::Birth;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::derive::{self, DERIVATION_VERSION, Identity};
use crate::{KeyError, SecretArray, SecretString};

/// The one key a user holds: exactly 32 random bytes, written as base64 (`MANAGEDK8S_KEY`).
#[derive(Clone)]
pub struct RootKey(SecretArray<32>);

impl RootKey {
    /// A new key from the system's random source.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`] when that source fails.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        fill(&mut bytes)?;
        let key = Self(SecretArray::new(bytes));
        bytes.zeroize();
        key.register();
        Ok(key)
    }

    /// Reads the base64 form, with or without padding, white space around it ignored. The text is
    /// put into the scrub registry at once.
    ///
    /// # Errors
    /// Says what was seen (lengths only) and how a key is made.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bytes = decode(text)?;
        let key = Self(SecretArray::new(*bytes));
        key.register();
        Ok(key)
    }

    /// The base64 form, for the user who keeps it.
    pub fn to_text(&self) -> SecretString {
        SecretString::new(STANDARD.encode(self.0.expose_secret()))
    }

    /// A short public name of the key: two keys with one fingerprint are the same key.
    pub fn fingerprint(&self) -> String {
        fingerprint("root", self.0.expose_secret())
    }

    /// The key of one cluster: HKDF-SHA256 with the birth as salt, and version, tenant and
    /// identifier as info.
    pub fn cluster_key(&self, birth: Birth, identity: &Identity<'_>) -> ClusterKey {
        let key = derive::cluster_key(self.0.expose_secret(), birth.as_bytes(), identity);
        let key = ClusterKey { birth, key };
        key.register();
        key
    }

    fn register(&self) {
        crate::register_bytes(self.0.expose_secret());
    }
}

/// The key of one cluster and one birth, from which every secret of that cluster is derived.
///
/// Its text (`MANAGEDK8S_CLUSTER_KEY`) is `v1.BIRTH.KEY`, the birth in hexadecimal digits and the
/// key as base64; a runner that holds it cannot reach another cluster.
#[derive(Clone)]
pub struct ClusterKey {
    birth: Birth,
    key: SecretArray<32>,
}

impl ClusterKey {
    /// Reads the form that [`Self::to_text`] writes; the key enters the scrub registry at once.
    ///
    /// # Errors
    /// Says what was seen (lengths only) and how a cluster key is made.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        let malformed = || KeyError::NotAClusterKey {
            characters: text.chars().count(),
        };
        let mut parts = text.split('.');
        let (Some(version), Some(birth), Some(key), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        let Some(number) = version.strip_prefix('v') else {
            return Err(malformed());
        };
        if number != DERIVATION_VERSION.to_string() {
            return Err(KeyError::UnknownVersion {
                seen: version.chars().take(8).collect(),
            });
        }
        let birth = Birth::parse(birth).map_err(|_| KeyError::NotABirth {
            characters: birth.chars().count(),
        })?;
        let bytes = decode(key)?;
        let key = Self {
            birth,
            key: SecretArray::new(*bytes),
        };
        key.register();
        Ok(key)
    }

    /// The text form, for the secret store of a runner.
    pub fn to_text(&self) -> SecretString {
        SecretString::new(format!(
            "v{DERIVATION_VERSION}.{}.{}",
            self.birth,
            STANDARD.encode(self.key.expose_secret())
        ))
    }

    /// The only birth this key serves.
    pub const fn birth(&self) -> Birth {
        self.birth
    }

    /// A short public name of the key, the same whether it came from the root key or from its own
    /// text. State keeps it, so that another key is refused before any call.
    pub fn fingerprint(&self) -> String {
        fingerprint("cluster", self.key.expose_secret())
    }

    /// `N` secret bytes for one purpose: HKDF-Expand of this key. A purpose names one secret, for
    /// example `talos/ca/seed`; length and version are part of what is expanded, so that no secret
    /// is the beginning of another. `N` is at most 8160.
    pub fn derive<const N: usize>(&self, purpose: &str) -> SecretArray<N> {
        let secret = derive::expand::<N>(self.key.expose_secret(), purpose, 0);
        crate::register_bytes(secret.expose_secret());
        secret
    }

    /// The seed of an Ed25519 key.
    pub fn ed25519_seed(&self, purpose: &str) -> SecretArray<32> {
        self.derive(purpose)
    }

    /// A P-256 private scalar, big-endian, by rejection sampling: in `1..n` and without bias.
    pub fn p256_scalar(&self, purpose: &str) -> SecretArray<32> {
        let scalar = derive::p256_scalar(|attempt| {
            derive::expand(self.key.expose_secret(), purpose, attempt)
        });
        crate::register_bytes(scalar.expose_secret());
        scalar
    }

    /// `length` characters drawn without bias from `alphabet` (ASCII, 2 to 256 of them), as tokens
    /// need them.
    pub fn text(&self, purpose: &str, alphabet: &'static [u8], length: usize) -> SecretString {
        let text = derive::text(alphabet, length, |block| {
            derive::expand(self.key.expose_secret(), purpose, block)
        });
        crate::register(text.expose_secret());
        text
    }

    fn register(&self) {
        crate::register_bytes(self.key.expose_secret());
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), KeyError> {
    getrandom::fill(bytes).map_err(|error| KeyError::NoRandomness {
        reason: error.to_string(),
    })
}

fn decode(text: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(KeyError::Empty);
    }
    let bytes = STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .map(Zeroizing::new)
        .map_err(|_| KeyError::NotBase64 {
            characters: text.chars().count(),
        })?;
    let key = <[u8; 32]>::try_from(bytes.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| KeyError::WrongLength { bytes: bytes.len() })?;
    if key.iter().all(|byte| *byte == key[0]) {
        return Err(KeyError::NotRandom);
    }
    Ok(key)
}

fn fingerprint(kind: &str, key: &[u8; 32]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"managedk8s fingerprint ");
    hash.update(kind.as_bytes());
    hash.update([0]);
    hash.update(key);
    hex::encode(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests;
