//! TOML as BurntSushi's library reads and writes it.

use std::fmt::Write as _;
use std::rc::Rc;

use super::json::error_map;
use super::print::float_shortest;
use super::{Answer, Function, fixed, text};
use crate::dates::parse;
use crate::template::{Fault, Run};
use crate::value::{Entries, List, ListKind, Map, Str, Type, Value};

const A: Type = Type::Any;
const S: Type = Type::Str;

pub(super) static TABLE: &[Function] = &[
    fixed("toToml", &[A], |_, a| match encode(&a[0]) {
        Err(error) if error == NIL_VALUE => Err(error.into()),
        text => Ok(Value::str(text.unwrap_or_else(|error| error))),
    }),
    fixed("mustToToml", &[A], must),
    fixed("fromToml", &[S], |_, a| {
        let source = text(a, 0);
        Ok(match source.lossy().parse::<toml::Table>() {
            Ok(table) => from_table(table),
            Err(error) => error_map(&format!("toml: {}", error.message())),
        })
    }),
];

/// What Go's reflection panics with.
const NIL_VALUE: &str = "reflect: call of reflect.Value.Type on zero Value";

fn must(_: &Run<'_>, args: &[Value]) -> Answer {
    Ok(Value::str(encode(&args[0]).map_err(Fault::new)?))
}

fn from_table(table: toml::Table) -> Value {
    let entries: Entries = table
        .into_iter()
        .map(|(key, value)| (Str::from(key), from_toml(value)))
        .collect();
    Value::map(entries)
}

fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::str(text),
        toml::Value::Integer(integer) => Value::Int64(integer),
        toml::Value::Float(float) => Value::Float(float),
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(datetime) => from_datetime(&datetime.to_string()),
        toml::Value::Array(items) => {
            let tables = !items.is_empty() && items.iter().all(toml::Value::is_table);
            let kind = if tables {
                ListKind::Maps
            } else {
                ListKind::Any
            };
            Value::List(List::new(kind, items.into_iter().map(from_toml).collect()))
        }
        toml::Value::Table(table) => from_table(table),
    }
}

fn from_datetime(written: &str) -> Value {
    let layouts = [
        "2006-01-02T15:04:05.999999999Z07:00",
        "2006-01-02T15:04:05.999999999",
        "2006-01-02",
        "15:04:05.999999999",
    ];
    for layout in layouts {
        if let Ok(time) = parse(layout, written) {
            return Value::Object(Rc::new(time));
        }
    }
    Value::str(written)
}

/// Writes a document.
fn encode(value: &Value) -> Result<String, String> {
    let mut encoder = Encoder { out: String::new() };
    match value {
        Value::Map(map) => encoder.map(&[], map, false, 0)?,
        Value::Absent | Value::Nil => {
            return Err(NIL_VALUE.to_owned());
        }
        Value::List(list) if is_table_array(list)? => return Err(NO_KEY.to_owned()),
        Value::Object(object) => return encode(&object.json()),
        other => encoder.element(other, 0)?,
    }
    Ok(encoder.out)
}

const NO_KEY: &str = "toml: top-level values must be Go maps or structs";
const NIL_ELEMENT: &str = "toml: cannot encode array with nil element";

struct Encoder {
    out: String,
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Map(map) => map.is_nil(),
        Value::List(list) => list.is_nil(),
        other => other.is_nil(),
    }
}

fn is_table_array(list: &List) -> Result<bool, String> {
    if list.items().iter().any(is_nil) {
        return Err(NIL_ELEMENT.to_owned());
    }
    Ok(!list.is_empty()
        && list
            .items()
            .iter()
            .all(|item| matches!(item, Value::Map(_))))
}

fn is_table(value: &Value) -> Result<bool, String> {
    match value {
        _ if is_nil(value) => Ok(false),
        Value::Map(_) => Ok(true),
        Value::List(list) => is_table_array(list),
        _ => Ok(false),
    }
}

