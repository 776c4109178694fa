//! Between [`Dynamic`] and Rust types.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dynamic, Number, Path, Value};
use crate::Diagnostics;

/// A Rust type that can be read from a value. Derive it for structs:
///
/// ```
/// use framework::{Dynamic, FromValue, ToValue, Value};
///
/// #[derive(Debug, PartialEq, FromValue, ToValue)]
/// struct Disk {
///     name: String,             // must be known and set
///     size_gb: Value<i64>,      // may be null or unknown
///     #[object(name = "type")]  // an attribute whose name is a Rust keyword
///     kind: Option<String>,     // may be null, must be known
/// }
///
/// let value = Dynamic::object([
///     ("name", "data".into()),
///     ("size_gb", Dynamic::UNKNOWN),
///     ("type", Dynamic::Null),
/// ]);
/// let disk: Disk = value.get().unwrap();
/// assert_eq!(disk.size_gb, Value::Unknown);
/// assert_eq!(disk.to_value(), value);
/// ```
///
/// The struct must name exactly the object's attributes; `#[object(partial)]` on it allows the
/// object to have more.
pub trait FromValue: Sized {
    /// Reads the value found at `path`.
    ///
    /// # Errors
    /// One diagnostic for each place that does not fit.
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics>;
}

/// A Rust type that can be written as a value.
pub trait ToValue {
    /// The value.
    fn to_value(&self) -> Dynamic;
}

/// The diagnostic for a value of the wrong kind.
fn mismatch(value: &Dynamic, path: &Path, wanted: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let (summary, advice) = if value.is_unknown() {
        (
            "value not known yet",
            "It depends on something that is not applied yet; apply that first, for example with -target.",
        )
    } else if value.is_null() {
        ("missing value", "Set it.")
    } else {
        (
            "value of the wrong type",
            "This is a mistake in the provider: its code and its schema disagree.",
        )
    };
    diagnostics.error_at(
        path.clone(),
        summary,
        format!(
            "{} must be {wanted}, but it is {}. {advice}",
            place(path),
            value.kind()
        ),
    );
    diagnostics
}

fn place(path: &Path) -> String {
    if path.is_root() {
        "The object".to_owned()
    } else {
        format!("Attribute {path}")
    }
}

impl FromValue for Dynamic {
    fn from_value(value: &Dynamic, _: &Path) -> Result<Self, Diagnostics> {
        Ok(value.clone())
    }
}

impl ToValue for Dynamic {
    fn to_value(&self) -> Dynamic {
        self.clone()
    }
}

impl FromValue for String {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| mismatch(value, path, "a string"))
    }
}

impl ToValue for String {
    fn to_value(&self) -> Dynamic {
        Dynamic::String(self.clone())
    }
}

impl ToValue for str {
    fn to_value(&self) -> Dynamic {
        Dynamic::String(self.to_owned())
    }
}

impl FromValue for bool {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        value
            .as_bool()
            .ok_or_else(|| mismatch(value, path, "true or false"))
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Dynamic {
        Dynamic::Bool(*self)
    }
}

impl FromValue for Number {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        value
            .as_number()
            .cloned()
            .ok_or_else(|| mismatch(value, path, "a number"))
    }
}

impl ToValue for Number {
    fn to_value(&self) -> Dynamic {
        Dynamic::Number(self.clone())
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl FromValue for $int {
            fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
                let number = Number::from_value(value, path)?;
                let small = number.to_i64().and_then(|n| <$int>::try_from(n).ok());
                small.or_else(|| number.to_u64().and_then(|n| <$int>::try_from(n).ok())).ok_or_else(|| {
                    Diagnostics::one_error_at(
                        path.clone(),
                        "number out of range",
                        format!(
                            "{} is {number}; allowed are whole numbers from {} to {}.",
                            place(path), <$int>::MIN, <$int>::MAX,
                        ),
                    )
                })
            }
        }

        impl ToValue for $int {
            fn to_value(&self) -> Dynamic {
                Dynamic::Number(
                    i64::try_from(*self).map_or_else(|_| Number::from(u64::try_from(*self).unwrap_or_default()), Number::from),
                )
            }
        }
    )*};
}

integers!(i64, u64, i32, u32, u16, u8);

impl FromValue for f64 {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        Number::from_value(value, path).map(|number| number.to_f64())
    }
}

impl ToValue for f64 {
    fn to_value(&self) -> Dynamic {
        Number::from_f64(*self).map_or(Dynamic::Null, Dynamic::Number)
    }
}

impl<T: FromValue> FromValue for Value<T> {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        if value.is_unknown() {
            Ok(Self::Unknown)
        } else if value.is_null() {
            Ok(Self::Null)
        } else {
            T::from_value(value, path).map(Self::Known)
        }
    }
}

