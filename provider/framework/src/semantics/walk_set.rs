//! Which elements of a configured, a planned and a stored set belong together.
//!
//! Core pairs a configured element with a stored one that equals it but for computed members which are not configured,
//! and so it is here. Elements are looked up by what the provider never sets, so that a large set is not walked through
//! for each of its elements.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::walk::member;
use crate::Dynamic;
use crate::schema::{Attributes, Nesting};

/// Elements of a set, each to be taken once.
pub(super) struct Pool<'a> {
    attributes: &'a Attributes,
    /// By a hash of what no provider sets.
    left: BTreeMap<u64, Vec<&'a Dynamic>>,
}

impl<'a> Pool<'a> {
    pub fn new(attributes: &'a Attributes, set: &'a Dynamic) -> Self {
        let mut left: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for element in set.as_elements().into_iter().flatten() {
            left.entry(fixed(attributes, element))
                .or_default()
                .push(element);
        }
        Self { attributes, left }
    }

    /// Takes the element that says most among those that `belongs` accepts. Only those are asked that hold what `like`
    /// holds wherever the provider sets nothing.
    pub fn take(
        &mut self,
        belongs: impl Fn(&Dynamic) -> bool,
        like: &Dynamic,
    ) -> Option<&'a Dynamic> {
        let candidates = self.left.get_mut(&fixed(self.attributes, like))?;
        let said = |element: &Dynamic| {
            let members = element.as_members().into_iter().flat_map(BTreeMap::values);
            members.filter(|member| !member.is_null()).count()
        };
        let (index, _) = candidates
            .iter()
            .enumerate()
            .filter(|(_, element)| belongs(element))
            .max_by_key(|(index, element)| (said(element), usize::MAX - index))?;
        Some(candidates.remove(index))
    }
}

/// A hash of what an element holds that no provider sets: of the members that neither are computed nor hold anything
/// computed.
fn fixed(attributes: &Attributes, element: &Dynamic) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (name, attribute) in attributes.iter() {
        if !attribute.computed && attribute.nested().is_none() {
            member(element, name).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Whether an element of a configuration could have become this one: equal but for computed members that are not set.
pub(super) fn covers(attributes: &Attributes, config: &Dynamic, element: &Dynamic) -> bool {
    if config.as_members().is_none() || element.as_members().is_none() {
        return config.same(element);
    }
    attributes.iter().all(|(name, attribute)| {
        let (config, value) = (member(config, name), member(element, name));
        if config.is_null() && attribute.computed {
            return true;
        }
        match attribute.nested() {
            Some((nesting, nested)) => covers_nested(nesting, nested, config, value),
            None => config.same(value),
        }
    })
}

fn covers_nested(nesting: Nesting, nested: &Attributes, config: &Dynamic, value: &Dynamic) -> bool {
    match nesting {
        Nesting::Single => covers(nested, config, value),
        Nesting::List | Nesting::Set => match (config.as_elements(), value.as_elements()) {
            (Some(configs), Some(values)) if nesting == Nesting::List => {
                configs.len() == values.len()
                    && configs
                        .iter()
                        .zip(values)
                        .all(|(config, value)| covers(nested, config, value))
            }
            (Some(configs), Some(values)) => {
                let mut left = Pool::new(nested, config);
                configs.len() == values.len()
                    && values.iter().all(|value| {
                        left.take(|config| covers(nested, config, value), value)
                            .is_some()
                    })
            }
            _ => config.same(value),
        },
        Nesting::Map => match (config.as_members(), value.as_members()) {
            (Some(configs), Some(values)) => {
                configs.keys().eq(values.keys())
                    && configs
                        .values()
                        .zip(values.values())
                        .all(|(config, value)| covers(nested, config, value))
            }
            _ => config.same(value),
        },
    }
}

/// What was configured of an element that no configured one became, as far as the element itself tells.
pub(super) fn without_computed(attributes: &Attributes, element: &Dynamic) -> Dynamic {
    let Some(members) = element.as_members() else {
        return element.clone();
    };
    let members = members.iter().map(|(name, value)| {
        let computed = attributes
            .get(name)
            .is_some_and(|attribute| attribute.computed && !attribute.optional);
        let value = if computed {
            Dynamic::Null
        } else {
            value.clone()
        };
        (name.clone(), value)
    });
    Dynamic::object(members)
}
