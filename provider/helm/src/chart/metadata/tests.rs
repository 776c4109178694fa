//! What Helm takes for a `Chart.yaml`.

use super::*;

#[test]
fn numbers_in_text_fields_read_as_helm_reads_them() {
    for (value, expected) in [
        (json!(1.0), "1"),
        (json!(1.1), "1.1"),
        (json!(20_230_101.0), "20230101"),
        (json!(true), "true"),
        (json!("1.10"), "1.10"),
    ] {
        assert_eq!(scalar(&value).as_deref(), Some(expected));
    }
    assert_eq!(scalar(&json!([])), None);
}

#[test]
fn text_is_cleaned() {
    let mut text = "a\u{a0}b\tc\u{200b}d\u{7}é".to_owned();
    clean_text(&mut text);
    assert_eq!(text, "a b cdé");
}

#[test]
fn metadata_survives_a_record() {
    let mut metadata = Metadata::default();
    metadata
        .merge(
            &json!({"apiVersion": "v2", "name": "x", "version": "1.0.0", "NAME": "y",
            "annotations": {"a": 1.0, "b": null}, "deprecated": true,
            "maintainers": [{"name": "m"}], "keywords": ["k"],
            "dependencies": [{"name": "d", "repository": "", "tags": ["t"],
                "import-values": ["data", {"child": "a", "parent": "b"}]}]}),
        )
        .expect("sound metadata");
    assert_eq!(metadata.name, "x");
    let again = Metadata::from_json(&metadata.to_json()).expect("our own form");
    assert_eq!(again, metadata);
}

#[test]
fn what_helm_refuses_is_refused() {
    let base = json!({"apiVersion": "v2", "name": "x", "version": "1.0.0"});
    for (change, expected) in [
        (json!({"name": ""}), "name is required"),
        (json!({"name": "a/b"}), "name \"a/b\" is invalid"),
        (json!({"name": ".."}), "is not allowed"),
        (json!({"version": ""}), "version is required"),
        (json!({"type": "plug-in"}), "type must be"),
        (
            json!({"dependencies": [{"name": "a"}, {"name": "b", "alias": "a"}]}),
            "more than one dependency",
        ),
        (
            json!({"dependencies": [{"name": "a", "alias": "a b"}]}),
            "disallowed characters",
        ),
    ] {
        let mut metadata = Metadata::default();
        metadata.merge(&base).expect("sound metadata");
        metadata.merge(&change).expect("sound types");
        let error = metadata.validate().expect_err("Helm refuses it");
        assert!(error.contains(expected), "{error}");
    }
    assert!(
        Metadata::default()
            .merge(&json!({"dependencies": [null]}))
            .is_err()
    );
    assert!(
        Metadata::default()
            .merge(&json!({"name": {"a": 1}}))
            .is_err()
    );
}
