//! UpgradeResourceState, UpgradeResourceIdentity, MoveResourceState, GenerateResourceConfig.

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::call::Call;
use super::codec::{decode, encode, encode_identity, raw, raw_json, unreadable};
use super::identity::{derived_identity, finish_identity};
use super::panics::{catch, collect};
use crate::semantics::{Blame, Finish, generated_config, storable};
use crate::{
    Diagnostics, Dynamic, MoveStateRequest, MoveStateResponse, Provider, Type,
    UpgradeIdentityRequest, UpgradeStateRequest, UpgradeStateResponse,
};

impl<P: Provider> Server<P> {
    answer!(
        upgrade_resource_state,
        upgrade_state,
        upgrade_resource_state
    );
    answer!(
        upgrade_resource_identity,
        upgrade_identity,
        upgrade_resource_identity
    );
    answer!(move_resource_state, move_state, move_resource_state);
    answer!(
        generate_resource_config,
        generate_config,
        generate_resource_config
    );

    async fn upgrade_state(
        &self,
        call: Call,
        request: wire::upgrade_resource_state::Request,
    ) -> Result<wire::upgrade_resource_state::Response, Diagnostics> {
        let (entry, compiled, blame) = self.resource(&request.type_name, "upgrade_state")?;
        let mut diagnostics = Diagnostics::new();
        let mut state = if request.version == compiled.schema.version {
            as_stored(request.raw_state.as_ref(), &compiled.ty, "stored state")?
        } else {
            let mut response = UpgradeStateResponse::default();
            let upgrade = UpgradeStateRequest {
                version: request.version,
                raw_state: raw(request.raw_state.as_ref(), "stored state")?,
                cancel: call.cancel,
            };
            ask!(entry.handler.upgrade_state(upgrade, &mut response) => response);
            diagnostics.extend(response.diagnostics.into_result()?);
            match response.state {
                Some(state) => Finish::Known.value(state, &compiled.ty, blame)?,
                None => return Err(no_state("no state after upgrade", blame)),
            }
        };
        storable(&compiled.schema, &mut state);
        Ok(wire::upgrade_resource_state::Response {
            upgraded_state: Some(encode(&state, &compiled.ty)?),
            diagnostics: diagnostics.to_wire(),
        })
    }

    async fn upgrade_identity(
        &self,
        _: Call,
        request: wire::upgrade_resource_identity::Request,
    ) -> Result<wire::upgrade_resource_identity::Response, Diagnostics> {
        let (entry, compiled, blame) = self.resource(&request.type_name, "upgrade_identity")?;
        let Some((schema, ty)) = &compiled.identity else {
            return Err(Diagnostics::one_error(
                "no identity",
                format!("{} has no identity.", entry.handler.type_name()),
            ));
        };
        if request
            .raw_identity
            .as_ref()
            .is_none_or(|stored| stored.json.is_empty())
        {
            // Stored before there was an identity: core asks all the same where the schema's version is not 0. The
            // refresh that follows finds it.
            return Ok(wire::upgrade_resource_identity::Response {
                upgraded_identity: encode_identity(Some(&Dynamic::Null), compiled)?,
                diagnostics: Vec::new(),
            });
        }
        let identity = if request.version == schema.version {
            as_stored(request.raw_identity.as_ref(), ty, "stored identity")?
        } else {
            let upgrade = UpgradeIdentityRequest {
                version: request.version,
                raw_identity: raw(request.raw_identity.as_ref(), "stored identity")?,
            };
            collect(entry.handler.upgrade_identity(upgrade)).await?
        };
        let identity = finish_identity(compiled, Some(identity), blame)?;
        Ok(wire::upgrade_resource_identity::Response {
            upgraded_identity: encode_identity(identity.as_ref(), compiled)?,
            diagnostics: Vec::new(),
        })
    }

    async fn move_state(
        &self,
        call: Call,
        request: wire::move_resource_state::Request,
    ) -> Result<wire::move_resource_state::Response, Diagnostics> {
        let (entry, compiled, blame) = self.resource(&request.target_type_name, "move_state")?;
        let source_identity = match &request.source_identity {
            Some(identity) if !identity.json.is_empty() => {
                Some(raw(Some(identity), "stored identity")?)
            }
            _ => None,
        };
        let mut response = MoveStateResponse::default();
        let moved = MoveStateRequest {
            source_provider_address: request.source_provider_address,
            source_type_name: request.source_type_name,
            source_schema_version: request.source_schema_version,
            source_state: raw(request.source_state.as_ref(), "stored state")?,
            source_private: request.source_private.to_vec(),
            source_identity,
            cancel: call.cancel,
        };
        ask!(entry.handler.move_state(moved, &mut response) => response);
        let diagnostics = response.diagnostics.into_result()?;
        let Some(state) = response.state else {
            return Err(no_state("no state after move", blame));
        };
        let mut state = Finish::Known.value(state, &compiled.ty, blame)?;
        storable(&compiled.schema, &mut state);
        let identity = response
            .identity
            .or_else(|| derived_identity(compiled, &state));
        let identity = finish_identity(compiled, identity, blame)?;
        Ok(wire::move_resource_state::Response {
            target_state: Some(encode(&state, &compiled.ty)?),
            diagnostics: diagnostics.to_wire(),
            target_private: response.private.to_bytes().into(),
            target_identity: encode_identity(identity.as_ref(), compiled)?,
        })
    }

    async fn generate_config(
        &self,
        _: Call,
        request: wire::generate_resource_config::Request,
    ) -> Result<wire::generate_resource_config::Response, Diagnostics> {
        let (entry, compiled, blame) = self.resource(&request.type_name, "generate_config")?;
        let state = decode(request.state.as_ref(), &compiled.ty, "state")?;
        let config = generated_config(&compiled.schema, &state);
        let config = catch(|| entry.handler.generate_config(config))?;
        let config = Finish::Known.value(config, &compiled.ty, blame)?;
        Ok(wire::generate_resource_config::Response {
            config: Some(encode(&config, &compiled.ty)?),
            diagnostics: Vec::new(),
        })
    }
}

fn no_state(summary: &str, blame: Blame<'_>) -> Diagnostics {
    Diagnostics::one_error(
        summary,
        format!(
            "{blame} answered neither a state nor an error. This is a mistake in the provider; please report it."
        ),
    )
}

/// What was stored by this version of the schema: missing members read as null.
fn as_stored(
    value: Option<&wire::RawState>,
    ty: &Type,
    what: &str,
) -> Result<Dynamic, Diagnostics> {
    crate::wire::from_json(raw_json(value, what)?, ty).map_err(|error| unreadable(what, &error))
}
