//! No secret in state, plan, log or output: everything that a run mints or is given is collected where only the sandbox
//! can see it, then looked for in every byte that the run left behind.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde_json::Value;
use suites::{Bench, Result};

/// Names in a machine configuration whose values are secrets.
const SECRET_NAMES: &[&str] = &["key", "token", "secret", "secretboxEncryptionSecret"];

/// What to look for, each with words that may be told.
#[derive(Default)]
struct Secrets(BTreeMap<Vec<u8>, String>);

impl Secrets {
    /// A secret in the forms in which it could leak.
    fn add(&mut self, name: &str, bytes: &[u8]) {
        // Short texts would be found by chance.
        if bytes.len() < 12 {
            return;
        }
        let mut put = |form: &str, bytes: Vec<u8>| {
            let words = || format!("{name} ({form})");
            self.0.entry(bytes).or_insert_with(words);
        };
        put("raw", bytes.to_vec());
        put("base64", STANDARD.encode(bytes).into_bytes());
        let bare = STANDARD_NO_PAD.encode(bytes);
        put("base64 without padding", bare.into_bytes());
        put("base64 for URLs", URL_SAFE.encode(bytes).into_bytes());
        put("hex", hex(bytes).into_bytes());
    }

    /// A text that is base64 itself, PEM perhaps below it: every layer is a secret.
    fn add_layers(&mut self, name: &str, text: &str) {
        let text = text.trim();
        self.add(name, text.as_bytes());
        self.add_pem(name, text);
        if let Ok(inner) = STANDARD.decode(text) {
            self.add(&format!("{name}, decoded"), &inner);
            if let Ok(pem) = std::str::from_utf8(&inner) {
                self.add_pem(name, pem);
            }
        }
    }

    /// The lines of a PEM block, each of which would be a leak, and the bytes inside.
    fn add_pem(&mut self, name: &str, pem: &str) {
        if !pem.contains("PRIVATE KEY") {
            return;
        }
        let lines: Vec<&str> = pem
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("-----"))
            .collect();
        for line in &lines {
            self.add(&format!("{name}, a line"), line.as_bytes());
        }
        if let Ok(der) = STANDARD.decode(lines.concat()) {
            self.add(&format!("{name}, DER"), &der);
            // The seed is the end of an Ed25519 key in PKCS #8.
            if der.len() == 48 {
                self.add(&format!("{name}, seed"), &der[16..]);
            }
        }
    }

    /// Which of them are in these bytes.
    fn found_in(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        self.0
            .iter()
            .filter(|(secret, _)| holds(bytes, secret))
            .map(|(_, name)| format!("{name} in {place}"))
            .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(bytes, wanted).is_some()
}

/// Every text in the sandbox's state that is a machine configuration, wherever it is kept.
fn configurations(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let decoded = STANDARD.decode(text.trim()).ok();
            let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            for text in [Some(text.clone()), decoded].into_iter().flatten() {
                if text.contains("machine:") && text.contains("cluster:") {
                    found.push(text);
                }
            }
        }
        Value::Array(elements) => {
            for element in elements {
                configurations(element, found);
            }
        }
        Value::Object(members) => {
            for member in members.values() {
                configurations(member, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The secrets of a machine configuration: `name: value` lines whose name says so.
fn add_configuration(secrets: &mut Secrets, text: &str) -> usize {
    let mut count = 0;
    for line in text.lines() {
        let Some((name, value)) = line.trim().trim_start_matches("- ").split_once(": ") else {
            continue;
        };
        let name = name.trim_matches('"');
        let value = value.trim().trim_matches(['"', '\'']);
        if SECRET_NAMES.contains(&name) && value.len() >= 12 {
            secrets.add_layers(&format!("the machine configuration's {name}"), value);
            count += 1;
        }
    }
    count
}

/// Every file below a folder, but not the provider's own program.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) -> Result {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_symlink() || name.starts_with("terraform-provider-") {
            continue;
        }
        if path.is_dir() {
            files(&path, found)?;
        } else {
            found.push((path.display().to_string(), std::fs::read(&path)?));
        }
    }
    Ok(())
}

/// The members of a ZIP archive, unpacked: terraform's plan files are such.
fn unzip(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let number = |at: usize, size: usize| -> usize {
        let bytes = archive.get(at..at + size).unwrap_or_default();
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
    };
    let end = memchr::memmem::rfind(archive, b"PK\x05\x06").ok_or("not a ZIP archive")?;
    let mut members = Vec::new();
    let mut at = number(end + 16, 4);
    for _ in 0..number(end + 10, 2) {
        let (method, size) = (number(at + 10, 2), number(at + 20, 4));
        let (name, extra, comment) = (number(at + 28, 2), number(at + 30, 2), number(at + 32, 2));
        let header = number(at + 42, 4);
        let text = archive.get(at + 46..at + 46 + name).unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        let data = header + 30 + number(header + 26, 2) + number(header + 28, 2);
        let data = archive
            .get(data..data + size)
            .ok_or("a broken ZIP archive")?;
        let mut bytes = Vec::new();
        if method == 0 {
            bytes.extend_from_slice(data);
        } else {
            flate2::read::DeflateDecoder::new(data).read_to_end(&mut bytes)?;
        }
        members.push((text, bytes));
        at += 46 + name + extra + comment;
    }
    Ok(members)
}

/// What the provider's program prints for a cluster, secrets of course.
fn own_command(bench: &Bench, command: [&str; 2], handle: &Value) -> Result<String> {
    let member = |name: &str| {
        handle[name]
            .as_str()
            .ok_or("a member of the handle is missing")
    };
    let output = Command::new(bench.provider())
        .args(command)
        .args(["--tenant", member("tenant")?])
        .args(["--identifier", member("identifier")?])
        .args(["--birth", member("birth")?])
        .env("MANAGEDK8S_KEY", &bench.key)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    assert!(output.status.success() && !text.is_empty(), "{command:?}");
    Ok(text)
}

