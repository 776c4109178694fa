//! Plan-time rules (product reference, 16.3). An input that is not known yet is `None`; each rule speaks
//! as soon as what it needs is known, so that the same functions serve validation and planning.

mod addon;
mod cluster;
mod pool;

pub use addon::{AddonInput, check_addon};
pub use cluster::{ClusterInput, PriorCluster, QuotasInput, check_cluster};
pub use pool::{PoolInput, TaintInput, check_pool};

use crate::{Checked, Path, Problem};

/// Reads one text attribute: the value if it is known and valid; a problem is placed and kept.
fn read<T>(
    text: Option<&str>,
    place: &'static str,
    problems: &mut Vec<Problem>,
    parse: impl FnOnce(&str) -> Checked<T>,
) -> Option<T> {
    match parse(text?) {
        Ok(value) => Some(value),
        Err(problem) => {
            problems.push(problem.under(&Path::of(place)));
            None
        }
    }
}

/// Checks a whole number against bounds, both included.
fn bounds(
    seen: Option<i64>,
    allowed: std::ops::RangeInclusive<i64>,
    place: Path,
    what: &'static str,
    unit: &'static str,
) -> Option<Problem> {
    let seen = seen?;
    (!allowed.contains(&seen)).then(|| {
        let (first, last) = (allowed.start(), allowed.end());
        let next = if seen < *first { first } else { last };
        Problem::error(place, format!("{what} is out of range"))
            .seen(format!("{seen}{unit}"))
            .allowed(format!("{first} to {last}{unit}"))
            .next(format!("Write for example {next}."))
    })
}
