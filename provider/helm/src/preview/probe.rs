//! Rendering several times, so that what changes by itself shows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::inputs::Inputs;
use super::settle::{flatten, settle};
use super::{Error, Preview, Unsettled};
use crate::render::{self, RenderOptions, Rendered, render_marked, render_torn};
use crate::template::{Entropy, Lookup, SystemEntropy};

/// The renderings' clocks: no two of them share a field of the date or the time.
const CLOCKS: [i64; 3] = [1_706_933_106, 565_048_119, 2_569_710_412];

pub(super) fn run(inputs: &Inputs<'_>) -> Result<Preview, Error> {
    let preview = |objects, unsettled, warnings| Preview {
        objects,
        unsettled,
        fingerprint: inputs.fingerprint(),
        secret_version: inputs.secret_version.clone(),
        warnings,
    };
    let whole = |reason: String| {
        let unsettled = Unsettled {
            reason,
            templates: Vec::new(),
        };
        Ok(preview(<_>::default(), Some(unsettled), Vec::new()))
    };
    let first = match Try::new(Chance::Hash(0), 0).render(inputs) {
        Ok(first) => first,
        // The text may quote a stand-in, which says nothing to anybody.
        Err(Error::Render(_)) if inputs.marked() => {
            return whole(
                "the chart cannot be rendered before all its values are known".to_owned(),
            );
        }
        Err(error) => return Err(error),
    };
    if first.leaked {
        return whole(LEAK.to_owned());
    }
    let mut first = first;
    if let Some(torn) = inputs.torn() {
        match render_torn(inputs.chart, &Try::new(Chance::Hash(0), 0).world(torn)) {
            Ok(torn) if torn.leaked => {
                return whole(LEAK.to_owned());
            }
            Ok(torn) => first.unsettled.extend(torn.files),
            Err(_) => {
                return whole(
                    "the chart cannot be rendered with a text of several lines".to_owned(),
                );
            }
        }
    }
    let mut all = vec![first];
    let volatile = all[0].rendered.volatile;
    if volatile.clock || volatile.entropy {
        let tries = [
            Try::new(Chance::Low, 1),
            Try::new(Chance::High, 2),
            Try::new(Chance::Hash(1), 1),
        ];
        let mut others: Vec<Outcome> = tries[..2]
            .iter()
            .filter_map(|again| again.render(inputs).ok())
            .collect();
        if others.is_empty() {
            // Extremes can be what a chart refuses; another middle then tells less, but something.
            others.extend(tries[2].render(inputs).ok());
        }
        if others.is_empty() {
            return whole("what the chart makes depends on random values".to_owned());
        }
        all.extend(others);
    }
    if volatile.lookup {
        let own: Arc<Vec<Value>> = Arc::new(flatten(inputs, &all[0].rendered));
        let found = |generic: bool| {
            let found: Arc<dyn Lookup + Send + Sync> = Arc::new(Found {
                own: own.clone(),
                generic,
            });
            Try {
                lookup: Some(found),
                ..Try::new(Chance::Hash(0), 0)
            }
            .render(inputs)
            .ok()
        };
        let before = all.len();
        all.extend(found(true));
        all.extend(found(false));
        if all.len() == before {
            return whole("what the chart makes depends on objects in the cluster".to_owned());
        }
    }
    let settled = settle(inputs, &all);
    let warnings = std::mem::take(&mut all[0].rendered.warnings);
    Ok(preview(settled.objects, settled.unsettled, warnings))
}

const LEAK: &str = "a template changes other templates' values by one that is not known";

/// A rendering that went well.
pub(super) struct Outcome {
    pub(super) rendered: Rendered,
    /// Templates that decided by what is not known.
    pub(super) unsettled: std::collections::BTreeSet<String>,
    leaked: bool,
}

/// One world to render in.
struct Try {
    chance: Chance,
    clock: usize,
    lookup: Option<render::SharedLookup>,
}

impl Try {
    const fn new(chance: Chance, clock: usize) -> Self {
        Self {
            chance,
            clock,
            lookup: None,
        }
    }

    fn world(&self, options: RenderOptions) -> RenderOptions {
        let clock = Timestamp::from_second(CLOCKS[self.clock]).unwrap_or(Timestamp::UNIX_EPOCH);
        RenderOptions {
            clock: Some(Arc::new(clock)),
            entropy: Some(Arc::new(Dice::new(self.chance))),
            lookup: self.lookup.clone(),
            ..options
        }
    }

    fn render(&self, inputs: &Inputs<'_>) -> Result<Outcome, Error> {
        let options = self.world(inputs.options());
        let (mut rendered, unsettled) = if inputs.marked() {
            render_marked(inputs.chart, &options)?
        } else {
            (render::render(inputs.chart, &options)?, <_>::default())
        };
        inputs
            .post_render
            .apply(&mut rendered, &inputs.release.namespace)?;
        Ok(Outcome {
            rendered,
            unsettled: unsettled.files,
            leaked: unsettled.leaked,
        })
    }
}

