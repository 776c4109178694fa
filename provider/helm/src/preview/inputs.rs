//! What a preview depends on.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::chart::Chart;
use crate::post_render::PostRender;
use crate::release::ReleaseId;
use crate::render::{Capabilities, RenderOptions};
use crate::template::marks;
use crate::values::merge_maps;

/// One step into a tree of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key of a table.
    Key(String),
    /// An element of a list, from 0.
    Index(usize),
}

/// Values, some of which may not be known yet.
#[derive(Clone, Default)]
pub struct PlannedValues {
    tree: Map<String, Value>,
    unknown: bool,
}

impl PlannedValues {
    /// Values that are all known.
    pub fn known(tree: Map<String, Value>) -> Self {
        Self {
            tree,
            unknown: false,
        }
    }

    /// The same with the value at `path` unknown, whatever was there; tables on the way are made, lists
    /// are filled up with nulls. Without a step nothing at all is known.
    #[must_use]
    pub fn with_unknown(mut self, path: &[Step]) -> Self {
        self.unknown = true;
        let mut tree = Value::Object(std::mem::take(&mut self.tree));
        put(&mut tree, path, Value::from(marks::UNKNOWN));
        self.tree = match tree {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        self
    }

    /// Whether everything is known.
    pub const fn is_known(&self) -> bool {
        !self.unknown
    }
}

fn put(tree: &mut Value, path: &[Step], value: Value) {
    match path.split_first() {
        None => *tree = value,
        Some((Step::Key(key), rest)) => {
            if !tree.is_object() {
                *tree = Value::Object(Map::new());
            }
            put(&mut tree[key.as_str()], rest, value);
        }
        Some((Step::Index(index), rest)) => {
            if !tree.is_array() {
                *tree = Value::Array(Vec::new());
            }
            if let Value::Array(items) = tree {
                if items.len() <= *index {
                    items.resize(*index + 1, Value::Null);
                }
                put(&mut items[*index], rest, value);
            }
        }
    }
}

/// Values that are never shown: merged last when a release is deployed, stood in for in previews. Has no
/// `Debug`, on purpose.
#[derive(Clone, Default)]
pub struct SecretValues {
    tree: Map<String, Value>,
}

impl SecretValues {
    /// Takes the values and has their texts scrubbed from logs and errors.
    pub fn new(tree: Map<String, Value>) -> Self {
        tree.values().for_each(register);
        Self { tree }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// `values` with these merged last, as a deployment takes them: tables merge, everything else
    /// replaces.
    pub fn over(&self, mut values: Map<String, Value>) -> Map<String, Value> {
        merge_maps(&mut values, self.tree.clone());
        values
    }

    /// The same with a stand-in for each value. Truths stay as they are: a stand-in would decide
    /// otherwise than they do, and they tell little.
    fn stand_ins(&self) -> Map<String, Value> {
        let tree = self.tree.iter();
        tree.map(|(key, value)| (key.clone(), stand_in(value)))
            .collect()
    }
}

fn register(value: &Value) {
    match value {
        Value::String(text) => secret::register(text),
        Value::Array(items) => items.iter().for_each(register),
        Value::Object(map) => map.values().for_each(register),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn stand_in(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::String(_) | Value::Number(_) => Value::from(marks::SECRET),
        Value::Array(items) => items.iter().map(stand_in).collect(),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), stand_in(value)))
                .collect(),
        ),
    }
}

/// What a preview depends on.
#[derive(Clone)]
pub struct Inputs<'a> {
    /// The chart.
    pub chart: &'a Chart,
    /// The release's namespace and name.
    pub release: ReleaseId,
    /// `.Release.IsUpgrade`. Two previews that are compared want the same here, or what a chart makes only
    /// once shows as removed.
    pub is_upgrade: bool,
    /// The user's values.
    pub values: PlannedValues,
    /// Values to merge over them that must not be shown.
    pub secret: SecretValues,
    /// What the user raises to say that the secret values have changed.
    pub secret_version: String,
    /// What the cluster can do: from its version as it is declared, since none is asked.
    pub capabilities: Capabilities,
    /// Patches on what is rendered.
    pub post_render: PostRender,
    /// Whether the CRDs of `crds/` count: they do unless the release leaves them alone.
    pub crds: bool,
    /// Whether hooks count.
    pub hooks: bool,
    /// Leaves `values.schema.json` alone.
    pub skip_schema: bool,
}

impl<'a> Inputs<'a> {
    /// The chart with its defaults, as a new release on the cluster that Helm assumes.
    pub fn new(chart: &'a Chart, namespace: &str, name: &str) -> Self {
        Self {
            chart,
            release: ReleaseId::new(namespace, name),
            is_upgrade: false,
            values: PlannedValues::default(),
            secret: SecretValues::default(),
            secret_version: String::new(),
            capabilities: Capabilities::default(),
            post_render: PostRender::default(),
            crds: true,
            hooks: true,
            skip_schema: false,
        }
    }

    /// Whether the values hold stand-ins.
    pub(super) fn marked(&self) -> bool {
        self.values.unknown || !self.secret.is_empty()
    }

    /// How the chart is rendered, but for clock, randomness and look-ups.
    pub(super) fn options(&self) -> RenderOptions {
        let mut values = self.values.tree.clone();
        merge_maps(&mut values, self.secret.stand_ins());
        RenderOptions {
            release_name: self.release.name.clone(),
            namespace: self.release.namespace.clone(),
            is_upgrade: self.is_upgrade,
            values,
            capabilities: self.capabilities.clone(),
            // Stand-ins have other types than what they stand for.
            skip_schema: self.skip_schema || self.marked(),
            ..RenderOptions::default()
        }
    }

    /// The same with texts of several lines in the place of what is not known; `None` when everything is.
    pub(super) fn torn(&self) -> Option<RenderOptions> {
        if !self.values.unknown {
            return None;
        }
        let mut options = self.options();
        options.values = match marks::torn(&Value::Object(options.values)) {
            Value::Object(values) => values,
            _ => Map::new(),
        };
        Some(options)
    }

    /// A hash of everything here.
    pub(super) fn fingerprint(&self) -> String {
        let options = self.options();
        let mut hash = Sha256::new();
        let mut add = |text: &[u8]| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        add_chart(self.chart, &mut add);
        add(options.release_name.as_bytes());
        add(options.namespace.as_bytes());
        let switches = [self.is_upgrade, self.crds, self.hooks, self.skip_schema];
        add(&switches.map(u8::from));
        add(Value::Object(options.values).to_string().as_bytes());
        add(self.secret_version.as_bytes());
        add(options.capabilities.kube_version.git_version.as_bytes());
        for api in &options.capabilities.api_versions {
            add(api.as_bytes());
        }
        add(self.post_render.canonical().as_bytes());
        hex::encode(hash.finalize())
    }
}

/// The chart by its digest; one that came from a record has none and is hashed file by file.
fn add_chart(chart: &Chart, add: &mut impl FnMut(&[u8])) {
    if !chart.digest().is_empty() {
        return add(chart.digest().as_bytes());
    }
    add(chart.metadata.to_json().to_string().as_bytes());
    add(Value::Object(chart.values.clone()).to_string().as_bytes());
    for file in chart.templates.iter().chain(&chart.files) {
        add(file.name.as_bytes());
        add(&file.data);
    }
    for inner in &chart.dependencies {
        add_chart(inner, add);
    }
}
