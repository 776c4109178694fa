//! Bringing a value into the exact shape of a type.

use std::collections::BTreeMap;

use super::types::DEPTH_LIMIT;
use super::{Dynamic, Path, Step, Type};

/// A value that does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} must be {wanted}, but is {seen}", if path.is_root() { "the value".to_owned() } else { path.to_string() })]
pub struct Mismatch {
    /// Where.
    pub path: Path,
    /// What the type asks for.
    pub wanted: String,
    /// What is there.
    pub seen: String,
}

/// Where a value comes from; state files are laxer than code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The provider's code: lists are taken for sets, maps for objects and the reverse, missing
    /// object attributes are null.
    Code,
    /// JSON: the same, numbers and flags may be text, dynamic values are `{type, value}`, and
    /// attributes that no longer exist are left out.
    Json,
}

/// Gives the value exactly the shape of `ty`: every attribute there, sets sorted.
pub(crate) fn conform(
    value: Dynamic,
    ty: &Type,
    path: &mut Path,
    source: Source,
) -> Result<Dynamic, Mismatch> {
    if path.steps().len() > DEPTH_LIMIT {
        return Err(wrong(path, ty, "nested too deeply"));
    }
    match (value, ty) {
        (Dynamic::Null, _) => Ok(Dynamic::Null),
        (Dynamic::Unknown(refinement), _) => Ok(Dynamic::Unknown(refinement)),
        (value, Type::Dynamic) => conform_dynamic(value, path, source),
        (Dynamic::Typed(typed), _) => conform(typed.1, ty, path, source),
        (value @ Dynamic::String(_), Type::String)
        | (value @ Dynamic::Number(_), Type::Number)
        | (value @ Dynamic::Bool(_), Type::Bool) => Ok(value),
        (value, Type::String | Type::Number | Type::Bool) => match source {
            Source::Json => json_primitive(&value, ty).ok_or_else(|| wrong(path, ty, value.kind())),
            Source::Code => Err(wrong(path, ty, value.kind())),
        },
        (
            Dynamic::List(elements) | Dynamic::Set(elements) | Dynamic::Tuple(elements),
            Type::List(element),
        ) => {
            let types = std::iter::repeat(&**element);
            Ok(Dynamic::List(sequence(
                elements, types, path, source, false,
            )?))
        }
        (
            Dynamic::List(elements) | Dynamic::Set(elements) | Dynamic::Tuple(elements),
            Type::Set(element),
        ) => {
            let types = std::iter::repeat(&**element);
            Ok(Dynamic::set(sequence(elements, types, path, source, true)?))
        }
        (Dynamic::List(elements) | Dynamic::Tuple(elements), Type::Tuple(types)) => {
            if elements.len() != types.len() {
                return Err(wrong(path, ty, &format!("of {} elements", elements.len())));
            }
            Ok(Dynamic::Tuple(sequence(
                elements,
                types.iter(),
                path,
                source,
                false,
            )?))
        }
        (Dynamic::Map(members) | Dynamic::Object(members), Type::Map(element)) => {
            let mut out = BTreeMap::new();
            for (key, member) in members {
                path.push(Step::Key(key.clone()));
                out.insert(key, conform(member, element, path, source)?);
                path.pop();
            }
            Ok(Dynamic::Map(out))
        }
        (Dynamic::Map(members) | Dynamic::Object(members), Type::Object(types)) => {
            object(members, types, path, source)
        }
        (value, _) => Err(wrong(path, ty, value.kind())),
    }
}

fn object(
    mut members: BTreeMap<String, Dynamic>,
    types: &BTreeMap<String, Type>,
    path: &mut Path,
    source: Source,
) -> Result<Dynamic, Mismatch> {
    // The usual case: nothing is missing, nothing is too many, and most members are plain.
    if members.keys().eq(types.keys()) {
        for ((name, member), ty) in members.iter_mut().zip(types.values()) {
            if !is_plain(member, ty) {
                path.push(Step::Attribute(name.clone().into()));
                *member = conform(std::mem::replace(member, Dynamic::Null), ty, path, source)?;
                path.pop();
            }
        }
        return Ok(Dynamic::Object(members));
    }
    let mut out = BTreeMap::new();
    for (name, ty) in types {
        let member = members.remove(name).unwrap_or(Dynamic::Null);
        path.push(Step::Attribute(name.clone().into()));
        out.insert(name.clone(), conform(member, ty, path, source)?);
        path.pop();
    }
    match members.into_keys().next() {
        Some(extra) if source == Source::Code => Err(Mismatch {
            path: path.clone().attribute(extra),
            wanted: "absent: the schema has no such attribute".to_owned(),
            seen: "set".to_owned(),
        }),
        _ => Ok(Dynamic::Object(out)),
    }
}

