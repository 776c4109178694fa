//! The arithmetic of signatures.

use aws_lc_rs::signature::{
    self as lc, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use num_bigint::BigUint;
use sha1::Sha1;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

use super::Error;
use super::key::Material;
use super::packet::{Reader, Signature};

const SHA1: u8 = 2;
const SHA256: u8 = 8;
const SHA384: u8 = 9;
const SHA512: u8 = 10;
const SHA224: u8 = 11;
/// Bits below which a modulus is short by today's rules (NIST SP 800-131A).
const SHORT: u64 = 2048;
/// Bits of the largest modulus in use; more would only take time.
const LARGEST: u64 = 8192;

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
        SHA1 => Sha1::digest(&message).to_vec(),
        SHA224 => Sha224::digest(&message).to_vec(),
        SHA256 => Sha256::digest(&message).to_vec(),
        SHA384 => Sha384::digest(&message).to_vec(),
        SHA512 => Sha512::digest(&message).to_vec(),
        // MD5 and RIPEMD-160 among them, which Helm refuses as well.
        other => {
            let text = format!("insecure message hash algorithm: {other}");
            return Err(Error::Wrong(text));
        }
    };
    let mut numbers = Reader(&signature.numbers);
    let (sound, name) = match (key, signature.algorithm) {
        (Material::Rsa { n, e }, 1 | 3) => {
            let number = numbers.mpi()?;
            (rsa(n, e, signature.hash, &message, &digest, &number), "RSA")
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

/// What Helm accepts and should not be relied on.
pub(super) fn weakness(key: &Material, signature: &Signature) -> Option<String> {
    if signature.hash == SHA1 {
        return Some("it signs a SHA-1, of which two texts can have the same".to_owned());
    }
    let bits = match key {
        Material::Rsa { n, .. } => BigUint::from_bytes_be(n).bits(),
        Material::Dsa { p, .. } => BigUint::from_bytes_be(p).bits(),
        _ => return None,
    };
    (bits < SHORT).then(|| format!("its key has {bits} bits, {SHORT} are the least today"))
}

fn rsa(n: &[u8], e: &[u8], hash: u8, message: &[u8], digest: &[u8], number: &[u8]) -> bool {
    let parameters: &RsaParameters = match hash {
        SHA256 => &lc::RSA_PKCS1_2048_8192_SHA256,
        SHA384 => &lc::RSA_PKCS1_2048_8192_SHA384,
        SHA512 => &lc::RSA_PKCS1_2048_8192_SHA512,
        _ => return old_rsa(n, e, hash, digest, number),
    };
    if BigUint::from_bytes_be(n).bits() < SHORT {
        return old_rsa(n, e, hash, digest, number);
    }
    let key = RsaPublicKeyComponents { n, e };
    key.verify(parameters, message, &padded(number, n.len()))
        .is_ok()
}

/// RFC 8017, section 8.2.2, for what the library has no parameters for: the whole encoding is built and compared, so
/// that no padding is parsed.
fn old_rsa(n: &[u8], e: &[u8], hash: u8, digest: &[u8], number: &[u8]) -> bool {
    // DER of DigestInfo up to the digest (section 9.2, note 1).
    let (oid, length): (&[u8], u8) = match hash {
        SHA1 => (&[0x2b, 0x0e, 0x03, 0x02, 0x1a], 20),
        SHA224 => (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04], 28),
        SHA256 => (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01], 32),
        SHA384 => (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02], 48),
        SHA512 => (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03], 64),
        _ => return false,
    };
    let algorithm = oid.len() as u8 + 4;
    let mut info = vec![0x30, algorithm + length + 4, 0x30, algorithm, 0x06];
    info.push(oid.len() as u8);
    info.extend(oid);
    info.extend([0x05, 0x00, 0x04, length]);
    info.extend(digest);
    let modulus = BigUint::from_bytes_be(n);
    let size = usize::try_from(modulus.bits().div_ceil(8)).unwrap_or(0);
    let power = BigUint::from_bytes_be(number);
    if modulus.bits() > LARGEST || power >= modulus || size < info.len() + 11 {
        return false;
    }
    let mut expected = vec![0xff; size];
    (expected[0], expected[1]) = (0, 1);
    let start = size - info.len();
    expected[start - 1] = 0;
    expected[start..].copy_from_slice(&info);
    power.modpow(&BigUint::from_bytes_be(e), &modulus) == BigUint::from_bytes_be(&expected)
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
