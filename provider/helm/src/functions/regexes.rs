//! Regular expressions and versions.

use super::{Answer, Function, fixed, int, strings_value, text};
use crate::regex_go::{Pattern, compile, find_all, must_compile, on_boundary, quote_meta, split};
use crate::semver::{Constraint, Version};
use crate::template::{Fault, Run};
use crate::value::{List, ListKind, Object, Type, Value};

use std::any::Any;
use std::rc::Rc;

const S: Type = Type::Str;
const I: Type = Type::Int;

type Compile = fn(&[u8]) -> Result<Rc<Pattern>, String>;

pub(super) static TABLE: &[Function] = &[
    fixed("regexMatch", &[S, S], |_, a| {
        Ok(Value::Bool(
            compile(&text(a, 0)).is_ok_and(|pattern| pattern.is_match(&text(a, 1))),
        ))
    }),
    fixed("mustRegexMatch", &[S, S], |_, a| {
        Ok(Value::Bool(compile(&text(a, 0))?.is_match(&text(a, 1))))
    }),
    fixed("regexFind", &[S, S], |_, a| find(a, must_compile)),
    fixed("mustRegexFind", &[S, S], |_, a| find(a, compile)),
    fixed("regexFindAll", &[S, S, I], |_, a| all(a, must_compile)),
    fixed("mustRegexFindAll", &[S, S, I], |_, a| all(a, compile)),
    fixed("regexReplaceAll", &[S, S, S], |run, a| {
        replace(run, a, must_compile, false)
    }),
    fixed("mustRegexReplaceAll", &[S, S, S], |run, a| {
        replace(run, a, compile, false)
    }),
    fixed("regexReplaceAllLiteral", &[S, S, S], |run, a| {
        replace(run, a, must_compile, true)
    }),
    fixed("mustRegexReplaceAllLiteral", &[S, S, S], |run, a| {
        replace(run, a, compile, true)
    }),
    fixed("regexSplit", &[S, S, I], |_, a| parts(a, must_compile)),
    fixed("mustRegexSplit", &[S, S, I], |_, a| parts(a, compile)),
    fixed("regexQuoteMeta", &[S], |_, a| {
        Ok(Value::str(quote_meta(&text(a, 0))))
    }),
    fixed("semver", &[S], |_, a| {
        let version = Version::parse(&text(a, 0).lossy()).map_err(|error| Fault::new(error.0))?;
        Ok(Value::Object(Rc::new(version)))
    }),
    fixed("semverCompare", &[S, S], |_, a| {
        let constraint = Constraint::parse(&text(a, 0).lossy()).map_err(|e| Fault::new(e.0))?;
        let version = Version::parse(&text(a, 1).lossy()).map_err(|e| Fault::new(e.0))?;
        Ok(Value::Bool(constraint.check(&version)))
    }),
];

fn find(args: &[Value], compile: Compile) -> Answer {
    let all = text(args, 1);
    let found = compile(&text(args, 0))?
        .find(&all)
        .map(|found| found.as_bytes().to_vec());
    Ok(Value::str(found.unwrap_or_default()))
}

fn listed(found: Option<Vec<Vec<u8>>>) -> Value {
    match found {
        Some(found) => strings_value(found),
        None => Value::List(List::nil(ListKind::Str)),
    }
}

fn all(args: &[Value], compile: Compile) -> Answer {
    Ok(listed(find_all(
        &*compile(&text(args, 0))?,
        &text(args, 1),
        int(args, 2),
    )))
}

fn parts(args: &[Value], compile: Compile) -> Answer {
    let source = text(args, 0);
    Ok(listed(split(
        &*compile(&source)?,
        &source,
        &text(args, 1),
        int(args, 2),
    )))
}

fn replace(run: &Run<'_>, args: &[Value], compile: Compile, literal: bool) -> Answer {
    let pattern = compile(&text(args, 0))?;
    let (all, replacement) = (text(args, 1), text(args, 2));
    let mut out = Vec::with_capacity(all.len());
    let mut end = 0;
    for captures in pattern.captures_iter(&all) {
        let Some(found) = captures.get(0).filter(|found| on_boundary(found, &all)) else {
            continue;
        };
        out.extend_from_slice(&all[end..found.start()]);
        if literal {
            out.extend_from_slice(&replacement);
        } else {
            pattern.expand(&captures, &replacement, &mut out);
        }
        run.check_size(out.len())?;
        end = found.end();
    }
    out.extend_from_slice(&all[end..]);
    Ok(Value::str(out))
}

impl Object for Version {
    fn type_name(&self) -> &'static str {
        "*semver.Version"
    }

    fn kind(&self) -> &'static str {
        "ptr"
    }

    fn method(&self, name: &str) -> Option<crate::value::Signature> {
        use crate::value::Signature;
        const VERSION: &[Type] = &[Type::Named("*semver.Version")];
        match name {
            "String" | "Original" | "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata"
            | "IncMajor" | "IncMinor" | "IncPatch" => Some(Signature::fixed(&[])),
            "Compare" | "Equal" | "LessThan" | "GreaterThan" | "LessThanEqual"
            | "GreaterThanEqual" => Some(Signature::fixed(VERSION)),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let number = |number: u64| Value::Int64(i64::try_from(number).unwrap_or(i64::MAX));
        let other = match args.first() {
            Some(Value::Object(object)) => object.as_any().downcast_ref::<Self>(),
            _ => None,
        };
        let order = other.map(|other| self.cmp(other));
        Ok(match (name, order) {
            ("String", _) => Value::str(self.to_string()),
            ("Original", _) => Value::str(self.original()),
            ("Major", _) => number(self.major()),
            ("Minor", _) => number(self.minor()),
            ("Patch", _) => number(self.patch()),
            ("Prerelease", _) => Value::str(self.prerelease()),
            ("Metadata", _) => Value::str(self.metadata()),
            ("IncMajor" | "IncMinor" | "IncPatch", _) => {
                let (major, minor, patch) = match name {
                    "IncMajor" => (self.major() + 1, 0, 0),
                    "IncMinor" => (self.major(), self.minor() + 1, 0),
                    _ if self.prerelease().is_empty() => {
                        (self.major(), self.minor(), self.patch() + 1)
                    }
                    _ => (self.major(), self.minor(), self.patch()),
                };
                let v = if self.original().starts_with('v') {
                    "v"
                } else {
                    ""
                };
                let next = Self::parse(&format!("{v}{major}.{minor}.{patch}")).map_err(|e| e.0)?;
                Value::Object(Rc::new(next))
            }
            ("Compare", Some(order)) => Value::Int(order as i64),
            ("Equal", Some(order)) => Value::Bool(order.is_eq()),
            ("LessThan", Some(order)) => Value::Bool(order.is_lt()),
            ("GreaterThan", Some(order)) => Value::Bool(order.is_gt()),
            ("LessThanEqual", Some(order)) => Value::Bool(order.is_le()),
            ("GreaterThanEqual", Some(order)) => Value::Bool(order.is_ge()),
            _ => return Err(format!("no method {name}")),
        })
    }

    fn print(&self) -> String {
        self.to_string()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
