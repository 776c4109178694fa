//! Kubernetes' rules for labels and taints, and the labels that the provider keeps to itself.

use std::fmt;

use crate::text_enum::{serde_as_text, text_enum};
use crate::{Checked, Path, Problem};

/// The node label that names a worker's pool.
pub const POOL_LABEL: &str = "managedk8s/pool";
/// The node label that names a node's role.
pub const ROLE_LABEL: &str = "managedk8s/role";
/// The node label of the region.
pub const REGION_LABEL: &str = "topology.kubernetes.io/region";
/// The node label of the zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// The node label of the price class.
pub const INSTANCE_TYPE_LABEL: &str = "node.kubernetes.io/instance-type";
/// The taint key of dedicated storage nodes.
pub const STORAGE_TAINT: &str = "managedk8s/storage";

/// Labels that the kubelet, Talos or the provider sets; a configuration may not.
const OWNED: &[&str] = &[
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "node-role.kubernetes.io/control-plane",
    REGION_LABEL,
    ZONE_LABEL,
    INSTANCE_TYPE_LABEL,
];

/// Whether a text is a valid label value: empty, or at most 63 characters of the name alphabet.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

/// Whether a text is a valid label key: a name, optionally after a DNS subdomain and a slash.
pub fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_name(text),
        Some((prefix, name)) => is_subdomain(prefix) && is_name(name),
    }
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            let bytes = label.as_bytes();
            let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            (1..=63).contains(&bytes.len())
                && bytes.first().is_some_and(alphanumeric)
                && bytes.last().is_some_and(alphanumeric)
                && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
        })
}

/// Checks one label of a pool.
pub fn check_label(key: &str, value: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let place = || Path::root().key(key);
    if !is_label_key(key) {
        problems.push(
            Problem::error(place(), "label key is not valid")
                .seen(format!("{key:?}"))
                .allowed("an optional DNS name and '/', then 1 to 63 letters, digits, '-', '_', '.', a letter or digit at both ends")
                .next("Rename the label."),
        );
    } else if OWNED.contains(&key) || key.starts_with("managedk8s/") {
        problems.push(
            Problem::error(place(), "label is set by the provider")
                .seen(format!("{key:?}"))
                .allowed(format!(
                    "any label but those under managedk8s/ and {}",
                    OWNED.join(", ")
                ))
                .next("Remove the label; the provider sets it on every node."),
        );
    }
    if !is_label_value(value) {
        problems.push(
            Problem::error(place(), "label value is not valid")
                .seen(format!("{value:?}"))
                .allowed("nothing, or 1 to 63 letters, digits, '-', '_', '.', a letter or digit at both ends")
                .next("Change the value."),
        );
    }
    problems
}

text_enum! {
    /// What a taint does to pods that do not tolerate it.
    TaintEffect, "taint effect" {
        /// Keeps new pods away.
        NoSchedule = "NoSchedule",
        /// Keeps new pods away where possible.
        PreferNoSchedule = "PreferNoSchedule",
        /// Evicts running pods as well.
        NoExecute = "NoExecute",
    }
}

/// A taint in kubectl's form: `key=value:Effect`, the value optional.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Taint {
    /// The key, under the rules of label keys.
    pub key: String,
    /// The value, empty for none.
    pub value: String,
    /// The effect.
    pub effect: TaintEffect,
}

impl Taint {
    /// Reads a taint as [`fmt::Display`] wrote it, the provider's own included; `None` for anything else.
    pub fn parse_any(text: &str) -> Option<Self> {
        let (rest, effect) = text.rsplit_once(':')?;
        let effect = TaintEffect::parse(effect).ok()?;
        let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
        (is_label_key(key) && is_label_value(value)).then(|| Self {
            key: key.to_owned(),
            value: value.to_owned(),
            effect,
        })
    }

    /// Reads `key=value:Effect`, `key=:Effect` or `key:Effect`.
    pub fn parse(text: &str) -> Checked<Self> {
        let wrong = || {
            Box::new(
                Problem::error(Path::root(), "not a taint")
                    .seen(format!("{text:?}"))
                    .allowed("key=value:Effect, the effect being NoSchedule, PreferNoSchedule or NoExecute")
                    .next("Write for example \"dedicated=gpu:NoSchedule\"."),
            )
        };
        let (rest, effect) = text.rsplit_once(':').ok_or_else(wrong)?;
        let effect = TaintEffect::parse(effect).map_err(|_| wrong())?;
        let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
        if !is_label_key(key) || !is_label_value(value) || key.starts_with("managedk8s/") {
            return Err(wrong());
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
            effect,
        })
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}", self.key, self.value, self.effect)
    }
}

serde_as_text!(Taint, Taint::parse);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_follow_kubernetes() {
        for good in ["team", "example.org/team", "A_b.c-1", "a/B"] {
            assert!(is_label_key(good), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "-a",
            "a-",
            "a/b/c",
            "Example.org/a",
            "a b",
            &"a".repeat(64),
        ] {
            assert!(!is_label_key(bad), "{bad}");
        }
    }

    #[test]
    fn owned_labels_are_refused() {
        assert_eq!(check_label(ZONE_LABEL, "AZ05").len(), 1);
        assert_eq!(check_label("managedk8s/pool", "x").len(), 1);
        assert!(check_label("example.org/team", "core").is_empty());
    }

    #[test]
    fn taints_accept_an_absent_value() {
        let expected = "gpu=:NoSchedule";
        for text in ["gpu:NoSchedule", expected] {
            assert_eq!(Taint::parse(text).expect("a taint").to_string(), expected);
        }
        for bad in [
            "gpu",
            "gpu=1",
            "gpu:Never",
            "=1:NoSchedule",
            "a b:NoSchedule",
        ] {
            assert!(Taint::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            if let Ok(taint) = Taint::parse(&text) {
                prop_assert_eq!(Taint::parse(&taint.to_string()).ok(), Some(taint));
            }
        }
    }
}
