//! Between the boundary tree of charts (`serde_json`) and template values.

use super::{List, Map, Value};

impl From<&serde_json::Value> for Value {
    /// Numbers with a fraction or from YAML are `float64`; integers (which only `--set` makes) are
    /// `int64`.
    fn from(tree: &serde_json::Value) -> Self {
        match tree {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Int64(integer),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Self::Str(text.into()),
            serde_json::Value::Array(items) => {
                Self::List(List::any(items.iter().map(Self::from).collect()))
            }
            serde_json::Value::Object(entries) => Self::Map(Map::any(
                entries
                    .iter()
                    .map(|(key, value)| (key.into(), Self::from(value)))
                    .collect(),
            )),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(tree: serde_json::Value) -> Self {
        match tree {
            serde_json::Value::String(text) => Self::Str(text.into()),
            serde_json::Value::Array(items) => {
                Self::List(List::any(items.into_iter().map(Self::from).collect()))
            }
            serde_json::Value::Object(entries) => Self::Map(Map::any(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.into(), Self::from(value)))
                    .collect(),
            )),
            other => Self::from(&other),
        }
    }
}

impl Value {
    /// The boundary tree: what Go's JSON encoding keeps of the value. Bytes become base64, text
    /// that is not UTF-8 gets U+FFFD.
    pub fn to_json(&self) -> serde_json::Value {
        self.json_at(0)
    }

    /// A map may contain itself: what is deeper than any real tree is left out.
    fn json_at(&self, depth: usize) -> serde_json::Value {
        if depth > 1_000 {
            return serde_json::Value::Null;
        }
        stacker::maybe_grow(64 << 10, 1 << 20, || self.json_inner(depth + 1))
    }

    fn json_inner(&self, depth: usize) -> serde_json::Value {
        match self {
            Self::Absent | Self::Nil => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) | Self::Int64(value) | Self::Duration(value) => (*value).into(),
            Self::Uint8(value) => (*value).into(),
            Self::Float(value) => serde_json::Number::from_f64(*value).into(),
            Self::Complex(..) => serde_json::Value::Null,
            Self::Str(text) => text.lossy().into_owned().into(),
            Self::Bytes(bytes) => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD
                    .encode(bytes.as_bytes())
                    .into()
            }
            Self::List(list) if list.is_nil() => serde_json::Value::Null,
            Self::List(list) => list
                .items()
                .iter()
                .map(|item| item.json_at(depth))
                .collect(),
            Self::Map(map) => match map.read() {
                None => serde_json::Value::Null,
                Some(entries) => serde_json::Value::Object(
                    entries
                        .iter()
                        .map(|(key, value)| (key.lossy().into_owned(), value.json_at(depth)))
                        .collect(),
                ),
            },
            Self::Object(object) => object.json().json_at(depth),
        }
    }
}
