//! Packets, and what a signature packet says.

use super::Error;
use super::key::Key;

pub(super) const SIGNATURE: u8 = 2;
pub(super) const SECRET_KEY: u8 = 5;
pub(super) const PUBLIC_KEY: u8 = 6;
pub(super) const SECRET_SUBKEY: u8 = 7;
pub(super) const USER_ID: u8 = 13;
pub(super) const PUBLIC_SUBKEY: u8 = 14;

/// A packet without its header.
pub(super) struct Packet {
    pub(super) tag: u8,
    pub(super) body: Vec<u8>,
}

/// Bytes that are read from the front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| Error::Data("a packet ends too early".to_owned()))?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn number(&mut self, bytes: usize) -> Result<usize, Error> {
        let head = self.take(bytes)?;
        Ok(head
            .iter()
            .fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        self.take(1).map(|one| one[0])
    }

    /// A number with its length in bits in front, without leading zeros.
    pub(super) fn mpi(&mut self) -> Result<Vec<u8>, Error> {
        let bits = self.number(2)?;
        let bytes = self.take(bits.div_ceil(8))?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(bytes[zeros..].to_vec())
    }

    /// A length as packets and subpackets of the new format have it; `None` for a partial one.
    fn length(&mut self) -> Result<Option<usize>, Error> {
        let first = usize::from(self.byte()?);
        Ok(Some(match first {
            0..192 => first,
            192..224 => ((first - 192) << 8) + self.number(1)? + 192,
            255 => self.number(4)?,
            _ => return Ok(None),
        }))
    }
}

/// All packets.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Packet>, Error> {
    let mut reader = Reader(bytes);
    let mut packets = Vec::new();
    while !reader.0.is_empty() {
        let head = reader.byte()?;
        if head & 0x80 == 0 {
            return Err(Error::Data("tag byte does not have MSB set".to_owned()));
        }
        let (tag, length) = if head & 0x40 == 0 {
            let length = match head & 3 {
                0 => reader.number(1)?,
                1 => reader.number(2)?,
                2 => reader.number(4)?,
                _ => reader.0.len(),
            };
            ((head >> 2) & 15, length)
        } else {
            let length = reader
                .length()?
                .ok_or_else(|| Error::Unsupported("packets in parts".to_owned()))?;
            (head & 63, length)
        };
        packets.push(Packet {
            tag,
            body: reader.take(length)?.to_vec(),
        });
    }
    Ok(packets)
}

/// A signature of version 4.
pub(super) struct Signature {
    pub(super) kind: u8,
    pub(super) algorithm: u8,
    pub(super) hash: u8,
    /// What is hashed after the signed data.
    pub(super) trailer: Vec<u8>,
    /// The algorithm's numbers, still packed.
    pub(super) numbers: Vec<u8>,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// Seconds after `created`.
    pub(super) expires: Option<u64>,
    /// Seconds after the key's own time.
    pub(super) key_expires: Option<u64>,
    pub(super) key_flags: Option<u8>,
    issuer: Option<[u8; 8]>,
    fingerprint: Option<Vec<u8>>,
}

impl Signature {
    pub(super) fn read(body: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader(body);
        let version = reader.byte()?;
        if version != 4 {
            return Err(Error::Unsupported(format!(
                "signature packet version {version}"
            )));
        }
        let (kind, algorithm, hash) = (reader.byte()?, reader.byte()?, reader.byte()?);
        let length = reader.number(2)?;
        let hashed = reader.take(length)?;
        let signed = 6 + length;
        let mut trailer = body[..signed].to_vec();
        trailer.extend([4, 0xff]);
        trailer.extend((signed as u32).to_be_bytes());
        let length = reader.number(2)?;
        let unhashed = reader.take(length)?;
        // The first two bytes of the hash only save time.
        reader.take(2)?;
        let mut signature = Self {
            kind,
            algorithm,
            hash,
            trailer,
            numbers: reader.0.to_vec(),
            created: 0,
            expires: None,
            key_expires: None,
            key_flags: None,
            issuer: None,
            fingerprint: None,
        };
        signature.subpackets(hashed, true)?;
        signature.subpackets(unhashed, false)?;
        Ok(signature)
    }

    fn subpackets(&mut self, bytes: &[u8], hashed: bool) -> Result<(), Error> {
        let mut reader = Reader(bytes);
        while !reader.0.is_empty() {
            let length = reader
                .length()?
                .ok_or_else(|| Error::Data("a subpacket in parts".to_owned()))?;
            let body = reader.take(length)?;
            let Some((kind, body)) = body.split_first() else {
                return Err(Error::Data("a subpacket without a type".to_owned()));
            };
            let seconds = || -> Result<u64, Error> { Ok(Reader(body).number(4)? as u64) };
            match kind & 0x7f {
                // Whoever signed is looked for; saying it needs no signature.
                16 => self.issuer = body.try_into().ok(),
                33 => self.fingerprint = body.get(1..).map(<[u8]>::to_vec),
                _ if !hashed => {}
                2 => self.created = seconds()?,
                3 => self.expires = Some(seconds()?).filter(|after| *after > 0),
                9 => self.key_expires = Some(seconds()?).filter(|after| *after > 0),
                27 => self.key_flags = body.first().copied(),
                // Known, and without a say here.
                4..=7 | 11..=12 | 20..=26 | 28..=32 | 34..=39 => {}
                other if kind & 0x80 != 0 => {
                    return Err(Error::Unsupported(format!(
                        "unknown critical signature subpacket type {other}"
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether it says to be made by `key`.
    pub(super) fn made_by(&self, key: &Key) -> bool {
        match (&self.fingerprint, self.issuer) {
            (Some(fingerprint), _) => *fingerprint == key.fingerprint,
            (None, Some(issuer)) => key.fingerprint.ends_with(&issuer),
            (None, None) => true,
        }
    }
}
