//! From rendered files to objects: split, read, sorted by kind; hooks apart.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Error;
use super::hooks::{self, Hook, Role};
use super::order::{INSTALL_ORDER, kind_order};
use crate::chart::Chart;
use crate::cluster::ObjectRef;
use crate::yaml;

/// One object of a rendered chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The template it came from, as `# Source:` shows it.
    pub path: String,
    /// The YAML, one document.
    pub content: String,
    /// The object, its numbers as YAML made them (floats); see [`Manifest::to_api`].
    pub object: Value,
}

impl Manifest {
    /// The kind; empty when the document has none.
    pub fn kind(&self) -> &str {
        text(&self.object, "kind")
    }

    /// The object as the API wants it: whole numbers as integers.
    pub fn to_api(&self) -> Value {
        from_yaml_numbers(self.object.clone())
    }

    /// Puts another object in the place of this one.
    pub fn set_object(&mut self, object: Value) {
        self.content = yaml::encode(&object);
        self.object = object;
    }

    /// The reference in the object's own words.
    pub fn object_ref(&self) -> Option<ObjectRef> {
        ObjectRef::of(&self.object)
    }
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Numbers as the API wants them: YAML's floats that are whole become integers.
pub fn from_yaml_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float)
                if number.is_f64()
                    && float.fract() == 0.0
                    && float.abs() < 9_007_199_254_740_992.0 =>
            {
                (float as i64).into()
            }
            _ => Value::Number(number),
        },
        Value::Array(items) => Value::Array(items.into_iter().map(from_yaml_numbers).collect()),
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| (key, from_yaml_numbers(value)))
                .collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

/// Splits a file into documents as Helm does: at three dashes that begin a line, blank documents
/// dropped, white space before each removed, the end of each kept.
pub fn split(file: &str) -> Vec<&str> {
    let file = file.trim_start();
    let mut documents = Vec::new();
    let mut start = 0;
    let mut line = 0;
    loop {
        let rest = &file[line..];
        if let Some(after) = rest.strip_prefix("---") {
            documents.push(&file[start..line]);
            start = file.len() - after.trim_start_matches([' ', '\t']).len();
        }
        match rest.find('\n') {
            Some(end) => line += end + 1,
            None => break,
        }
    }
    documents.push(&file[start..]);
    documents
        .into_iter()
        .map(str::trim_start)
        .filter(|document| !document.is_empty())
        .collect()
}

/// What the files of one rendering hold.
pub(crate) struct Sorted {
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) warnings: Vec<String>,
}

/// Reads and sorts all rendered files.
///
/// # Errors
///
/// The first document that is no YAML, or whose head has the wrong types.
pub(crate) fn sort_files(files: BTreeMap<String, String>) -> Result<Sorted, Error> {
    let mut sorted = Sorted {
        manifests: Vec::new(),
        hooks: Vec::new(),
        warnings: Vec::new(),
    };
    for (path, content) in files {
        let base = path.rsplit('/').next().unwrap_or(&path);
        if base.starts_with('_') {
            continue;
        }
        for document in split(&content) {
            let broken = |reason: String| Error::Yaml {
                path: path.clone(),
                reason,
            };
            let object =
                yaml::decode_one(document.as_bytes()).map_err(|error| broken(error.to_string()))?;
            check_head(&object).map_err(broken)?;
            place(&path, document, object, &mut sorted);
        }
    }
    sorted
        .manifests
        .sort_by(|a, b| kind_order(INSTALL_ORDER, a.kind(), b.kind()));
    sorted
        .hooks
        .sort_by(|a, b| kind_order(INSTALL_ORDER, &a.kind, &b.kind));
    Ok(sorted)
}

