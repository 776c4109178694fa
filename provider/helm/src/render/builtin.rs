//! The objects that templates find under the dot.

use std::any::Any;
use std::rc::Rc;

use super::{Capabilities, KubeVersion, RenderOptions};
use crate::chart::{Chart, Dependency, ImportValues, Metadata};
use crate::value::{Entries, List, ListKind, Map, MapKind, Object, Signature, Str, Value};

/// The build that renderings are equal to.
const HELM: [(&str, &str, &str); 5] = [
    ("Version", "version", "v4.3.1"),
    (
        "GitCommit",
        "git_commit",
        "c0d08d0d6d9424d4a14febb5e8a3e51b0dd00dff",
    ),
    ("GitTreeState", "git_tree_state", "clean"),
    ("GoVersion", "go_version", "go1.27.2"),
    ("KubeClientVersion", "kube_client_version", "v1.37"),
];

fn entry(name: &str, value: impl Into<Value>) -> (Str, Value) {
    (name.into(), value.into())
}

/// `.Release`
pub(super) fn release(options: &RenderOptions) -> Value {
    Value::map(Entries::from([
        ("Name".into(), Value::str(&options.release_name)),
        ("Namespace".into(), Value::str(&options.namespace)),
        ("Revision".into(), Value::Int(i64::from(options.revision))),
        ("IsInstall".into(), Value::Bool(!options.is_upgrade)),
        ("IsUpgrade".into(), Value::Bool(options.is_upgrade)),
        ("Service".into(), Value::str("Helm")),
    ]))
}

/// `.Chart`: Go's field names, every field present.
pub(super) fn chart(chart: &Chart, root: bool) -> Value {
    let Metadata {
        name,
        home,
        sources,
        version,
        description,
        keywords,
        maintainers,
        icon,
        api_version,
        condition,
        tags,
        app_version,
        deprecated,
        annotations,
        kube_version,
        dependencies,
        declares_dependencies: _,
        chart_type,
    } = &chart.metadata;
    let texts = |items: &[String]| Value::list(items.iter().map(Value::str).collect());
    let annotations = match annotations {
        None => Map::nil(MapKind::Str),
        Some(all) => Map::new(
            MapKind::Str,
            all.iter().map(|(k, v)| (k.into(), Value::str(v))).collect(),
        ),
    };
    let people = maintainers
        .iter()
        .map(|person| {
            Value::map(Entries::from([
                ("Name".into(), Value::str(&person.name)),
                ("Email".into(), Value::str(&person.email)),
                ("URL".into(), Value::str(&person.url)),
            ]))
        })
        .collect();
    Value::map(Entries::from([
        ("Name".into(), Value::str(name)),
        ("Home".into(), Value::str(home)),
        ("Sources".into(), texts(sources)),
        ("Version".into(), Value::str(version)),
        ("Description".into(), Value::str(description)),
        ("Keywords".into(), texts(keywords)),
        ("Maintainers".into(), Value::list(people)),
        ("Icon".into(), Value::str(icon)),
        ("APIVersion".into(), Value::str(api_version)),
        ("Condition".into(), Value::str(condition)),
        ("Tags".into(), Value::str(tags)),
        ("AppVersion".into(), Value::str(app_version)),
        ("Deprecated".into(), Value::Bool(*deprecated)),
        ("Annotations".into(), Value::Map(annotations)),
        ("KubeVersion".into(), Value::str(kube_version)),
        (
            "Dependencies".into(),
            Value::list(dependencies.iter().map(dependency).collect()),
        ),
        ("Type".into(), Value::str(chart_type)),
        ("IsRoot".into(), Value::Bool(root)),
    ]))
}

fn dependency(dependency: &Dependency) -> Value {
    let imports = dependency
        .import_values
        .iter()
        .map(|import| match import {
            ImportValues::Table { child, parent } => Value::Map(Map::new(
                MapKind::Str,
                Entries::from([
                    ("child".into(), Value::str(child)),
                    ("parent".into(), Value::str(parent)),
                ]),
            )),
            other => Value::from(other.tree()),
        })
        .collect();
    Value::map(Entries::from([
        ("Name".into(), Value::str(&dependency.name)),
        ("Version".into(), Value::str(&dependency.version)),
        ("Repository".into(), Value::str(&dependency.repository)),
        ("Condition".into(), Value::str(&dependency.condition)),
        (
            "Tags".into(),
            Value::list(dependency.tags.iter().map(Value::str).collect()),
        ),
        ("Enabled".into(), Value::Bool(dependency.enabled)),
        ("ImportValues".into(), Value::list(imports)),
        ("Alias".into(), Value::str(&dependency.alias)),
    ]))
}

