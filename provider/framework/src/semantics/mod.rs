//! What terraform expects of plans and applies, and what is done for every resource alike.

mod check_apply;
mod check_plan;
mod check_set;
mod finish;
mod plan;
mod validate;
mod walk;
mod walk_set;

pub(crate) use check_apply::check_apply;
pub(crate) use check_plan::check_plan;
pub(crate) use finish::{Blame, Finish, generated_config, keep_spelling, storable};
pub(crate) use plan::propose;
pub(crate) use validate::{refuse_write_only, validate};

use crate::{Dynamic, Path, Schema};

/// A value for a message; hidden if an attribute on the way to it is sensitive.
pub(crate) fn show(value: &Dynamic, path: &Path, schema: &Schema) -> String {
    let mut steps = Path::root();
    for step in path.steps() {
        steps.push(step.clone());
        if schema
            .at(&steps)
            .is_some_and(|attribute| attribute.sensitive || attribute.write_only)
        {
            return "a sensitive value".to_owned();
        }
    }
    let hidden = schema.at(path).and_then(|a| a.nested()).is_some();
    if hidden {
        // Members of an object may be sensitive; name the kind only.
        return value.kind().to_owned();
    }
    match value {
        Dynamic::Null => "null".to_owned(),
        Dynamic::Unknown(_) => "a value known after apply".to_owned(),
        other => {
            let mut text = crate::wire::to_json(other);
            if text.len() > 120 {
                let end = text.floor_char_boundary(120);
                text.truncate(end);
                text.push_str("...");
            }
            text
        }
    }
}
