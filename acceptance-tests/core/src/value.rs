//! Terraform values and their MessagePack form, written apart from the framework's own: what judges must not share
//! code with what is judged.

use std::collections::BTreeMap;

use rmp::Marker;
use serde_json::Value as Json;

/// The type of a value, as the protocol's type JSON names it.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `"string"`.
    String,
    /// `"number"`.
    Number,
    /// `"bool"`.
    Bool,
    /// `"dynamic"`: the value brings its own type.
    Dynamic,
    /// `["list", T]`.
    List(Box<Type>),
    /// `["set", T]`.
    Set(Box<Type>),
    /// `["map", T]`.
    Map(Box<Type>),
    /// `["tuple", [T, ...]]`.
    Tuple(Vec<Type>),
    /// `["object", {...}]`.
    Object(BTreeMap<String, Type>),
}

impl Type {
    /// Reads type JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(json: &Json) -> Result<Self, String> {
        if let Some(name) = json.as_str() {
            return match name {
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "dynamic" => Ok(Self::Dynamic),
                other => Err(format!("no such type: {other:?}")),
            };
        }
        let parts = json.as_array().filter(|parts| parts.len() >= 2);
        let Some([kind, inner, ..]) = parts.map(Vec::as_slice) else {
            return Err(format!("not a type: {json}"));
        };
        match kind.as_str().unwrap_or_default() {
            "list" => Ok(Self::List(Box::new(Self::parse(inner)?))),
            "set" => Ok(Self::Set(Box::new(Self::parse(inner)?))),
            "map" => Ok(Self::Map(Box::new(Self::parse(inner)?))),
            "tuple" => inner
                .as_array()
                .ok_or_else(|| format!("not a tuple type: {json}"))?
                .iter()
                .map(Self::parse)
                .collect::<Result<_, _>>()
                .map(Self::Tuple),
            "object" => inner
                .as_object()
                .ok_or_else(|| format!("not an object type: {json}"))?
                .iter()
                .map(|(name, inner)| Ok((name.clone(), Self::parse(inner)?)))
                .collect::<Result<_, String>>()
                .map(Self::Object),
            other => Err(format!("no such type constructor: {other:?}")),
        }
    }

    /// The type JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::String => "string".into(),
            Self::Number => "number".into(),
            Self::Bool => "bool".into(),
            Self::Dynamic => "dynamic".into(),
            Self::List(inner) => serde_json::json!(["list", inner.to_json()]),
            Self::Set(inner) => serde_json::json!(["set", inner.to_json()]),
            Self::Map(inner) => serde_json::json!(["map", inner.to_json()]),
            Self::Tuple(inner) => {
                serde_json::json!(["tuple", inner.iter().map(Self::to_json).collect::<Vec<_>>()])
            }
            Self::Object(inner) => {
                let members: serde_json::Map<String, Json> = inner
                    .iter()
                    .map(|(name, inner)| (name.clone(), inner.to_json()))
                    .collect();
                serde_json::json!(["object", members])
            }
        }
    }
}

/// A value. Sets are lists here; the type tells them apart where it matters.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not set.
    Null,
    /// Known after apply. Refinements are dropped, as core drops them before comparing.
    Unknown,
    /// A truth value.
    Bool(bool),
    /// A number, in the shortest decimal text.
    Number(String),
    /// A text.
    String(String),
    /// List, set or tuple.
    List(Vec<Value>),
    /// Map or object.
    Map(BTreeMap<String, Value>),
    /// A value of dynamic type, with the type it brings.
    Dynamic(Type, Box<Value>),
}

/// The text that stands for an unknown value in [`Value::from_json`].
pub const UNKNOWN: &str = "\u{0}unknown";

