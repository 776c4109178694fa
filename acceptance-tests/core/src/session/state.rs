//! Stored objects: upgrade, refresh, import, move.

use proto_plugin::tfplugin6 as wire;
use serde_json::Value as Json;

use super::{Core, Instance, bytes_empty, decode, dynamic, fail_on, find, put_off, raw, settle};
use crate::rules::write_only;
use crate::value::same;
use crate::{Error, Value};

impl Core {
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
            provider_meta: self.meta()?,
            client_capabilities: self.announced(),
            current_identity: self.identity_data(type_name, instance.identity.as_ref()),
        };
        let answer = call!(self, read_resource, "ReadResource", request)?;
        put_off("ReadResource", answer.deferred.as_ref(), self.capabilities)?;
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

    /// Upgrades a stored identity of any version.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when the answer does not fit the schema.
    pub async fn upgrade_identity(
        &mut self,
        type_name: &str,
        version: i64,
        identity: &Json,
    ) -> Result<Value, Error> {
        let answer = self
            .ask_identity_upgrade(type_name, version, raw(identity))
            .await?;
        let mut problems = Vec::new();
        let upgraded = self.read_identity(type_name, answer.upgraded_identity, &mut problems);
        if upgraded
            .as_ref()
            .is_none_or(|value| !value.is_wholly_known())
        {
            problems.push("no identity, or one that is not wholly known".to_owned());
        }
        fail_on("UpgradeResourceIdentity", problems)?;
        Ok(upgraded.unwrap_or(Value::Null))
    }

    async fn ask_identity_upgrade(
        &mut self,
        type_name: &str,
        version: i64,
        identity: wire::RawState,
    ) -> Result<wire::upgrade_resource_identity::Response, Error> {
        let request = wire::upgrade_resource_identity::Request {
            type_name: type_name.into(),
            version,
            raw_identity: Some(identity),
        };
        let mut answer = call!(
            self,
            upgrade_resource_identity,
            "UpgradeResourceIdentity",
            request
        )?;
        let diagnostics = std::mem::take(&mut answer.diagnostics);
        settle("UpgradeResourceIdentity", diagnostics)?;
        Ok(answer)
    }

    /// Asks for the upgrade of an identity that was never stored, as core does for state from before there was one if the
    /// identity's version is not 0.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when the answer does not fit the schema.
    pub async fn upgrade_no_identity(&mut self, type_name: &str) -> Result<Option<Value>, Error> {
        let answer = self
            .ask_identity_upgrade(type_name, 0, wire::RawState::default())
            .await?;
        let mut problems = Vec::new();
        if answer.upgraded_identity.is_none() {
            problems.push("no value at all, not even null".to_owned());
        }
        let upgraded = self.read_identity(type_name, answer.upgraded_identity, &mut problems);
        fail_on("UpgradeResourceIdentity", problems)?;
        Ok(upgraded)
    }

    /// Turns a state into a configuration that would make it, as `-generate-config-out` needs it.
    ///
    /// # Errors
    ///
    /// [`Error::Diagnostics`] when the provider refuses, [`Error::Invalid`] when the answer does not fit the schema.
    pub async fn generate_config(
        &mut self,
        type_name: &str,
        state: &Value,
    ) -> Result<Value, Error> {
        let ty = self.resource(type_name)?.ty();
        let request = wire::generate_resource_config::Request {
            type_name: type_name.into(),
            state: Some(dynamic(state, &ty)),
        };
        let answer = call!(
            self,
            generate_resource_config,
            "GenerateResourceConfig",
            request
        )?;
        settle("GenerateResourceConfig", answer.diagnostics)?;
        let mut problems = Vec::new();
        let config = decode(answer.config, &ty, &mut problems);
        fail_on("GenerateResourceConfig", problems)?;
        Ok(config)
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
            client_capabilities: self.announced(),
            identity: self.identity_data(type_name, identity.as_ref()),
        };
        let answer = call!(self, import_resource_state, "ImportResourceState", request)?;
        settle("ImportResourceState", answer.diagnostics)?;
        put_off(
            "ImportResourceState",
            answer.deferred.as_ref(),
            self.capabilities,
        )?;
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
}
