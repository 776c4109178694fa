//! `Chart.yaml` and the files around it, read as Go's JSON decoder would and checked as Helm does.

mod fields;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::semver::Version;
use fields::{Fields, mismatch};

pub(crate) use fields::scalar;

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
mod tests;
