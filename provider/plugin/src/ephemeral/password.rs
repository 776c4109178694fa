//! `managedk8s_generated_password`: a password that is derived, not stored.

use framework::{
    Attribute, Diagnostics, Dynamic, EphemeralResource, FromValue, OpenRequest, OpenResponse,
    Outcome, Path, Schema, ToValue, Value, async_trait, validators,
};

use super::credentials::cluster;
use crate::clients::Data;
use crate::handle::Handle;

/// Letters and digits that cannot be mistaken for one another.
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// `managedk8s_generated_password`.
pub struct GeneratedPassword;

#[derive(FromValue, ToValue)]
struct Model {
    cluster: Dynamic,
    purpose: Value<String>,
    version: Value<i64>,
    length: Value<i64>,
    password: Value<String>,
}

#[async_trait]
impl EphemeralResource<Data> for GeneratedPassword {
    fn type_name(&self) -> &'static str {
        "managedk8s_generated_password"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A password derived from the key, the cluster and a purpose: the same at every run, in no state, for write-only \
             attributes. Another `version` gives another password.",
        )
        .attributes([
            ("cluster", cluster()),
            (
                "purpose",
                Attribute::string("What it is for, such as `grafana/admin`. Each purpose has its own password.")
                    .required()
                    .validate(validators::length_between(1, 128)),
            ),
            (
                "version",
                Attribute::number("Raise it to get another password; 1 by default.")
                    .optional()
                    .validate(validators::at_least(1)),
            ),
            (
                "length",
                Attribute::number("Number of letters and digits; 32 by default.")
                    .optional()
                    .validate(validators::int_between(16, 128)),
            ),
            ("password", Attribute::string("The password.").computed().sensitive()),
        ])
    }

    async fn open(&self, request: OpenRequest<Data>, response: &mut OpenResponse) -> Outcome {
        let mut model: Model = request.config.get()?;
        let handle = Handle::read(&model.cluster)?;
        let key = request.data.cluster_key(&handle)?;
        let Value::Known(purpose) = &model.purpose else {
            return Err(Diagnostics::one_error_at(
                Path::of("purpose"),
                "purpose is missing",
                "Say what the password is for.",
            ));
        };
        let version = model.version.known().unwrap_or(1);
        let length = model.length.known().unwrap_or(32).clamp(16, 128) as usize;
        let password = key.text(&format!("password/{version}/{purpose}"), ALPHABET, length);
        model.password = password.expose_secret().to_owned().into();
        response.set_result(&model);
        Ok(())
    }
}
