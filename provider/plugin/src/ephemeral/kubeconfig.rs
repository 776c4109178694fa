//! `managedk8s_kubeconfig`: access to the Kubernetes API for other providers.

use framework::{
    Attribute, Dynamic, EphemeralResource, FromValue, OpenRequest, OpenResponse, Outcome, Schema,
    ToValue, Type, Value, async_trait,
};
use talos::access::KubernetesAccess;

use super::credentials::{cluster, mint, ttl};
use crate::clients::Data;

/// `managedk8s_kubeconfig`.
pub struct Kubeconfig;

#[derive(FromValue, ToValue)]
struct Model {
    cluster: Dynamic,
    ttl: Value<String>,
    user: Value<String>,
    groups: Value<Vec<String>>,
    host: Value<String>,
    cluster_ca_certificate: Value<String>,
    client_certificate: Value<String>,
    client_key: Value<String>,
    proxy_url: Value<String>,
    kubeconfig: Value<String>,
}

#[async_trait]
impl EphemeralResource<Data> for Kubeconfig {
    fn type_name(&self) -> &'static str {
        "managedk8s_kubeconfig"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A kubeconfig that lives for minutes, for the kubernetes and helm providers: minted on this machine from the key \
             and the cluster's handle, without any call.",
        )
        .attributes([
            ("cluster", cluster()),
            ("ttl", ttl()),
            ("user", Attribute::string("The user named in the certificate; `admin` by default.").optional()),
            (
                "groups",
                Attribute::list(Type::String, "The groups named in it; `system:masters` by default.").optional(),
            ),
            ("host", Attribute::string("URL of the Kubernetes API.").computed()),
            ("cluster_ca_certificate", Attribute::string("CA certificate of the API, PEM.").computed()),
            ("client_certificate", Attribute::string("The minted certificate, PEM.").computed()),
            ("client_key", Attribute::string("Its key, PEM.").computed().sensitive()),
            (
                "proxy_url",
                Attribute::string("The proxy of the provider block, when there is one.").computed(),
            ),
            ("kubeconfig", Attribute::string("All of it as a kubeconfig.").computed().sensitive()),
        ])
    }

    async fn open(&self, request: OpenRequest<Data>, response: &mut OpenResponse) -> Outcome {
        let mut model: Model = request.config.get()?;
        let (handle, pki, validity) = mint(&model.cluster, &model.ttl, &request.data)?;
        let user = model
            .user
            .clone()
            .known()
            .unwrap_or_else(|| "admin".to_owned());
        let groups = model
            .groups
            .clone()
            .known()
            .unwrap_or_else(|| vec!["system:masters".to_owned()]);
        let credential = pki
            .kubernetes_client(&user, &groups, validity)
            .map_err(|error| {
                framework::Diagnostics::one_error(
                    "cannot mint a certificate",
                    transport::chain(&error),
                )
            })?;
        let proxy_url = request.data.settings.proxy_url.clone();
        let ca = &handle.certificate_authorities.kubernetes;
        let access = KubernetesAccess {
            name: &handle.identifier,
            server: &handle.endpoint,
            ca,
            proxy_url: proxy_url.as_deref(),
        };
        model.host = handle.endpoint.clone().into();
        model.cluster_ca_certificate = ca.clone().into();
        model.client_certificate = credential.certificate.to_pem().into();
        model.client_key = credential.key.to_pem().expose_secret().to_owned().into();
        model.kubeconfig = access
            .with_credential(&user, &credential)
            .expose_secret()
            .to_owned()
            .into();
        model.proxy_url = proxy_url.clone().into();
        response.set_result(&model);
        Ok(())
    }
}
