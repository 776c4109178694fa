//! `managedk8s_talosconfig`: access to the machine API.

use framework::{
    Attribute, Diagnostics, Dynamic, EphemeralResource, FromValue, OpenRequest, OpenResponse,
    Outcome, Path, Schema, ToValue, Type, Value, async_trait, validators,
};
use talos::TalosRole;
use talos::access::TalosAccess;

use super::credentials::{cluster, mint, ttl};
use crate::clients::Data;

/// `managedk8s_talosconfig`.
pub struct Talosconfig;

#[derive(FromValue, ToValue)]
struct Model {
    cluster: Dynamic,
    ttl: Value<String>,
    role: Value<String>,
    endpoints: Value<Vec<String>>,
    ca_certificate: Value<String>,
    client_certificate: Value<String>,
    client_key: Value<String>,
    talosconfig: Value<String>,
}

/// The role of a word of HCL.
fn role(word: &str) -> Option<TalosRole> {
    match word {
        "admin" => Some(TalosRole::Admin),
        "operator" => Some(TalosRole::Operator),
        "reader" => Some(TalosRole::Reader),
        _ => None,
    }
}

#[async_trait]
impl EphemeralResource<Data> for Talosconfig {
    fn type_name(&self) -> &'static str {
        "managedk8s_talosconfig"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A talosconfig that lives for minutes: minted on this machine from the key and the cluster's handle, without any \
             call.",
        )
        .attributes([
            ("cluster", cluster()),
            ("ttl", ttl()),
            (
                "role",
                Attribute::string("`admin` (default), `operator` or `reader`.")
                    .optional()
                    .validate(validators::one_of(["admin", "operator", "reader"])),
            ),
            ("endpoints", Attribute::list(Type::String, "Addresses of the control planes.").computed()),
            ("ca_certificate", Attribute::string("CA certificate of the machine API, PEM.").computed()),
            ("client_certificate", Attribute::string("The minted certificate, PEM.").computed()),
            ("client_key", Attribute::string("Its key, PEM.").computed().sensitive()),
            ("talosconfig", Attribute::string("All of it as a talosconfig.").computed().sensitive()),
        ])
    }

    async fn open(&self, request: OpenRequest<Data>, response: &mut OpenResponse) -> Outcome {
        let mut model: Model = request.config.get()?;
        let (handle, pki, validity) = mint(&model.cluster, &model.ttl, &request.data)?;
        let word = model
            .role
            .clone()
            .known()
            .unwrap_or_else(|| "admin".to_owned());
        let role = role(&word).ok_or_else(|| {
            Diagnostics::one_error_at(
                Path::of("role"),
                "no such role",
                format!("Seen: {word:?}\nAllowed: admin, operator, reader\nChoose one of these."),
            )
        })?;
        let credential = pki.talos_client(role, validity).map_err(|error| {
            Diagnostics::one_error("cannot mint a certificate", transport::chain(&error))
        })?;
        let ca = &handle.certificate_authorities.talos;
        let access = TalosAccess {
            name: &handle.identifier,
            endpoints: &handle.control_plane_addresses,
            nodes: &[],
            ca,
            proxy_url: request.data.settings.proxy_url.as_deref(),
        };
        model.endpoints = handle.control_plane_addresses.clone().into();
        model.ca_certificate = ca.clone().into();
        model.client_certificate = credential.certificate.to_pem().into();
        model.client_key = credential.key.to_pem().expose_secret().to_owned().into();
        model.talosconfig = access
            .with_credential(&credential)
            .expose_secret()
            .to_owned()
            .into();
        response.set_result(&model);
        Ok(())
    }
}
