//! Between values and messages, and what every answer is held against.

use std::collections::BTreeMap;

use proto_plugin::tfplugin6 as wire;
use serde_json::Value as Json;

use super::Core;
use crate::{Diagnostic, Error, Type, Value};

impl Core {
    pub(super) fn identity_data(
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

    pub(super) fn read_identity(
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

pub(super) fn find<T: Clone>(all: &BTreeMap<String, T>, name: &str) -> Result<T, Error> {
    all.get(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        Error::Usage(format!(
            "the provider has no {name:?}, only {}",
            names.join(", ")
        ))
    })
}

pub(super) fn settle(
    call: &'static str,
    wire: Vec<wire::Diagnostic>,
) -> Result<Vec<Diagnostic>, Error> {
    let diagnostics = Diagnostic::all(wire);
    if diagnostics.iter().any(|diagnostic| diagnostic.error) {
        return Err(Error::Diagnostics { call, diagnostics });
    }
    Ok(diagnostics)
}

pub(super) fn fail_on(call: &'static str, problems: Vec<String>) -> Result<(), Error> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid { call, problems })
    }
}

pub(super) fn dynamic(value: &Value, ty: &Type) -> wire::DynamicValue {
    wire::DynamicValue {
        msgpack: value.encode(ty).into(),
        json: bytes_empty(),
    }
}

pub(super) fn decode(
    value: Option<wire::DynamicValue>,
    ty: &Type,
    problems: &mut Vec<String>,
) -> Value {
    let value = value.unwrap_or_default();
    if value.msgpack.is_empty() && !value.json.is_empty() {
        problems.push("answer in JSON: not every core takes it".into());
    }
    Value::decode(&value.msgpack, ty).unwrap_or_else(|problem| {
        problems.push(format!("cannot decode: {problem}"));
        Value::Null
    })
}

pub(super) fn raw(json: &Json) -> wire::RawState {
    wire::RawState {
        json: json.to_string().into_bytes().into(),
        flatmap: BTreeMap::new(),
    }
}

pub(super) fn bytes_empty() -> prost::bytes::Bytes {
    prost::bytes::Bytes::new()
}

/// A deferred answer: a rule is broken if this client did not allow it.
pub(super) fn put_off(
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
