//! Core's side of the conversation: every call in core's order, every answer checked by core's rules.

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

mod apply;
mod data;
mod plan;
mod query;
mod state;

use std::collections::BTreeMap;

use proto_plugin::tfplugin6 as wire;
use proto_plugin::tfplugin6::provider_client::ProviderClient;
use serde_json::Value as Json;
use tonic::transport::Channel;

use crate::{Diagnostic, Error, Launch, Process, Schema, Type, Value};

pub use query::{Found, Invoked, Query};

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
    pub identity_versions: BTreeMap<String, i64>,
    pub provider_meta: Option<Schema>,
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
    /// The module's `provider_meta`: sent with every call that carries it, if the provider has a schema for it.
    pub provider_meta: Json,
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
            provider_meta: Json::Null,
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
            identity_versions: BTreeMap::new(),
            provider_meta: match answer.provider_meta {
                Some(schema) => Some(Schema::read("provider_meta", &schema)?),
                None => None,
            },
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
            let versions = &mut self.schemas.identity_versions;
            versions.insert(name.clone(), schema.version);
            self.schemas.identities.insert(name, Type::Object(members));
        }
        Ok(())
    }

    /// Asks for all schemas again: the size of the answer in bytes.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn schema_size(&mut self) -> Result<usize, Error> {
        let answer = call!(
            self,
            get_provider_schema,
            "GetProviderSchema",
            wire::get_provider_schema::Request {}
        )?;
        Ok(prost::Message::encoded_len(&answer))
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
            provider_meta: self.provider_meta.clone(),
        }
    }

    /// `provider_meta` as core sends it: only to a provider that published a schema for it.
    fn meta(&self) -> Result<Option<wire::DynamicValue>, Error> {
        let Some(schema) = &self.schemas.provider_meta else {
            return Ok(None);
        };
        let ty = schema.ty();
        let meta = Value::from_json(&self.provider_meta, &ty).map_err(Error::Usage)?;
        Ok(Some(dynamic(&meta, &ty)))
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

/// A deferred answer: a rule is broken if this client did not allow it.
fn put_off(
    call: &'static str,
    deferred: Option<&wire::Deferred>,
    allowed: wire::ClientCapabilities,
) -> Result<(), Error> {
    match deferred {
        None => Ok(()),
        Some(_) if allowed.deferral_allowed => Err(Error::Deferred { call }),
        Some(_) => {
            let problem = "deferred although the client did not allow it".to_owned();
            fail_on(call, vec![problem])
        }
    }
}
