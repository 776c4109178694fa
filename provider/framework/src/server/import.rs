//! ImportResourceState.

use std::sync::atomic::Ordering;

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::call::{Call, capabilities, deferral};
use super::codec::{decode_identity, encode, encode_identity};
use super::identity::{derived_identity, finish_identity};
use crate::semantics::{Finish, storable};
use crate::{Diagnostics, Dynamic, ImportRequest, ImportResponse, Provider};

impl<P: Provider> Server<P> {
    answer!(import_resource_state, import, import_resource_state);

    async fn import(
        &self,
        call: Call,
        request: wire::import_resource_state::Request,
    ) -> Result<wire::import_resource_state::Response, Diagnostics> {
        call.proceed()?;
        let (entry, compiled, blame) = self.resource(&request.type_name, "import_state")?;
        let identity = decode_identity(request.identity.as_ref(), compiled)?;
        let by_identity = identity.is_some();
        let capabilities = capabilities(request.client_capabilities);
        if let Some(deferred) = self.session.puts_off(capabilities) {
            return Ok(wire::import_resource_state::Response {
                deferred: Some(deferred),
                ..Default::default()
            });
        }
        // A handler may need no answer to take an id apart, but the refresh that follows an import does.
        if self.session.unready.load(Ordering::Acquire) {
            return Err(Diagnostics::one_error(
                "provider configuration is not known yet",
                "Something in the provider block is known only after another object was applied, and an import needs an \
                 answer. Apply that object first, for example with -target.",
            ));
        }
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
        ask!(entry.handler.import_state(import, &mut response) => response);
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
        storable(&compiled.schema, &mut state);
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
}
