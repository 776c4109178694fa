//! Derivation version 1. Committed test vectors pin every byte: a change here is a new version.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{SecretArray, SecretString};

/// The version of the derivation, stored beside what was derived.
pub const DERIVATION_VERSION: u8 = 1;

/// First bytes of every info, so that the key is of no use to another program's derivation.
const DOMAIN: &[u8] = b"managedk8s";

/// The order of the P-256 group, big-endian (SEC 2, section 2.4.2).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Whose cluster a key is for, beside the birth. Both are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The tenant's identifier, as the API names it.
    pub tenant: &'a str,
    /// The cluster's identifier in that tenant.
    pub identifier: &'a str,
}

/// `domain ++ 00 ++ version ++ "cluster" ++ len(tenant) ++ tenant ++ len(identifier) ++ identifier`,
/// lengths as 16-bit big-endian: no two pairs share an info.
fn cluster_info(identity: &Identity<'_>) -> Vec<u8> {
    let mut info = head(b"cluster");
    for part in [identity.tenant, identity.identifier] {
        info.extend_from_slice(&length(part.len()));
        info.extend_from_slice(part.as_bytes());
    }
    info
}

pub(crate) fn cluster_key(
    root: &[u8; 32],
    birth: &[u8; 16],
    identity: &Identity<'_>,
) -> SecretArray<32> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(birth), root)
        .expand(&cluster_info(identity), key.as_mut())
        .expect("32 bytes are within the limit of HKDF-SHA256");
    SecretArray::new(*key)
}

/// HKDF-Expand of `key` with
/// `domain ++ 00 ++ version ++ "secret" ++ len(purpose) ++ purpose ++ N ++ attempt`.
pub(crate) fn expand<const N: usize>(
    key: &[u8; 32],
    purpose: &str,
    attempt: u16,
) -> SecretArray<N> {
    const { assert!(N > 0 && N <= 255 * 32, "HKDF-SHA256 gives 1 to 8160 bytes") };
    let mut info = head(b"secret");
    info.extend_from_slice(&length(purpose.len()));
    info.extend_from_slice(purpose.as_bytes());
    info.extend_from_slice(&length(N));
    info.extend_from_slice(&attempt.to_be_bytes());
    let mut secret = Zeroizing::new([0; N]);
    Hkdf::<Sha256>::from_prk(key)
        .expect("32 bytes are a pseudorandom key of HKDF-SHA256")
        .expand(&info, secret.as_mut())
        .expect("N is checked when the program is compiled");
    SecretArray::new(*secret)
}

/// The first candidate in `1..n`. A candidate is refused once in about 2^32 times.
pub(crate) fn p256_scalar(candidate: impl Fn(u16) -> SecretArray<32>) -> SecretArray<32> {
    (0..=u16::MAX)
        .map(candidate)
        .find(|candidate| {
            let candidate = candidate.expose_secret();
            *candidate < P256_ORDER && *candidate != [0; 32]
        })
        .expect("65536 candidates in a row outside the group's order do not happen")
}

/// Characters of `alphabet`, each from one byte; bytes beyond the largest multiple of the
/// alphabet's length are left out, so that every character is equally likely.
pub(crate) fn text(
    alphabet: &[u8],
    length: usize,
    block: impl Fn(u16) -> SecretArray<64>,
) -> SecretString {
    assert!(
        (2..=256).contains(&alphabet.len()) && alphabet.is_ascii(),
        "an alphabet is 2 to 256 ASCII characters"
    );
    let limit = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    for number in 0..=u16::MAX {
        let bytes = block(number);
        for byte in bytes.expose_secret() {
            if text.len() == length {
                return SecretString::new(text);
            }
            if usize::from(*byte) < limit {
                text.push(char::from(alphabet[usize::from(*byte) % alphabet.len()]));
            }
        }
    }
    SecretString::new(text)
}

fn head(kind: &[u8]) -> Vec<u8> {
    let mut info = DOMAIN.to_vec();
    info.push(0);
    info.push(DERIVATION_VERSION);
    info.extend_from_slice(kind);
    info
}

fn length(length: usize) -> [u8; 2] {
    u16::try_from(length)
        .expect("names and purposes are far shorter than 65536 bytes")
        .to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_outside_the_group_are_refused() {
        let mut below = P256_ORDER;
        below[31] -= 1;
        let candidates = [[0xff; 32], P256_ORDER, [0; 32], below, [1; 32]];
        let scalar = p256_scalar(|attempt| SecretArray::new(candidates[usize::from(attempt)]));
        assert!(*scalar.expose_secret() == below);
    }

    #[test]
    fn text_leaves_out_the_bytes_that_would_bias_it() {
        // With three characters, byte 255 is beyond the largest multiple.
        let text = text(b"abc", 65, |number| {
            let mut block = [255; 64];
            block[0] = 254;
            block[1] = u8::try_from(number % 3).expect("below three");
            SecretArray::new(block)
        });
        assert!(text.expose_secret().len() == 65);
        assert!(text.expose_secret().starts_with("cacbcc"));
    }
}
