//! The template language, by example.

use helm::template::{Env, Set};
use helm::value::Value;
use serde_json::json;

fn render(source: &str, data: serde_json::Value) -> Result<String, String> {
    let mut set = Set::new();
    set.parse("t", source).map_err(|error| error.to_string())?;
    let out = set
        .execute("t", &Value::from(data), &Env::new())
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[test]
fn renders_the_language() {
    let cases = [
        ("a {{- 1 -}} b", "a1b"),
        ("a {{- /* c */}} b", "a b"),
        (
            "{{ range $i, $e := .list }}{{ $i }}={{ $e }};{{ else }}none{{ end }}",
            "0=a;1=b;",
        ),
        ("{{ range .none }}x{{ else }}none{{ end }}", "none"),
        (
            "{{ range $k, $v := .map }}{{ $k }}:{{ $v }} {{ end }}",
            "x:1 y:2 ",
        ),
        (
            "{{ range 3 }}{{ . }}{{ if eq . 1 }}{{ break }}{{ end }}{{ end }}",
            "01",
        ),
        ("{{ with .map }}{{ .x }}{{ end }}", "1"),
        (
            "{{ with .none }}a{{ else with .map }}{{ .y }}{{ end }}",
            "2",
        ),
        (
            "{{ define \"f\" }}[{{ . }}]{{ end }}{{ include \"f\" 1 | nindent 2 }}",
            "\n  [1]",
        ),
        (
            "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}",
            "2",
        ),
        (
            "{{ $d := dict \"a\" 1 }}{{ $_ := set $d \"b\" 2 }}{{ $d }}",
            "map[a:1 b:2]",
        ),
        ("{{ tpl \"{{ .map.x }}\" . }}", "1"),
        ("{{ .none }}|{{ (.none).x }}", "|"),
        (
            "{{ 1000000.0 }} {{ 999999.0 }} {{ 1i }}",
            "1e+06 999999 (0+1i)",
        ),
        (
            "{{ printf \"%05.2f|%-4s|%q|%v\" 3.14159 \"a\" \"b\" nil }}",
            "03.14|a   |\"b\"|<nil>",
        ),
        ("{{ toYaml .map }}", "x: 1\n\"y\": 2"),
        ("{{ .map | toJson }}", "{\"x\":1,\"y\":2}"),
        ("{{ and 1 0 }}{{ or 0 2 }}{{ not 1 }}", "02false"),
    ];
    let data = json!({ "list": ["a", "b"], "map": { "x": 1.0, "y": 2.0 } });
    for (source, expected) in cases {
        assert_eq!(
            render(source, data.clone()).as_deref(),
            Ok(expected),
            "{source}"
        );
    }
}

#[test]
fn errors_carry_template_line_and_column() {
    let cases = [
        (
            "\n{{ .a.b }}",
            "t:2:5\n  executing \"t\" at <.a.b>:\n    nil pointer evaluating interface {}.b",
        ),
        ("{{ fail \"no\" }}", "execution error at (t:1:3): no"),
        (
            "{{ required \"need\" .a }}",
            "execution error at (t:1:3): need",
        ),
        (
            "{{ nope }}",
            "parse error at (t:1): function \"nope\" not defined",
        ),
        ("{{ if }}", "parse error at (t:1): missing value for if"),
        (
            "{{ upper 1 }}",
            "t:1:9\n  executing \"t\" at <1>:\n    expected string; found 1",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(
            render(source, json!({})),
            Err(expected.to_owned()),
            "{source}"
        );
    }
}
