//! The few DER forms that certificates and keys are made of (ITU-T X.690, RFC 5280).

use jiff::Timestamp;
use jiff::tz::Offset;

/// Object identifiers in their encoded form, without tag and length.
pub(super) mod oid {
    pub(in super::super) const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];
    pub(in super::super) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    pub(in super::super) const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
    pub(in super::super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
    pub(in super::super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
    pub(in super::super) const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
    pub(in super::super) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
    pub(in super::super) const SERVER_AUTH: &[u8] =
        &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
    pub(in super::super) const CLIENT_AUTH: &[u8] =
        &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
    pub(in super::super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    pub(in super::super) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    pub(in super::super) const PRIME256V1: &[u8] =
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    pub(in super::super) const ECDSA_SHA256: &[u8] =
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
}

/// Tag, length, content.
pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
        out.push(0x80 | (bytes.len() - first) as u8);
        out.extend_from_slice(&bytes[first..]);
    }
    out.extend_from_slice(content);
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(super) fn set(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x31, &parts.concat())
}

pub(super) fn object(encoded: &[u8]) -> Vec<u8> {
    tlv(0x06, encoded)
}

/// A positive integer from its big-endian bytes.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0);
    let significant = first.map_or(&[0_u8][..], |first| &bytes[first..]);
    let mut content = Vec::with_capacity(significant.len() + 1);
    if significant[0] & 0x80 != 0 {
        content.push(0);
    }
    content.extend_from_slice(significant);
    tlv(0x02, &content)
}

pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, bytes)
}

/// A bit string whose last byte has `unused` bits that do not count.
pub(super) fn bits(unused: u8, bytes: &[u8]) -> Vec<u8> {
    let mut content = vec![unused];
    content.extend_from_slice(bytes);
    tlv(0x03, &content)
}

pub(super) fn yes() -> Vec<u8> {
    tlv(0x01, &[0xff])
}

/// `[number]`, constructed.
pub(super) fn explicit(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, content)
}

/// A name's text: PrintableString where its alphabet allows, as the official tools write it, else
/// UTF8String.
pub(super) fn text(text: &str) -> Vec<u8> {
    let printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
    let tag = if text.bytes().all(printable) {
        0x13
    } else {
        0x0c
    };
    tlv(tag, text.as_bytes())
}

/// UTCTime until 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5); whole seconds.
pub(super) fn time(at: Timestamp) -> Vec<u8> {
    let at = Offset::UTC.to_datetime(at);
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    if (1950..2050).contains(&at.year()) {
        tlv(0x17, format!("{:02}{rest}", at.year() % 100).as_bytes())
    } else {
        tlv(0x18, format!("{:04}{rest}", at.year()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lengths_use_the_long_form() {
        assert_eq!(tlv(4, &[0; 0x7f])[..2], [4, 0x7f]);
        assert_eq!(tlv(4, &[0; 0x80])[..3], [4, 0x81, 0x80]);
        assert_eq!(tlv(4, &[0; 0x1234])[..4], [4, 0x82, 0x12, 0x34]);
    }

    #[test]
    fn integers_stay_positive_and_short() {
        assert_eq!(integer(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0]), [2, 1, 0]);
    }

    #[test]
    fn times_change_their_form_in_2050() {
        let before: Timestamp = "2049-12-31T23:59:59Z".parse().expect("a time");
        let after: Timestamp = "2050-01-01T00:00:00Z".parse().expect("a time");
        assert_eq!(time(before)[2..], *b"491231235959Z");
        assert_eq!(time(after)[2..], *b"20500101000000Z");
    }

    #[test]
    fn names_outside_the_printable_alphabet_become_utf8() {
        assert_eq!(text("system:masters")[0], 0x13);
        assert_eq!(text("Élodie@example")[0], 0x0c);
    }
}
