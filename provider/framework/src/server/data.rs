//! ReadDataSource.

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::call::{Call, capabilities, deferral};
use super::codec::{decode, encode};
use super::registry::find;
use crate::semantics::{Blame, Finish, keep_spelling, storable};
use crate::{Diagnostics, Provider, ReadDataRequest, ReadDataResponse};

impl<P: Provider> Server<P> {
    answer!(read_data_source, read_data, read_data_source);

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
        ask!(entry.handler.read(read, &mut response) => response);
        let mut diagnostics = response.diagnostics;
        let deferred = deferral(response.deferred, capabilities, &mut diagnostics)
            .or_else(|| self.session.put_off_failure(&mut diagnostics, capabilities));
        let mut diagnostics = diagnostics.into_result()?;
        let state = match response.state {
            Some(state) if deferred.is_none() => {
                let mut state = Finish::Known.value(state, &compiled.ty, blame)?;
                storable(&compiled.schema, &mut state);
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
