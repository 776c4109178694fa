//! Lists, sets and maps.

use std::collections::BTreeSet;

use super::name;
use crate::schema::{ValidateRequest, Validator};
use crate::{Diagnostics, Dynamic};

/// A collection with so many elements, both bounds included.
pub fn size_between(low: usize, high: usize) -> impl Validator {
    Size { low, high }
}

struct Size {
    low: usize,
    high: usize,
}

impl Validator for Size {
    fn describe(&self) -> String {
        format!("{} to {} elements", self.low, self.high)
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        let size = match request.value {
            // Elements of a set that are unknown may turn out equal.
            Dynamic::Set(_) if !request.value.is_wholly_known() => return,
            value => value
                .as_elements()
                .map(<[_]>::len)
                .or_else(|| value.as_members().map(std::collections::BTreeMap::len)),
        };
        if let Some(size) = size.filter(|size| !(self.low..=self.high).contains(size)) {
            diagnostics.error_at(
                request.path.clone(),
                "wrong number of elements",
                format!(
                    "{} has {size}. It must have {}.",
                    name(request.path),
                    self.describe()
                ),
            );
        }
    }
}

/// A list without repetitions.
pub fn unique() -> impl Validator {
    Unique
}

struct Unique;

impl Validator for Unique {
    fn describe(&self) -> String {
        "without repetitions".to_owned()
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        let mut seen = BTreeSet::new();
        let elements = request.value.as_elements().unwrap_or_default();
        for (index, element) in elements.iter().enumerate() {
            if element.is_wholly_known() && !seen.insert(element) {
                diagnostics.error_at(
                    request.path.clone().index(index as u64),
                    "repeated element",
                    format!(
                        "{}[{index}] occurs before. Remove one of them.",
                        name(request.path)
                    ),
                );
            }
        }
    }
}

/// Applies a check to every element of a list, set or map.
pub fn each_element(validator: impl Validator) -> impl Validator {
    EachElement(validator)
}

struct EachElement<V>(V);

impl<V: Validator> Validator for EachElement<V> {
    fn describe(&self) -> String {
        let text = self.0.describe();
        if text.is_empty() {
            text
        } else {
            format!("each element {text}")
        }
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        let path = || request.path.clone();
        let in_set = matches!(request.value, Dynamic::Set(_));
        let elements = request.value.as_elements().unwrap_or_default();
        let listed = elements.iter().enumerate().map(|(index, element)| {
            let path = if in_set {
                path().element()
            } else {
                path().index(index as u64)
            };
            (path, element)
        });
        let mapped = request
            .value
            .as_members()
            .into_iter()
            .flatten()
            .map(|(key, element)| (path().key(key.clone()), element));
        for (path, value) in listed.chain(mapped) {
            if !value.is_null() && !value.is_unknown() {
                let request = ValidateRequest {
                    path: &path,
                    value,
                    config: request.config,
                };
                self.0.validate(&request, diagnostics);
            }
        }
    }
}

/// Applies a check to every key of a map.
pub fn each_key(validator: impl Validator) -> impl Validator {
    EachKey(validator)
}

struct EachKey<V>(V);

impl<V: Validator> Validator for EachKey<V> {
    fn describe(&self) -> String {
        let text = self.0.describe();
        if text.is_empty() {
            text
        } else {
            format!("each key {text}")
        }
    }

    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics) {
        for key in request
            .value
            .as_members()
            .into_iter()
            .flatten()
            .map(|(key, _)| key)
        {
            let path = request.path.clone().key(key.clone());
            let request = ValidateRequest {
                path: &path,
                value: &Dynamic::string(key.clone()),
                config: request.config,
            };
            self.0.validate(&request, diagnostics);
        }
    }
}
