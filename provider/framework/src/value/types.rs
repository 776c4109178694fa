//! Types of values, as in HCL.

use std::collections::BTreeMap;
use std::fmt;

use super::Dynamic;
use super::json;

/// The deepest nesting of types and values that is decoded; beyond it input is refused.
pub(crate) const DEPTH_LIMIT: usize = 128;

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// Text.
    String,
    /// A number of any size.
    Number,
    /// True or false.
    Bool,
    /// Any type; the value carries its own.
    Dynamic,
    /// A sequence of one element type.
    List(Box<Type>),
    /// An unordered collection without duplicates.
    Set(Box<Type>),
    /// Values of one type under text keys.
    Map(Box<Type>),
    /// A sequence with a type for each position.
    Tuple(Vec<Type>),
    /// Named members, each with its type.
    Object(BTreeMap<String, Type>),
}

impl Type {
    /// A list of `element`.
    pub fn list(element: Type) -> Self {
        Self::List(Box::new(element))
    }

    /// A set of `element`.
    pub fn set(element: Type) -> Self {
        Self::Set(Box::new(element))
    }

    /// A map of `element`.
    pub fn map(element: Type) -> Self {
        Self::Map(Box::new(element))
    }

    /// An object with these members.
    pub fn object<N: Into<String>>(members: impl IntoIterator<Item = (N, Type)>) -> Self {
        Self::Object(members.into_iter().map(|(n, t)| (n.into(), t)).collect())
    }

    /// Whether values of this type can differ in type among themselves.
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::String | Self::Number | Self::Bool => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.has_dynamic(),
            Self::Tuple(elements) => elements.iter().any(Self::has_dynamic),
            Self::Object(members) => members.values().any(Self::has_dynamic),
        }
    }

    /// The protocol's JSON form: `["list","string"]`.
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text);
        text
    }

    fn write_json(&self, out: &mut String) {
        let wrap = |out: &mut String, kind: &str, element: &Type| {
            out.push_str("[\"");
            out.push_str(kind);
            out.push_str("\",");
            element.write_json(out);
            out.push(']');
        };
        match self {
            Self::String => out.push_str("\"string\""),
            Self::Number => out.push_str("\"number\""),
            Self::Bool => out.push_str("\"bool\""),
            Self::Dynamic => out.push_str("\"dynamic\""),
            Self::List(element) => wrap(out, "list", element),
            Self::Set(element) => wrap(out, "set", element),
            Self::Map(element) => wrap(out, "map", element),
            Self::Tuple(elements) => {
                out.push_str("[\"tuple\",[");
                for (position, element) in elements.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    element.write_json(out);
                }
                out.push_str("]]");
            }
            Self::Object(members) => {
                out.push_str("[\"object\",{");
                for (position, (name, member)) in members.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    json::write_string(out, name);
                    out.push(':');
                    member.write_json(out);
                }
                out.push_str("}]");
            }
        }
    }

    /// Reads the protocol's JSON form.
    pub fn from_json(text: &[u8]) -> Result<Self, TypeError> {
        let tree = json::parse(text).map_err(TypeError::Json)?;
        Self::from_tree(&tree)
    }

    fn from_tree(tree: &Dynamic) -> Result<Self, TypeError> {
        let unknown = || TypeError::Shape;
        match tree {
            Dynamic::String(name) => match name.as_str() {
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(unknown()),
            },
            Dynamic::List(parts) => match parts.as_slice() {
                [Dynamic::String(kind), element] => match (kind.as_str(), element) {
                    ("list", _) => Ok(Self::list(Self::from_tree(element)?)),
                    ("set", _) => Ok(Self::set(Self::from_tree(element)?)),
                    ("map", _) => Ok(Self::map(Self::from_tree(element)?)),
                    ("tuple", Dynamic::List(elements)) => {
                        let elements: Result<_, _> = elements.iter().map(Self::from_tree).collect();
                        Ok(Self::Tuple(elements?))
                    }
                    ("object", Dynamic::Map(members)) => Self::object_from(members),
                    _ => Err(unknown()),
                },
                // The third part names optional members; it occurs in type constraints only.
                [
                    Dynamic::String(kind),
                    Dynamic::Map(members),
                    Dynamic::List(_),
                ] if kind == "object" => Self::object_from(members),
                _ => Err(unknown()),
            },
            _ => Err(unknown()),
        }
    }

    fn object_from(members: &BTreeMap<String, Dynamic>) -> Result<Self, TypeError> {
        let members: Result<_, TypeError> = members
            .iter()
            .map(|(name, member)| Ok((name.clone(), Self::from_tree(member)?)))
            .collect();
        Ok(Self::Object(members?))
    }
}

/// A text that is not a type.
#[derive(Debug, thiserror::Error)]
pub enum TypeError {
    /// Not JSON.
    #[error("the type is not valid JSON")]
    Json(#[source] json::JsonError),
    /// JSON, but of no type.
    #[error("the JSON names no type")]
    Shape,
}

impl fmt::Display for Type {
    /// As in HCL type constraints: `list(object({ name = string }))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Number => f.write_str("number"),
            Self::Bool => f.write_str("bool"),
            Self::Dynamic => f.write_str("any"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Set(element) => write!(f, "set({element})"),
            Self::Map(element) => write!(f, "map({element})"),
            Self::Tuple(elements) => {
                f.write_str("tuple([")?;
                for (position, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if position > 0 { ", " } else { "" })?;
                }
                f.write_str("])")
            }
            Self::Object(members) => {
                f.write_str("object({")?;
                for (position, (name, member)) in members.iter().enumerate() {
                    write!(
                        f,
                        "{} {name} = {member}",
                        if position > 0 { "," } else { "" }
                    )?;
                }
                f.write_str(" })")
            }
        }
    }
}
