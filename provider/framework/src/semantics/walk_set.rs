//! Which elements of a configured, a planned and a stored set belong together.
//!
//! Core pairs a configured element with a stored one that equals it but for computed members which are not configured,
//! and so it is here. Elements are looked up by the members that count for that, so that a large set is not walked through
//! for each of its elements.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::walk::member;
use crate::Dynamic;
use crate::schema::{Attributes, Nesting};

/// Which members of a configured element must be those of the element that it became, one flag an attribute: all but
/// those that the provider sets. Objects within are compared later.
type Counting = Vec<bool>;

fn counting(attributes: &Attributes, config: &Dynamic) -> Counting {
    attributes
        .iter()
        .map(|(name, attribute)| {
            let open = attribute.computed && member(config, name).is_null();
            attribute.nested().is_none() && !open
        })
        .collect()
}

/// What is found by a hash of the members that count.
type ByKey<T> = BTreeMap<u64, Vec<T>>;

/// A hash of the members that count.
fn key(attributes: &Attributes, counting: &Counting, element: &Dynamic) -> u64 {
    let mut hasher = DefaultHasher::new();
    for ((name, _), counts) in attributes.iter().zip(counting) {
        if *counts {
            member(element, name).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The elements of a configured set, each to be taken once. Few different ones count differently.
pub(super) struct Configured<'a> {
    attributes: &'a Attributes,
    /// Those that say most first.
    left: BTreeMap<(Reverse<usize>, Counting), ByKey<&'a Dynamic>>,
}

impl<'a> Configured<'a> {
    pub fn new(attributes: &'a Attributes, set: &'a Dynamic) -> Self {
        let mut left: BTreeMap<_, ByKey<_>> = BTreeMap::new();
        for element in set.as_elements().into_iter().flatten() {
            let counting = counting(attributes, element);
            let key = key(attributes, &counting, element);
            let said = counting.iter().filter(|counts| **counts).count();
            let group = left.entry((Reverse(said), counting)).or_default();
            group.entry(key).or_default().push(element);
        }
        Self { attributes, left }
    }

    /// Takes the configured element that became this one.
    pub fn take(&mut self, element: &Dynamic) -> Option<&'a Dynamic> {
        let attributes = self.attributes;
        self.left.iter_mut().find_map(|((_, counting), group)| {
            let candidates = group.get_mut(&key(attributes, counting, element))?;
            let found = candidates
                .iter()
                .position(|config| covers(attributes, config, element))?;
            Some(candidates.remove(found))
        })
    }
}

/// The elements of a stored set, each to be taken once.
pub(super) struct Stored<'a> {
    attributes: &'a Attributes,
    elements: &'a [Dynamic],
    taken: Vec<bool>,
    /// Made when first asked for.
    indexes: BTreeMap<Counting, ByKey<usize>>,
}

impl<'a> Stored<'a> {
    pub fn new(attributes: &'a Attributes, set: &'a Dynamic) -> Self {
        let elements = set.as_elements().unwrap_or_default();
        Self {
            attributes,
            elements,
            taken: vec![false; elements.len()],
            indexes: BTreeMap::new(),
        }
    }

    /// Takes the stored element that the configured one already was.
    pub fn take(&mut self, config: &Dynamic) -> Option<&'a Dynamic> {
        let (attributes, elements) = (self.attributes, self.elements);
        let counting = counting(attributes, config);
        let wanted = key(attributes, &counting, config);
        let index = self.indexes.entry(counting).or_insert_with_key(|counting| {
            let mut index = ByKey::new();
            for (position, element) in elements.iter().enumerate() {
                let key = key(attributes, counting, element);
                index.entry(key).or_default().push(position);
            }
            index
        });
        let found = index.get(&wanted)?.iter().copied().find(|position| {
            !self.taken[*position] && covers(attributes, config, &elements[*position])
        })?;
        self.taken[found] = true;
        elements.get(found)
    }
}

/// Whether an element of a configuration could have become this one: equal but for computed members that are not set.
fn covers(attributes: &Attributes, config: &Dynamic, element: &Dynamic) -> bool {
    #[cfg(test)]
    tests::LOOKS.set(tests::LOOKS.get() + 1);
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
                let mut left = Configured::new(nested, config);
                configs.len() == values.len()
                    && values.iter().all(|value| left.take(value).is_some())
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::semantics::propose;
    use crate::{Attribute, Dynamic, Schema};

    thread_local! {
        /// How many pairs of elements were compared.
        pub(super) static LOOKS: Cell<usize> = const { Cell::new(0) };
    }

    fn rule(port: i64, weight: Dynamic, id: Dynamic) -> Dynamic {
        Dynamic::object([
            ("id", id),
            ("port", Dynamic::from(port)),
            ("protocol", Dynamic::from("tcp")),
            ("weight", weight),
        ])
    }

    fn rules(rules: impl Iterator<Item = Dynamic>) -> Dynamic {
        Dynamic::object([("note", Dynamic::Null), ("rules", Dynamic::set(rules))])
    }

    /// Elements alike in what no provider sets, told apart by what has a default.
    #[test]
    fn large_sets_are_paired_without_comparing_each_with_each() {
        const MANY: i64 = 5_000;
        let members = [
            ("protocol", Attribute::string("A name.").required()),
            ("port", Attribute::number("A port.").default(80)),
            ("weight", Attribute::number("A weight.").default(2)),
            ("id", Attribute::string("Its id.").computed().keep_known()),
        ];
        let schema = Schema::new("s").attributes([
            ("note", Attribute::string("A text.").optional()),
            ("rules", Attribute::set_of(members, "Rules.").optional()),
        ]);
        let id = |port: i64| Dynamic::from(format!("id-{port}"));
        let weight = |port: i64| {
            if port % 2 == 0 {
                Dynamic::Null
            } else {
                3.into()
            }
        };
        let config = rules((0..MANY).map(|port| rule(port, weight(port), Dynamic::Null)));
        let prior = rules((0..MANY).map(|port| rule(port, 9.into(), id(port))));
        // As core merges them: half of the elements is what was there but for what is not written.
        let merged = (0..MANY).map(|port| match weight(port) {
            Dynamic::Null => rule(port, 9.into(), id(port)),
            weight => rule(port, weight, Dynamic::Null),
        });
        LOOKS.set(0);
        let planned = propose(&schema, &config, &prior, rules(merged)).planned;
        assert!(LOOKS.get() <= 10 * MANY as usize, "{} looks", LOOKS.get());
        let wanted = (0..MANY).map(|port| match weight(port) {
            // The default again, and the id that it has.
            Dynamic::Null => rule(port, 2.into(), id(port)),
            weight => rule(port, weight, Dynamic::UNKNOWN),
        });
        assert_eq!(planned, rules(wanted));
    }
}
