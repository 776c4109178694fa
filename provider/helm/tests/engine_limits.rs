//! Hostile templates end with an error: no panic, no endless loop, no overflow of the stack.

use std::rc::Rc;

use helm::template::{Clock, Entropy, Env, Limits, Set};
use helm::value::Value;
use proptest::prelude::*;
use serde_json::json;

fn small() -> Env {
    Env::new().limits(Limits {
        depth: 1000,
        steps: 2_000_000,
        output: 4 << 20,
    })
}

fn render(source: &str) -> Result<String, String> {
    let mut set = Set::new();
    set.parse("t", source).map_err(|error| error.to_string())?;
    let data = Value::from(json!({
        "Values": { "a": 1.5, "s": "text", "l": [1.0, "x", null], "m": { "k": "v" }, "t": "{{ tpl .Values.t . }}" },
        "Template": { "Name": "t", "BasePath": "b" },
    }));
    let out = set
        .execute("t", &data, &small())
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[test]
fn endless_templates_are_stopped() {
    let cases = [
        (
            "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}",
            "nested reference name: x",
        ),
        (
            "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}",
            "maximum template depth",
        ),
        ("{{ tpl .Values.t . }}", "maximum template depth"),
        ("{{ range 100000000 }}{{ end }}", "steps"),
        ("{{ range until 100000000 }}{{ end }}", "steps"),
        (
            "{{ range 1000000 }}{{ range 1000000 }}x{{ end }}{{ end }}",
            "steps",
        ),
        ("{{ repeat 1000000000 \"x\" }}", "bytes"),
        ("{{ indent 1000000000 \"x\" }}", "bytes"),
        (
            "{{ printf \"%999999d\" 1 }}{{ randAlpha 1000000000 }}",
            "bytes",
        ),
        (
            "{{ $x := \"ab\" }}{{ range 60 }}{{ $x = cat $x $x }}{{ end }}",
            "bytes",
        ),
        (
            "{{ $x := list 1 2 }}{{ range 60 }}{{ $x = concat $x $x }}{{ end }}",
            "steps",
        ),
        (
            "{{ range 1000 }}{{ genPrivateKey \"ed25519\" }}{{ end }}",
            "steps",
        ),
    ];
    for (source, expected) in cases {
        let error = render(source).expect_err(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn values_that_contain_themselves_do_no_harm() {
    for function in [
        "print",
        "toYaml",
        "toJson",
        "toYamlPretty",
        "toToml",
        "deepCopy",
        "printf \"%v\"",
        "quote",
        "empty",
    ] {
        let source =
            format!("{{{{ $d := dict }}}}{{{{ $_ := set $d \"a\" $d }}}}{{{{ $d | {function} }}}}");
        let _ = render(&source);
    }
    let source = "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $e := dict }}{{ $_ := set $e \"a\" $e }}\
        {{ deepEqual $d $e }}{{ merge $d $e | empty }}";
    assert!(render(source).is_ok());
}

#[test]
fn deep_nesting_does_no_harm() {
    let deep = "{{ $d := dict }}{{ range 100000 }}{{ $d = dict \"a\" $d }}{{ end }}{{ len $d }}";
    assert_eq!(render(deep).as_deref(), Ok("1"));
    let lists = "{{ $d := list }}{{ range 100000 }}{{ $d = list $d }}{{ end }}{{ len $d }}";
    assert_eq!(render(lists).as_deref(), Ok("1"));
    for (open, close) in [
        ("{{ if true }}", "{{ end }}"),
        ("{{ range 1 }}", "{{ end }}"),
    ] {
        let source = format!("{}x{}", open.repeat(900), close.repeat(900));
        assert_eq!(render(&source).as_deref(), Ok("x"));
        let source = format!("{}x{}", open.repeat(100_000), close.repeat(100_000));
        assert!(render(&source).is_err_and(|error| error.contains("nested too deeply")));
    }
    let source = format!("{{{{ {}1{} }}}}", "(".repeat(900), ")".repeat(900));
    assert_eq!(render(&source).as_deref(), Ok("1"));
    let json = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(render(&format!("{{{{ fromJsonArray `{json}` | len }}}}")).is_ok());
    assert!(render(&format!("{{{{ fromYamlArray `{json}` | len }}}}")).is_ok());
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
        g: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    let error = helm::yaml::decode(bomb.as_bytes()).expect_err("a bomb");
    assert!(error.to_string().contains("excessive aliasing"), "{error}");
}

/// The same bytes every time.
struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        for (index, byte) in buffer.iter_mut().enumerate() {
            *byte = self.0.wrapping_add(index as u8);
        }
    }

    fn rsa_key(&self, _: usize) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn time_and_randomness_are_the_environments() {
    let source = "{{ now | date \"2006-01-02\" }} {{ randAlphaNum 8 }} {{ uuidv4 }} {{ shuffle \"abcdef\" }} {{ htpasswd \"u\" \"p\" }}";
    let mut set = Set::new();
    set.parse("t", source).expect("it parses");
    set.parse("plain", "{{ 1 }}").expect("it parses");
    let run = |seed: u8, name: &str| {
        let moment: jiff::Timestamp = "2024-02-29T12:00:00Z".parse().expect("a time");
        let clock: Rc<dyn Clock> = Rc::new(moment);
        let env = Env::new().clock(clock).entropy(Rc::new(Fixed(seed)));
        let out = set.execute(name, &Value::Nil, &env).expect("it renders");
        (String::from_utf8_lossy(&out).into_owned(), env.volatile())
    };
    assert_eq!(run(1, "t"), run(1, "t"));
    assert_ne!(run(1, "t").0, run(2, "t").0);
    assert!(run(1, "t").0.starts_with("2024-02-29 "));
    let used = run(1, "t").1;
    assert!(used.clock && used.entropy && !used.lookup);
    assert_eq!(run(1, "plain").1, helm::template::Volatile::default());
}

fn piece() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        "{{/*",
        "*/}}",
        "(",
        ")",
        "|",
        ",",
        ".",
        "$",
        "$x",
        ":=",
        "=",
        " ",
        "\n",
        "\"",
        "`",
        "'a'",
        "nil",
        "true",
        "1",
        "-1",
        "1.5",
        "0x",
        "1i",
        ".Values",
        ".Values.a",
        ".Values.l",
        ".Values.m",
        "if ",
        "else ",
        "end ",
        "range ",
        "with ",
        "define \"d\"",
        "template \"d\" ",
        "block \"b\" ",
        "break",
        "continue",
        "include \"d\" .",
        "tpl ",
        "printf ",
        "\"%v%d%s\" ",
        "index ",
        "dict ",
        "list ",
        "set ",
        "merge ",
        "toYaml ",
        "fromYaml ",
        "toJson ",
        "fromJson ",
        "slice ",
        "substr ",
        "trunc ",
        "regexReplaceAll ",
        "regexSplit ",
        "splitList ",
        "until ",
        "untilStep ",
        "seq ",
        "repeat ",
        "wrap ",
        "abbrev ",
        "abbrevboth ",
        "date ",
        "dateInZone ",
        "toDate ",
        "mustToDuration ",
        "semverCompare ",
        "urlParse ",
        "urlJoin ",
        "b32dec ",
        "b64dec ",
        "title ",
        "snakecase ",
        "camelcase ",
        "round ",
        "divf ",
        "chunk ",
        "dig ",
        "eq ",
        "lt ",
        "len ",
        "kindOf ",
        "toToml ",
        "fromToml ",
        "decryptAES ",
        "buildCustomCert ",
        "genCAWithKey ",
        "html ",
        "js ",
        "quote ",
        "é",
        "\u{0}",
    ]);
    prop_oneof![
        8 => fixed.prop_map(str::to_owned),
        1 => ".{0,6}",
        1 => "[a-z(){}\\[\\]*+?\\\\|^$0-9,]{0,8}".prop_map(|text| format!("`{}`", text.replace('`', ""))),
    ]
}

