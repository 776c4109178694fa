//! Values whose type is known only at run time.

use std::collections::BTreeMap;

use super::{FromValue, Number, Path, Step, Type};
use crate::Diagnostics;

/// What is known about a value that is not known yet (terraform's *refinements*). A planned value
/// with refinements is a promise: the final value must keep to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refinement {
    /// The value will not be null.
    pub not_null: bool,
    /// The text will begin with this.
    pub prefix: Option<String>,
    /// The number will be at least this; the flag tells whether it may be equal.
    pub lower: Option<(Number, bool)>,
    /// The number will be at most this; the flag tells whether it may be equal.
    pub upper: Option<(Number, bool)>,
    /// The collection will have at least so many elements.
    pub min_length: Option<u64>,
    /// The collection will have at most so many elements.
    pub max_length: Option<u64>,
}

impl Refinement {
    /// Whether nothing is promised.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A value of any type: what configuration, plan and state are made of.
///
/// Members are ordered, so that equal values have equal bytes. Write `==` to compare exactly;
/// [`Dynamic::same`] compares as terraform's checks do, without refinements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dynamic {
    /// Not set.
    Null,
    /// Known only after apply, with what is promised about it.
    Unknown(Option<Box<Refinement>>),
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// A sequence of one element type.
    List(Vec<Dynamic>),
    /// A set; kept sorted and without duplicates by [`Dynamic::set`].
    Set(Vec<Dynamic>),
    /// A sequence of fixed length.
    Tuple(Vec<Dynamic>),
    /// Values of one type under text keys.
    Map(BTreeMap<String, Dynamic>),
    /// Named members.
    Object(BTreeMap<String, Dynamic>),
    /// The value of an attribute of type [`Type::Dynamic`], with the type it has.
    Typed(Box<(Type, Dynamic)>),
}

impl Dynamic {
    /// Unknown, with nothing promised.
    pub const UNKNOWN: Self = Self::Unknown(None);

    /// Unknown, but certainly not null: conditions such as `x != null` are then known at plan.
    pub fn unknown_not_null() -> Self {
        Self::Unknown(Some(Box::new(Refinement {
            not_null: true,
            ..Refinement::default()
        })))
    }

    /// An object of these members.
    pub fn object<N: Into<String>>(members: impl IntoIterator<Item = (N, Dynamic)>) -> Self {
        Self::Object(members.into_iter().map(|(n, v)| (n.into(), v)).collect())
    }

    /// A map of these elements.
    pub fn map<N: Into<String>>(elements: impl IntoIterator<Item = (N, Dynamic)>) -> Self {
        Self::Map(elements.into_iter().map(|(n, v)| (n.into(), v)).collect())
    }

    /// A list of these elements.
    pub fn list(elements: impl IntoIterator<Item = Dynamic>) -> Self {
        Self::List(elements.into_iter().collect())
    }

    /// A set of these elements: sorted, without duplicates. Elements that are not wholly known may
    /// still turn out different, so they stay.
    pub fn set(elements: impl IntoIterator<Item = Dynamic>) -> Self {
        let mut elements: Vec<_> = elements.into_iter().collect();
        elements.sort();
        elements.dedup_by(|a, b| a == b && a.is_wholly_known());
        Self::Set(elements)
    }