impl Value {
    /// Reads a value written as JSON, guided by its type; attributes that are left out are null, the text [`UNKNOWN`]
    /// is unknown.
    ///
    /// # Errors
    ///
    /// Where the JSON does not fit the type.
    pub fn from_json(json: &Json, ty: &Type) -> Result<Self, String> {
        if json.as_str() == Some(UNKNOWN) {
            return Ok(Self::Unknown);
        }
        Ok(match (json, ty) {
            (Json::Null, _) => Self::Null,
            (_, Type::Dynamic) => {
                let ty = dynamic_type(json);
                let value = Self::from_json(json, &ty)?;
                Self::Dynamic(ty, Box::new(value))
            }
            (Json::Bool(value), Type::Bool) => Self::Bool(*value),
            (Json::Number(value), Type::Number) => Self::Number(value.to_string()),
            (Json::String(value), Type::String) => Self::String(value.clone()),
            (Json::Array(values), Type::List(inner) | Type::Set(inner)) => Self::List(
                values
                    .iter()
                    .map(|value| Self::from_json(value, inner))
                    .collect::<Result<_, _>>()?,
            ),
            (Json::Array(values), Type::Tuple(inner)) if values.len() == inner.len() => Self::List(
                values
                    .iter()
                    .zip(inner)
                    .map(|(value, inner)| Self::from_json(value, inner))
                    .collect::<Result<_, _>>()?,
            ),
            (Json::Object(values), Type::Map(inner)) => Self::Map(
                values
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::from_json(value, inner)?)))
                    .collect::<Result<_, String>>()?,
            ),
            (Json::Object(values), Type::Object(inner)) => {
                if let Some(extra) = values.keys().find(|key| !inner.contains_key(*key)) {
                    return Err(format!("no attribute {extra:?} in {}", ty.to_json()));
                }
                Self::Map(
                    inner
                        .iter()
                        .map(|(key, inner)| {
                            let value = values.get(key).unwrap_or(&Json::Null);
                            Ok((key.clone(), Self::from_json(value, inner)?))
                        })
                        .collect::<Result<_, String>>()?,
                )
            }
            _ => return Err(format!("{json} is not a {}", ty.to_json())),
        })
    }

    /// The value as JSON; unknown is the text [`UNKNOWN`].
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Unknown => UNKNOWN.into(),
            Self::Bool(value) => (*value).into(),
            Self::Number(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| text.clone().into())
            }
            Self::String(text) => text.clone().into(),
            Self::List(values) => values.iter().map(Self::to_json).collect::<Vec<_>>().into(),
            Self::Map(values) => Json::Object(
                values
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_json()))
                    .collect(),
            ),
            Self::Dynamic(_, value) => value.to_json(),
        }
    }

    /// Whether no part of it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(values) => values.iter().all(Self::is_wholly_known),
            Self::Map(values) => values.values().all(Self::is_wholly_known),
            Self::Dynamic(_, value) => value.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// A member of an object or map; null when there is none.
    pub fn member(&self, name: &str) -> &Self {
        match self {
            Self::Map(members) => members.get(name).unwrap_or(&Self::Null),
            Self::Unknown => &Self::Unknown,
            _ => &Self::Null,
        }
    }

    /// MessagePack as core writes it.
    pub fn encode(&self, ty: &Type) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(ty, &mut out);
        out
    }

    fn write(&self, ty: &Type, out: &mut Vec<u8>) {
        // Writing into a vector cannot fail.
        match (self, ty) {
            (Self::Null, _) => out.push(0xc0),
            (Self::Unknown, _) => out.extend([0xd4, 0, 0]),
            (Self::Dynamic(inner, value), _) => {
                let _ = rmp::encode::write_array_len(out, 2);
                let _ = rmp::encode::write_bin(out, inner.to_json().to_string().as_bytes());
                value.write(inner, out);
            }
            (Self::Bool(value), _) => out.push(if *value { 0xc3 } else { 0xc2 }),
            (Self::Number(text), _) => write_number(text, out),
            (Self::String(text), _) => {
                let _ = rmp::encode::write_str(out, text);
            }
            (Self::List(values), _) => {
                let _ = rmp::encode::write_array_len(out, values.len() as u32);
                for (position, value) in values.iter().enumerate() {
                    value.write(element_type(ty, position), out);
                }
            }
            (Self::Map(values), _) => {
                let _ = rmp::encode::write_map_len(out, values.len() as u32);
                for (key, value) in values {
                    let _ = rmp::encode::write_str(out, key);
                    value.write(member_type(ty, key), out);
                }
            }
        }
    }

    /// Reads MessagePack as strictly as core does: objects must have exactly the attributes of their type.
    ///
    /// # Errors
    ///
    /// What core would refuse.
    pub fn decode(mut bytes: &[u8], ty: &Type) -> Result<Self, String> {
        if bytes.is_empty() {
            return Ok(Self::Null);
        }
        let value = Self::read(&mut bytes, ty)?;
        if bytes.is_empty() {
            Ok(value)
        } else {
            Err(format!("{} bytes after the value", bytes.len()))
        }
    }

    fn read(bytes: &mut &[u8], ty: &Type) -> Result<Self, String> {
        let marker = bytes
            .first()
            .copied()
            .map(Marker::from_u8)
            .ok_or("value ends early")?;
        match marker {
            Marker::Null => {
                *bytes = &bytes[1..];
                return Ok(Self::Null);
            }
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => return read_unknown(bytes),
            _ => {}
        }
        match ty {
            Type::Dynamic => {
                if rmp::decode::read_array_len(bytes).map_err(text)? != 2 {
                    return Err("a dynamic value is an array of two".into());
                }
                let json = read_raw(bytes)?;
                let json = serde_json::from_slice(json).map_err(text)?;
                let inner = Type::parse(&json)?;
                let value = Self::read(bytes, &inner)?;
                Ok(Self::Dynamic(inner, Box::new(value)))
            }
            Type::Bool => rmp::decode::read_bool(bytes).map(Self::Bool).map_err(text),
            Type::Number => read_number(bytes, marker),
            Type::String => read_string(bytes).map(Self::String),
            Type::List(_) | Type::Set(_) | Type::Tuple(_) => {
                let length = rmp::decode::read_array_len(bytes).map_err(text)? as usize;
                if let Type::Tuple(types) = ty
                    && types.len() != length
                {
                    return Err(format!(
                        "a tuple of {} is required, not {length}",
                        types.len()
                    ));
                }
                (0..length)
                    .map(|position| Self::read(bytes, element_type(ty, position)))
                    .collect::<Result<_, _>>()
                    .map(Self::List)
            }
            Type::Map(_) | Type::Object(_) => Self::read_members(bytes, ty),
        }
    }

    fn read_members(bytes: &mut &[u8], ty: &Type) -> Result<Self, String> {
        let length = rmp::decode::read_map_len(bytes).map_err(text)? as usize;
        let mut members = BTreeMap::new();
        for _ in 0..length {
            let key = read_string(bytes)?;
            if let Type::Object(types) = ty
                && !types.contains_key(&key)
            {
                return Err(format!("unsupported attribute {key:?}"));
            }
            let value = Self::read(bytes, member_type(ty, &key))
                .map_err(|problem| format!(".{key}: {problem}"))?;
            if members.insert(key.clone(), value).is_some() {
                return Err(format!("attribute {key:?} twice"));
            }
        }
        if let Type::Object(types) = ty
            && members.len() != types.len()
        {
            return Err(format!(
                "an object with {} attributes is required ({length} given)",
                types.len()
            ));
        }
        Ok(Self::Map(members))
    }
}

