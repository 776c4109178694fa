//! The text forms: clear-signed messages and armoured blocks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Error;

/// A clear-signed message, taken apart.
pub(crate) struct Signed {
    /// The text as people read it.
    pub(crate) text: String,
    /// The text as it was signed: lines end in CR and LF, without blanks before, the last one without.
    pub(crate) canonical: Vec<u8>,
    /// The packets of the signature.
    pub(crate) signature: Vec<u8>,
}

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";

/// Reads the first clear-signed message; `None` when there is none.
pub(crate) fn clear_signed(input: &[u8]) -> Option<Signed> {
    let input = String::from_utf8_lossy(input);
    let mut lines = input.lines().skip_while(|line| line.trim_end() != BEGIN);
    lines.next()?;
    // Headers, up to a blank line. Only `Hash` may be there: others would look signed and are not.
    loop {
        let line = lines.next()?.trim();
        if line.is_empty() {
            break;
        }
        if !line.starts_with("Hash:") {
            return None;
        }
    }
    let mut text = Vec::new();
    let mut canonical = Vec::new();
    loop {
        let line = lines.next()?;
        if line.trim_end() == SIGNATURE {
            break;
        }
        let line = line.strip_prefix("- ").unwrap_or(line);
        text.push(line);
        canonical.push(line.trim_end_matches([' ', '\t', '\r']));
    }
    let armour: Vec<&str> = std::iter::once(SIGNATURE).chain(lines).collect();
    let signature = armoured(&armour.join("\n")).ok()?;
    Some(Signed {
        text: text.join("\n"),
        canonical: canonical.join("\r\n").into_bytes(),
        signature,
    })
}

/// The bytes of an armoured block.
pub(super) fn armoured(text: &str) -> Result<Vec<u8>, Error> {
    let broken = || Error::Data("the armour is broken".to_owned());
    let mut lines = text
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("-----BEGIN PGP"));
    lines.next().ok_or_else(broken)?;
    let mut body = String::new();
    let mut head = true;
    for line in lines {
        if line.starts_with("-----END PGP") {
            return STANDARD.decode(body).map_err(|_| broken());
        }
        // Headers end at a blank line; without any, base64 begins at once.
        if head && (line.is_empty() || line.contains(": ")) {
            head = !line.is_empty();
            continue;
        }
        head = false;
        // The checksum guards against damage, which the signature does better.
        if !line.starts_with('=') {
            body.push_str(line);
        }
    }
    Err(broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_unescaped_and_made_canonical() {
        let signed = clear_signed(
            b"note\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\na: 1  \n- -----\n\n...\nb\n-----BEGIN PGP SIGNATURE-----\nVersion: x\n\nAQID\n=abcd\n-----END PGP SIGNATURE-----\n",
        )
        .expect("a message");
        assert_eq!(signed.text, "a: 1  \n-----\n\n...\nb");
        assert_eq!(signed.canonical, b"a: 1\r\n-----\r\n\r\n...\r\nb");
        assert_eq!(signed.signature, [1, 2, 3]);
    }

    #[test]
    fn what_is_no_message_is_none() {
        for text in [
            "",
            "a",
            "-----BEGIN PGP SIGNED MESSAGE-----",
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\nNote: x\n\na\n-----BEGIN PGP SIGNATURE-----\n\nAQID\n-----END PGP SIGNATURE-----",
            "-----BEGIN PGP SIGNED MESSAGE-----\n\na\n-----BEGIN PGP SIGNATURE-----\n\nAQ!D\n-----END PGP SIGNATURE-----",
        ] {
            assert!(clear_signed(text.as_bytes()).is_none(), "{text}");
        }
    }
}
