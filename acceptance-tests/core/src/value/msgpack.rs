//! MessagePack, written and read as core does it.

use std::collections::BTreeMap;

use rmp::Marker;

use super::{Type, Value, element_type, member_type};

impl Value {
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
    use serde_json::Value as Json;

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
