//! Sets of node numbers, written as ranges so that state stays small: `1-3,7`.

use std::collections::BTreeSet;
use std::fmt;

use crate::text_enum::serde_as_text;
use crate::{Checked, Path, Problem};

/// A set of numbers from 1, printed as ranges in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexSet(BTreeSet<u16>);

/// Highest number that is read: far above any limit, low enough that a range cannot exhaust memory.
const HIGHEST: u16 = 999;

impl IndexSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Reads `1-3,7`; the empty text is the empty set.
    pub fn parse(text: &str) -> Checked<Self> {
        let mut set = BTreeSet::new();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let bounds = number(first)
                .zip(number(last))
                .filter(|(first, last)| first <= last);
            let Some((first, last)) = bounds else {
                return Err(Box::new(
                    Problem::error(Path::root(), "not a set of node numbers")
                        .seen(format!("{part:?} in {text:?}"))
                        .allowed(format!(
                            "numbers from 1 to {HIGHEST} and ranges, separated by commas"
                        ))
                        .next("Write for example \"1-3,7\"."),
                ));
            };
            set.extend(first..=last);
        }
        Ok(Self(set))
    }

    /// Whether the number is in the set.
    pub fn contains(&self, index: u16) -> bool {
        self.0.contains(&index)
    }

    /// Adds a number; answers whether it was new.
    pub fn insert(&mut self, index: u16) -> bool {
        self.0.insert(index)
    }

    /// Removes a number; answers whether it was there.
    pub fn remove(&mut self, index: u16) -> bool {
        self.0.remove(&index)
    }

    /// How many numbers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u16> + '_ {
        self.0.iter().copied()
    }

    /// The highest number.
    pub fn last(&self) -> Option<u16> {
        self.0.last().copied()
    }

    /// The `count` lowest numbers from 1 that are neither in this set nor taken by others.
    pub fn lowest_free(&self, count: usize, taken: &Self) -> Vec<u16> {
        (1..=HIGHEST)
            .filter(|index| !self.contains(*index) && !taken.contains(*index))
            .take(count)
            .collect()
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number| (1..=HIGHEST).contains(number))
}

impl FromIterator<u16> for IndexSet {
    fn from_iter<I: IntoIterator<Item = u16>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

impl fmt::Display for IndexSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while numbers.peek() == Some(&(last + 1)) {
                last += 1;
                numbers.next();
            }
            f.write_str(separator)?;
            separator = ",";
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

serde_as_text!(IndexSet, IndexSet::parse);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_ranges() {
        let set: IndexSet = [7, 1, 2, 3, 9, 10].into_iter().collect();
        assert_eq!(set.to_string(), "1-3,7,9-10");
        assert_eq!(IndexSet::new().to_string(), "");
    }

    #[test]
    fn refuses_nonsense() {
        for bad in ["0", "3-1", "1,", ",", "a", "1-", "-1", "1000", "+1", " 1"] {
            assert!(IndexSet::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lowest_free_skips_both_sets() {
        let mine: IndexSet = [1, 4].into_iter().collect();
        let others: IndexSet = [2, 3].into_iter().collect();
        assert_eq!(mine.lowest_free(2, &others), [5, 6]);
    }

    proptest! {
        #[test]
        fn round_trips(numbers in proptest::collection::btree_set(1u16..=HIGHEST, 0..60)) {
            let set = IndexSet(numbers);
            prop_assert_eq!(IndexSet::parse(&set.to_string()).ok(), Some(set));
        }
    }
}
