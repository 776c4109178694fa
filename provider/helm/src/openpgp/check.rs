//! The arithmetic of signatures.

use aws_lc_rs::signature::{
    self as lc, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use num_bigint::BigUint;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::Error;
use super::key::Material;
use super::packet::{Reader, Signature};

const SHA256: u8 = 8;
const SHA384: u8 = 9;
const SHA512: u8 = 10;

/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 1.3.132.0.35
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

/// Checks a signature over `data`.
pub(super) fn verify(key: &Material, signature: &Signature, data: &[u8]) -> Result<(), Error> {
    let message = [data, &signature.trailer].concat();
    let digest = match signature.hash {
        SHA256 => Sha256::digest(&message).to_vec(),
        SHA384 => Sha384::digest(&message).to_vec(),
        SHA512 => Sha512::digest(&message).to_vec(),
        // Those that collide among them: nothing signed with them proves anything.
        other => {
            let text = format!("insecure message hash algorithm: {other}");
            return Err(Error::Wrong(text));
        }
    };
    let mut numbers = Reader(&signature.numbers);
    let (sound, name) = match (key, signature.algorithm) {
        (Material::Rsa { n, e }, 1 | 3) => {
            let number = numbers.mpi()?;
            (rsa(n, e, signature.hash, &message, &number), "RSA")
        }
        (Material::Ed25519(point), 22) => {
            let (r, s) = (numbers.mpi()?, numbers.mpi()?);
            let both = [padded(&r, 32), padded(&s, 32)].concat();
            (ed25519(point, &digest, &both), "EdDSA")
        }
        (Material::Ed25519(point), 27) => (ed25519(point, &digest, numbers.take(64)?), "Ed25519"),
        (Material::Ecdsa { curve, point }, 19) => {
            let (r, s) = (numbers.mpi()?, numbers.mpi()?);
            (
                ecdsa(curve, point, signature.hash, &message, &r, &s)?,
                "ECDSA",
            )
        }
        (Material::Dsa { p, q, g, y }, 17) => {
            let (r, s) = (numbers.mpi()?, numbers.mpi()?);
            (dsa([p, q, g, y], &digest, [&r, &s]), "DSA")
        }
        (_, algorithm) => {
            let text = format!("public key algorithm {algorithm}");
            return Err(Error::Unsupported(text));
        }
    };
    if sound {
        Ok(())
    } else {
        Err(Error::Wrong(format!("{name} verification failure")))
    }
}

fn padded(number: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.saturating_sub(number.len())];
    bytes.extend(number);
    bytes
}

fn rsa(n: &[u8], e: &[u8], hash: u8, message: &[u8], number: &[u8]) -> bool {
    let parameters: &RsaParameters = match hash {
        SHA256 => &lc::RSA_PKCS1_2048_8192_SHA256,
        SHA384 => &lc::RSA_PKCS1_2048_8192_SHA384,
        _ => &lc::RSA_PKCS1_2048_8192_SHA512,
    };
    let key = RsaPublicKeyComponents { n, e };
    key.verify(parameters, message, &padded(number, n.len()))
        .is_ok()
}

/// EdDSA signs the hash here, not the message.
fn ed25519(point: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&lc::ED25519, point)
        .verify(digest, signature)
        .is_ok()
}

fn ecdsa(
    curve: &[u8],
    point: &[u8],
    hash: u8,
    message: &[u8],
    r: &[u8],
    s: &[u8],
) -> Result<bool, Error> {
    let algorithm: &'static dyn VerificationAlgorithm = match (curve, hash) {
        (P256, SHA256) => &lc::ECDSA_P256_SHA256_ASN1,
        (P256, SHA384) => &lc::ECDSA_P256_SHA384_ASN1,
        (P256, SHA512) => &lc::ECDSA_P256_SHA512_ASN1,
        (P384, SHA256) => &lc::ECDSA_P384_SHA256_ASN1,
        (P384, SHA384) => &lc::ECDSA_P384_SHA384_ASN1,
        (P384, SHA512) => &lc::ECDSA_P384_SHA512_ASN1,
        (P521, SHA256) => &lc::ECDSA_P521_SHA256_ASN1,
        (P521, SHA384) => &lc::ECDSA_P521_SHA384_ASN1,
        (P521, SHA512) => &lc::ECDSA_P521_SHA512_ASN1,
        _ => return Err(Error::Unsupported("this curve".to_owned())),
    };
    let mut pair = integer(r);
    pair.extend(integer(s));
    let mut der = vec![0x30];
    if pair.len() >= 128 {
        der.push(0x81);
    }
    der.push(pair.len() as u8);
    der.extend(pair);
    Ok(UnparsedPublicKey::new(algorithm, point)
        .verify(message, &der)
        .is_ok())
}

/// An INTEGER of ASN.1; numbers here are shorter than 127 bytes.
fn integer(number: &[u8]) -> Vec<u8> {
    let sign = number.first().is_none_or(|first| first & 0x80 != 0);
    let mut der = vec![2, (number.len() + usize::from(sign)) as u8];
    if sign {
        der.push(0);
    }
    der.extend(number);
    der
}

/// FIPS 186-4, section 4.7.
fn dsa([p, q, g, y]: [&[u8]; 4], digest: &[u8], pair: [&[u8]; 2]) -> bool {
    /// Bits of the largest modulus in use; more would only take time.
    const LARGEST: u64 = 4096;
    let number = BigUint::from_bytes_be;
    let (modulus, order) = (number(p), number(q));
    let pair = (number(pair[0]), number(pair[1]));
    let zero = BigUint::default();
    let inside = |part: &BigUint| *part > zero && *part < order;
    if modulus.bits() > LARGEST || modulus <= order || !inside(&pair.0) || !inside(&pair.1) {
        return false;
    }
    let Some(inverse) = pair.1.modinv(&order) else {
        return false;
    };
    let mut hash = number(digest);
    let bits = (digest.len() * 8) as u64;
    if bits > order.bits() {
        hash >>= bits - order.bits();
    }
    let power = |base: &[u8], factor: &BigUint| {
        let exponent = (factor * &inverse) % &order;
        number(base).modpow(&exponent, &modulus)
    };
    (power(g, &hash) * power(y, &pair.0)) % &modulus % &order == pair.0
}
