//! ReadResource, ApplyResourceChange, ImportResourceState, ReadDataSource.

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::call::{Call, capabilities, deferral};
use super::codec::{decode, decode_identity, encode, encode_identity};
use super::panics::outcome;
use super::registry::{Compiled, Entry, find};
use crate::semantics::{Blame, Finish, check_apply, forget_write_only, keep_spelling};
use crate::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Diagnostics, Dynamic,
    ImportRequest, ImportResponse, Private, Provider, ReadDataRequest, ReadDataResponse,
    ReadRequest, ReadResponse, Resource, UpdateRequest, UpdateResponse,
};

/// What a handler left behind, whatever it was.
struct Left {
    state: Option<Dynamic>,
    private: Private,
    identity: Option<Dynamic>,
    diagnostics: Diagnostics,
}

impl<P: Provider> Server<P> {
    /// The module's `provider_meta`.
    pub(super) fn meta(
        &self,
        value: Option<&wire::DynamicValue>,
    ) -> Result<Option<Dynamic>, Diagnostics> {
        let Some(meta) = self.shared.registry().meta(&self.shared.provider) else {
            return Ok(None);
        };
        let value = decode(value, &meta.ty, "provider_meta")?;
        Ok((!value.is_null()).then_some(value))
    }

    pub(super) async fn read_resource(
        &self,
        call: Call,
        request: wire::read_resource::Request,
    ) -> wire::read_resource::Response {
        // Whatever fails, state, private data and identity stay as they were.
        let before = wire::read_resource::Response {
            new_state: request.current_state.clone(),
            private: request.private.clone(),
            new_identity: request.current_identity.clone(),
            ..Default::default()
        };
        match self.read(call, request).await {
            Ok(response) => response,
            Err(diagnostics) => wire::read_resource::Response {
                diagnostics: diagnostics.to_wire(),
                ..before
            },
        }
    }

