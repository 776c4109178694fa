//! How stand-ins for unknown and secret values go through an execution ([`super::super::marks`]).
//!
//! A call that takes a stand-in gives one back; where it gives a truth or a number instead, something
//! is about to be decided by a value that nobody knows, and that is noted.

use super::super::marks::{Marks, deep, direct};
use super::walk::State;
use crate::functions::Function;
use crate::value::{Signature, Str, Type, Value};
use memchr::memmem::find;

/// Functions whose results carry what they were given, part by part: no mark is lost in them, and
/// one that is not in the result has nothing to do with it.
const CARRIERS: &[&str] = &[
    "append",
    "coalesce",
    "concat",
    "deepCopy",
    "default",
    "dict",
    "dig",
    "first",
    "fromJson",
    "fromJsonArray",
    "fromYaml",
    "fromYamlArray",
    "get",
    "include",
    "index",
    "initial",
    "keys",
    "last",
    "list",
    "lookup",
    "merge",
    "mergeOverwrite",
    "mustAppend",
    "mustDeepCopy",
    "mustFirst",
    "mustInitial",
    "mustLast",
    "mustMerge",
    "mustMergeOverwrite",
    "mustPrepend",
    "mustPush",
    "mustRest",
    "mustSlice",
    "omit",
    "pick",
    "pluck",
    "prepend",
    "push",
    "required",
    "rest",
    "set",
    "slice",
    "ternary",
    "toJson",
    "toYaml",
    "toYamlPretty",
    "mustToYaml",
    "mustToJson",
    "toPrettyJson",
    "toRawJson",
    "toToml",
    "tpl",
    "tuple",
    "unset",
    "values",
];

/// Functions that look at the shape of a container and not at what is in it.
const SHAPES: &[&str] = &[
    "empty",
    "hasKey",
    "kindIs",
    "kindOf",
    "len",
    "not",
    "typeIs",
    "typeIsLike",
    "typeOf",
];

/// Functions that read a text: what is not known may be any part of it.
const READERS: &[&str] = &[
    "fromJson",
    "fromJsonArray",
    "fromToml",
    "fromYaml",
    "fromYamlArray",
];

/// Functions whose results have one line, whatever they are given, and not the text itself in it.
const ONE_LINE: &[&str] = &[
    "adler32sum",
    "b32enc",
    "b64enc",
    "bcrypt",
    "encryptAES",
    "htpasswd",
    "mustToJson",
    "mustToRawJson",
    "quote",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "toJson",
    "toRawJson",
    "urlquery",
];

/// Functions from numbers to numbers: a stand-in for a number goes through them.
const NUMBERS: &[&str] = &[
    "add",
    "add1",
    "add1f",
    "addf",
    "atoi",
    "biggest",
    "ceil",
    "div",
    "divf",
    "float64",
    "floor",
    "int",
    "int64",
    "max",
    "maxf",
    "min",
    "minf",
    "mod",
    "mul",
    "mulf",
    "round",
    "sub",
    "subf",
    "toDecimal",
];

impl State<'_, '_> {
    /// Whether this rendering has stand-ins at all.
    pub(super) fn tracks(&self) -> bool {
        self.run.env.tracker.is_some()
    }

    /// Whether the stand-ins have several lines.
    fn torn(&self) -> bool {
        let tracker = self.run.env.tracker.as_ref();
        tracker.is_some_and(|tracker| tracker.torn)
    }

    /// Notes that the course of the execution depends on `value`.
    pub(super) fn decides(&self, value: &Value) {
        if let Some(tracker) = &self.run.env.tracker {
            tracker.decide(direct(value));
        }
    }

    fn decide(&self, marks: Marks) {
        if let Some(tracker) = &self.run.env.tracker {
            tracker.decide(marks);
        }
    }

    /// The marks that the result of a call must carry; `None` when nothing has to be watched.
    pub(super) fn watch(&self, function: &Function, args: &[Value]) -> Option<Watch> {
        if !self.tracks() {
            return None;
        }
        let named = args.iter().map(direct).fold(Marks::default(), |a, b| a | b);
        let all = if CARRIERS.contains(&function.name) || SHAPES.contains(&function.name) {
            named
        } else {
            args.iter().map(deep).fold(named, |a, b| a | b)
        };
        all.any().then_some(Watch {
            name: function.name,
            direct: named,
            all,
        })
    }

    /// The result when an argument is a stand-in for another type than the function takes.
    pub(super) fn misfit(
        &self,
        watch: &Watch,
        signature: Signature,
        args: &[Value],
    ) -> Option<Value> {
        let misfit = args.iter().enumerate().any(|(index, arg)| {
            let wanted = signature.at(index).unwrap_or(Type::Any);
            direct(arg).any()
                && !matches!(wanted, Type::Any | Type::Reflect | Type::Str | Type::Bytes)
        });
        misfit.then(|| self.stand_in(watch))
    }

    /// What a call gives when it cannot be made with a stand-in.
    pub(super) fn stand_in(&self, watch: &Watch) -> Value {
        if !NUMBERS.contains(&watch.name) {
            self.decide(watch.all);
        }
        Value::Str(Str::from(watch.all.text()))
    }

    /// The result of a call with the marks it must have.
    pub(super) fn marked(&self, watch: &Watch, result: Value) -> Value {
        if READERS.contains(&watch.name) && is_fault(&result) {
            if self.torn() {
                // What was read with a stand-in of one line may be something else.
                self.decide(watch.all);
            }
            return Value::Str(Str::from(watch.all.text()));
        }
        let carrier = CARRIERS.contains(&watch.name);
        let container = matches!(result, Value::List(_) | Value::Map(_));
        if container && !carrier && watch.direct.any() {
            // Nobody knows how many parts a text will have.
            self.decide(watch.direct);
            return result;
        }
        if deep(&result).covers(watch.all) {
            return result;
        }
        match result {
            Value::Str(text) if carrier => {
                // Choosing among known values by one that is not.
                if watch.name == "get" || watch.name == "index" {
                    return Value::Str(append(&text, &watch.all.text()));
                }
                Value::Str(text)
            }
            Value::Str(text) if self.torn() && !ONE_LINE.contains(&watch.name) => {
                let mark = watch.all.text();
                Value::Str(append(&text, &format!("{mark}\n{mark}")))
            }
            Value::Str(text) => Value::Str(append(&text, &watch.all.text())),
            _ if NUMBERS.contains(&watch.name) => Value::Str(Str::from(watch.all.text())),
            result => {
                // A default, a fallback: the stand-in was not needed.
                if !matches!(
                    watch.name,
                    "default"
                        | "coalesce"
                        | "ternary"
                        | "required"
                        | "set"
                        | "unset"
                        | "omit"
                        | "keys"
                ) {
                    self.decide(watch.all);
                }
                result
            }
        }
    }
}

fn append(text: &Str, mark: &str) -> Str {
    let mut bytes = text.to_vec();
    bytes.extend_from_slice(mark.as_bytes());
    Str::from(bytes)
}

/// How the functions that read texts say that one cannot be read.
fn is_fault(result: &Value) -> bool {
    match result {
        Value::Map(map) => map.len() == 1 && map.get(b"Error").is_some(),
        Value::List(list) => {
            matches!(list.items(), [Value::Str(text)] if find(text, b"error").is_some())
        }
        _ => false,
    }
}

/// A call with stand-ins among its arguments.
pub(super) struct Watch {
    name: &'static str,
    /// Those that are arguments themselves.
    pub(super) direct: Marks,
    /// Those inside of arguments too.
    all: Marks,
}
