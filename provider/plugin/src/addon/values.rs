//! Values as they are configured: objects, YAML texts, lists of both, and `set`. The order is helm's: documents first, in
//! order, then `set`.

use framework::{Dynamic, FromValue, ToValue, Value};
use helm::preview::{PlannedValues, Step};
use helm::values::{Sources, merge_maps, read};
use product::{Checked, Path, Problem};
use serde_json::{Map, Value as Json};

/// Stands for what is not known yet while values are merged. Nobody writes it by hand, and the grammar of `set` has no
/// meaning for any of its characters.
const UNKNOWN: &str = "managedk8s-not-known-yet-1f6d1a0c5b7e4e0e";

/// One line of `set`.
#[derive(Clone, Debug, PartialEq, Eq, FromValue, ToValue)]
pub struct SetValue {
    pub name: Value<String>,
    pub value: Value<String>,
    pub r#type: Value<String>,
}

/// The attributes that values come from.
#[derive(Clone, Copy)]
pub struct Names {
    /// Objects and YAML.
    pub values: &'static str,
    /// Lines of `set`.
    pub set: &'static str,
    /// Whether texts of errors may hold what was written.
    pub secret: bool,
}

/// The public ones.
pub const PUBLIC: Names = Names {
    values: "values",
    set: "set",
    secret: false,
};

/// The write-only ones.
pub const WRITE_ONLY: Names = Names {
    values: "values_wo",
    set: "set_wo",
    secret: true,
};

/// Values after merging, some perhaps not known yet.
#[derive(Clone, Default)]
pub struct Merged {
    tree: Map<String, Json>,
    /// A whole document, or the name of a line, is not known.
    blank: bool,
}

impl Merged {
    /// Values that are known.
    pub const fn of(tree: Map<String, Json>) -> Self {
        Self { tree, blank: false }
    }

    /// The values when all of them are known.
    pub fn known(&self) -> Option<&Map<String, Json>> {
        (!self.blank && !self.tree.values().any(holds_unknown)).then_some(&self.tree)
    }

    /// The values for a preview.
    pub fn planned(&self) -> PlannedValues {
        let mut unknown = Vec::new();
        if self.blank {
            unknown.push(Vec::new());
        }
        let mut path = Vec::new();
        for (key, value) in &self.tree {
            path.push(Step::Key(key.clone()));
            collect(value, &mut path, &mut unknown);
            path.pop();
        }
        unknown
            .iter()
            .fold(PlannedValues::known(self.tree.clone()), |values, path| {
                values.with_unknown(path)
            })
    }

    /// Whether not even the keys are known.
    pub const fn is_blank(&self) -> bool {
        self.blank
    }

    /// What these values have that `public` has not: tables by key, everything else as a whole.
    pub fn over(&self, public: &Self) -> Map<String, Json> {
        overlay(&public.tree, &self.tree)
    }
}

fn holds_unknown(value: &Json) -> bool {
    match value {
        Json::String(text) => text == UNKNOWN,
        Json::Array(items) => items.iter().any(holds_unknown),
        Json::Object(map) => map.values().any(holds_unknown),
        _ => false,
    }
}

fn collect(value: &Json, path: &mut Vec<Step>, unknown: &mut Vec<Vec<Step>>) {
    match value {
        Json::String(text) if text == UNKNOWN => unknown.push(path.clone()),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                collect(item, path, unknown);
                path.pop();
            }
        }
        Json::Object(map) => {
            for (key, item) in map {
                path.push(Step::Key(key.clone()));
                collect(item, path, unknown);
                path.pop();
            }
        }
        _ => {}
    }
}

fn overlay(public: &Map<String, Json>, all: &Map<String, Json>) -> Map<String, Json> {
    all.iter()
        .filter_map(|(key, value)| match (public.get(key), value) {
            (Some(seen), value) if seen == value => None,
            (Some(Json::Object(public)), Json::Object(all)) => {
                Some((key.clone(), Json::Object(overlay(public, all))))
            }
            (_, value) => Some((key.clone(), value.clone())),
        })
        .collect()
}

