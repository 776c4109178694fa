//! A chart's defaults under the user's values, down through all subcharts.
//!
//! The maps are the template engine's shared ones and not copies: Helm hands a parent's nested
//! global tables to its subcharts by reference, so that what one writes the other reads. Charts can
//! see this, therefore it is part of the contract.

use serde_json::{Map as Tree, Value as TreeValue};

use crate::chart::Chart;
use crate::value::{Entries, List, Map, Value};

/// The key whose table every subchart receives.
const GLOBAL: &str = "global";

/// What Helm logs and goes on after. No text holds a value: it may be a secret.
pub(crate) type Warnings = Vec<String>;

/// Values of a chart and its subcharts, complete.
pub(crate) type Coalesced = Map;

/// How nulls are treated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A null of the user deletes the default; nulls among the defaults vanish.
    Coalesce,
    /// Nulls are kept: a later pass will apply them.
    Merge,
}

/// Values for rendering: the user's win over the chart's.
///
/// # Errors
///
/// A subchart's key that holds no table.
pub(crate) fn coalesce(
    chart: &Chart,
    values: &Map,
    warnings: &mut Warnings,
) -> Result<Coalesced, String> {
    run(chart, values, Mode::Coalesce, warnings)
}

/// The same with nulls kept.
pub(crate) fn merge(
    chart: &Chart,
    values: &Map,
    warnings: &mut Warnings,
) -> Result<Coalesced, String> {
    run(chart, values, Mode::Merge, warnings)
}

fn run(chart: &Chart, values: &Map, mode: Mode, warnings: &mut Warnings) -> Result<Map, String> {
    let dest = copy_map(values);
    descend(chart, &dest, "", mode, warnings)?;
    Ok(dest)
}

fn copy_map(map: &Map) -> Map {
    Map::any(
        map.snapshot()
            .into_iter()
            .map(|(key, value)| (key, deep_copy(&value)))
            .collect(),
    )
}

/// A copy that shares nothing mutable.
pub(crate) fn deep_copy(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(copy_map(map)),
        Value::List(list) => Value::List(List::new(
            list.kind(),
            list.items().iter().map(deep_copy).collect(),
        )),
        other => other.clone(),
    }
}

/// Back to the crate's border: floats stay floats and integers integers.
pub(crate) fn to_tree(map: &Map) -> Tree<String, TreeValue> {
    map.snapshot()
        .into_iter()
        .map(|(key, value)| (key.lossy().into_owned(), tree_value(&value)))
        .collect()
}

fn tree_value(value: &Value) -> TreeValue {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) | Value::Int64(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Str(text) => text.lossy().into_owned().into(),
        Value::List(list) => TreeValue::Array(list.items().iter().map(tree_value).collect()),
        Value::Map(map) => TreeValue::Object(to_tree(map)),
        _ => TreeValue::Null,
    }
}

fn join(a: &str, b: &str) -> String {
    if a.is_empty() {
        b.to_owned()
    } else {
        format!("{a}.{b}")
    }
}

fn descend(
    chart: &Chart,
    dest: &Map,
    prefix: &str,
    mode: Mode,
    warnings: &mut Warnings,
) -> Result<(), String> {
    defaults(chart, dest, prefix, mode, warnings);
    for subchart in &chart.dependencies {
        let name = subchart.name();
        let table = match dest.get(name.as_bytes()) {
            None => {
                let table = Map::any(Entries::new());
                dest.insert(name, Value::Map(table.clone()));
                table
            }
            Some(Value::Map(table)) => table,
            Some(other) => {
                return Err(format!(
                    "type mismatch on {name}: the values hold {}, a subchart takes a table",
                    other.kind_name()
                ));
            }
        };
        let prefix = join(prefix, chart.name());
        globals(&table, dest, &prefix, warnings);
        descend(subchart, &table, &prefix, mode, warnings)?;
    }
    Ok(())
}

