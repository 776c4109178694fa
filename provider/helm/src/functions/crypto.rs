//! Passwords, ciphers, keys and certificates.

mod der;
mod dsa;
mod keys;
mod password;
mod x509;

use std::any::Any;
use std::rc::Rc;

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::encoding::base64_decode;
use super::{Answer, Function, fixed, int, random, text};
use crate::template::{Fault, Run};
use crate::value::{Entries, List, Object, Type, Value};
use keys::Key;
use password::derive_password;

const S: Type = Type::Str;
const I: Type = Type::Int;
const L: Type = Type::List;
const C: Type = Type::Named("sprig.certificate");

pub(super) static TABLE: &[Function] = &[
    fixed("bcrypt", &[S], |run, a| {
        run.charge(HASH_STEPS)?;
        Ok(Value::str(bcrypt_text(run, &text(a, 0))))
    }),
    fixed("htpasswd", &[S, S], |run, a| {
        run.charge(HASH_STEPS)?;
        let user = text(a, 0).lossy().into_owned();
        if user.contains(':') {
            return Ok(Value::str(format!("invalid username: {user}")));
        }
        Ok(Value::str(format!(
            "{user}:{}",
            bcrypt_text(run, &text(a, 1))
        )))
    }),
    fixed(
        "derivePassword",
        &[Type::Named("uint32"), S, S, S, S],
        derive_password,
    ),
    fixed("encryptAES", &[S, S], encrypt),
    fixed("decryptAES", &[S, S], decrypt),
    fixed("genPrivateKey", &[S], |run, a| {
        run.charge(KEY_STEPS)?;
        let kind = text(a, 0).lossy().into_owned();
        Ok(Value::str(match kind.as_str() {
            "" | "rsa" => Key::rsa(run, 4096).map_or_else(|error| error, |key| key.pem()),
            "ecdsa" => Key::p256(run).pem(),
            "ed25519" => Key::ed25519(run).pem(),
            "dsa" => dsa::generate(run),
            other => format!("Unknown type {other}"),
        }))
    }),
    fixed("buildCustomCert", &[S, S], build_custom),
    fixed("genCA", &[S, I], |run, a| authority(run, a, &new_key(run)?)),
    fixed("genCAWithKey", &[S, I, S], |run, a| {
        authority(run, a, &given_key(a, 2)?)
    }),
    fixed("genSelfSignedCert", &[S, L, L, I], |run, a| {
        self_signed(run, a, &new_key(run)?)
    }),
    fixed("genSelfSignedCertWithKey", &[S, L, L, I, S], |run, a| {
        self_signed(run, a, &given_key(a, 4)?)
    }),
    fixed("genSignedCert", &[S, L, L, I, C], |run, a| {
        signed(run, a, &new_key(run)?)
    }),
    fixed("genSignedCertWithKey", &[S, L, L, I, C, S], |run, a| {
        signed(run, a, &given_key(a, 5)?)
    }),
];

/// What keys and slow hashes cost of the budget of steps.
const KEY_STEPS: u64 = 500_000;
const HASH_STEPS: u64 = 50_000;

fn new_key(run: &Run<'_>) -> Result<Key, Fault> {
    run.charge(KEY_STEPS)?;
    Key::rsa(run, 2048).map_err(Fault::new)
}

fn given_key(args: &[Value], index: usize) -> Result<Key, Fault> {
    Key::from_pem(&text(args, index).lossy())
        .map_err(|error| Fault::new(format!("parsing private key: {error}")))
}

/// What the `gen*` functions return: `.Cert` and `.Key`, both PEM.
struct Certificate {
    cert: String,
    key: String,
}

impl Certificate {
    fn value(self) -> Value {
        Value::Object(Rc::new(self))
    }
}