    async fn read(
        &self,
        call: Call,
        request: wire::read_resource::Request,
    ) -> Result<wire::read_resource::Response, Diagnostics> {
        call.proceed()?;
        let entry = find(
            &self.shared.registry().resources,
            &request.type_name,
            "resource",
        )?;
        let compiled = entry.compiled();
        let blame = Blame {
            handler: "read",
            type_name: entry.handler.type_name(),
        };
        let current = decode(request.current_state.as_ref(), &compiled.ty, "state")?;
        let identity = decode_identity(request.current_identity.as_ref(), compiled)?;
        let capabilities = capabilities(request.client_capabilities);
        let mut response = ReadResponse {
            state: Some(current.clone()),
            private: Private::from_bytes(&request.private),
            identity: identity.clone(),
            ..ReadResponse::default()
        };
        let request = ReadRequest {
            state: current.clone(),
            private: response.private.clone(),
            identity: identity.clone(),
            provider_meta: self.meta(request.provider_meta.as_ref())?,
            capabilities,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        let mut errors = Diagnostics::new();
        outcome(entry.handler.read(request, &mut response), &mut errors).await;
        response.diagnostics.extend(errors);
        let deferred = deferral(response.deferred, capabilities, &mut response.diagnostics);
        // An error keeps the state, and absence needs certainty.
        let mut diagnostics = response.diagnostics.into_result()?;
        let mut answer = wire::read_resource::Response {
            deferred,
            ..Default::default()
        };
        if let Some(state) = response.state.filter(|state| !state.is_null()) {
            let mut state = Finish::Known.value(state, &compiled.ty, blame)?;
            forget_write_only(&compiled.schema, &mut state);
            keep_spelling(&compiled.schema, &current, &mut state);
            answer.new_state = Some(encode(&state, &compiled.ty)?);
            answer.private = response.private.to_bytes().into();
            let now = response
                .identity
                .or_else(|| derived_identity(compiled, &state));
            let now = finish_identity(compiled, now, blame)?;
            if let (Some(before), Some(now)) = (&identity, &now) {
                same_identity(before, now, blame, &mut diagnostics);
            }
            let diagnostics = diagnostics.into_result()?;
            answer.new_identity = encode_identity(now.as_ref(), compiled)?;
            answer.diagnostics = diagnostics.to_wire();
        } else {
            answer.new_state = Some(encode(&Dynamic::Null, &compiled.ty)?);
            answer.diagnostics = diagnostics.to_wire();
        }
        Ok(answer)
    }

    pub(super) async fn apply_resource_change(
        &self,
        call: Call,
        request: wire::apply_resource_change::Request,
    ) -> wire::apply_resource_change::Response {
        match self.apply(call, request).await {
            Ok(response) => response,
            // Without a state, core keeps what was there before.
            Err(diagnostics) => wire::apply_resource_change::Response {
                diagnostics: diagnostics.to_wire(),
                ..Default::default()
            },
        }
    }

    async fn apply(
        &self,
        call: Call,
        request: wire::apply_resource_change::Request,
    ) -> Result<wire::apply_resource_change::Response, Diagnostics> {
        call.proceed()?;
        let entry = find(
            &self.shared.registry().resources,
            &request.type_name,
            "resource",
        )?;
        let compiled = entry.compiled();
        let prior = decode(request.prior_state.as_ref(), &compiled.ty, "prior state")?;
        let planned = decode(
            request.planned_state.as_ref(),
            &compiled.ty,
            "planned state",
        )?;
        let change = Applied {
            compiled,
            type_name: entry.handler.type_name(),
            prior: prior.clone(),
            planned: planned.clone(),
            planned_identity: decode_identity(request.planned_identity.as_ref(), compiled)?,
            wants_identity: compiled.identity.is_some() && request.planned_identity.is_some(),
        };
        if planned.is_null() {
            let left = self.delete(call, &request, entry, prior).await?;
            return change.finish_delete(left);
        }
        let left = if prior.is_null() {
            self.create(call, &request, entry, planned).await?
        } else {
            self.update(call, &request, entry, prior, planned).await?
        };
        change.finish(left)
    }

    async fn create(
        &self,
        call: Call,
        request: &wire::apply_resource_change::Request,
        entry: &Entry<dyn Resource<P::Data>>,
        plan: Dynamic,
    ) -> Result<Left, Diagnostics> {
        let compiled = entry.compiled();
        let identity = decode_identity(request.planned_identity.as_ref(), compiled)?;
        let mut response = CreateResponse {
            private: Private::from_bytes(&request.planned_private),
            identity: identity.clone(),
            ..CreateResponse::default()
        };
        let request = CreateRequest {
            config: decode(request.config.as_ref(), &compiled.ty, "configuration")?,
            plan,
            planned_private: response.private.clone(),
            planned_identity: identity,
            provider_meta: self.meta(request.provider_meta.as_ref())?,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        let mut errors = Diagnostics::new();
        outcome(entry.handler.create(request, &mut response), &mut errors).await;
        response.diagnostics.extend(errors);
        Ok(Left {
            state: response.state,
            private: response.private,
            identity: response.identity,
            diagnostics: response.diagnostics,
        })
    }

    async fn update(
        &self,
        call: Call,
        request: &wire::apply_resource_change::Request,
        entry: &Entry<dyn Resource<P::Data>>,
        prior_state: Dynamic,
        plan: Dynamic,
    ) -> Result<Left, Diagnostics> {
        let compiled = entry.compiled();
        let identity = decode_identity(request.planned_identity.as_ref(), compiled)?;
        let mut response = UpdateResponse {
            private: Private::from_bytes(&request.planned_private),
            identity: identity.clone(),
            ..UpdateResponse::default()
        };
        let request = UpdateRequest {
            config: decode(request.config.as_ref(), &compiled.ty, "configuration")?,
            plan,
            prior_state,
            planned_private: response.private.clone(),
            planned_identity: identity,
            provider_meta: self.meta(request.provider_meta.as_ref())?,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        let mut errors = Diagnostics::new();
        outcome(entry.handler.update(request, &mut response), &mut errors).await;
        response.diagnostics.extend(errors);
        Ok(Left {
            state: response.state,
            private: response.private,
            identity: response.identity,
            diagnostics: response.diagnostics,
        })
    }

    async fn delete(
        &self,
        call: Call,
        request: &wire::apply_resource_change::Request,
        entry: &Entry<dyn Resource<P::Data>>,
        prior_state: Dynamic,
    ) -> Result<Left, Diagnostics> {
        let compiled = entry.compiled();
        let identity = decode_identity(request.planned_identity.as_ref(), compiled)?;
        let mut response = DeleteResponse {
            private: Private::from_bytes(&request.planned_private),
            ..DeleteResponse::default()
        };
        let request = DeleteRequest {
            prior_state,
            planned_private: response.private.clone(),
            planned_identity: identity.clone(),
            provider_meta: self.meta(request.provider_meta.as_ref())?,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        let mut errors = Diagnostics::new();
        outcome(entry.handler.delete(request, &mut response), &mut errors).await;
        response.diagnostics.extend(errors);
        Ok(Left {
            state: response.state,
            private: response.private,
            identity,
            diagnostics: response.diagnostics,
        })
    }

    pub(super) async fn import_resource_state(
        &self,
        call: Call,
        request: wire::import_resource_state::Request,
    ) -> wire::import_resource_state::Response {
        match self.import(call, request).await {
            Ok(response) => response,
            Err(diagnostics) => wire::import_resource_state::Response {
                diagnostics: diagnostics.to_wire(),
                ..Default::default()
            },
        }
    }

    async fn import(
        &self,
        call: Call,
        request: wire::import_resource_state::Request,
    ) -> Result<wire::import_resource_state::Response, Diagnostics> {
        call.proceed()?;
        let entry = find(
            &self.shared.registry().resources,
            &request.type_name,
            "resource",
        )?;
        let compiled = entry.compiled();
        let blame = Blame {
            handler: "import_state",
            type_name: entry.handler.type_name(),
        };
        let identity = decode_identity(request.identity.as_ref(), compiled)?;
        let by_identity = identity.is_some();
        let capabilities = capabilities(request.client_capabilities);
        let mut response = ImportResponse {
            identity: identity.clone(),
            ..ImportResponse::default()
        };
        let import = ImportRequest {
            id: request.id,
            identity,
            capabilities,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        let mut errors = Diagnostics::new();
        outcome(
            entry.handler.import_state(import, &mut response),
            &mut errors,
        )
        .await;
        response.diagnostics.extend(errors);
        let deferred = deferral(response.deferred, capabilities, &mut response.diagnostics);
        let mut diagnostics = response.diagnostics.into_result()?;
        if deferred.is_some() {
            return Ok(wire::import_resource_state::Response {
                deferred,
                diagnostics: diagnostics.to_wire(),
                ..Default::default()
            });
        }
        let identity = response.identity.or_else(|| {
            let state = response.state.as_ref()?;
            derived_identity(compiled, state)
        });
        let identity = finish_identity(compiled, identity, blame)?;
        let mut state = match response.state {
            Some(state) => Finish::Known.value(state, &compiled.ty, blame)?,
            None if by_identity && identity.is_some() => Dynamic::Null,
            None => {
                diagnostics.error(
                    "nothing imported",
                    format!("{blame} answered neither an object nor an error. This is a mistake in the provider; please report it."),
                );
                return Err(diagnostics);
            }
        };
        forget_write_only(&compiled.schema, &mut state);
        let imported = wire::import_resource_state::ImportedResource {
            type_name: request.type_name,
            state: Some(encode(&state, &compiled.ty)?),
            private: response.private.to_bytes().into(),
            identity: encode_identity(identity.as_ref(), compiled)?,
        };
        Ok(wire::import_resource_state::Response {
            imported_resources: vec![imported],
            diagnostics: diagnostics.to_wire(),
            deferred: None,
        })
    }

    pub(super) async fn read_data_source(
        &self,
        call: Call,
        request: wire::read_data_source::Request,
    ) -> wire::read_data_source::Response {
        match self.read_data(call, request).await {
            Ok(response) => response,
            Err(diagnostics) => wire::read_data_source::Response {
                diagnostics: diagnostics.to_wire(),
                ..Default::default()
            },
        }
    }

    async fn read_data(
        &self,
        call: Call,
        request: wire::read_data_source::Request,
    ) -> Result<wire::read_data_source::Response, Diagnostics> {
        call.proceed()?;
        let entry = find(
            &self.shared.registry().data_sources,
            &request.type_name,
            "data source",
        )?;
        let compiled = entry.compiled();
        let blame = Blame {
            handler: "read",
            type_name: entry.handler.type_name(),
        };
        let config = decode(request.config.as_ref(), &compiled.ty, "configuration")?;
        let capabilities = capabilities(request.client_capabilities);
        let mut response = ReadDataResponse::default();
        let read = ReadDataRequest {
            config: config.clone(),
            provider_meta: self.meta(request.provider_meta.as_ref())?,
            capabilities,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        let mut errors = Diagnostics::new();
        outcome(entry.handler.read(read, &mut response), &mut errors).await;
        response.diagnostics.extend(errors);
        let deferred = deferral(response.deferred, capabilities, &mut response.diagnostics);
        let mut diagnostics = response.diagnostics.into_result()?;
        let state = match response.state {
            Some(state) if deferred.is_none() => {
                let mut state = Finish::Known.value(state, &compiled.ty, blame)?;
                keep_spelling(&compiled.schema, &config, &mut state);
                state
            }
            _ if deferred.is_some() => config,
            _ => {
                diagnostics.error(
                    "nothing read",
                    format!("{blame} answered neither an object nor an error. This is a mistake in the provider; please report it."),
                );
                return Err(diagnostics);
            }
        };
        Ok(wire::read_data_source::Response {
            state: Some(encode(&state, &compiled.ty)?),
            diagnostics: diagnostics.to_wire(),
            deferred,
        })
    }
}

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

fn same_identity(before: &Dynamic, now: &Dynamic, blame: Blame<'_>, diagnostics: &mut Diagnostics) {
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

/// An applied change, to be brought into the form that core accepts.
struct Applied<'a> {
    compiled: &'a Compiled,
    type_name: &'a str,
    prior: Dynamic,
    planned: Dynamic,
    planned_identity: Option<Dynamic>,
    /// The caller knows identities, and the resource has one.
    wants_identity: bool,
}

impl Applied<'_> {
    fn finish(self, left: Left) -> Result<wire::apply_resource_change::Response, Diagnostics> {
        let Left {
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
        forget_write_only(schema, &mut state);
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

    fn finish_delete(
        self,
        left: Left,
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
        forget_write_only(&self.compiled.schema, &mut state);
        Ok(wire::apply_resource_change::Response {
            new_state: Some(encode(&state, ty)?),
            private: left.private.to_bytes().into(),
            diagnostics: left.diagnostics.to_wire(),
            legacy_type_system: false,
            new_identity: encode_identity(left.identity.as_ref(), self.compiled)?,
        })
    }
}
