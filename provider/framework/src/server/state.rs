//! UpgradeResourceState, UpgradeResourceIdentity, MoveResourceState, GenerateResourceConfig.

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::call::Call;
use super::codec::{decode, encode, encode_identity, raw, raw_json, unreadable};
use super::managed::{derived_identity, finish_identity};
use super::panics::{catch, collect, outcome};
use super::registry::find;
use crate::semantics::{Blame, Finish, forget_write_only, generated_config};
use crate::{
    Diagnostics, MoveStateRequest, MoveStateResponse, Provider, UpgradeIdentityRequest,
    UpgradeStateRequest, UpgradeStateResponse,
};

/// Declares the outer half of a call: errors become the only content of the answer.
macro_rules! answer {
    ($method:ident, $inner:ident, $messages:ident) => {
        pub(super) async fn $method(
            &self,
            call: Call,
            request: wire::$messages::Request,
        ) -> wire::$messages::Response {
            match self.$inner(call, request).await {
                Ok(response) => response,
                Err(diagnostics) => wire::$messages::Response {
                    diagnostics: diagnostics.to_wire(),
                    ..Default::default()
                },
            }
        }
    };
}

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
        let entry = find(
            &self.shared.registry().resources,
            &request.type_name,
            "resource",
        )?;
        let compiled = entry.compiled();
        let blame = Blame {
            handler: "upgrade_state",
            type_name: entry.handler.type_name(),
        };
        let mut diagnostics = Diagnostics::new();
        let mut state = if request.version == compiled.schema.version {
            let json = raw_json(request.raw_state.as_ref(), "stored state")?;
            crate::wire::from_json(json, &compiled.ty)
                .map_err(|error| unreadable("stored state", &error))?
        } else {
            let mut response = UpgradeStateResponse::default();
            let upgrade = UpgradeStateRequest {
                version: request.version,
                raw_state: raw(request.raw_state.as_ref(), "stored state")?,
                cancel: call.cancel,
            };
            let mut errors = Diagnostics::new();
            outcome(
                entry.handler.upgrade_state(upgrade, &mut response),
                &mut errors,
            )
            .await;
            response.diagnostics.extend(errors);
            diagnostics.extend(response.diagnostics.into_result()?);
            match response.state {
                Some(state) => Finish::Known.value(state, &compiled.ty, blame)?,
                None => {
                    return Err(Diagnostics::one_error(
                        "no state after upgrade",
                        format!(
                            "{blame} answered neither a state nor an error. This is a mistake in the provider; please report it."
                        ),
                    ));
                }
            }
        };
        forget_write_only(&compiled.schema, &mut state);
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
        let entry = find(
            &self.shared.registry().resources,
            &request.type_name,
            "resource",
        )?;
        let compiled = entry.compiled();
        let blame = Blame {
            handler: "upgrade_identity",
            type_name: entry.handler.type_name(),
        };
        let Some((schema, ty)) = &compiled.identity else {
            return Err(Diagnostics::one_error(
                "no identity",
                format!("{} has no identity.", entry.handler.type_name()),
            ));
        };
        let identity = if request.version == schema.version {
            let json = raw_json(request.raw_identity.as_ref(), "stored identity")?;
            crate::wire::from_json(json, ty)
                .map_err(|error| unreadable("stored identity", &error))?
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
        let entry = find(
            &self.shared.registry().resources,
            &request.target_type_name,
            "resource",
        )?;
        let compiled = entry.compiled();
        let blame = Blame {
            handler: "move_state",
            type_name: entry.handler.type_name(),
        };
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
        let mut errors = Diagnostics::new();
        outcome(entry.handler.move_state(moved, &mut response), &mut errors).await;
        response.diagnostics.extend(errors);
        let diagnostics = response.diagnostics.into_result()?;
        let Some(state) = response.state else {
            return Err(Diagnostics::one_error(
                "no state after move",
                format!(
                    "{blame} answered neither a state nor an error. This is a mistake in the provider; please report it."
                ),
            ));
        };
        let mut state = Finish::Known.value(state, &compiled.ty, blame)?;
        forget_write_only(&compiled.schema, &mut state);
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
        let entry = find(
            &self.shared.registry().resources,
            &request.type_name,
            "resource",
        )?;
        let compiled = entry.compiled();
        let blame = Blame {
            handler: "generate_config",
            type_name: entry.handler.type_name(),
        };
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
