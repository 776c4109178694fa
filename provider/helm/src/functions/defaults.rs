//! Defaults, choices and what counts as empty.

use super::{Answer, Function, fixed, variadic};
use crate::value::{Type, Value};

const A: Type = Type::Any;

pub(super) static TABLE: &[Function] = &[
    variadic("default", &[A], A, |_, a| {
        let given = a.get(1);
        Ok(match given {
            Some(given) if !is_empty(given) => given.clone(),
            _ => a[0].clone(),
        })
    }),
    fixed("empty", &[A], |_, a| Ok(Value::Bool(is_empty(&a[0])))),
    variadic("coalesce", &[], A, |_, a| {
        Ok(a.iter()
            .find(|value| !is_empty(value))
            .cloned()
            .unwrap_or(Value::Nil))
    }),
    variadic("all", &[], A, |_, a| {
        Ok(Value::Bool(!a.iter().any(is_empty)))
    }),
    variadic("any", &[], A, |_, a| {
        Ok(Value::Bool(a.iter().any(|value| !is_empty(value))))
    }),
    fixed("ternary", &[A, A, Type::Bool], ternary),
];

/// sprig's emptiness: the zero value of the kind; structs never.
pub(crate) fn is_empty(value: &Value) -> bool {
    !value.truth()
}

fn ternary(_: &crate::template::Run<'_>, args: &[Value]) -> Answer {
    Ok(match args[2] {
        Value::Bool(true) => args[0].clone(),
        _ => args[1].clone(),
    })
}
