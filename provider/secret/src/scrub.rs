//! The process-wide set of secrets that no log line may carry: the last net, not the first.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What stands in the place of a secret.
pub const MASK: &str = "[secret]";

/// Shorter secrets are not registered: they would blank ordinary words.
const SHORTEST: usize = 8;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    forms: BTreeSet::new(),
    automaton: None,
});

struct Registry {
    forms: BTreeSet<String>,
    automaton: Option<AhoCorasick>,
}

/// Adds a secret text, and the forms in which it travels: base64 (also in the middle of a longer
/// encoded document), hexadecimal digits, and JSON escapes. Texts under 8 characters are ignored.
pub fn register(secret: &str) {
    let secret = secret.trim();
    if secret.len() < SHORTEST {
        return;
    }
    let mut forms = encoded(secret.as_bytes());
    forms.push(secret.to_owned());
    if secret.contains(['\n', '"', '\\']) {
        forms.push(
            secret
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n"),
        );
        // A block indented inside another document: every line long enough to be key material.
        forms.extend(
            secret
                .lines()
                .map(str::trim)
                .filter(|line| line.len() >= 2 * SHORTEST && !line.starts_with("-----"))
                .map(str::to_owned),
        );
    }
    insert(forms);
}

/// Adds secret bytes in their encoded forms, and as text when they are text. Fewer than 8 bytes
/// are ignored.
pub fn register_bytes(secret: &[u8]) {
    if secret.len() < SHORTEST {
        return;
    }
    insert(encoded(secret));
    if let Ok(text) = std::str::from_utf8(secret) {
        register(text);
    }
}

/// `text` with every registered secret replaced by [`MASK`].
pub fn scrub(text: &str) -> Cow<'_, str> {
    let automaton = {
        let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        if registry.forms.is_empty() {
            return Cow::Borrowed(text);
        }
        if registry.automaton.is_none() {
            let built = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(&registry.forms);
            match built {
                Ok(built) => registry.automaton = Some(built),
                // Too many secrets for one automaton: nothing is better than a leak.
                Err(_) => return Cow::Borrowed(MASK),
            }
        }
        registry.automaton.clone()
    };
    let Some(automaton) = automaton else {
        return Cow::Borrowed(MASK);
    };
    if !automaton.is_match(text) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    automaton.replace_all_with(text, &mut clean, |_, _, clean| {
        clean.push_str(MASK);
        true
    });
    Cow::Owned(clean)
}

fn insert(forms: Vec<String>) {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    for form in forms {
        if registry.forms.insert(form) {
            registry.automaton = None;
        }
    }
}

/// Hexadecimal digits, and base64 at each of the three alignments a secret can have inside an
/// encoded document; characters that depend on its neighbours are cut off.
fn encoded(secret: &[u8]) -> Vec<String> {
    let digits = hex::encode(secret);
    let mut forms = vec![digits.to_uppercase(), digits];
    for shift in 0..3_usize {
        let mut padded = vec![0; shift];
        padded.extend_from_slice(secret);
        let whole = padded.len() / 3 * 3;
        let text = STANDARD_NO_PAD.encode(&padded[..whole]);
        let core = &text[if shift == 0 { 0 } else { 4 }..];
        if core.len() >= SHORTEST {
            forms.push(core.to_owned());
            if core.contains(['+', '/']) {
                forms.push(core.replace('+', "-").replace('/', "_"));
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_is_masked_raw_encoded_and_inside_an_encoded_document() {
        let secret = "correct-horse-battery-staple";
        register(secret);
        assert_eq!(
            scrub("login with correct-horse-battery-staple now"),
            "login with [secret] now"
        );
        for head in ["", "k", "ke", "key"] {
            let document = STANDARD.encode(format!("{head}{secret} and more"));
            let clean = scrub(&document);
            assert!(clean.contains(MASK), "{head:?}: {clean}");
            let exact = STANDARD.encode(format!("{head}{secret}"));
            assert!(scrub(&exact).contains(MASK), "{head:?}");
        }
        assert_eq!(scrub(&format!("<{}>", hex::encode(secret))), "<[secret]>");
    }

    #[test]
    fn a_block_of_lines_is_masked_when_it_is_escaped_or_indented() {
        let block = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBUZZWORDnotakey0123456789\nq1w2e3r4t5y6u7i8o9p0aa\n-----END EC PRIVATE KEY-----\n";
        register(block);
        let json = format!("{{\"key\":\"{}\"}}", block.trim().replace('\n', "\\n"));
        assert_eq!(scrub(&json), "{\"key\":\"[secret]\"}");
        let indented = block.replace('\n', "\n    ");
        assert!(!scrub(&indented).contains("BUZZWORD"));
        assert!(!scrub(&indented).contains("q1w2e3r4"));
    }

    #[test]
    fn short_texts_are_left_alone() {
        register("short");
        assert_eq!(scrub("a short line"), "a short line");
    }

    proptest! {
        // The registry only grows, and each case makes the automaton anew.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn random_bytes_leave_no_trace_of_their_middle(
            secret in proptest::collection::vec(any::<u8>(), 24..40),
            before in proptest::collection::vec(any::<u8>(), 0..5),
        ) {
            register_bytes(&secret);
            let mut document = before;
            document.extend_from_slice(&secret);
            document.push(0);
            for text in [STANDARD.encode(&document), URL_SAFE_NO_PAD.encode(&document)] {
                let clean = scrub(&text);
                prop_assert!(clean.contains(MASK), "{clean}");
                // At most two characters at either end depend on the neighbours, and they stay.
                prop_assert!(clean.len() < text.len() - 16);
            }
        }
    }
}
