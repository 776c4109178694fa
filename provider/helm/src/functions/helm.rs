//! What Helm adds to sprig.

use super::json::{error_map, mismatch};
use super::{Answer, Function, fixed, text};
use crate::template::{Fault, Run, warn};
use crate::value::{Entries, Type, Value};
use crate::yaml;

const A: Type = Type::Any;
const S: Type = Type::Str;

pub(super) static TABLE: &[Function] = &[
    fixed("include", &[S, A], |run, a| run.include(&text(a, 0), &a[1])),
    fixed("tpl", &[S, A], |run, a| run.tpl(&text(a, 0), &a[1])),
    fixed("required", &[S, A], required),
    fixed("fail", &[S], |run, a| {
        if run.env.lint {
            return Ok(Value::str(""));
        }
        Err(warn(&text(a, 0).lossy()))
    }),
    fixed("lookup", &[S, S, S, S], lookup),
    fixed("toYaml", &[A], |_, a| {
        let yaml = yaml::try_encode_value(&a[0]).unwrap_or_default();
        Ok(Value::str(without_newline(yaml)))
    }),
    fixed("mustToYaml", &[A], |_, a| {
        let yaml = yaml::try_encode_value(&a[0]).map_err(Fault::new)?;
        Ok(Value::str(without_newline(yaml)))
    }),
    fixed("toYamlPretty", &[A], |_, a| {
        let yaml = yaml::try_encode_pretty(&a[0]).map_err(Fault::new)?;
        Ok(Value::str(without_newline(yaml)))
    }),
    fixed("fromYaml", &[S], |_, a| {
        Ok(match yaml::decode_value(&text(a, 0)) {
            Ok(Value::Map(map)) => Value::Map(map),
            Ok(Value::Nil) => Value::map(Entries::new()),
            Ok(other) => error_map(&format!(
                "error unmarshaling JSON: while decoding JSON: {}",
                mismatch(&other, "map[string]interface {}")
            )),
            Err(error) => error_map(&error.0),
        })
    }),
    fixed("fromYamlArray", &[S], |_, a| {
        Ok(match yaml::decode_value(&text(a, 0)) {
            Ok(Value::List(list)) => Value::List(list),
            Ok(Value::Nil) => Value::list(Vec::new()),
            Ok(other) => Value::list(vec![Value::str(format!(
                "error unmarshaling JSON: while decoding JSON: {}",
                mismatch(&other, "[]interface {}")
            ))]),
            Err(error) => Value::list(vec![Value::str(error.0)]),
        })
    }),
];

fn without_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

fn required(run: &Run<'_>, args: &[Value]) -> Answer {
    let missing = match &args[1] {
        Value::Absent | Value::Nil => true,
        Value::Str(text) => text.is_empty(),
        _ => false,
    };
    if !missing {
        return Ok(args[1].clone());
    }
    if run.env.lint {
        return Ok(Value::str(""));
    }
    Err(warn(&text(args, 0).lossy()))
}

fn lookup(run: &Run<'_>, args: &[Value]) -> Answer {
    run.env.touch(|volatile| volatile.lookup = true);
    let part = |index: usize| text(args, index).lossy().into_owned();
    let found = run
        .env
        .lookup
        .lookup(&part(0), &part(1), &part(2), &part(3))
        .map_err(Fault::new)?;
    Ok(match found {
        serde_json::Value::Null => Value::map(Entries::new()),
        other => Value::from(other),
    })
}