/// `.Capabilities`
pub(super) fn capabilities(capabilities: &Capabilities) -> Value {
    Value::Object(Rc::new(CapabilitiesObject {
        kube: Value::Object(Rc::new(KubeObject(capabilities.kube_version.clone()))),
        apis: List::new(
            ListKind::Versions,
            capabilities.api_versions.iter().map(Value::str).collect(),
        ),
    }))
}

struct CapabilitiesObject {
    kube: Value,
    apis: List,
}

impl Object for CapabilitiesObject {
    fn type_name(&self) -> &'static str {
        "*common.Capabilities"
    }

    fn kind(&self) -> &'static str {
        "ptr"
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "KubeVersion" => Some(self.kube.clone()),
            "APIVersions" => Some(Value::List(self.apis.clone())),
            "HelmVersion" => Some(Value::Object(Rc::new(HelmObject))),
            _ => None,
        }
    }

    fn print(&self) -> String {
        let apis: Vec<_> = self
            .apis
            .items()
            .iter()
            .map(|api| match api {
                Value::Str(text) => text.lossy().into_owned(),
                _ => String::new(),
            })
            .collect();
        let kube = match &self.kube {
            Value::Object(kube) => kube
                .as_any()
                .downcast_ref::<KubeObject>()
                .map(KubeObject::fields)
                .unwrap_or_default(),
            _ => String::new(),
        };
        format!("&{{{kube} [{}] {}}}", apis.join(" "), HelmObject.print())
    }

    fn json(&self) -> Value {
        Value::map(Entries::from([
            entry("KubeVersion", self.kube.clone()),
            entry("APIVersions", Value::List(self.apis.clone())),
            entry("HelmVersion", Value::Object(Rc::new(HelmObject))),
        ]))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct KubeObject(KubeVersion);

impl KubeObject {
    fn fields(&self) -> String {
        let kube = &self.0;
        format!(
            "{{{} {} {} {}}}",
            kube.git_version, kube.normalised, kube.major, kube.minor
        )
    }
}

impl Object for KubeObject {
    fn type_name(&self) -> &'static str {
        "common.KubeVersion"
    }

    fn method(&self, name: &str) -> Option<Signature> {
        matches!(name, "GitVersion" | "String").then(|| Signature::fixed(&[]))
    }

    fn call(&self, name: &str, _: &[Value]) -> Result<Value, String> {
        match name {
            "GitVersion" => Ok(Value::str(&self.0.git_version)),
            "String" => Ok(Value::str(&self.0.normalised)),
            other => Err(format!("no method {other}")),
        }
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Version" => Some(Value::str(&self.0.git_version)),
            "Major" => Some(Value::str(&self.0.major)),
            "Minor" => Some(Value::str(&self.0.minor)),
            _ => None,
        }
    }

    fn print(&self) -> String {
        self.0.normalised.clone()
    }

    fn json(&self) -> Value {
        Value::map(Entries::from([
            entry("Version", Value::str(&self.0.git_version)),
            entry("Major", Value::str(&self.0.major)),
            entry("Minor", Value::str(&self.0.minor)),
        ]))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct HelmObject;

impl Object for HelmObject {
    fn type_name(&self) -> &'static str {
        "version.BuildInfo"
    }

    fn field(&self, name: &str) -> Option<Value> {
        HELM.iter()
            .find(|(field, ..)| *field == name)
            .map(|(_, _, value)| Value::str(*value))
    }

    fn print(&self) -> String {
        let values: Vec<&str> = HELM.iter().map(|(.., value)| *value).collect();
        format!("{{{}}}", values.join(" "))
    }

    fn json(&self) -> Value {
        Value::map(
            HELM.iter()
                .map(|(_, key, value)| entry(key, Value::str(*value)))
                .collect(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
