//! What is asked of both engines.

/// A small generator of numbers: the same seed gives the same probes.
pub struct Numbers(u64);

impl Numbers {
    pub fn new() -> Self {
        Self::seeded(seed())
    }

    fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// The seed of this run.
pub fn seed() -> u64 {
    std::env::var("MANAGEDK8S_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1)
}

/// One probe a line, empty lines and `#` left out.
pub fn written() -> Vec<String> {
    include_str!("probes.txt")
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("# "))
        .map(|line| {
            if line.contains("{{") {
                line.to_owned()
            } else {
                shown(line)
            }
        })
        .collect()
}

/// Type, text and JSON of an expression's value.
fn shown(expression: &str) -> String {
    format!("{{{{ $r := {expression} }}}}{{{{ typeOf $r }}}}|{{{{ $r }}}}|{{{{ toJson $r }}}}")
}

const TEXTS: &[&str] = &[
    "\"\"",
    "\"abc\"",
    "\"Hello World\"",
    "\"12\"",
    "\"-3.7\"",
    "\"a,b,,c\"",
    "\"  pad  \"",
    "\"é ü 世\"",
    "\"foo-bar_baz\"",
    "\"HTTPServer2xx\"",
    "\"true\"",
    "\"a b\\nc\"",
    ".Values.text",
    ".Values.number",
    ".Values.empty",
    "\",\"",
    "\"a\"",
    "\"0x1F\"",
    "\"1e3\"",
];
const INTS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "5",
    "10",
    "-1",
    "-4",
    "(int 3)",
    "(len \"abcd\")",
];
const ANYS: &[&str] = &[
    "0",
    "1",
    "-3",
    "2.5",
    "1e6",
    "\"\"",
    "\"abc\"",
    "\"12\"",
    "\"010\"",
    "\"1.5\"",
    "true",
    "false",
    "nil",
    "(int64 5)",
    "(list)",
    "(list 1 \"a\" nil)",
    "(list \"b\" \"a\")",
    "(dict)",
    "(dict \"a\" 1)",
    ".Values.float",
    ".Values.half",
    ".Values.big",
    ".Values.text",
    ".Values.nothing",
    ".Values.missing",
    ".Values.list",
    ".Values.none",
    ".Values.map",
    ".Values.yes",
    "(splitList \",\" \"x,y\")",
    "(split \",\" \"x,y\")",
    "(until 3)",
    "'a'",
    "1i",
    "(semver \"1.2.3-rc.1\")",
    "(mustToDuration \"90m\")",
];
const LISTS: &[&str] = &[
    "(list)",
    "(list 1 2 3)",
    "(list \"b\" \"a\" \"b\")",
    "(list 1 \"a\" nil 1)",
    ".Values.list",
    ".Values.words",
    ".Values.none",
    "(splitList \",\" \"x,y,x\")",
    "(until 4)",
    "(list (list 1) (list 2))",
    ".Values.nothing",
    "\"text\"",
];
const MAPS: &[&str] = &[
    "(dict)",
    "(dict \"a\" 1)",
    "(dict \"a\" 1 \"b\" (dict \"c\" 2))",
    "(deepCopy .Values.map)",
    "(deepCopy .Values.other)",
    "(dict \"k\" nil)",
    ".Values.missing",
];
const BOOLS: &[&str] = &["true", "false", ".Values.yes", "(eq 1 1)", "1"];
const PATTERNS: &[&str] = &[
    "\"a+\"",
    "\"[a-c]+\"",
    "\"(\\\\w+) (\\\\w+)\"",
    "\"^\\\\s*\"",
    "\"x*\"",
    "\"(\"",
    "\"[\"",
    "\"a{2}\"",
    "\"{a}\"",
    "\"\\\\d+\"",
    "\"(?i)ABC\"",
    "\"b|c\"",
    "\"\"",
    "\"[[:alpha:]]+\"",
    "\"\\\\Qa.b\\\\E\"",
    "\"(?P<x>.)\"",
    "\"a**\"",
    "\"[^,]+\"",
];
const DURATIONS: &[&str] = &[
    "\"1h30m\"",
    "\"90\"",
    "3600",
    "2.5",
    "\"-15s\"",
    "\"x\"",
    ".Values.float",
    "\"100ms\"",
    "nil",
];
const TIMES: &[&str] = &[
    "(toDate \"2006-01-02\" \"2017-12-31\")",
    "0",
    "1700000000",
    "(int64 86399)",
    "(toDate \"2006-01-02T15:04:05Z07:00\" \"2021-03-28T01:30:00+02:00\")",
];
const LAYOUTS: &[&str] = &[
    "\"2006-01-02\"",
    "\"Mon Jan _2 15:04:05 MST 2006\"",
    "\"02.01.06 3:04PM\"",
    "\"2006-01-02T15:04:05.000Z07:00\"",
    "\"Monday, January 2 002 -0700\"",
    "\"20060102150405\"",
];
const ZONES: &[&str] = &[
    "\"UTC\"",
    "\"America/New_York\"",
    "\"Nowhere/None\"",
    "\"Asia/Kolkata\"",
    "\"\"",
];
const VERSIONS: &[&str] = &[
    "\"1.2.3\"",
    "\"v1.20.0-gke.1\"",
    "\"1\"",
    "\"1.2\"",
    "\"01.2.3\"",
    "\"1.2.3+meta\"",
    "\"1.2.3-rc.1\"",
    "\"x\"",
    "\"0.0.3\"",
    "\"2.0.0\"",
];
const CONSTRAINTS: &[&str] = &[
    "\">=1.19\"",
    "\">=1.19-0\"",
    "\"^1.2\"",
    "\"~1.2.3\"",
    "\"1.x\"",
    "\"*\"",
    "\"<=1.2\"",
    "\">1\"",
    "\"!=1.2\"",
    "\"1.2 - 2\"",
    "\">=1.0.0, <2.0.0\"",
    "\">=1 <1.2 || ^2\"",
    "\"^0.0.3\"",
    "\"bad\"",
    "\"\"",
    "\"=1.2.3\"",
    "\">1.2.3-alpha\"",
];
const URLS: &[&str] = &[
    "\"http://u:p@h.io:80/a b?q=1#f\"",
    "\"mailto:a@b\"",
    "\"/path/only\"",
    "\"h:p\"",
    "\"https://[::1]:8/x\"",
    "\"%zz\"",
    "\"//h/p\"",
];
const FORMATS: &[&str] = &[
    "\"%d\"",
    "\"%s\"",
    "\"%v\"",
    "\"%q\"",
    "\"%5.2f\"",
    "\"%x\"",
    "\"%T\"",
    "\"%#v\"",
    "\"%+v\"",
    "\"%t\"",
    "\"%e\"",
    "\"%08b\"",
    "\"%-6v|\"",
    "\"%c\"",
    "\"%U\"",
    "\"%%\"",
    "\"%z\"",
    "\"%[1]v %[1]T\"",
    "\"%*d\"",
    "\"%g\"",
    "\"%6s\"",
    "\"%.2s\"",
    "\"%X\"",
    "\"%o\"",
];

