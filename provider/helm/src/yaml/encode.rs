//! Writing YAML.

use std::cmp::Ordering;

use super::decode::is_control;
use super::emit::{Dialect, Emitter};
use crate::functions::json;
use crate::functions::print::float_shortest;
use crate::value::{Str, Value};

/// The line break of YAML that JSON knows nothing of.
const NEXT_LINE: char = '\u{85}';

/// How many characters go-yaml lets a key of one line have, quotes included.
const MAX_KEY: usize = 1_024;

/// `toYaml` with its final newline: go-yaml v2 behind a trip through JSON. Empty when the tree has
/// something that YAML cannot hold.
pub fn encode(tree: &serde_json::Value) -> String {
    encode_value(&Value::from(tree))
}

/// [`encode`] for a template value.
pub fn encode_value(value: &Value) -> String {
    try_encode_value(value).unwrap_or_default()
}

/// [`encode_value`] with the reason for a failure.
pub(crate) fn try_encode_value(value: &Value) -> Result<String, String> {
    let mut emitter = Emitter::new(Dialect::V2);
    node(&mut emitter, value, false, 0)?;
    Ok(emitter.finish())
}

/// `toYamlPretty` with its final newline: go-yaml v3 with an indent of two, without the trip.
pub fn encode_pretty(value: &Value) -> String {
    try_encode_pretty(value).unwrap_or_default()
}

/// [`encode_pretty`] with the reason for a failure.
pub(crate) fn try_encode_pretty(value: &Value) -> Result<String, String> {
    let mut emitter = Emitter::new(Dialect::V3);
    node(&mut emitter, value, false, 0)?;
    Ok(emitter.finish())
}

fn node(emitter: &mut Emitter, value: &Value, in_map: bool, depth: usize) -> Result<(), String> {
    if depth > 1_000 {
        return Err("json: unsupported value: encountered a cycle".to_owned());
    }
    stacker::maybe_grow(64 << 10, 1 << 20, || {
        node_inner(emitter, value, in_map, depth)
    })
}

fn node_inner(
    emitter: &mut Emitter,
    value: &Value,
    in_map: bool,
    depth: usize,
) -> Result<(), String> {
    let pretty = emitter.dialect() == Dialect::V3;
    match value {
        Value::Absent | Value::Nil => emitter.word("null"),
        Value::Bool(value) => emitter.word(if *value { "true" } else { "false" }),
        Value::Int(value) | Value::Int64(value) => emitter.word(&value.to_string()),
        Value::Uint8(value) => emitter.word(&value.to_string()),
        Value::Duration(nanos) if pretty => {
            emitter.text(&crate::dates::duration_text(*nanos), false);
        }
        Value::Duration(nanos) => emitter.word(&nanos.to_string()),
        Value::Float(value) if pretty => emitter.word(&pretty_float(*value)),
        Value::Float(value) => emitter.word(&float(*value)?),
        Value::Complex(..) if pretty => {
            return Err("cannot marshal type: complex128".to_owned());
        }
        Value::Complex(..) => return Err("json: unsupported type: complex128".to_owned()),
        Value::Str(text) => scalar(emitter, text, false)?,
        Value::Bytes(bytes) if pretty => {
            let items: Vec<Value> = bytes.iter().map(|byte| Value::Uint8(*byte)).collect();
            sequence(emitter, &items, in_map, depth)?;
        }
        Value::Bytes(_) => {
            let text = value.to_json();
            emitter.text(text.as_str().unwrap_or_default(), false);
        }
        Value::List(list) if list.is_nil() && !pretty => emitter.word("null"),
        Value::List(list) => sequence(emitter, list.items(), in_map, depth)?,
        Value::Map(map) if map.is_nil() && !pretty => emitter.word("null"),
        Value::Map(map) => mapping(emitter, map.snapshot(), depth)?,
        Value::Object(object) => node(emitter, &object.json(), in_map, depth + 1)?,
    }
    Ok(())
}

fn scalar(emitter: &mut Emitter, text: &Str, key: bool) -> Result<(), String> {
    if emitter.dialect() == Dialect::V3 {
        match std::str::from_utf8(text) {
            Ok(text) => emitter.text(text, key),
            Err(_) => {
                use base64::Engine as _;
                let encoded = base64::engine::general_purpose::STANDARD.encode(text.as_bytes());
                emitter.indicator("!!binary", true, false, false);
                emitter.word(&encoded);
            }
        }
        return Ok(());
    }
    let text = text.lossy();
    // JSON escapes control characters below the space only; YAML's reader refuses the others.
    if text.chars().any(|char| is_control(char) && char >= ' ') {
        return Err("yaml: control characters are not allowed".to_owned());
    }
    if text.contains(NEXT_LINE) {
        emitter.text(&folded(&text), key);
    } else {
        emitter.text(&text, key);
    }
    Ok(())
}

/// Whether YAML's reader takes a text for a key when it comes as JSON: on one line, and with its colon not too far
/// from its start.
fn check_key(text: &Str) -> Result<(), String> {
    let text = text.lossy();
    let far = text.len() > MAX_KEY / 6 && {
        let mut json = Vec::with_capacity(text.len() + 2);
        json::string(text.as_bytes(), true, &mut json);
        String::from_utf8_lossy(&json).chars().count() > MAX_KEY
    };
    if far || text.contains(NEXT_LINE) {
        return Err("yaml: did not find expected ',' or '}'".to_owned());
    }
    Ok(())
}

/// What a text with line breaks that JSON does not escape is when YAML's reader is through with it: blanks around
/// them are gone, a single one is a space and of several one is.
fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NEXT_LINE) {
        out.push_str(rest[..at].trim_end_matches(' '));
        let next = rest[at..].trim_start_matches([' ', NEXT_LINE]);
        let breaks = rest[at..rest.len() - next.len()].matches(NEXT_LINE).count();
        match breaks {
            1 => out.push(' '),
            _ => out.extend(std::iter::repeat_n('\n', breaks - 1)),
        }
        rest = next;
    }
    out.push_str(rest);
    out
}

