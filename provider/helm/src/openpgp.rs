//! Just enough of OpenPGP (RFC 4880, RFC 9580) to check a clear-signed text against a keyring: public
//! keys of version 4 and their signatures by RSA, DSA, ECDSA and EdDSA.
//!
//! Small on purpose: whole implementations bring ciphers, compression and a second generation of every
//! cryptographic crate, none of which a signature needs. The arithmetic is aws-lc's, DSA apart.

mod armor;
mod check;
mod key;
mod packet;

pub(crate) use armor::{Signed, clear_signed};
pub(crate) use key::{Certificate, read_keyring};

use packet::Signature;

/// Why a text does not count as signed, in the words of helm's library where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("openpgp: invalid data: {0}")]
    Data(String),
    #[error("openpgp: signature made by unknown entity")]
    UnknownSigner,
    #[error("openpgp: signature expired")]
    Expired,
    #[error("openpgp: key expired")]
    KeyExpired,
    #[error("openpgp: signature made by revoked key")]
    Revoked,
    #[error("openpgp: unsupported feature: {0}")]
    Unsupported(String),
    #[error("openpgp: invalid signature: {0}")]
    Wrong(String),
}

/// Whose signature the text carries, and what is weak about it; `now` in seconds since 1970.
///
/// # Errors
///
/// When no signature of a key of the ring holds: why the last one does not.
pub(crate) fn signer<'k>(
    ring: &'k [Certificate],
    signed: &Signed,
    now: u64,
) -> Result<(&'k Certificate, Option<String>), Error> {
    let mut last = Error::UnknownSigner;
    for body in packet::read(&signed.signature)?
        .into_iter()
        .filter(|packet| packet.tag == packet::SIGNATURE)
        .map(|packet| packet.body)
    {
        let signature = match Signature::read(&body) {
            Ok(signature) => signature,
            Err(error) => {
                last = error;
                continue;
            }
        };
        match check_one(ring, signed, &signature, now) {
            Ok(found) => return Ok(found),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn check_one<'k>(
    ring: &'k [Certificate],
    signed: &Signed,
    signature: &Signature,
    now: u64,
) -> Result<(&'k Certificate, Option<String>), Error> {
    // Of a text, or of bytes: in the canonical form both are the same.
    if !matches!(signature.kind, 0 | 1) {
        return Err(Error::Unsupported(format!(
            "signature type {}",
            signature.kind
        )));
    }
    let mut last = Error::UnknownSigner;
    for certificate in ring {
        for key in certificate.signing_keys() {
            if !signature.made_by(key) {
                continue;
            }
            if let Err(error) = check::verify(&key.material, signature, &signed.canonical) {
                last = error;
                continue;
            }
            let until = signature.expires.map(|after| signature.created + after);
            if until.is_some_and(|until| until < now) {
                return Err(Error::Expired);
            }
            certificate.usable(key, now)?;
            return Ok((certificate, check::weakness(&key.material, signature)));
        }
    }
    Err(last)
}
