//! Small charts of our own, one rule each, against what the real helm prints.
//!
//! A case is one text file in `tests/zoo`: sections headed `-- name --`, first `args` (arguments of
//! `helm template`, one a line), then the chart's files, then `expected` (standard output) or
//! `error` (standard error), which the real helm wrote. A section `ours` holds our own text of an
//! error where it differs on purpose.
//!
//! To write the expectations anew, with the real helm 4.3.1 at hand:
//!
//! ```text
//! ZOO=bless MANAGEDK8S_HELM=/path/to/helm cargo test -p helm --test zoo
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use helm::values::Sources;
use helm::{Capabilities, Chart, RenderOptions, render};

struct Case {
    path: PathBuf,
    sections: Vec<(String, String)>,
}

impl Case {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).expect("a readable case");
        let mut sections: Vec<(String, String)> = Vec::new();
        for line in text.split_inclusive('\n') {
            let heading = line
                .trim_end()
                .strip_prefix("-- ")
                .and_then(|rest| rest.strip_suffix(" --"));
            match (heading, sections.last_mut()) {
                (Some(name), _) => sections.push((name.to_owned(), String::new())),
                (None, Some((_, body))) => body.push_str(line),
                (None, None) => {}
            }
        }
        Self { path, sections }
    }

    fn section(&self, name: &str) -> Option<&str> {
        let mut all = self.sections.iter();
        all.find(|(own, _)| own == name)
            .map(|(_, body)| body.as_str())
    }

    fn arguments(&self) -> Vec<&str> {
        let lines = self.section("args").unwrap_or_default().lines();
        lines.filter(|line| !line.is_empty()).collect()
    }

    /// Lays the chart out below `folder`.
    fn unpack(&self, folder: &Path) {
        for (name, body) in &self.sections {
            if matches!(name.as_str(), "args" | "expected" | "error" | "ours") {
                continue;
            }
            let file = folder.join(name);
            fs::create_dir_all(file.parent().expect("a file has a folder")).expect("scratch");
            fs::write(file, body).expect("scratch");
        }
    }

    fn write(&self, kind: &str, text: &str) {
        let mut all = String::new();
        for (name, body) in &self.sections {
            if !matches!(name.as_str(), "expected" | "error") {
                all.extend(["-- ", name.as_str(), " --\n", body.as_str()]);
            }
        }
        all.extend(["-- ", kind, " --\n", text]);
        fs::write(&self.path, all).expect("a writable case");
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zoo");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the zoo is there")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    paths.sort();
    paths.into_iter().map(Case::read).collect()
}

/// The real helm's answer: standard output, or what it says when it fails.
fn oracle(helm: &str, case: &Case, folder: &Path) -> Result<String, String> {
    let output = Command::new(helm)
        .args(["template", "zoo", "."])
        .args(case.arguments())
        .current_dir(folder)
        .env("HELM_CACHE_HOME", folder.join(".home"))
        .env("HELM_CONFIG_HOME", folder.join(".home"))
        .env("HELM_DATA_HOME", folder.join(".home"))
        .output()
        .expect("MANAGEDK8S_HELM names the real helm");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let error = text
            .find("Error: ")
            .map_or(text.as_str(), |at| &text[at + 7..]);
        let hint = "\n\nUse --debug flag to render out invalid YAML";
        Err(format!(
            "{}\n",
            error.trim_end().trim_end_matches(hint).trim_end()
        ))
    }
}

fn ours(case: &Case, folder: &Path) -> Result<String, String> {
    let mut options = RenderOptions {
        release_name: "zoo".to_owned(),
        ..RenderOptions::default()
    };
    let mut sources = Sources::new();
    let mut apis: Vec<String> = Vec::new();
    for argument in case.arguments() {
        let (flag, value) = argument.split_once('=').unwrap_or((argument, ""));
        match flag {
            "--include-crds" => options.include_crds = true,
            "--is-upgrade" => options.is_upgrade = true,
            "--namespace" => value.clone_into(&mut options.namespace),
            "--values" => {
                let text = fs::read(folder.join(value)).map_err(|error| error.to_string())?;
                sources = sources.file(value, text);
            }
            "--set" => sources = sources.set(value),
            "--set-string" => sources = sources.set_string(value),
            "--set-json" => sources = sources.set_json(value),
            "--set-literal" => sources = sources.set_literal(value),
            "--set-file" => sources = sources.set_file(value),
            "--api-versions" => apis.push(value.to_owned()),
            "--kube-version" => options.capabilities = Capabilities::of_version(value)?,
            other => panic!("the zoo does not know {other}"),
        }
    }
    options.capabilities = options.capabilities.with_apis(apis);
    options.values = sources
        .merge_with(&|path| fs::read_to_string(folder.join(path)).map_err(|e| e.to_string()))
        .map_err(|error| error.to_string())?;
    let chart = Chart::load(folder).map_err(|error| error.to_string())?;
    render(&chart, &options)
        .map(|rendered| rendered.to_template_output())
        .map_err(|error| error.to_string())
}

/// YAML readers agree on what is wrong, not on how to say it.
fn cause(error: &str) -> String {
    match error.split_once("yaml: ") {
        Some((before, _)) => format!("{before}yaml: ...\n"),
        None => error.to_owned(),
    }
}

#[test]
fn every_chart_renders_as_the_real_helm_renders_it() {
    let bless = std::env::var("ZOO").is_ok_and(|value| value == "bless");
    let mut failures = Vec::new();
    for case in cases() {
        let folder = tempfile::tempdir().expect("scratch");
        case.unpack(folder.path());
        if bless {
            let helm =
                std::env::var("MANAGEDK8S_HELM").expect("MANAGEDK8S_HELM names the real helm");
            match oracle(&helm, &case, folder.path()) {
                Ok(text) => case.write("expected", &text),
                Err(text) => case.write("error", &text),
            }
            continue;
        }
        let seen = ours(&case, folder.path());
        let (expected, seen) = match (case.section("expected"), seen) {
            (Some(expected), Ok(seen)) => (expected.to_owned(), seen),
            (Some(expected), Err(error)) => (expected.to_owned(), format!("failed: {error}\n")),
            (None, Ok(seen)) => ("(a failure)".to_owned(), seen),
            (None, Err(error)) => {
                let own = case.section("ours").or_else(|| case.section("error"));
                let expected = own.expect("a case has an expectation");
                (cause(expected), cause(&format!("{}\n", error.trim_end())))
            }
        };
        if expected != seen {
            let name = case.path.file_stem().unwrap_or_default().to_string_lossy();
            failures.push(format!("=== {name}\n--- helm\n{expected}--- ours\n{seen}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
