//! A mapping read as Go's JSON decoder reads it into a struct.

use serde_json::{Map, Value};

/// A mapping read field by field. Go's decoder ignores the case of field names.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    owner: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, owner: &'static str) -> Result<Option<Self>, String> {
        match value {
            Value::Null => Ok(None),
            Value::Object(map) => Ok(Some(Self { map, owner })),
            other => Err(mismatch(other, "", owner)),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.map
            .get(name)
            .or_else(|| {
                let mut all = self.map.iter();
                all.find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            })
            .filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str, into: &mut String) -> Result<(), String> {
        if let Some(value) = self.get(name) {
            *into = scalar(value).ok_or_else(|| mismatch(value, name, self.owner))?;
        }
        Ok(())
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let items = value
            .as_array()
            .ok_or_else(|| mismatch(value, name, self.owner))?;
        let text = |item: &Value| match item {
            Value::Null => Ok(String::new()),
            other => scalar(other).ok_or_else(|| mismatch(other, name, self.owner)),
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<&'a Vec<Value>>, String> {
        self.get(name)
            .map(|value| {
                value
                    .as_array()
                    .ok_or_else(|| mismatch(value, name, self.owner))
            })
            .transpose()
    }

    pub(super) fn truth(&self, name: &str, into: &mut bool) -> Result<(), String> {
        if let Some(value) = self.get(name) {
            *into = value
                .as_bool()
                .ok_or_else(|| mismatch(value, name, self.owner))?;
        }
        Ok(())
    }
}

pub(super) fn mismatch(value: &Value, field: &str, owner: &str) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if field.is_empty() {
        format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type {owner}"
        )
    } else {
        format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go struct field {owner}.{field}"
        )
    }
}

/// A scalar as text: YAML numbers and booleans become text where Go wants a string.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.to_string(),
            (None, Some(float)) => shortest(float),
            (None, None) => number.to_string(),
        }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A float as Go's `FormatFloat(x, 'g', -1, 64)` prints it, but whole numbers in full: in a chart's
/// metadata these were written as integers.
fn shortest(float: f64) -> String {
    if float.fract() == 0.0 && float.abs() < 9.0e15 {
        return format!("{float:.0}");
    }
    let exponent = float.abs().log10().floor() as i32;
    let digits = format!("{float:e}")
        .split('e')
        .next()
        .map_or(0, |mantissa| {
            mantissa.bytes().filter(u8::is_ascii_digit).count() as i32
        });
    if exponent < -4 || exponent >= digits.max(21) {
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |rest| ('-', rest));
        format!("{mantissa}e{sign}{exponent:0>2}")
    } else {
        float.to_string()
    }
}
