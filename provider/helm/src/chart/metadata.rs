//! `Chart.yaml` and the files around it, read as Go's JSON decoder would and checked as Helm does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::semver::Version;

/// A person or team named in `Chart.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintainer {
    /// The name.
    pub name: String,
    /// The mail address.
    pub email: String,
    /// A page.
    pub url: String,
}

/// One `import-values` entry of a dependency.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportValues {
    /// `data`: the child's `exports.data` at the parent's root.
    Export(String),
    /// The child's table `child` as the parent's `parent` (`.` is the root).
    Table {
        /// A dotted path in the child.
        child: String,
        /// A dotted path in the parent.
        parent: String,
    },
    /// Anything else: ignored, kept for `.Chart.Dependencies`.
    Other(Value),
}

/// A dependency declared in `Chart.yaml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// The chart's name; after processing, the alias if there is one.
    pub name: String,
    /// A version constraint.
    pub version: String,
    /// Where it comes from.
    pub repository: String,
    /// Dotted paths of values, separated by commas: the first boolean found decides.
    pub condition: String,
    /// Groups that the values' `tags` switch.
    pub tags: Vec<String>,
    /// Whether it takes part; computed.
    pub enabled: bool,
    /// What the parent takes of the child's values.
    pub import_values: Vec<ImportValues>,
    /// Another name for this use of the chart.
    pub alias: String,
}

/// `Chart.yaml`. Empty strings stand for absent fields, as they do for templates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The name.
    pub name: String,
    /// The project's page.
    pub home: String,
    /// Source code pages.
    pub sources: Vec<String>,
    /// The chart's version.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Search words.
    pub keywords: Vec<String>,
    /// Who maintains it.
    pub maintainers: Vec<Maintainer>,
    /// A picture's address.
    pub icon: String,
    /// `v1` or `v2`.
    pub api_version: String,
    /// Old charts only.
    pub condition: String,
    /// Old charts only.
    pub tags: String,
    /// The version of the software inside.
    pub app_version: String,
    /// Whether the chart is abandoned.
    pub deprecated: bool,
    /// Free annotations; `None` without the field.
    pub annotations: Option<BTreeMap<String, String>>,
    /// A constraint on the cluster's version.
    pub kube_version: String,
    /// The declared dependencies.
    pub dependencies: Vec<Dependency>,
    /// Whether there is a list of dependencies at all: without one Helm looks no deeper.
    pub(crate) declares_dependencies: bool,
    /// `application`, `library` or nothing.
    pub chart_type: String,
}

/// `Chart.lock` or `requirements.lock`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// When it was made, RFC 3339.
    pub generated: String,
    /// The digest over declared and locked dependencies.
    pub digest: String,
    /// The resolved dependencies.
    pub dependencies: Vec<Dependency>,
}

/// A mapping read field by field. Go's decoder ignores the case of field names.
struct Fields<'a> {
    map: &'a Map<String, Value>,
    owner: &'static str,
}

impl<'a> Fields<'a> {
    fn of(value: &'a Value, owner: &'static str) -> Result<Option<Self>, String> {
        match value {
            Value::Null => Ok(None),
            Value::Object(map) => Ok(Some(Self { map, owner })),
            other => Err(mismatch(other, "", owner)),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map
            .get(name)
            .or_else(|| {
                let mut all = self.map.iter();
                all.find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            })
            .filter(|value| !value.is_null())
    }

    fn text(&self, name: &str, into: &mut String) -> Result<(), String> {
        if let Some(value) = self.get(name) {
            *into = scalar(value).ok_or_else(|| mismatch(value, name, self.owner))?;
        }
        Ok(())
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let items = value
            .as_array()
            .ok_or_else(|| mismatch(value, name, self.owner))?;
        let text = |item: &Value| match item {
            Value::Null => Ok(String::new()),
            other => scalar(other).ok_or_else(|| mismatch(other, name, self.owner)),
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn list(&self, name: &str) -> Result<Option<&'a Vec<Value>>, String> {
        self.get(name)
            .map(|value| {
                value
                    .as_array()
                    .ok_or_else(|| mismatch(value, name, self.owner))
            })
            .transpose()
    }

    fn truth(&self, name: &str, into: &mut bool) -> Result<(), String> {
        if let Some(value) = self.get(name) {
            *into = value
                .as_bool()
                .ok_or_else(|| mismatch(value, name, self.owner))?;
        }
        Ok(())
    }
}

fn mismatch(value: &Value, field: &str, owner: &str) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if field.is_empty() {
        format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type {owner}"
        )
    } else {
        format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go struct field {owner}.{field}"
        )
    }
}