impl<T: ToValue> ToValue for Value<T> {
    fn to_value(&self) -> Dynamic {
        match self {
            Self::Known(value) => value.to_value(),
            Self::Null => Dynamic::Null,
            Self::Unknown => Dynamic::UNKNOWN,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        if value.is_null() {
            Ok(None)
        } else {
            T::from_value(value, path).map(Some)
        }
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Dynamic {
        self.as_ref().map_or(Dynamic::Null, ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Box<T> {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        T::from_value(value, path).map(Box::new)
    }
}

impl<T: ToValue + ?Sized> ToValue for Box<T> {
    fn to_value(&self) -> Dynamic {
        (**self).to_value()
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Dynamic {
        (**self).to_value()
    }
}

/// Reads all elements and keeps every complaint.
fn collect<T, C: FromIterator<T>>(
    results: impl Iterator<Item = Result<T, Diagnostics>>,
) -> Result<C, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let values = results
        .filter_map(|result| result.map_err(|more| diagnostics.extend(more)).ok())
        .collect();
    if diagnostics.is_empty() {
        Ok(values)
    } else {
        Err(diagnostics)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        let Some(elements) = value.as_elements() else {
            return Err(mismatch(value, path, "a list"));
        };
        let in_set = matches!(value, Dynamic::Set(_));
        collect(elements.iter().enumerate().map(|(position, element)| {
            let path = path.clone();
            let path = if in_set {
                path.element()
            } else {
                path.index(position as u64)
            };
            T::from_value(element, &path)
        }))
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(&self) -> Dynamic {
        Dynamic::List(self.iter().map(ToValue::to_value).collect())
    }
}

impl<T: ToValue> ToValue for [T] {
    fn to_value(&self) -> Dynamic {
        Dynamic::List(self.iter().map(ToValue::to_value).collect())
    }
}

impl<T: FromValue + Ord> FromValue for BTreeSet<T> {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        let Some(elements) = value.as_elements() else {
            return Err(mismatch(value, path, "a set"));
        };
        let path = path.clone().element();
        collect(elements.iter().map(|element| T::from_value(element, &path)))
    }
}

impl<T: ToValue> ToValue for BTreeSet<T> {
    fn to_value(&self) -> Dynamic {
        Dynamic::set(self.iter().map(ToValue::to_value))
    }
}

impl<T: FromValue> FromValue for BTreeMap<String, T> {
    fn from_value(value: &Dynamic, path: &Path) -> Result<Self, Diagnostics> {
        let Some(members) = value.as_members() else {
            return Err(mismatch(value, path, "a map"));
        };
        collect(members.iter().map(|(key, element)| {
            T::from_value(element, &path.clone().key(key.clone())).map(|value| (key.clone(), value))
        }))
    }
}

impl<T: ToValue> ToValue for BTreeMap<String, T> {
    fn to_value(&self) -> Dynamic {
        Dynamic::map(
            self.iter()
                .map(|(key, value)| (key.clone(), value.to_value())),
        )
    }
}

/// What the derive macro calls; not meant to be called by hand.
#[doc(hidden)]
pub mod derive_support {
    use std::collections::BTreeMap;

    use super::{Diagnostics, Dynamic, FromValue, Path, mismatch, place};

    /// The members of the object at `path`.
    ///
    /// # Errors
    /// The value is null, unknown or no object.
    pub fn members<'v>(
        value: &'v Dynamic,
        path: &Path,
    ) -> Result<&'v BTreeMap<String, Dynamic>, Diagnostics> {
        value
            .as_members()
            .ok_or_else(|| mismatch(value, path, "an object"))
    }

    /// Complains about attributes that the struct lacks.
    pub fn refuse_others(
        members: &BTreeMap<String, Dynamic>,
        names: &[&str],
        path: &Path,
        diagnostics: &mut Diagnostics,
    ) {
        for name in members
            .keys()
            .filter(|name| !names.contains(&name.as_str()))
        {
            diagnostics.error_at(
                path.clone().attribute(name.clone()),
                "attribute not mapped",
                format!(
                    "{} has an attribute {name:?} that the provider's code does not know. \
                     This is a mistake in the provider: its code and its schema disagree.",
                    place(path),
                ),
            );
        }
    }

    /// Reads one member; complaints are kept.
    pub fn field<T: FromValue>(
        members: &BTreeMap<String, Dynamic>,
        name: &'static str,
        path: &Path,
        diagnostics: &mut Diagnostics,
    ) -> Option<T> {
        let path = path.clone().attribute(name);
        let Some(value) = members.get(name) else {
            diagnostics.error_at(
                path.clone(),
                "attribute missing in schema",
                format!(
                    "The provider's code expects {path}, which the object does not have. \
                     This is a mistake in the provider: its code and its schema disagree.",
                ),
            );
            return None;
        };
        match T::from_value(value, &path) {
            Ok(value) => Some(value),
            Err(more) => {
                diagnostics.extend(more);
                None
            }
        }
    }
}
