//! How an observation differs from what is desired: the one source of both the plan and `drift`.

use std::collections::BTreeMap;

use super::Object;

/// Most entries of `drift`; the rest is counted (design law 1).
const MOST_ENTRIES: usize = 50;
/// Key of the entry that counts the rest.
const MORE: &str = "and more";

macro_rules! kinds {
    ($( $(#[$meta:meta])* $name:ident = $word:literal, $aspect:expr; )+) => {
        /// In which way something deviates.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DeviationKind { $( $(#[$meta])* $name ),+ }

        impl DeviationKind {
            const ALL: &'static [Self] = &[ $( Self::$name ),+ ];

            /// The word in `drift`.
            pub const fn word(self) -> &'static str {
                match self { $( Self::$name => $word ),+ }
            }

            /// What part of the object it is about; `None` for the object itself.
            const fn aspect(self) -> Option<&'static str> {
                match self { $( Self::$name => $aspect ),+ }
            }
        }
    };
}

kinds! {
    /// It does not exist.
    Missing = "missing", None;
    /// It exists without its tag: whose it is was never said.
    Unclaimed = "untagged", None;
    /// Its making was interrupted.
    Unfinished = "unfinished", None;
    /// The machine stands still.
    Halted = "halted", None;
    /// Its API does not answer though it should.
    Silent = "not answering", None;
    /// The node is not ready.
    NotReady = "not ready", None;
    /// It is there and should not be.
    Surplus = "surplus", None;
    /// An etcd member whose machine is gone.
    StaleMember = "stale etcd member", Some("member");
    /// etcd was never bootstrapped.
    NotBootstrapped = "not bootstrapped", None;
    /// Size or disks of the machine are others.
    Shape = "different machine", Some("shape");
    /// Labels of the node are others.
    Labels = "different labels", Some("labels");
    /// Taints of the node are others.
    Taints = "different taints", Some("taints");
    /// The drive with the machine's configuration is still attached.
    ConfigDrive = "configuration drive attached", Some("drive");
    /// The release is not installed.
    NotInstalled = "not installed", None;
    /// The release is another version or has other values.
    Outdated = "outdated", None;
    /// The last operation on the release did not end well.
    Failed = "failed", None;
    /// An object of the release was changed.
    Changed = "changed", None;
    /// The inputs in the cluster are others.
    Inputs = "different inputs recorded", Some("inputs");
    /// The cluster's create never ended.
    Incomplete = "incomplete", None;
}

/// One deviation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deviation {
    /// What deviates.
    pub object: Object,
    /// In which way.
    pub kind: DeviationKind,
    /// What was seen and wanted, never a secret.
    pub detail: String,
}

impl Deviation {
    /// A deviation.
    pub fn new(object: Object, kind: DeviationKind, detail: impl Into<String>) -> Self {
        Self {
            object,
            kind,
            detail: detail.into(),
        }
    }

    /// The text shown in `drift` and as the reason of a step.
    pub fn text(&self) -> String {
        if self.detail.is_empty() {
            self.kind.word().to_owned()
        } else {
            format!("{}: {}", self.kind.word(), self.detail)
        }
    }

    fn key(&self) -> String {
        match self.kind.aspect() {
            None => self.object.to_string(),
            Some(aspect) => format!("{}.{aspect}", self.object),
        }
    }

    fn read(key: &str, text: &str) -> Option<Self> {
        let (word, detail) = text.split_once(": ").unwrap_or((text, ""));
        let kind = *DeviationKind::ALL.iter().find(|kind| kind.word() == word)?;
        let object = match kind.aspect() {
            None => key,
            Some(aspect) => key.strip_suffix(aspect)?.strip_suffix('.')?,
        };
        Some(Self::new(Object::parse(object)?, kind, detail))
    }
}

/// The computed attribute `drift`: deviating objects only, at most 50, then a count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift(BTreeMap<String, String>);

impl Drift {
    /// The compact form of deviations, in whatever order they come.
    pub fn of(deviations: &[Deviation]) -> Self {
        let mut all: Vec<&Deviation> = deviations.iter().collect();
        all.sort();
        let mut entries = BTreeMap::new();
        for deviation in all.iter().take(MOST_ENTRIES) {
            entries
                .entry(deviation.key())
                .or_insert_with(|| deviation.text());
        }
        if let Some(more) = all.len().checked_sub(MOST_ENTRIES).filter(|more| *more > 0) {
            entries.insert(MORE.to_owned(), format!("{more} other objects deviate"));
        }
        Self(entries)
    }

    /// What state holds.
    pub const fn from_map(entries: BTreeMap<String, String>) -> Self {
        Self(entries)
    }

    /// The entries, for state.
    pub const fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Whether nothing deviates.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The deviations, read back. Entries of a newer provider that this one cannot read are left out:
    /// the apply observes for itself.
    pub fn deviations(&self) -> Vec<Deviation> {
        self.0
            .iter()
            .filter_map(|(key, text)| Deviation::read(key, text))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use product::NodeKey;

    use super::*;

    fn each_kind() -> Vec<Deviation> {
        DeviationKind::ALL
            .iter()
            .zip(1u16..)
            .map(|(kind, index)| {
                Deviation::new(
                    Object::Machine(NodeKey::worker(index)),
                    *kind,
                    "seen: x, wanted y",
                )
            })
            .collect()
    }

    #[test]
    fn drift_is_read_back() {
        let mut deviations = each_kind();
        deviations.push(Deviation::new(
            Object::Release("kube-system/cilium".into()),
            DeviationKind::NotInstalled,
            "",
        ));
        deviations.push(Deviation::new(
            Object::Resource("DaemonSet metallb-system/speaker".into()),
            DeviationKind::Missing,
            "",
        ));
        let drift = Drift::of(&deviations);
        deviations.sort();
        let mut read = Drift::from_map(drift.as_map().clone()).deviations();
        read.sort();
        assert_eq!(read, deviations);
    }

    #[test]
    fn fifty_then_a_count() {
        let many: Vec<Deviation> = (1..=63)
            .map(|index| {
                Deviation::new(
                    Object::Machine(NodeKey::worker(index)),
                    DeviationKind::Missing,
                    "",
                )
            })
            .collect();
        let drift = Drift::of(&many);
        assert_eq!(drift.as_map().len(), 51);
        assert_eq!(drift.as_map()[MORE], "13 other objects deviate");
        assert_eq!(drift.deviations().len(), 50);
    }
}