/// Calls with arguments of all kinds, so that function bodies are reached.
fn call() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "printf",
        "slice",
        "substr",
        "trunc",
        "wrap",
        "wrapWith",
        "abbrev",
        "abbrevboth",
        "splitn",
        "regexFindAll",
        "regexSplit",
        "regexReplaceAll",
        "untilStep",
        "seq",
        "round",
        "chunk",
        "dig",
        "index",
        "date",
        "dateInZone",
        "toDate",
        "durationRoundTo",
        "mustToDuration",
        "semverCompare",
        "urlParse",
        "decryptAES",
        "fromToml",
        "toToml",
        "fromYaml",
        "toYamlPretty",
        "merge",
        "mergeOverwrite",
        "add",
        "div",
        "mod",
        "mulf",
        "divf",
        "toDecimal",
        "kebabcase",
        "camelcase",
        "title",
        "initials",
        "plural",
        "indent",
        "repeat",
        "join",
        "sortAlpha",
        "concat",
        "without",
        "has",
        "first",
        "rest",
        "initial",
        "last",
        "dict",
        "pick",
    ]);
    let args = prop::sample::select(vec![
        "\"\"",
        "\"é世a b,c\"",
        "\"%*d%[9]v%.3q\"",
        "\"2006-01-02T15:04:05.999Z07:00 _2 002 PM\"",
        "\"(a|b)*c{2,3}[^x]\"",
        "0",
        "-1",
        "3",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5",
        "1e308",
        "1i",
        "true",
        "nil",
        ".Values.l",
        ".Values.m",
        ".Values.s",
        "(list 1 \"a\" nil)",
        "(dict \"a\" (dict))",
        "(until 3)",
        "(b64dec \"/+8=\")",
        "(now)",
        "(mustToDuration \"-1.5h\")",
        "\"-1h30m.5s\"",
    ]);
    (names, prop::collection::vec(args, 0..5))
        .prop_map(|(name, args)| format!("{{{{ {name} {} }}}}", args.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_templates_do_not_panic(pieces in prop::collection::vec(piece(), 0..24)) {
        let _ = render(&pieces.concat());
    }

    #[test]
    fn random_calls_do_not_panic(source in call()) {
        let _ = render(&source);
    }

    #[test]
    fn random_yaml_does_not_panic(source in "[-a-z:#'\"|>&*!{}\\[\\], \n\t?%@`~0-9<é]{0,80}") {
        if let Ok(trees) = helm::yaml::decode(source.as_bytes()) {
            for tree in trees {
                let text = helm::yaml::encode(&tree);
                let again = helm::yaml::decode_one(text.as_bytes());
                prop_assert_eq!(again.as_ref(), Ok(&tree), "{}", text);
            }
        }
    }

    #[test]
    fn random_patterns_do_not_panic(pattern in "[a-c(){}\\[\\]*+?\\\\|^$0-9,:<>=!P-]{0,14}", text in "[a-cé ]{0,12}") {
        let source = format!("{{{{ regexReplaceAll `{pattern}` `{text}` `<$1>` }}}}{{{{ regexSplit `{pattern}` `{text}` -1 }}}}");
        let _ = render(&source);
    }
}
