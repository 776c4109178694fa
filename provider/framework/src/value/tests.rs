//! Laws of values: what is written reads back, and no input does harm.

use proptest::prelude::*;

use super::wire::{decode, encode, from_json, to_json};
use super::{Dynamic, Number, Path, Refinement, Type};

/// Types of bounded depth.
fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        Just(Type::String),
        Just(Type::Number),
        Just(Type::Bool),
        Just(Type::Dynamic),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::map),
            // Sets of dynamic values do not exist.
            inner.clone().prop_map(|ty| {
                if ty.has_dynamic() {
                    Type::list(ty)
                } else {
                    Type::set(ty)
                }
            }),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Type::Tuple),
            prop::collection::btree_map("[a-z_]{1,6}", inner, 0..4).prop_map(Type::Object),
        ]
    })
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        "-?[0-9]{1,40}(\\.[0-9]{1,20})?".prop_map(|text| text.parse().expect("a number")),
        any::<f64>()
            .prop_filter("NaN is no number", |value| value.is_finite())
            .prop_filter_map("beyond the limit", Number::from_f64),
    ]
}

fn refinements() -> impl Strategy<Value = Option<Box<Refinement>>> {
    (
        any::<bool>(),
        prop::option::of("[a-z]{1,9}"),
        prop::option::of((numbers(), any::<bool>())),
        prop::option::of(0..9_u64),
    )
        .prop_map(|(not_null, prefix, lower, min_length)| {
            let refinement = Refinement {
                not_null,
                prefix,
                lower,
                min_length,
                ..Refinement::default()
            };
            (!refinement.is_empty()).then(|| Box::new(refinement))
        })
}

/// Values of a type; unknown ones only if asked for.
fn values(ty: &Type, unknown: bool) -> BoxedStrategy<Dynamic> {
    let known: BoxedStrategy<Dynamic> = match ty {
        // NFC is what goes over the wire, so only such texts come back as they were.
        Type::String => "[ -~\u{e0}-\u{ff}\n\t\u{1f600}]{0,12}"
            .prop_map(Dynamic::String)
            .boxed(),
        Type::Number => numbers().prop_map(Dynamic::Number).boxed(),
        Type::Bool => any::<bool>().prop_map(Dynamic::Bool).boxed(),
        Type::Dynamic => (1..4_usize)
            .prop_flat_map(move |kind| {
                let ty = match kind {
                    1 => Type::String,
                    2 => Type::list(Type::Number),
                    _ => Type::object([("a", Type::Bool)]),
                };
                values(&ty, unknown)
                    .prop_map(move |value| Dynamic::Typed(Box::new((ty.clone(), value))))
            })
            .boxed(),
        Type::List(element) => prop::collection::vec(values(element, unknown), 0..4)
            .prop_map(Dynamic::List)
            .boxed(),
        Type::Set(element) => prop::collection::vec(values(element, unknown), 0..4)
            .prop_map(Dynamic::set)
            .boxed(),
        Type::Map(element) => {
            prop::collection::btree_map("[a-z. ]{0,5}", values(element, unknown), 0..4)
                .prop_map(Dynamic::Map)
                .boxed()
        }
        Type::Tuple(types) => types
            .iter()
            .map(|ty| values(ty, unknown))
            .collect::<Vec<_>>()
            .prop_map(Dynamic::Tuple)
            .boxed(),
        Type::Object(types) => {
            let names: Vec<_> = types.keys().cloned().collect();
            types
                .values()
                .map(|ty| values(ty, unknown))
                .collect::<Vec<_>>()
                .prop_map(move |members| {
                    Dynamic::Object(names.iter().cloned().zip(members).collect())
                })
                .boxed()
        }
    };
    if !unknown {
        return prop_oneof![4 => known, 1 => Just(Dynamic::Null)].boxed();
    }
    let unknowns = if *ty == Type::Dynamic {
        // The type is not known either: nothing can be promised.
        Just(Dynamic::UNKNOWN).boxed()
    } else {
        refinements().prop_map(Dynamic::Unknown).boxed()
    };
    prop_oneof![4 => known, 1 => Just(Dynamic::Null), 1 => unknowns].boxed()
}

