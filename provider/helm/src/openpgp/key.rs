//! Keyrings: certificates with their names and subkeys.

use sha1::{Digest as _, Sha1};

use super::packet::{
    self, PUBLIC_KEY, PUBLIC_SUBKEY, Reader, SECRET_KEY, SECRET_SUBKEY, SIGNATURE, Signature,
    USER_ID,
};
use super::{Error, armor, check};

/// The numbers of a public key.
pub(super) enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Dsa {
        p: Vec<u8>,
        q: Vec<u8>,
        g: Vec<u8>,
        y: Vec<u8>,
    },
    /// The curve's object identifier and the point.
    Ecdsa {
        curve: Vec<u8>,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    /// A key that cannot sign, or not in a way that is known here.
    Other,
}

/// A public key.
pub(crate) struct Key {
    pub(super) material: Material,
    pub(super) fingerprint: Vec<u8>,
    created: u64,
    expires: Option<u64>,
    revoked: bool,
    /// Whether it may sign data.
    signs: bool,
    /// As fingerprints and signatures hash it.
    hashed: Vec<u8>,
}

/// A primary key with its names and subkeys.
pub(crate) struct Certificate {
    primary: Key,
    subkeys: Vec<Key>,
    names: Vec<String>,
}

impl Certificate {
    /// The names people gave the key: `Ada <ada@example.com>`.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The primary key's fingerprint in capital hexadecimal digits, as gpg and helm print it.
    pub(crate) fn fingerprint(&self) -> String {
        hex::encode_upper(&self.primary.fingerprint)
    }

    pub(super) fn signing_keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.primary)
            .chain(&self.subkeys)
            .filter(|key| key.signs)
    }

    /// Whether `key`, which is one of this certificate's, counts at `now`.
    pub(super) fn usable(&self, key: &Key, now: u64) -> Result<(), Error> {
        for key in [&self.primary, key] {
            if key.revoked {
                return Err(Error::Revoked);
            }
            if key.expires.is_some_and(|after| key.created + after < now) {
                return Err(Error::KeyExpired);
            }
        }
        Ok(())
    }
}

/// Reads a keyring: certificates one after the other, as `gpg --export` writes them, armoured or not.
/// Secret keys count by their public halves.
pub(crate) fn read_keyring(bytes: &[u8]) -> Result<Vec<Certificate>, Error> {
    let decoded;
    let bytes = if bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP") {
        decoded = armor::armoured(&String::from_utf8_lossy(bytes))?;
        &decoded
    } else {
        bytes
    };
    let mut ring = Vec::new();
    let mut current: Option<Builder> = None;
    for packet in packet::read(bytes)? {
        match packet.tag {
            PUBLIC_KEY | SECRET_KEY => {
                ring.extend(current.take().map(Builder::finish));
                // A key of a version that is not known here signs nothing that is.
                current = Key::read(&packet.body).ok().map(Builder::new);
            }
            PUBLIC_SUBKEY | SECRET_SUBKEY => {
                if let Some(current) = &mut current {
                    current.subkey(&packet.body);
                }
            }
            USER_ID => {
                if let Some(current) = &mut current {
                    current.name(&packet.body);
                }
            }
            SIGNATURE => {
                if let (Some(current), Ok(signature)) =
                    (&mut current, Signature::read(&packet.body))
                {
                    current.signature(&signature);
                }
            }
            _ => {}
        }
    }
    ring.extend(current.take().map(Builder::finish));
    if ring.is_empty() {
        return Err(Error::Data("the keyring holds no key".to_owned()));
    }
    Ok(ring)
}