/// Core's equality: sets without order, numbers by their value.
pub fn same(left: &Value, right: &Value, ty: &Type) -> bool {
    match (left, right, ty) {
        (Value::Dynamic(a, x), Value::Dynamic(b, y), _) => a == b && same(x, y, a),
        (Value::Number(a), Value::Number(b), _) => {
            a == b
                || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a.to_bits() == b.to_bits())
        }
        (Value::List(a), Value::List(b), Type::Set(inner)) => {
            a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| same(x, y, inner)))
        }
        (Value::List(a), Value::List(b), _) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .enumerate()
                    .all(|(position, (x, y))| same(x, y, element_type(ty, position)))
        }
        (Value::Map(a), Value::Map(b), _) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, x)| b.get(key).is_some_and(|y| same(x, y, member_type(ty, key))))
        }
        _ => left == right,
    }
}

/// The type of an element.
pub(crate) fn element_type(ty: &Type, position: usize) -> &Type {
    match ty {
        Type::List(inner) | Type::Set(inner) => inner,
        Type::Tuple(types) => types.get(position).unwrap_or(&Type::Dynamic),
        _ => &Type::Dynamic,
    }
}

/// The type of a member.
pub(crate) fn member_type<'t>(ty: &'t Type, key: &str) -> &'t Type {
    match ty {
        Type::Map(inner) => inner,
        Type::Object(types) => types.get(key).unwrap_or(&Type::Dynamic),
        _ => &Type::Dynamic,
    }
}

