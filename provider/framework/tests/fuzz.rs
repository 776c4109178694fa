//! The functions of the fuzz targets, run with a fixed budget: valid inputs, damaged ones, and lengths that lie.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use framework::{Dynamic, Type};
use proptest::prelude::*;

/// An input of the targets that take a type and a value.
fn input(ty: &str, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(ty.len()).expect("a short type");
    [&[length], ty.as_bytes(), value].concat()
}

const TYPES: [&str; 8] = [
    r#""string""#,
    r#""number""#,
    r#""dynamic""#,
    r#"["list","string"]"#,
    r#"["set",["object",{"a":"number"}]]"#,
    r#"["map",["list","bool"]]"#,
    r#"["tuple",["string","dynamic"]]"#,
    r#"["object",{"a":"string","b":["set","number"],"c":["map","dynamic"]}]"#,
];

/// Bytes that a decoder gets further with than with noise: markers of every kind, and lengths that lie.
fn msgpack() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..4),
        Just(b"\xdd\xff\xff\xff\xff".to_vec()),
        Just(b"\xdf\xff\xff\xff\xff".to_vec()),
        Just(b"\xdb\xff\xff\xff\xff".to_vec()),
        Just(b"\xc9\xff\xff\xff\xff\x0c".to_vec()),
        Just(b"\xc6\xff\xff\xff\xff".to_vec()),
        Just(b"\xc7\x03\x0c\x81\x01\xc2".to_vec()),
        Just(b"\x92\xc4\x08\"string\"\xa1x".to_vec()),
        Just(b"\x83\xa1a\xa1x\xa1b\x91\x01\xa1c\x80".to_vec()),
        Just(b"\xa10".to_vec()),
        Just(b"\xd4\x00\x00".to_vec()),
        Just(b"\x91".to_vec()),
        Just(b"\x81\xa1a".to_vec()),
        Just(b"\xc0".to_vec()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn json() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[\\x00-\\x7f]{0,3}".prop_map(String::into_bytes),
        Just(br#"{"a":"x","b":[1,2],"c":{}}"#.to_vec()),
        Just(br#"{"type":"string","value":"x"}"#.to_vec()),
        Just(br#""\ud800""#.to_vec()),
        Just(b"1e999999999".to_vec()),
        Just(b"-0.0001".to_vec()),
        Just(b"[".to_vec()),
        Just(b"]".to_vec()),
        Just(br#"["list","#.to_vec()),
        Just(br#""dynamic""#.to_vec()),
        Just(br#"["object",{"a":"string"},["a"]]"#.to_vec()),
        Just(b",".to_vec()),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn msgpack_is_read_or_refused(ty in prop::sample::select(&TYPES[..]), bytes in msgpack()) {
        targets::msgpack(&input(ty, &bytes));
    }

    #[test]
    fn state_json_is_read_or_refused(ty in prop::sample::select(&TYPES[..]), bytes in json()) {
        targets::state_json(&input(ty, &bytes));
    }

    #[test]
    fn type_json_is_read_or_refused(bytes in json()) {
        targets::type_json(&bytes);
    }

    #[test]
    fn noise_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        targets::msgpack(&bytes);
        targets::state_json(&bytes);
        targets::type_json(&bytes);
    }
}

/// The most memory this process ever had, in KiB.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("readable");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok());
    figure.expect("a figure")
}

/// A few bytes that announce gigabytes, at every depth that is allowed and beyond.
#[cfg(target_os = "linux")]
#[test]
fn memory_follows_the_input_not_what_it_announces() {
    let before = peak();
    for marker in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9_u8] {
        let lie = [marker, 0xff, 0xff, 0xff, 0xff];
        for depth in [1, 10, 100, 1000] {
            let bytes = lie.repeat(depth);
            for ty in TYPES {
                targets::msgpack(&input(ty, &bytes));
            }
            let mut nested = Type::String;
            for _ in 0..depth.min(120) {
                nested = Type::list(nested);
            }
            assert!(framework::wire::decode(&bytes, &nested).is_err());
        }
    }
    for open in [
        "[",
        "{\"a\":",
        "[\"list\",",
        "[\"tuple\",[",
        "[\"object\",{\"a\":",
    ] {
        let text = open.repeat(100_000);
        targets::type_json(text.as_bytes());
        for ty in TYPES {
            targets::state_json(&input(ty, text.as_bytes()));
        }
    }
    let grown = peak() - before;
    assert!(
        grown < 64 << 10,
        "{grown} KiB for a megabyte of input at most"
    );
}

/// A number with a huge exponent is a few bytes; its digits would not be.
#[test]
fn numbers_stay_small() {
    for text in ["1e1000000000", "1e-1000000000", "-9e99999999999999999999"] {
        let read = framework::wire::from_json(text.as_bytes(), &Type::Number);
        if let Ok(Dynamic::Number(number)) = read {
            assert!(number.to_string().len() < 10_000, "{text}");
        }
    }
}