/// How the dice fall. The extremes show what a small range would hide.
#[derive(Clone, Copy)]
enum Chance {
    Low,
    High,
    Hash(u8),
}

/// Randomness that is the same in every process.
struct Dice {
    chance: Chance,
    rolls: AtomicU64,
}

impl Dice {
    const fn new(chance: Chance) -> Self {
        Self {
            chance,
            rolls: AtomicU64::new(0),
        }
    }

    fn seed(&self) -> u8 {
        match self.chance {
            Chance::Hash(seed) => seed,
            Chance::Low => 100,
            Chance::High => 101,
        }
    }

    fn roll(&self) -> [u8; 32] {
        let roll = self.rolls.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update([self.seed()]);
        hash.update(roll.to_be_bytes());
        hash.finalize().into()
    }
}

impl Entropy for Dice {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(32) {
            chunk.copy_from_slice(&self.roll()[..chunk.len()]);
        }
    }

    fn below(&self, bound: u64) -> u64 {
        match self.chance {
            Chance::Low => 0,
            Chance::High => bound.saturating_sub(1),
            Chance::Hash(_) => {
                let roll = self.roll();
                let head = roll
                    .first_chunk()
                    .map_or(0, |head| u64::from_be_bytes(*head));
                head % bound.max(1)
            }
        }
    }

    /// Keys cannot be made from a seed here. Those of this process do: nothing of them is ever shown, and
    /// they are made once.
    fn rsa_key(&self, _: usize) -> Option<Vec<u8>> {
        static KEYS: [OnceLock<Option<Vec<u8>>>; 3] = [const { OnceLock::new() }; 3];
        let slot = match self.chance {
            Chance::Hash(_) => 0,
            Chance::Low => 1,
            Chance::High => 2,
        };
        KEYS[slot]
            .get_or_init(|| SystemEntropy.rsa_key(2048))
            .clone()
    }
}

/// A cluster that holds what the release makes, with other contents where the server or an earlier
/// release would have put them.
struct Found {
    own: Arc<Vec<Value>>,
    /// Whether there is an object of any other name too.
    generic: bool,
}

impl Lookup for Found {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String> {
        let fits = |object: &&Value| {
            let metadata = &object["metadata"];
            object["kind"] == kind
                && (name.is_empty() || metadata["name"] == name)
                && (namespace.is_empty()
                    || metadata["namespace"].is_null()
                    || metadata["namespace"] == namespace)
        };
        let own: Vec<Value> = self.own.iter().filter(fits).map(lived).collect();
        let generic = || {
            lived(&json!({
                "apiVersion": api_version, "kind": kind,
                "metadata": {"name": if name.is_empty() { "found" } else { name }, "namespace": namespace},
                "data": {}, "spec": {},
            }))
        };
        if !name.is_empty() {
            let mut own = own;
            return Ok(match own.pop() {
                Some(object) => object,
                None if self.generic => generic(),
                None => Value::Null,
            });
        }
        let items = if own.is_empty() && self.generic {
            vec![generic()]
        } else {
            own
        };
        Ok(
            json!({"apiVersion": api_version, "kind": format!("{kind}List"), "metadata": {}, "items": items}),
        )
    }
}

/// An object as it might be after a life in the cluster.
fn lived(object: &Value) -> Value {
    use base64::Engine as _;
    let mut object = object.clone();
    let secret = object["kind"] == "Secret";
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        for (key, value) in [
            ("uid", json!("8c1cbd13-54f0-4a4b-9a55-2a5b4a9d0001")),
            ("resourceVersion", json!("4711")),
            ("creationTimestamp", json!("2019-08-07T06:05:04Z")),
        ] {
            metadata.insert(key.to_owned(), value);
        }
        for table in ["labels", "annotations"] {
            metadata
                .entry(table)
                .or_insert_with(|| Value::Object(<_>::default()));
        }
    }
    if let Value::Object(map) = &mut object {
        let plain = map.remove("stringData");
        if let Some(Value::Object(plain)) = plain {
            let data = map
                .entry("data")
                .or_insert_with(|| Value::Object(<_>::default()));
            if let Value::Object(data) = data {
                data.extend(plain);
            }
        }
        map.entry("status")
            .or_insert_with(|| Value::Object(<_>::default()));
    }
    if let Some(Value::Object(data)) = object.get_mut("data") {
        for (key, value) in data {
            let text = format!("found-{key}");
            *value = if secret {
                base64::engine::general_purpose::STANDARD
                    .encode(text)
                    .into()
            } else {
                text.into()
            };
        }
    }
    object
}
