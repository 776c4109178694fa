//! Server-side apply and the bookkeeping of who owns which field ("Kubernetes docs", server-side apply).

use serde_json::{Value, json};

use super::fields::{self, Fields, Path};
use super::shape::{ListKind, Shapes, same_item};
use super::status::{Cause, Status};
use super::value::{array, members, text};

/// Who writes, and how.
#[derive(Debug, Clone)]
pub(super) struct Writer<'a> {
    pub manager: &'a str,
    pub api_version: &'a str,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Take fields of others instead of a conflict.
    pub force: bool,
    pub now: &'a str,
}

/// One entry of `managedFields`.
#[derive(Debug, Clone)]
struct Entry {
    manager: String,
    operation: String,
    api_version: String,
    subresource: String,
    time: String,
    fields: Fields,
}

impl Entry {
    fn is(&self, writer: &Writer<'_>, operation: &str) -> bool {
        self.manager == writer.manager
            && self.operation == operation
            && self.subresource == writer.subresource
            && (operation == "Apply" || self.api_version == writer.api_version)
    }

    /// As a conflict names it.
    fn told(&self) -> String {
        let mut told = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            told = format!("{told} with subresource {:?}", self.subresource);
        }
        if self.operation == "Update" {
            told = format!("{told} using {}", self.api_version);
            // The time of a scale is not kept.
            if self.subresource != "scale" {
                told = format!("{told} at {}", self.time);
            }
        }
        told
    }

    fn json(&self) -> Value {
        let mut json = json!({
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields.json(),
        });
        if !self.subresource.is_empty() {
            json["subresource"] = json!(self.subresource);
        }
        json
    }
}

fn read(object: &Value) -> Vec<Entry> {
    array(&object["metadata"]["managedFields"])
        .iter()
        .filter(|entry| entry["fieldsV1"].is_object())
        .map(|entry| Entry {
            manager: text(&entry["manager"]).to_owned(),
            operation: text(&entry["operation"]).to_owned(),
            api_version: text(&entry["apiVersion"]).to_owned(),
            subresource: text(&entry["subresource"]).to_owned(),
            time: text(&entry["time"]).to_owned(),
            fields: Fields::parse(&entry["fieldsV1"]),
        })
        .collect()
}

fn write(object: &mut Value, entries: &[Entry]) {
    let list: Vec<Value> = entries
        .iter()
        .filter(|entry| !entry.fields.is_empty())
        .map(Entry::json)
        .collect();
    let metadata = members(&mut object["metadata"]);
    if list.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), Value::Array(list));
    }
}

/// Merges `applied` into `live` and moves the ownership.
///
/// # Errors
/// A conflict, with a cause for each field of another manager whose value would change.
pub(super) fn apply(
    shapes: &Shapes,
    live: Option<&Value>,
    applied: &Value,
    writer: &Writer<'_>,
) -> Result<Value, Status> {
    let wanted = Fields::of(applied, shapes);
    let mut entries = live.map(read).unwrap_or_default();
    let empty = json!({});
    let base = live.unwrap_or(&empty);
    let mut merged = base.clone();
    merge(&mut merged, applied, shapes, &mut Vec::new());

    let mut causes = Vec::new();
    let mut lost: Vec<(usize, Path)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if entry.is(writer, "Apply") {
            continue;
        }
        for path in entry.fields.paths() {
            let contested =
                wanted.contains(&path) && fields::get(base, &path) != fields::get(&merged, &path);
            // A list item itself is not contested, its members are.
            if contested && !path.last().is_some_and(|edge| edge.starts_with("k:")) {
                causes.push((entry.told(), fields::display(&path)));
                lost.push((index, path));
            }
        }
    }
    if !causes.is_empty() && !writer.force {
        return Err(conflict(&causes));
    }
    for (index, path) in lost {
        entries[index].fields.remove(&path);
    }

    let mine = entries.iter().position(|entry| entry.is(writer, "Apply"));
    if let Some(index) = mine {
        let previous = entries[index].fields.clone();
        prune(&mut merged, &previous, &wanted, &entries, index);
    }
    match mine {
        Some(index) if entries[index].fields == wanted => {}
        Some(index) => {
            entries[index].fields = wanted;
            writer.now.clone_into(&mut entries[index].time);
            writer
                .api_version
                .clone_into(&mut entries[index].api_version);
        }
        None => entries.push(Entry {
            manager: writer.manager.to_owned(),
            operation: "Apply".to_owned(),
            api_version: writer.api_version.to_owned(),
            subresource: writer.subresource.to_owned(),
            time: writer.now.to_owned(),
            fields: wanted,
        }),
    }
    write(&mut merged, &entries);
    Ok(merged)
}