/// A number as JSON prints it, then as YAML reads and prints that.
fn float(value: f64) -> Result<String, String> {
    let text = json::number(value)?;
    if text == "-0" {
        return Ok("0".to_owned());
    }
    if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
        return Ok(text);
    }
    Ok(float_shortest(value, 6))
}

fn pretty_float(value: f64) -> String {
    if value.is_nan() {
        ".nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        float_shortest(value, 6)
    }
}

fn sequence(
    emitter: &mut Emitter,
    items: &[Value],
    in_map: bool,
    depth: usize,
) -> Result<(), String> {
    if items.is_empty() {
        emitter.indicator("[", true, true, false);
        emitter.indicator("]", false, false, false);
        return Ok(());
    }
    let flush = emitter.dialect() == Dialect::V2 && in_map && !emitter.is_indented();
    let old = emitter.deeper(false, flush);
    for item in items {
        emitter.write_indent();
        emitter.indicator("-", true, false, true);
        node(emitter, item, false, depth + 1)?;
    }
    emitter.indent = old;
    Ok(())
}

fn mapping(
    emitter: &mut Emitter,
    mut entries: Vec<(Str, Value)>,
    depth: usize,
) -> Result<(), String> {
    if entries.is_empty() {
        emitter.indicator("{", true, true, false);
        emitter.indicator("}", false, false, false);
        return Ok(());
    }
    sort(&mut entries, emitter.dialect());
    let old = emitter.deeper(false, false);
    for (key, value) in &entries {
        if emitter.dialect() == Dialect::V2 {
            check_key(key)?;
        }
        emitter.write_indent();
        let simple = Emitter::is_simple_key(&key.lossy());
        if simple {
            scalar(emitter, key, true)?;
            emitter.indicator(":", false, false, false);
        } else {
            emitter.indicator("?", true, false, true);
            scalar(emitter, key, false)?;
            emitter.write_indent();
            emitter.indicator(":", true, false, true);
        }
        node(emitter, value, true, depth + 1)?;
    }
    emitter.indent = old;
    Ok(())
}

/// go-yaml's order of keys: letters after other characters, runs of digits as numbers.
fn sort(entries: &mut [(Str, Value)], dialect: Dialect) {
    let plain = |key: &Str| key.iter().all(u8::is_ascii_lowercase);
    if entries.iter().all(|(key, _)| plain(key)) {
        // Entries come in the order of their bytes, which is right for these.
        return;
    }
    let mut keyed: Vec<(Vec<char>, usize)> = entries
        .iter()
        .enumerate()
        .map(|(index, (key, _))| (key.lossy().chars().collect(), index))
        .collect();
    // The order is not transitive in odd cases: an insertion sort cannot panic on it.
    let mut ordered: Vec<(Vec<char>, usize)> = Vec::with_capacity(keyed.len());
    if keyed.len() <= 12 {
        for item in keyed.drain(..) {
            let mut at = ordered.len();
            while at > 0 && compare(&item.0, &ordered[at - 1].0, dialect).is_lt() {
                at -= 1;
            }
            ordered.insert(at, item);
        }
    } else {
        ordered = merge_sort(keyed, dialect);
    }
    let mut sorted: Vec<(Str, Value)> = Vec::with_capacity(entries.len());
    for (_, index) in &ordered {
        sorted.push(entries[*index].clone());
    }
    entries.clone_from_slice(&sorted);
}

fn merge_sort(mut items: Vec<(Vec<char>, usize)>, dialect: Dialect) -> Vec<(Vec<char>, usize)> {
    if items.len() < 2 {
        return items;
    }
    let right = merge_sort(items.split_off(items.len() / 2), dialect);
    let left = merge_sort(items, dialect);
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        if compare(&b.0, &a.0, dialect).is_lt() {
            out.extend(right.next());
        } else {
            out.extend(left.next());
        }
    }
    out.extend(left);
    out.extend(right);
    out
}

fn compare(a: &[char], b: &[char], dialect: Dialect) -> Ordering {
    let mut digits = false;
    for at in 0..a.len().min(b.len()) {
        let (ca, cb) = (a[at], b[at]);
        if ca == cb {
            digits = ca.is_numeric();
            continue;
        }
        let (la, lb) = (ca.is_alphabetic(), cb.is_alphabetic());
        if la && lb {
            return ca.cmp(&cb);
        }
        if la || lb {
            let letter_first = digits && dialect == Dialect::V3;
            return if la == letter_first {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
        return compare_numbers(a, b, at);
    }
    a.len().cmp(&b.len())
}

fn compare_numbers(a: &[char], b: &[char], at: usize) -> Ordering {
    let mut lead: i64 = 0;
    if a[at] == '0' || b[at] == '0' {
        // Within a longer number a zero is a digit like the others.
        for digit in a[..at].iter().rev().take_while(|char| char.is_numeric()) {
            if *digit != '0' {
                lead = 1;
                break;
            }
        }
    }
    let number = |text: &[char]| {
        let mut value = lead;
        let mut end = at;
        while end < text.len() && text[end].is_numeric() {
            let digit = i64::from(u32::from(text[end])) - 48;
            value = value.wrapping_mul(10).wrapping_add(digit);
            end += 1;
        }
        (value, end)
    };
    let (number_a, end_a) = number(a);
    let (number_b, end_b) = number(b);
    number_a
        .cmp(&number_b)
        .then(end_a.cmp(&end_b))
        .then(a[at].cmp(&b[at]))
}