/// Everything known to be secret: settings, and what the sandbox's machines hold. Answers how many configurations and
/// secrets in them were seen.
async fn collect(bench: &Bench, secrets: &mut Secrets, machines: usize) -> Result<usize> {
    secrets.add_layers("the root key", &bench.key);
    let token = bench.cloud.addresses.client_secret.clone();
    secrets.add("the API's secret", token.as_bytes());
    // The sandbox writes a moment after a change.
    let file = bench.sandbox_state().join("cloud.json");
    let mut texts = Vec::new();
    for _ in 0..100 {
        texts.clear();
        if let Ok(bytes) = std::fs::read(&file) {
            configurations(&serde_json::from_slice(&bytes)?, &mut texts);
        }
        if texts.len() >= machines {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(texts.len() >= machines, "configurations: {}", texts.len());
    Ok(texts
        .iter()
        .map(|text| add_configuration(secrets, text))
        .sum())
}

fn look(bench: &Bench, secrets: &Secrets, outputs: &[String]) -> Result {
    let mut places = Vec::new();
    files(bench.terraform.folder(), &mut places)?;
    let mut members = Vec::new();
    for (name, archive) in places.iter().filter(|(name, _)| {
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "plan")
    }) {
        let inside = unzip(archive)?;
        assert!(
            inside.iter().any(|(member, _)| member == "tfplan"),
            "{name}"
        );
        let told = |(member, bytes)| (format!("{name}: {member}"), bytes);
        members.extend(inside.into_iter().map(told));
    }
    assert!(
        members.len() >= 4,
        "members of two plans: {}",
        members.len()
    );
    places.extend(members);
    for (index, output) in outputs.iter().enumerate() {
        places.push((format!("output {index}"), output.clone().into_bytes()));
    }
    let place = |end: &str| places.iter().find(|(name, _)| name.ends_with(end));
    let (_, log) = place("trace.log").ok_or("no log")?;
    assert!(
        log.len() > 100_000,
        "not a log at TRACE: {} bytes",
        log.len()
    );
    let (_, state) = place("terraform.tfstate.backup").ok_or("no state")?;
    assert!(
        holds(state, b"BEGIN CERTIFICATE"),
        "no cluster in the state"
    );
    let leaks: Vec<String> = places
        .iter()
        .flat_map(|(name, bytes)| secrets.found_in(name, bytes))
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    for (name, bytes) in &places {
        assert!(!holds(bytes, b"PRIVATE KEY-"), "a private key in {name}");
    }
    Ok(())
}

const ACCESS: &str = r#"
ephemeral "managedk8s_kubeconfig" "admin" {
  cluster = managedk8s_cluster.dev.handle
}
ephemeral "managedk8s_talosconfig" "admin" {
  cluster = managedk8s_cluster.dev.handle
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_written_anywhere() -> Result {
    let mut bench = Bench::start_with_state().await?;
    let log = bench.terraform.folder().join("trace.log");
    bench
        .terraform
        .env("TF_LOG", "TRACE")
        .env("TF_LOG_PATH", &log);
    bench.use_example("devtest").await?;
    bench.terraform.write("access.tf", ACCESS)?;
    let mut outputs = Vec::new();
    for (file, worker_is_lost) in [("first.plan", false), ("second.plan", true)] {
        if worker_is_lost {
            bench.admin().delete_vm("alphat-wrk-03").await?;
        }
        let out = format!("-out={file}");
        for command in [["plan", "-no-color", &out], ["apply", "-no-color", file]] {
            let finished = bench.terraform.run(command).await?.expect_code(0)?;
            outputs.push(finished.text());
        }
    }
    let mut secrets = Secrets::default();
    let count = collect(&bench, &mut secrets, 4).await?;
    assert!(count >= 16, "secrets in four configurations: {count}");
    for command in [&["show", "-json"][..], &["output", "-no-color"]] {
        let command = command.iter().copied();
        let finished = bench.terraform.run(command).await?.expect_code(0)?;
        outputs.push(finished.text());
    }
    let handle = bench.attribute("managedk8s_cluster.dev", "handle").await?;
    let credential = own_command(&bench, ["credential", "kubernetes"], &handle)?;
    let credential: Value = serde_json::from_str(&credential)?;
    let minted = credential["status"]["clientKeyData"].as_str();
    secrets.add_layers("a minted client key", minted.ok_or("no key was minted")?);
    let key = own_command(&bench, ["key", "cluster"], &handle)?;
    secrets.add_layers("the cluster key", &key);
    // Its first half is the birth, which is public.
    if let Ok(bytes) = STANDARD.decode(key.trim()) {
        secrets.add(
            "the cluster key's end",
            &bytes[bytes.len().saturating_sub(32)..],
        );
    }
    let finished = bench.terraform.destroy().await?.expect_code(0)?;
    outputs.push(finished.text());
    look(&bench, &secrets, &outputs)
}

/// The scan would see a leak: a secret that is written in each form is found.
#[test]
fn the_scan_finds_what_leaks() {
    let mut secrets = Secrets::default();
    secrets.add_layers("it", &STANDARD.encode([7; 32]));
    for leak in [
        STANDARD.encode([7; 32]).into_bytes(),
        [7; 32].to_vec(),
        hex(&[7; 32]).into_bytes(),
    ] {
        let text = [b"before ".as_slice(), &leak, b" after"].concat();
        assert!(!secrets.found_in("a text", &text).is_empty());
    }
    assert!(secrets.found_in("a text", b"nothing at all").is_empty());
}
