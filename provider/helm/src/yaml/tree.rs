//! What a reader makes of a document: values of templates, or plain JSON without a detour.

use crate::functions::deep_copy;
use crate::value::{Entries, Str, Value};

/// A tree that the decoder can build.
pub(super) trait Tree: Clone {
    /// The members of a map while it is read.
    type Members: Default;

    fn nil() -> Self;
    fn truth(value: bool) -> Self;
    fn number(value: f64) -> Self;
    fn text(value: &str) -> Self;
    fn list(items: Vec<Self>) -> Self;
    fn map(members: Self::Members) -> Self;
    fn insert(members: &mut Self::Members, key: &str, value: Self);
    /// Copies the members of the map `self`; false when it is none.
    fn spread(&self, members: &mut Self::Members) -> bool;
    /// The elements, of a list.
    fn items(&self) -> Option<&[Self]>;
    /// What an alias stands for: nothing is shared with the anchor.
    fn fresh(&self) -> Self;
    /// Itself as the key of a map; `None` for collections and nothing.
    fn as_key(&self) -> Option<String>;
    fn is_nil(&self) -> bool;
    fn to_value(&self) -> Value;
    /// Nodes, keys included.
    fn size(&self) -> usize;
}

impl Tree for Value {
    type Members = Entries;

    fn nil() -> Self {
        Self::Nil
    }

    fn truth(value: bool) -> Self {
        Self::Bool(value)
    }

    fn number(value: f64) -> Self {
        Self::Float(value)
    }

    fn text(value: &str) -> Self {
        Self::str(value)
    }

    fn list(items: Vec<Self>) -> Self {
        Self::list(items)
    }

    fn map(members: Entries) -> Self {
        Self::map(members)
    }

    fn insert(members: &mut Entries, key: &str, value: Self) {
        members.insert(Str::from(key), value);
    }

    fn spread(&self, members: &mut Entries) -> bool {
        match self {
            Self::Map(map) => {
                members.extend(map.snapshot());
                true
            }
            _ => false,
        }
    }

    fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list.items()),
            _ => None,
        }
    }

    fn fresh(&self) -> Self {
        deep_copy(self)
    }

    fn as_key(&self) -> Option<String> {
        match self {
            Self::Str(text) => Some(text.lossy().into_owned()),
            Self::Float(float) => Some(super::decode::key_float(*float)),
            Self::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    fn to_value(&self) -> Value {
        self.clone()
    }

    fn size(&self) -> usize {
        match self {
            Self::List(list) => 1 + list.items().iter().map(Tree::size).sum::<usize>(),
            Self::Map(map) => {
                let entries = map.snapshot();
                1 + entries
                    .iter()
                    .map(|(_, value)| 1 + value.size())
                    .sum::<usize>()
            }
            _ => 1,
        }
    }
}

impl Tree for serde_json::Value {
    type Members = serde_json::Map<String, Self>;

    fn nil() -> Self {
        Self::Null
    }

    fn truth(value: bool) -> Self {
        Self::Bool(value)
    }

    fn number(value: f64) -> Self {
        serde_json::Number::from_f64(value).into()
    }

    fn text(value: &str) -> Self {
        value.into()
    }

    fn list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }

    fn map(members: Self::Members) -> Self {
        Self::Object(members)
    }

    fn insert(members: &mut Self::Members, key: &str, value: Self) {
        members.insert(key.to_owned(), value);
    }

    fn spread(&self, members: &mut Self::Members) -> bool {
        match self {
            Self::Object(map) => {
                let entries = map.iter();
                members.extend(entries.map(|(key, value)| (key.clone(), value.clone())));
                true
            }
            _ => false,
        }
    }

    fn items(&self) -> Option<&[Self]> {
        self.as_array().map(Vec::as_slice)
    }

    fn fresh(&self) -> Self {
        self.clone()
    }

    fn as_key(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            Self::Number(number) => number.as_f64().map(super::decode::key_float),
            Self::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    fn is_nil(&self) -> bool {
        self.is_null()
    }

    fn to_value(&self) -> Value {
        self.into()
    }

    fn size(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.iter().map(Tree::size).sum::<usize>(),
            Self::Object(map) => 1 + map.values().map(|value| 1 + value.size()).sum::<usize>(),
            _ => 1,
        }
    }
}
