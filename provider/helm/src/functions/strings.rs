//! sprig's string functions.

use super::print::{print, strval};
use super::quote::quote;
use super::text as words;
use super::{Answer, Function, elements, fixed, int, strings_value, text, variadic};
use crate::template::{Fault, Run};
use crate::value::{Entries, ListKind, Map, MapKind, Str, Type, Value};

const S: Type = Type::Str;
const I: Type = Type::Int;
const A: Type = Type::Any;

pub(super) static TABLE: &[Function] = &[
    fixed("hello", &[], |_, _| Ok(Value::str("Hello!"))),
    fixed("trim", &[S], |_, a| {
        Ok(Value::str(words::trim_space(&text(a, 0))))
    }),
    fixed("trimAll", &[S, S], trim_all),
    fixed("trimall", &[S, S], trim_all),
    fixed("trimPrefix", &[S, S], |_, a| {
        let (prefix, all) = (text(a, 0), text(a, 1));
        Ok(Value::str(all.strip_prefix(&*prefix).unwrap_or(&all)))
    }),
    fixed("trimSuffix", &[S, S], |_, a| {
        let (suffix, all) = (text(a, 0), text(a, 1));
        Ok(Value::str(all.strip_suffix(&*suffix).unwrap_or(&all)))
    }),
    fixed("upper", &[S], |_, a| {
        Ok(Value::str(words::upper(&text(a, 0))))
    }),
    fixed("lower", &[S], |_, a| {
        Ok(Value::str(words::lower(&text(a, 0))))
    }),
    fixed("title", &[S], |_, a| {
        Ok(Value::str(words::title(&text(a, 0))))
    }),
    fixed("untitle", &[S], |_, a| {
        Ok(Value::str(words::untitle(&text(a, 0))))
    }),
    fixed("swapcase", &[S], |_, a| {
        Ok(Value::str(words::swap_case(&text(a, 0))))
    }),
    fixed("repeat", &[I, S], repeat),
    fixed("substr", &[I, I, S], substr),
    fixed("nospace", &[S], |_, a| {
        Ok(Value::str(words::no_space(&text(a, 0))))
    }),
    fixed("trunc", &[I, S], trunc),
    fixed("abbrev", &[I, S], |_, a| {
        let (width, all) = (int(a, 0), text(a, 1));
        Ok(if width < 4 {
            Value::Str(all)
        } else {
            Value::str(words::abbreviate(&all, 0, width))
        })
    }),
    fixed("abbrevboth", &[I, I, S], |_, a| {
        let (left, right, all) = (int(a, 0), int(a, 1), text(a, 2));
        Ok(if right < 4 || (left > 0 && right < 7) {
            Value::Str(all)
        } else {
            Value::str(words::abbreviate(&all, left, right))
        })
    }),
    fixed("initials", &[S], |_, a| {
        Ok(Value::str(words::initials(&text(a, 0))))
    }),
    fixed("wrap", &[I, S], |_, a| {
        Ok(Value::str(words::wrap(
            &text(a, 1),
            int(a, 0),
            b"\n",
            false,
        )))
    }),
    fixed("wrapWith", &[I, S, S], |_, a| {
        Ok(Value::str(words::wrap(
            &text(a, 2),
            int(a, 0),
            &text(a, 1),
            true,
        )))
    }),
    fixed("contains", &[S, S], |_, a| {
        Ok(Value::Bool(words::find(&text(a, 1), &text(a, 0)).is_some()))
    }),
    fixed("hasPrefix", &[S, S], |_, a| {
        Ok(Value::Bool(text(a, 1).starts_with(&text(a, 0))))
    }),
    fixed("hasSuffix", &[S, S], |_, a| {
        Ok(Value::Bool(text(a, 1).ends_with(&text(a, 0))))
    }),
    variadic("quote", &[], A, |_, a| {
        let quoted: Vec<String> = present(a).map(|value| quote(&strval(value))).collect();
        Ok(Value::str(quoted.join(" ")))
    }),
    variadic("squote", &[], A, |_, a| {
        let mut out = Vec::new();
        for value in present(a) {
            if !out.is_empty() {
                out.push(b' ');
            }
            out.push(b'\'');
            print(value, &mut out);
            out.push(b'\'');
        }
        Ok(Value::str(out))
    }),
    variadic("cat", &[], A, |_, a| {
        let mut out = Vec::new();
        for (index, value) in present(a).enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            print(value, &mut out);
        }
        Ok(Value::str(out))
    }),
    fixed("indent", &[I, S], |run, a| {
        indent(run, int(a, 0), &text(a, 1), false)
    }),
    fixed("nindent", &[I, S], |run, a| {
        indent(run, int(a, 0), &text(a, 1), true)
    }),
    fixed("replace", &[S, S, S], |run, a| {
        let out = words::replace(&text(a, 2), &text(a, 0), &text(a, 1));
        run.check_size(out.len())?;
        Ok(Value::str(out))
    }),
    fixed("plural", &[S, S, I], |_, a| {
        Ok(Value::Str(text(a, usize::from(int(a, 2) != 1))))
    }),
    fixed("snakecase", &[S], |_, a| {
        Ok(Value::str(words::delimited_case(&text(a, 0), '_')))
    }),
    fixed("kebabcase", &[S], |_, a| {
        Ok(Value::str(words::delimited_case(&text(a, 0), '-')))
    }),
    fixed("camelcase", &[S], |_, a| {
        Ok(Value::str(words::pascal_case(&text(a, 0))))
    }),
    fixed("toString", &[A], |_, a| Ok(Value::str(strval(&a[0])))),
    fixed("toStrings", &[A], |_, a| {
        Ok(match &a[0] {
            // A list of strings stays the same, a nil one too.
            Value::List(list) if list.kind() == ListKind::Str => a[0].clone(),
            other => strings_value(texts(other)),
        })
    }),
    fixed("join", &[S, A], |run, a| {
        let (separator, items) = (text(a, 0), texts(&a[1]));
        let total: usize = items.iter().map(|item| item.len() + separator.len()).sum();
        run.check_size(total)?;
        Ok(Value::str(items.join(&*separator)))
    }),
    fixed("splitList", &[S, S], |_, a| {
        Ok(strings_value(words::split(&text(a, 1), &text(a, 0), -1)))
    }),
    fixed("split", &[S, S], |_, a| {
        Ok(numbered(words::split(&text(a, 1), &text(a, 0), -1)))
    }),
    fixed("splitn", &[S, I, S], |_, a| {
        Ok(numbered(words::split(&text(a, 2), &text(a, 0), int(a, 1))))
    }),
    fixed("sortAlpha", &[A], |_, a| {
        let mut items = match elements(&a[0]) {
            Some(_) => texts(&a[0]),
            None => vec![strval(&a[0])],
        };
        items.sort();
        Ok(strings_value(items))
    }),
];

