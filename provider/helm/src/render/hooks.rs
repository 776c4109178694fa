//! Hooks: objects that are applied at moments of a release's life and are no part of it.

use std::fmt;

use serde_json::Value;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$item])* $variant,)+
            /// A word that Helm does not know; it has no effect.
            Unknown(String),
        }

        impl $name {
            /// The word in annotations and records.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text,
                }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// A moment of a release's life.
    HookEvent {
        /// Before the objects of a new release.
        PreInstall = "pre-install",
        /// After a new release is ready.
        PostInstall = "post-install",
        /// Before the objects are removed.
        PreDelete = "pre-delete",
        /// After the objects are removed.
        PostDelete = "post-delete",
        /// Before the objects of a new revision.
        PreUpgrade = "pre-upgrade",
        /// After a new revision is ready.
        PostUpgrade = "post-upgrade",
        /// Before the objects of an old revision come back.
        PreRollback = "pre-rollback",
        /// After an old revision is ready again.
        PostRollback = "post-rollback",
        /// When the user tests the release.
        Test = "test",
    }
}

words! {
    /// When a hook's object is removed.
    HookDeletePolicy {
        /// After all hooks of the event succeeded.
        HookSucceeded = "hook-succeeded",
        /// When it failed.
        HookFailed = "hook-failed",
        /// Before the next run; the default.
        BeforeHookCreation = "before-hook-creation",
    }
}

words! {
    /// When a hook's logs are shown.
    HookLogPolicy {
        /// After success.
        HookSucceeded = "hook-succeeded",
        /// After failure.
        HookFailed = "hook-failed",
    }
}

/// A hook of a rendered chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// The object's name.
    pub name: String,
    /// The object's kind.
    pub kind: String,
    /// The template it came from.
    pub path: String,
    /// The object's YAML.
    pub manifest: String,
    /// The object, its numbers as YAML made them.
    pub object: Value,
    /// The moments at which it runs.
    pub events: Vec<HookEvent>,
    /// Lower runs first.
    pub weight: i64,
    /// When its object is removed; empty means before the next run.
    pub delete_policies: Vec<HookDeletePolicy>,
    /// When its logs are shown.
    pub log_policies: Vec<HookLogPolicy>,
}

impl Hook {
    /// Puts another object in the place of this one; events and policies stay.
    pub fn set_object(&mut self, object: Value) {
        self.manifest = crate::yaml::encode(&object);
        self.object = object;
    }
}

/// What an object's annotations make of it.
pub(super) enum Role {
    /// A part of the release.
    Object,
    /// A hook.
    Hook {
        events: Vec<HookEvent>,
        weight: i64,
        delete_policies: Vec<HookDeletePolicy>,
        log_policies: Vec<HookLogPolicy>,
    },
    /// Names a moment that Helm does not know: dropped altogether.
    Dropped(String),
}

/// Reads the role from the annotations.
pub(super) fn role(annotation: impl Fn(&str) -> Option<String>) -> Role {
    let Some(events) = annotation("helm.sh/hook") else {
        return Role::Object;
    };
    let words = |text: &str| -> Vec<String> {
        text.split(',')
            .map(|word| word.trim().to_lowercase())
            .collect()
    };
    let mut known = Vec::new();
    for word in words(&events) {
        match HookEvent::parse(&word) {
            HookEvent::Unknown(word) if word == "test-success" => known.push(HookEvent::Test),
            HookEvent::Unknown(_) => return Role::Dropped(events),
            event => known.push(event),
        }
    }
    let list = |key: &str| annotation(key).map(|text| words(&text)).unwrap_or_default();
    Role::Hook {
        events: known,
        weight: annotation("helm.sh/hook-weight")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
        delete_policies: list("helm.sh/hook-delete-policy")
            .iter()
            .map(|word| HookDeletePolicy::parse(word))
            .collect(),
        log_policies: list("helm.sh/hook-output-log-policy")
            .iter()
            .map(|word| HookLogPolicy::parse(word))
            .collect(),
    }
}
