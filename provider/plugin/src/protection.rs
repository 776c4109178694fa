//! Deletion protection (design law 6): the configured value travels in the planned private data of every plan, because a
//! tainted object has no destroy plan; the state is the fall-back.

use framework::{Diagnostics, Dynamic, ModifyPlanResponse, Outcome, Path, Private};

const KEY: &str = "deletion_protection";

/// Puts the configured value into the planned private data.
pub fn remember(configured: Option<bool>, private: &mut Private) {
    if let Some(protected) = configured {
        private.set(KEY, &protected);
    }
}

/// Refuses to destroy a protected object.
///
/// # Errors
///
/// The refusal.
pub fn check_destroy(state: &Dynamic, private: &Private) -> Outcome {
    let stored = || state.member(KEY).and_then(Dynamic::as_bool);
    if private.get::<bool>(KEY).or_else(stored) != Some(true) {
        return Ok(());
    }
    Err(Diagnostics::one_error_at(
        Path::of(KEY),
        "object is protected against deletion",
        "Seen: deletion_protection = true\nAllowed: false, applied before anything is destroyed\n\
         Set deletion_protection = false, run terraform apply, then destroy.",
    ))
}

/// Refuses a plan that would replace a protected object: early, before core draws a plan that cannot be applied.
pub fn check_replace(protected: Option<bool>, response: &mut ModifyPlanResponse) {
    if protected == Some(true)
        && let Some(path) = response.requires_replace.first().cloned()
    {
        response.diagnostics.error_at(
            path.clone(),
            "change would replace a protected object",
            format!(
                "Seen: a change of {path}, which destroys the object and makes another\nAllowed: no replacement while \
                 deletion_protection is true\nSet the attribute back, or apply deletion_protection = false first."
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planned_value_wins_over_state() {
        let state = |protected: bool| Dynamic::object([(KEY, Dynamic::Bool(protected))]);
        let mut private = Private::default();
        assert!(
            check_destroy(&state(true), &private).is_err(),
            "state is the fall-back"
        );
        remember(Some(false), &mut private);
        assert!(check_destroy(&state(true), &private).is_ok());
        remember(Some(true), &mut private);
        assert!(check_destroy(&state(false), &private).is_err());
    }
}
