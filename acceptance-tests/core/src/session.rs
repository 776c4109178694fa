//! Core's side of the conversation: every call in core's order, every answer checked by core's rules.

use std::collections::BTreeMap;

use proto_plugin::tfplugin6 as wire;
use proto_plugin::tfplugin6::provider_client::ProviderClient;
use serde_json::Value as Json;
use tonic::transport::Channel;

use crate::propose::proposed;
use crate::rules::{apply_problems, plan_problems, write_only};
use crate::value::same;
use crate::{Diagnostic, Error, Launch, Process, Schema, Type, Value, error};

/// Core and server exchange messages far above gRPC's usual limit: states pass through them.
const MESSAGE_LIMIT: usize = 256 << 20;

/// An object as core stores it.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The attributes.
    pub state: Value,
    /// The provider's private bytes.
    pub private: Vec<u8>,
    /// The identity, when the resource has one.
    pub identity: Option<Value>,
    /// Whether the next plan replaces it.
    pub tainted: bool,
}

/// What core decides to do with an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    NoOp,
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Delete and make it again.
    Replace,
    /// Delete it.
    Delete,
}

/// A checked plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The resource type.
    pub type_name: String,
    /// What would be done.
    pub action: Action,
    /// The stored object before.
    pub prior: Option<Instance>,
    /// The configuration.
    pub config: Value,
    /// The planned state.
    pub planned: Value,
    /// The planned identity.
    pub identity: Option<Value>,
    /// The provider's private bytes for the apply.
    pub private: Vec<u8>,
    /// The attributes that force replacement.
    pub replaces: Vec<String>,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the provider put the change off (only when that was allowed).
    pub deferred: bool,
}

/// What became of an apply.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object core would store now; none when it is gone or was never made.
    pub instance: Option<Instance>,
    /// Everything the provider said; errors here are the run's failure.
    pub diagnostics: Vec<Diagnostic>,
}

impl Applied {
    /// Whether the run would have failed.
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.error)
    }
}

/// All schemas of a provider.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the protocol's own names")]
pub struct Schemas {
    pub provider: Schema,
    pub resources: BTreeMap<String, Schema>,
    pub data_sources: BTreeMap<String, Schema>,
    pub ephemeral_resources: BTreeMap<String, Schema>,
    pub list_resources: BTreeMap<String, Schema>,
    pub actions: BTreeMap<String, Schema>,
    pub functions: BTreeMap<String, wire::Function>,
    pub identities: BTreeMap<String, Type>,
    pub capabilities: wire::ServerCapabilities,
}

/// A conversation with one provider process.
#[derive(Debug)]
pub struct Core {
    client: ProviderClient<Channel>,
    /// The process, when this client started it.
    pub process: Option<Process>,
    /// What the provider announced.
    pub schemas: Schemas,
    /// What this core announces with each call.
    pub capabilities: wire::ClientCapabilities,
}

macro_rules! call {
    ($self:ident, $method:ident, $name:literal, $request:expr) => {
        $self
            .client
            .$method($request)
            .await
            .map(tonic::Response::into_inner)
            .map_err(|status| Error::Status {
                call: $name,
                status: Box::new(status),
            })
    };
}

impl Core {
    /// Starts a provider and loads its schemas, as a core of the newest minor.
    ///
    /// # Errors
    ///
    /// Everything of [`Process::launch`] and of loading the schemas.
    pub async fn start(launch: &Launch) -> Result<Self, Error> {
        let process = Process::launch(launch).await?;
        if process.handshake.protocol != "6" {
            return Err(Error::Handshake(format!(
                "protocol {} is not 6",
                process.handshake.protocol
            )));
        }
        let mut core = Self::attach(process.channel.clone()).await?;
        core.process = Some(process);
        Ok(core)
    }

