//! YAML documents as JSON values, strict about duplicate keys.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Why a text is no YAML, or no data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct YamlError(String);

enum Frame {
    Sequence(Vec<Value>, usize),
    Mapping(Map<String, Value>, Option<String>, usize),
}

/// Every document of a stream; empty ones are left out.
pub fn documents(text: &str) -> Result<Vec<Value>, YamlError> {
    let mut documents = Vec::new();
    let mut stack: Vec<Frame> = Vec::new();
    let mut anchors: BTreeMap<usize, Value> = BTreeMap::new();
    let mut root: Option<Value> = None;
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| YamlError(format!("yaml: {error}")))?;
        let line = span.start.line();
        let done = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_key = matches!(stack.last(), Some(Frame::Mapping(_, None, _)));
                let forced = tag
                    .as_ref()
                    .is_some_and(|tag| tag.suffix().ends_with("str"));
                let value = if is_key || forced {
                    Value::String(text.into_owned())
                } else {
                    scalar(&text, style)
                };
                Some((value, anchor))
            }
            Event::SequenceStart(_, anchor, _) => {
                stack.push(Frame::Sequence(Vec::new(), anchor));
                None
            }
            Event::MappingStart(_, anchor, _) => {
                stack.push(Frame::Mapping(Map::new(), None, anchor));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match stack.pop() {
                Some(Frame::Sequence(list, anchor)) => Some((Value::Array(list), anchor)),
                Some(Frame::Mapping(map, _, anchor)) => Some((Value::Object(map), anchor)),
                None => None,
            },
            Event::Alias(anchor) => Some((anchors.get(&anchor).cloned().unwrap_or_default(), 0)),
            Event::DocumentEnd => {
                documents.extend(root.take().filter(|value| !value.is_null()));
                None
            }
            _ => None,
        };
        let Some((value, anchor)) = done else {
            continue;
        };
        if anchor != 0 {
            anchors.insert(anchor, value.clone());
        }
        match stack.last_mut() {
            None => root = Some(value),
            Some(Frame::Sequence(list, _)) => list.push(value),
            Some(Frame::Mapping(map, key, _)) => match key.take() {
                None => {
                    let Value::String(text) = value else {
                        return Err(YamlError(format!(
                            "yaml: line {line}: a key must be a scalar"
                        )));
                    };
                    if map.contains_key(&text) {
                        return Err(YamlError(format!(
                            "yaml: line {line}: mapping key \"{text}\" already defined"
                        )));
                    }
                    *key = Some(text);
                }
                Some(key) => {
                    map.insert(key, value);
                }
            },
        }
    }
    Ok(documents)
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') {
        return None;
    }
    if let Some(octal) = digits.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8).ok().map(Value::from);
    }
    if let Some(hex) = digits.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Value::from);
    }
    if digits.len() > 1
        && digits.starts_with('0')
        && digits.chars().all(|letter| letter.is_ascii_digit())
    {
        // The Go reader takes a leading zero for octal.
        return i64::from_str_radix(digits, 8).ok().map(Value::from);
    }
    if digits.chars().all(|letter| letter.is_ascii_digit()) {
        return text.parse::<i64>().ok().map(Value::from);
    }
    let float = digits
        .chars()
        .all(|letter| letter.is_ascii_digit() || ".eE+-".contains(letter));
    float
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .and_then(serde_json::Number::from_f64)
        .map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_documents() {
        let text = "a: 1\nb: [x, 'y', \"off\"]\nc: |\n  two\n  lines\n---\nkind: K\nm: 0o644\ne:\n";
        let found = documents(text).expect("it is YAML");
        assert_eq!(
            found,
            [
                json!({"a": 1, "b": ["x", "y", "off"], "c": "two\nlines\n"}),
                json!({"kind": "K", "m": 420, "e": null})
            ]
        );
    }

    #[test]
    fn refuses_a_key_given_twice() {
        assert!(documents("a: 1\na: 2\n").is_err());
        assert!(documents("a: [1\n").is_err());
    }
}
