//! Values: read from files and `--set` lines, merged, handed down to subcharts, checked.
//!
//! At the crate's border values are `serde_json` maps: numbers of YAML and JSON are floats, integers
//! of `--set` are integers, because templates see the difference.

mod coalesce;
mod literal;
mod schema;
mod set;
mod sources;

use serde_json::{Map, Value};

pub(crate) use coalesce::merge_tables as merge_template_tables;
pub(crate) use coalesce::{Warnings, coalesce, deep_copy, lookup, merge, to_tree};
pub(crate) use schema::validate;
pub(crate) use set::floats;
pub use sources::{Error, Sources};

use crate::yaml;

/// Reads a values file: YAML 1.1, several documents merge in order.
///
/// # Errors
///
/// What is no YAML, and documents that are no mappings, in Helm's words.
pub fn read(source: &[u8]) -> Result<Map<String, Value>, String> {
    let mut merged = Map::new();
    let documents =
        yaml::decode(source).map_err(|error| format!("cannot unmarshal yaml document: {error}"))?;
    for document in documents {
        match document {
            Value::Null => {}
            Value::Object(map) => merge_maps(&mut merged, map),
            other => {
                let kind = match other {
                    Value::Bool(_) => "bool",
                    Value::Number(_) => "number",
                    Value::String(_) => "string",
                    _ => "array",
                };
                return Err(format!(
                    "cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
                ));
            }
        }
    }
    Ok(merged)
}

/// Merges `over` into `base`: tables merge, everything else (null too) replaces.
pub fn merge_maps(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge_maps(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