/// Removes what the manager owned alone and no longer applies.
fn prune(merged: &mut Value, previous: &Fields, wanted: &Fields, entries: &[Entry], mine: usize) {
    for path in previous.paths() {
        let shared = entries
            .iter()
            .enumerate()
            .any(|(index, entry)| index != mine && holds(&entry.fields, &path));
        if !holds(wanted, &path) && !shared {
            fields::take(merged, &path);
        }
    }
}

/// True when the set has the path or something below it.
fn holds(set: &Fields, path: &[String]) -> bool {
    let mut at = set;
    for edge in path {
        match at.children.get(edge) {
            Some(child) => at = child,
            None => return false,
        }
    }
    true
}

fn conflict(causes: &[(String, String)]) -> Status {
    let listed: Vec<Cause> = causes
        .iter()
        .map(|(manager, field)| Cause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {manager}"),
            field: field.clone(),
        })
        .collect();
    let message = if let [(manager, field)] = causes {
        format!("Apply failed with 1 conflict: conflict with {manager}: {field}")
    } else {
        let mut by_manager = std::collections::BTreeMap::<&String, Vec<&String>>::new();
        for (manager, field) in causes {
            by_manager.entry(manager).or_default().push(field);
        }
        let mut lines = Vec::new();
        for (manager, fields) in by_manager {
            lines.push(format!("conflicts with {manager}:"));
            lines.extend(fields.iter().map(|field| format!("- {field}")));
        }
        format!(
            "Apply failed with {} conflicts: {}",
            causes.len(),
            lines.join("\n")
        )
    };
    Status::apply_conflict(message, &listed)
}

fn merge(base: &mut Value, applied: &Value, shapes: &Shapes, path: &mut Vec<String>) {
    match applied {
        Value::Object(map) if path.is_empty() || !shapes.atomic_map(path) => {
            let target = members(base);
            for (name, value) in map {
                if value.is_null() {
                    continue;
                }
                path.push(name.clone());
                merge(
                    target.entry(name.clone()).or_insert(Value::Null),
                    value,
                    shapes,
                    path,
                );
                path.pop();
            }
        }
        Value::Array(list) => match shapes.list(path) {
            ListKind::Atomic => *base = applied.clone(),
            ListKind::Set => {
                let target = super::value::items(base);
                for item in list {
                    if !target.contains(item) {
                        target.push(item.clone());
                    }
                }
            }
            ListKind::Keyed(keys) => {
                let target = super::value::items(base);
                for item in list {
                    match target.iter_mut().find(|seen| same_item(seen, item, &keys)) {
                        Some(seen) => merge_item(seen, item, shapes, path),
                        None => target.push(item.clone()),
                    }
                }
            }
        },
        _ => *base = applied.clone(),
    }
}

fn merge_item(base: &mut Value, applied: &Value, shapes: &Shapes, path: &mut Vec<String>) {
    let (Some(map), target) = (applied.as_object(), members(base)) else {
        return;
    };
    for (name, value) in map {
        path.push(name.clone());
        merge(
            target.entry(name.clone()).or_insert(Value::Null),
            value,
            shapes,
            path,
        );
        path.pop();
    }
}

