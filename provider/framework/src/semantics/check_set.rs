//! Which elements of a planned set an actual one answers.
//!
//! Elements have no place of their own: every planned one must fit some actual one, and the reverse. Comparing each with
//! each would take the square of their number, so candidates are looked up by what is known of an element.

use std::collections::BTreeMap;

use crate::Dynamic;

/// What a planned element leaves open: the names of its members that are not wholly known; `None` if all of it.
type Open<'a> = Option<Vec<&'a str>>;

/// The known part of an element: what its members hold that are not left open.
type Known<'a> = Vec<&'a Dynamic>;

/// Whether every planned element fits some actual one and the reverse. `fits` judges candidates: pairs that are equal
/// wherever the planned one is known.
pub(super) fn correspond(
    planned: &[Dynamic],
    actual: &[Dynamic],
    mut fits: impl FnMut(&Dynamic, &Dynamic) -> bool,
) -> bool {
    let mut groups: BTreeMap<Open<'_>, BTreeMap<Known<'_>, Vec<&Dynamic>>> = BTreeMap::new();
    for element in planned {
        let open = open(element);
        let known = known(element, open.as_deref());
        let group = groups.entry(open).or_default();
        group.entry(known).or_default().push(element);
    }
    let mut answered = vec![false; actual.len()];
    for (open, group) in groups {
        let mut candidates: BTreeMap<Known<'_>, Vec<usize>> = BTreeMap::new();
        for (index, element) in actual.iter().enumerate() {
            let known = known(element, open.as_deref());
            if group.contains_key(&known) {
                candidates.entry(known).or_default().push(index);
            }
        }
        for (known, elements) in &group {
            let Some(candidates) = candidates.get(known) else {
                return false;
            };
            let certain = open.as_ref().is_some_and(Vec::is_empty);
            let mut fit =
                |planned: &Dynamic, index: usize| certain || fits(planned, &actual[index]);
            if !elements
                .iter()
                .all(|planned| candidates.iter().any(|index| fit(planned, *index)))
            {
                return false;
            }
            for index in candidates {
                answered[*index] =
                    answered[*index] || elements.iter().any(|planned| fit(planned, *index));
            }
        }
    }
    answered.into_iter().all(|answered| answered)
}

fn open(element: &Dynamic) -> Open<'_> {
    match element {
        Dynamic::Object(members) => Some(
            members
                .iter()
                .filter(|(_, member)| !member.is_wholly_known())
                .map(|(name, _)| name.as_str())
                .collect(),
        ),
        other => other.is_wholly_known().then(Vec::new),
    }
}

fn known<'a>(element: &'a Dynamic, open: Option<&[&str]>) -> Known<'a> {
    match (element, open) {
        (_, None) => Vec::new(),
        (Dynamic::Object(members), Some(open)) => members
            .iter()
            .filter(|(name, _)| !open.contains(&name.as_str()))
            .map(|(_, member)| member)
            .collect(),
        (other, Some(_)) => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(key: i64, id: Dynamic) -> Dynamic {
        Dynamic::object([("id", id), ("key", Dynamic::from(key))])
    }

    fn set(elements: impl Iterator<Item = Dynamic>) -> Vec<Dynamic> {
        match Dynamic::set(elements) {
            Dynamic::Set(elements) => elements,
            _ => Vec::new(),
        }
    }

    /// Whether they correspond, and how many pairs were looked at for that.
    fn compared(planned: &[Dynamic], actual: &[Dynamic]) -> (bool, usize) {
        let mut looks = 0;
        let same = correspond(planned, actual, |planned, actual| {
            looks += 1;
            crate::semantics::check_apply::compatible_for_tests(planned, actual)
        });
        (same, looks)
    }

    #[test]
    fn large_sets_are_not_compared_each_with_each() {
        const MANY: i64 = 5_000;
        let open = set((0..MANY).map(|key| element(key, Dynamic::UNKNOWN)));
        let closed =
            |shift: i64| set((0..MANY).map(|key| element(key + shift, Dynamic::from(key))));
        for (planned, actual, same) in [
            // All known: equal, shifted by one, and without anything in common.
            (closed(0), closed(0), true),
            (closed(0), closed(1), false),
            (closed(0), closed(MANY), false),
            // An unknown member each.
            (open.clone(), closed(0), true),
            (open.clone(), closed(1), false),
            // Elements that are unknown altogether.
            (set((0..MANY).map(|_| Dynamic::UNKNOWN)), closed(0), true),
        ] {
            let (found, looks) = compared(&planned, &actual);
            assert_eq!(found, same);
            assert!(looks <= 3 * MANY as usize, "{looks} looks at pairs");
        }
    }

    /// Exactly what comparing each with each finds.
    #[test]
    fn the_short_way_finds_what_the_long_way_finds() {
        let values = || {
            let ids = [
                Dynamic::UNKNOWN,
                Dynamic::unknown_not_null(),
                Dynamic::Null,
                1.into(),
                2.into(),
            ];
            let mut all: Vec<_> = [1, 2]
                .into_iter()
                .flat_map(|key| ids.clone().map(|id| element(key, id)))
                .collect();
            all.push(Dynamic::UNKNOWN);
            all
        };
        let compatible = crate::semantics::check_apply::compatible_for_tests;
        let actual: Vec<_> = values()
            .into_iter()
            .filter(Dynamic::is_wholly_known)
            .collect();
        for planned in pairs(&values()) {
            for actual in pairs(&actual) {
                let (planned, actual) = (set(planned.iter().cloned()), set(actual.iter().cloned()));
                let long = planned
                    .iter()
                    .all(|p| actual.iter().any(|a| compatible(p, a)))
                    && actual
                        .iter()
                        .all(|a| planned.iter().any(|p| compatible(p, a)));
                assert_eq!(
                    compared(&planned, &actual).0,
                    long,
                    "{planned:?} {actual:?}"
                );
            }
        }
    }

    fn pairs(values: &[Dynamic]) -> Vec<Vec<Dynamic>> {
        let mut all = vec![Vec::new()];
        for (position, first) in values.iter().enumerate() {
            all.push(vec![first.clone()]);
            all.extend(
                values[position..]
                    .iter()
                    .map(|second| vec![first.clone(), second.clone()]),
            );
        }
        all
    }
}