fn quoted_key(key: &Str) -> String {
    let bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let text = key.lossy();
    if !key.is_empty() && key.iter().all(bare) {
        text.into_owned()
    } else {
        quoted(&text)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\x1f' | '\x7f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out.push('"');
    out
}

fn path(keys: &[Str]) -> String {
    let keys: Vec<String> = keys.iter().map(quoted_key).collect();
    keys.join(".")
}

impl Encoder {
    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn indent(&mut self, keys: &[Str]) {
        for _ in 1..keys.len() {
            self.out.push_str("  ");
        }
    }

    fn map(&mut self, keys: &[Str], map: &Map, inline: bool, depth: usize) -> Result<(), String> {
        if depth > 500 {
            return Err("toml: nested too deeply".to_owned());
        }
        let mut plain = Vec::new();
        let mut tables = Vec::new();
        for (key, value) in map.snapshot() {
            let list = if is_table(&value)? {
                &mut tables
            } else {
                &mut plain
            };
            list.push((key, value));
        }
        if inline {
            self.out.push('{');
        }
        self.entries(keys, &plain, inline, !tables.is_empty(), depth)?;
        self.entries(keys, &tables, inline, false, depth)?;
        if inline {
            self.out.push('}');
        }
        Ok(())
    }

    fn entries(
        &mut self,
        keys: &[Str],
        entries: &[(Str, Value)],
        inline: bool,
        trailing: bool,
        depth: usize,
    ) -> Result<(), String> {
        for (index, (key, value)) in entries.iter().enumerate() {
            if is_nil(value) {
                continue;
            }
            if inline {
                self.key_value(std::slice::from_ref(key), value, true, depth)?;
                if trailing || index + 1 < entries.len() {
                    self.out.push_str(", ");
                }
                continue;
            }
            let mut path = keys.to_vec();
            path.push(key.clone());
            self.entry(&path, value, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, keys: &[Str], value: &Value, depth: usize) -> Result<(), String> {
        match value {
            Value::List(list) if is_table_array(list)? => {
                for item in list.items() {
                    let Value::Map(map) = item else {
                        continue;
                    };
                    self.newline();
                    self.indent(keys);
                    let _ = write!(self.out, "[[{}]]", path(keys));
                    self.newline();
                    self.map(keys, map, false, depth + 1)?;
                }
                Ok(())
            }
            Value::Map(map) => {
                if keys.len() == 1 {
                    self.newline();
                }
                self.indent(keys);
                let _ = write!(self.out, "[{}]", path(keys));
                self.newline();
                self.map(keys, map, false, depth + 1)
            }
            _ => self.key_value(keys, value, false, depth),
        }
    }

    fn key_value(
        &mut self,
        keys: &[Str],
        value: &Value,
        inline: bool,
        depth: usize,
    ) -> Result<(), String> {
        self.indent(keys);
        if let Some(key) = keys.last() {
            self.out.push_str(&quoted_key(key));
        }
        self.out.push_str(" = ");
        self.element(value, depth)?;
        if !inline {
            self.newline();
        }
        Ok(())
    }

    fn element(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        match value {
            Value::Absent | Value::Nil => return Err(NIL_ELEMENT.to_owned()),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) | Value::Int64(value) => self.out.push_str(&value.to_string()),
            Value::Uint8(value) => self.out.push_str(&value.to_string()),
            Value::Float(value) => self.out.push_str(&float(*value)),
            Value::Complex(..) => return Err("unsupported type: complex128".to_owned()),
            Value::Duration(nanos) => {
                self.out
                    .push_str(&quoted(&crate::dates::duration_text(*nanos)));
            }
            Value::Str(text) => self.out.push_str(&quoted(&text.lossy())),
            Value::Bytes(bytes) => {
                let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
                let _ = write!(self.out, "[{}]", items.join(", "));
            }
            Value::List(list) => {
                self.out.push('[');
                for (index, item) in list.items().iter().enumerate() {
                    if index > 0 {
                        self.out.push_str(", ");
                    }
                    if depth > 500 {
                        return Err("toml: nested too deeply".to_owned());
                    }
                    self.element(item, depth + 1)?;
                }
                self.out.push(']');
            }
            Value::Map(map) => self.map(&[], map, true, depth + 1)?,
            Value::Object(object) => match object.json() {
                Value::Str(text) => self.out.push_str(&text.lossy()),
                other => self.element(&other, depth + 1)?,
            },
        }
        Ok(())
    }
}

fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = float_shortest(value, 6);
    if text.contains(['e', '.']) {
        text
    } else {
        format!("{text}.0")
    }
}
