//! The master password algorithm.

use hmac::{Hmac, Mac as _};

use super::HASH_STEPS;
use crate::functions::{Answer, int, text};
use crate::template::{Fault, Run};
use crate::value::Value;

/// The templates of the master password algorithm, by name.
fn password_templates(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

/// The characters that a letter of a template stands for.
const fn template_characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

pub(super) fn derive_password(run: &Run<'_>, args: &[Value]) -> Answer {
    run.charge(HASH_STEPS)?;
    const SEED: &[u8] = b"com.lyndir.masterpassword";
    let kind = text(args, 1).lossy().into_owned();
    let Some(templates) = password_templates(&kind) else {
        return Ok(Value::str(format!("cannot find password template {kind}")));
    };
    let (password, user, site) = (text(args, 2), text(args, 3), text(args, 4));
    let length = |text: &[u8]| (text.len() as u32).to_be_bytes();
    let salt = [SEED, &length(&user), &user].concat();
    let mut key = [0; 64];
    let params = scrypt::Params::new(15, 8, 2).map_err(|error| Fault::new(error.to_string()))?;
    scrypt::scrypt(&password, &salt, &params, &mut key)
        .map_err(|error| Fault::new(format!("failed to derive password: {error}")))?;
    let counter = (int(args, 0) as u32).to_be_bytes();
    let message = [SEED, &length(&site), &site, &counter].concat();
    let mut mac = <Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(&key)
        .map_err(|error| Fault::new(error.to_string()))?;
    mac.update(&message);
    let seed = mac.finalize().into_bytes();
    let template = templates[usize::from(seed[0]) % templates.len()];
    let derived: Vec<u8> = template
        .bytes()
        .zip(&seed[1..])
        .map(|(class, byte)| {
            let characters = template_characters(class);
            characters[usize::from(*byte) % characters.len()]
        })
        .collect();
    Ok(Value::str(derived))
}
