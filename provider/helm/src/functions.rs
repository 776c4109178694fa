//! The functions that charts can call: Go's own, sprig's and Helm's.

mod builtins;
mod casts;
mod compare;
mod crypto;
mod dates;
mod defaults;
mod dicts;
mod encoding;
pub(crate) mod format;
mod helm;
pub(crate) mod json;
mod lists;
mod math;
pub(crate) mod print;
pub(crate) mod quote;
mod random;
mod reflect;
mod regexes;
mod strings;
mod text;
mod toml;
mod urls;

pub(crate) use dicts::deep_copy;
pub(crate) use encoding::base64_decode;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::template::{Fault, Run};
use crate::value::{List, Map, Signature, Str, Type, Value};

/// What a function body returns.
pub(crate) type Answer = Result<Value, Fault>;

/// Functions that the executor treats apart: they do not evaluate all of their arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    None,
    And,
    Or,
    Call,
}

/// A function by name, with what it takes.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) signature: Signature,
    pub(crate) special: Special,
    pub(crate) call: fn(&Run<'_>, &[Value]) -> Answer,
}

/// An entry of a table: exactly these parameters.
pub(crate) const fn fixed(
    name: &'static str,
    params: &'static [Type],
    call: fn(&Run<'_>, &[Value]) -> Answer,
) -> Function {
    Function {
        name,
        signature: Signature::fixed(params),
        special: Special::None,
        call,
    }
}

/// An entry of a table: these parameters and any number of `rest`.
pub(crate) const fn variadic(
    name: &'static str,
    params: &'static [Type],
    rest: Type,
    call: fn(&Run<'_>, &[Value]) -> Answer,
) -> Function {
    Function {
        name,
        signature: Signature::variadic(params, rest),
        special: Special::None,
        call,
    }
}

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let tables: &[&'static [Function]] = &[
        builtins::TABLE,
        strings::TABLE,
        lists::TABLE,
        dicts::TABLE,
        defaults::TABLE,
        math::TABLE,
        reflect::TABLE,
        encoding::TABLE,
        json::TABLE,
        helm::TABLE,
        crypto::TABLE,
        dates::TABLE,
        random::TABLE,
        regexes::TABLE,
        toml::TABLE,
        urls::TABLE,
    ];
    let mut all = HashMap::new();
    for function in tables.iter().copied().flatten() {
        all.insert(function.name, function);
    }
    all
});

/// The function of that name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name).copied()
}

/// What the methods of a chart's values take; a method wins over a key of its name.
pub(crate) fn values_method(name: &str) -> Option<Signature> {
    match name {
        "AsMap" | "YAML" => Some(Signature::fixed(&[])),
        "Table" | "PathValue" => Some(Signature::fixed(&[Type::Str])),
        _ => None,
    }
}

/// Calls a method of a chart's values.
pub(crate) fn call_values_method(map: &Map, name: &str, args: &[Value]) -> Result<Value, String> {
    match name {
        "AsMap" => Ok(Value::Map(map.with_kind(crate::value::MapKind::Any))),
        "YAML" => Ok(Value::str(crate::yaml::encode_value(&Value::Map(
            map.clone(),
        )))),
        _ => {
            let path = text(args, 0).lossy().into_owned();
            let mut current = Value::Map(map.clone());
            for step in path.split('.') {
                let Value::Map(map) = &current else {
                    return Err(format!("\"{path}\" is not a value"));
                };
                match map.get(step.as_bytes()) {
                    Some(next) => current = next,
                    None => return Err(format!("\"{path}\" is not a value")),
                }
            }
            Ok(current)
        }
    }
}

/// A checked string argument.
pub(crate) fn text(args: &[Value], index: usize) -> Str {
    match args.get(index) {
        Some(Value::Str(text)) => text.clone(),
        _ => Str::default(),
    }
}

/// A checked `int` argument.
pub(crate) fn int(args: &[Value], index: usize) -> i64 {
    match args.get(index) {
        Some(Value::Int(value) | Value::Int64(value)) => *value,
        _ => 0,
    }
}

/// A checked map argument; nil when no value was given.
pub(crate) fn map(args: &[Value], index: usize) -> Map {
    match args.get(index) {
        Some(Value::Map(map)) => map.clone(),
        _ => Map::nil(crate::value::MapKind::Any),
    }
}

/// The elements of any slice: lists, bytes and named lists. `None` for other kinds.
pub(crate) fn elements(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(list) => Some(list.items().to_vec()),
        Value::Bytes(bytes) => Some(bytes.iter().map(|byte| Value::Uint8(*byte)).collect()),
        Value::Object(object) => elements(&object.underlying()?),
        _ => None,
    }
}

/// `[]string`.
pub(crate) fn strings_value<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Value {
    Value::List(List::strings(items))
}