/// Whether a value has its type as it is, with nothing in it to look at.
const fn is_plain(value: &Dynamic, ty: &Type) -> bool {
    matches!(
        (value, ty),
        (Dynamic::Null | Dynamic::Unknown(_), _)
            | (Dynamic::String(_), Type::String)
            | (Dynamic::Number(_), Type::Number)
            | (Dynamic::Bool(_), Type::Bool)
    )
}

fn sequence<'t>(
    elements: Vec<Dynamic>,
    types: impl Iterator<Item = &'t Type>,
    path: &mut Path,
    source: Source,
    set: bool,
) -> Result<Vec<Dynamic>, Mismatch> {
    let mut out = Vec::with_capacity(elements.len());
    for (position, (element, ty)) in elements.into_iter().zip(types).enumerate() {
        path.push(if set {
            Step::Element
        } else {
            Step::Index(position as u64)
        });
        out.push(conform(element, ty, path, source)?);
        path.pop();
    }
    Ok(out)
}

fn conform_dynamic(value: Dynamic, path: &mut Path, source: Source) -> Result<Dynamic, Mismatch> {
    let (ty, value) = match (value, source) {
        (Dynamic::Typed(typed), _) => *typed,
        (Dynamic::Map(mut members), Source::Json) => {
            let ty = members
                .remove("type")
                .and_then(|ty| Type::from_json(super::json::to_json(&ty).as_bytes()).ok());
            match (ty, members.remove("value")) {
                (Some(ty), Some(value)) if members.is_empty() => (ty, value),
                _ => {
                    return Err(wrong(
                        path,
                        &Type::Dynamic,
                        "an object without type and value",
                    ));
                }
            }
        }
        (value, _) => (infer(&value), value),
    };
    if ty == Type::Dynamic {
        return match value {
            Dynamic::Null | Dynamic::Unknown(_) => Ok(value),
            other => conform_dynamic(other, path, Source::Code),
        };
    }
    let value = conform(value, &ty, path, source)?;
    Ok(Dynamic::Typed(Box::new((ty, value))))
}

/// The type of a value that does not say it: lists of unlike elements are tuples, maps objects.
pub(crate) fn infer(value: &Dynamic) -> Type {
    let uniform = |mut types: Vec<Type>| {
        types.dedup();
        match types.as_slice() {
            [] => Some(Type::Dynamic),
            [_] => types.pop(),
            _ => None,
        }
    };
    match value {
        Dynamic::Null | Dynamic::Unknown(_) => Type::Dynamic,
        Dynamic::Bool(_) => Type::Bool,
        Dynamic::Number(_) => Type::Number,
        Dynamic::String(_) => Type::String,
        Dynamic::List(elements) => {
            let types: Vec<_> = elements.iter().map(infer).collect();
            uniform(types.clone()).map_or(Type::Tuple(types), Type::list)
        }
        Dynamic::Set(elements) => uniform(elements.iter().map(infer).collect())
            .map_or(Type::set(Type::Dynamic), Type::set),
        Dynamic::Tuple(elements) => Type::Tuple(elements.iter().map(infer).collect()),
        Dynamic::Map(members) => {
            let typed = || {
                members
                    .iter()
                    .map(|(name, member)| (name.clone(), infer(member)))
            };
            uniform(members.values().map(infer).collect())
                .map_or_else(|| Type::object(typed()), Type::map)
        }
        Dynamic::Object(members) => Type::object(
            members
                .iter()
                .map(|(name, member)| (name.clone(), infer(member))),
        ),
        Dynamic::Typed(typed) => typed.0.clone(),
    }
}

fn json_primitive(value: &Dynamic, ty: &Type) -> Option<Dynamic> {
    match (value, ty) {
        (Dynamic::String(text), Type::Number) => text.parse().ok().map(Dynamic::Number),
        (Dynamic::String(text), Type::Bool) => text.parse().ok().map(Dynamic::Bool),
        (Dynamic::Number(number), Type::String) => Some(Dynamic::String(number.to_string())),
        (Dynamic::Bool(flag), Type::String) => Some(Dynamic::String(flag.to_string())),
        _ => None,
    }
}

fn wrong(path: &Path, ty: &Type, seen: &str) -> Mismatch {
    let mut wanted = ty.to_string();
    if wanted.len() > 200 {
        let end = wanted.floor_char_boundary(200);
        wanted.truncate(end);
        wanted.push_str("...");
    }
    Mismatch {
        path: path.clone(),
        wanted,
        seen: seen.to_owned(),
    }
}
