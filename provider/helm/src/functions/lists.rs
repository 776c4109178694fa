//! sprig's list functions.

use super::casts::to_i64;
use super::compare::deep_equal;
use super::defaults::is_empty;
use super::{Answer, Function, elements, fixed, int, variadic};
use crate::template::Fault;
use crate::value::{List, ListKind, Type, Value};

const A: Type = Type::Any;
const I: Type = Type::Int;

pub(super) static TABLE: &[Function] = &[
    variadic("list", &[], A, |_, a| Ok(Value::list(a.to_vec()))),
    variadic("tuple", &[], A, |_, a| Ok(Value::list(a.to_vec()))),
    fixed("append", &[A, A], |_, a| push(a)),
    fixed("push", &[A, A], |_, a| push(a)),
    fixed("mustAppend", &[A, A], |_, a| push(a)),
    fixed("mustPush", &[A, A], |_, a| push(a)),
    fixed("prepend", &[A, A], |_, a| prepend(a)),
    fixed("mustPrepend", &[A, A], |_, a| prepend(a)),
    fixed("first", &[A], |_, a| end(a, "first", <[Value]>::first)),
    fixed("mustFirst", &[A], |_, a| end(a, "first", <[Value]>::first)),
    fixed("last", &[A], |_, a| end(a, "last", <[Value]>::last)),
    fixed("mustLast", &[A], |_, a| end(a, "last", <[Value]>::last)),
    fixed("rest", &[A], |_, a| part(a, "rest", |items| &items[1..])),
    fixed("mustRest", &[A], |_, a| {
        part(a, "rest", |items| &items[1..])
    }),
    fixed("initial", &[A], |_, a| {
        part(a, "initial", |items| &items[..items.len() - 1])
    }),
    fixed("mustInitial", &[A], |_, a| {
        part(a, "initial", |items| &items[..items.len() - 1])
    }),
    fixed("reverse", &[A], |_, a| reverse(a)),
    fixed("mustReverse", &[A], |_, a| reverse(a)),
    fixed("compact", &[A], |_, a| compact(a)),
    fixed("mustCompact", &[A], |_, a| compact(a)),
    fixed("uniq", &[A], uniq),
    fixed("mustUniq", &[A], uniq),
    variadic("without", &[A], A, without),
    variadic("mustWithout", &[A], A, without),
    fixed("has", &[A, A], |_, a| has(a)),
    fixed("mustHas", &[A, A], |_, a| has(a)),
    variadic("slice", &[A], A, |_, a| slice(a)),
    variadic("mustSlice", &[A], A, |_, a| slice(a)),
    variadic("concat", &[], A, |_, a| concat(a)),
    fixed("chunk", &[I, A], |_, a| chunk(a)),
    fixed("mustChunk", &[I, A], |_, a| chunk(a)),
];

/// The elements of a slice, or Go's complaint.
fn items(value: &Value, verb: &str) -> Result<Vec<Value>, Fault> {
    if value.is_nil() {
        return Err("runtime error: invalid memory address or nil pointer dereference".into());
    }
    elements(value).ok_or_else(|| Fault::new(format!("Cannot {verb} type {}", value.kind_name())))
}

fn push(args: &[Value]) -> Answer {
    let mut list = items(&args[0], "push on")?;
    list.push(args[1].clone());
    Ok(Value::list(list))
}

fn prepend(args: &[Value]) -> Answer {
    let mut list = items(&args[0], "prepend on")?;
    list.insert(0, args[1].clone());
    Ok(Value::list(list))
}

fn end(args: &[Value], name: &str, pick: fn(&[Value]) -> Option<&Value>) -> Answer {
    let list = items(&args[0], &format!("find {name} on"))?;
    Ok(pick(&list).cloned().unwrap_or(Value::Nil))
}

fn part(args: &[Value], name: &str, pick: fn(&[Value]) -> &[Value]) -> Answer {
    let list = items(&args[0], &format!("find {name} on"))?;
    if list.is_empty() {
        return Ok(Value::List(List::nil(ListKind::Any)));
    }
    Ok(Value::list(pick(&list).to_vec()))
}

fn reverse(args: &[Value]) -> Answer {
    let mut list = items(&args[0], "find reverse on")?;
    list.reverse();
    Ok(Value::list(list))
}

fn compact(args: &[Value]) -> Answer {
    let mut list = items(&args[0], "compact on")?;
    list.retain(|item| !is_empty(item));
    Ok(Value::list(list))
}

fn uniq(run: &crate::template::Run<'_>, args: &[Value]) -> Answer {
    let list = items(&args[0], "find uniq on")?;
    let mut kept: Vec<Value> = Vec::new();
    for item in list {
        run.charge(kept.len() as u64)?;
        if !kept.iter().any(|other| deep_equal(&item, other)) {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn without(run: &crate::template::Run<'_>, args: &[Value]) -> Answer {
    let mut list = items(&args[0], "find without on")?;
    run.charge((list.len() * args.len()) as u64)?;
    list.retain(|item| !args[1..].iter().any(|other| deep_equal(item, other)));
    Ok(Value::list(list))
}

fn has(args: &[Value]) -> Answer {
    if args[1].is_nil() {
        return Ok(Value::Bool(false));
    }
    let list = items(&args[1], "find has on")?;
    Ok(Value::Bool(
        list.iter().any(|item| deep_equal(&args[0], item)),
    ))
}

fn slice(args: &[Value]) -> Answer {
    let list = &args[0];
    if list.is_nil() {
        return Err("runtime error: invalid memory address or nil pointer dereference".into());
    }
    let Some(all) = elements(list) else {
        return Err(format!(
            "list should be type of slice or array but {}",
            list.kind_name()
        )
        .into());
    };
    if all.is_empty() {
        return Ok(Value::Nil);
    }
    let start = args.get(1).map_or(0, to_i64);
    let stop = args.get(2).map_or(all.len() as i64, to_i64);
    let range = usize::try_from(start).ok().zip(usize::try_from(stop).ok());
    let part = range
        .and_then(|(start, stop)| all.get(start..stop))
        .ok_or_else(|| Fault::new("reflect.Value.Slice: slice index out of bounds"))?;
    Ok(match list {
        Value::List(list) => Value::List(List::new(list.kind(), part.to_vec())),
        Value::Bytes(bytes) => Value::Bytes(bytes[start as usize..stop as usize].into()),
        _ => Value::list(part.to_vec()),
    })
}

fn concat(args: &[Value]) -> Answer {
    let mut all = Vec::new();
    for list in args {
        if list.is_nil() {
            return Err("runtime error: invalid memory address or nil pointer dereference".into());
        }
        let Some(mut items) = elements(list) else {
            return Err(format!("Cannot concat type {} as list", list.kind_name()).into());
        };
        all.append(&mut items);
    }
    Ok(Value::List(if all.is_empty() {
        List::nil(ListKind::Any)
    } else {
        List::any(all)
    }))
}

fn chunk(args: &[Value]) -> Answer {
    let size = int(args, 0);
    let list = items(&args[1], "chunk")?;
    let Ok(size) = usize::try_from(size) else {
        return Err("runtime error: makeslice: len out of range".into());
    };
    if size == 0 {
        return Err("runtime error: makeslice: len out of range".into());
    }
    let chunks = list.chunks(size).map(|part| Value::list(part.to_vec()));
    Ok(Value::List(List::new(ListKind::Lists, chunks.collect())))
}
