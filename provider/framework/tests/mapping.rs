//! Structs from objects and back, with every complaint and its place.

use std::collections::BTreeMap;

use framework::{Diagnostics, Dynamic, FromValue, Path, ToValue, Value};

#[derive(Debug, PartialEq, FromValue, ToValue)]
struct Outer {
    name: String,
    size: Value<i64>,
    note: Option<String>,
    inner: Value<Inner>,
    list: Vec<Inner>,
    map: BTreeMap<String, Inner>,
    r#type: Dynamic,
}

#[derive(Debug, PartialEq, FromValue, ToValue)]
struct Inner {
    #[object(name = "count")]
    how_many: u8,
}

#[derive(Debug, PartialEq, FromValue)]
#[object(partial)]
struct Part {
    name: String,
}

#[derive(Debug, PartialEq, FromValue, ToValue)]
struct Generic<T>
where
    T: FromValue + ToValue,
{
    value: T,
}

fn inner(count: i64) -> Dynamic {
    Dynamic::object([("count", Dynamic::from(count))])
}

fn outer() -> Dynamic {
    Dynamic::object([
        ("name", Dynamic::from("n")),
        ("size", Dynamic::UNKNOWN),
        ("note", Dynamic::Null),
        ("inner", inner(1)),
        ("list", Dynamic::list([inner(2)])),
        ("map", Dynamic::map([("k", inner(3))])),
        ("type", Dynamic::from(true)),
    ])
}

fn places(found: &Diagnostics) -> Vec<String> {
    found
        .iter()
        .map(|diagnostic| diagnostic.path.to_string())
        .collect()
}

#[test]
fn null_unknown_and_known_stay_apart() {
    let read: Outer = outer().get().expect("it fits");
    assert_eq!(read.size, Value::Unknown);
    assert_eq!(read.note, None);
    assert_eq!(read.inner, Value::Known(Inner { how_many: 1 }));
    assert_eq!(read.to_value(), outer());
    let generic: Generic<i64> = Dynamic::object([("value", Dynamic::from(4))])
        .get()
        .expect("it fits");
    assert_eq!(generic, Generic { value: 4 });
}

#[test]
fn every_mismatch_is_told_with_its_place() {
    let mut value = outer();
    value.set_at(&Path::of("name"), Dynamic::Null);
    value.set_at(&Path::of("size"), "text");
    value.set_at(&Path::of("note"), Dynamic::UNKNOWN);
    value.set_at(&Path::of("list").index(0), inner(256));
    value.set_at(&Path::of("map").key("k"), Dynamic::Null);
    let found = value.get::<Outer>().expect_err("nothing fits");
    assert_eq!(
        places(&found),
        ["name", "size", "note", "list[0].count", "map[\"k\"]"]
    );
    let details: Vec<_> = found
        .iter()
        .map(|diagnostic| diagnostic.detail.as_str())
        .collect();
    assert!(details[2].contains("-target"), "{}", details[2]);
    assert!(details[3].contains("from 0 to 255"), "{}", details[3]);
}

#[test]
fn struct_and_schema_must_agree() {
    let mut value = outer();
    value.set_at(&Path::of("extra"), true);
    assert_eq!(
        places(&value.get::<Outer>().expect_err("one too many")),
        ["extra"]
    );
    assert_eq!(
        value.get::<Part>().expect("the rest does not matter").name,
        "n"
    );
    let found = Dynamic::object([("other", Dynamic::Null)]).get::<Part>();
    assert_eq!(places(&found.expect_err("one is missing")), ["name"]);
}

#[test]
fn places_within_are_read_and_set() {
    let mut value = outer();
    assert_eq!(
        value.get_at::<u8>(&Path::of("list").index(0).attribute("count")),
        Ok(2)
    );
    assert!(value.set_at(&Path::of("inner.count"), 9));
    assert_eq!(value.get_at::<u8>(&Path::of("inner.count")), Ok(9));
    assert!(
        !value.set_at(&Path::of("note.deep"), 1),
        "there is no object"
    );
    // Within something unknown all is unknown; within null all is null.
    value.set_at(&Path::of("inner"), Dynamic::UNKNOWN);
    assert_eq!(
        value.get_at::<Value<u8>>(&Path::of("inner.count")),
        Ok(Value::Unknown)
    );
    assert_eq!(
        value.get_at::<Value<u8>>(&Path::of("note.deep")),
        Ok(Value::Null)
    );
}
