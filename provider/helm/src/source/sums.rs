//! The SHA-256 of bytes, and whether it is the promised one.

use sha2::{Digest as _, Sha256};

use super::Error;

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Compares bytes with a promise; `sha256:` in front of it is allowed.
pub(super) fn check(
    bytes: &[u8],
    wanted: Option<&str>,
    promised: &'static str,
    url: &str,
) -> Result<(), Error> {
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
        return Ok(());
    };
    let wanted = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    let seen = sha256(bytes);
    if seen.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Error::Digest {
        url: url.to_owned(),
        seen,
        promised,
        wanted: wanted.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_bytes_are_noticed() {
        assert!(check(b"x", None, "the index", "u").is_ok());
        let digest = sha256(b"x");
        assert!(check(b"x", Some(&format!("sha256:{digest}")), "the index", "u").is_ok());
        assert!(matches!(
            check(b"y", Some(&digest), "the index", "u"),
            Err(Error::Digest { .. })
        ));
    }
}
