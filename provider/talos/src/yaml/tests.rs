use proptest::prelude::*;

use super::*;

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~]{0,12}",
        2 => "[a-z0-9:./_-]{1,10}",
        1 => "(line[ a-z]*\n){1,3}",
        1 => any::<String>(),
        1 => prop::sample::select(vec![
            "yes", "off", "0644", "1.10", "2026-11-21", "1:20", "null", "~", "", "-", "- a", "a: b",
            "a #b", "[x]", "0x1f", "1e3", ".5", "+1", "=", "<<", "12e03", "0o7", "10.0.0.1", "1_000",
        ])
        .prop_map(str::to_owned),
    ]
}

fn trees() -> impl Strategy<Value = Yaml> {
    let leaf = prop_oneof![
        Just(Yaml::Null),
        any::<bool>().prop_map(Yaml::Bool),
        any::<u16>().prop_map(Yaml::from),
        texts().prop_map(Yaml::Text),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Yaml::List),
            prop::collection::vec((texts(), inner), 0..4).prop_map(|entries| {
                let mut map = Map::new();
                for (key, value) in entries {
                    map.set(key, value);
                }
                Yaml::Map(map)
            }),
        ]
    })
}

/// Proptest prints cases with `Debug`, which exists in tests only.
impl std::fmt::Debug for Yaml {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&to_text(self))
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(tree in trees()) {
        let text = to_text(&tree);
        let read = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let expected: Vec<Yaml> = if tree == Yaml::Null { vec![] } else { vec![tree] };
        prop_assert!(read == expected, "{text}");
    }
}

#[test]
fn texts_that_other_readers_take_for_something_else_are_quoted() {
    for text in [
        "off",
        "Yes",
        "n",
        "0644",
        "1.10",
        "1e3",
        "2026-11-21",
        "1:20",
        "1_000",
        "0x1f",
        "",
        "~",
        "12345678",
        "0b11",
        "2026-11-21T10:00:00Z",
    ] {
        let written = to_text(&Yaml::from(text));
        assert!(written.starts_with('"'), "{written}");
    }
    for text in [
        "10.20.0.21/22",
        "10.20.0.21",
        "v1.13.9",
        "https://10.20.0.20:6443",
        "registry.k8s.io/kube-apiserver:v1.36.3",
        "example.org/pool",
        "abcdef.0123456789abcdef",
    ] {
        assert_eq!(to_text(&Yaml::from(text)), format!("{text}\n"));
    }
}

#[test]
fn pem_becomes_a_literal_block() {
    let map = Map::new().with(
        "a",
        Map::new().with("pem", "-----BEGIN X-----\nabc=\n-----END X-----\n"),
    );
    assert_eq!(
        to_text(&map.into()),
        "a:\n    pem: |\n        -----BEGIN X-----\n        abc=\n        -----END X-----\n"
    );
}

#[test]
fn broken_texts_are_refused_with_their_line() {
    for (text, line) in [
        ("a: [1\nb: 2\n", 2),
        ("a: 1\na: 2\n", 2),
        ("a: &x 1\nb: *x\n", 1),
    ] {
        let error = parse(text).expect_err("broken");
        let (YamlError::Syntax { line: seen, .. } | YamlError::DuplicateKey { line: seen, .. }) =
            error;
        assert!(seen >= line, "{text:?}: {error}");
    }
}

#[test]
fn streams_have_many_documents_and_empty_ones_do_not_count() {
    let documents = parse("---\na: 1\n---\n# nothing\n---\nb: 0o644\n").expect("YAML");
    assert!(documents.len() == 2);
    assert!(documents[1].at(&["b"]) == Some(&Yaml::Number("0o644".to_owned())));
}
