//! What go-yaml says and takes, as its reader was seen to.

use super::{decode_one, encode};

fn said(text: &str) -> String {
    match decode_one(text.as_bytes()) {
        Ok(value) => value.to_string(),
        Err(error) => {
            let error = error.to_string();
            let told = error.strip_prefix("error converting YAML to JSON: yaml: ");
            told.unwrap_or(&error).to_owned()
        }
    }
}

#[test]
fn errors_have_go_yamls_words() {
    let tab = "found a tab character where an indentation space is expected";
    for (text, words) in [
        ("a: |\n  \tb\n", format!("line 2: {tab}")),
        ("a: |\n  x\n \t\nb: 1\n", format!("line 3: {tab}")),
        (
            "a: {{ .Values.b }}\n",
            "invalid map key: map[interface {}]interface {}{\".Values.b\":interface {}(nil)}"
                .to_owned(),
        ),
        (
            "a: [1, 2\nb: 3\n",
            "line 1: did not find expected ',' or ']'".to_owned(),
        ),
        (
            "a: 1\n b: 2\n",
            "line 2: mapping values are not allowed in this context".to_owned(),
        ),
        (
            "a:\n  - b\n c: d\n",
            "line 2: did not find expected key".to_owned(),
        ),
        (
            "a\nb: 1\n",
            "line 2: mapping values are not allowed in this context".to_owned(),
        ),
        ("a: *x\nb: [\n", "unknown anchor 'x' referenced".to_owned()),
        (
            "a: &x [*x]\n",
            "anchor 'x' value contains itself".to_owned(),
        ),
        ("a: \"\\/\"\n", "found unknown escape character".to_owned()),
    ] {
        assert_eq!(said(text), words, "{text:?}");
    }
}

#[test]
fn what_yaml_1_1_allows_is_read() {
    for (text, json) in [
        ("a: \"x\n\ty\"\n", r#"{"a":"x y"}"#),
        ("{a: 1} x", r#"{"a":1.0}"#),
        ("{c:, d: 1}", r#"{"c:":null,"d":1.0}"#),
        ("a: 0b-11\n", r#"{"a":-3.0}"#),
        ("a: !foo 12\n", r#"{"a":"12"}"#),
        ("a: 1\n---\nb: [\n", r#"{"a":1.0}"#),
    ] {
        assert_eq!(said(text), json, "{text:?}");
    }
}

#[test]
fn keys_that_json_makes_too_long_are_refused() {
    let encoded = |key: &str| encode(&serde_json::json!({ key: 1 }));
    assert!(encoded(&"k".repeat(1_022)).starts_with("? k"));
    assert_eq!(encoded(&"k".repeat(1_023)), "");
    assert_eq!(encoded("k\u{85}"), "");
}
