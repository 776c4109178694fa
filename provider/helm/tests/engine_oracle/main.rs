//! The engine against the real `helm`, expression by expression.
//!
//! Probes are generated from a table of functions and argument kinds. Those that our engine
//! evaluates go to `helm template` in large batches; of those that it refuses a sample is compared,
//! message by message. The path of `helm` comes from `MANAGEDK8S_HELM`; without it these tests say
//! that they were skipped. `MANAGEDK8S_SEED` sets the seed, which failures print.

mod helm_process;
mod probes;

use std::collections::BTreeMap;

use helm::template::{Env, Set};
use helm::value::{Entries, Map, MapKind, Value};

use helm_process::Oracle;

/// Values of the chart that probes run in.
const VALUES: &str = include_str!("values.yaml");

/// Helm drops the nulls of a chart's own defaults.
fn without_nulls(tree: serde_json::Value) -> serde_json::Value {
    match tree {
        serde_json::Value::Object(entries) => entries
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        other => other,
    }
}

fn data() -> Value {
    let tree = helm::yaml::decode_one(VALUES.as_bytes()).expect("the values are YAML");
    let Value::Map(values) = Value::from(without_nulls(tree)) else {
        panic!("the values are a map");
    };
    let root = Entries::from([
        (
            "Values".into(),
            Value::Map(values.with_kind(MapKind::Values)),
        ),
        ("Template".into(), Value::Map(Map::any(Entries::new()))),
    ]);
    Value::map(root)
}

/// Our answer: the text, or the message.
fn ours(probe: &str) -> Result<Vec<u8>, String> {
    let probes = BTreeMap::from([("p0".to_owned(), probe)]);
    let mut set = Set::new();
    let files = helm_process::files(&probes);
    for (path, source) in &files {
        set.parse(&format!("probe/{path}"), source)
            .map_err(|error| error.to_string())?;
    }
    let text = set
        .execute("probe/templates/all.yaml", &data(), &Env::new())
        .map_err(|error| error.to_string())?;
    Ok(helm_process::answers(&String::from_utf8_lossy(&text))
        .remove("p0")
        .unwrap_or_default())
}

/// What is compared of a message: all but what the command line adds.
fn essence(message: &str) -> String {
    let message = message.trim().trim_start_matches("Error: ");
    let cut = message.find("\n\nUse --debug").unwrap_or(message.len());
    message[..cut].trim().to_owned()
}

