//! Rules about planned values, ready to use.

use crate::schema::{Modifier, ModifyRequest, ModifyResponse};

/// Keeps the prior value of a computed attribute on update: it is known before apply. Not on
/// create, and not if the user's own value is unknown.
pub fn use_state_for_unknown() -> impl Modifier {
    KeepState { null_too: true }
}

/// The same, but a prior null stays unknown: for members that may appear later.
pub fn use_non_null_state_for_unknown() -> impl Modifier {
    KeepState { null_too: false }
}

struct KeepState {
    null_too: bool,
}

impl Modifier for KeepState {
    fn modify(&self, request: &ModifyRequest<'_>, response: &mut ModifyResponse<'_>) {
        let keep = request.in_prior
            && response.value.is_unknown()
            && !request.config_value.is_unknown()
            && (self.null_too || !request.prior_value.is_null());
        if keep {
            *response.value = request.prior_value.clone();
        }
    }
}

/// A change replaces the object: the value was set before and is another one now. A prior null is
/// an unknown past (an import), not a change.
pub fn requires_replace() -> impl Modifier {
    requires_replace_if("changing it replaces the object", |_| true)
}

/// The same, only when the user sets a value.
pub fn requires_replace_if_configured() -> impl Modifier {
    requires_replace_if(
        "changing it replaces the object, removing it does not",
        |request| !request.config_value.is_null(),
    )
}

/// A change for which `condition` answers true replaces the object. The description is for the
/// generated pages.
pub fn requires_replace_if(
    description: impl Into<String>,
    condition: impl Fn(&ModifyRequest<'_>) -> bool + Send + Sync + 'static,
) -> impl Modifier {
    Replace {
        description: description.into(),
        condition,
    }
}

struct Replace<F> {
    description: String,
    condition: F,
}

impl<F: Fn(&ModifyRequest<'_>) -> bool + Send + Sync> Modifier for Replace<F> {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn modify(&self, request: &ModifyRequest<'_>, response: &mut ModifyResponse<'_>) {
        let changed = !request.prior.is_null()
            && !request.prior_value.is_null()
            && !response.value.is_null()
            && !response.value.same(request.prior_value);
        if changed && (self.condition)(request) {
            response.requires_replace = true;
        }
    }
}
