//! What happens on the way of an operation and is no error.

use std::fmt;
use std::sync::Arc;

use crate::cluster::{FieldConflict, ObjectRef};

/// Something that happened on the way of an operation and is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Fields were taken over from other managers.
    TakenOver {
        /// The object.
        object: ObjectRef,
        /// Each field with its owner.
        fields: Vec<FieldConflict>,
    },
    /// An object was deleted and made again for an immutable field.
    Replaced {
        /// The object.
        object: ObjectRef,
    },
    /// An object that the release lost stays in the cluster.
    Left {
        /// The object and the reason.
        why: String,
    },
    /// What a hook printed, as its chart asks for.
    HookOutput {
        /// The hook.
        hook: String,
        /// The end of its output.
        output: String,
    },
}

/// Fields that one note names.
const FIELDS: usize = 5;

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakenOver { object, fields } => {
                write!(f, "{object}: taken over ")?;
                for (position, conflict) in fields.iter().take(FIELDS).enumerate() {
                    let comma = if position > 0 { ", " } else { "" };
                    write!(f, "{comma}{} from {:?}", conflict.field, conflict.manager)?;
                }
                if fields.len() > FIELDS {
                    write!(f, ", {} more fields", fields.len() - FIELDS)?;
                }
                Ok(())
            }
            Self::Replaced { object } => {
                write!(f, "{object}: replaced for an immutable field")
            }
            Self::Left { why } => write!(f, "left in place: {why}"),
            Self::HookOutput { hook, output } => write!(f, "hook {hook} printed:{output}"),
        }
    }
}

/// Who is told.
pub type Notes = Arc<dyn Fn(Note) + Send + Sync>;
