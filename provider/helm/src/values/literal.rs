//! The grammar of `--set-literal`: no escapes, everything after `=` is the value.

use serde_json::{Map, Value};

use super::set::{MAX_LEVELS, Stop, assertion, parse_index, put, put_index, too_deep, unexpected};

/// Parses `line` and puts what it says into `values`.
pub(super) fn apply(line: &str, values: &mut Map<String, Value>) -> Result<(), String> {
    let mut rest = line;
    match key(&mut rest, values, 0) {
        Ok(()) | Err(Stop::End) => Ok(()),
        Err(Stop::Bad(text)) => Err(text),
    }
}

fn until<'a>(rest: &mut &'a str, stop: &[char]) -> (&'a str, Option<char>) {
    let all: &'a str = rest;
    if let Some(at) = all.find(stop) {
        let last = all[at..].chars().next();
        *rest = &all[at + last.map_or(0, char::len_utf8)..];
        (&all[..at], last)
    } else {
        *rest = "";
        (all, None)
    }
}

fn index(rest: &mut &str) -> Result<usize, Stop> {
    match until(rest, &[']']) {
        (text, Some(_)) => parse_index(text),
        (_, None) => Err(Stop::Bad("error parsing index: EOF".into())),
    }
}

fn key(rest: &mut &str, map: &mut Map<String, Value>, level: usize) -> Result<(), Stop> {
    let (name, last) = until(rest, &['=', '[', '.']);
    match last {
        None if name.is_empty() => Err(Stop::End),
        None => Err(Stop::Bad(format!("key {name:?} has no value"))),
        Some('=') => {
            put(map, name.to_owned(), Value::from(std::mem::take(rest)));
            Ok(())
        }
        Some('.') => {
            if level + 1 > MAX_LEVELS {
                return Err(too_deep());
            }
            let mut inner = match map.get(name) {
                None => Map::new(),
                Some(Value::Object(inner)) => inner.clone(),
                Some(other) => return Err(assertion(other, "map[string]interface {}")),
            };
            let outcome = key(rest, &mut inner, level + 1);
            if outcome.is_ok() && inner.is_empty() {
                return Err(Stop::Bad(format!("key map {name:?} has no value")));
            }
            if !inner.is_empty() {
                put(map, name.to_owned(), Value::Object(inner));
            }
            outcome
        }
        Some(_) => {
            let at = index(rest)?;
            let mut list = match map.get(name) {
                None => Vec::new(),
                Some(Value::Array(list)) => list.clone(),
                Some(other) => return Err(assertion(other, "[]interface {}")),
            };
            item(rest, &mut list, at, level)?;
            put(map, name.to_owned(), Value::Array(list));
            Ok(())
        }
    }
}

fn item(rest: &mut &str, list: &mut Vec<Value>, at: usize, level: usize) -> Result<(), Stop> {
    let (extra, last) = until(rest, &['[', '.', '=']);
    if !extra.is_empty() {
        return Err(unexpected(extra));
    }
    match last {
        None => Err(Stop::End),
        Some('=') => put_index(list, at, Value::from(std::mem::take(rest))),
        Some('.') => {
            let mut inner = match list.get(at) {
                Some(Value::Object(inner)) => inner.clone(),
                _ => Map::new(),
            };
            key(rest, &mut inner, level)?;
            put_index(list, at, Value::Object(inner))
        }
        Some(_) => {
            let next = index(rest)?;
            let mut inner = match list.get(at) {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(inner)) => inner.clone(),
                Some(other) => return Err(assertion(other, "[]interface {}")),
            };
            item(rest, &mut inner, next, level)?;
            put_index(list, at, Value::Array(inner))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_after_the_sign_is_the_value() {
        for (line, expected) in [
            ("a=1,b={2}\\,", json!({"a": "1,b={2}\\,"})),
            ("a.b=x=y", json!({"a": {"b": "x=y"}})),
            ("a[1].b=", json!({"a": [null, {"b": ""}]})),
            ("a[0][0]=x", json!({"a": [["x"]]})),
        ] {
            let mut map = Map::new();
            apply(line, &mut map).expect("a sound line");
            assert_eq!(Value::Object(map), expected, "{line}");
        }
        assert!(apply("a", &mut Map::new()).is_err());
        assert!(apply("a[x]=1", &mut Map::new()).is_err());
    }
}
