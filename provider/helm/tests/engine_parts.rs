//! Versions, constraints, YAML and certificates, by example.

use helm::semver::{Constraint, Version};
use helm::template::{Env, Set};
use helm::value::Value;
use helm::yaml;
use serde_json::json;

fn version(text: &str) -> Version {
    Version::parse(text).expect("a version")
}

#[test]
fn versions_order_by_precedence() {
    let sorted = [
        "0.9.9",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "v2",
    ];
    for pair in sorted.windows(2) {
        assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
    }
    assert_eq!(version("1.2.3+a"), version("v1.2.3+b"));
    assert_eq!(version("v1.2-rc.1+meta").to_string(), "1.2.0-rc.1+meta");
    for bad in [
        "", "a", "1.2.3.4", "1.2.3-01", "1.2.3-", "v", "1..2", " 1.2.3",
    ] {
        assert!(Version::parse(bad).is_err(), "{bad:?}");
    }
    for bad in ["v1.2.3", "1.2", "01.2.3", ""] {
        assert!(Version::parse_strict(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn constraints_follow_masterminds() {
    let cases = [
        (">=1.19", "1.20.0-gke.1", false),
        (">=1.19-0", "1.20.0-gke.1", true),
        (">=1.19.0-0 <1.30", "1.20.0-gke.1", true),
        ("^1.2.3", "1.9.0", true),
        ("^1.2.3", "2.0.0", false),
        ("^0.2.3", "0.3.0", false),
        ("^0.0.3", "0.0.4", false),
        ("~1.2", "1.2.9", true),
        ("~1.2.3", "1.3.0", false),
        ("1.x", "1.99.0", true),
        ("*", "3.2.1", true),
        ("<=1.2", "1.2.9", true),
        (">1", "1.5.0", false),
        ("!=1.2.x", "1.2.5", false),
        ("1.2 - 1.4.5", "1.4.5", true),
        (">=1.0.0, <2.0.0 || >=3", "2.5.0", false),
        (">=1.0.0, <2.0.0 || >=3", "3.0.0", true),
        ("v1.2.3", "1.2.3", true),
    ];
    for (constraint, candidate, expected) in cases {
        let parsed = Constraint::parse(constraint).expect(constraint);
        assert_eq!(
            parsed.check(&version(candidate)),
            expected,
            "{constraint} {candidate}"
        );
    }
    for bad in ["", ">=", "bad", ">=1.2 and <2", "1.2.3.4"] {
        assert!(Constraint::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn yaml_is_read_as_1_1() {
    let source = "a: yes\nb: 0o7\nc: 010\nd: 1_000\ne: 2001-01-01\nf: 1:30\ng: ~\nn: x\n1: y\n1.5: z\nh: &x {p: 1, q: 2}\ni: {<<: *x, q: 3}\ni2: '1'\n";
    let expected = json!({
        "a": true, "b": 7.0, "c": 8.0, "d": 1000.0, "e": "2001-01-01", "f": "1:30", "g": null, "false": "x", "1": true, "1.5": "z",
        "h": {"p": 1.0, "q": 2.0}, "i": {"p": 1.0, "q": 3.0}, "i2": "1",
    });
    assert_eq!(yaml::decode_one(source.as_bytes()), Ok(expected));
    assert_eq!(
        yaml::decode(b"a: 1\n---\n- b\n---\n"),
        Ok(vec![json!({"a": 1.0}), json!(["b"]), json!(null)])
    );
    assert_eq!(yaml::decode(b""), Ok(vec![]));
    for bad in ["a: [", "a: b: c", "\tx: 1", "a: .nan", "~: 1", "a: *x"] {
        assert!(yaml::decode(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(yaml::decode(b"a: \xff").is_err());
}

#[test]
fn yaml_is_written_as_go_yaml_does() {
    let tree = json!({"b": ["x", {"y": 1.0, "a2": "yes", "a10": null}], "a": "l1\nl2\n", "c": {}, "d": [], "e": 1e21, "f": 0.5});
    let text = "a: |\n  l1\n  l2\nb:\n- x\n- a2: \"yes\"\n  a10: null\n  \"y\": 1\nc: {}\nd: []\ne: 1e+21\nf: 0.5\n";
    assert_eq!(yaml::encode(&tree), text);
    let long = json!({"k": "word ".repeat(20).trim()});
    let folded = format!(
        "k: {}\n  {}\n",
        "word ".repeat(16).trim(),
        "word ".repeat(4).trim()
    );
    assert_eq!(yaml::encode(&long), folded);
}

fn render(source: &str) -> String {
    let mut set = Set::new();
    set.parse("t", source).expect("it parses");
    let out = set
        .execute("t", &Value::Nil, &Env::new())
        .expect("it renders");
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn certificates_are_what_was_asked_for() {
    let pem = render(
        "{{ $ca := genCA \"authority\" 30 }}{{ $c := genSignedCert \"leaf\" (list \"10.0.0.1\" \"::1\") (list \"a.b\") 3 $ca }}\
        {{ $ca.Cert }}{{ $c.Cert }}",
    );
    let blocks: Vec<_> = x509_parser::pem::Pem::iter_from_buffer(pem.as_bytes())
        .map(|block| block.expect("a PEM block"))
        .collect();
    let certificates: Vec<_> = blocks
        .iter()
        .map(|block| block.parse_x509().expect("a certificate"))
        .collect();
    let [authority, leaf] = certificates.as_slice() else {
        panic!("two certificates");
    };
    assert!(authority.is_ca() && !leaf.is_ca());
    assert_eq!(leaf.issuer(), authority.subject());
    assert_eq!(leaf.subject().to_string(), "CN=leaf");
    let names = leaf
        .subject_alternative_name()
        .expect("readable")
        .expect("present");
    assert_eq!(names.value.general_names.len(), 3);
    let life = leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp();
    assert_eq!(life, 3 * 86_400);
    let usage = authority.key_usage().expect("readable").expect("present");
    assert!(
        usage.value.key_cert_sign()
            && usage.value.digital_signature()
            && usage.value.key_encipherment()
    );
}
