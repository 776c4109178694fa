//! Runs `helm template` on a chart of probes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;

/// The real `helm`.
pub struct Oracle {
    program: PathBuf,
}

type Answers = BTreeMap<String, Result<Vec<u8>, String>>;

impl Oracle {
    /// Where `MANAGEDK8S_HELM` says.
    pub fn from_environment() -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("MANAGEDK8S_HELM")?);
        Some(Self { program })
    }

    /// The answer to each probe. A probe that fails is taken out and the rest is run again.
    pub fn batch(&self, probes: &[impl AsRef<str>]) -> Answers {
        let mut answers = Answers::new();
        let mut left: BTreeMap<String, &str> = probes
            .iter()
            .enumerate()
            .map(|(index, probe)| (format!("p{index}"), probe.as_ref()))
            .collect();
        while !left.is_empty() {
            match self.run(&left) {
                Ok(texts) => {
                    for (name, probe) in &left {
                        let text = texts.get(name).cloned().unwrap_or_default();
                        answers.insert((*probe).to_owned(), Ok(text));
                    }
                    return answers;
                }
                Err(message) => {
                    let culprit = culprit(&message, &left);
                    let Some(probe) = culprit.and_then(|name| left.remove(&name)) else {
                        panic!("helm fails without naming a probe: {message}");
                    };
                    answers.insert(probe.to_owned(), Err(message));
                }
            }
        }
        answers
    }

    /// What helm makes of a chart with a values file of its folder.
    pub fn template(&self, chart: &Path, values: &str) -> Result<String, String> {
        let output = Command::new(&self.program)
            .arg("template")
            .arg(chart)
            .arg("-f")
            .arg(chart.join(values))
            .env("TZ", "UTC")
            .output()
            .expect("helm runs");
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn run(&self, probes: &BTreeMap<String, &str>) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let chart = folder.path().join("probe");
        fs::create_dir_all(chart.join("templates")).expect("a chart folder");
        let write = |path: &str, text: &str| {
            fs::write(chart.join(path), text).expect("a chart file");
        };
        write(
            "Chart.yaml",
            "apiVersion: v2\nname: probe\nversion: 1.0.0\n",
        );
        write("values.yaml", super::VALUES);
        for (path, source) in files(probes) {
            write(&path, &source);
        }
        let output = Command::new(&self.program)
            .args(["template", "probe"])
            .arg(&chart)
            .env("HELM_CACHE_HOME", folder.path())
            .env("HELM_CONFIG_HOME", folder.path())
            .env("HELM_DATA_HOME", folder.path())
            .env("TZ", "UTC")
            .output()
            .expect("helm runs");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(answers(&String::from_utf8_lossy(&output.stdout)))
    }
}

/// The templates that run each probe, in the order in which helm parses them.
pub fn files(probes: &BTreeMap<String, &str>) -> Vec<(String, String)> {
    let mut all = String::from("apiVersion: v1\nkind: ConfigMap\ndata:\n");
    let mut files = Vec::new();
    for (name, probe) in probes {
        files.push((
            format!("templates/_{name}.tpl"),
            format!("{{{{ define \"{name}\" }}}}{probe}{{{{ end }}}}"),
        ));
        let _ = writeln!(
            all,
            "  {name}: {{{{ include \"{name}\" . | b64enc | quote }}}}"
        );
    }
    files.push(("templates/all.yaml".to_owned(), all));
    files
}

/// The answers in a rendered file.
pub fn answers(text: &str) -> BTreeMap<String, Vec<u8>> {
    let lines = text.lines().filter_map(|line| {
        let (name, encoded) = line.trim().split_once(": ")?;
        let encoded = encoded.trim_matches('"');
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .ok()?;
        Some((name.to_owned(), bytes))
    });
    lines.collect()
}

/// The probe that a message blames: by name, or by its line in the file that uses all of them.
fn culprit(message: &str, probes: &BTreeMap<String, &str>) -> Option<String> {
    let named = probes.keys().find(|name| {
        message.contains(&format!("executing \"{name}\" at"))
            || message.contains(&format!("_{name}.tpl"))
    });
    if let Some(name) = named {
        return Some(name.clone());
    }
    let (_, after) = message.split_once("all.yaml:")?;
    let line: usize = after.split(':').next()?.parse().ok()?;
    probes.keys().nth(line.checked_sub(4)?).cloned()
}
