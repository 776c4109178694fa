//! Terraform values, written apart from the framework's own: what judges must not share code with what is judged.

mod msgpack;

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// The type of a value, as the protocol's type JSON names it.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `"string"`.
    String,
    /// `"number"`.
    Number,
    /// `"bool"`.
    Bool,
    /// `"dynamic"`: the value brings its own type.
    Dynamic,
    /// `["list", T]`.
    List(Box<Type>),
    /// `["set", T]`.
    Set(Box<Type>),
    /// `["map", T]`.
    Map(Box<Type>),
    /// `["tuple", [T, ...]]`.
    Tuple(Vec<Type>),
    /// `["object", {...}]`.
    Object(BTreeMap<String, Type>),
}

impl Type {
    /// Reads type JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(json: &Json) -> Result<Self, String> {
        if let Some(name) = json.as_str() {
            return match name {
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "dynamic" => Ok(Self::Dynamic),
                other => Err(format!("no such type: {other:?}")),
            };
        }
        let parts = json.as_array().filter(|parts| parts.len() >= 2);
        let Some([kind, inner, ..]) = parts.map(Vec::as_slice) else {
            return Err(format!("not a type: {json}"));
        };
        match kind.as_str().unwrap_or_default() {
            "list" => Ok(Self::List(Box::new(Self::parse(inner)?))),
            "set" => Ok(Self::Set(Box::new(Self::parse(inner)?))),
            "map" => Ok(Self::Map(Box::new(Self::parse(inner)?))),
            "tuple" => inner
                .as_array()
                .ok_or_else(|| format!("not a tuple type: {json}"))?
                .iter()
                .map(Self::parse)
                .collect::<Result<_, _>>()
                .map(Self::Tuple),
            "object" => inner
                .as_object()
                .ok_or_else(|| format!("not an object type: {json}"))?
                .iter()
                .map(|(name, inner)| Ok((name.clone(), Self::parse(inner)?)))
                .collect::<Result<_, String>>()
                .map(Self::Object),
            other => Err(format!("no such type constructor: {other:?}")),
        }
    }

    /// The type JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::String => "string".into(),
            Self::Number => "number".into(),
            Self::Bool => "bool".into(),
            Self::Dynamic => "dynamic".into(),
            Self::List(inner) => serde_json::json!(["list", inner.to_json()]),
            Self::Set(inner) => serde_json::json!(["set", inner.to_json()]),
            Self::Map(inner) => serde_json::json!(["map", inner.to_json()]),
            Self::Tuple(inner) => {
                serde_json::json!(["tuple", inner.iter().map(Self::to_json).collect::<Vec<_>>()])
            }
            Self::Object(inner) => {
                let members: serde_json::Map<String, Json> = inner
                    .iter()
                    .map(|(name, inner)| (name.clone(), inner.to_json()))
                    .collect();
                serde_json::json!(["object", members])
            }
        }
    }
}

/// A value. Sets are lists here; the type tells them apart where it matters.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not set.
    Null,
    /// Known after apply. Refinements are dropped, as core drops them before comparing.
    Unknown,
    /// A truth value.
    Bool(bool),
    /// A number, in the shortest decimal text.
    Number(String),
    /// A text.
    String(String),
    /// List, set or tuple.
    List(Vec<Value>),
    /// Map or object.
    Map(BTreeMap<String, Value>),
    /// A value of dynamic type, with the type it brings.
    Dynamic(Type, Box<Value>),
}

/// The text that stands for an unknown value in [`Value::from_json`].
pub const UNKNOWN: &str = "\u{0}unknown";

