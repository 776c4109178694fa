//! Validating and planning an instance.

use proto_plugin::tfplugin6 as wire;
use serde_json::Value as Json;

use super::{Action, Core, Instance, Plan, decode, dynamic, fail_on, settle};
use crate::propose::proposed;
use crate::rules::plan_problems;
use crate::value::same;
use crate::{Diagnostic, Error, Value, error};

impl Core {
    /// Validates a resource's configuration; errors of the provider are in the result.
    ///
    /// # Errors
    ///
    /// When the call itself fails.
    pub async fn validate(
        &mut self,
        type_name: &str,
        config: &Json,
    ) -> Result<Vec<Diagnostic>, Error> {
        let ty = self.resource(type_name)?.ty();
        let config = Value::from_json(config, &ty).map_err(Error::Usage)?;
        self.ask_validate(type_name, &config)
            .await
            .map(Diagnostic::all)
    }

    async fn ask_validate(
        &mut self,
        type_name: &str,
        config: &Value,
    ) -> Result<Vec<wire::Diagnostic>, Error> {
        let ty = self.resource(type_name)?.ty();
        let request = wire::validate_resource_config::Request {
            type_name: type_name.into(),
            config: Some(dynamic(config, &ty)),
            client_capabilities: self.announced(),
        };
        let answer = call!(
            self,
            validate_resource_config,
            "ValidateResourceConfig",
            request
        )?;
        Ok(answer.diagnostics)
    }

    /// Plans an instance: null configuration destroys it.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when its plan breaks a rule.
    pub async fn plan(
        &mut self,
        type_name: &str,
        prior: Option<&Instance>,
        config: &Json,
    ) -> Result<Plan, Error> {
        let schema = self.resource(type_name)?;
        let config = Value::from_json(config, &schema.ty()).map_err(Error::Usage)?;
        self.plan_value(type_name, prior, &config).await
    }

    async fn plan_value(
        &mut self,
        type_name: &str,
        prior: Option<&Instance>,
        config: &Value,
    ) -> Result<Plan, Error> {
        if !matches!(config, Value::Null) {
            let said = self.ask_validate(type_name, config).await?;
            settle("ValidateResourceConfig", said)?;
        }
        let tainted = prior.is_some_and(|prior| prior.tainted) && !matches!(config, Value::Null);
        let considered = if tainted { None } else { prior };
        let private = considered
            .map(|prior| prior.private.clone())
            .unwrap_or_default();
        let mut plan = self
            .ask_plan(type_name, considered, config, private, Vec::new())
            .await?;
        if !plan.replaces.is_empty() && plan.action == Action::Update {
            // The second plan of a replacement: no prior, the first answer's private bytes.
            let replaces = std::mem::take(&mut plan.replaces);
            let again = self
                .ask_plan(type_name, None, config, plan.private, Vec::new())
                .await?;
            plan = Plan {
                action: Action::Replace,
                replaces,
                ..again
            };
        }
        if tainted {
            plan.action = Action::Replace;
        }
        plan.prior = prior.cloned();
        Ok(plan)
    }

    /// One PlanResourceChange, without the validation before it and the second plan of a replacement.
    ///
    /// # Errors
    ///
    /// As [`Self::plan`].
    pub async fn plan_only(
        &mut self,
        type_name: &str,
        prior: Option<&Instance>,
        config: &Json,
    ) -> Result<Plan, Error> {
        let ty = self.resource(type_name)?.ty();
        let config = Value::from_json(config, &ty).map_err(Error::Usage)?;
        let private = prior.map(|prior| prior.private.clone()).unwrap_or_default();
        self.ask_plan(type_name, prior, &config, private, Vec::new())
            .await
    }

    pub(super) async fn ask_plan(
        &mut self,
        type_name: &str,
        prior: Option<&Instance>,
        config: &Value,
        private: Vec<u8>,
        earlier: Vec<u8>,
    ) -> Result<Plan, Error> {
        let schema = self.resource(type_name)?;
        let ty = schema.ty();
        let prior_state = prior.map_or(Value::Null, |prior| prior.state.clone());
        let proposal = proposed(&schema.block, &prior_state, config);
        let request = wire::plan_resource_change::Request {
            type_name: type_name.into(),
            prior_state: Some(dynamic(&prior_state, &ty)),
            proposed_new_state: Some(dynamic(&proposal, &ty)),
            config: Some(dynamic(config, &ty)),
            prior_private: private.into(),
            provider_meta: self.meta()?,
            client_capabilities: self.announced(),
            prior_identity: self
                .identity_data(type_name, prior.and_then(|prior| prior.identity.as_ref())),
            planned_private: earlier.into(),
        };
        let answer = call!(self, plan_resource_change, "PlanResourceChange", request)?;
        let diagnostics = settle("PlanResourceChange", answer.diagnostics)?;
        let deferred = answer.deferred.is_some();
        let mut problems = Vec::new();
        if answer.legacy_type_system {
            problems.push("legacy_type_system is set".to_owned());
        }
        if deferred && !self.capabilities.deferral_allowed {
            problems.push("deferred although the client did not allow it".into());
        }
        let planned = decode(answer.planned_state, &ty, &mut problems);
        if !deferred {
            problems.extend(plan_problems(&schema.block, &prior_state, config, &planned));
        }
        let mut replaces = Vec::new();
        for path in &answer.requires_replace {
            let text = error::path(path);
            let (before, after) = (at(&prior_state, path), at(&planned, path));
            if before.is_none() && after.is_none() {
                problems.push(format!(
                    "{text}: requires_replace names a non-existent attribute path"
                ));
            } else if prior.is_some() && before != after {
                replaces.push(text);
            }
        }
        let identity = self.read_identity(type_name, answer.planned_identity, &mut problems);
        fail_on("PlanResourceChange", problems)?;
        let action = match (prior, config) {
            (_, Value::Null) => Action::Delete,
            (None, _) => Action::Create,
            (Some(_), _) if same(&prior_state, &planned, &ty) => Action::NoOp,
            (Some(_), _) => Action::Update,
        };
        Ok(Plan {
            type_name: type_name.into(),
            action,
            prior: prior.cloned(),
            config: config.clone(),
            planned,
            identity,
            private: answer.planned_private.to_vec(),
            replaces,
            diagnostics,
            deferred,
        })
    }
}

/// The value at a path of the protocol; `None` when there is no such place.
fn at(value: &Value, path: &wire::AttributePath) -> Option<Value> {
    use proto_plugin::tfplugin6::attribute_path::step::Selector;
    let mut value = value;
    for step in &path.steps {
        value = match (&step.selector, value) {
            (
                Some(Selector::AttributeName(name) | Selector::ElementKeyString(name)),
                Value::Map(members),
            ) => members.get(name)?,
            (Some(Selector::ElementKeyInt(index)), Value::List(items)) => {
                items.get(usize::try_from(*index).ok()?)?
            }
            _ => return None,
        };
    }
    Some(value.clone())
}
