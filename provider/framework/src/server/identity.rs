//! Identities in answers.

use super::registry::Compiled;
use crate::semantics::{Blame, Finish};
use crate::{Diagnostics, Dynamic};

/// An identity in its final form.
pub(super) fn finish_identity(
    compiled: &Compiled,
    identity: Option<Dynamic>,
    blame: Blame<'_>,
) -> Result<Option<Dynamic>, Diagnostics> {
    let (Some(identity), Some(ty)) = (identity, compiled.identity_type()) else {
        return Ok(None);
    };
    if identity.is_null() {
        return Ok(None);
    }
    Finish::Known.value(identity, ty, blame).map(Some)
}

/// The identity that follows from a state whose attributes bear the identity's names. Callers that
/// do not know identities yet send none, and handlers need not care.
pub(super) fn derived_identity(compiled: &Compiled, state: &Dynamic) -> Option<Dynamic> {
    let (identity, ty) = compiled.identity.as_ref()?;
    let members: Option<Vec<_>> = identity
        .attributes
        .iter()
        .map(|attribute| {
            let value = state.member(attribute.name)?;
            let usable = value.is_wholly_known() && !value.is_null();
            usable.then(|| (attribute.name, value.clone()))
        })
        .collect();
    let identity = Dynamic::object(members?);
    crate::value::fits(&identity, ty).then_some(identity)
}

/// An identity never changes.
pub(super) fn same_identity(
    before: &Dynamic,
    now: &Dynamic,
    blame: Blame<'_>,
    diagnostics: &mut Diagnostics,
) {
    if before.is_wholly_known() && !before.same(now) {
        diagnostics.error(
            "identity changed",
            format!(
                "{blame} answered another identity than the object has: an identity never changes. \
                 This is a mistake in the provider; please report it."
            ),
        );
    }
}
