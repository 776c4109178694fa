//! The grammar of `--set`, `--set-string`, `--set-json` and `--set-file`.

use serde_json::{Map, Value};

/// The highest list index.
pub(super) const MAX_INDEX: usize = 65_536;
/// How many names a key may nest.
pub(super) const MAX_LEVELS: usize = 30;

/// Why parsing stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The text ended where it may.
    End,
    /// It is wrong.
    Bad(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Bad(text)
    }
}

/// What the text after `=` becomes.
pub(super) enum Kind<'a> {
    /// `true`, `12`, `null` get their types.
    Typed,
    /// Always a string.
    Text,
    /// JSON.
    Json,
    /// The name of a file whose text is the value.
    File(&'a dyn Fn(&str) -> Result<String, String>),
}

/// Parses `line` and puts what it says into `values`.
pub(super) fn apply(
    line: &str,
    kind: &Kind<'_>,
    values: &mut Map<String, Value>,
) -> Result<(), String> {
    let mut parser = Parser { rest: line, kind };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Bad(text)) => return Err(text),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    kind: &'a Kind<'a>,
}

/// Go's text for a failed type assertion, which Helm shows.
pub(super) fn assertion(found: &Value, wanted: &str) -> Stop {
    let kind = match found {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    Stop::Bad(format!(
        "unable to parse key: interface conversion: interface {{}} is {kind}, not {wanted}"
    ))
}

pub(super) fn put(map: &mut Map<String, Value>, key: String, value: Value) {
    if !key.is_empty() {
        map.insert(key, value);
    }
}

pub(super) fn put_index(list: &mut Vec<Value>, index: usize, value: Value) -> Result<(), Stop> {
    if index > MAX_INDEX {
        return Err(Stop::Bad(format!(
            "index of {index} is greater than maximum supported index of {MAX_INDEX}"
        )));
    }
    if list.len() <= index {
        list.resize(index + 1, Value::Null);
    }
    list[index] = value;
    Ok(())
}

/// Reads an index up to its bracket.
pub(super) fn parse_index(text: &str) -> Result<usize, Stop> {
    let number: i64 = text.parse().map_err(|_| {
        Stop::Bad(format!(
            "error parsing index: strconv.Atoi: parsing {text:?}: invalid syntax"
        ))
    })?;
    usize::try_from(number).map_err(|_| Stop::Bad(format!("negative {number} index not allowed")))
}

/// Go prints a list of characters.
pub(super) fn unexpected(extra: &str) -> Stop {
    let characters: Vec<String> = extra.chars().map(|c| format!("{c:?}")).collect();
    Stop::Bad(format!(
        "unexpected data at end of array index: [{}]",
        characters.join(" ")
    ))
}

pub(super) fn too_deep() -> Stop {
    Stop::Bad(format!(
        "value name nested level is greater than maximum supported nested level of {MAX_LEVELS}"
    ))
}

fn typed(text: String) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return true.into();
    }
    if text.eq_ignore_ascii_case("false") {
        return false.into();
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return 0_i64.into();
    }
    if !text.starts_with('0')
        && let Ok(integer) = text.parse::<i64>()
    {
        return integer.into();
    }
    text.into()
}

/// Every number a float, as Go's JSON decoder makes them.
pub(crate) fn floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => Value::Array(items.into_iter().map(floats).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, floats(v))).collect()),
        other => other,
    }
}

