//! Bodies in protobuf: typed Go clients, `helm`, parts of `kubectl` and Terraform's Kubernetes provider among them, write
//! in nothing else.

mod schema;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use schema::{Message, Type};

/// What every body starts with.
const MAGIC: &[u8] = b"k8s\0";

/// A field as it lies in the bytes.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message; nothing when the bytes are not one.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, Wire<'_>)>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let number = u32::try_from(tag >> 3).ok()?;
        let value = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => Wire::Bytes(split(&mut bytes, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Wire::Bytes(split(&mut bytes, length)?)
            }
            5 => Wire::Bytes(split(&mut bytes, 4)?),
            _ => return None,
        };
        out.push((number, value));
    }
    Some(out)
}

fn split<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = bytes.split_first()?;
        *bytes = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// The object in a body; nothing when it is of a kind that the table does not describe, or malformed.
pub(super) fn decode(body: &[u8]) -> Option<Value> {
    let envelope = fields(body.strip_prefix(MAGIC)?)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[] as &[u8]);
    for (number, value) in envelope {
        match (number, value) {
            (1, Wire::Bytes(bytes)) => {
                for (number, value) in fields(bytes)? {
                    match (number, value) {
                        (1, Wire::Bytes(bytes)) => api_version = text(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut object = message(schema::of_kind(&api_version, &kind)?, raw)?;
    object.insert("apiVersion".to_owned(), json!(api_version));
    object.insert("kind".to_owned(), json!(kind));
    Some(Value::Object(object))
}

fn message(shape: &Message, bytes: &[u8]) -> Option<Map<String, Value>> {
    let mut out = Map::new();
    for (number, wire) in fields(bytes)? {
        // A field of a newer version is dropped, as the real server does.
        let Some(field) = shape.get(&number) else {
            continue;
        };
        match (&field.kind, &wire) {
            (Type::List(item), _) => {
                let list = out.entry(field.name).or_insert_with(|| json!([]));
                super::value::items(list).push(value(item, &wire)?);
            }
            (Type::Map(item), Wire::Bytes(bytes)) => {
                let (key, value) = entry(item, bytes)?;
                let map = out.entry(field.name).or_insert_with(|| json!({}));
                super::value::members(map).insert(key, value);
            }
            (Type::Inline(name), Wire::Bytes(bytes)) => {
                out.extend(message(schema::message(name)?, bytes)?);
            }
            (kind, _) => {
                let value = value(kind, &wire)?;
                if !value.is_null() && (field.pointer || !is_empty(&value)) {
                    out.insert(field.name.to_owned(), value);
                }
            }
        }
    }
    Some(out)
}

/// An entry of a map: a message of key and value, each left out when empty.
fn entry(item: &Type, bytes: &[u8]) -> Option<(String, Value)> {
    let (mut key, mut found) = (String::new(), None);
    for (number, wire) in fields(bytes)? {
        match (number, &wire) {
            (1, Wire::Bytes(bytes)) => key = text(bytes)?,
            (2, _) => found = Some(value(item, &wire)?),
            _ => {}
        }
    }
    Some((key, found.unwrap_or_else(|| json!(""))))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Array(_) => false,
    }
}

/// One value; nothing when the bytes are of another type.
fn value(kind: &Type, wire: &Wire<'_>) -> Option<Value> {
    Some(match (kind, wire) {
        (Type::Text, Wire::Bytes(bytes)) => json!(text(bytes)?),
        (Type::Bytes, Wire::Bytes(bytes)) => json!(STANDARD.encode(bytes)),
        // Negative numbers are written as the 64 bits that they are.
        (Type::Int, Wire::Number(number)) => json!(*number as i64),
        (Type::Bool, Wire::Number(number)) => json!(*number != 0),
        (Type::Time, Wire::Bytes(bytes)) => time(bytes, "%Y-%m-%dT%H:%M:%SZ")?,
        (Type::MicroTime, Wire::Bytes(bytes)) => time(bytes, "%Y-%m-%dT%H:%M:%S.%6fZ")?,
        (Type::Quantity, Wire::Bytes(bytes)) => json!(text(first(bytes)?)?),
        (Type::Json, Wire::Bytes(bytes)) => match first(bytes)? {
            [] => Value::Null,
            json => serde_json::from_slice(json).ok()?,
        },
        (Type::Texts, Wire::Bytes(bytes)) => {
            let texts = fields(bytes)?.into_iter().map(|(_, wire)| match wire {
                Wire::Bytes(bytes) => text(bytes).map(Value::String),
                Wire::Number(_) => None,
            });
            Value::Array(texts.collect::<Option<_>>()?)
        }
        (Type::IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes)?,
        (Type::Message(name), Wire::Bytes(bytes)) => {
            Value::Object(message(schema::message(name)?, bytes)?)
        }
        _ => return None,
    })
}

/// The bytes of a message whose only field is field 1.
fn first(bytes: &[u8]) -> Option<&[u8]> {
    match fields(bytes)?.first() {
        Some((1, Wire::Bytes(bytes))) => Some(bytes),
        None => Some(&[]),
        Some(_) => None,
    }
}

/// A moment; the zero time is null.
fn time(bytes: &[u8], format: &str) -> Option<Value> {
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    for (number, wire) in fields(bytes)? {
        match (number, wire) {
            (1, Wire::Number(number)) => seconds = number as i64,
            (2, Wire::Number(number)) => nanos = number as i32,
            _ => {}
        }
    }
    if seconds <= 0 {
        return Some(Value::Null);
    }
    let moment = jiff::Timestamp::new(seconds, nanos).ok()?;
    Some(json!(moment.strftime(format).to_string()))
}

fn int_or_string(bytes: &[u8]) -> Option<Value> {
    let (mut is_text, mut number, mut string) = (false, 0_i64, String::new());
    for (field, wire) in fields(bytes)? {
        match (field, wire) {
            (1, Wire::Number(kind)) => is_text = kind == 1,
            (2, Wire::Number(value)) => number = value as i64,
            (3, Wire::Bytes(bytes)) => string = text(bytes)?,
            _ => {}
        }
    }
    Some(if is_text {
        json!(string)
    } else {
        json!(number)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::decode;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("short");
        [&[number << 3 | 2, length], bytes].concat()
    }

    #[test]
    fn a_secret_is_read() {
        let metadata = [field(1, b"a"), field(2, b""), field(8, b"")].concat();
        let entry = [field(1, b"k"), field(2, b"hello")].concat();
        let secret = [field(1, &metadata), field(2, &entry), field(3, b"Opaque")].concat();
        let kind = [field(1, b"v1"), field(2, b"Secret")].concat();
        let body = [b"k8s\0".to_vec(), field(1, &kind), field(2, &secret)].concat();
        assert_eq!(
            decode(&body),
            Some(json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" },
                "type": "Opaque", "data": { "k": "aGVsbG8=" },
            }))
        );
        assert_eq!(decode(&body[..body.len() - 1]), None, "cut short");
        assert_eq!(decode(b"{}"), None);
    }

    /// What stands for "not given" depends on the field: a number of replicas that is zero is one, a port that is
    /// zero is none; members of an inline message stand in their parent.
    #[test]
    fn zero_values_stay_where_their_absence_means_something_else() {
        let spec = [vec![1 << 3, 0], field(3, &field(2, b""))].concat();
        let kind = [field(1, b"apps/v1"), field(2, b"Deployment")].concat();
        let body = [
            b"k8s\0".to_vec(),
            field(1, &kind),
            field(2, &field(2, &spec)),
        ]
        .concat();
        let decoded = decode(&body).expect("well-formed");
        assert_eq!(decoded["spec"], json!({ "replicas": 0 }));

        let empty_dir = [field(1, b"v"), field(2, &field(2, b""))].concat();
        let kind = [field(1, b"v1"), field(2, b"Pod")].concat();
        let pod = field(2, &field(2, &field(1, &empty_dir)));
        let body = [b"k8s\0".to_vec(), field(1, &kind), pod].concat();
        let decoded = decode(&body).expect("well-formed");
        assert_eq!(
            decoded["spec"]["volumes"],
            json!([{ "name": "v", "emptyDir": {} }])
        );
    }

    #[test]
    fn kinds_of_one_name_are_told_apart_by_their_group() {
        let event = |version: &[u8]| {
            let kind = [field(1, version), field(2, b"Event")].concat();
            decode(
                &[
                    b"k8s\0".to_vec(),
                    field(1, &kind),
                    field(2, &field(3, b"x")),
                ]
                .concat(),
            )
        };
        let core = event(b"v1").expect("well-formed");
        assert_eq!(core["reason"], "x");
        assert_eq!(
            event(b"events.k8s.io/v1"),
            None,
            "its third field is a message"
        );
    }
}
