//! What was seen of an add-on.

use std::collections::BTreeMap;

use crate::seen::Seen;

/// What was seen of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseSeen {
    /// No release of this name in this namespace.
    Absent,
    /// A release.
    Present {
        /// Version of its chart.
        version: String,
        /// The fingerprint that was recorded with its newest revision; empty when somebody else made that.
        fingerprint: String,
        /// What manages it, as recorded; empty when somebody else installed it.
        owner: String,
        /// Version of what it installs.
        app_version: String,
        /// Whether its last operation ended well.
        deployed: bool,
        /// Objects of it that are missing or were changed: the object and how.
        changed: BTreeMap<String, String>,
        /// Objects of it that are not ready: the object and what is missing (kstatus).
        unready: BTreeMap<String, String>,
    },
}

/// An add-on as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedAddon {
    /// The release.
    pub release: Seen<ReleaseSeen>,
    /// Whether the objects beside the release are there as desired.
    pub objects_applied: Seen<bool>,
    /// Whether the inputs in the cluster are those of the desired state.
    pub inputs_recorded: Seen<bool>,
}

impl ObservedAddon {
    /// Before a create: nothing is there.
    pub const fn nothing() -> Self {
        Self {
            release: Seen::Known(ReleaseSeen::Absent),
            objects_applied: Seen::Known(false),
            inputs_recorded: Seen::Known(false),
        }
    }

    /// Exactly what the desired state asks for: the end of an apply.
    pub fn in_order(desired: &super::DesiredAddon) -> Self {
        Self {
            release: Seen::Known(ReleaseSeen::Present {
                version: desired.source.version.clone(),
                fingerprint: desired.fingerprint(),
                owner: desired.owner.clone(),
                app_version: String::new(),
                deployed: true,
                changed: BTreeMap::new(),
                unready: BTreeMap::new(),
            }),
            objects_applied: Seen::Known(true),
            inputs_recorded: Seen::Known(true),
        }
    }
}
