//! Values between the wire and handlers.

use proto_plugin::tfplugin6 as wire;

use super::Compiled;
use crate::{Diagnostics, Dynamic, Type};

/// Reads a value; an absent one is null.
pub(crate) fn decode(
    value: Option<&wire::DynamicValue>,
    ty: &Type,
    what: &str,
) -> Result<Dynamic, Diagnostics> {
    let Some(value) = value else {
        return Ok(Dynamic::Null);
    };
    let failed = |error: &dyn std::error::Error| {
        Diagnostics::one_error(
            "value cannot be read",
            format!("The {what} that terraform sent cannot be read: {error}."),
        )
    };
    if value.msgpack.is_empty() && !value.json.is_empty() {
        crate::wire::from_json(&value.json, ty).map_err(|error| failed(&error))
    } else {
        crate::wire::decode(&value.msgpack, ty).map_err(|error| failed(&error))
    }
}

/// Writes a value that already has the shape of its type.
pub(crate) fn encode(value: &Dynamic, ty: &Type) -> Result<wire::DynamicValue, Diagnostics> {
    match crate::wire::encode(value, ty) {
        Ok(msgpack) => Ok(wire::DynamicValue {
            msgpack: msgpack.into(),
            ..Default::default()
        }),
        Err(error) => Err(Diagnostics::one_error(
            "value does not fit the schema",
            format!(
                "The answer cannot be written: {error}. This is a mistake in the provider; please report it."
            ),
        )),
    }
}

/// Reads an identity; an absent or null one is none.
pub(crate) fn decode_identity(
    identity: Option<&wire::ResourceIdentityData>,
    compiled: &Compiled,
) -> Result<Option<Dynamic>, Diagnostics> {
    let (Some(identity), Some(ty)) = (identity, compiled.identity_type()) else {
        return Ok(None);
    };
    let value = decode(identity.identity_data.as_ref(), ty, "identity")?;
    Ok((!value.is_null()).then_some(value))
}

/// Writes an identity.
pub(crate) fn encode_identity(
    identity: Option<&Dynamic>,
    compiled: &Compiled,
) -> Result<Option<wire::ResourceIdentityData>, Diagnostics> {
    let (Some(identity), Some(ty)) = (identity, compiled.identity_type()) else {
        return Ok(None);
    };
    Ok(Some(wire::ResourceIdentityData {
        identity_data: Some(encode(identity, ty)?),
    }))
}

/// Reads stored state or a stored identity as it is.
pub(crate) fn raw(state: Option<&wire::RawState>, what: &str) -> Result<Dynamic, Diagnostics> {
    let json = raw_json(state, what)?;
    crate::value::parse_json(json).map_err(|error| unreadable(what, &error))
}

/// The JSON of stored state.
pub(crate) fn raw_json<'s>(
    state: Option<&'s wire::RawState>,
    what: &str,
) -> Result<&'s [u8], Diagnostics> {
    match state {
        Some(state) if !state.json.is_empty() => Ok(&state.json),
        _ => Err(Diagnostics::one_error(
            "stored state of an unknown form",
            format!(
                "The {what} is not JSON. Terraform before 0.12 wrote it, and this provider never existed then."
            ),
        )),
    }
}

pub(crate) fn unreadable(what: &str, error: &dyn std::error::Error) -> Diagnostics {
    let cause = error
        .source()
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    Diagnostics::one_error(
        "stored state cannot be read",
        format!("The {what} cannot be read: {error}{cause}."),
    )
}