impl Value {
    /// Reads a value written as JSON, guided by its type; attributes that are left out are null, the text [`UNKNOWN`]
    /// is unknown.
    ///
    /// # Errors
    ///
    /// Where the JSON does not fit the type.
    pub fn from_json(json: &Json, ty: &Type) -> Result<Self, String> {
        if json.as_str() == Some(UNKNOWN) {
            return Ok(Self::Unknown);
        }
        Ok(match (json, ty) {
            (Json::Null, _) => Self::Null,
            (_, Type::Dynamic) => {
                let ty = dynamic_type(json);
                let value = Self::from_json(json, &ty)?;
                Self::Dynamic(ty, Box::new(value))
            }
            (Json::Bool(value), Type::Bool) => Self::Bool(*value),
            (Json::Number(value), Type::Number) => Self::Number(value.to_string()),
            (Json::String(value), Type::String) => Self::String(value.clone()),
            (Json::Array(values), Type::List(inner) | Type::Set(inner)) => Self::List(
                values
                    .iter()
                    .map(|value| Self::from_json(value, inner))
                    .collect::<Result<_, _>>()?,
            ),
            (Json::Array(values), Type::Tuple(inner)) if values.len() == inner.len() => Self::List(
                values
                    .iter()
                    .zip(inner)
                    .map(|(value, inner)| Self::from_json(value, inner))
                    .collect::<Result<_, _>>()?,
            ),
            (Json::Object(values), Type::Map(inner)) => Self::Map(
                values
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::from_json(value, inner)?)))
                    .collect::<Result<_, String>>()?,
            ),
            (Json::Object(values), Type::Object(inner)) => {
                if let Some(extra) = values.keys().find(|key| !inner.contains_key(*key)) {
                    return Err(format!("no attribute {extra:?} in {}", ty.to_json()));
                }
                Self::Map(
                    inner
                        .iter()
                        .map(|(key, inner)| {
                            let value = values.get(key).unwrap_or(&Json::Null);
                            Ok((key.clone(), Self::from_json(value, inner)?))
                        })
                        .collect::<Result<_, String>>()?,
                )
            }
            _ => return Err(format!("{json} is not a {}", ty.to_json())),
        })
    }

    /// The value as JSON; unknown is the text [`UNKNOWN`].
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Unknown => UNKNOWN.into(),
            Self::Bool(value) => (*value).into(),
            Self::Number(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| text.clone().into())
            }
            Self::String(text) => text.clone().into(),
            Self::List(values) => values.iter().map(Self::to_json).collect::<Vec<_>>().into(),
            Self::Map(values) => Json::Object(
                values
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_json()))
                    .collect(),
            ),
            Self::Dynamic(_, value) => value.to_json(),
        }
    }

    /// Whether no part of it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(values) => values.iter().all(Self::is_wholly_known),
            Self::Map(values) => values.values().all(Self::is_wholly_known),
            Self::Dynamic(_, value) => value.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// The elements of a list, set or tuple; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// A member of an object or map; null when there is none.
    pub fn member(&self, name: &str) -> &Self {
        match self {
            Self::Map(members) => members.get(name).unwrap_or(&Self::Null),
            Self::Unknown => &Self::Unknown,
            _ => &Self::Null,
        }
    }
}

/// Core's equality: sets without order, numbers by their value.
pub fn same(left: &Value, right: &Value, ty: &Type) -> bool {
    match (left, right, ty) {
        (Value::Dynamic(a, x), Value::Dynamic(b, y), _) => a == b && same(x, y, a),
        (Value::Number(a), Value::Number(b), _) => {
            a == b
                || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a.to_bits() == b.to_bits())
        }
        (Value::List(a), Value::List(b), Type::Set(inner)) => {
            a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| same(x, y, inner)))
        }
        (Value::List(a), Value::List(b), _) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .enumerate()
                    .all(|(position, (x, y))| same(x, y, element_type(ty, position)))
        }
        (Value::Map(a), Value::Map(b), _) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, x)| b.get(key).is_some_and(|y| same(x, y, member_type(ty, key))))
        }
        _ => left == right,
    }
}

/// The type of an element.
pub(crate) fn element_type(ty: &Type, position: usize) -> &Type {
    match ty {
        Type::List(inner) | Type::Set(inner) => inner,
        Type::Tuple(types) => types.get(position).unwrap_or(&Type::Dynamic),
        _ => &Type::Dynamic,
    }
}

/// The type of a member.
pub(crate) fn member_type<'t>(ty: &'t Type, key: &str) -> &'t Type {
    match ty {
        Type::Map(inner) => inner,
        Type::Object(types) => types.get(key).unwrap_or(&Type::Dynamic),
        _ => &Type::Dynamic,
    }
}

/// The type HCL would give a literal.
fn dynamic_type(json: &Json) -> Type {
    match json {
        Json::Null | Json::String(_) => Type::String,
        Json::Bool(_) => Type::Bool,
        Json::Number(_) => Type::Number,
        Json::Array(values) => Type::Tuple(values.iter().map(dynamic_type).collect()),
        Json::Object(values) => Type::Object(
            values
                .iter()
                .map(|(key, value)| (key.clone(), dynamic_type(value)))
                .collect(),
        ),
    }
}
