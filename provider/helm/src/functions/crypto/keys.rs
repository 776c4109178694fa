//! Private keys in the forms that Go writes and reads.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use ed25519_dalek::Signer as _;

use super::der::{self, OCTET_STRING, OID, SEQUENCE, bits, element, expect, sequence};
use crate::functions::random;
use crate::template::Run;

/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.113549.1.1.11
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
/// 1.2.840.10045.2.1
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.2.840.10045.4.3.2
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const NULL: &[u8] = &[5, 0];

/// A private key.
pub(super) enum Key {
    /// With the PKCS#1 form.
    Rsa(Box<RsaKeyPair>, Vec<u8>),
    P256(p256::ecdsa::SigningKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl Key {
    pub(super) fn rsa(run: &Run<'_>, size: usize) -> Result<Self, String> {
        run.env.touch(|volatile| volatile.entropy = true);
        let pkcs8 = run
            .env
            .entropy
            .rsa_key(size)
            .ok_or_else(|| "error generating rsa key: no randomness".to_owned())?;
        Self::from_pkcs8(&pkcs8)
    }

    pub(super) fn p256(run: &Run<'_>) -> Self {
        loop {
            // All but one in 2^32 candidates are below the order of the curve.
            if let Ok(key) = p256::ecdsa::SigningKey::from_slice(&random::bytes(run, 32)) {
                return Self::P256(key);
            }
        }
    }

    pub(super) fn ed25519(run: &Run<'_>) -> Self {
        let mut seed = [0; 32];
        random::fill(run, &mut seed);
        Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    fn from_pkcs1(pkcs1: &[u8]) -> Result<Self, String> {
        let key = RsaKeyPair::from_der(pkcs1)
            .map_err(|_| "parsing RSA private key from PEM: x509: malformed key".to_owned())?;
        Ok(Self::Rsa(Box::new(key), pkcs1.to_vec()))
    }

    fn from_sec1(sec1: &[u8]) -> Result<Self, String> {
        let wrong = || "parsing EC private key from PEM: x509: malformed or unknown key".to_owned();
        let (content, _) = expect(sec1, SEQUENCE).ok_or_else(wrong)?;
        let (_, _, rest) = der::read(content).ok_or_else(wrong)?;
        let (scalar, _) = expect(rest, OCTET_STRING).ok_or_else(wrong)?;
        let key = p256::ecdsa::SigningKey::from_slice(scalar).map_err(|_| wrong())?;
        Ok(Self::P256(key))
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, String> {
        let wrong = || "decoding PEM as PKCS#8: x509: malformed key".to_owned();
        let (content, _) = expect(pkcs8, SEQUENCE).ok_or_else(wrong)?;
        let (_, _, rest) = der::read(content).ok_or_else(wrong)?;
        let (algorithm, rest) = expect(rest, SEQUENCE).ok_or_else(wrong)?;
        let (oid, _) = expect(algorithm, OID).ok_or_else(wrong)?;
        let (inner, _) = expect(rest, OCTET_STRING).ok_or_else(wrong)?;
        match oid {
            RSA => Self::from_pkcs1(inner),
            EC => Self::from_sec1(inner),
            ED25519 => {
                let (seed, _) = expect(inner, OCTET_STRING).ok_or_else(wrong)?;
                let seed: [u8; 32] = seed.try_into().map_err(|_| wrong())?;
                Ok(Self::Ed25519(Box::new(
                    ed25519_dalek::SigningKey::from_bytes(&seed),
                )))
            }
            _ => Err(wrong()),
        }
    }

    pub(super) fn from_pem(text: &str) -> Result<Self, String> {
        let (label, content) =
            der::decode_pem(text).ok_or_else(|| "no PEM data in input".to_owned())?;
        match label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&content),
            "RSA PRIVATE KEY" => Self::from_pkcs1(&content),
            "EC PRIVATE KEY" => Self::from_sec1(&content),
            other => match other.strip_suffix(" PRIVATE KEY") {
                Some(kind) => Err(format!("invalid private key type {kind}")),
                None => Err(format!("no private key data in PEM block of type {other}")),
            },
        }
    }

    pub(super) fn pem(&self) -> String {
        match self {
            Self::Rsa(_, pkcs1) => der::pem("RSA PRIVATE KEY", pkcs1),
            Self::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let sec1 = sequence(&[
                    &element(der::INTEGER, &[1]),
                    &element(OCTET_STRING, &key.to_bytes()),
                    &element(0xa0, &element(OID, P256)),
                    &element(0xa1, &bits(point.as_bytes())),
                ]);
                der::pem("EC PRIVATE KEY", &sec1)
            }
            Self::Ed25519(key) => {
                let pkcs8 = sequence(&[
                    &element(der::INTEGER, &[0]),
                    &sequence(&[&element(OID, ED25519)]),
                    &element(OCTET_STRING, &element(OCTET_STRING, key.as_bytes())),
                ]);
                der::pem("PRIVATE KEY", &pkcs8)
            }
        }
    }

    /// The public key's bytes, without the algorithm.
    pub(super) fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key, _) => key.public_key().as_ref().to_vec(),
            Self::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
        }
    }

    /// SubjectPublicKeyInfo.
    pub(super) fn public_info(&self) -> Vec<u8> {
        let algorithm = match self {
            Self::Rsa(..) => sequence(&[&element(OID, RSA), NULL]),
            Self::P256(_) => sequence(&[&element(OID, EC), &element(OID, P256)]),
            Self::Ed25519(_) => sequence(&[&element(OID, ED25519)]),
        };
        sequence(&[&algorithm, &bits(&self.public_bytes())])
    }

    /// The identifier of the signatures it makes.
    pub(super) fn signature_algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(..) => sequence(&[&element(OID, RSA_SHA256), NULL]),
            Self::P256(_) => sequence(&[&element(OID, ECDSA_SHA256)]),
            Self::Ed25519(_) => sequence(&[&element(OID, ED25519)]),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Rsa(key, _) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )
                .map_err(|_| "cannot sign".to_owned())?;
                Ok(signature)
            }
            Self::P256(key) => {
                use p256::ecdsa::signature::Signer as _;
                let signature: p256::ecdsa::Signature =
                    key.try_sign(message).map_err(|error| error.to_string())?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
        }
    }
}