/// A scalar as text: YAML numbers and booleans become text where Go wants a string.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.to_string(),
            (None, Some(float)) => shortest(float),
            (None, None) => number.to_string(),
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A float as Go's `FormatFloat(x, 'g', -1, 64)` prints it, but whole numbers in full: in a chart's
/// metadata these were written as integers.
fn shortest(float: f64) -> String {
    if float.fract() == 0.0 && float.abs() < 9.0e15 {
        return format!("{float:.0}");
    }
    let exponent = float.abs().log10().floor() as i32;
    let digits = format!("{float:e}")
        .split('e')
        .next()
        .map_or(0, |mantissa| {
            mantissa.bytes().filter(u8::is_ascii_digit).count() as i32
        });
    if exponent < -4 || exponent >= digits.max(21) {
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |rest| ('-', rest));
        format!("{mantissa}e{sign}{exponent:0>2}")
    } else {
        float.to_string()
    }
}

impl Metadata {
    /// Reads `Chart.yaml`, or `requirements.yaml` on top of it.
    pub(super) fn merge(&mut self, value: &Value) -> Result<(), String> {
        let Some(fields) = Fields::of(value, "v2.Metadata")? else {
            return Ok(());
        };
        fields.text("name", &mut self.name)?;
        fields.text("home", &mut self.home)?;
        fields.text("version", &mut self.version)?;
        fields.text("description", &mut self.description)?;
        fields.text("icon", &mut self.icon)?;
        fields.text("apiVersion", &mut self.api_version)?;
        fields.text("condition", &mut self.condition)?;
        fields.text("tags", &mut self.tags)?;
        fields.text("appVersion", &mut self.app_version)?;
        fields.text("kubeVersion", &mut self.kube_version)?;
        fields.text("type", &mut self.chart_type)?;
        fields.truth("deprecated", &mut self.deprecated)?;
        if let Some(sources) = fields.texts("sources")? {
            self.sources = sources;
        }
        if let Some(keywords) = fields.texts("keywords")? {
            self.keywords = keywords;
        }
        if let Some(items) = fields.list("maintainers")? {
            self.maintainers = items.iter().map(maintainer).collect::<Result<_, _>>()?;
        }
        if let Some(value) = fields.get("annotations") {
            self.annotations = Some(annotations(value)?);
        }
        if let Some(items) = fields.list("dependencies")? {
            self.dependencies = items
                .iter()
                .map(Dependency::read)
                .collect::<Result<_, _>>()?;
            self.declares_dependencies = true;
        }
        Ok(())
    }

    /// Helm's checks and its cleaning of text.
    pub(super) fn validate(&mut self) -> Result<(), String> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            clean_text(text);
        }
        self.sources.iter_mut().for_each(clean_text);
        self.keywords.iter_mut().for_each(clean_text);
        let refuse = |what: String| Err(format!("validation: chart.metadata.{what}"));
        if self.name.is_empty() {
            return refuse("name is required".into());
        }
        if self.name == "." || self.name == ".." {
            return refuse(format!("name {:?} is not allowed", self.name));
        }
        if self.name.contains('/') {
            return refuse(format!("name {:?} is invalid", self.name));
        }
        if self.version.is_empty() {
            return refuse("version is required".into());
        }
        if Version::parse(&self.version).is_err() {
            return refuse(format!("version {:?} is invalid", self.version));
        }
        if !matches!(self.chart_type.as_str(), "" | "application" | "library") {
            return refuse("type must be application or library".into());
        }
        for maintainer in &mut self.maintainers {
            clean_text(&mut maintainer.name);
            clean_text(&mut maintainer.email);
            clean_text(&mut maintainer.url);
        }
        let mut seen = BTreeSet::new();
        for dependency in &mut self.dependencies {
            dependency.validate()?;
            let key = if dependency.alias.is_empty() {
                &dependency.name
            } else {
                &dependency.alias
            };
            if !seen.insert(key.clone()) {
                return Err(format!(
                    "validation: more than one dependency with name or alias {key:?}"
                ));
            }
        }
        Ok(())
    }

    /// The form of release records.
    pub(crate) fn to_json(&self) -> Value {
        let mut map = Map::new();
        put(&mut map, "name", &self.name);
        put(&mut map, "home", &self.home);
        put_list(&mut map, "sources", self.sources.iter().map(|s| json!(s)));
        put(&mut map, "version", &self.version);
        put(&mut map, "description", &self.description);
        put_list(&mut map, "keywords", self.keywords.iter().map(|k| json!(k)));
        put_list(
            &mut map,
            "maintainers",
            self.maintainers.iter().map(|maintainer| {
                let mut map = Map::new();
                put(&mut map, "name", &maintainer.name);
                put(&mut map, "email", &maintainer.email);
                put(&mut map, "url", &maintainer.url);
                Value::Object(map)
            }),
        );
        put(&mut map, "icon", &self.icon);
        put(&mut map, "apiVersion", &self.api_version);
        put(&mut map, "condition", &self.condition);
        put(&mut map, "tags", &self.tags);
        put(&mut map, "appVersion", &self.app_version);
        if self.deprecated {
            map.insert("deprecated".into(), json!(true));
        }
        if let Some(annotations) = self.annotations.as_ref().filter(|a| !a.is_empty()) {
            map.insert("annotations".into(), json!(annotations));
        }
        put(&mut map, "kubeVersion", &self.kube_version);
        put_list(
            &mut map,
            "dependencies",
            self.dependencies.iter().map(Dependency::to_json),
        );
        put(&mut map, "type", &self.chart_type);
        Value::Object(map)
    }

    /// Reads what [`Self::to_json`] (or Helm) wrote.
    pub(crate) fn from_json(value: &Value) -> Result<Self, String> {
        let mut metadata = Self::default();
        metadata.merge(value)?;
        Ok(metadata)
    }
}