fn typed_values(unknown: bool) -> impl Strategy<Value = (Type, Dynamic)> {
    types().prop_flat_map(move |ty| {
        let value = values(&ty, unknown);
        (Just(ty), value)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn msgpack_reads_back((ty, value) in typed_values(true)) {
        let bytes = encode(&value, &ty).expect("the value fits");
        prop_assert_eq!(decode(&bytes, &ty).expect("it was just written"), value);
    }

    #[test]
    fn equal_values_have_equal_bytes((ty, value) in typed_values(true)) {
        let bytes = encode(&value, &ty).expect("the value fits");
        let again = decode(&bytes, &ty).expect("it was just written");
        prop_assert_eq!(encode(&again, &ty).expect("the value fits"), bytes);
    }

    #[test]
    fn json_reads_back((ty, value) in typed_values(false)) {
        let text = to_json(&value);
        prop_assert_eq!(from_json(text.as_bytes(), &ty).expect("it was just written"), value);
    }

    #[test]
    fn types_read_back(ty in types()) {
        prop_assert_eq!(Type::from_json(ty.to_json().as_bytes()).expect("it was just written"), ty);
    }

    #[test]
    fn numbers_read_back(number in numbers()) {
        prop_assert_eq!(number.to_string().parse::<Number>().expect("it was just written"), number);
    }

    #[test]
    fn any_bytes_are_read_or_refused(ty in types(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, &ty);
        let _ = from_json(&bytes, &ty);
        let _ = Type::from_json(&bytes);
    }

    #[test]
    fn damaged_values_are_read_or_refused(
        (ty, value) in typed_values(true),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode(&value, &ty).expect("the value fits");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes, &ty);
        let _ = decode(&bytes[..at], &ty);
    }
}

/// The forms core writes and reads, byte for byte.
#[test]
fn the_bytes_are_those_of_core() {
    let refined = |refinement: Refinement| Dynamic::Unknown(Some(Box::new(refinement)));
    let not_null = Refinement {
        not_null: true,
        ..Refinement::default()
    };
    let number = |text: &str| Dynamic::Number(text.parse().expect("a number"));
    for (value, ty, bytes) in [
        (Dynamic::Null, Type::String, &b"\xc0"[..]),
        (Dynamic::UNKNOWN, Type::String, b"\xd4\x00\x00"),
        (
            refined(not_null.clone()),
            Type::String,
            b"\xc7\x03\x0c\x81\x01\xc2",
        ),
        (
            refined(Refinement {
                lower: Some((1.into(), true)),
                ..not_null.clone()
            }),
            Type::Number,
            b"\xc7\x07\x0c\x82\x01\xc2\x03\x92\x01\xc3",
        ),
        (
            refined(Refinement {
                min_length: Some(1),
                max_length: Some(3),
                ..not_null
            }),
            Type::list(Type::String),
            b"\xc7\x07\x0c\x83\x01\xc2\x05\x01\x06\x03",
        ),
        (number("0.1"), Type::Number, b"\xa30.1"),
        (number("0.5"), Type::Number, b"\xcb\x3f\xe0\0\0\0\0\0\0"),
        (
            number("9223372036854775807"),
            Type::Number,
            b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff",
        ),
        (
            number("9223372036854775808"),
            Type::Number,
            b"\xb39223372036854775808",
        ),
        (number("-1"), Type::Number, b"\xff"),
        (
            Dynamic::Typed(Box::new((Type::String, "a".into()))),
            Type::Dynamic,
            b"\x92\xc4\x08\"string\"\xa1a",
        ),
        (Dynamic::UNKNOWN, Type::Dynamic, b"\xd4\x00\x00"),
    ] {
        assert_eq!(encode(&value, &ty).as_deref(), Ok(bytes), "{value:?}");
        assert_eq!(decode(bytes, &ty).as_ref(), Ok(&value));
    }
}

/// What core and other providers may send although we would not write it so.
#[test]
fn other_spellings_are_understood() {
    for (bytes, ty, value) in [
        (
            &b"\xca\x3f\x00\x00\x00"[..],
            Type::Number,
            Dynamic::Number("0.5".parse().expect("a number")),
        ),
        (b"\xc7\x00\x63", Type::Bool, Dynamic::UNKNOWN),
        (b"\xd6\x05abcd", Type::list(Type::Bool), Dynamic::UNKNOWN),
        (
            b"\x92\xa8\"string\"\xa1a",
            Type::Dynamic,
            Dynamic::Typed(Box::new((Type::String, "a".into()))),
        ),
        (
            b"\x93\xa1b\xa1a\xa1b",
            Type::set(Type::String),
            Dynamic::set([Dynamic::from("a"), "b".into()]),
        ),
        (b"", Type::String, Dynamic::Null),
    ] {
        assert_eq!(decode(bytes, &ty), Ok(value), "{bytes:?}");
    }
}

#[test]
fn texts_go_out_composed() {
    let value = Dynamic::from("e\u{301}");
    assert_eq!(
        encode(&value, &Type::String).as_deref(),
        Ok(&b"\xa2\xc3\xa9"[..])
    );
}

#[test]
fn hostile_lengths_and_depths_are_refused() {
    // An array that claims four billion elements.
    assert!(decode(b"\xdd\xff\xff\xff\xff", &Type::list(Type::Bool)).is_err());
    assert!(decode(b"\xdb\xff\xff\xff\xff", &Type::String).is_err());
    // Dynamic values nested a hundred thousand times.
    let nested = b"\x92\xc4\x09\"dynamic\"".repeat(100_000);
    assert!(decode(&nested, &Type::Dynamic).is_err());
    assert!(Type::from_json("[\"list\",".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn a_missing_or_extra_attribute_is_refused() {
    let ty = Type::object([("a", Type::Bool), ("b", Type::Bool)]);
    let missing = decode(b"\x81\xa1a\xc3", &ty)
        .expect_err("b is missing")
        .to_string();
    assert!(missing.contains("\"b\""), "{missing}");
    let extra = decode(b"\x83\xa1a\xc3\xa1b\xc3\xa1c\xc3", &ty)
        .expect_err("c is extra")
        .to_string();
    assert!(extra.contains("\"c\""), "{extra}");
}

/// Core refuses an object that has not exactly the attributes of its type.
#[test]
fn every_attribute_is_written_once() {
    let inner = Type::object([("x", Type::Number), ("y", Type::set(Type::String))]);
    let ty = Type::object([
        ("a", Type::String),
        ("b", Type::Dynamic),
        ("c", inner.clone()),
        ("d", Type::list(inner)),
    ]);
    let member = |value: Dynamic| Dynamic::object([("x", value)]);
    for value in [Dynamic::Null, Dynamic::UNKNOWN, Dynamic::from(1)] {
        // What is left out is null, and what is null or unknown is there.
        let value = Dynamic::object([
            ("a", Dynamic::UNKNOWN),
            ("c", member(value.clone())),
            ("d", Dynamic::list([member(value.clone()), Dynamic::Null])),
        ]);
        let bytes = encode(&value, &ty).expect("it fits");
        let names = |name: &[u8]| {
            bytes
                .windows(2)
                .filter(|part| *part == [0xa1, name[0]])
                .count()
        };
        let seen = [b"a", b"b", b"c", b"d", b"x", b"y"].map(|name| names(name));
        assert_eq!(seen, [1, 1, 1, 1, 2, 2], "{bytes:?}");
        let read = decode(&bytes, &ty).expect("it was just written");
        assert_eq!(read.member("b"), Some(&Dynamic::Null));
        assert_eq!(read.at(&Path::of("c.y")), Some(&Dynamic::Null));
    }
}
