//! PlanResourceChange.

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::call::{Call, capabilities, deferral, name_object};
use super::codec::{decode, decode_identity, encode, encode_identity};
use super::panics::catch;
use super::registry::Compiled;
use crate::semantics::{Blame, Finish, check_plan, propose, storable};
use crate::{Diagnostics, Dynamic, ModifyPlanRequest, ModifyPlanResponse, Path, Private, Provider};

impl<P: Provider> Server<P> {
    answer!(plan_resource_change, plan, plan_resource_change);

    async fn plan(
        &self,
        call: Call,
        request: wire::plan_resource_change::Request,
    ) -> Result<wire::plan_resource_change::Response, Diagnostics> {
        call.proceed()?;
        let (entry, compiled, _) = self.resource(&request.type_name, "modify_plan")?;
        let (schema, ty) = (&compiled.schema, &compiled.ty);
        let config = decode(request.config.as_ref(), ty, "configuration")?;
        let prior = decode(request.prior_state.as_ref(), ty, "prior state")?;
        name_object(schema, &prior);
        let mut proposed = decode(request.proposed_new_state.as_ref(), ty, "proposed state")?;
        storable(schema, &mut proposed);
        let prior_identity = decode_identity(request.prior_identity.as_ref(), compiled)?;
        let prior_private = Private::from_bytes(&request.prior_private);
        let capabilities = capabilities(request.client_capabilities);
        let destroy = proposed.is_null();

        let mut response = ModifyPlanResponse {
            planned_state: Dynamic::Null,
            requires_replace: Vec::new(),
            planned_private: prior_private.clone(),
            planned_identity: prior_identity.clone(),
            deferred: None,
            diagnostics: Diagnostics::new(),
        };
        if !destroy {
            let proposal = catch(|| propose(schema, &config, &prior, proposed.clone()))?;
            response.planned_state = proposal.planned;
            response.requires_replace = proposal.requires_replace;
            response.diagnostics = proposal.diagnostics;
        }
        if !response.diagnostics.has_errors() {
            let request = ModifyPlanRequest {
                config: config.clone(),
                prior_state: prior.clone(),
                proposed_state: proposed,
                prior_private,
                planned_private: Private::from_bytes(&request.planned_private),
                prior_identity: prior_identity.clone(),
                provider_meta: self.meta(request.provider_meta.as_ref())?,
                capabilities,
                data: self.session.data()?,
                cancel: call.cancel,
            };
            ask!(entry.handler.modify_plan(request, &mut response) => response);
        }
        let deferred = deferral(response.deferred, capabilities, &mut response.diagnostics);
        let facts = Facts {
            compiled,
            type_name: entry.handler.type_name(),
            config: &config,
            prior: &prior,
            prior_identity: prior_identity.as_ref(),
            destroy,
            deferred: deferred.is_some(),
        };
        let mut answer = facts.finish(response)?;
        answer.deferred = deferred;
        Ok(answer)
    }
}

/// What is known about a plan when the handlers are done.
struct Facts<'a> {
    compiled: &'a Compiled,
    type_name: &'a str,
    config: &'a Dynamic,
    prior: &'a Dynamic,
    prior_identity: Option<&'a Dynamic>,
    destroy: bool,
    deferred: bool,
}

impl Facts<'_> {
    fn finish(
        self,
        response: ModifyPlanResponse,
    ) -> Result<wire::plan_resource_change::Response, Diagnostics> {
        let ModifyPlanResponse {
            planned_state,
            requires_replace,
            planned_private,
            planned_identity,
            deferred: _,
            mut diagnostics,
        } = response;
        let (schema, ty) = (&self.compiled.schema, &self.compiled.ty);
        let blame = Blame {
            handler: "modify_plan",
            type_name: self.type_name,
        };
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let mut planned = match Finish::MayBeUnknown.value(planned_state, ty, blame) {
            Ok(planned) => planned,
            Err(errors) => {
                diagnostics.extend(errors);
                return Err(diagnostics);
            }
        };
        storable(schema, &mut planned);
        if self.destroy && !planned.is_null() {
            diagnostics.error(
                "invalid plan made by the provider",
                format!("{blame} planned an object where it is to be destroyed. This is a mistake in the provider; please report it."),
            );
        }
        if !self.destroy && !self.deferred {
            diagnostics.extend(check_plan(
                schema,
                self.prior,
                self.config,
                &planned,
                &blame.to_string(),
            ));
        }
        let requires_replace = self.paths(requires_replace, &planned);
        let planned_identity = match planned_identity {
            Some(identity) => self.identity(
                identity,
                !requires_replace.is_empty(),
                blame,
                &mut diagnostics,
            ),
            None => None,
        };
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        Ok(wire::plan_resource_change::Response {
            planned_state: Some(encode(&planned, ty)?),
            requires_replace: requires_replace.iter().map(Path::to_wire).collect(),
            planned_private: planned_private.to_bytes().into(),
            diagnostics: diagnostics.to_wire(),
            legacy_type_system: false,
            deferred: None,
            planned_identity: encode_identity(planned_identity.as_ref(), self.compiled)?,
        })
    }

    /// Sorted, without repetitions, and without paths that exist in neither value: core refuses
    /// those, and drops those whose value does not change.
    fn paths(&self, mut paths: Vec<Path>, planned: &Dynamic) -> Vec<Path> {
        paths.sort();
        paths.dedup();
        paths.retain(|path| {
            let steps = path.steps();
            let end = steps
                .iter()
                .position(|step| *step == crate::Step::Element)
                .unwrap_or(steps.len());
            let path = Path::from_steps(steps[..end].iter().cloned());
            !self.prior.is_null() && (self.prior.at(&path).is_some() || planned.at(&path).is_some())
        });
        paths
    }

    fn identity(
        &self,
        identity: Dynamic,
        replacing: bool,
        blame: Blame<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Dynamic> {
        let ty = self.compiled.identity_type()?;
        match Finish::MayBeUnknown.value(identity, ty, blame) {
            Err(errors) => {
                diagnostics.extend(errors);
                None
            }
            Ok(identity) => {
                let known_before = self.prior_identity.filter(|_| !self.prior.is_null());
                let changed = known_before.is_some_and(|prior| !prior.same(&identity));
                if changed && !replacing {
                    diagnostics.error(
                        "identity changed",
                        format!("{blame} changed the identity of an object that is not replaced. This is a mistake in the provider; please report it."),
                    );
                }
                Some(identity)
            }
        }
    }
}
