//! Types and kinds by name.

use super::compare::deep_equal;
use super::{Function, fixed, text};
use crate::value::{Type, Value};

const A: Type = Type::Any;
const S: Type = Type::Str;

pub(super) static TABLE: &[Function] = &[
    fixed("typeOf", &[A], |_, a| Ok(Value::str(a[0].type_name()))),
    fixed("typeIs", &[S, A], |_, a| {
        Ok(Value::Bool(*text(a, 0) == *a[1].type_name().as_bytes()))
    }),
    fixed("typeIsLike", &[S, A], |_, a| {
        let name = a[1].type_name();
        let target = text(a, 0);
        let pointer = name.strip_prefix('*').unwrap_or(&name);
        Ok(Value::Bool(
            *target == *name.as_bytes() || *target == *pointer.as_bytes(),
        ))
    }),
    fixed("kindOf", &[A], |_, a| Ok(Value::str(a[0].kind_name()))),
    fixed("kindIs", &[S, A], |_, a| {
        Ok(Value::Bool(*text(a, 0) == *a[1].kind_name().as_bytes()))
    }),
    fixed("deepEqual", &[A, A], |_, a| {
        Ok(Value::Bool(deep_equal(&a[0], &a[1])))
    }),
];
