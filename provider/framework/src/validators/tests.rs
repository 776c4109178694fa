//! Each validator with what it lets pass and what it refuses.

use super::*;
use crate::schema::{ConfigValidator, ValidateRequest, Validator};
use crate::{Diagnostics, Dynamic};

fn complaints(validator: &dyn Validator, value: &Dynamic, config: &Dynamic) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let path = Path::of("a");
    let request = ValidateRequest {
        path: &path,
        value,
        config,
    };
    validator.validate(&request, &mut diagnostics);
    diagnostics
}

fn accepts(validator: &dyn Validator, value: impl Into<Dynamic>) -> bool {
    complaints(validator, &value.into(), &Dynamic::Null).is_empty()
}

fn number(text: &str) -> Dynamic {
    Dynamic::Number(text.parse().expect("a number"))
}

#[test]
fn texts() {
    let table: [(&dyn Validator, &[&str], &[&str]); 9] = [
        (&not_empty(), &["a"], &["", "  "]),
        (
            &length_between(2, 3),
            &["ab", "\u{e4}\u{f6}\u{fc}"],
            &["a", "abcd"],
        ),
        (
            &matches("[a-z]+", "letters"),
            &["abc"],
            &["", "a1", "abc\n"],
        ),
        (&one_of(["x", "y"]), &["x"], &["z", ""]),
        (
            &cidr(),
            &["10.0.0.0/16", "fd00::/64"],
            &["10.0.0.1/16", "10.0.0.0", "x/8", "10.0.0.0/33"],
        ),
        (
            &ip_address(),
            &["10.0.0.1", "::1"],
            &["10.0.0", "10.0.0.1/32"],
        ),
        (&version(), &["1.2.3", "v1.2.3-rc.1"], &["1.2", "one"]),
        (&duration(), &["30m", "1h30m"], &["30", "soon"]),
        (
            &parses("even", |text| {
                if text.len() % 2 == 0 {
                    Ok(())
                } else {
                    Err("odd".into())
                }
            }),
            &["ab"],
            &["a"],
        ),
    ];
    for (validator, good, bad) in table {
        for text in good {
            assert!(
                accepts(validator, *text),
                "{text:?} is {}",
                validator.describe()
            );
        }
        for text in bad {
            let found = complaints(validator, &Dynamic::from(*text), &Dynamic::Null);
            assert_eq!(found.len(), 1, "{text:?} is not {}", validator.describe());
            let detail = &found.iter().next().expect("one").detail;
            assert!(detail.contains(&validator.describe()), "{detail}");
        }
    }
}

#[test]
fn numbers() {
    assert!(accepts(&int_between(1, 9), 9));
    assert!(!accepts(&int_between(1, 9), 10));
    assert!(!accepts(&int_between(1, 9), number("1.5")));
    assert!(accepts(&number_between("0.1", "0.2"), number("0.15")));
    assert!(!accepts(
        &number_between("0.1", "0.2"),
        number("0.20000000000000000001")
    ));
    assert!(accepts(&at_least(3), number("1e30")) && !accepts(&at_least(3), 2));
    assert!(accepts(&at_most(3), -5) && !accepts(&at_most(3), 4));
}

#[test]
fn collections() {
    let list = |texts: &[&str]| Dynamic::list(texts.iter().map(|text| Dynamic::from(*text)));
    assert!(accepts(&size_between(1, 2), list(&["a"])));
    assert!(!accepts(&size_between(1, 2), list(&[])));
    assert!(!accepts(
        &size_between(0, 1),
        Dynamic::map([("a", Dynamic::Null), ("b", Dynamic::Null)])
    ));
    let open = Dynamic::set([Dynamic::UNKNOWN, Dynamic::from("a")]);
    assert!(
        accepts(&size_between(0, 1), open),
        "the elements may turn out equal"
    );
    assert!(accepts(&unique(), list(&["a", "b"])));
    let found = complaints(&unique(), &list(&["a", "b", "a"]), &Dynamic::Null);
    assert_eq!(found.iter().next().expect("one").path.to_string(), "a[2]");
    let found = complaints(
        &each_element(one_of(["a"])),
        &list(&["a", "b"]),
        &Dynamic::Null,
    );
    assert_eq!(found.iter().next().expect("one").path.to_string(), "a[1]");
    let map = Dynamic::map([("good", Dynamic::from("x")), ("Bad", Dynamic::from("x"))]);
    let found = complaints(
        &each_key(matches("[a-z]+", "lower case")),
        &map,
        &Dynamic::Null,
    );
    assert_eq!(
        found.iter().next().expect("one").path.to_string(),
        "a[\"Bad\"]"
    );
}

#[test]
fn relations() {
    let config = |b: Dynamic| Dynamic::object([("a", Dynamic::from("x")), ("b", b)]);
    let x = Dynamic::from("x");
    for (b, conflict, missing) in [
        (Dynamic::Null, false, true),
        (Dynamic::UNKNOWN, false, false),
        (Dynamic::from("y"), true, false),
    ] {
        let config = config(b);
        assert_eq!(
            !complaints(&conflicts_with(&["b"]), &x, &config).is_empty(),
            conflict
        );
        assert_eq!(
            !complaints(&requires(&["b"]), &x, &config).is_empty(),
            missing
        );
    }
    let count = |validator: &dyn ConfigValidator, config: &Dynamic| {
        let mut diagnostics = Diagnostics::new();
        validator.validate(config, &mut diagnostics);
        diagnostics.len()
    };
    let none = Dynamic::object([("a", Dynamic::Null), ("b", Dynamic::Null)]);
    let (one, both, open) = (
        config(Dynamic::Null),
        config("y".into()),
        config(Dynamic::UNKNOWN),
    );
    let names = &["a", "b"];
    for (validator, found) in [
        (&conflicting(names) as &dyn ConfigValidator, [0, 0, 1, 0]),
        (&at_least_one_of(names), [1, 0, 0, 0]),
        (&exactly_one_of(names), [1, 0, 1, 0]),
        (&required_together(names), [0, 1, 0, 0]),
    ] {
        let counts = [&none, &one, &both, &open].map(|config| count(validator, config));
        assert_eq!(counts, found, "{}", validator.describe());
    }
    // A member of an object that is not known is not known either.
    let unknown_parent = Dynamic::object([("n", Dynamic::UNKNOWN)]);
    assert!(complaints(&requires(&["n.deep"]), &x, &unknown_parent).is_empty());
}