/// Merges what is configured over `base`.
///
/// # Errors
///
/// The first document or line that cannot be read, at its place.
pub fn merge(
    base: Merged,
    values: &Dynamic,
    set: &Value<Vec<SetValue>>,
    names: Names,
) -> Checked<Merged> {
    let mut merged = base;
    let place = Path::of(names.values);
    match inner(values).as_elements() {
        Some(documents) => {
            for (index, document) in (0..).zip(documents) {
                layer(&mut merged, document, place.clone().index(index), names)?;
            }
        }
        None => layer(&mut merged, values, place, names)?,
    }
    let lines = match set {
        Value::Null => return Ok(merged),
        Value::Unknown => {
            merged.blank = true;
            return Ok(merged);
        }
        Value::Known(lines) => lines,
    };
    for (index, line) in (0..).zip(lines) {
        set_one(&mut merged, line, Path::of(names.set).index(index), names)?;
    }
    Ok(merged)
}

/// The value of an attribute of any type, without its type.
pub fn inner(value: &Dynamic) -> &Dynamic {
    match value {
        Dynamic::Typed(typed) => inner(&typed.1),
        other => other,
    }
}

fn layer(merged: &mut Merged, document: &Dynamic, place: Path, names: Names) -> Checked<()> {
    let document = inner(document);
    if document.is_null() {
        return Ok(());
    }
    if document.is_unknown() {
        merged.blank = true;
        return Ok(());
    }
    let tree = match document {
        Dynamic::String(text) => read(text.as_bytes()).map_err(|reason| {
            let seen = if names.secret {
                "a text that is no YAML; what is write-only is not repeated here".to_owned()
            } else {
                reason
            };
            Box::new(
                Problem::error(place, "values cannot be read")
                    .seen(seen)
                    .allowed("YAML mappings, one or more documents")
                    .next("Correct the YAML, or write an object: `values = { ... }`."),
            )
        })?,
        other => match json(other) {
            Some(Json::Object(tree)) => tree,
            _ => {
                return Err(Box::new(
                    Problem::error(place, "values are of the wrong type")
                        .seen(format!("a {}", other.kind()))
                        .allowed("an object, a YAML text, or a list of these")
                        .next("Write `values = { ... }`, or `values = [file(\"values.yaml\")]`."),
                ));
            }
        },
    };
    merge_maps(&mut merged.tree, tree);
    Ok(())
}

fn set_one(merged: &mut Merged, line: &SetValue, place: Path, names: Names) -> Checked<()> {
    let (Value::Known(name), Value::Known(_) | Value::Null) = (&line.name, &line.r#type) else {
        merged.blank = true;
        return Ok(());
    };
    let kind = line.r#type.as_known().map_or("auto", String::as_str);
    let (kind, value) = match &line.value {
        Value::Known(value) => (kind, value.as_str()),
        Value::Null => (kind, ""),
        Value::Unknown => ("string", UNKNOWN),
    };
    let text = format!("{name}={value}");
    let sources = Sources::new().tree(std::mem::take(&mut merged.tree));
    let sources = match kind {
        "string" => sources.set_string(text),
        "literal" => sources.set_literal(text),
        "json" => sources.set_json(text),
        _ => sources.set(text),
    };
    merged.tree = sources
        .merge_with(&|_| Err("files are not read here".to_owned()))
        .map_err(|error| {
            let seen = if names.secret {
                format!("{name:?}; what is write-only is not repeated here")
            } else {
                error.to_string()
            };
            Box::new(
                Problem::error(place, "set cannot be read")
                    .seen(seen)
                    .allowed("a name as helm's --set takes it, such as `a.b[0].c`, and a value of its type")
                    .next("Escape commas and dots with a backslash, or use the type `literal`, `string` or `json`."),
            )
        })?;
    Ok(())
}