/// Bookkeeping of a write that is not an apply: what changed belongs to the writer now.
pub(super) fn track_update(
    shapes: &Shapes,
    old: Option<&Value>,
    new: &mut Value,
    writer: &Writer<'_>,
) {
    let given = array(&new["metadata"]["managedFields"]);
    let reset = given.len() == 1 && given[0].as_object().is_some_and(serde_json::Map::is_empty);
    let mut entries = match old {
        _ if reset => {
            write(new, &[]);
            return;
        }
        Some(old) if given.is_empty() => read(old),
        Some(_) => read(new),
        None => Vec::new(),
    };
    let now = Fields::of(new, shapes).with_maps(matches!(shapes, Shapes::Custom(_)));
    let empty = json!({});
    let before = old.unwrap_or(&empty);
    let mut changed = Fields::default();
    for path in now.paths() {
        let (was, is) = (fields::get(before, &path), fields::get(new, &path));
        // Items and maps count by themselves when they are new; what is in them counts for itself.
        if was.is_none() || (!now.has_children(&path) && was != is) {
            changed.insert(&path);
        }
    }
    let mut touched = false;
    for entry in &mut entries {
        for path in entry.fields.paths() {
            let item = path.last().is_some_and(|edge| edge.starts_with("k:"));
            let gone = fields::get(new, &path).is_none();
            let taken = !item && changed.contains(&path) && !entry.is(writer, "Update");
            if gone || taken {
                entry.fields.remove(&path);
                touched = true;
            }
        }
    }
    if !changed.is_empty() {
        touched = true;
        match entries.iter_mut().find(|entry| entry.is(writer, "Update")) {
            Some(entry) => {
                for path in changed.paths() {
                    entry.fields.insert(&path);
                }
                writer.now.clone_into(&mut entry.time);
            }
            None => entries.push(Entry {
                manager: writer.manager.to_owned(),
                operation: "Update".to_owned(),
                api_version: writer.api_version.to_owned(),
                subresource: writer.subresource.to_owned(),
                time: writer.now.to_owned(),
                fields: changed,
            }),
        }
    }
    if touched || given.is_empty() {
        write(new, &entries);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Writer, apply, track_update};
    use crate::kubernetes::shape::Shapes;

    fn writer(manager: &str) -> Writer<'_> {
        Writer {
            manager,
            api_version: "v1",
            subresource: "",
            force: false,
            now: "2026-01-01T00:00:00Z",
        }
    }

    fn map(data: Value) -> Value {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": data })
    }

    fn shapes() -> Shapes {
        Shapes::BuiltIn("ConfigMap".to_owned())
    }

    #[test]
    fn what_is_no_longer_applied_goes() {
        let first = apply(
            &shapes(),
            None,
            &map(json!({ "a": "1", "b": "2" })),
            &writer("helm"),
        )
        .expect("nothing is owned yet");
        let second = apply(
            &shapes(),
            Some(&first),
            &map(json!({ "a": "1" })),
            &writer("helm"),
        )
        .expect("all fields are ours");
        assert_eq!(second["data"], json!({ "a": "1" }));
    }

    #[test]
    fn a_field_of_another_manager_is_a_conflict_until_forced() {
        let first = apply(&shapes(), None, &map(json!({ "a": "1" })), &writer("helm"))
            .expect("nothing is owned yet");
        let mut edited = first.clone();
        edited["data"]["a"] = json!("2");
        track_update(
            &shapes(),
            Some(&first),
            &mut edited,
            &writer("kubectl-edit"),
        );
        let refused = apply(
            &shapes(),
            Some(&edited),
            &map(json!({ "a": "1" })),
            &writer("helm"),
        )
        .expect_err("kubectl owns the field now");
        assert_eq!(
            refused.message,
            "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using v1 at 2026-01-01T00:00:00Z: .data.a"
        );
        assert_eq!(refused.details["causes"][0]["field"], ".data.a");
        let mut forced = writer("helm");
        forced.force = true;
        let won = apply(&shapes(), Some(&edited), &map(json!({ "a": "1" })), &forced)
            .expect("force takes the field");
        assert_eq!(won["data"]["a"], "1");
        let managers = won["metadata"]["managedFields"].as_array().map(Vec::len);
        assert_eq!(managers, Some(1));
    }

    #[test]
    fn a_map_that_an_update_made_stays_while_something_is_in_it() {
        let mut made = map(json!({ "a": "1", "b": "2" }));
        track_update(&shapes(), None, &mut made, &writer("helm"));
        let entries = &mut made["metadata"]["managedFields"];
        assert_eq!(
            entries[0]["fieldsV1"]["f:data"],
            json!({ ".": {}, "f:a": {}, "f:b": {} })
        );
        // As helm does it when it moves from updates to applies.
        entries[0]["operation"] = json!("Apply");
        let next = apply(
            &shapes(),
            Some(&made),
            &map(json!({ "a": "1" })),
            &writer("helm"),
        )
        .expect("all fields are ours");
        assert_eq!(next["data"], json!({ "a": "1" }));
    }

    #[test]
    fn equal_values_are_shared_and_survive_one_owner() {
        let first = apply(&shapes(), None, &map(json!({ "a": "1" })), &writer("one"))
            .expect("nothing is owned yet");
        let both = apply(
            &shapes(),
            Some(&first),
            &map(json!({ "a": "1" })),
            &writer("two"),
        )
        .expect("an equal value is no conflict");
        let left = apply(
            &shapes(),
            Some(&both),
            &map(json!({ "c": "3" })),
            &writer("one"),
        )
        .expect("fields of its own");
        assert_eq!(left["data"], json!({ "a": "1", "c": "3" }));
    }

    #[test]
    fn lists_merge_by_key() {
        let shapes = Shapes::BuiltIn("Deployment".to_owned());
        let with = |containers: Value| json!({ "spec": { "template": { "spec": { "containers": containers } } } });
        let first = apply(
            &shapes,
            None,
            &with(json!([{ "name": "a", "image": "1" }])),
            &writer("one"),
        )
        .expect("nothing is owned yet");
        let both = apply(
            &shapes,
            Some(&first),
            &with(json!([{ "name": "b", "image": "2" }])),
            &writer("two"),
        )
        .expect("another item");
        let left = apply(
            &shapes,
            Some(&both),
            &with(json!([{ "name": "c", "image": "3" }])),
            &writer("two"),
        )
        .expect("its own items");
        assert_eq!(
            left["spec"]["template"]["spec"]["containers"],
            json!([{ "name": "a", "image": "1" }, { "name": "c", "image": "3" }])
        );
    }
}