/// The parent's globals win over the subchart's.
fn globals(dest: &Map, source: &Map, prefix: &str, warnings: &mut Warnings) {
    let table = |of: &Map| match of.get(GLOBAL.as_bytes()) {
        None => Some(Map::any(Entries::new())),
        Some(Value::Map(map)) => Some(map),
        Some(_) => None,
    };
    let (Some(to), Some(from)) = (table(dest), table(source)) else {
        warnings.push(format!(
            "skipping globals of {prefix} because {GLOBAL} is not a table"
        ));
        return;
    };
    for (key, value) in from.snapshot() {
        match (value, to.get(&key)) {
            (Value::Map(above), None) => {
                to.insert(key, Value::Map(shallow(&above)));
            }
            (Value::Map(above), Some(Value::Map(below))) => {
                let above = shallow(&above);
                tables(
                    &above,
                    &below,
                    &join(prefix, &key.lossy()),
                    Mode::Merge,
                    warnings,
                );
                to.insert(key, Value::Map(above));
            }
            (Value::Map(_), Some(_)) => warnings.push(format!(
                "conflict: cannot merge map onto non-map for {:?}, skipping",
                key.lossy()
            )),
            (_, Some(Value::Map(_))) => {
                warnings.push(format!("key {} is table, skipping", key.lossy()));
            }
            (value, _) => {
                to.insert(key, value);
            }
        }
    }
    dest.insert(GLOBAL, Value::Map(to));
}

/// One level copied, the levels below shared.
fn shallow(map: &Map) -> Map {
    Map::any(map.snapshot().into_iter().collect())
}

fn defaults(chart: &Chart, dest: &Map, prefix: &str, mode: Mode, warnings: &mut Warnings) {
    let prefix = join(prefix, chart.name());
    for (name, default) in &chart.values {
        let default = Value::from(default);
        let key = name.as_bytes();
        match dest.get(key) {
            Some(value) if value.is_nil() && mode == Mode::Coalesce => {
                dest.remove(key);
            }
            Some(Value::Map(table)) => match default {
                Value::Map(default) => {
                    // Nulls for a subchart wait for the subchart's own pass.
                    let subchart = chart.dependencies.iter().any(|sub| sub.name() == name);
                    let mode = if subchart { Mode::Merge } else { mode };
                    if mode == Mode::Coalesce {
                        drop_nulls(&default);
                    }
                    tables(&table, &default, &join(&prefix, name), mode, warnings);
                }
                Value::Nil => {}
                _ => warnings.push(format!("skipped value for {prefix}.{name}: Not a table.")),
            },
            Some(_) => {}
            None => {
                if mode == Mode::Coalesce {
                    if default.is_nil() {
                        continue;
                    }
                    if let Value::Map(table) = &default {
                        drop_nulls(table);
                    }
                }
                dest.insert(name, default);
            }
        }
    }
}

fn drop_nulls(map: &Map) {
    for (key, value) in map.snapshot() {
        match value {
            Value::Nil => {
                map.remove(&key);
            }
            Value::Map(table) => drop_nulls(&table),
            _ => {}
        }
    }
}

/// `over` filled up from `under`, nulls kept.
pub(crate) fn merge_tables(over: &Map, under: &Map, warnings: &mut Warnings) {
    tables(over, under, "", Mode::Merge, warnings);
}

/// Fills `dest` up from `source`; `source` is changed too, as in Helm.
fn tables(dest: &Map, source: &Map, prefix: &str, mode: Mode, warnings: &mut Warnings) {
    let original = source.snapshot();
    for (key, value) in dest.snapshot() {
        if value.is_nil() {
            source.insert(key, Value::Nil);
        }
    }
    let had = |key: &[u8]| {
        original
            .iter()
            .any(|(name, value)| name.as_bytes() == key && !value.is_nil())
    };
    for (key, value) in source.snapshot() {
        let full = || join(prefix, &key.lossy());
        match (dest.get(&key), value) {
            (None, value) => {
                dest.insert(key, value);
            }
            (Some(own), _) if mode == Mode::Coalesce && own.is_nil() && had(&key) => {
                dest.remove(&key);
            }
            (Some(Value::Map(own)), Value::Map(other)) => {
                tables(&own, &other, &full(), mode, warnings);
            }
            (Some(_), Value::Map(_)) => warnings.push(format!(
                "cannot overwrite table with non table for {}",
                full()
            )),
            (Some(Value::Map(_)), other) if !other.is_nil() => warnings.push(format!(
                "destination for {} is a table. Ignoring non-table value",
                full()
            )),
            _ => {}
        }
    }
}

