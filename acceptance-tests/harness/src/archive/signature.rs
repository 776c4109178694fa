//! The signature of a release, made by gpg, which keeps the key.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// Signs a file beside it, detached and binary as registries want it.
pub(super) fn sign(file: &Path, key: &str) -> Result<PathBuf, Error> {
    let signature = file.with_file_name(format!(
        "{}.sig",
        file.file_name().unwrap_or_default().to_string_lossy()
    ));
    let output = Command::new("gpg")
        .args([
            "--batch",
            "--yes",
            "--no-armor",
            "--local-user",
            key,
            "--output",
        ])
        .arg(&signature)
        .arg("--detach-sign")
        .arg(file)
        .output()
        .map_err(Error::run("gpg"))?;
    if !output.status.success() {
        return Err(Error::Failed {
            program: "gpg --detach-sign".to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    let bytes = std::fs::read(&signature).map_err(Error::file(&signature))?;
    match algorithm(&bytes) {
        // RSA in its three uses, and DSA (RFC 9580, section 9.1).
        Some(1..=3 | 17) => Ok(signature),
        other => {
            std::fs::remove_file(&signature).map_err(Error::file(&signature))?;
            Err(Error::Key {
                key: key.to_owned(),
                algorithm: other,
            })
        }
    }
}

/// The algorithm of the key that made an OpenPGP signature of version 4.
fn algorithm(packet: &[u8]) -> Option<u8> {
    let (tag, rest) = packet.split_first()?;
    // The length before the body: of one, two or four bytes in the old format, of one, two or five in the new.
    let skip = if tag & 0x40 == 0 {
        1 << (tag & 0x03)
    } else {
        match rest.first()? {
            0..=191 => 1,
            192..=223 => 2,
            _ => 5,
        }
    };
    match rest.get(skip..skip + 3)? {
        [4, _, algorithm] => Some(*algorithm),
        _ => None,
    }
}
