//! YAML as machine configurations use it: an ordered tree, written with 4-space indentation.
//!
//! Values hold secrets, so nothing here has `Debug`.

mod emit;
mod parse;

pub use emit::to_text;
pub use parse::{YamlError, parse};

/// A YAML value. Maps keep the order in which keys were put in.
#[derive(Clone, PartialEq, Eq)]
pub enum Yaml {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number in the form it was written: `110`, `0o644`, `1.5`.
    Number(String),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Yaml>),
    /// A mapping with unique text keys.
    Map(Map),
}

/// A mapping in insertion order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Map(Vec<(String, Yaml)>);

impl Map {
    /// No entries.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an entry at the end; an existing key keeps its place.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Yaml>) {
        let key = key.into();
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((key, value)),
        }
    }

    /// [`Self::set`] as a chain.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Yaml>) -> Self {
        self.set(key, value);
        self
    }

    /// [`Self::with`] when there is a value.
    pub fn with_some(self, key: &str, value: Option<impl Into<Yaml>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.0
            .iter()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Yaml> {
        self.0
            .iter_mut()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Yaml> {
        let position = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(position).1)
    }

    /// Entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Yaml)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of a key, when it is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Yaml::Text(text)) => Some(text),
            _ => None,
        }
    }
}

impl IntoIterator for Map {
    type Item = (String, Yaml);
    type IntoIter = std::vec::IntoIter<(String, Yaml)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Yaml {
    /// The value below a chain of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, key| match value {
            Self::Map(map) => map.get(key),
            _ => None,
        })
    }

    /// The text below a chain of keys.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        match self.at(path) {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// What the value is, in words.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Yaml {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Yaml {
    fn from(value: u32) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<u16> for Yaml {
    fn from(value: u16) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<Map> for Yaml {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Yaml {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests;