/// The value at a dotted path; every step but the last must be a table.
pub(crate) fn lookup(values: &Map, path: &str) -> Option<Value> {
    let mut steps = path.split('.').peekable();
    let mut at = values.clone();
    while let Some(step) = steps.next() {
        let value = at.get(step.as_bytes())?;
        if steps.peek().is_none() {
            return Some(value);
        }
        match value {
            Value::Map(map) => at = map,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Chart, Metadata};
    use serde_json::json;

    fn chart(name: &str, values: TreeValue, dependencies: Vec<Chart>) -> Chart {
        let mut chart = Chart::bare(Metadata {
            name: name.to_owned(),
            ..Metadata::default()
        });
        if let TreeValue::Object(values) = values {
            chart.values = values;
        }
        chart.dependencies = dependencies;
        chart
    }

    fn run(chart: &Chart, values: TreeValue) -> TreeValue {
        let Value::Map(values) = Value::from(&values) else {
            panic!("tests give tables");
        };
        let all = coalesce(chart, &values, &mut Warnings::new()).expect("sound values");
        TreeValue::Object(to_tree(&all))
    }

    #[test]
    fn nulls_delete_defaults_and_vanish_from_them() {
        let chart = chart(
            "top",
            json!({"a": 1.0, "b": {"c": 1.0, "d": 2.0}, "n": null, "m": {"x": null}}),
            vec![],
        );
        assert_eq!(
            run(&chart, json!({"a": null, "b": {"c": null}, "new": null})),
            json!({"b": {"d": 2.0}, "m": {}, "new": null})
        );
    }

    #[test]
    fn a_parent_deletes_a_subcharts_default() {
        let sub = chart("sub", json!({"keep": 1.0, "drop": 2.0}), vec![]);
        let top = chart("top", json!({"sub": {"drop": 3.0}}), vec![sub]);
        assert_eq!(
            run(&top, json!({"sub": {"drop": null}})),
            json!({"sub": {"keep": 1.0, "global": {}}})
        );
    }

    #[test]
    fn globals_go_down_and_the_parent_wins() {
        let sub = chart(
            "sub",
            json!({"global": {"x": {"a": 1.0, "b": 2.0}, "own": 3.0}}),
            vec![],
        );
        let top = chart("top", json!({"global": {"x": {"a": 9.0}}}), vec![sub]);
        assert_eq!(
            run(&top, json!({"global": {"y": true}})),
            json!({"global": {"x": {"a": 9.0}, "y": true},
                "sub": {"global": {"x": {"a": 9.0, "b": 2.0}, "y": true, "own": 3.0}}})
        );
    }

    #[test]
    fn a_scalar_where_a_subchart_takes_a_table_is_refused() {
        let top = chart("top", json!({}), vec![chart("sub", json!({}), vec![])]);
        let Value::Map(values) = Value::from(&json!({"sub": "secret"})) else {
            panic!("tests give tables");
        };
        let error = coalesce(&top, &values, &mut Warnings::new())
            .err()
            .expect("a scalar");
        assert!(error.starts_with("type mismatch on sub"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn paths_walk_tables_only() {
        let Value::Map(values) = Value::from(&json!({"a": {"b": 1.0}, "c": 2.0})) else {
            panic!("tests give tables");
        };
        assert!(matches!(lookup(&values, "a.b"), Some(Value::Float(_))));
        assert!(lookup(&values, "c.b").is_none());
        assert!(lookup(&values, "a.x").is_none());
    }
}