    /// Talks to a provider over an existing connection.
    ///
    /// # Errors
    ///
    /// Everything of loading the schemas.
    pub async fn attach(channel: Channel) -> Result<Self, Error> {
        let client = ProviderClient::new(channel)
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT);
        let mut core = Self {
            client,
            process: None,
            schemas: Schemas::default(),
            capabilities: wire::ClientCapabilities {
                deferral_allowed: false,
                write_only_attributes_allowed: true,
                store_planned_private: false,
                computed_blocks_allowed: false,
            },
        };
        core.load().await?;
        Ok(core)
    }

    async fn load(&mut self) -> Result<(), Error> {
        let answer = call!(
            self,
            get_provider_schema,
            "GetProviderSchema",
            wire::get_provider_schema::Request {}
        )?;
        settle("GetProviderSchema", answer.diagnostics)?;
        let read = |schemas: BTreeMap<String, wire::Schema>| {
            schemas
                .into_iter()
                .map(|(name, schema)| Ok((name.clone(), Schema::read(&name, &schema)?)))
                .collect::<Result<BTreeMap<_, _>, Error>>()
        };
        let actions = answer
            .action_schemas
            .into_iter()
            .map(|(name, action)| (name, action.schema.unwrap_or_default()))
            .collect();
        self.schemas = Schemas {
            provider: Schema::read("provider", &answer.provider.unwrap_or_default())?,
            resources: read(answer.resource_schemas)?,
            data_sources: read(answer.data_source_schemas)?,
            ephemeral_resources: read(answer.ephemeral_resource_schemas)?,
            list_resources: read(answer.list_resource_schemas)?,
            actions: read(actions)?,
            functions: answer.functions,
            identities: BTreeMap::new(),
            capabilities: answer.server_capabilities.unwrap_or_default(),
        };
        let answer = call!(
            self,
            get_resource_identity_schemas,
            "GetResourceIdentitySchemas",
            wire::get_resource_identity_schemas::Request {}
        )?;
        settle("GetResourceIdentitySchemas", answer.diagnostics)?;
        for (name, schema) in answer.identity_schemas {
            let mut members = BTreeMap::new();
            for attribute in schema.identity_attributes {
                let json = serde_json::from_slice(&attribute.r#type)
                    .map_err(|error| Error::Usage(format!("{name}.{}: {error}", attribute.name)))?;
                let ty = Type::parse(&json).map_err(Error::Usage)?;
                if attribute.required_for_import == attribute.optional_for_import {
                    return Err(Error::Invalid {
                        call: "GetResourceIdentitySchemas",
                        problems: vec![format!(
                            "{name}.{}: exactly one of required and optional for import",
                            attribute.name
                        )],
                    });
                }
                members.insert(attribute.name, ty);
            }
            self.schemas.identities.insert(name, Type::Object(members));
        }
        Ok(())
    }

    fn resource(&self, type_name: &str) -> Result<Schema, Error> {
        find(&self.schemas.resources, type_name)
    }

    /// Validates and configures the provider.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses.
    pub async fn configure(&mut self, config: &Json) -> Result<Vec<Diagnostic>, Error> {
        let ty = self.schemas.provider.ty();
        let config = dynamic(&Value::from_json(config, &ty).map_err(Error::Usage)?, &ty);
        let request = wire::validate_provider_config::Request {
            config: Some(config.clone()),
        };
        let answer = call!(
            self,
            validate_provider_config,
            "ValidateProviderConfig",
            request
        )?;
        let mut diagnostics = settle("ValidateProviderConfig", answer.diagnostics)?;
        let request = wire::configure_provider::Request {
            terraform_version: "1.16.0".into(),
            config: Some(config),
            client_capabilities: Some(self.capabilities),
        };
        let answer = call!(self, configure_provider, "ConfigureProvider", request)?;
        diagnostics.extend(settle("ConfigureProvider", answer.diagnostics)?);
        Ok(diagnostics)
    }

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
        let request = wire::validate_resource_config::Request {
            type_name: type_name.into(),
            config: Some(dynamic(&config, &ty)),
            client_capabilities: Some(self.capabilities),
        };
        let answer = call!(
            self,
            validate_resource_config,
            "ValidateResourceConfig",
            request
        )?;
        Ok(Diagnostic::all(answer.diagnostics))
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
            let ty = self.resource(type_name)?.ty();
            let request = wire::validate_resource_config::Request {
                type_name: type_name.into(),
                config: Some(dynamic(config, &ty)),
                client_capabilities: Some(self.capabilities),
            };
            let answer = call!(
                self,
                validate_resource_config,
                "ValidateResourceConfig",
                request
            )?;
            settle("ValidateResourceConfig", answer.diagnostics)?;
        }
        let tainted = prior.is_some_and(|prior| prior.tainted) && !matches!(config, Value::Null);
        let considered = if tainted { None } else { prior };
        let private = considered
            .map(|prior| prior.private.clone())
            .unwrap_or_default();
        let mut plan = self
            .ask_plan(type_name, considered, config, private)
            .await?;
        if !plan.replaces.is_empty() && plan.action == Action::Update {
            // The second plan of a replacement: no prior, the first answer's private bytes.
            let replaces = std::mem::take(&mut plan.replaces);
            let again = self.ask_plan(type_name, None, config, plan.private).await?;
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

    async fn ask_plan(
        &mut self,
        type_name: &str,
        prior: Option<&Instance>,
        config: &Value,
        private: Vec<u8>,
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
            provider_meta: None,
            client_capabilities: Some(self.capabilities),
            prior_identity: self
                .identity_data(type_name, prior.and_then(|prior| prior.identity.as_ref())),
            planned_private: bytes_empty(),
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
        let last = self
            .ask_plan(&plan.type_name, prior, config, private)
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
            provider_meta: None,
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

    /// Upgrades and reads a stored object, as at the start of every plan.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when an answer breaks a rule.
    pub async fn refresh(
        &mut self,
        type_name: &str,
        instance: &Instance,
    ) -> Result<Option<Instance>, Error> {
        let schema = self.resource(type_name)?;
        let upgraded = self
            .upgrade(type_name, schema.version, &instance.state.to_json())
            .await?;
        let ty = schema.ty();
        if !same(&upgraded, &instance.state, &ty) {
            return Err(Error::Invalid {
                call: "UpgradeResourceState",
                problems: vec!["an upgrade at equal version changed the state".into()],
            });
        }
        let request = wire::read_resource::Request {
            type_name: type_name.into(),
            current_state: Some(dynamic(&upgraded, &ty)),
            private: instance.private.clone().into(),
            provider_meta: None,
            client_capabilities: Some(self.capabilities),
            current_identity: self.identity_data(type_name, instance.identity.as_ref()),
        };
        let answer = call!(self, read_resource, "ReadResource", request)?;
        settle("ReadResource", answer.diagnostics)?;
        let mut problems = Vec::new();
        let state = decode(answer.new_state, &ty, &mut problems);
        if !state.is_wholly_known() {
            problems.push("unknown value in refreshed state".into());
        }
        write_only("", &schema.block, &state, &mut problems);
        let identity = self.read_identity(type_name, answer.new_identity, &mut problems);
        if instance.identity.is_some()
            && !matches!(state, Value::Null)
            && identity != instance.identity
        {
            problems.push("unexpected identity change during read".into());
        }
        fail_on("ReadResource", problems)?;
        Ok((!matches!(state, Value::Null)).then(|| Instance {
            state,
            private: answer.private.to_vec(),
            identity,
            tainted: instance.tainted,
        }))
    }

    /// Upgrades a stored state of any version.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when the answer does not fit the schema.
    pub async fn upgrade(
        &mut self,
        type_name: &str,
        version: i64,
        state: &Json,
    ) -> Result<Value, Error> {
        let ty = self.resource(type_name)?.ty();
        let request = wire::upgrade_resource_state::Request {
            type_name: type_name.into(),
            version,
            raw_state: Some(raw(state)),
        };
        let answer = call!(
            self,
            upgrade_resource_state,
            "UpgradeResourceState",
            request
        )?;
        settle("UpgradeResourceState", answer.diagnostics)?;
        let mut problems = Vec::new();
        let upgraded = decode(answer.upgraded_state, &ty, &mut problems);
        fail_on("UpgradeResourceState", problems)?;
        Ok(upgraded)
    }

    /// Imports an object by id or, with `Err`, by identity.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when an answer breaks a rule.
    pub async fn import(
        &mut self,
        type_name: &str,
        by: Result<&str, &Json>,
    ) -> Result<Instance, Error> {
        let ty = self.resource(type_name)?.ty();
        let identity = match by {
            Ok(_) => None,
            Err(json) => {
                let ty = find(&self.schemas.identities, type_name)?;
                Some(Value::from_json(json, &ty).map_err(Error::Usage)?)
            }
        };
        let request = wire::import_resource_state::Request {
            type_name: type_name.into(),
            id: by.unwrap_or_default().into(),
            client_capabilities: Some(self.capabilities),
            identity: self.identity_data(type_name, identity.as_ref()),
        };
        let answer = call!(self, import_resource_state, "ImportResourceState", request)?;
        settle("ImportResourceState", answer.diagnostics)?;
        let mut problems = Vec::new();
        let [imported] = answer.imported_resources.as_slice() else {
            return Err(Error::Invalid {
                call: "ImportResourceState",
                problems: vec![format!(
                    "{} resources imported, not one",
                    answer.imported_resources.len()
                )],
            });
        };
        if imported.type_name != type_name {
            problems.push(format!("imported a {:?}", imported.type_name));
        }
        let state = decode(imported.state.clone(), &ty, &mut problems);
        let identity = self.read_identity(type_name, imported.identity.clone(), &mut problems);
        fail_on("ImportResourceState", problems)?;
        let instance = Instance {
            state,
            private: imported.private.to_vec(),
            identity,
            tainted: false,
        };
        self.refresh(type_name, &instance)
            .await?
            .ok_or_else(|| Error::Usage("cannot import non-existent remote object".into()))
    }

    /// Takes over the state of another type.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses.
    pub async fn move_state(
        &mut self,
        source_provider: &str,
        source_type: &str,
        source_version: i64,
        state: &Json,
        target: &str,
    ) -> Result<Instance, Error> {
        let ty = self.resource(target)?.ty();
        let request = wire::move_resource_state::Request {
            source_provider_address: source_provider.into(),
            source_type_name: source_type.into(),
            source_schema_version: source_version,
            source_state: Some(raw(state)),
            target_type_name: target.into(),
            source_private: bytes_empty(),
            source_identity: None,
            source_identity_schema_version: 0,
        };
        let answer = call!(self, move_resource_state, "MoveResourceState", request)?;
        settle("MoveResourceState", answer.diagnostics)?;
        let mut problems = Vec::new();
        let state = decode(answer.target_state, &ty, &mut problems);
        if matches!(state, Value::Null) {
            problems.push("moved state is null".into());
        }
        let identity = self.read_identity(target, answer.target_identity, &mut problems);
        fail_on("MoveResourceState", problems)?;
        Ok(Instance {
            state,
            private: answer.target_private.to_vec(),
            identity,
            tainted: false,
        })
    }

    /// Validates and reads a data source.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when the answer breaks a rule.
    pub async fn read_data(&mut self, type_name: &str, config: &Json) -> Result<Value, Error> {
        let schema = find(&self.schemas.data_sources, type_name)?;
        let ty = schema.ty();
        let config = Value::from_json(config, &ty).map_err(Error::Usage)?;
        let request = wire::validate_data_resource_config::Request {
            type_name: type_name.into(),
            config: Some(dynamic(&config, &ty)),
        };
        let answer = call!(
            self,
            validate_data_resource_config,
            "ValidateDataResourceConfig",
            request
        )?;
        settle("ValidateDataResourceConfig", answer.diagnostics)?;
        let request = wire::read_data_source::Request {
            type_name: type_name.into(),
            config: Some(dynamic(&config, &ty)),
            provider_meta: None,
            client_capabilities: Some(self.capabilities),
        };
        let answer = call!(self, read_data_source, "ReadDataSource", request)?;
        settle("ReadDataSource", answer.diagnostics)?;
        let mut problems = Vec::new();
        let state = decode(answer.state, &ty, &mut problems);
        problems.extend(plan_problems(&schema.block, &Value::Null, &config, &state));
        if !state.is_wholly_known() {
            problems.push("data source returned unknown values".into());
        }
        fail_on("ReadDataSource", problems)?;
        Ok(state)
    }

    /// Opens an ephemeral resource: result, private bytes, and when to renew (seconds since the epoch).
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when the answer breaks a rule.
    pub async fn open(
        &mut self,
        type_name: &str,
        config: &Json,
    ) -> Result<(Value, Vec<u8>, Option<i64>), Error> {
        let schema = find(&self.schemas.ephemeral_resources, type_name)?;
        let ty = schema.ty();
        let config = Value::from_json(config, &ty).map_err(Error::Usage)?;
        let request = wire::validate_ephemeral_resource_config::Request {
            type_name: type_name.into(),
            config: Some(dynamic(&config, &ty)),
        };
        let answer = call!(
            self,
            validate_ephemeral_resource_config,
            "ValidateEphemeralResourceConfig",
            request
        )?;
        settle("ValidateEphemeralResourceConfig", answer.diagnostics)?;
        let request = wire::open_ephemeral_resource::Request {
            type_name: type_name.into(),
            config: Some(dynamic(&config, &ty)),
            client_capabilities: Some(self.capabilities),
        };
        let answer = call!(
            self,
            open_ephemeral_resource,
            "OpenEphemeralResource",
            request
        )?;
        settle("OpenEphemeralResource", answer.diagnostics)?;
        let mut problems = Vec::new();
        let result = decode(answer.result, &ty, &mut problems);
        problems.extend(plan_problems(&schema.block, &Value::Null, &config, &result));
        if !result.is_wholly_known() {
            problems.push("unknown value in an ephemeral result".into());
        }
        fail_on("OpenEphemeralResource", problems)?;
        let renew_at = answer.renew_at.map(|time| time.seconds);
        Ok((
            result,
            answer.private.unwrap_or_default().to_vec(),
            renew_at,
        ))
    }

    /// Renews an open ephemeral resource.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses.
    pub async fn renew(&mut self, type_name: &str, private: Vec<u8>) -> Result<Option<i64>, Error> {
        let request = wire::renew_ephemeral_resource::Request {
            type_name: type_name.into(),
            private: Some(private.into()),
        };
        let answer = call!(
            self,
            renew_ephemeral_resource,
            "RenewEphemeralResource",
            request
        )?;
        settle("RenewEphemeralResource", answer.diagnostics)?;
        Ok(answer.renew_at.map(|time| time.seconds))
    }

    /// Closes an open ephemeral resource.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses.
    pub async fn close(&mut self, type_name: &str, private: Vec<u8>) -> Result<(), Error> {
        let request = wire::close_ephemeral_resource::Request {
            type_name: type_name.into(),
            private: Some(private.into()),
        };
        let answer = call!(
            self,
            close_ephemeral_resource,
            "CloseEphemeralResource",
            request
        )?;
        settle("CloseEphemeralResource", answer.diagnostics).map(drop)
    }

    /// Calls a function; a function error is `Ok(Err((text, argument)))`.
    ///
    /// # Errors
    ///
    /// When the call itself fails or the result is not of the declared type.
    pub async fn function(
        &mut self,
        name: &str,
        arguments: &[Json],
    ) -> Result<Result<Json, (String, Option<i64>)>, Error> {
        let function = find(&self.schemas.functions, name)?;
        let parse = |bytes: &[u8]| {
            serde_json::from_slice(bytes)
                .map_err(|error| error.to_string())
                .and_then(|json| Type::parse(&json))
                .map_err(Error::Usage)
        };
        let mut encoded = Vec::new();
        for (position, argument) in arguments.iter().enumerate() {
            let parameter = function
                .parameters
                .get(position)
                .or(function.variadic_parameter.as_ref());
            let parameter = parameter.ok_or_else(|| Error::Usage("too many arguments".into()))?;
            let ty = parse(&parameter.r#type)?;
            encoded.push(dynamic(
                &Value::from_json(argument, &ty).map_err(Error::Usage)?,
                &ty,
            ));
        }
        let request = wire::call_function::Request {
            name: name.into(),
            arguments: encoded,
        };
        let answer = call!(self, call_function, "CallFunction", request)?;
        if let Some(error) = answer.error {
            return Ok(Err((error.text, error.function_argument)));
        }
        let ty = parse(&function.r#return.unwrap_or_default().r#type)?;
        let mut problems = Vec::new();
        let result = decode(answer.result, &ty, &mut problems);
        fail_on("CallFunction", problems)?;
        Ok(Ok(result.to_json()))
    }

    /// Lists existing objects: display names and identities, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when an event breaks a rule.
    pub async fn list(
        &mut self,
        type_name: &str,
        config: &Json,
        limit: i64,
    ) -> Result<Vec<(String, Value)>, Error> {
        let ty = find(&self.schemas.list_resources, type_name)?.ty();
        let config = dynamic(&Value::from_json(config, &ty).map_err(Error::Usage)?, &ty);
        let request = wire::list_resource::Request {
            type_name: type_name.into(),
            config: Some(config),
            include_resource_object: true,
            limit,
        };
        let mut events = call!(self, list_resource, "ListResource", request)?;
        let mut found = Vec::new();
        while let Some(event) = events.message().await.map_err(|status| Error::Status {
            call: "ListResource",
            status: Box::new(status),
        })? {
            settle("ListResource", event.diagnostic)?;
            let mut problems = Vec::new();
            let identity = self.read_identity(type_name, event.identity, &mut problems);
            if let Some(object) = event.resource_object {
                decode(Some(object), &self.resource(type_name)?.ty(), &mut problems);
            }
            fail_on("ListResource", problems)?;
            found.extend(identity.map(|identity| (event.display_name, identity)));
            if found.len() as i64 >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// Validates, plans and invokes an action: its progress messages and final diagnostics.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses before running it.
    pub async fn invoke(
        &mut self,
        action: &str,
        config: &Json,
    ) -> Result<(Vec<String>, Vec<Diagnostic>), Error> {
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
            client_capabilities: Some(self.capabilities),
        };
        let answer = call!(self, plan_action, "PlanAction", request)?;
        settle("PlanAction", answer.diagnostics)?;
        let request = wire::invoke_action::Request {
            action_type: action.into(),
            config: Some(config),
            client_capabilities: Some(self.capabilities),
        };
        let mut events = call!(self, invoke_action, "InvokeAction", request)?;
        let mut progress = Vec::new();
        let mut completed = None;
        while let Some(event) = events.message().await.map_err(|status| Error::Status {
            call: "InvokeAction",
            status: Box::new(status),
        })? {
            match event.r#type {
                Some(wire::invoke_action::event::Type::Progress(step)) => {
                    progress.push(step.message);
                }
                Some(wire::invoke_action::event::Type::Completed(done)) if completed.is_none() => {
                    completed = Some(Diagnostic::all(done.diagnostics));
                }
                _ => fail_on("InvokeAction", vec!["more than one completed event".into()])?,
            }
        }
        let diagnostics = completed.ok_or_else(|| Error::Invalid {
            call: "InvokeAction",
            problems: vec!["no completed event".into()],
        })?;
        Ok((progress, diagnostics))
    }

    /// Asks the provider to end work in flight.
    ///
    /// # Errors
    ///
    /// When the call fails or the provider answers with an error text.
    pub async fn stop(&mut self) -> Result<(), Error> {
        let answer = call!(
            self,
            stop_provider,
            "StopProvider",
            wire::stop_provider::Request {}
        )?;
        if answer.error.is_empty() {
            Ok(())
        } else {
            Err(Error::Usage(answer.error))
        }
    }

    /// Another conversation over the same connection, for calls side by side.
    pub fn clone_connection(&self) -> Self {
        Self {
            client: self.client.clone(),
            process: None,
            schemas: self.schemas.clone(),
            capabilities: self.capabilities,
        }
    }

    fn identity_data(
        &self,
        type_name: &str,
        identity: Option<&Value>,
    ) -> Option<wire::ResourceIdentityData> {
        let ty = self.schemas.identities.get(type_name)?;
        let identity = identity?;
        Some(wire::ResourceIdentityData {
            identity_data: Some(dynamic(identity, ty)),
        })
    }

    fn read_identity(
        &self,
        type_name: &str,
        data: Option<wire::ResourceIdentityData>,
        problems: &mut Vec<String>,
    ) -> Option<Value> {
        let ty = self.schemas.identities.get(type_name)?;
        let value = decode(data?.identity_data, ty, problems);
        (!matches!(value, Value::Null)).then_some(value)
    }
}

fn deletion(plan: &Plan) -> Plan {
    Plan {
        action: Action::Delete,
        ..plan.clone()
    }
}

fn find<T: Clone>(all: &BTreeMap<String, T>, name: &str) -> Result<T, Error> {
    all.get(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        Error::Usage(format!(
            "the provider has no {name:?}, only {}",
            names.join(", ")
        ))
    })
}

fn settle(call: &'static str, wire: Vec<wire::Diagnostic>) -> Result<Vec<Diagnostic>, Error> {
    let diagnostics = Diagnostic::all(wire);
    if diagnostics.iter().any(|diagnostic| diagnostic.error) {
        return Err(Error::Diagnostics { call, diagnostics });
    }
    Ok(diagnostics)
}

fn fail_on(call: &'static str, problems: Vec<String>) -> Result<(), Error> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid { call, problems })
    }
}

fn dynamic(value: &Value, ty: &Type) -> wire::DynamicValue {
    wire::DynamicValue {
        msgpack: value.encode(ty).into(),
        json: bytes_empty(),
    }
}

fn decode(value: Option<wire::DynamicValue>, ty: &Type, problems: &mut Vec<String>) -> Value {
    let value = value.unwrap_or_default();
    if value.msgpack.is_empty() && !value.json.is_empty() {
        problems.push("answer in JSON: not every core takes it".into());
    }
    Value::decode(&value.msgpack, ty).unwrap_or_else(|problem| {
        problems.push(format!("cannot decode: {problem}"));
        Value::Null
    })
}

fn raw(json: &Json) -> wire::RawState {
    wire::RawState {
        json: json.to_string().into_bytes().into(),
        flatmap: BTreeMap::new(),
    }
}

fn bytes_empty() -> prost::bytes::Bytes {
    prost::bytes::Bytes::new()
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
