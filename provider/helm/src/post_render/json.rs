//! JSON patches: RFC 6902 with the pointers of RFC 6901.

use serde_json::Value;

/// One operation. Paths are JSON pointers: `/spec/ports/0`, with `-` for the end of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Inserts into a list, sets in a table.
    Add(String, Value),
    /// Removes what must be there.
    Remove(String),
    /// Replaces what must be there.
    Replace(String, Value),
    /// Moves from the first path to the second.
    Move(String, String),
    /// Copies from the first path to the second.
    Copy(String, String),
    /// Fails when the value is another.
    Test(String, Value),
}

/// Operations in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonPatch(pub Vec<Operation>);

impl JsonPatch {
    /// Reads the JSON form: a list of `{"op": ..., "path": ..., "value" | "from": ...}`.
    ///
    /// # Errors
    ///
    /// What is no operation, by its number.
    pub fn read(patch: &Value) -> Result<Self, String> {
        let operations = patch
            .as_array()
            .ok_or("a JSON patch is a list of operations")?;
        operations
            .iter()
            .enumerate()
            .map(|(number, operation)| {
                read_one(operation).map_err(|reason| format!("operation {number}: {reason}"))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn apply(&self, mut object: Value) -> Result<Value, String> {
        for (number, operation) in self.0.iter().enumerate() {
            run(&mut object, operation)
                .map_err(|reason| format!("operation {number}: {reason}"))?;
        }
        Ok(object)
    }
}

fn read_one(operation: &Value) -> Result<Operation, String> {
    let text = |key: &str| {
        operation
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| format!("{key:?} is missing"))
    };
    let value = || {
        operation
            .get("value")
            .cloned()
            .ok_or_else(|| "\"value\" is missing".to_owned())
    };
    Ok(match text("op")?.as_str() {
        "add" => Operation::Add(text("path")?, value()?),
        "remove" => Operation::Remove(text("path")?),
        "replace" => Operation::Replace(text("path")?, value()?),
        "move" => Operation::Move(text("from")?, text("path")?),
        "copy" => Operation::Copy(text("from")?, text("path")?),
        "test" => Operation::Test(text("path")?, value()?),
        other => {
            return Err(format!(
                "{other:?} is none of add, remove, replace, move, copy, test"
            ));
        }
    })
}

fn run(object: &mut Value, operation: &Operation) -> Result<(), String> {
    match operation {
        Operation::Add(path, value) => add(object, path, value.clone()),
        Operation::Remove(path) => remove(object, path).map(drop),
        Operation::Replace(path, value) => {
            *object.pointer_mut(path).ok_or_else(|| missing(path))? = value.clone();
            Ok(())
        }
        Operation::Move(from, path) => {
            if path
                .strip_prefix(from.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
            {
                return Err(format!("{from} cannot be moved into itself"));
            }
            let value = remove(object, from)?;
            add(object, path, value)
        }
        Operation::Copy(from, path) => {
            let value = object.pointer(from).cloned().ok_or_else(|| missing(from))?;
            add(object, path, value)
        }
        Operation::Test(path, value) => match object.pointer(path) {
            Some(own) if same(own, value) => Ok(()),
            Some(_) => Err(format!("{path} has another value than the test wants")),
            None => Err(missing(path)),
        },
    }
}

fn missing(path: &str) -> String {
    format!("{path:?} is not there")
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// The container that the pointer's last step is taken in, and that step.
fn parent<'a>(object: &'a mut Value, path: &str) -> Result<(&'a mut Value, String), String> {
    let (head, last) = path
        .rsplit_once('/')
        .ok_or_else(|| format!("{path:?} is no JSON pointer"))?;
    let container = object.pointer_mut(head).ok_or_else(|| missing(head))?;
    Ok((container, last.replace("~1", "/").replace("~0", "~")))
}

fn index(step: &str, length: usize) -> Option<usize> {
    let sound = step == "0" || (!step.is_empty() && !step.starts_with('0'));
    let number = step.bytes().all(|b| b.is_ascii_digit());
    let index: usize = (sound && number).then(|| step.parse().ok())??;
    (index <= length).then_some(index)
}

fn add(object: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *object = value;
        return Ok(());
    }
    let (container, step) = parent(object, path)?;
    match container {
        Value::Object(map) => {
            map.insert(step, value);
            Ok(())
        }
        Value::Array(items) if step == "-" => {
            items.push(value);
            Ok(())
        }
        Value::Array(items) => {
            let at = index(&step, items.len()).ok_or_else(|| missing(path))?;
            items.insert(at, value);
            Ok(())
        }
        _ => Err(missing(path)),
    }
}

fn remove(object: &mut Value, path: &str) -> Result<Value, String> {
    let (container, step) = parent(object, path)?;
    match container {
        Value::Object(map) => map.remove(&step).ok_or_else(|| missing(path)),
        Value::Array(items) => {
            let at = index(&step, items.len()).filter(|&at| at < items.len());
            at.map(|at| items.remove(at)).ok_or_else(|| missing(path))
        }
        _ => Err(missing(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(object: Value, patch: Value) -> Result<Value, String> {
        JsonPatch::read(&patch)?.apply(object)
    }

    #[test]
    fn operations_do_what_the_rfc_says() {
        for (object, patch, expected) in [
            (
                json!({"a": 1}),
                json!([{"op": "add", "path": "/b", "value": null}]),
                json!({"a": 1, "b": null}),
            ),
            (
                json!({"a": [1, 3]}),
                json!([{"op": "add", "path": "/a/1", "value": 2}]),
                json!({"a": [1, 2, 3]}),
            ),
            (
                json!({"a": []}),
                json!([{"op": "add", "path": "/a/-", "value": 2}]),
                json!({"a": [2]}),
            ),
            (
                json!({"a": {"x/y~": 1}}),
                json!([{"op": "remove", "path": "/a/x~1y~0"}]),
                json!({"a": {}}),
            ),
            (
                json!({"a": 1}),
                json!([{"op": "replace", "path": "", "value": {"b": 2}}]),
                json!({"b": 2}),
            ),
            (
                json!({"a": 1}),
                json!([{"op": "move", "from": "/a", "path": "/b"}]),
                json!({"b": 1}),
            ),
            (
                json!({"a": [1]}),
                json!([{"op": "copy", "from": "/a/0", "path": "/a/-"}]),
                json!({"a": [1, 1]}),
            ),
            (
                json!({"a": 1}),
                json!([{"op": "test", "path": "/a", "value": 1.0}]),
                json!({"a": 1}),
            ),
        ] {
            assert_eq!(patched(object, patch.clone()), Ok(expected), "{patch}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (patch, reason) in [
            (
                json!([{"op": "remove", "path": "/b"}]),
                "\"/b\" is not there",
            ),
            (
                json!([{"op": "replace", "path": "/b", "value": 1}]),
                "\"/b\" is not there",
            ),
            (
                json!([{"op": "add", "path": "/l/2", "value": 1}]),
                "is not there",
            ),
            (
                json!([{"op": "add", "path": "/l/01", "value": 1}]),
                "is not there",
            ),
            (
                json!([{"op": "add", "path": "/x/y", "value": 1}]),
                "is not there",
            ),
            (
                json!([{"op": "test", "path": "/a", "value": "1"}]),
                "another value",
            ),
            (
                json!([{"op": "move", "from": "/l", "path": "/l/0"}]),
                "into itself",
            ),
            (json!([{"op": "spin", "path": "/a"}]), "none of add"),
            (json!([{"op": "add", "path": "/a"}]), "\"value\" is missing"),
            (json!({}), "list of operations"),
        ] {
            let error = patched(json!({"a": 1, "l": [1]}), patch.clone()).expect_err("a misfit");
            assert!(error.contains(reason), "{patch}: {error}");
        }
    }
}