impl Key {
    fn read(body: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader(body);
        let version = reader.byte()?;
        if version != 4 {
            return Err(Error::Unsupported(format!("key version {version}")));
        }
        let created = reader.number(4)? as u64;
        let algorithm = reader.byte()?;
        let material = match algorithm {
            1 | 3 => Material::Rsa {
                n: reader.mpi()?,
                e: reader.mpi()?,
            },
            17 => Material::Dsa {
                p: reader.mpi()?,
                q: reader.mpi()?,
                g: reader.mpi()?,
                y: reader.mpi()?,
            },
            19 | 22 => {
                let length = reader.number(1)?;
                let curve = reader.take(length)?.to_vec();
                let point = reader.mpi()?;
                match (algorithm, point.split_first()) {
                    (22, Some((0x40, point))) if curve == ED25519 && point.len() == 32 => {
                        Material::Ed25519(point.to_vec())
                    }
                    (19, _) => Material::Ecdsa { curve, point },
                    _ => Material::Other,
                }
            }
            27 => Material::Ed25519(reader.take(32)?.to_vec()),
            // The rest of the body is unread, and the hash below is of all of it: right for public
            // keys, and of no use for secret ones, which cannot sign in a way known here anyway.
            _ => {
                reader = Reader(&[]);
                Material::Other
            }
        };
        let public = &body[..body.len() - reader.0.len()];
        let mut hashed = vec![0x99];
        hashed.extend((public.len() as u16).to_be_bytes());
        hashed.extend(public);
        Ok(Self {
            fingerprint: Sha1::digest(&hashed).to_vec(),
            signs: !matches!(material, Material::Other),
            material,
            created,
            expires: None,
            revoked: false,
            hashed,
        })
    }
}

/// 1.3.6.1.4.1.11591.15.1
const ED25519: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];

/// What the packets after a primary key speak of.
enum About {
    Primary,
    Name(Vec<u8>),
    /// The subkey, until a signature binds it.
    Subkey(Option<Key>),
}

struct Builder {
    certificate: Certificate,
    about: About,
    /// When the signature was made that said what the primary key may do.
    settled: u64,
}

impl Builder {
    const fn new(primary: Key) -> Self {
        Self {
            certificate: Certificate {
                primary,
                subkeys: Vec::new(),
                names: Vec::new(),
            },
            about: About::Primary,
            settled: 0,
        }
    }

    fn finish(self) -> Certificate {
        self.certificate
    }

    fn name(&mut self, body: &[u8]) {
        let name = String::from_utf8_lossy(body).into_owned();
        self.certificate.names.push(name);
        self.about = About::Name(body.to_vec());
    }

    fn subkey(&mut self, body: &[u8]) {
        self.about = About::Subkey(Key::read(body).ok());
    }

    /// A signature of the primary key over itself, a name or a subkey; those of others do not count.
    fn signature(&mut self, signature: &Signature) {
        let primary = &self.certificate.primary;
        if !signature.made_by(primary) {
            return;
        }
        let holds = |more: &[u8]| {
            let signed = [primary.hashed.as_slice(), more].concat();
            check::verify(&primary.material, signature, &signed).is_ok()
        };
        match (signature.kind, &mut self.about) {
            (0x20, _) if holds(&[]) => self.certificate.primary.revoked = true,
            (0x1f, About::Primary) if holds(&[]) => self.settle(signature),
            (0x10..=0x13, About::Name(name)) => {
                let mut more = vec![0xb4];
                more.extend((name.len() as u32).to_be_bytes());
                more.extend(&*name);
                if holds(&more) {
                    self.settle(signature);
                }
            }
            (0x18, About::Subkey(slot)) => {
                let Some(key) = slot.as_ref() else { return };
                if !holds(&key.hashed) {
                    return;
                }
                if let Some(mut key) = slot.take() {
                    key.signs &= signature.key_flags.is_some_and(|flags| flags & 2 != 0);
                    key.expires = signature.key_expires;
                    self.certificate.subkeys.push(key);
                }
            }
            (0x28, About::Subkey(None)) => {
                if let Some(last) = self.certificate.subkeys.last()
                    && holds(&last.hashed)
                    && let Some(last) = self.certificate.subkeys.last_mut()
                {
                    last.revoked = true;
                }
            }
            _ => {}
        }
    }

    /// The newest word of the primary key about itself counts.
    fn settle(&mut self, signature: &Signature) {
        if signature.created < self.settled {
            return;
        }
        self.settled = signature.created;
        let primary = &mut self.certificate.primary;
        primary.expires = signature.key_expires;
        if let Some(flags) = signature.key_flags {
            primary.signs = flags & 2 != 0 && !matches!(primary.material, Material::Other);
        }
    }
}
