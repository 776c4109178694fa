//! GetMetadata, GetProviderSchema, GetResourceIdentitySchemas, GetFunctions.

use std::collections::BTreeMap;

use proto_plugin::tfplugin6::{self as wire, StringKind, get_metadata as meta};

use super::call::Call;
use super::{Registry, Server};
use crate::{Definition, Parameter, Provider};

fn capabilities() -> wire::ServerCapabilities {
    wire::ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: true,
        generate_resource_config: true,
    }
}

/// The whole schema.
pub(super) fn response<P: Provider>(
    provider: &P,
    registry: &Registry<P::Data>,
) -> wire::get_provider_schema::Response {
    macro_rules! schemas {
        ($entries:expr) => {
            $entries
                .iter()
                .map(|(name, entry)| ((*name).to_owned(), entry.compiled().schema.to_wire()))
                .collect()
        };
    }
    wire::get_provider_schema::Response {
        provider: Some(registry.provider(provider).schema.to_wire()),
        resource_schemas: schemas!(registry.resources),
        data_source_schemas: schemas!(registry.data_sources),
        diagnostics: Vec::new(),
        provider_meta: registry.meta(provider).map(|meta| meta.schema.to_wire()),
        server_capabilities: Some(capabilities()),
        functions: functions(registry),
        ephemeral_resource_schemas: schemas!(registry.ephemeral),
        list_resource_schemas: schemas!(registry.lists),
        state_store_schemas: BTreeMap::new(),
        action_schemas: registry
            .actions
            .iter()
            .map(|(name, entry)| {
                let schema = Some(entry.compiled().schema.to_wire());
                ((*name).to_owned(), wire::ActionSchema { schema })
            })
            .collect(),
    }
}

fn functions<D: Send + Sync + 'static>(registry: &Registry<D>) -> BTreeMap<String, wire::Function> {
    registry
        .functions
        .iter()
        .map(|(name, function)| ((*name).to_owned(), function_to_wire(&function.definition())))
        .collect()
}

fn function_to_wire(definition: &Definition) -> wire::Function {
    let parameter = |parameter: &Parameter| wire::function::Parameter {
        name: parameter.name.to_owned(),
        r#type: parameter.ty.to_json().into_bytes().into(),
        allow_null_value: parameter.allow_null,
        allow_unknown_values: parameter.allow_unknown,
        description: parameter.description.clone(),
        description_kind: StringKind::Markdown.into(),
    };
    wire::Function {
        parameters: definition.parameters.iter().map(parameter).collect(),
        variadic_parameter: definition.variadic.as_ref().map(parameter),
        r#return: Some(wire::function::Return {
            r#type: definition.returns.to_json().into_bytes().into(),
        }),
        summary: definition.summary.clone(),
        description: definition.description.clone(),
        description_kind: StringKind::Markdown.into(),
        deprecation_message: definition.deprecated.clone().unwrap_or_default(),
    }
}

impl<P: Provider> Server<P> {
    pub(super) async fn get_metadata(&self, _: Call, _: meta::Request) -> meta::Response {
        let registry = self.shared.registry();
        macro_rules! names {
            ($entries:ident, $kind:ident) => {
                registry
                    .$entries
                    .keys()
                    .map(|name| meta::$kind {
                        type_name: (*name).to_owned(),
                    })
                    .collect()
            };
        }
        meta::Response {
            server_capabilities: Some(capabilities()),
            diagnostics: Vec::new(),
            data_sources: names!(data_sources, DataSourceMetadata),
            resources: names!(resources, ResourceMetadata),
            functions: registry
                .functions
                .keys()
                .map(|name| meta::FunctionMetadata {
                    name: (*name).to_owned(),
                })
                .collect(),
            ephemeral_resources: names!(ephemeral, EphemeralMetadata),
            list_resources: names!(lists, ListResourceMetadata),
            state_stores: Vec::new(),
            actions: names!(actions, ActionMetadata),
        }
    }

    pub(super) async fn get_provider_schema(
        &self,
        _: Call,
        _: wire::get_provider_schema::Request,
    ) -> wire::get_provider_schema::Response {
        response(&self.shared.provider, self.shared.registry())
    }

    pub(super) async fn get_resource_identity_schemas(
        &self,
        _: Call,
        _: wire::get_resource_identity_schemas::Request,
    ) -> wire::get_resource_identity_schemas::Response {
        let identity_schemas = self
            .shared
            .registry()
            .resources
            .iter()
            .filter_map(|(name, entry)| {
                let (identity, _) = entry.compiled().identity.as_ref()?;
                Some(((*name).to_owned(), identity.to_wire()))
            })
            .collect();
        wire::get_resource_identity_schemas::Response {
            identity_schemas,
            diagnostics: Vec::new(),
        }
    }

    pub(super) async fn get_functions(
        &self,
        _: Call,
        _: wire::get_functions::Request,
    ) -> wire::get_functions::Response {
        wire::get_functions::Response {
            functions: functions(self.shared.registry()),
            diagnostics: Vec::new(),
        }
    }
}
