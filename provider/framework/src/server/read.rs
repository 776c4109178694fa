//! ReadResource.

use std::sync::atomic::Ordering;

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::call::{Call, capabilities, deferral, name_object};
use super::codec::{decode, decode_identity, encode, encode_identity};
use super::identity::{derived_identity, finish_identity, same_identity};
use crate::semantics::{Finish, keep_spelling, storable};
use crate::{Diagnostics, Dynamic, Private, Provider, ReadRequest, ReadResponse};

impl<P: Provider> Server<P> {
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
        let (entry, compiled, blame) = self.resource(&request.type_name, "read")?;
        let current = decode(request.current_state.as_ref(), &compiled.ty, "state")?;
        name_object(&compiled.schema, &current);
        let identity = decode_identity(request.current_identity.as_ref(), compiled)?;
        let capabilities = capabilities(request.client_capabilities);
        if self.session.unready.load(Ordering::Acquire) {
            return Ok(unrefreshed(request));
        }
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
        ask!(entry.handler.read(request, &mut response) => response);
        let deferred = deferral(response.deferred, capabilities, &mut response.diagnostics);
        // An error keeps the state, and absence needs certainty.
        let mut diagnostics = response.diagnostics.into_result()?;
        let mut answer = wire::read_resource::Response {
            deferred,
            ..Default::default()
        };
        if let Some(state) = response.state.filter(|state| !state.is_null()) {
            let mut state = Finish::Known.value(state, &compiled.ty, blame)?;
            storable(&compiled.schema, &mut state);
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
}

/// The answer while nothing can be asked: what is known stays.
fn unrefreshed(request: wire::read_resource::Request) -> wire::read_resource::Response {
    let mut diagnostics = Diagnostics::new();
    diagnostics.warning(
        "not refreshed",
        "Something in the provider block is known only after another object was applied. The state is kept as it is; \
         plan again afterwards.",
    );
    wire::read_resource::Response {
        new_state: request.current_state,
        private: request.private,
        new_identity: request.current_identity,
        diagnostics: diagnostics.to_wire(),
        deferred: None,
    }
}