impl Parser<'_> {
    /// Characters up to one of `stop` with backslashes removed, and that one; `None` at the end.
    fn until(&mut self, stop: &str) -> (String, Option<char>) {
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            if stop.contains(c) {
                self.rest = &self.rest[at + c.len_utf8()..];
                return (text, Some(c));
            }
            if c == '\\' {
                match chars.next() {
                    Some((_, escaped)) => text.push(escaped),
                    None => break,
                }
            } else {
                text.push(c);
            }
        }
        self.rest = "";
        (text, None)
    }

    fn value(&self, text: String) -> Result<Value, Stop> {
        match self.kind {
            Kind::Typed => Ok(typed(text)),
            Kind::Text | Kind::Json => Ok(text.into()),
            Kind::File(read) => Ok(read(&text)?.into()),
        }
    }

    /// Skips blanks and one comma; true when nothing but these was there.
    fn blank(&mut self) -> bool {
        let trimmed = self.rest.trim_start();
        match trimmed.strip_prefix(',') {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => {
                self.rest = trimmed;
                trimmed.is_empty()
            }
        }
    }

    fn json(&mut self) -> Result<Value, Stop> {
        if self.blank() {
            return Ok(Value::Null);
        }
        let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                let used = stream.byte_offset();
                self.rest = &self.rest[used..];
                self.blank();
                Ok(floats(value))
            }
            // Only the kind of mistake: the text around it may be a secret.
            Some(Err(error)) => Err(Stop::Bad(format!(
                "invalid JSON at line {} column {}",
                error.line(),
                error.column()
            ))),
            None => Ok(Value::Null),
        }
    }

    /// What follows `=`, and whether there was nothing: at the end of the text Helm then stops, and
    /// forgets the list element it was in.
    fn assigned(&mut self) -> Result<(Value, bool), Stop> {
        if matches!(self.kind, Kind::Json) {
            return Ok((self.json()?, false));
        }
        if self.rest.is_empty() {
            return Ok(("".into(), true));
        }
        if let Some(rest) = self.rest.strip_prefix('{') {
            self.rest = rest;
            return Ok((self.list()?, false));
        }
        let (text, _) = self.until(",");
        Ok((self.value(text)?, false))
    }

    fn list(&mut self) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            let (text, last) = self.until(",}");
            match last {
                None => return Err(Stop::Bad("list must terminate with '}'".into())),
                Some(last) => {
                    items.push(self.value(text)?);
                    if last == '}' {
                        self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                        return Ok(Value::Array(items));
                    }
                }
            }
        }
    }

    fn key(&mut self, map: &mut Map<String, Value>, level: usize) -> Result<(), Stop> {
        let (name, last) = self.until("=[,.");
        match last {
            None if name.is_empty() => Err(Stop::End),
            None => Err(Stop::Bad(format!("key {name:?} has no value"))),
            Some('[') => {
                let (index, closed) = self.until("]");
                // Helm takes an index that is never closed for the end of the text.
                if closed.is_none() {
                    return Err(Stop::End);
                }
                let index = parse_index(&index)?;
                let mut list = match map.get(&name) {
                    None => Vec::new(),
                    Some(Value::Array(list)) => list.clone(),
                    Some(other) => return Err(assertion(other, "[]interface {}")),
                };
                let outcome = self.item(&mut list, index, level);
                put(map, name, Value::Array(list));
                outcome
            }
            Some('=') => {
                let (value, end) = self.assigned()?;
                put(map, name, value);
                if end { Err(Stop::End) } else { Ok(()) }
            }
            Some(',') => Err(Stop::Bad(format!(
                "key {name:?} has no value (cannot end with ,)"
            ))),
            Some(_) => {
                if level + 1 > MAX_LEVELS {
                    return Err(too_deep());
                }
                let mut inner = match map.get(&name) {
                    None => Map::new(),
                    Some(Value::Object(inner)) => inner.clone(),
                    Some(other) => return Err(assertion(other, "map[string]interface {}")),
                };
                let outcome = self.key(&mut inner, level + 1);
                if outcome.is_ok() && inner.is_empty() {
                    return Err(Stop::Bad(format!("key map {name:?} has no value")));
                }
                if !inner.is_empty() {
                    put(map, name, Value::Object(inner));
                }
                outcome
            }
        }
    }

    fn item(&mut self, list: &mut Vec<Value>, index: usize, level: usize) -> Result<(), Stop> {
        let (extra, last) = self.until("[.=");
        if !extra.is_empty() {
            return Err(unexpected(&extra));
        }
        match last {
            None => Err(Stop::End),
            Some('=') => {
                let (value, _) = self.assigned()?;
                put_index(list, index, value)
            }
            Some('[') => {
                let (next, closed) = self.until("]");
                if closed.is_none() {
                    return Err(Stop::End);
                }
                let next = parse_index(&next)?;
                let mut inner = match list.get(index) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::Array(inner)) => inner.clone(),
                    Some(other) => return Err(assertion(other, "[]interface {}")),
                };
                self.item(&mut inner, next, level)?;
                put_index(list, index, Value::Array(inner))
            }
            Some(_) => {
                let mut inner = match list.get(index) {
                    Some(Value::Object(inner)) => inner.clone(),
                    _ => Map::new(),
                };
                self.key(&mut inner, level)?;
                put_index(list, index, Value::Object(inner))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(line: &str) -> Result<Value, String> {
        let mut map = Map::new();
        apply(line, &Kind::Typed, &mut map)?;
        Ok(Value::Object(map))
    }

    #[test]
    fn lines_mean_what_helm_says() {
        for (line, expected) in [
            ("a=b", json!({"a": "b"})),
            (
                "a=1,b=0,c=01,d=1.5,e=true,f=NULL",
                json!({"a": 1, "b": 0, "c": "01", "d": "1.5", "e": true, "f": null}),
            ),
            ("a.b.c=x", json!({"a": {"b": {"c": "x"}}})),
            ("a\\.b=x\\,y", json!({"a.b": "x,y"})),
            ("a={1,b}", json!({"a": [1, "b"]})),
            ("a={1},b=2", json!({"a": [1], "b": 2})),
            ("a[0]=x,a[2]=y", json!({"a": ["x", null, "y"]})),
            ("a[0].b=x,a[0].c=y", json!({"a": [{"b": "x", "c": "y"}]})),
            ("a[0][1]=x", json!({"a": [[null, "x"]]})),
            ("a=", json!({"a": ""})),
            ("a[0].b=", json!({"a": []})),
            ("a[1][0].b=c", json!({"a": [null, [{"b": "c"}]]})),
            ("a=,b=1", json!({"a": "", "b": 1})),
            ("", json!({})),
        ] {
            assert_eq!(set(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (line, expected) in [
            ("a", "key \"a\" has no value"),
            ("a,b=1", "cannot end with ,"),
            ("a={1", "list must terminate with '}'"),
            ("a[x]=1", "error parsing index"),
            ("a[-1]=1", "negative -1 index not allowed"),
            ("a[70000]=1", "index of 70000 is greater"),
            ("a[0]x=1", "unexpected data at end of array index"),
            (
                "a=1,a.b=2",
                "interface {} is int64, not map[string]interface {}",
            ),
            ("a=1,a[0]=2", "interface {} is int64, not []interface {}"),
            (&"a.".repeat(40), "nested level"),
        ] {
            let error = set(line).expect_err("the line is wrong");
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn json_strings_and_files_have_their_own_values() {
        let mut map = Map::new();
        apply("a={\"b\":[1,2]} ,c=null,d=", &Kind::Json, &mut map).expect("sound JSON");
        assert_eq!(
            Value::Object(map),
            json!({"a": {"b": [1.0, 2.0]}, "c": null, "d": null})
        );
        let mut map = Map::new();
        apply("a=1,b={true}", &Kind::Text, &mut map).expect("sound text");
        assert_eq!(Value::Object(map), json!({"a": "1", "b": ["true"]}));
        let mut map = Map::new();
        let read = |name: &str| Ok(format!("<{name}>"));
        apply("a=x.txt", &Kind::File(&read), &mut map).expect("a sound name");
        assert_eq!(Value::Object(map), json!({"a": "<x.txt>"}));
    }
}
