//! Certificates with the fields and extensions that sprig asks Go for, in Go's order.

use std::net::IpAddr;

use sha1::Digest as _;

use super::der::{
    self, BIT_STRING, OCTET_STRING, OID, SEQUENCE, SET, bits, element, expect, sequence,
};
use super::keys::Key;
use crate::dates::Time;

/// What a certificate shall say.
pub(super) struct Request {
    pub(super) common_name: String,
    pub(super) ips: Vec<IpAddr>,
    pub(super) names: Vec<String>,
    pub(super) serial: [u8; 16],
    /// Seconds since 1970.
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) authority: bool,
}

/// What a signer's certificate tells.
pub(super) struct Parsed {
    /// The subject with its tag.
    subject: Vec<u8>,
    key_id: Option<Vec<u8>>,
}

const TRUE: &[u8] = &[0x01, 0x01, 0xff];
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.x
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// 1.3.6.1.5.5.7.3.x
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

impl Parsed {
    /// Reads a certificate; `None` when it is malformed.
    pub(super) fn read(certificate: &[u8]) -> Option<Self> {
        let (content, _) = expect(certificate, SEQUENCE)?;
        let (mut rest, _) = expect(content, SEQUENCE)?;
        if let Some((_, after)) = expect(rest, 0xa0) {
            rest = after;
        }
        // Serial number, signature algorithm, issuer, validity.
        for _ in 0..4 {
            rest = der::read(rest)?.2;
        }
        let (_, _, after) = der::read(rest)?;
        let subject = rest[..rest.len() - after.len()].to_vec();
        // Public key; what follows may be extensions.
        let mut rest = der::read(after)?.2;
        let mut key_id = None;
        while let Some((tag, content, after)) = der::read(rest) {
            if tag == 0xa3 {
                let (mut extensions, _) = expect(content, SEQUENCE)?;
                while let Some((extension, after)) = expect(extensions, SEQUENCE) {
                    let (oid, value) = expect(extension, OID)?;
                    if oid == SUBJECT_KEY_ID {
                        let (inner, _) = expect(value, OCTET_STRING)?;
                        key_id = expect(inner, OCTET_STRING).map(|(id, _)| id.to_vec());
                    }
                    extensions = after;
                }
            }
            rest = after;
        }
        Some(Self { subject, key_id })
    }
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { TRUE } else { &[] };
    sequence(&[&element(OID, oid), critical, &element(OCTET_STRING, value)])
}

fn name(common_name: &str) -> Vec<u8> {
    if common_name.is_empty() {
        return sequence(&[]);
    }
    let printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
    let tag = if common_name.bytes().all(printable) {
        0x13
    } else {
        0x0c
    };
    let attribute = sequence(&[
        &element(OID, COMMON_NAME),
        &element(tag, common_name.as_bytes()),
    ]);
    sequence(&[&element(SET, &attribute)])
}

fn time(seconds: i64) -> Vec<u8> {
    let time = Time::from_unix(seconds);
    let year: i64 = time.format("2006").parse().unwrap_or(0);
    if (1950..2050).contains(&year) {
        element(0x17, format!("{}Z", time.format("060102150405")).as_bytes())
    } else {
        element(
            0x18,
            format!("{}Z", time.format("20060102150405")).as_bytes(),
        )
    }
}

impl Request {
    /// The certificate of `key`, signed by `parent` or by itself.
    pub(super) fn sign(
        &self,
        key: &Key,
        parent: Option<(&Parsed, &Key)>,
    ) -> Result<Vec<u8>, String> {
        let subject = name(&self.common_name);
        let signer = parent.map_or(key, |(_, key)| key);
        let issuer = parent.map_or(subject.as_slice(), |(parent, _)| &parent.subject);
        let own_id = self
            .authority
            .then(|| sha1::Sha1::digest(key.public_bytes()).to_vec());
        let signer_id = match parent {
            Some((parent, _)) if issuer != subject => parent.key_id.clone(),
            _ => None,
        };
        let algorithm = signer.signature_algorithm();
        let body = sequence(&[
            &element(0xa0, &element(der::INTEGER, &[2])),
            &der::unsigned(&self.serial),
            &algorithm,
            issuer,
            &sequence(&[&time(self.from), &time(self.until)]),
            &subject,
            &key.public_info(),
            &element(0xa3, &self.extensions(own_id, signer_id, &subject)),
        ]);
        let signature = signer.sign(&body)?;
        Ok(sequence(&[&body, &algorithm, &bits(&signature)]))
    }

    fn extensions(
        &self,
        own_id: Option<Vec<u8>>,
        signer_id: Option<Vec<u8>>,
        subject: &[u8],
    ) -> Vec<u8> {
        // Digital signature and key encipherment; an authority signs certificates too.
        let usage: &[u8] = if self.authority {
            &[2, 0xa4]
        } else {
            &[5, 0xa0]
        };
        let constraints = if self.authority {
            sequence(&[TRUE])
        } else {
            sequence(&[])
        };
        let mut all = vec![
            extension(KEY_USAGE, true, &element(BIT_STRING, usage)),
            extension(
                EXTENDED_KEY_USAGE,
                false,
                &sequence(&[&element(OID, SERVER_AUTH), &element(OID, CLIENT_AUTH)]),
            ),
            extension(BASIC_CONSTRAINTS, true, &constraints),
        ];
        if let Some(id) = own_id {
            all.push(extension(
                SUBJECT_KEY_ID,
                false,
                &element(OCTET_STRING, &id),
            ));
        }
        if let Some(id) = signer_id {
            all.push(extension(
                AUTHORITY_KEY_ID,
                false,
                &sequence(&[&element(0x80, &id)]),
            ));
        }
        if !self.names.is_empty() || !self.ips.is_empty() {
            let names = self.names.iter().map(|name| element(0x82, name.as_bytes()));
            let ips = self.ips.iter().map(|ip| match ip {
                IpAddr::V4(ip) => element(0x87, &ip.octets()),
                IpAddr::V6(ip) => element(0x87, &ip.octets()),
            });
            let list: Vec<u8> = names.chain(ips).flatten().collect();
            let anonymous = subject == sequence(&[]);
            all.push(extension(
                ALTERNATIVE_NAME,
                anonymous,
                &element(SEQUENCE, &list),
            ));
        }
        element(SEQUENCE, &all.concat())
    }
}
