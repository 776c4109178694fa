//! Applying a plan.

use proto_plugin::tfplugin6 as wire;
use serde_json::Value as Json;

use super::{Action, Applied, Core, Instance, Plan, decode, dynamic, fail_on};
use crate::rules::{apply_problems, write_only};
use crate::{Diagnostic, Error, Value};

impl Core {
    /// Applies a plan as core does: plans once more with the final configuration and compares, then applies. A
    /// replacement deletes first.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when plan and apply disagree; errors the provider reports are in the result.
    pub async fn apply(&mut self, plan: &Plan) -> Result<Applied, Error> {
        self.apply_with(plan, plan.config.clone()).await
    }

    /// As [`Self::apply`], with unknowns of the planned configuration known now.
    ///
    /// # Errors
    ///
    /// As [`Self::apply`].
    pub async fn apply_config(&mut self, plan: &Plan, config: &Json) -> Result<Applied, Error> {
        let ty = self.resource(&plan.type_name)?.ty();
        let config = Value::from_json(config, &ty).map_err(Error::Usage)?;
        self.apply_with(plan, config).await
    }

    async fn apply_with(&mut self, plan: &Plan, config: Value) -> Result<Applied, Error> {
        let prior = plan.prior.as_ref();
        match plan.action {
            Action::NoOp => Ok(Applied {
                instance: prior.cloned(),
                diagnostics: Vec::new(),
            }),
            Action::Delete => self.ask_apply(plan, prior, &Value::Null).await,
            Action::Replace => {
                let gone = self.ask_apply(&deletion(plan), prior, &Value::Null).await?;
                if gone.failed() {
                    return Ok(gone);
                }
                let create = self.final_plan(plan, None, &config).await?;
                self.ask_apply(&create, None, &config).await
            }
            Action::Create | Action::Update => {
                let last = self.final_plan(plan, prior, &config).await?;
                self.ask_apply(&last, prior, &config).await
            }
        }
    }

    /// The plan core asks for just before an apply: it may only complete the first one.
    async fn final_plan(
        &mut self,
        plan: &Plan,
        prior: Option<&Instance>,
        config: &Value,
    ) -> Result<Plan, Error> {
        let private = prior.map(|prior| prior.private.clone()).unwrap_or_default();
        let stores = self.capabilities.store_planned_private;
        let earlier = if stores {
            plan.private.clone()
        } else {
            Vec::new()
        };
        let last = self
            .ask_plan(&plan.type_name, prior, config, private, earlier)
            .await?;
        let schema = self.resource(&plan.type_name)?;
        let mut problems = apply_problems(&schema.block, &plan.planned, &last.planned);
        problems.retain(|problem| !problem.contains("still indicated an unknown value"));
        let problems = problems
            .into_iter()
            .map(|problem| format!("inconsistent final plan: {problem}"))
            .collect();
        fail_on("PlanResourceChange", problems)?;
        Ok(last)
    }

    async fn ask_apply(
        &mut self,
        plan: &Plan,
        prior: Option<&Instance>,
        config: &Value,
    ) -> Result<Applied, Error> {
        let schema = self.resource(&plan.type_name)?;
        let ty = schema.ty();
        let planned = if plan.action == Action::Delete {
            Value::Null
        } else {
            plan.planned.clone()
        };
        let request = wire::apply_resource_change::Request {
            type_name: plan.type_name.clone(),
            prior_state: Some(dynamic(
                prior.map_or(&Value::Null, |prior| &prior.state),
                &ty,
            )),
            planned_state: Some(dynamic(&planned, &ty)),
            config: Some(dynamic(config, &ty)),
            planned_private: plan.private.clone().into(),
            provider_meta: self.meta()?,
            planned_identity: self.identity_data(&plan.type_name, plan.identity.as_ref()),
        };
        let answer = call!(self, apply_resource_change, "ApplyResourceChange", request)?;
        let diagnostics = Diagnostic::all(answer.diagnostics);
        let failed = diagnostics.iter().any(|diagnostic| diagnostic.error);
        let mut problems = Vec::new();
        let state = decode(answer.new_state, &ty, &mut problems);
        if answer.legacy_type_system {
            problems.push("legacy_type_system is set".into());
        }
        write_only("", &schema.block, &state, &mut problems);
        match (failed, &planned, &state) {
            (true, _, _) | (false, Value::Null, Value::Null) => {}
            (false, Value::Null, _) => {
                problems.push("returned a non-null object for a destroy".into());
            }
            (false, _, Value::Null) => problems.push("returned no object after apply".into()),
            (false, _, _) => problems.extend(apply_problems(&schema.block, &planned, &state)),
        }
        let identity = self.read_identity(&plan.type_name, answer.new_identity, &mut problems);
        if self.schemas.identities.contains_key(&plan.type_name)
            && identity.is_none()
            && !matches!(state, Value::Null)
        {
            problems.push("missing resource identity after apply".into());
        }
        fail_on("ApplyResourceChange", problems)?;
        let instance = match state {
            Value::Null if failed => prior.cloned(),
            Value::Null => None,
            state => Some(Instance {
                state,
                private: answer.private.to_vec(),
                identity,
                tainted: failed && prior.is_none(),
            }),
        };
        Ok(Applied {
            instance,
            diagnostics,
        })
    }
}

fn deletion(plan: &Plan) -> Plan {
    Plan {
        action: Action::Delete,
        ..plan.clone()
    }
}
