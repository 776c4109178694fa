//! What is not stored: data sources, ephemeral resources, functions.

use proto_plugin::tfplugin6 as wire;
use serde_json::Value as Json;

use super::{Core, decode, dynamic, fail_on, find, put_off, settle};
use crate::rules::plan_problems;
use crate::{Error, Type, Value};

impl Core {
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
            provider_meta: self.meta()?,
            client_capabilities: self.announced(),
        };
        let answer = call!(self, read_data_source, "ReadDataSource", request)?;
        settle("ReadDataSource", answer.diagnostics)?;
        put_off(
            "ReadDataSource",
            answer.deferred.as_ref(),
            self.capabilities,
        )?;
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
            client_capabilities: self.announced(),
        };
        let answer = call!(
            self,
            open_ephemeral_resource,
            "OpenEphemeralResource",
            request
        )?;
        settle("OpenEphemeralResource", answer.diagnostics)?;
        put_off(
            "OpenEphemeralResource",
            answer.deferred.as_ref(),
            self.capabilities,
        )?;
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

    /// Renews an open ephemeral resource: when to renew again (seconds since the epoch), and the private bytes for it.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses.
    pub async fn renew(
        &mut self,
        type_name: &str,
        private: Vec<u8>,
    ) -> Result<(Option<i64>, Vec<u8>), Error> {
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
        let renew_at = answer.renew_at.map(|time| time.seconds);
        Ok((renew_at, answer.private.unwrap_or_default().to_vec()))
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
}