fn put(map: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        map.insert(key.to_owned(), json!(text));
    }
}

fn put_list(map: &mut Map<String, Value>, key: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    if !items.is_empty() {
        map.insert(key.to_owned(), Value::Array(items));
    }
}

fn maintainer(value: &Value) -> Result<Maintainer, String> {
    let fields = Fields::of(value, "Maintainer")?
        .ok_or("validation: maintainers must not contain empty or null nodes")?;
    let mut maintainer = Maintainer::default();
    fields.text("name", &mut maintainer.name)?;
    fields.text("email", &mut maintainer.email)?;
    fields.text("url", &mut maintainer.url)?;
    Ok(maintainer)
}

fn annotations(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let field = "annotations of type map[string]string";
    let map = value
        .as_object()
        .ok_or_else(|| mismatch(value, field, "Metadata"))?;
    map.iter()
        .map(|(key, value)| match value {
            Value::Null => Ok((key.clone(), String::new())),
            other => scalar(other)
                .map(|text| (key.clone(), text))
                .ok_or_else(|| mismatch(other, "annotations of type string", "Metadata")),
        })
        .collect()
}

impl Dependency {
    fn read(value: &Value) -> Result<Self, String> {
        let fields = Fields::of(value, "Dependency")?
            .ok_or("validation: dependencies must not contain empty or null nodes")?;
        let mut dependency = Self::default();
        fields.text("name", &mut dependency.name)?;
        fields.text("version", &mut dependency.version)?;
        fields.text("repository", &mut dependency.repository)?;
        fields.text("condition", &mut dependency.condition)?;
        fields.text("alias", &mut dependency.alias)?;
        fields.truth("enabled", &mut dependency.enabled)?;
        dependency.tags = fields.texts("tags")?.unwrap_or_default();
        if let Some(items) = fields.list("import-values")? {
            dependency.import_values = items.iter().map(import_values).collect();
        }
        Ok(dependency)
    }

    fn validate(&mut self) -> Result<(), String> {
        clean_text(&mut self.name);
        clean_text(&mut self.version);
        clean_text(&mut self.repository);
        clean_text(&mut self.condition);
        self.tags.iter_mut().for_each(clean_text);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.alias.chars().all(plain) {
            Ok(())
        } else {
            Err(format!(
                "validation: dependency {:?} has disallowed characters in the alias",
                self.name
            ))
        }
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("name".into(), json!(self.name));
        put(&mut map, "version", &self.version);
        map.insert("repository".into(), json!(self.repository));
        put(&mut map, "condition", &self.condition);
        put_list(&mut map, "tags", self.tags.iter().map(|t| json!(t)));
        if self.enabled {
            map.insert("enabled".into(), json!(true));
        }
        put_list(
            &mut map,
            "import-values",
            self.import_values.iter().map(|import| match import {
                ImportValues::Export(name) => json!(name),
                ImportValues::Table { child, parent } => json!({"child": child, "parent": parent}),
                ImportValues::Other(value) => value.clone(),
            }),
        );
        put(&mut map, "alias", &self.alias);
        Value::Object(map)
    }
}