/// A value as JSON; what is not known becomes the mark. Whole numbers stay whole: a chart prints them so.
pub fn json(value: &Dynamic) -> Option<Json> {
    Some(match value {
        Dynamic::Null => Json::Null,
        Dynamic::Bool(value) => Json::Bool(*value),
        Dynamic::String(text) => Json::String(text.clone()),
        Dynamic::Number(number) => match number.to_i64() {
            Some(whole) => Json::from(whole),
            None => Json::from(number.to_f64()),
        },
        Dynamic::Unknown(_) => Json::from(UNKNOWN),
        Dynamic::Typed(typed) => json(&typed.1)?,
        other => match (other.as_elements(), other.as_members()) {
            (Some(elements), _) => Json::Array(elements.iter().map(json).collect::<Option<_>>()?),
            (None, Some(members)) => Json::Object(
                members
                    .iter()
                    .map(|(key, value)| Some((key.clone(), json(value)?)))
                    .collect::<Option<_>>()?,
            ),
            (None, None) => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(name: &str, value: &str, kind: &str) -> SetValue {
        let text = |text: &str| Value::Known(text.to_owned());
        SetValue {
            name: text(name),
            value: text(value),
            r#type: if kind.is_empty() {
                Value::Null
            } else {
                text(kind)
            },
        }
    }

    fn merged(values: &Dynamic, set: Vec<SetValue>) -> Checked<Merged> {
        merge(Merged::default(), values, &Value::Known(set), PUBLIC)
    }

    fn object(members: impl IntoIterator<Item = (&'static str, Dynamic)>) -> Dynamic {
        Dynamic::object(members)
    }

    #[test]
    fn documents_come_in_order_and_set_comes_last() {
        let values = Dynamic::Tuple(vec![
            Dynamic::string("a: {x: 1, w: 1}\nlist: [1, 2]\n---\na: {w: 2}\n"),
            object([
                ("a", object([("z", Dynamic::string("z"))])),
                ("gone", Dynamic::Null),
            ]),
        ]);
        let set = vec![
            line("a.x", "9", ""),
            line("a.text", "9", "string"),
            line("a.list", "{p,q}", "auto"),
            line("a.raw", "p,q=r", "literal"),
            line("a.json", "{\"k\": [true]}", "json"),
        ];
        let merged = merged(&values, set).expect("sound");
        assert_eq!(
            Json::Object(merged.known().expect("known").clone()),
            json!({"a": {"x": 9, "w": 2.0, "z": "z", "text": "9", "list": ["p", "q"], "raw": "p,q=r",
                "json": {"k": [true]}}, "list": [1.0, 2.0], "gone": null})
        );
    }

    #[test]
    fn what_is_not_known_is_marked_at_its_place() {
        let values = object([("known", Dynamic::string("x")), ("open", Dynamic::UNKNOWN)]);
        let all = merged(&values, Vec::new()).expect("sound");
        assert!(all.known().is_none());
        assert!(!all.planned().is_known());
        // A later layer decides.
        let all = merged(&values, vec![line("open", "y", "")]).expect("sound");
        assert!(all.known().is_some());
        let mut late = line("a", "", "");
        late.value = Value::Unknown;
        let all = merged(&Dynamic::Null, vec![late]).expect("sound");
        assert!(all.known().is_none());
        let all = merged(&Dynamic::Tuple(vec![Dynamic::UNKNOWN]), Vec::new()).expect("sound");
        assert!(all.known().is_none());
    }

    #[test]
    fn errors_name_their_place_and_no_secret() {
        let values = Dynamic::Tuple(vec![Dynamic::string("a: 1"), Dynamic::string("- hunter2")]);
        let problem = merged(&values, Vec::new()).err().expect("a list");
        assert_eq!(problem.path.to_string(), "values[1]");
        let secret = merge(Merged::default(), &values, &Value::Null, WRITE_ONLY);
        let problem = secret.err().expect("a list");
        assert_eq!(problem.path.to_string(), "values_wo[1]");
        assert!(!problem.detail().contains("hunter2"));
        let set = vec![line("a[-1]", "hunter2", "")];
        let problem = merged(&Dynamic::Null, set.clone()).err().expect("no index");
        assert_eq!(problem.path.to_string(), "set[0]");
        let secret = merge(
            Merged::default(),
            &Dynamic::Null,
            &Value::Known(set),
            WRITE_ONLY,
        );
        assert!(!secret.err().expect("no index").detail().contains("hunter2"));
        assert!(merged(&Dynamic::Bool(true), Vec::new()).is_err());
    }

    #[test]
    fn secrets_are_what_the_public_values_lack() {
        let public =
            merged(&Dynamic::string("db: {user: app, hosts: [a]}"), Vec::new()).expect("sound");
        let all = merge(
            public.clone(),
            &Dynamic::string("db: {password: hunter2}"),
            &Value::Known(vec![line("db.hosts[1]", "b", "")]),
            WRITE_ONLY,
        )
        .expect("sound");
        assert_eq!(
            Json::Object(all.over(&public)),
            json!({"db": {"password": "hunter2", "hosts": ["a", "b"]}})
        );
    }
}