/// The arguments that are not nil.
fn present(args: &[Value]) -> impl Iterator<Item = &Value> {
    args.iter().filter(|value| !value.is_nil())
}

/// sprig's `strslice`: the elements as text without the nils; anything else alone.
pub(super) fn texts(value: &Value) -> Vec<Vec<u8>> {
    match elements(value) {
        Some(items) => present(&items).map(strval).collect(),
        None if value.is_nil() => Vec::new(),
        None => vec![strval(value)],
    }
}

fn trim_all(_: &Run<'_>, args: &[Value]) -> Answer {
    Ok(Value::str(words::trim_set(&text(args, 1), &text(args, 0))))
}

fn repeat(run: &Run<'_>, args: &[Value]) -> Answer {
    let (count, all) = (int(args, 0), text(args, 1));
    let count = usize::try_from(count).map_err(|_| Fault::new("strings: negative Repeat count"))?;
    run.check_size(all.len().saturating_mul(count))?;
    Ok(Value::str(all.repeat(count)))
}

/// Go's panic for a slice out of bounds.
fn bounds(start: i64, end: i64, length: usize) -> Fault {
    let length = length as i64;
    Fault::new(if end < 0 || end > length {
        if end < 0 {
            format!("runtime error: slice bounds out of range [:{end}]")
        } else {
            format!("runtime error: slice bounds out of range [:{end}] with length {length}")
        }
    } else if start > length && end == length {
        format!("runtime error: slice bounds out of range [{start}:{length}]")
    } else {
        format!("runtime error: slice bounds out of range [{start}:{end}]")
    })
}

fn cut(all: &Str, start: i64, end: i64) -> Answer {
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    match range.and_then(|(start, end)| all.get(start..end)) {
        Some(part) => Ok(Value::str(part)),
        None => Err(bounds(start, end, all.len())),
    }
}

fn substr(_: &Run<'_>, args: &[Value]) -> Answer {
    let (start, end, all) = (int(args, 0), int(args, 1), text(args, 2));
    if start < 0 {
        cut(&all, 0, end)
    } else if end < 0 || end > all.len() as i64 {
        cut(&all, start, all.len() as i64)
    } else {
        cut(&all, start, end)
    }
}

fn trunc(_: &Run<'_>, args: &[Value]) -> Answer {
    let (count, all) = (int(args, 0), text(args, 1));
    let length = all.len() as i64;
    if count < 0 && length + count > 0 {
        cut(&all, length + count, length)
    } else if count >= 0 && length > count {
        cut(&all, 0, count)
    } else {
        Ok(Value::Str(all))
    }
}

fn indent(run: &Run<'_>, spaces: i64, all: &Str, newline: bool) -> Answer {
    let spaces =
        usize::try_from(spaces).map_err(|_| Fault::new("strings: negative Repeat count"))?;
    let lines = memchr::memchr_iter(b'\n', all).count() + 1;
    run.check_size(lines.saturating_mul(spaces).saturating_add(all.len()))?;
    let pad = vec![b' '; spaces];
    let mut out = Vec::with_capacity(all.len() + lines * spaces + 1);
    if newline {
        out.push(b'\n');
    }
    for (index, line) in all.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(&pad);
        out.extend_from_slice(line);
    }
    Ok(Value::str(out))
}

fn numbered(parts: Vec<Vec<u8>>) -> Value {
    let entries: Entries = parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| (Str::from(format!("_{index}")), Value::str(part)))
        .collect();
    Value::Map(Map::new(MapKind::Str, entries))
}
