//! Null, unknown and known, kept apart in the type.

/// An argument of a configuration or an attribute of a plan.
///
/// Only the types that mirror HCL should hold it; below them plain types are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value<T> {
    /// Set, and its value is known.
    Known(T),
    /// Not set.
    #[default]
    Null,
    /// Known only after something else was applied.
    Unknown,
}

impl<T> Value<T> {
    /// Whether the value is known and not null.
    pub const fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// Whether the value is null.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether the value is unknown.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The known value; null and unknown alike give `None`.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// The known value by reference.
    pub const fn as_known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// Borrows what is inside.
    pub const fn as_ref(&self) -> Value<&T> {
        match self {
            Self::Known(value) => Value::Known(value),
            Self::Null => Value::Null,
            Self::Unknown => Value::Unknown,
        }
    }

    /// Changes what is inside.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Value<U> {
        match self {
            Self::Known(value) => Value::Known(change(value)),
            Self::Null => Value::Null,
            Self::Unknown => Value::Unknown,
        }
    }

    /// The known value, or `default` when null; unknown stays unknown.
    pub fn or_default_to(self, default: T) -> Value<T> {
        match self {
            Self::Null => Value::Known(default),
            other => other,
        }
    }

    /// The value as an option, null being `None`; `None` outside when it is unknown.
    pub fn settled(self) -> Option<Option<T>> {
        match self {
            Self::Known(value) => Some(Some(value)),
            Self::Null => Some(None),
            Self::Unknown => None,
        }
    }
}

impl<T> From<Option<T>> for Value<T> {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Self::Known)
    }
}

impl<T> From<T> for Value<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}