/// The type HCL would give a literal.
fn dynamic_type(json: &Json) -> Type {
    match json {
        Json::Null | Json::String(_) => Type::String,
        Json::Bool(_) => Type::Bool,
        Json::Number(_) => Type::Number,
        Json::Array(values) => Type::Tuple(values.iter().map(dynamic_type).collect()),
        Json::Object(values) => Type::Object(
            values
                .iter()
                .map(|(key, value)| (key.clone(), dynamic_type(value)))
                .collect(),
        ),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Result<&'b [u8], String> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or("value ends early")?;
    *bytes = rest;
    Ok(taken)
}

fn read_unknown(bytes: &mut &[u8]) -> Result<Value, String> {
    let meta = rmp::decode::read_ext_meta(bytes).map_err(text)?;
    if meta.typeid == 12 && meta.size > 1024 {
        return Err("refinement over 1024 bytes".into());
    }
    take(bytes, meta.size as usize)?;
    Ok(Value::Unknown)
}

fn read_raw<'b>(bytes: &mut &'b [u8]) -> Result<&'b [u8], String> {
    let length = match bytes.first().copied().map(Marker::from_u8) {
        Some(Marker::Bin8 | Marker::Bin16 | Marker::Bin32) => {
            rmp::decode::read_bin_len(bytes).map_err(text)?
        }
        _ => rmp::decode::read_str_len(bytes).map_err(text)?,
    };
    take(bytes, length as usize)
}

fn read_string(bytes: &mut &[u8]) -> Result<String, String> {
    let length = rmp::decode::read_str_len(bytes).map_err(text)? as usize;
    String::from_utf8(take(bytes, length)?.to_vec()).map_err(text)
}

fn read_number(bytes: &mut &[u8], marker: Marker) -> Result<Value, String> {
    let number = match marker {
        Marker::F64 => rmp::decode::read_f64(bytes).map_err(text)?.to_string(),
        Marker::F32 => f64::from(rmp::decode::read_f32(bytes).map_err(text)?).to_string(),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => read_string(bytes)?,
        Marker::U64 => rmp::decode::read_u64(bytes).map_err(text)?.to_string(),
        _ => rmp::decode::read_int::<i64, _>(bytes)
            .map_err(text)?
            .to_string(),
    };
    Ok(Value::Number(number))
}

fn write_number(number: &str, out: &mut Vec<u8>) {
    // Integers in their smallest form, floats only where they are exact, everything else as text: as cty does.
    if let Ok(integer) = number.parse::<i64>() {
        let _ = rmp::encode::write_sint(out, integer);
    } else if let Ok(float) = number.parse::<f64>()
        && (float * 1_048_576.0).fract() == 0.0
        && float.abs() < 1e15
    {
        let _ = rmp::encode::write_f64(out, float);
    } else {
        let _ = rmp::encode::write_str(out, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(json: &str, ty: &str) -> Json {
        let ty = Type::parse(&serde_json::from_str(ty).expect("type JSON")).expect("a type");
        let value =
            Value::from_json(&serde_json::from_str(json).expect("JSON"), &ty).expect("fits");
        Value::decode(&value.encode(&ty), &ty)
            .expect("decodes")
            .to_json()
    }

    #[test]
    fn values_survive_the_wire() {
        let ty = r#"["object",{"a":"string","b":["list","number"],"c":["map","bool"],"d":"dynamic","e":["set","string"]}]"#;
        let json = r#"{"a":"x","b":[1,-7,0.5,0.1,9007199254740993],"c":{"k":true},"d":{"x":[1,"y"]},"e":["p","q"]}"#;
        let expected: Json = serde_json::from_str(json).expect("JSON");
        assert_eq!(round_trip(json, ty), expected);
    }

    #[test]
    fn objects_must_have_every_attribute() {
        let ty = Type::Object([("a".to_owned(), Type::String)].into());
        let empty = Value::Map(BTreeMap::new()).encode(&ty);
        assert!(Value::decode(&empty, &ty).is_err());
    }

    #[test]
    fn decimals_travel_as_text() {
        assert_eq!(
            Value::Number("0.1".into()).encode(&Type::Number),
            b"\xa30.1"
        );
        assert_eq!(Value::Unknown.encode(&Type::Number), [0xd4, 0, 0]);
    }
}
