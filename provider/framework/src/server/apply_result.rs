//! What an apply left behind, brought into the form that core accepts.

use proto_plugin::tfplugin6 as wire;

use super::codec::{encode, encode_identity};
use super::identity::{derived_identity, finish_identity, same_identity};
use super::registry::Compiled;
use crate::semantics::{Blame, Finish, check_apply, keep_spelling, storable};
use crate::{Diagnostics, Dynamic, ObjectResponse};

/// An applied change, to be brought into the form that core accepts.
pub(super) struct Applied<'a> {
    pub compiled: &'a Compiled,
    pub type_name: &'a str,
    pub prior: Dynamic,
    pub planned: Dynamic,
    pub planned_identity: Option<Dynamic>,
    /// The caller knows identities, and the resource has one.
    pub wants_identity: bool,
}

impl Applied<'_> {
    pub fn finish(
        self,
        left: ObjectResponse,
    ) -> Result<wire::apply_resource_change::Response, Diagnostics> {
        let ObjectResponse {
            state,
            private,
            identity,
            mut diagnostics,
        } = left;
        let (schema, ty) = (&self.compiled.schema, &self.compiled.ty);
        let create = self.prior.is_null();
        let blame = Blame {
            handler: if create { "create" } else { "update" },
            type_name: self.type_name,
        };
        let failed = diagnostics.has_errors();
        let Some(state) = state.filter(|state| !state.is_null()) else {
            if !failed {
                diagnostics.error(
                    "no object after apply",
                    format!(
                        "{blame} answered neither an object nor an error, so that the object may exist without being in the state. \
                         This is a mistake in the provider; please report it."
                    ),
                );
            }
            return Err(diagnostics);
        };
        let rule = if diagnostics.is_empty() {
            Finish::Known
        } else {
            Finish::UnknownToNull
        };
        let mut state = match rule.value(state.clone(), ty, blame) {
            Ok(state) => state,
            Err(errors) => {
                diagnostics.extend(errors);
                // What exists must be remembered, even if the answer is not in order.
                Finish::UnknownToNull
                    .value(state, ty, blame)
                    .map_err(|_| diagnostics.clone())?
            }
        };
        storable(schema, &mut state);
        keep_spelling(schema, &self.planned, &mut state);
        if !failed {
            diagnostics.extend(check_apply(
                schema,
                &self.planned,
                &state,
                &blame.to_string(),
            ));
        }
        let identity = identity
            .filter(|identity| !identity.is_null())
            .or_else(|| derived_identity(self.compiled, &state));
        let identity = match finish_identity(self.compiled, identity, blame) {
            Ok(identity) => identity,
            Err(_) if failed => None,
            Err(errors) => {
                diagnostics.extend(errors);
                None
            }
        };
        if let (Some(planned), Some(now), false) = (&self.planned_identity, &identity, failed) {
            same_identity(planned, now, blame, &mut diagnostics);
        }
        if identity.is_none() && self.wants_identity && !diagnostics.has_errors() {
            diagnostics.error(
                "no identity after apply",
                format!("{blame} answered no identity, although {} has one. This is a mistake in the provider; please report it.", self.type_name),
            );
        }
        Ok(wire::apply_resource_change::Response {
            new_state: Some(encode(&state, ty)?),
            private: private.to_bytes().into(),
            diagnostics: diagnostics.to_wire(),
            legacy_type_system: false,
            new_identity: encode_identity(identity.as_ref(), self.compiled)?,
        })
    }

    pub fn finish_delete(
        self,
        left: ObjectResponse,
    ) -> Result<wire::apply_resource_change::Response, Diagnostics> {
        let ty = &self.compiled.ty;
        let blame = Blame {
            handler: "delete",
            type_name: self.type_name,
        };
        if !left.diagnostics.has_errors() {
            return Ok(wire::apply_resource_change::Response {
                new_state: Some(encode(&Dynamic::Null, ty)?),
                diagnostics: left.diagnostics.to_wire(),
                ..Default::default()
            });
        }
        // Without a state core keeps the prior one, with private data that we were not given here.
        let Some(state) = left.state else {
            return Err(left.diagnostics);
        };
        let mut state = Finish::UnknownToNull.value(state, ty, blame)?;
        storable(&self.compiled.schema, &mut state);
        Ok(wire::apply_resource_change::Response {
            new_state: Some(encode(&state, ty)?),
            private: left.private.to_bytes().into(),
            diagnostics: left.diagnostics.to_wire(),
            legacy_type_system: false,
            new_identity: encode_identity(left.identity.as_ref(), self.compiled)?,
        })
    }
}
