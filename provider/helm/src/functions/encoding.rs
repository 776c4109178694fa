//! Encodings, checksums and paths.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

use super::{Function, fixed, text};
use crate::value::{Type, Value};

const S: Type = Type::Str;

pub(super) static TABLE: &[Function] = &[
    fixed("b64enc", &[S], |_, a| {
        Ok(Value::str(STANDARD.encode(text(a, 0).as_bytes())))
    }),
    fixed("b64dec", &[S], |_, a| {
        Ok(match base64_decode(&text(a, 0)) {
            Ok(bytes) => Value::str(bytes),
            Err(at) => Value::str(format!("illegal base64 data at input byte {at}")),
        })
    }),
    fixed("b32enc", &[S], |_, a| {
        Ok(Value::str(base32_encode(&text(a, 0))))
    }),
    fixed("b32dec", &[S], |_, a| {
        Ok(match base32_decode(&text(a, 0)) {
            Ok(bytes) => Value::str(bytes),
            Err(at) => Value::str(format!("illegal base32 data at input byte {at}")),
        })
    }),
    fixed("sha1sum", &[S], |_, a| {
        Ok(Value::str(hex::encode(sha1::Sha1::digest(
            text(a, 0).as_bytes(),
        ))))
    }),
    fixed("sha256sum", &[S], |_, a| {
        Ok(Value::str(hex::encode(sha2::Sha256::digest(
            text(a, 0).as_bytes(),
        ))))
    }),
    fixed("sha512sum", &[S], |_, a| {
        Ok(Value::str(hex::encode(sha2::Sha512::digest(
            text(a, 0).as_bytes(),
        ))))
    }),
    fixed("adler32sum", &[S], |_, a| {
        Ok(Value::str(adler32(&text(a, 0)).to_string()))
    }),
    fixed("base", &[S], |_, a| Ok(Value::str(base(&text(a, 0))))),
    fixed("osBase", &[S], |_, a| Ok(Value::str(base(&text(a, 0))))),
    fixed("dir", &[S], |_, a| Ok(Value::str(dir(&text(a, 0))))),
    fixed("osDir", &[S], |_, a| Ok(Value::str(dir(&text(a, 0))))),
    fixed("clean", &[S], |_, a| Ok(Value::str(clean(&text(a, 0))))),
    fixed("osClean", &[S], |_, a| Ok(Value::str(clean(&text(a, 0))))),
    fixed("ext", &[S], |_, a| Ok(Value::str(ext(&text(a, 0))))),
    fixed("osExt", &[S], |_, a| Ok(Value::str(ext(&text(a, 0))))),
    fixed("isAbs", &[S], |_, a| {
        Ok(Value::Bool(text(a, 0).starts_with(b"/")))
    }),
    fixed("osIsAbs", &[S], |_, a| {
        Ok(Value::Bool(text(a, 0).starts_with(b"/")))
    }),
];

/// Go's strict standard decoding: line breaks are skipped, the error is the offset of the first
/// byte that does not fit.
pub(crate) fn base64_decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    decode_groups(text, 4, 6, &digit)
}

fn base32_decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'2'..=b'7' => Some(u32::from(byte - b'2') + 26),
        _ => None,
    };
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    decode_groups(&text, 8, 5, &digit)
}

/// Decodes groups of `size` digits of `bits` bits each, padded with `=`.
fn decode_groups(
    text: &[u8],
    size: usize,
    bits: u32,
    digit: &dyn Fn(u8) -> Option<u32>,
) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() * bits as usize / 8);
    let mut at = 0;
    let skip = |at: &mut usize| {
        while matches!(text.get(*at), Some(b'\r' | b'\n')) {
            *at += 1;
        }
    };
    loop {
        let mut group: Vec<u32> = Vec::with_capacity(size);
        let mut ended = false;
        while group.len() < size {
            skip(&mut at);
            let Some(byte) = text.get(at) else {
                if group.is_empty() {
                    return Ok(out);
                }
                return Err(at - group.len());
            };
            if *byte == b'=' {
                let start = at;
                let missing = size - group.len();
                let allowed: &[usize] = if size == 4 { &[1, 2] } else { &[1, 3, 4, 6] };
                if !allowed.contains(&missing) {
                    return Err(at);
                }
                for _ in 0..missing {
                    skip(&mut at);
                    match text.get(at) {
                        Some(b'=') => at += 1,
                        None => return Err(text.len()),
                        Some(_) => return Err(at),
                    }
                }
                skip(&mut at);
                if at < text.len() {
                    return Err(at);
                }
                let _ = start;
                ended = true;
                break;
            }
            let Some(value) = digit(*byte) else {
                return Err(at);
            };
            group.push(value);
            at += 1;
        }
        let mut buffer: u64 = 0;
        for index in 0..size {
            buffer = (buffer << bits) | u64::from(group.get(index).copied().unwrap_or(0));
        }
        let total = size as u32 * bits / 8;
        let keep = group.len() as u32 * bits / 8;
        for index in 0..keep {
            out.push((buffer >> ((total - 1 - index) * 8)) as u8);
        }
        if ended {
            return Ok(out);
        }
    }
}

fn base32_encode(text: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::with_capacity(text.len().div_ceil(5) * 8);
    for group in text.chunks(5) {
        let mut buffer: u64 = 0;
        for index in 0..5 {
            buffer = (buffer << 8) | u64::from(group.get(index).copied().unwrap_or(0));
        }
        let digits = (group.len() * 8).div_ceil(5);
        for index in 0..8 {
            if index < digits {
                let digit = (buffer >> (35 - index * 5)) & 31;
                out.push(char::from(DIGITS[digit as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

fn adler32(text: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in text {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    (b << 16) | a
}

fn clean(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return b".".to_vec();
    }
    let rooted = path[0] == b'/';
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

fn base(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return b".".to_vec();
    }
    let end = path
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |at| at + 1);
    let path = &path[..end];
    let start = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |at| at + 1);
    if path.is_empty() {
        b"/".to_vec()
    } else {
        path[start..].to_vec()
    }
}

fn dir(path: &[u8]) -> Vec<u8> {
    let end = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |at| at + 1);
    clean(&path[..end])
}

fn ext(path: &[u8]) -> Vec<u8> {
    for (at, byte) in path.iter().enumerate().rev() {
        match byte {
            b'/' => break,
            b'.' => return path[at..].to_vec(),
            _ => {}
        }
    }
    Vec::new()
}