fn check(probes: Vec<String>, refused_sample: usize) {
    let Some(oracle) = Oracle::from_environment() else {
        eprintln!("skipped: MANAGEDK8S_HELM is not set");
        return;
    };
    let mut fine = BTreeMap::new();
    let mut refused = Vec::new();
    for probe in probes {
        match ours(&probe) {
            Ok(text) => {
                fine.insert(probe, text);
            }
            Err(message) => refused.push((probe, message)),
        }
    }
    let mut differences = Vec::new();
    let sources: Vec<&String> = fine.keys().collect();
    for batch in sources.chunks(400) {
        for (probe, answer) in oracle.batch(batch) {
            let own = &fine[&probe];
            match answer {
                Ok(text) if text == *own => {}
                Ok(text) => differences.push(format!(
                    "{probe}\n    helm: {:?}\n    ours: {:?}",
                    String::from_utf8_lossy(&text),
                    String::from_utf8_lossy(own)
                )),
                Err(message) => differences.push(format!(
                    "{probe}\n    helm fails: {}\n    ours: {:?}",
                    essence(&message),
                    String::from_utf8_lossy(own)
                )),
            }
        }
    }
    let step = (refused.len() / refused_sample.max(1)).max(1);
    let sample: Vec<&(String, String)> = refused.iter().step_by(step).collect();
    for (probe, message) in &sample {
        match oracle.batch(&[probe]).remove(probe.as_str()) {
            Some(Ok(text)) => differences.push(format!(
                "{probe}\n    helm: {:?}\n    ours fails: {}",
                String::from_utf8_lossy(&text),
                essence(message)
            )),
            Some(Err(theirs)) if essence(&theirs) == essence(message) => {}
            Some(Err(theirs)) => differences.push(format!(
                "{probe}\n    helm fails: {}\n    ours fails: {}",
                essence(&theirs),
                essence(message)
            )),
            None => {}
        }
    }
    eprintln!(
        "{} probes evaluated, {} of {} refused ones compared, {} differences (seed {})",
        fine.len(),
        sample.len(),
        refused.len(),
        differences.len(),
        probes::seed(),
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn written_probes_agree() {
    check(probes::written(), 1_000);
}

#[test]
fn generated_probes_agree() {
    let count = std::env::var("MANAGEDK8S_PROBES")
        .ok()
        .and_then(|count| count.parse().ok());
    check(probes::generated(count.unwrap_or(12)), 60);
}

#[test]
fn yaml_round_trips_agree() {
    check(probes::yaml(budget(400)), 20);
}

#[test]
fn broken_texts_are_read_alike() {
    check(probes::texts(budget(900)), 20);
}

#[test]
fn odd_layouts_are_read_alike() {
    check(probes::layouts(budget(600)), 20);
}

#[test]
fn nested_templates_agree() {
    check(probes::templates(budget(300)), 40);
}

/// How many random cases: a fixed number, times `MANAGEDK8S_FUZZ` for a longer run.
fn budget(count: usize) -> usize {
    let factor = std::env::var("MANAGEDK8S_FUZZ").ok();
    count * factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

/// Random defaults under random values of a user, with a subchart and globals.
#[test]
fn values_merge_alike() {
    let Some(oracle) = Oracle::from_environment() else {
        eprintln!("skipped: MANAGEDK8S_HELM is not set");
        return;
    };
    let template = "v: {{ .Values | toJson | b64enc }}\n";
    for round in 0..budget(12) {
        let seed = probes::seed().wrapping_mul(1_000_003) + round as u64;
        let [defaults, given] = probes::values(seed);
        let files = [
            ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"),
            ("values.yaml", defaults.as_str()),
            ("given.yaml", given.as_str()),
            ("templates/x.yaml", template),
            (
                "charts/sub/Chart.yaml",
                "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
            ),
            (
                "charts/sub/values.yaml",
                "k: {own: 1, list: [1]}\nglobal: {g: sub, h: 2}\n",
            ),
            ("charts/sub/templates/x.yaml", template),
        ];
        let folder = tempfile::tempdir().expect("a scratch folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let ours = helm::Chart::load(folder.path())
            .map_err(|error| error.to_string())
            .and_then(|chart| {
                let options = helm::RenderOptions {
                    values: helm::values::read(given.as_bytes())?,
                    ..helm::RenderOptions::default()
                };
                helm::render(&chart, &options).map_err(|error| error.to_string())
            })
            .map(|rendered| rendered.to_template_output());
        match (ours, oracle.template(folder.path(), "given.yaml")) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "seed {seed}"),
            (Err(_), Err(_)) => {}
            (ours, theirs) => panic!("seed {seed}: ours {ours:?}, helm {theirs:?}"),
        }
    }
}

/// What our engine makes with keys, the real helm can read.
#[test]
fn keys_certificates_and_ciphers_are_accepted() {
    let Some(oracle) = Oracle::from_environment() else {
        eprintln!("skipped: MANAGEDK8S_HELM is not set");
        return;
    };
    let text =
        |probe: &str| String::from_utf8_lossy(&ours(probe).expect("it renders")).into_owned();
    let mut probes = Vec::new();
    for key in ["rsa", "ecdsa", "ed25519"] {
        let key = text(&format!("{{{{ genPrivateKey {key:?} }}}}"));
        let authority = text(&format!(
            "{{{{ $ca := genCAWithKey \"our authority\" 30 {key:?} }}}}{{{{ b64enc $ca.Cert }}}} {{{{ b64enc $ca.Key }}}}"
        ));
        let (cert, key) = authority.split_once(' ').expect("two parts");
        probes.push(format!(
            "{{{{ $ca := buildCustomCert {cert:?} {key:?} }}}}{{{{ $c := genSignedCert \"leaf\" (list \"10.0.0.1\") (list \"a.b\") 1 $ca }}}}\
            {{{{ contains \"BEGIN CERTIFICATE\" $c.Cert }}}}"
        ));
        // And the other way round: helm's own authority signs nothing here, ours signs a leaf of ours.
        probes.push(format!(
            "{{{{ $ca := buildCustomCert {cert:?} {key:?} }}}}{{{{ kindOf $ca }}}} {{{{ typeOf (genSelfSignedCertWithKey \"x\" nil (list \"y\") 1 $ca.Key) }}}}"
        ));
    }
    let sealed = text("{{ encryptAES \"key\" \"a secret of some length\" }}");
    probes.push(format!("{{{{ decryptAES \"key\" {sealed:?} }}}}"));
    for (probe, answer) in oracle.batch(&probes) {
        let answer = answer.unwrap_or_else(|message| panic!("{probe}: {message}"));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let expected = [
            "true",
            "struct sprig.certificate",
            "a secret of some length",
        ];
        assert!(expected.contains(&answer.as_str()), "{probe}: {answer}");
    }
}
