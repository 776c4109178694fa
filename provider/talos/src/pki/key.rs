//! Private keys in the two algorithms that Talos and Kubernetes certificates use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use secret::{SecretArray, SecretString};
use zeroize::Zeroizing;

use super::PkiError;
use super::der::{self, oid};

/// A private key. Signatures are deterministic: Ed25519 by nature, ECDSA by RFC 6979.
#[derive(Clone)]
pub enum PrivateKey {
    /// Ed25519: the Talos API.
    Ed25519(Box<ed25519_dalek::SigningKey>),
    /// ECDSA on P-256 with SHA-256: Kubernetes and etcd.
    P256(Box<p256::ecdsa::SigningKey>),
}

impl PrivateKey {
    /// The key of an Ed25519 seed.
    pub(super) fn ed25519(seed: &SecretArray<32>) -> Self {
        Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(
            seed.expose_secret(),
        )))
    }

    /// The key of a P-256 scalar, big-endian.
    pub(super) fn p256(scalar: &SecretArray<32>) -> Option<Self> {
        p256::ecdsa::SigningKey::from_slice(scalar.expose_secret())
            .ok()
            .map(|key| Self::P256(Box::new(key)))
    }

    /// A new random key of the same algorithm.
    pub(super) fn random_like(&self) -> Result<Self, PkiError> {
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            getrandom::fill(bytes.as_mut()).map_err(|error| PkiError::NoRandomness {
                reason: error.to_string(),
            })?;
            let bytes = SecretArray::new(*bytes);
            let key = match self {
                Self::Ed25519(_) => Some(Self::ed25519(&bytes)),
                Self::P256(_) => Self::p256(&bytes),
            };
            if let Some(key) = key {
                secret::register_bytes(bytes.expose_secret());
                return Ok(key);
            }
        }
    }

    /// The public key as the bits of a SubjectPublicKeyInfo.
    pub(super) fn public_bits(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
            Self::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        }
    }

    /// SubjectPublicKeyInfo, DER.
    pub fn public_key_info(&self) -> Vec<u8> {
        let algorithm = match self {
            Self::Ed25519(_) => der::sequence(&[&der::object(oid::ED25519)]),
            Self::P256(_) => der::sequence(&[
                &der::object(oid::EC_PUBLIC_KEY),
                &der::object(oid::PRIME256V1),
            ]),
        };
        der::sequence(&[&algorithm, &der::bits(0, &self.public_bits())])
    }

    /// AlgorithmIdentifier of the signatures of this key, DER.
    pub(super) fn signature_algorithm(&self) -> Vec<u8> {
        let algorithm = match self {
            Self::Ed25519(_) => oid::ED25519,
            Self::P256(_) => oid::ECDSA_SHA256,
        };
        der::sequence(&[&der::object(algorithm)])
    }

    /// A signature as a certificate carries it.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
        }
    }

    /// The form that rustls reads.
    pub fn to_rustls(&self) -> PrivateKeyDer<'static> {
        let der = self.to_der().to_vec();
        match self {
            Self::Ed25519(_) => PrivatePkcs8KeyDer::from(der).into(),
            Self::P256(_) => PrivateSec1KeyDer::from(der).into(),
        }
    }

    /// PEM with the label and body that Talos writes and reads: PKCS#8 version 1 under
    /// `ED25519 PRIVATE KEY`, SEC1 under `EC PRIVATE KEY`. The text enters the scrub registry.
    pub fn to_pem(&self) -> SecretString {
        let label = match self {
            Self::Ed25519(_) => "ED25519 PRIVATE KEY",
            Self::P256(_) => "EC PRIVATE KEY",
        };
        let text = pem(label, &self.to_der());
        secret::register(&text);
        secret::register(&STANDARD.encode(&text));
        SecretString::new(text)
    }

    fn to_der(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Ed25519(key) => der::sequence(&[
                &der::integer(&[0]),
                &der::sequence(&[&der::object(oid::ED25519)]),
                &der::octets(&der::octets(&key.to_bytes())),
            ]),
            Self::P256(key) => der::sequence(&[
                &der::integer(&[1]),
                &der::octets(&key.to_bytes()),
                &der::explicit(0, &der::object(oid::PRIME256V1)),
                &der::explicit(1, &der::bits(0, &self.public_bits())),
            ]),
        })
    }
}

/// PEM (RFC 7468): 64 characters a line, a line feed at the end.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}
