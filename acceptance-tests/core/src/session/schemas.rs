//! Loading all schemas.

use std::collections::BTreeMap;

use proto_plugin::tfplugin6 as wire;

use super::{Core, Era, settle};
use crate::{Error, Schema, Type};

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

impl Schemas {
    /// Leaves what Terraform 1.8 sees of them.
    fn forget_what_came_later(&mut self) {
        self.ephemeral_resources.clear();
        self.list_resources.clear();
        self.actions.clear();
        for schema in self.resources.values_mut() {
            schema.block.forget_write_only();
        }
    }
}

impl Core {
    pub(super) async fn load(&mut self) -> Result<(), Error> {
        let answer = self.ask_schema().await?;
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
        if self.era == Era::Terraform1_8 {
            self.schemas.forget_what_came_later();
            return Ok(());
        }
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
        let answer = self.ask_schema().await?;
        Ok(prost::Message::encoded_len(&answer))
    }

    async fn ask_schema(&mut self) -> Result<wire::get_provider_schema::Response, Error> {
        call!(
            self,
            get_provider_schema,
            "GetProviderSchema",
            wire::get_provider_schema::Request {}
        )
    }
}