impl Object for Certificate {
    fn type_name(&self) -> &'static str {
        "sprig.certificate"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(Value::str(self.cert.as_str())),
            "Key" => Some(Value::str(self.key.as_str())),
            _ => None,
        }
    }

    fn print(&self) -> String {
        format!("{{{} {}}}", self.cert, self.key)
    }

    fn json(&self) -> Value {
        Value::map(Entries::from([
            ("Cert".into(), Value::str(self.cert.as_str())),
            ("Key".into(), Value::str(self.key.as_str())),
        ]))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn bcrypt_text(run: &Run<'_>, password: &[u8]) -> String {
    if password.len() > 72 {
        return "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
            .to_owned();
    }
    let mut salt = [0; 16];
    random::fill(run, &mut salt);
    match bcrypt::hash_with_salt(password, 10, salt) {
        Ok(parts) => parts.format_for_version(bcrypt::Version::TwoA),
        Err(error) => format!("failed to encrypt string with bcrypt: {error}"),
    }
}

fn aes_key(password: &[u8]) -> Aes256 {
    let mut key = [0; 32];
    let length = password.len().min(32);
    key[..length].copy_from_slice(&password[..length]);
    Aes256::new(&key.into())
}

fn encrypt(run: &Run<'_>, args: &[Value]) -> Answer {
    let plain = text(args, 1);
    if plain.is_empty() {
        return Ok(Value::str(""));
    }
    let cipher = aes_key(&text(args, 0));
    let mut previous = [0; 16];
    random::fill(run, &mut previous);
    let padding = 16 - plain.len() % 16;
    let mut padded = plain.to_vec();
    padded.extend(std::iter::repeat_n(padding as u8, padding));
    let mut out = previous.to_vec();
    for block in padded.chunks_exact(16) {
        for (byte, other) in previous.iter_mut().zip(block) {
            *byte ^= other;
        }
        let mut next = previous.into();
        cipher.encrypt_block(&mut next);
        previous = next.into();
        out.extend_from_slice(&previous);
    }
    Ok(Value::str(STANDARD.encode(out)))
}

fn decrypt(_: &Run<'_>, args: &[Value]) -> Answer {
    let encoded = text(args, 1);
    if encoded.is_empty() {
        return Ok(Value::str(""));
    }
    let crypt = base64_decode(&encoded)
        .map_err(|at| Fault::new(format!("illegal base64 data at input byte {at}")))?;
    let Some((mut previous, content)) = crypt.split_first_chunk::<16>() else {
        return Err(format!(
            "runtime error: slice bounds out of range [:16] with capacity {}",
            crypt.len()
        )
        .into());
    };
    if content.len() % 16 != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let cipher = aes_key(&text(args, 0));
    let mut out = Vec::with_capacity(content.len());
    let (blocks, _) = content.as_chunks::<16>();
    for block in blocks {
        let mut next = (*block).into();
        cipher.decrypt_block(&mut next);
        let plain: [u8; 16] = next.into();
        out.extend(plain.iter().zip(previous).map(|(byte, other)| byte ^ other));
        previous = block;
    }
    let Some(padding) = out.last().copied() else {
        return Err("runtime error: index out of range [-1]".into());
    };
    let length = out.len().checked_sub(usize::from(padding)).ok_or_else(|| {
        let end = out.len() as i64 - i64::from(padding);
        Fault::new(format!("runtime error: slice bounds out of range [:{end}]"))
    })?;
    out.truncate(length);
    Ok(Value::str(out))
}

fn build_custom(_: &Run<'_>, args: &[Value]) -> Answer {
    let cert = base64_decode(&text(args, 0))
        .map_err(|_| Fault::new("unable to decode base64 certificate"))?;
    let key = base64_decode(&text(args, 1))
        .map_err(|_| Fault::new("unable to decode base64 private key"))?;
    let (cert, key) = (
        String::from_utf8_lossy(&cert),
        String::from_utf8_lossy(&key),
    );
    let Some((_, encoded)) = der::decode_pem(&cert) else {
        return Err("unable to decode certificate".into());
    };
    x509::Parsed::read(&encoded).ok_or_else(|| {
        Fault::new("error parsing certificate: decodedCert.Bytes: x509: malformed certificate")
    })?;
    Key::from_pem(&key)
        .map_err(|error| Fault::new(format!("error parsing private key: {error}")))?;
    Ok(Certificate {
        cert: cert.into_owned(),
        key: key.into_owned(),
    }
    .value())
}

fn list(args: &[Value], index: usize) -> Vec<Value> {
    match args.get(index) {
        Some(Value::List(list)) => List::items(list).to_vec(),
        _ => Vec::new(),
    }
}

fn request(run: &Run<'_>, args: &[Value], days: usize) -> Result<x509::Request, Fault> {
    let mut ips = Vec::new();
    let mut names = Vec::new();
    if days > 1 {
        for ip in list(args, 1) {
            let Value::Str(written) = &ip else {
                return Err(not_text("error parsing ip", &ip));
            };
            match written.lossy().parse() {
                Ok(address) => ips.push(address),
                Err(_) => return Err(format!("error parsing ip: {}", written.lossy()).into()),
            }
        }
        for name in list(args, 2) {
            match &name {
                Value::Str(name) => names.push(name.lossy().into_owned()),
                other => return Err(not_text("error processing alternate dns name", other)),
            }
        }
    }
    let mut serial = [0; 16];
    random::fill(run, &mut serial);
    run.env.touch(|volatile| volatile.clock = true);
    let now = run.env.clock.now();
    Ok(x509::Request {
        common_name: text(args, 0).lossy().into_owned(),
        ips,
        names,
        serial,
        from: now.as_second(),
        until: now
            .as_second()
            .saturating_add(int(args, days).saturating_mul(86_400)),
        authority: false,
    })
}

fn not_text(what: &str, value: &Value) -> Fault {
    let mut text = Vec::new();
    super::print::print(value, &mut text);
    Fault::new(format!(
        "{what}: {} is not a string",
        String::from_utf8_lossy(&text)
    ))
}

fn authority(run: &Run<'_>, args: &[Value], key: &Key) -> Answer {
    let mut request = request(run, args, 1)?;
    request.authority = true;
    finish(&request, key, None)
}

fn self_signed(run: &Run<'_>, args: &[Value], key: &Key) -> Answer {
    finish(&request(run, args, 3)?, key, None)
}

fn signed(run: &Run<'_>, args: &[Value], key: &Key) -> Answer {
    let authority = match &args[4] {
        Value::Object(object) => object.as_any().downcast_ref::<Certificate>(),
        _ => None,
    };
    let authority = authority.ok_or_else(|| Fault::new("unable to decode certificate"))?;
    let (_, encoded) = der::decode_pem(&authority.cert)
        .ok_or_else(|| Fault::new("unable to decode certificate"))?;
    let parent = x509::Parsed::read(&encoded).ok_or_else(|| {
        Fault::new(
            "error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate",
        )
    })?;
    let parent_key = Key::from_pem(&authority.key)
        .map_err(|error| Fault::new(format!("error parsing private key: {error}")))?;
    finish(&request(run, args, 3)?, key, Some((&parent, &parent_key)))
}

fn finish(request: &x509::Request, key: &Key, parent: Option<(&x509::Parsed, &Key)>) -> Answer {
    let encoded = request
        .sign(key, parent)
        .map_err(|error| Fault::new(format!("error creating certificate: {error}")))?;
    Ok(Certificate {
        cert: der::pem("CERTIFICATE", &encoded),
        key: key.pem(),
    }
    .value())
}