fn import_values(value: &Value) -> ImportValues {
    let part = |map: &Map<String, Value>, key: &str| {
        map.get(key)
            .map_or_else(|| "<nil>".to_owned(), |v| scalar(v).unwrap_or_default())
    };
    match value {
        Value::String(name) => ImportValues::Export(name.clone()),
        Value::Object(map) => ImportValues::Table {
            child: part(map, "child"),
            parent: part(map, "parent"),
        },
        other => ImportValues::Other(other.clone()),
    }
}

impl Lock {
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let mut lock = Self::default();
        if let Some(fields) = Fields::of(value, "v2.Lock")? {
            fields.text("generated", &mut lock.generated)?;
            fields.text("digest", &mut lock.digest)?;
            if let Some(items) = fields.list("dependencies")? {
                lock.dependencies = items
                    .iter()
                    .map(Dependency::read)
                    .collect::<Result<_, _>>()?;
            }
        }
        Ok(lock)
    }

    pub(crate) fn to_json(&self) -> Value {
        let generated = match self.generated.parse::<jiff::Timestamp>() {
            Ok(_) => self.generated.as_str(),
            Err(_) => "0001-01-01T00:00:00Z",
        };
        json!({
            "generated": generated,
            "digest": self.digest,
            "dependencies": self.dependencies.iter().map(Dependency::to_json).collect::<Vec<_>>(),
        })
    }
}

/// Any white space becomes a blank, what cannot be printed is dropped.
fn clean_text(text: &mut String) {
    static PRINTABLE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$").expect("the pattern is a constant")
    });
    if text.bytes().all(|b| (b' '..0x7F).contains(&b)) {
        return;
    }
    let mut buffer = [0; 4];
    *text = text
        .chars()
        .filter_map(|c| {
            if c.is_whitespace() {
                Some(' ')
            } else {
                PRINTABLE.is_match(c.encode_utf8(&mut buffer)).then_some(c)
            }
        })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_text_fields_read_as_helm_reads_them() {
        for (value, expected) in [
            (json!(1.0), "1"),
            (json!(1.1), "1.1"),
            (json!(20_230_101.0), "20230101"),
            (json!(true), "true"),
            (json!("1.10"), "1.10"),
        ] {
            assert_eq!(scalar(&value).as_deref(), Some(expected));
        }
        assert_eq!(scalar(&json!([])), None);
    }

    #[test]
    fn text_is_cleaned() {
        let mut text = "a\u{a0}b\tc\u{200b}d\u{7}é".to_owned();
        clean_text(&mut text);
        assert_eq!(text, "a b cdé");
    }

    #[test]
    fn metadata_survives_a_record() {
        let mut metadata = Metadata::default();
        metadata
            .merge(
                &json!({"apiVersion": "v2", "name": "x", "version": "1.0.0", "NAME": "y",
                "annotations": {"a": 1.0, "b": null}, "deprecated": true,
                "maintainers": [{"name": "m"}], "keywords": ["k"],
                "dependencies": [{"name": "d", "repository": "", "tags": ["t"],
                    "import-values": ["data", {"child": "a", "parent": "b"}]}]}),
            )
            .expect("sound metadata");
        assert_eq!(metadata.name, "x");
        let again = Metadata::from_json(&metadata.to_json()).expect("our own form");
        assert_eq!(again, metadata);
    }

    #[test]
    fn what_helm_refuses_is_refused() {
        let base = json!({"apiVersion": "v2", "name": "x", "version": "1.0.0"});
        for (change, expected) in [
            (json!({"name": ""}), "name is required"),
            (json!({"name": "a/b"}), "name \"a/b\" is invalid"),
            (json!({"name": ".."}), "is not allowed"),
            (json!({"version": ""}), "version is required"),
            (json!({"type": "plug-in"}), "type must be"),
            (
                json!({"dependencies": [{"name": "a"}, {"name": "b", "alias": "a"}]}),
                "more than one dependency",
            ),
            (
                json!({"dependencies": [{"name": "a", "alias": "a b"}]}),
                "disallowed characters",
            ),
        ] {
            let mut metadata = Metadata::default();
            metadata.merge(&base).expect("sound metadata");
            metadata.merge(&change).expect("sound types");
            let error = metadata.validate().expect_err("Helm refuses it");
            assert!(error.contains(expected), "{error}");
        }
        assert!(
            Metadata::default()
                .merge(&json!({"dependencies": [null]}))
                .is_err()
        );
        assert!(
            Metadata::default()
                .merge(&json!({"name": {"a": 1}}))
                .is_err()
        );
    }
}
