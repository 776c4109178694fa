//! List resources and actions: calls that answer with a stream.

use proto_plugin::tfplugin6 as wire;
use serde_json::Value as Json;

use super::{Core, decode, dynamic, fail_on, find, put_off, settle};
use crate::{Diagnostic, Error, Value};

/// What a `list` block asks for.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Whether whole objects are wanted.
    pub include_resource: bool,
    /// How many results at most.
    pub limit: i64,
}

impl Default for Query {
    /// As core does it: identities alone, a hundred of them.
    fn default() -> Self {
        Self {
            include_resource: false,
            limit: 100,
        }
    }
}

/// One result of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its name on screen.
    pub display_name: String,
    /// Its identity.
    pub identity: Value,
    /// The whole object; null when it was not asked for or could not be had.
    pub resource: Value,
}

/// What a run of an action said.
#[derive(Clone, Debug, Default)]
pub struct Invoked {
    /// Its lines, in order.
    pub progress: Vec<String>,
    /// What it said at its end.
    pub diagnostics: Vec<Diagnostic>,
}

impl Invoked {
    /// Whether the run would have failed.
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.error)
    }
}

impl Core {
    /// Validates a `list` block and runs it: the results, and warnings.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when an event breaks a rule.
    pub async fn list(
        &mut self,
        type_name: &str,
        config: &Json,
        query: Query,
    ) -> Result<(Vec<Found>, Vec<Diagnostic>), Error> {
        let ty = find(&self.schemas.list_resources, type_name)?.ty();
        let object = self.resource(type_name)?;
        let config = dynamic(&Value::from_json(config, &ty).map_err(Error::Usage)?, &ty);
        let request = wire::validate_list_resource_config::Request {
            type_name: type_name.into(),
            config: Some(config.clone()),
            include_resource_object: None,
            limit: None,
        };
        let answer = call!(
            self,
            validate_list_resource_config,
            "ValidateListResourceConfig",
            request
        )?;
        let mut warnings = settle("ValidateListResourceConfig", answer.diagnostics)?;
        let request = wire::list_resource::Request {
            type_name: type_name.into(),
            config: Some(config),
            include_resource_object: query.include_resource,
            limit: query.limit,
        };
        let mut events = call!(self, list_resource, "ListResource", request)?;
        let mut found = Vec::new();
        while let Some(event) = events.message().await.map_err(|status| Error::Status {
            call: "ListResource",
            status: Box::new(status),
        })? {
            let said = settle("ListResource", event.diagnostic)?;
            let mut problems = Vec::new();
            if event.identity.is_none() && said.is_empty() {
                problems.push(
                    "missing resource identity: an event without it only carries warnings"
                        .to_owned(),
                );
            }
            warnings.extend(said);
            let identity = self.read_identity(type_name, event.identity, &mut problems);
            if identity
                .as_ref()
                .is_some_and(|identity| !identity.is_wholly_known())
            {
                problems.push("unknown value in a listed identity".to_owned());
            }
            if event.resource_object.is_some() && !query.include_resource {
                problems.push("a whole object that was not asked for".to_owned());
            }
            let resource = match event.resource_object {
                Some(value) => decode(Some(value), &object.ty(), &mut problems),
                None => Value::Null,
            };
            if !resource.is_wholly_known() {
                problems.push("unknown value in a listed object".to_owned());
            }
            crate::rules::write_only("", &object.block, &resource, &mut problems);
            fail_on("ListResource", problems)?;
            found.extend(identity.map(|identity| Found {
                display_name: event.display_name,
                identity,
                resource,
            }));
            if found.len() as i64 >= query.limit {
                break;
            }
        }
        Ok((found, warnings))
    }

    /// Validates, plans and invokes an action to its end.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses before running it.
    pub async fn invoke(&mut self, action: &str, config: &Json) -> Result<Invoked, Error> {
        self.invoke_watched(action, config, |_| {}).await
    }

    /// As [`Self::invoke`]; `watch` hears every line as it comes.
    ///
    /// # Errors
    ///
    /// As [`Self::invoke`].
    pub async fn invoke_watched(
        &mut self,
        action: &str,
        config: &Json,
        mut watch: impl FnMut(&str),
    ) -> Result<Invoked, Error> {
        let ty = find(&self.schemas.actions, action)?.ty();
        let config = dynamic(&Value::from_json(config, &ty).map_err(Error::Usage)?, &ty);
        let request = wire::validate_action_config::Request {
            type_name: action.into(),
            config: Some(config.clone()),
        };
        let answer = call!(
            self,
            validate_action_config,
            "ValidateActionConfig",
            request
        )?;
        settle("ValidateActionConfig", answer.diagnostics)?;
        let request = wire::plan_action::Request {
            action_type: action.into(),
            config: Some(config.clone()),
            client_capabilities: self.announced(),
        };
        let answer = call!(self, plan_action, "PlanAction", request)?;
        settle("PlanAction", answer.diagnostics)?;
        put_off("PlanAction", answer.deferred.as_ref(), self.capabilities)?;
        let request = wire::invoke_action::Request {
            action_type: action.into(),
            config: Some(config),
            client_capabilities: self.announced(),
        };
        let mut events = call!(self, invoke_action, "InvokeAction", request)?;
        let mut progress = Vec::new();
        let mut completed = None;
        while let Some(event) = events.message().await.map_err(|status| Error::Status {
            call: "InvokeAction",
            status: Box::new(status),
        })? {
            match event.r#type {
                Some(wire::invoke_action::event::Type::Progress(step)) if completed.is_none() => {
                    watch(&step.message);
                    progress.push(step.message);
                }
                Some(wire::invoke_action::event::Type::Completed(done)) if completed.is_none() => {
                    completed = Some(Diagnostic::all(done.diagnostics));
                }
                _ => fail_on(
                    "InvokeAction",
                    vec!["an event after the completed one".into()],
                )?,
            }
        }
        let diagnostics = completed.ok_or_else(|| Error::Invalid {
            call: "InvokeAction",
            problems: vec!["no completed event".into()],
        })?;
        Ok(Invoked {
            progress,
            diagnostics,
        })
    }
}
