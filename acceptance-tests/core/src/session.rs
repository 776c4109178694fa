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
mod messages;
mod plan;
mod query;
mod schemas;
mod state;

use proto_plugin::tfplugin6 as wire;
use proto_plugin::tfplugin6::provider_client::ProviderClient;
use serde_json::Value as Json;
use tonic::transport::Channel;

use crate::{Diagnostic, Error, Launch, Process, Schema, Value};

use messages::{bytes_empty, decode, dynamic, fail_on, find, put_off, raw, settle};

pub use query::{Found, Invoked, Query};
pub use schemas::Schemas;

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

/// Which core a client plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Era {
    /// The newest minor of the protocol.
    #[default]
    Newest,
    /// Terraform 1.8, protocol 6.5: it knows functions and moves across types, but neither client capabilities nor
    /// write-only attributes, deferral, ephemeral resources, identities, list resources and actions. What it does not
    /// know of an answer it does not see.
    Terraform1_8,
}

/// A conversation with one provider process.
#[derive(Debug)]
pub struct Core {
    client: ProviderClient<Channel>,
    /// The process, when this client started it.
    pub process: Option<Process>,
    /// What the provider announced.
    pub schemas: Schemas,
    /// What this core announces with each call, if it is of an era that announces anything.
    pub capabilities: wire::ClientCapabilities,
    era: Era,
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
        Self::start_as(launch, Era::Newest).await
    }

    /// As [`Self::start`], as a core of another time.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub async fn start_as(launch: &Launch, era: Era) -> Result<Self, Error> {
        let process = Process::launch(launch).await?;
        if process.handshake.protocol != "6" {
            return Err(Error::Handshake(format!(
                "protocol {} is not 6",
                process.handshake.protocol
            )));
        }
        let mut core = Self::attach_as(process.channel.clone(), era).await?;
        core.process = Some(process);
        Ok(core)
    }

    /// Talks to a provider over an existing connection.
    ///
    /// # Errors
    ///
    /// Everything of loading the schemas.
    pub async fn attach(channel: Channel) -> Result<Self, Error> {
        Self::attach_as(channel, Era::Newest).await
    }

    async fn attach_as(channel: Channel, era: Era) -> Result<Self, Error> {
        let client = ProviderClient::new(channel)
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT);
        let mut core = Self {
            client,
            process: None,
            schemas: Schemas::default(),
            capabilities: wire::ClientCapabilities {
                write_only_attributes_allowed: era == Era::Newest,
                ..wire::ClientCapabilities::default()
            },
            era,
            provider_meta: Json::Null,
        };
        core.load().await?;
        Ok(core)
    }

    /// What goes with a call: an old core sends nothing at all.
    fn announced(&self) -> Option<wire::ClientCapabilities> {
        match self.era {
            Era::Newest => Some(self.capabilities),
            Era::Terraform1_8 => None,
        }
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
            terraform_version: match self.era {
                Era::Newest => "1.16.0".into(),
                Era::Terraform1_8 => "1.8.5".into(),
            },
            config: Some(config),
            client_capabilities: self.announced(),
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
            era: self.era,
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
}
