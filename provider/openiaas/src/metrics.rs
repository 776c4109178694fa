//! Counts of calls, for the figures.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::Request;

/// How many calls were sent, each attempt counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// By class of operation (`read`, `poll`, `create`, ...).
    pub by_class: BTreeMap<&'static str, u64>,
    /// By method and path, `{}` in the place of identifiers.
    pub by_path: BTreeMap<String, u64>,
    /// Attempts after the first of a call.
    pub repeated: u64,
}

impl Metrics {
    /// All calls.
    pub fn total(&self) -> u64 {
        self.by_class.values().sum()
    }

    /// All calls but logins and looks at activities.
    pub fn without_polls(&self) -> u64 {
        let count = |class| self.by_class.get(class).copied().unwrap_or_default();
        self.total() - count("poll") - count("login")
    }
}

#[derive(Default)]
pub(crate) struct Counter(Mutex<Metrics>);

impl Counter {
    pub(crate) fn sent(&self, request: &Request, repeated: bool) {
        let mut metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *metrics.by_class.entry(request.class.name()).or_default() += 1;
        let path = format!("{} {}", request.method, request.template);
        *metrics.by_path.entry(path).or_default() += 1;
        metrics.repeated += u64::from(repeated);
    }

    pub(crate) fn snapshot(&self) -> Metrics {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
