//! The outside world of one rendering: clock, randomness, look-ups, limits.

use std::cell::Cell;
use std::rc::Rc;

use super::marks::Tracker;

/// Answers `lookup` with objects of a live cluster.
pub trait Lookup {
    /// One object, or with an empty `name` a list object (`items`); `Null` when there is none.
    ///
    /// # Errors
    ///
    /// Any failure but "not found", as the text that the template's user reads.
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<serde_json::Value, String>;
}

/// No cluster: every look-up finds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {
    fn lookup(&self, _: &str, _: &str, _: &str, _: &str) -> Result<serde_json::Value, String> {
        Ok(serde_json::Value::Null)
    }
}

/// The time that `now` and certificates see.
pub trait Clock {
    /// The present.
    fn now(&self) -> jiff::Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// A fixed time, for renderings that can be replayed.
impl Clock for jiff::Timestamp {
    fn now(&self) -> jiff::Timestamp {
        *self
    }
}

/// The randomness that `rand*`, `gen*`, `shuffle`, `uuidv4` and salts see.
pub trait Entropy {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A number below `bound`, which is at least one.
    fn below(&self, bound: u64) -> u64 {
        // The bias of 2^-64 parts does not matter here.
        let mut raw = [0; 16];
        self.fill(&mut raw);
        let number = u128::from_le_bytes(raw) % u128::from(bound.max(1));
        u64::try_from(number).unwrap_or(0)
    }

    /// A new RSA key of `bits`, as PKCS#8 DER; `None` when the size cannot be made.
    fn rsa_key(&self, bits: usize) -> Option<Vec<u8>>;
}

/// The system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // Without a source of randomness no key may be made; the bytes stay as they were only if
        // the system has none, which the callers' outputs make visible.
        let _ = getrandom::fill(buffer);
    }

    fn rsa_key(&self, bits: usize) -> Option<Vec<u8>> {
        super::rsa::key(bits)
    }
}

/// Bounds of one rendering; all templates executed with one [`Env`] share them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nested templates (`template`, `include`, `tpl`). Helm's is about a thousand.
    pub depth: usize,
    /// Nodes executed and elements produced: the time budget, in a unit that does not vary.
    pub steps: u64,
    /// Bytes that one execution may write.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 1000,
            steps: 100_000_000,
            output: 256 << 20,
        }
    }
}

/// Which sources of change a rendering has used. When none was used, the result is a function of
/// the chart and its values; otherwise a second rendering with another clock and other randomness
/// shows which leaves depend on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volatile {
    /// `now`, `ago`, a date of something that is no time, or a certificate.
    pub clock: bool,
    /// `rand*`, `gen*`, `shuffle`, `uuidv4`, a salt or an initialisation vector.
    pub entropy: bool,
    /// `lookup`.
    pub lookup: bool,
    /// `getHostByName`, when allowed.
    pub dns: bool,
}

impl Volatile {
    /// Whether any was used.
    pub const fn any(self) -> bool {
        self.clock || self.entropy || self.lookup || self.dns
    }
}

/// The outside world of one rendering. One `Env` serves all templates of a chart.
pub struct Env {
    pub(crate) lookup: Rc<dyn Lookup>,
    pub(crate) clock: Rc<dyn Clock>,
    pub(crate) entropy: Rc<dyn Entropy>,
    pub(crate) dns: bool,
    pub(crate) lint: bool,
    pub(crate) limits: Limits,
    pub(crate) steps: Cell<u64>,
    pub(crate) volatile: Cell<Volatile>,
    pub(crate) tracker: Option<Tracker>,
}

impl Default for Env {
    fn default() -> Self {
        Self {
            lookup: Rc::new(NoLookup),
            clock: Rc::new(SystemClock),
            entropy: Rc::new(SystemEntropy),
            dns: false,
            lint: false,
            limits: Limits::default(),
            steps: Cell::new(0),
            volatile: Cell::new(Volatile::default()),
            tracker: None,
        }
    }
}

impl Env {
    /// The system's clock and randomness, no cluster, no DNS.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `lookup` from `lookup`.
    pub fn lookup(mut self, lookup: Rc<dyn Lookup>) -> Self {
        self.lookup = lookup;
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Rc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes randomness from `entropy`.
    pub fn entropy(mut self, entropy: Rc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Lets `getHostByName` ask the system's resolver.
    pub fn allow_dns(mut self, allow: bool) -> Self {
        self.dns = allow;
        self
    }

    /// `required` and `fail` do not fail, as in `helm lint`.
    pub fn lint(mut self, lint: bool) -> Self {
        self.lint = lint;
        self
    }

    /// Bounds the rendering.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What the renderings so far have used.
    pub fn volatile(&self) -> Volatile {
        self.volatile.get()
    }

    /// Follows stand-ins for values that are not known; `torn` ones have several lines.
    pub(crate) fn track(mut self, torn: bool) -> Self {
        self.tracker = Some(Tracker::new(torn));
        self
    }

    pub(crate) fn touch(&self, mark: impl FnOnce(&mut Volatile)) {
        let mut volatile = self.volatile.get();
        mark(&mut volatile);
        self.volatile.set(volatile);
    }
}
