//! OpenEphemeralResource, RenewEphemeralResource, CloseEphemeralResource.

use std::time::{SystemTime, UNIX_EPOCH};

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::call::{Call, capabilities, deferral};
use super::codec::{decode, encode};
use super::panics::collect;
use super::registry::find;
use crate::semantics::{Blame, Finish, check_plan, keep_spelling, storable};
use crate::{
    CloseRequest, CloseResponse, Diagnostics, Dynamic, OpenRequest, OpenResponse, Private,
    Provider, RenewRequest, RenewResponse,
};

/// The protocol's form of a time.
fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    prost_types::Timestamp {
        seconds: since.as_secs() as i64,
        nanos: since.subsec_nanos() as i32,
    }
}

impl<P: Provider> Server<P> {
    answer!(open_ephemeral_resource, open, open_ephemeral_resource);

    async fn open(
        &self,
        call: Call,
        request: wire::open_ephemeral_resource::Request,
    ) -> Result<wire::open_ephemeral_resource::Response, Diagnostics> {
        call.proceed()?;
        let entry = find(
            &self.shared.registry().ephemeral,
            &request.type_name,
            "ephemeral resource",
        )?;
        let compiled = entry.compiled();
        let blame = Blame {
            handler: "open",
            type_name: entry.handler.type_name(),
        };
        let config = decode(request.config.as_ref(), &compiled.ty, "configuration")?;
        let capabilities = capabilities(request.client_capabilities);
        let mut response = OpenResponse::default();
        let open = OpenRequest {
            config: config.clone(),
            capabilities,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        ask!(entry.handler.open(open, &mut response) => response);
        let mut diagnostics = response.diagnostics;
        let deferred = deferral(response.deferred, capabilities, &mut diagnostics)
            .or_else(|| self.session.put_off_failure(&mut diagnostics, capabilities));
        let mut diagnostics = diagnostics.into_result()?;
        let result = match response.result {
            Some(result) => {
                let mut result = Finish::Known.value(result, &compiled.ty, blame)?;
                storable(&compiled.schema, &mut result);
                keep_spelling(&compiled.schema, &config, &mut result);
                diagnostics.extend(check_plan(
                    &compiled.schema,
                    &Dynamic::Null,
                    &config,
                    &result,
                    &blame.to_string(),
                ));
                Some(encode(&result, &compiled.ty)?)
            }
            None if deferred.is_some() => None,
            None => {
                diagnostics.error(
                    "nothing opened",
                    format!("{blame} answered neither a result nor an error. This is a mistake in the provider; please report it."),
                );
                None
            }
        };
        let diagnostics = diagnostics.into_result()?;
        Ok(wire::open_ephemeral_resource::Response {
            diagnostics: diagnostics.to_wire(),
            renew_at: response.renew_at.map(timestamp),
            result,
            private: Some(response.private.to_bytes().into()),
            deferred,
        })
    }

    pub(super) async fn renew_ephemeral_resource(
        &self,
        call: Call,
        request: wire::renew_ephemeral_resource::Request,
    ) -> wire::renew_ephemeral_resource::Response {
        let mut response = RenewResponse {
            private: Private::from_bytes(request.private.as_deref().unwrap_or_default()),
            ..RenewResponse::default()
        };
        let renew = async {
            call.proceed()?;
            let entry = find(
                &self.shared.registry().ephemeral,
                &request.type_name,
                "ephemeral resource",
            )?;
            let request = RenewRequest {
                private: response.private.clone(),
                data: self.session.data()?,
                cancel: call.cancel,
            };
            collect(entry.handler.renew(request, &mut response)).await
        };
        if let Err(errors) = renew.await {
            response.diagnostics.extend(errors);
        }
        wire::renew_ephemeral_resource::Response {
            diagnostics: response.diagnostics.to_wire(),
            renew_at: response.renew_at.map(timestamp),
            private: Some(response.private.to_bytes().into()),
        }
    }

    pub(super) async fn close_ephemeral_resource(
        &self,
        call: Call,
        request: wire::close_ephemeral_resource::Request,
    ) -> wire::close_ephemeral_resource::Response {
        let mut response = CloseResponse::default();
        // What was opened must be closed also after an interrupt: the token is a new one then.
        let cancel = if call.stopped {
            tokio_util::sync::CancellationToken::new()
        } else {
            call.cancel
        };
        let close = async {
            let entry = find(
                &self.shared.registry().ephemeral,
                &request.type_name,
                "ephemeral resource",
            )?;
            let request = CloseRequest {
                private: Private::from_bytes(request.private.as_deref().unwrap_or_default()),
                data: self.session.data()?,
                cancel,
            };
            collect(entry.handler.close(request, &mut response)).await
        };
        if let Err(errors) = close.await {
            response.diagnostics.extend(errors);
        }
        wire::close_ephemeral_resource::Response {
            diagnostics: response.diagnostics.to_wire(),
        }
    }
}
