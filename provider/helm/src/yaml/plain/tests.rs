//! Compared with the full reader.

use proptest::prelude::*;
use serde_json::Value;

use super::super::decode::full;
use super::read;

/// What stands on a line behind its indentation: what is plain, and what is nearly so.
const PIECES: &[&str] = &[
    "a: 1",
    "b: x y",
    "c:",
    "d: ",
    "- 1",
    "-",
    "- a: b",
    "- - x",
    "-  e: f",
    "- c:",
    "a:b: c",
    "x",
    "more text",
    "f: 'it''s'",
    "g: \"a \\\"b\\\"\\n\"",
    "h: 'open",
    "closed'",
    "i: \"open",
    "shut\"",
    "j: |",
    "k: |-",
    "l: >",
    "m: >-",
    "n: |+",
    "o: [1, two, \"3\"]",
    "p: {a: 1, \"b\":2, 'c': [x]}",
    "q: []",
    "r: {}",
    "s: {a: }",
    "t: [a,]",
    "u: v # note",
    "# note",
    "w:x",
    "y: yes",
    "on: 1",
    "1: 2",
    "1.5: 3",
    "~: 4",
    "\"quoted key\": 1",
    "'k': 2",
    "z: &a 1",
    "aa: *a",
    "bb: !!str 1",
    "cc: -1",
    "dd: --x",
    "ee: - x",
    "ff: a: b",
    "gg: a:",
    "hh: http://x/y#z",
    "ii: @x",
    "jj: {{ x }}",
    "kk: 1_000",
    "ll: 0x1F",
    "mm: 1:30",
    "nn: .inf",
    "oo: 2001-01-01",
    "pp: ~",
    "qq: null",
    "rr:\ttab",
    "ss: a\tb",
    "tt: \"a\tb\"",
    "---",
    "...",
    "%YAML 1.1",
    "? a",
    ": b",
    "uu: ü \u{1f600}",
    "vv: a\u{85}b",
    "<<: {a: 1}",
    "ww: <<",
    "xx: \"\\u00e9\"",
    "yy: 'a' 'b'",
    "zz: \"a\"#b",
    "a-b/c.d: e",
    "(a)*: b",
    "",
    "  ",
    "\t",
    "- |",
    "- >-",
    "- 'x",
    "-x: 1",
    "a: 'b' # c",
    "a: \"b\": c",
    "- \"a\": b",
    "- 'a",
    "a: [b]: c",
    "a: ?x",
    "a: :x",
    "a: ,x",
    "a: ]",
    "a: |2",
    "a: | # c",
    "a: 18446744073709551615",
    "18446744073709551615: a",
    "a: 1e400",
    "a: \"\"",
    "a: ''",
];

fn text() -> impl Strategy<Value = String> {
    let line = (0_usize..7, 0..PIECES.len());
    let lines = proptest::collection::vec(line, 1..9);
    (lines, any::<bool>()).prop_map(|(lines, ends)| {
        let lines: Vec<String> = lines
            .into_iter()
            .map(|(indent, piece)| format!("{}{}", " ".repeat(indent), PIECES[piece]))
            .collect();
        lines.join("\n") + if ends { "\n" } else { "" }
    })
}

/// `MANAGEDK8S_FUZZ` is how many times as many.
fn cases() -> u32 {
    let factor = std::env::var("MANAGEDK8S_FUZZ").ok();
    20_000 * factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn what_is_read_is_what_the_full_reader_reads(text in text()) {
        if let Some(value) = read::<Value>(&text) {
            prop_assert_eq!(full(&text), Ok(vec![value]));
        }
    }
}

#[test]
fn what_charts_write_is_plain() {
    for text in [
        "a: 1\nb:\n  c: [x, 1]\n  d:\n  - e\n  - f: g\n    h: i\n\n# note\nj: {}\n",
        "# note\n---\na: 'b'\n",
        "a: |\n  one\n\n    two\n\nb: >-\n  one\n  two\n\n  three\nc: |-\n  end",
        "a: one\n  two\n\n  three\nb: 'one\n  it''s two'\nc: 2 # note\n",
        "- - a\n  - b\n-\n  c: d\n- e: f\n  g:\n  - h\n",
        "{\"a\":[1,{\"b\":\"c\\\"\"}],\"d\":null}\n",
        "on: x\n1: y\n\"k\": z\na/b.c-d: \"e\\n\"\nf: http://g:1/h#i\n",
        "  a: 1\n  b: ü\n",
        "a:\n  {}\nb:\n  'c'\nd:\n  long\n  text\n",
        "a: \"one\n  two\\n\\\n  \\ three\n\n  four\"\nb: |2-\n     c\n   d\n",
    ] {
        let value = read::<Value>(text);
        assert!(value.is_some(), "{text}");
        assert_eq!(full(text), Ok(value.into_iter().collect()), "{text}");
    }
}

#[test]
fn all_else_is_left_alone() {
    for text in [
        "",
        "a",
        "a: &b 1",
        "a: *b",
        "a: !!str 1",
        "a:\t1",
        "a: 1\n\tb: 2",
        "a: 1\n---\nb: 2",
        "a: 1\n...\n",
        "%YAML 1.1\n---\na: 1",
        "? a\n: b",
        "<<: {a: 1}",
        "a: b: c",
        "a: 1\n  b: 2",
        " a: 1\nb: 2",
        "a: [b\n]",
        "a: \"\\u0041\"",
        "a: 1\r\nb: 2",
        "a: |0\n   b",
        "a: \"b",
        "a: 'b",
        "a: b\u{2028}c",
        "a: 1\n- b",
    ] {
        assert_eq!(read::<Value>(text), None, "{text}");
    }
}