fn place(path: &str, document: &str, object: Value, sorted: &mut Sorted) {
    let annotations = object.pointer("/metadata/annotations");
    let annotation = |key: &str| match annotations.and_then(|all| all.get(key)) {
        None => None,
        Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(from_yaml_numbers(other.clone()).to_string()),
    };
    match hooks::role(annotation) {
        Role::Object => sorted.manifests.push(Manifest {
            path: path.to_owned(),
            content: document.to_owned(),
            object,
        }),
        Role::Dropped(events) => sorted
            .warnings
            .push(format!("{path}: skipping unknown hooks: {events}")),
        Role::Hook {
            events,
            weight,
            delete_policies,
            log_policies,
        } => sorted.hooks.push(Hook {
            name: object
                .pointer("/metadata/name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            kind: text(&object, "kind").to_owned(),
            path: path.to_owned(),
            manifest: document.to_owned(),
            object,
            events,
            weight,
            delete_policies,
            log_policies,
        }),
    }
}

/// The types Helm's reader insists on: an object with texts for version, kind, name, annotations.
fn check_head(object: &Value) -> Result<(), String> {
    let refuse = |value: &Value, target: &str| {
        let kind = match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
            Value::Null => "null",
        };
        Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go {target}"
        ))
    };
    let head = match object {
        Value::Null => return Ok(()),
        Value::Object(head) => head,
        other => return refuse(other, "value of type util.SimpleHead"),
    };
    let scalar = |value: &Value| !matches!(value, Value::Object(_) | Value::Array(_));
    for key in ["apiVersion", "kind"] {
        if let Some(value) = head.get(key).filter(|value| !scalar(value)) {
            let field = if key == "kind" { "kind" } else { "apiVersion" };
            return refuse(
                value,
                &format!("struct field SimpleHead.{field} of type string"),
            );
        }
    }
    let metadata = match head.get("metadata") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => return refuse(other, "struct field SimpleHead.metadata"),
    };
    if let Some(value) = metadata.get("name").filter(|value| !scalar(value)) {
        return refuse(value, "struct field .metadata.name of type string");
    }
    match metadata.get("annotations") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(annotations)) => {
            match annotations.iter().find(|(_, value)| !scalar(value)) {
                Some((key, value)) => refuse(
                    value,
                    &format!("struct field .metadata.annotations.{key} of type string"),
                ),
                None => Ok(()),
            }
        }
        Some(other) => refuse(
            other,
            "struct field .metadata.annotations of type map[string]string",
        ),
    }
}

/// Takes the notes out of the rendered files.
pub(super) fn take_notes(
    chart: &Chart,
    files: &mut BTreeMap<String, String>,
    sub_notes: bool,
) -> String {
    const NOTES: &str = "NOTES.txt";
    let own = format!("{}/templates/{NOTES}", chart.name());
    let mut notes = String::new();
    files.retain(|path, text| {
        if !path.ends_with(NOTES) {
            return true;
        }
        if sub_notes || *path == own {
            if !notes.is_empty() {
                notes.push('\n');
            }
            notes.push_str(text);
        }
        false
    });
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_split_as_helm_splits_them() {
        for (file, expected) in [
            ("", vec![]),
            ("\n\n", vec![]),
            ("a: 1\n", vec!["a: 1\n"]),
            ("---\na: 1\n---\nb: 2", vec!["a: 1\n", "b: 2"]),
            ("a: 1\n--- # note\nb: 2\n", vec!["a: 1\n", "# note\nb: 2\n"]),
            ("a: 1\n ---\nb: 2\n", vec!["a: 1\n ---\nb: 2\n"]),
            ("---\n---  \n\n  a: 1\n", vec!["a: 1\n"]),
            ("a: |\n  ---\n  x\n", vec!["a: |\n  ---\n  x\n"]),
            ("---a: 1\n", vec!["a: 1\n"]),
            ("-----\na: 1\n", vec!["--\na: 1\n"]),
        ] {
            assert_eq!(split(file), expected, "{file:?}");
        }
    }

    #[test]
    fn whole_numbers_become_integers_for_the_api() {
        assert_eq!(
            from_yaml_numbers(json!({"a": [1.0, 1.5, 1e20], "b": 3})).to_string(),
            json!({"a": [1, 1.5, 1e20], "b": 3}).to_string()
        );
    }

    #[test]
    fn heads_of_the_wrong_type_are_refused() {
        for bad in [
            json!("text"),
            json!([]),
            json!({"kind": {}}),
            json!({"metadata": "x"}),
            json!({"metadata": {"annotations": {"a": []}}}),
        ] {
            assert!(check_head(&bad).is_err(), "{bad}");
        }
        for good in [json!(null), json!({"kind": 1.0}), json!({"metadata": null})] {
            assert_eq!(check_head(&good), Ok(()), "{good}");
        }
    }
}