    /// Text.
    pub fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// Whether the value is null.
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Typed(typed) => typed.1.is_null(),
            _ => false,
        }
    }

    /// Whether the value itself is unknown; members may still be when it is not.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Typed(typed) => typed.1.is_unknown(),
            _ => false,
        }
    }

    /// Whether neither the value nor anything in it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
            Self::List(elements) | Self::Set(elements) | Self::Tuple(elements) => {
                elements.iter().all(Self::is_wholly_known)
            }
            Self::Map(members) | Self::Object(members) => {
                members.values().all(Self::is_wholly_known)
            }
            Self::Typed(typed) => typed.1.is_wholly_known(),
        }
    }

    /// Whether two values are the same to terraform's checks, which leave refinements out.
    pub fn same(&self, other: &Self) -> bool {
        let sequences =
            |a: &[Self], b: &[Self]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b));
        let members = |a: &BTreeMap<String, Self>, b: &BTreeMap<String, Self>| {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((an, a), (bn, b))| an == bn && a.same(b))
        };
        match (self, other) {
            (Self::Unknown(_), Self::Unknown(_)) => true,
            (Self::List(a), Self::List(b))
            | (Self::Set(a), Self::Set(b))
            | (Self::Tuple(a), Self::Tuple(b)) => sequences(a, b),
            (Self::Map(a), Self::Map(b)) | (Self::Object(a), Self::Object(b)) => members(a, b),
            (Self::Typed(a), Self::Typed(b)) => a.1.same(&b.1),
            (a, b) => a == b,
        }
    }

    /// The text, if this is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Typed(typed) => typed.1.as_str(),
            _ => None,
        }
    }

    /// The number, if this is a known number.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Typed(typed) => typed.1.as_number(),
            _ => None,
        }
    }

    /// The flag, if this is a known bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Typed(typed) => typed.1.as_bool(),
            _ => None,
        }
    }

    /// The elements of a known list, set or tuple.
    pub fn as_elements(&self) -> Option<&[Dynamic]> {
        match self {
            Self::List(elements) | Self::Set(elements) | Self::Tuple(elements) => Some(elements),
            Self::Typed(typed) => typed.1.as_elements(),
            _ => None,
        }
    }

    /// The members of a known object or the elements of a known map.
    pub fn as_members(&self) -> Option<&BTreeMap<String, Dynamic>> {
        match self {
            Self::Map(members) | Self::Object(members) => Some(members),
            Self::Typed(typed) => typed.1.as_members(),
            _ => None,
        }
    }

    pub(crate) fn as_members_mut(&mut self) -> Option<&mut BTreeMap<String, Dynamic>> {
        match self {
            Self::Map(members) | Self::Object(members) => Some(members),
            Self::Typed(typed) => typed.1.as_members_mut(),
            _ => None,
        }
    }

    /// A member of a known object or map.
    pub fn member(&self, name: &str) -> Option<&Dynamic> {
        self.as_members()?.get(name)
    }

    /// The value at a path; `None` if something on the way is null, unknown or missing.
    pub fn at(&self, path: &Path) -> Option<&Dynamic> {
        path.steps()
            .iter()
            .try_fold(self, |value, step| match step {
                Step::Attribute(name) => value.member(name),
                Step::Key(key) => value.member(key),
                Step::Index(index) => value.as_elements()?.get(usize::try_from(*index).ok()?),
                Step::Element => None,
            })
    }

    /// The value at a path, to change in place.
    pub fn at_mut(&mut self, path: &Path) -> Option<&mut Dynamic> {
        path.steps().iter().try_fold(self, |value, step| {
            let value = match value {
                Self::Typed(typed) => &mut typed.1,
                other => other,
            };
            match (step, value) {
                (Step::Attribute(name), Self::Map(members) | Self::Object(members)) => {
                    members.get_mut(name.as_ref())
                }
                (Step::Key(key), Self::Map(members) | Self::Object(members)) => {
                    members.get_mut(key)
                }
                (Step::Index(index), Self::List(elements) | Self::Tuple(elements)) => {
                    elements.get_mut(usize::try_from(*index).ok()?)
                }
                _ => None,
            }
        })
    }

    /// Sets the value at a path. A root member that is missing is added; deeper objects must exist.
    /// Tells whether the place was found.
    pub fn set_at(&mut self, path: &Path, new: impl Into<Dynamic>) -> bool {
        let new = new.into();
        if let Some(place) = self.at_mut(path) {
            *place = new;
            return true;
        }
        let (Some(parent), Some(last)) = (path.parent(), path.steps().last()) else {
            return false;
        };
        let Some(members) = self.at_mut(&parent).and_then(Self::as_members_mut) else {
            return false;
        };
        match last {
            Step::Attribute(name) => members.insert(name.to_string(), new),
            Step::Key(key) => members.insert(key.clone(), new),
            Step::Index(_) | Step::Element => return false,
        };
        true
    }

    /// Maps the value to a Rust type; each mismatch is a diagnostic with its path.
    ///
    /// # Errors
    /// Everything that does not fit, not only the first.
    pub fn get<T: FromValue>(&self) -> Result<T, Diagnostics> {
        T::from_value(self, &Path::root())
    }

    /// Maps the value at a path to a Rust type. A place that does not exist reads as null.
    ///
    /// # Errors
    /// Everything that does not fit, not only the first.
    pub fn get_at<T: FromValue>(&self, path: &Path) -> Result<T, Diagnostics> {
        // A container that is unknown makes everything in it unknown.
        let mut prefix = Path::root();
        for step in path.steps() {
            if self.at(&prefix).is_some_and(Self::is_unknown) {
                return T::from_value(&Self::UNKNOWN, path);
            }
            prefix.push(step.clone());
        }
        T::from_value(self.at(path).unwrap_or(&Self::Null), path)
    }

    /// What the value is, for messages: `a string`, `null`, ...
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown(_) => "not known yet",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Tuple(_) => "a tuple",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
            Self::Typed(typed) => typed.1.kind(),
        }
    }
}

impl From<bool> for Dynamic {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<&str> for Dynamic {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Dynamic {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i64> for Dynamic {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<Number> for Dynamic {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}
