//! MessagePack as terraform writes it, guided by the type.

mod read;
mod write;

use super::{Path, Step};

pub use read::decode;
pub use write::encode;

/// The extension type of an unknown value with refinements.
const REFINED: i8 = 12;
/// Core refuses larger refinements.
const REFINED_LIMIT: usize = 1024;

/// Bytes that are no value of the type, or a value that does not fit it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MsgpackError {
    /// Ended too early.
    #[error("the value ends early")]
    Truncated,
    /// Bytes follow the value.
    #[error("{0} bytes follow the value")]
    Trailing(usize),
    /// Nested deeper than 128 levels.
    #[error("nested too deeply")]
    Depth,
    /// Something else than the type asks for.
    #[error("at {path:?}: {seen} where {wanted} is needed", path = path.to_string())]
    Wrong {
        /// Where.
        path: Path,
        /// What the type asks for.
        wanted: String,
        /// What is there.
        seen: String,
    },
}

/// Steps to the place of an error, innermost first: they are gathered on the way out, so that values without errors
/// cost nothing for it.
#[derive(Default)]
struct Trail(Vec<Step>);

impl Trail {
    /// Notes a step if there was an error beyond it.
    fn step<T>(
        &mut self,
        result: Result<T, MsgpackError>,
        step: impl FnOnce() -> Step,
    ) -> Result<T, MsgpackError> {
        if result.is_err() {
            self.0.push(step());
        }
        result
    }

    /// The error with its whole path.
    fn locate(self, error: MsgpackError) -> MsgpackError {
        match error {
            MsgpackError::Wrong { wanted, seen, .. } => MsgpackError::Wrong {
                path: Path::from_steps(self.0.into_iter().rev()),
                wanted,
                seen,
            },
            other => other,
        }
    }
}

/// An error whose path is not known yet.
fn wrong(wanted: &str, seen: &str) -> MsgpackError {
    MsgpackError::Wrong {
        path: Path::root(),
        wanted: wanted.to_owned(),
        seen: seen.to_owned(),
    }
}
