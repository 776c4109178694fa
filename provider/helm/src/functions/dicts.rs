//! sprig's dictionary functions. Those that change a map change it in place.

use std::rc::Rc;

use super::defaults::is_empty;
use super::print::strval;
use super::{Answer, Function, fixed, map, strings_value, text, variadic};
use crate::template::Fault;
use crate::value::{Entries, List, Map, Str, Type, Value};

const A: Type = Type::Any;
const M: Type = Type::Map;
const S: Type = Type::Str;

pub(super) static TABLE: &[Function] = &[
    variadic("dict", &[], A, |_, a| {
        let mut entries = Entries::new();
        for pair in a.chunks(2) {
            let value = pair.get(1).cloned().unwrap_or(Value::Str(Str::default()));
            entries.insert(strval(&pair[0]).into(), value);
        }
        Ok(Value::map(entries))
    }),
    fixed("get", &[M, S], |_, a| {
        Ok(map(a, 0)
            .get(&text(a, 1))
            .unwrap_or(Value::Str(Str::default())))
    }),
    fixed("set", &[M, S, A], |_, a| {
        if !map(a, 0).insert(text(a, 1), a[2].clone()) {
            return Err("assignment to entry in nil map".into());
        }
        Ok(a[0].clone())
    }),
    fixed("unset", &[M, S], |_, a| {
        map(a, 0).remove(&text(a, 1));
        Ok(a[0].clone())
    }),
    fixed("hasKey", &[M, S], |_, a| {
        Ok(Value::Bool(map(a, 0).get(&text(a, 1)).is_some()))
    }),
    variadic("pluck", &[S], M, |_, a| {
        let key = text(a, 0);
        let found = (1..a.len()).filter_map(|index| map(a, index).get(&key));
        Ok(Value::list(found.collect()))
    }),
    variadic("keys", &[], M, |_, a| {
        let keys = (0..a.len()).flat_map(|index| map(a, index).snapshot());
        Ok(strings_value(keys.map(|(key, _)| key)))
    }),
    fixed("values", &[M], |_, a| {
        Ok(Value::list(
            map(a, 0)
                .snapshot()
                .into_iter()
                .map(|(_, value)| value)
                .collect(),
        ))
    }),
    variadic("pick", &[M], S, |_, a| {
        let from = map(a, 0);
        let picked = (1..a.len()).map(|index| text(a, index));
        Ok(Value::map(
            picked
                .filter_map(|key| from.get(&key).map(|value| (key, value)))
                .collect(),
        ))
    }),
    variadic("omit", &[M], S, |_, a| {
        let omitted: Vec<Str> = (1..a.len()).map(|index| text(a, index)).collect();
        let mut entries = map(a, 0).snapshot();
        entries.retain(|(key, _)| !omitted.contains(key));
        Ok(Value::map(entries.into_iter().collect()))
    }),
    variadic("merge", &[M], M, |_, a| {
        Ok(merged(a, false).unwrap_or_else(|_| Value::str("")))
    }),
    variadic("mustMerge", &[M], M, |_, a| merged(a, false)),
    variadic("mergeOverwrite", &[M], M, |_, a| {
        Ok(merged(a, true).unwrap_or_else(|_| Value::str("")))
    }),
    variadic("mustMergeOverwrite", &[M], M, |_, a| merged(a, true)),
    variadic("dig", &[], A, |_, a| dig(a)),
    fixed("deepCopy", &[A], |_, a| copied(&a[0])),
    fixed("mustDeepCopy", &[A], |_, a| copied(&a[0])),
];

fn merged(args: &[Value], overwrite: bool) -> Answer {
    let mut target = map(args, 0);
    for index in 1..args.len() {
        let source = map(args, index);
        if target.is_nil() && !source.is_nil() {
            target = Map::any(Entries::new());
        }
        merge(&target, &source, overwrite, 0);
    }
    Ok(Value::Map(target))
}

/// Fills `target` from `source` as mergo does: without `overwrite` only what is missing or empty;
/// with it everything, empty values too. Tables merge key by key; other values, and tables that are
/// new, are taken over and then shared.
fn merge(target: &Map, source: &Map, overwrite: bool, depth: usize) {
    if depth > 1_000 || target.same(source) {
        return;
    }
    for (key, value) in source.snapshot() {
        let old = target.get(&key);
        if let (Some(Value::Map(old)), Value::Map(new)) = (&old, &value)
            && !old.is_nil()
            && !(old.is_empty() && new.is_empty())
        {
            if !(overwrite && new.is_nil()) {
                merge(old, new, overwrite, depth + 1);
            }
            // A table that is empty even now, as nulls fill nothing, makes way for the other.
            if !old.is_empty() {
                continue;
            }
        }
        if value.is_nil() && !overwrite {
            continue;
        }
        let replace = match &old {
            None => true,
            Some(old) => overwrite || is_empty(old),
        };
        if replace {
            target.insert(key, value);
        }
    }
}

fn dig(args: &[Value]) -> Answer {
    if args.len() < 3 {
        return Err("dig needs at least three arguments".into());
    }
    let (path, rest) = args.split_at(args.len() - 2);
    let mut current = rest[1].clone();
    in_any(&current)?;
    let keys = path.iter().map(|key| match key {
        Value::Str(key) => Ok(key.clone()),
        other => Err(conversion(other, "string")),
    });
    let keys: Vec<Str> = keys.collect::<Result<_, _>>()?;
    for key in &keys {
        match in_any(&current)?.get(key) {
            Some(next) => current = next,
            None => return Ok(rest[0].clone()),
        }
    }
    Ok(current)
}

/// The map that `dig` goes down: one of another type is none to it.
fn in_any(value: &Value) -> Result<&Map, Fault> {
    match value {
        Value::Map(map) if map.kind() == crate::value::MapKind::Any => Ok(map),
        other => Err(conversion(other, "map[string]interface {}")),
    }
}

fn conversion(value: &Value, wanted: &str) -> Fault {
    let name = if value.is_nil() {
        "nil".to_owned()
    } else {
        value.type_name()
    };
    Fault::new(format!(
        "interface conversion: interface {{}} is {name}, not {wanted}"
    ))
}

fn copied(value: &Value) -> Answer {
    if value.is_nil() {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    Ok(deep_copy(value))
}

/// A copy that shares no map with the original.
pub(crate) fn deep_copy(value: &Value) -> Value {
    copy(value, 0)
}

fn copy(value: &Value, depth: usize) -> Value {
    if depth > 1_000 {
        return value.clone();
    }
    match value {
        Value::List(list) if !list.is_nil() => Value::List(List::new(
            list.kind(),
            list.items()
                .iter()
                .map(|item| copy(item, depth + 1))
                .collect(),
        )),
        Value::Map(map) if !map.is_nil() => Value::Map(Map::new(
            map.kind(),
            map.snapshot()
                .into_iter()
                .map(|(key, item)| (key, copy(&item, depth + 1)))
                .collect(),
        )),
        Value::Object(object) => Value::Object(Rc::clone(object)),
        other => other.clone(),
    }
}