/// Each function with the kinds of its arguments.
fn table() -> Vec<(&'static str, Vec<&'static [&'static str]>)> {
    let mut all: Vec<(&str, Vec<&[&str]>)> = Vec::new();
    for name in [
        "trim",
        "upper",
        "lower",
        "title",
        "untitle",
        "swapcase",
        "nospace",
        "initials",
        "snakecase",
        "camelcase",
        "kebabcase",
        "b64enc",
        "b64dec",
        "b32enc",
        "b32dec",
        "sha1sum",
        "sha256sum",
        "sha512sum",
        "adler32sum",
        "base",
        "dir",
        "clean",
        "ext",
        "isAbs",
        "osBase",
        "atoi",
        "fromJson",
        "fromJsonArray",
        "mustFromJson",
        "regexQuoteMeta",
        "fail",
    ] {
        all.push((name, vec![TEXTS]));
    }
    for name in [
        "trimAll",
        "trimPrefix",
        "trimSuffix",
        "contains",
        "hasPrefix",
        "hasSuffix",
        "splitList",
        "split",
    ] {
        all.push((name, vec![TEXTS, TEXTS]));
    }
    for name in [
        "toString",
        "toStrings",
        "quote",
        "squote",
        "cat",
        "toJson",
        "toYaml",
        "toYamlPretty",
        "toRawJson",
        "toPrettyJson",
        "typeOf",
        "kindOf",
        "empty",
        "not",
        "len",
        "int",
        "int64",
        "float64",
        "toDecimal",
        "add1",
        "add1f",
        "floor",
        "ceil",
        "print",
        "println",
        "html",
        "js",
        "urlquery",
        "sortAlpha",
        "mustToYaml",
        "deepCopy",
        "duration",
        "durationRound",
        "mustToJson",
        "mustToPrettyJson",
    ] {
        all.push((name, vec![ANYS]));
    }
    for name in [
        "default",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "and",
        "or",
        "add",
        "sub",
        "mul",
        "div",
        "mod",
        "max",
        "min",
        "addf",
        "subf",
        "mulf",
        "divf",
        "maxf",
        "minf",
        "coalesce",
        "all",
        "any",
        "deepEqual",
        "quote",
        "squote",
        "cat",
        "print",
        "index",
        "has",
        "list",
        "dict",
        "append",
        "prepend",
        "concat",
        "toJson",
    ] {
        all.push((name, vec![ANYS, ANYS]));
    }
    for name in [
        "first",
        "last",
        "rest",
        "initial",
        "reverse",
        "uniq",
        "compact",
        "sortAlpha",
        "toStrings",
        "len",
        "toYaml",
        "toYamlPretty",
        "mustFirst",
        "mustUniq",
    ] {
        all.push((name, vec![LISTS]));
    }
    all.extend([
        ("join", vec![TEXTS, LISTS]),
        ("has", vec![ANYS, LISTS]),
        ("without", vec![LISTS, ANYS]),
        ("append", vec![LISTS, ANYS]),
        ("prepend", vec![LISTS, ANYS]),
        ("slice", vec![LISTS, INTS, INTS]),
        ("index", vec![LISTS, INTS]),
        ("chunk", vec![INTS, LISTS]),
        ("concat", vec![LISTS, LISTS]),
        ("repeat", vec![INTS, TEXTS]),
        ("substr", vec![INTS, INTS, TEXTS]),
        ("trunc", vec![INTS, TEXTS]),
        ("abbrev", vec![INTS, TEXTS]),
        ("abbrevboth", vec![INTS, INTS, TEXTS]),
        ("wrap", vec![INTS, TEXTS]),
        ("wrapWith", vec![INTS, TEXTS, TEXTS]),
        ("indent", vec![INTS, TEXTS]),
        ("nindent", vec![INTS, TEXTS]),
        ("replace", vec![TEXTS, TEXTS, TEXTS]),
        ("plural", vec![TEXTS, TEXTS, INTS]),
        ("splitn", vec![TEXTS, INTS, TEXTS]),
        ("until", vec![INTS]),
        ("untilStep", vec![INTS, INTS, INTS]),
        ("seq", vec![INTS, INTS]),
        ("seq", vec![INTS, INTS, INTS]),
        ("round", vec![ANYS, INTS]),
        ("ternary", vec![ANYS, ANYS, BOOLS]),
        ("get", vec![MAPS, TEXTS]),
        ("set", vec![MAPS, TEXTS, ANYS]),
        ("unset", vec![MAPS, TEXTS]),
        ("hasKey", vec![MAPS, TEXTS]),
        ("pluck", vec![TEXTS, MAPS, MAPS]),
        ("pick", vec![MAPS, TEXTS, TEXTS]),
        ("omit", vec![MAPS, TEXTS, TEXTS]),
        ("merge", vec![MAPS, MAPS]),
        ("mergeOverwrite", vec![MAPS, MAPS]),
        ("mustMerge", vec![MAPS, MAPS]),
        ("mustMergeOverwrite", vec![MAPS, MAPS]),
        ("dig", vec![TEXTS, ANYS, MAPS]),
        ("dig", vec![TEXTS, TEXTS, ANYS, MAPS]),
        ("toToml", vec![MAPS]),
        ("toYaml", vec![MAPS]),
        ("toYamlPretty", vec![MAPS]),
        ("typeIs", vec![TEXTS, ANYS]),
        ("kindIs", vec![TEXTS, ANYS]),
        ("regexMatch", vec![PATTERNS, TEXTS]),
        ("regexFind", vec![PATTERNS, TEXTS]),
        ("regexFindAll", vec![PATTERNS, TEXTS, INTS]),
        (
            "regexReplaceAll",
            vec![
                PATTERNS,
                TEXTS,
                &["\"<$0>\"", "\"${1}x\"", "\"$1x\"", "\"$$\""],
            ],
        ),
        ("regexReplaceAllLiteral", vec![PATTERNS, TEXTS, TEXTS]),
        ("regexSplit", vec![PATTERNS, TEXTS, INTS]),
        ("mustRegexMatch", vec![PATTERNS, TEXTS]),
        ("mustRegexFind", vec![PATTERNS, TEXTS]),
        ("semver", vec![VERSIONS]),
        ("semverCompare", vec![CONSTRAINTS, VERSIONS]),
        ("urlParse", vec![URLS]),
        ("dateInZone", vec![LAYOUTS, TIMES, ZONES]),
        ("date", vec![LAYOUTS, TIMES]),
        ("htmlDate", vec![TIMES]),
        ("mustToDuration", vec![DURATIONS]),
        ("durationSeconds", vec![DURATIONS]),
        ("durationHours", vec![DURATIONS]),
        ("durationDays", vec![DURATIONS]),
        ("durationMilliseconds", vec![DURATIONS]),
        ("durationRoundTo", vec![DURATIONS, DURATIONS]),
        ("durationTruncateTo", vec![DURATIONS, DURATIONS]),
        ("printf", vec![FORMATS, ANYS]),
        ("printf", vec![FORMATS, ANYS, ANYS]),
    ]);
    all
}

/// `count` probes for each entry of the table.
pub fn generated(count: usize) -> Vec<String> {
    let mut numbers = Numbers::new();
    let mut probes = Vec::new();
    for (name, kinds) in table() {
        for _ in 0..count {
            let mut call = name.to_owned();
            let piped = numbers.below(4) == 0;
            let args: Vec<&str> = kinds.iter().map(|kind| numbers.pick(kind)).collect();
            match args.split_last() {
                Some((last, first)) if piped && *last != "nil" => {
                    for arg in first {
                        call.push(' ');
                        call.push_str(arg);
                    }
                    call = format!("{last} | {call}");
                }
                _ => {
                    for arg in &args {
                        call.push(' ');
                        call.push_str(arg);
                    }
                }
            }
            // Go prints the fields of structs here, which no chart can want.
            let struct_fields = (name == "printf" || name == "deepCopy") && call.contains("semver");
            if !struct_fields {
                probes.push(shown(&call));
            }
        }
    }
    probes
}

const PIECES: &[&str] = &[
    "a",
    "b",
    "word",
    " ",
    "  ",
    "\n",
    "\n\n",
    ": ",
    "#",
    " #",
    "- ",
    "-",
    "'",
    "\"",
    "\\",
    "é",
    "世",
    "😀",
    "\t",
    "1",
    "0",
    ".",
    "e3",
    "yes",
    "no",
    "null",
    "~",
    "true",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&",
    "*",
    "!",
    "|",
    ">",
    "%",
    "@",
    "`",
    "=",
    "<<",
    "2001-01-01",
    "1:30",
    "0x",
    "a fairly long run of words that goes on and on ",
    "_",
    "\u{a0}",
    "?",
    ":",
    "---",
    "...",
];

/// Random trees through `toYaml`, `toYamlPretty` and back.
pub fn yaml(count: usize) -> Vec<String> {
    let mut numbers = Numbers::new();
    (0..count)
        .map(|_| {
            let mut json = String::new();
            tree(&mut numbers, 0, &mut json);
            let quoted = helm_quote(&json);
            format!(
                "{{{{ $v := mustFromJson {quoted} }}}}{{{{ toYaml $v }}}}\n{{{{ toYamlPretty $v }}}}\n{{{{ dict \"v\" $v | toYaml | fromYaml | toJson }}}}"
            )
        })
        .collect()
}

const YAML: &[&str] = &[
    "a: ",
    "b: ",
    "c:",
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "- ",
    "1",
    "x",
    "\"q\"",
    "'s'",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "|\n  t\n",
    ">-\n  f\n",
    "&n ",
    "*n",
    "!!str ",
    "!!str",
    "!",
    "# c\n",
    "---\n",
    "...\n",
    "? ",
    "yes",
    "~",
    "0x1F",
    "1_000",
    "12345678901234567890",
    "-9007199254740993",
    "1e3",
    ".inf",
    ".NaN",
    "2001-01-01",
    "<<: ",
    "\t",
    "%",
    "@",
    "`",
    "é",
    "\"\\x41\\u00e9\"",
    "\"\\q\"",
    "'it''s'",
];

const TOML: &[&str] = &[
    "a = ",
    "b = ",
    "c.d = ",
    "\n",
    "\n",
    "\n",
    "[t]\n",
    "[t.u]\n",
    "[[l]]\n",
    "1",
    "-1.5",
    "\"q\"",
    "'s'",
    "true",
    "[1, 2]",
    "{x = 1}",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "0x1F",
    "1_000",
    "9223372036854775807",
    "9223372036854775808",
    "1e3",
    "inf",
    "nan",
    "1979-05-27",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "\"\"\"m\nl\"\"\"",
    "",
    "# c\n",
    "\"\\u00e9\"",
    "\"\\q\"",
    "=",
    "\"k k\" = ",
    "é = ",
];

/// Random texts, mostly broken ones, through the readers. What YAML's reader says of an error must agree; of TOML only
/// whether there is one, and with `MANAGEDK8S_TAILS` what is said too.
pub fn texts(count: usize) -> Vec<String> {
    let mut numbers = Numbers::new();
    let tails = std::env::var_os("MANAGEDK8S_TAILS").is_some();
    (0..count)
        .map(|index| {
            let (reader, pieces) = match index % 3 {
                0 => ("fromYaml", YAML),
                1 => ("fromYamlArray", YAML),
                _ => ("fromToml", TOML),
            };
            let length = 1 + numbers.below(9);
            let text: String = (0..length).map(|_| numbers.pick(pieces)).collect();
            let call = format!("{{{{ $r := {reader} {} }}}}", helm_quote(&text));
            if tails || reader != "fromToml" {
                return format!("{call}{{{{ toJson $r }}}}");
            }
            format!("{call}{{{{ if hasKey $r \"Error\" }}}}error{{{{ else }}}}{{{{ toJson $r }}}}{{{{ end }}}}")
        })
        .collect()
}

const KEYS: &[&str] = &[
    "a:", "b:", "c:", "\"d\":", "'e':", "1:", "true:", "<<:", "g h :", "&y k:", "1.5:",
];
const NODES: &[&str] = &[
    "x",
    "\"q\"",
    "'s'",
    "1.0",
    "yes",
    "~",
    "",
    "[1, a]",
    "{a: b}",
    "[]",
    "{}",
    "\"a\\tb\"",
    "'it''s'",
    "a b c",
    "a:b",
    "a#b",
    "- ",
    "0755",
    "0o755",
    "12e03",
    "+.5",
    "1_000",
    "0b11",
    "2001-01-01T01:02:03Z",
    "y",
    "&x 1",
    "!!str 1",
    "!!int \"3\"",
    "!foo bar",
    "[a, b: c, {d: e}]",
    "{a: 1, b: , c}",
    "\"a\": ",
    "*x",
    "12:30:45",
    "-0.0",
    "99999999999999999999",
    "!!null \"\"",
    "!!bool \"yes\"",
    "!!float 1",
    "=",
    "<<",
];
const HEADERS: &[&str] = &[
    "|", ">", "|-", ">-", "|+", ">+", "|2", ">1-", "|-1", "|+2", "| # c", "> ", "|4",
];
const LINES: &[&str] = &["t", "t u", "# h", "- x", "k: v", "", "\tq", "  ", "\t"];
const INDENTS: &[&str] = &["  ", "  ", "   ", " ", "", "\t", "    "];

/// YAML as people write it, block by block, with what goes wrong there: tabs, columns that are off, texts that go on.
pub fn layouts(count: usize) -> Vec<String> {
    let mut numbers = Numbers::new();
    (0..count)
        .map(|_| {
            let mut text = String::new();
            layout(&mut numbers, 0, 0, &mut text);
            let mut text = text.trim_start_matches('\n').to_owned();
            match numbers.below(12) {
                0 => text.insert_str(0, "---\n"),
                1 => text.insert_str(0, "%YAML 1.1\n--- "),
                2 => text.push_str("...\nx: ["),
                3 => text.push_str("---\nb: 1\n"),
                4 => text = text.replace('\n', "\r\n"),
                5 => text.truncate(text.trim_end_matches('\n').len()),
                6 | 7 => {
                    let mut at = numbers.below(text.len() + 1);
                    while !text.is_char_boundary(at) {
                        at -= 1;
                    }
                    let sign =
                        numbers.pick(&["\t", " ", ":", "#", "\"", "'", "-", "\n", ",", "[", "}"]);
                    text.insert_str(at, sign);
                }
                _ => {}
            }
            let list = text.trim_start().starts_with('-');
            let reader = if list { "fromYamlArray" } else { "fromYaml" };
            format!("{{{{ {reader} {} | toJson }}}}", helm_quote(&text))
        })
        .collect()
}

/// A node behind its key, its line feed included.
fn layout(numbers: &mut Numbers, indent: usize, depth: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match numbers.below(if depth > 2 { 5 } else { 9 }) {
        0 | 1 => {
            let end = numbers.pick(&["", "", "", " # c", "  ", "\t"]);
            out.extend([" ", numbers.pick(NODES), end, "\n"]);
        }
        2 | 3 => {
            out.extend([" ", numbers.pick(HEADERS), "\n"]);
            for _ in 0..numbers.below(5) {
                out.extend([&pad, numbers.pick(INDENTS), numbers.pick(LINES), "\n"]);
            }
        }
        4 => {
            let quote = numbers.pick(&["", "\"", "'"]);
            out.extend([" ", quote, "word"]);
            for _ in 0..numbers.below(3) {
                let more = numbers.pick(&["more", "more # c", "#x", "", "two  words"]);
                out.extend(["\n", &pad, numbers.pick(INDENTS), more]);
            }
            out.extend([quote, "\n"]);
        }
        5 | 6 => {
            out.push('\n');
            for _ in 0..=numbers.below(3) {
                let off = if numbers.below(12) == 0 { " " } else { "" };
                out.extend([&pad, off, numbers.pick(KEYS)]);
                layout(numbers, indent + 2, depth + 1, out);
                if numbers.below(6) == 0 {
                    out.push_str(numbers.pick(&["\n", "# c\n", "   \n", " \t\n"]));
                }
            }
        }
        _ => {
            out.push('\n');
            let pad = if numbers.below(2) == 0 {
                &pad
            } else {
                pad.get(2..).unwrap_or_default()
            };
            for _ in 0..=numbers.below(3) {
                out.extend([pad, "-"]);
                let deeper = if numbers.below(3) == 0 { 0 } else { 2 };
                layout(numbers, indent + deeper, depth + 1, out);
            }
        }
    }
}

const TESTS: &[&str] = &[
    ".Values.text",
    ".Values.missing",
    "eq 1 2",
    "and .Values.list 1",
    "or nil .Values.map",
    "not .Values.no",
    "gt 2 1",
    "hasKey .Values \"text\"",
    "empty .Values.map",
    "$",
    ".",
];

const SHOWN: &[&str] = &[
    "{{ .Values.text }}",
    "{{- .Values.list -}}",
    "{{ . | kindOf }}",
    "{{ $v }}",
    "{{ $v = add $i 1 }}{{ $v }}",
    "{{ printf \"%v|%5d\" $i 3 }}",
    " {{- \" t \" -}} ",
    "{{/* note */}}",
    "{{- /* note */ -}}",
    "plain\n",
    "  \n",
    "{{ len .Values.list }}",
    "{{ .Values.map | toYaml | nindent 2 }}",
    "{{ $.Values.text | quote }}",
    "{{ (dict \"a\" (list 1 nil)) | toJson }}",
    "{{ tpl \"{{ .Values.text }}\" $ }}",
    "{{ `raw {{ }}` }}",
    "{{ 'x' }}",
    "{{ 1.50 }}",
    "{{ 0x1p4 }}",
];

/// Templates made of blocks inside of blocks.
pub fn templates(count: usize) -> Vec<String> {
    let mut numbers = Numbers::new();
    (0..count)
        .map(|_| {
            let mut out = String::from("{{ $v := 0 }}{{ $i := 7 }}");
            for _ in 0..=numbers.below(4) {
                block(&mut numbers, 0, false, &mut out);
            }
            out
        })
        .collect()
}

fn block(numbers: &mut Numbers, depth: usize, looping: bool, out: &mut String) {
    let kind = if depth > 3 { 0 } else { numbers.below(9) };
    let (open, ends) = match kind {
        0..=3 => {
            out.push_str(numbers.pick(SHOWN));
            return;
        }
        4 => (format!("{{{{ if {} }}}}", numbers.pick(TESTS)), true),
        5 => (format!("{{{{- with {} -}}}}", numbers.pick(TESTS)), true),
        6 => ("{{ range $i, $v := .Values.list }}".to_owned(), false),
        7 => ("{{ range $i := until 3 }}".to_owned(), false),
        _ => (
            "{{ range $k, $v := $.Values.map }}{{ $k }}".to_owned(),
            false,
        ),
    };
    out.push_str(&open);
    let inner = looping || !ends;
    for _ in 0..=numbers.below(2) {
        block(numbers, depth + 1, inner, out);
    }
    if inner && numbers.below(4) == 0 {
        out.push_str(numbers.pick(&["{{ break }}", "{{ continue }}"]));
    }
    if numbers.below(3) == 0 {
        out.push_str("{{ else }}");
        block(numbers, depth + 1, looping, out);
    }
    out.push_str("{{ end }}");
}

/// Two random tables of values, as YAML: a chart's and a user's.
pub fn values(seed: u64) -> [String; 2] {
    let mut numbers = Numbers::seeded(seed);
    [(); 2].map(|()| {
        let mut out = String::from("{\"same\":");
        tree(&mut numbers, 1, &mut out);
        for key in ["a", "b1", "sub"] {
            out.extend([",\"", key, "\":{\"k\":"]);
            tree(&mut numbers, 2, &mut out);
            out.push_str(",\"global\":{\"g\":");
            tree(&mut numbers, 3, &mut out);
            out.push_str("}}");
        }
        out.push_str(",\"global\":{\"g\":");
        tree(&mut numbers, 3, &mut out);
        out.push_str("}}");
        out
    })
}

fn text(numbers: &mut Numbers) -> String {
    let count = numbers.below(6);
    let mut all = String::new();
    for _ in 0..count {
        all.push_str(numbers.pick(PIECES));
    }
    all
}

fn tree(numbers: &mut Numbers, depth: usize, out: &mut String) {
    match numbers.below(if depth > 3 { 7 } else { 11 }) {
        0 => out.push_str("null"),
        1 => out.push_str(numbers.pick(&["true", "false"])),
        2 => out.push_str(numbers.pick(&[
            "0",
            "1",
            "-5",
            "1.5",
            "1e21",
            "1e-7",
            "1234567.5",
            "100000000000000000000",
            "0.1",
            "-0",
        ])),
        3..=6 => out.push_str(&serde_json::Value::String(text(numbers)).to_string()),
        7 | 8 => {
            out.push('[');
            for index in 0..numbers.below(4) {
                if index > 0 {
                    out.push(',');
                }
                tree(numbers, depth + 1, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for index in 0..numbers.below(5) {
                if index > 0 {
                    out.push(',');
                }
                let key = match numbers.below(3) {
                    0 => numbers
                        .pick(&[
                            "a", "b1", "b10", "b2", "A", "_x", "1", "a-b", "a.b", "yes", "",
                        ])
                        .to_owned(),
                    _ => text(numbers),
                };
                out.push_str(&serde_json::Value::String(key).to_string());
                out.push(':');
                tree(numbers, depth + 1, out);
            }
            out.push('}');
        }
    }
}

/// A Go string literal.
fn helm_quote(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ => out.push(char),
        }
    }
    out.push('"');
    out
}
