//! Refusals, in words that say what to do.

use product::{Birth, ClusterId, Path, Problem};

use crate::Error;
use crate::plan::Plan;
use crate::run::machines::{FoundVm, TagSeen};

/// The plan of this apply is not the one that was shown.
pub(crate) fn plan_again(refused: &crate::Refused) -> Error {
    Error::refused(
        Problem::error(
            Path::of("plan_summary"),
            "a step would disturb more than the plan showed",
        )
        .seen(format!("{}: {}", refused.step, refused.excess))
        .allowed("what plan_summary shows")
        .next("Plan again, look at plan_summary, and apply that plan."),
    )
}

/// The same steps again and again: something undoes them, or they do not take effect.
pub(crate) fn no_progress(plan: &Plan) -> Error {
    let steps: Vec<String> = plan
        .steps
        .iter()
        .take(3)
        .map(|step| format!("{step} ({})", step.reason))
        .collect();
    Error::refused(
        Problem::error(Path::root(), "steps do not take effect")
            .seen(steps.join("; "))
            .next("Look for somebody else who changes the same objects, then apply again."),
    )
}

/// How to take over a cluster that no state knows.
pub(super) fn import_advice(id: &ClusterId) -> String {
    format!(
        "If it is yours and only its state was lost, add this block, put the resource's name in, and apply:\n\n\
         import {{\n  to = managedk8s_cluster.NAME\n  id = \"{id}\"\n}}\n\n\
         A cluster cannot be replaced with create_before_destroy: two clusters cannot share an identifier. \
         For a second cluster choose another identifier."
    )
}

/// Whether a tag makes a machine part of this cluster; another owner is an error naming both.
pub(super) fn check_owner(found: &FoundVm, birth: Birth) -> Result<bool, Error> {
    let seen = match &found.tag {
        TagSeen::None => return Ok(false),
        TagSeen::Ours(tag) if tag.birth == birth => return Ok(true),
        TagSeen::Ours(tag) => format!("{} is of birth {}", found.name, tag.birth),
        TagSeen::Unreadable(text) => format!("{} is tagged {text:?}", found.name),
    };
    Err(Error::refused(
        Problem::error(
            Path::of("identifier"),
            "a machine of this name has another birth",
        )
        .seen(seen)
        .allowed(format!("machines of birth {birth}"))
        .next("Destroy the other cluster from the state that owns it, or remove its machine."),
    ))
}
