//! X.509 version 3 certificates: authorities and client certificates.

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use super::PkiError;
use super::der::{self, oid};
use super::key::{PrivateKey, pem};

/// CAs live ten years of 365 days, as those of the official tools.
const AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(87_600);

/// Key usage bits (RFC 5280 section 4.2.1.3), first bit highest.
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_ENCIPHERMENT: u8 = 0x20;
const KEY_CERT_SIGN: u8 = 0x04;

/// When a certificate is valid; whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub not_before: Timestamp,
    /// Last second.
    pub not_after: Timestamp,
}

impl Validity {
    /// From a minute before `now` (a node's clock may be behind until it has found its time
    /// servers) until `lifetime` after it.
    ///
    /// # Errors
    /// [`PkiError::Time`] when that is outside the calendar.
    pub fn starting(now: Timestamp, lifetime: SignedDuration) -> Result<Self, PkiError> {
        Ok(Self {
            not_before: shift(now, -SignedDuration::from_secs(60))?,
            not_after: shift(now, lifetime)?,
        })
    }

    /// The lifetime of a CA that was born at `birth_time`: from one hour before it.
    pub(super) fn authority(birth_time: Timestamp) -> Result<Self, PkiError> {
        let not_before = shift(birth_time, -SignedDuration::from_hours(1))?;
        Ok(Self {
            not_before,
            not_after: shift(not_before, AUTHORITY_LIFETIME)?,
        })
    }

    fn to_der(self) -> Vec<u8> {
        der::sequence(&[&der::time(self.not_before), &der::time(self.not_after)])
    }
}

fn shift(at: Timestamp, by: SignedDuration) -> Result<Timestamp, PkiError> {
    let out_of_range = |error: jiff::Error| PkiError::Time {
        reason: error.to_string(),
    };
    let whole = Timestamp::from_second(at.as_second()).map_err(out_of_range)?;
    whole.checked_add(by).map_err(out_of_range)
}

/// A subject: common name, then one organisation attribute for each entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subject<'a> {
    pub organisations: Vec<&'a str>,
    pub common_name: Option<&'a str>,
}

impl Subject<'_> {
    fn to_der(&self) -> Vec<u8> {
        let attribute = |kind: &[u8], value: &str| {
            der::set(&[&der::sequence(&[&der::object(kind), &der::text(value)])])
        };
        let mut names: Vec<Vec<u8>> = self
            .organisations
            .iter()
            .map(|organisation| attribute(oid::ORGANISATION, organisation))
            .collect();
        names.extend(
            self.common_name
                .map(|name| attribute(oid::COMMON_NAME, name)),
        );
        der::tlv(0x30, &names.concat())
    }
}

/// A certificate, DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(Vec<u8>);

impl Certificate {
    /// A certificate that was read before.
    pub(super) const fn from_der(der: Vec<u8>) -> Self {
        Self(der)
    }

    /// The encoding.
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }

    /// PEM with a line feed at the end.
    pub fn to_pem(&self) -> String {
        pem("CERTIFICATE", &self.0)
    }

    /// The form that rustls reads.
    pub fn to_rustls(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.0.clone())
    }

    /// A self-signed CA in the shape of Talos' own: no path length, usable for both ends of TLS.
    /// The serial is a hash, so that key and birth give the same bytes each time.
    pub(super) fn authority(key: &PrivateKey, subject: &Subject<'_>, validity: Validity) -> Self {
        let name = subject.to_der();
        let mut hash = Sha256::new();
        hash.update(key.public_key_info());
        hash.update(validity.to_der());
        let serial = serial(&hash.finalize());
        let extensions = [
            key_usage(DIGITAL_SIGNATURE | KEY_CERT_SIGN),
            extended_key_usage(&[oid::SERVER_AUTH, oid::CLIENT_AUTH]),
            extension(oid::BASIC_CONSTRAINTS, true, &der::sequence(&[&der::yes()])),
            extension(
                oid::SUBJECT_KEY_ID,
                false,
                &der::octets(&key_identifier(&key.public_bits())),
            ),
        ];
        sign(key, &name, key, &name, &serial, validity, &extensions)
    }

    /// A client certificate issued by `issuer`, whose name is `issuer_name` (DER).
    pub(super) fn client(
        issuer: &PrivateKey,
        issuer_name: &[u8],
        key: &PrivateKey,
        subject: &Subject<'_>,
        validity: Validity,
    ) -> Self {
        let usage = match key {
            PrivateKey::Ed25519(_) => DIGITAL_SIGNATURE,
            PrivateKey::P256(_) => DIGITAL_SIGNATURE | KEY_ENCIPHERMENT,
        };
        let authority = der::tlv(0x80, &key_identifier(&issuer.public_bits()));
        let extensions = [
            key_usage(usage),
            // Exactly one: apid refuses a certificate with any other list.
            extended_key_usage(&[oid::CLIENT_AUTH]),
            extension(oid::AUTHORITY_KEY_ID, false, &der::sequence(&[&authority])),
        ];
        let mut hash = Sha256::new();
        hash.update(key.public_key_info());
        hash.update(subject.to_der());
        hash.update(validity.to_der());
        let serial = serial(&hash.finalize());
        sign(
            issuer,
            issuer_name,
            key,
            &subject.to_der(),
            &serial,
            validity,
            &extensions,
        )
    }
}

/// The encoded name of a subject, to be used as issuer.
pub(super) fn encoded_name(subject: &Subject<'_>) -> Vec<u8> {
    subject.to_der()
}

fn sign(
    issuer: &PrivateKey,
    issuer_name: &[u8],
    key: &PrivateKey,
    subject: &[u8],
    serial: &[u8],
    validity: Validity,
    extensions: &[Vec<u8>],
) -> Certificate {
    let algorithm = issuer.signature_algorithm();
    let to_sign = der::sequence(&[
        &der::explicit(0, &der::integer(&[2])),
        &der::integer(serial),
        &algorithm,
        issuer_name,
        &validity.to_der(),
        subject,
        &key.public_key_info(),
        &der::explicit(3, &der::tlv(0x30, &extensions.concat())),
    ]);
    let signature = issuer.sign(&to_sign);
    Certificate(der::sequence(&[
        &to_sign,
        &algorithm,
        &der::bits(0, &signature),
    ]))
}

/// 127 bits, the highest of them set: positive and of constant length.
fn serial(hash: &[u8]) -> [u8; 16] {
    let mut serial = [0; 16];
    serial.copy_from_slice(&hash[..16]);
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

/// RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 over the public key.
fn key_identifier(public_bits: &[u8]) -> [u8; 20] {
    let mut identifier = [0; 20];
    identifier.copy_from_slice(&Sha256::digest(public_bits)[..20]);
    identifier
}

fn extension(kind: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { der::yes() } else { Vec::new() };
    der::sequence(&[&der::object(kind), &critical, &der::octets(value)])
}

fn key_usage(bits: u8) -> Vec<u8> {
    let unused = bits.trailing_zeros() as u8;
    extension(oid::KEY_USAGE, true, &der::bits(unused, &[bits]))
}

fn extended_key_usage(purposes: &[&[u8]]) -> Vec<u8> {
    let purposes: Vec<u8> = purposes
        .iter()
        .flat_map(|purpose| der::object(purpose))
        .collect();
    extension(oid::EXTENDED_KEY_USAGE, false, &der::tlv(0x30, &purposes))
}
