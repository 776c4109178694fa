//! What is fuzzed: every decoder that eats bytes of another program. None may panic or take memory out of proportion,
//! and what one accepts must survive being written and read again.

use framework::Type;
use framework::wire::{decode, encode, from_json, to_json};

/// The type and the value of an input: the first byte says how long the type's JSON is.
fn split(data: &[u8]) -> Option<(Type, &[u8])> {
    let (length, rest) = data.split_first()?;
    let (ty, value) = rest.split_at_checked((*length).into())?;
    Some((Type::from_json(ty).ok()?, value))
}

/// MessagePack under a type of the input's own.
pub fn msgpack(data: &[u8]) {
    let Some((ty, bytes)) = split(data) else {
        return;
    };
    if let Ok(value) = decode(bytes, &ty) {
        let written = encode(&value, &ty).expect("what was read can be written");
        let again = decode(&written, &ty).expect("what was written can be read");
        assert_eq!(
            encode(&again, &ty).as_ref(),
            Ok(&written),
            "writing settles"
        );
    }
}

/// State as JSON under a type of the input's own.
pub fn state_json(data: &[u8]) {
    let Some((ty, bytes)) = split(data) else {
        return;
    };
    if let Ok(value) = from_json(bytes, &ty) {
        let written = to_json(&value);
        let again = from_json(written.as_bytes(), &ty).expect("what was written can be read");
        assert_eq!(to_json(&again), written, "writing settles");
        encode(&value, &ty).expect("a value of its type can be sent");
    }
}

/// The JSON of a type.
pub fn type_json(data: &[u8]) {
    if let Ok(ty) = Type::from_json(data) {
        let written = ty.to_json();
        let again = Type::from_json(written.as_bytes()).expect("what was written can be read");
        assert_eq!(again, ty);
    }
}
