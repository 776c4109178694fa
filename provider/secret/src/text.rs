//! Newtypes for secret values: no `Debug`, no `Display`, no `Serialize`, wiped on drop.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret text. The one way out is [`SecretString::expose_secret`].
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretString(String);

impl SecretString {
    /// Takes over `text`; the caller keeps no copy.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself. Search for this name to find every place where a secret leaves its type.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Secret bytes of any length. The one way out is [`SecretBytes::expose_secret`].
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes over `bytes`; the caller keeps no copy.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The secret itself. Search for this name to find every place where a secret leaves its type.
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }
}

/// Exactly `N` secret bytes. The one way out is [`SecretArray::expose_secret`].
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretArray<const N: usize>([u8; N]);

impl<const N: usize> SecretArray<N> {
    /// Takes over `bytes`; the caller keeps no copy.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The secret itself. Search for this name to find every place where a secret leaves its type.
    pub const fn expose_secret(&self) -> &[u8; N] {
        &self.0
    }
}
