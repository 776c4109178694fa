//! Validation of configurations, configuration of the provider, StopProvider.

use proto_plugin::tfplugin6 as wire;

use super::call::{Call, capabilities};
use super::codec::decode;
use super::panics::{collect, outcome};
use super::registry::find;
use super::{Compiled, Server};
use crate::semantics::{refuse_write_only, validate};
use crate::{
    ClientCapabilities, ConfigureRequest, ConfigureResponse, Diagnostics, Dynamic, Provider,
    ValidateConfigRequest, ValidateProviderRequest,
};

/// The part that needs no handler: decoding and the schema's own rules.
fn prepare(
    compiled: &Compiled,
    config: Option<&wire::DynamicValue>,
) -> Result<(Dynamic, Diagnostics), Diagnostics> {
    let config = decode(config, &compiled.ty, "configuration")?;
    let diagnostics = super::panics::catch(|| validate(&compiled.schema, &config))?;
    Ok((config, diagnostics))
}

/// Declares the validation of one kind of configuration.
macro_rules! validation {
    ($method:ident, $messages:ident, $name:ident, $entries:ident, $kind:literal, |$request:ident| $capabilities:expr) => {
        impl<P: Provider> Server<P> {
            pub(super) async fn $method(
                &self,
                _: Call,
                $request: wire::$messages::Request,
            ) -> wire::$messages::Response {
                let check = async {
                    let registry = self.shared.registry();
                    let entry = find(&registry.$entries, &$request.$name, $kind)?;
                    let compiled = entry.compiled();
                    let (config, mut diagnostics) = prepare(compiled, $request.config.as_ref())?;
                    let capabilities: ClientCapabilities = $capabilities;
                    if !capabilities.write_only_attributes_allowed {
                        diagnostics.extend(refuse_write_only(&compiled.schema, &config));
                    }
                    let request = ValidateConfigRequest {
                        config,
                        capabilities,
                    };
                    let mut more = Diagnostics::new();
                    outcome(
                        entry.handler.validate_config(request, &mut more),
                        &mut diagnostics,
                    )
                    .await;
                    diagnostics.extend(more);
                    Ok::<_, Diagnostics>(diagnostics)
                };
                wire::$messages::Response {
                    diagnostics: check.await.unwrap_or_else(|errors| errors).to_wire(),
                }
            }
        }
    };
}

validation!(
    validate_resource_config,
    validate_resource_config,
    type_name,
    resources,
    "resource",
    |request| capabilities(request.client_capabilities)
);
validation!(
    validate_data_resource_config,
    validate_data_resource_config,
    type_name,
    data_sources,
    "data source",
    |request| ClientCapabilities::default()
);
validation!(
    validate_ephemeral_resource_config,
    validate_ephemeral_resource_config,
    type_name,
    ephemeral,
    "ephemeral resource",
    |request| ClientCapabilities::default()
);
validation!(
    validate_list_resource_config,
    validate_list_resource_config,
    type_name,
    lists,
    "list resource",
    |request| ClientCapabilities::default()
);
validation!(
    validate_action_config,
    validate_action_config,
    type_name,
    actions,
    "action",
    |request| ClientCapabilities::default()
);

impl<P: Provider> Server<P> {
    pub(super) async fn validate_provider_config(
        &self,
        _: Call,
        request: wire::validate_provider_config::Request,
    ) -> wire::validate_provider_config::Response {
        let check = async {
            let provider = &self.shared.provider;
            let compiled = self.shared.registry().provider(provider);
            let (config, mut diagnostics) = prepare(compiled, request.config.as_ref())?;
            let request = ValidateProviderRequest { config };
            let mut more = Diagnostics::new();
            outcome(
                provider.validate_config(request, &mut more),
                &mut diagnostics,
            )
            .await;
            diagnostics.extend(more);
            Ok::<_, Diagnostics>(diagnostics)
        };
        wire::validate_provider_config::Response {
            diagnostics: check.await.unwrap_or_else(|errors| errors).to_wire(),
        }
    }

    pub(super) async fn configure_provider(
        &self,
        call: Call,
        request: wire::configure_provider::Request,
    ) -> wire::configure_provider::Response {
        let mut response = ConfigureResponse::default();
        let configure = async {
            let provider = &self.shared.provider;
            let compiled = self.shared.registry().provider(provider);
            let request = ConfigureRequest {
                config: decode(
                    request.config.as_ref(),
                    &compiled.ty,
                    "provider configuration",
                )?,
                terraform_version: request.terraform_version,
                capabilities: capabilities(request.client_capabilities),
                // Clients live as long as the session, not as long as this call.
                cancel: self.session.cancel.clone(),
            };
            drop(call);
            collect(provider.configure(request, &mut response)).await
        };
        match configure.await {
            Ok(data) => self.session.configure(data, response.unready),
            Err(errors) => response.diagnostics.extend(errors),
        }
        wire::configure_provider::Response {
            diagnostics: response.diagnostics.to_wire(),
        }
    }

    pub(super) async fn stop_provider(
        &self,
        _: Call,
        _: wire::stop_provider::Request,
    ) -> wire::stop_provider::Response {
        tracing::info!("interrupt: work in flight is cancelled");
        self.session.cancel.cancel();
        wire::stop_provider::Response::default()
    }
}
