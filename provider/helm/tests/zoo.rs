//! Small charts of our own, one rule each, against what the real helm prints.
//!
//! A case is one text file in `tests/zoo`: sections headed `-- name --`, first `args` (arguments of
//! `helm template`, one a line), then the chart's files, then `expected` (standard output) or
//! `error` (standard error), which the real helm wrote. A section `ours` holds our own text of an
//! error where it differs on purpose. A heading can also be `link NAME TARGET` (a symbolic link), `fill NAME BYTES` (a
//! file of that many noughts), `packed` (the chart becomes an archive, its body is what separates folders there) or
//! `notes` (what counts is the text after `NOTES:` of `helm install --dry-run=client`).
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

type Sections = Vec<(String, String)>;

/// One chart: what its file shares among several cases, then its own.
struct Case {
    name: String,
    sections: Sections,
}

/// A file of `tests/zoo`. After a heading `case NAME` follow the sections of one case of several; those before the
/// first such heading belong to all of them.
struct Zoo {
    path: PathBuf,
    shared: Sections,
    cases: Vec<(String, Sections)>,
}

impl Zoo {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).expect("a readable case");
        let mut shared = Sections::new();
        let mut cases: Vec<(String, Sections)> = Vec::new();
        for line in text.split_inclusive('\n') {
            let heading = line
                .trim_end()
                .strip_prefix("-- ")
                .and_then(|rest| rest.strip_suffix(" --"));
            if let Some(name) = heading.and_then(|heading| heading.strip_prefix("case ")) {
                cases.push((name.to_owned(), Sections::new()));
                continue;
            }
            let sections = cases.last_mut().map_or(&mut shared, |(_, own)| own);
            match (heading, sections.last_mut()) {
                (Some(name), _) => sections.push((name.to_owned(), String::new())),
                (None, Some((_, body))) => body.push_str(line),
                (None, None) => {}
            }
        }
        if cases.is_empty() {
            cases.push((String::new(), std::mem::take(&mut shared)));
        }
        Self {
            path,
            shared,
            cases,
        }
    }

    fn cases(&self) -> impl Iterator<Item = Case> {
        let file = self.path.file_stem().unwrap_or_default().to_string_lossy();
        self.cases.iter().map(move |(name, own)| Case {
            name: format!("{file} {name}").trim_end().to_owned(),
            sections: self.shared.iter().chain(own).cloned().collect(),
        })
    }

    fn write(&self) {
        let mut all = String::new();
        let mut put = |sections: &Sections| {
            for (name, body) in sections {
                all.extend(["-- ", name.as_str(), " --\n", body.as_str()]);
            }
        };
        put(&self.shared);
        for (name, own) in &self.cases {
            if !name.is_empty() {
                put(&vec![(format!("case {name}"), String::new())]);
            }
            put(own);
        }
        fs::write(&self.path, all).expect("a writable case");
    }
}

/// An error without the name of the scratch folder.
fn nameless(error: &str, folder: &Path) -> String {
    let folder = folder.display().to_string();
    error
        .replace(&format!("{folder}/./"), "/chart/")
        .replace(&format!("{folder}/"), "/chart/")
}

/// Puts what helm says in the place of what it said before.
fn expect(own: &mut Sections, answer: Result<String, String>) {
    own.retain(|(name, _)| !matches!(name.as_str(), "expected" | "error"));
    own.push(match answer {
        Ok(text) => ("expected".to_owned(), text),
        Err(text) => ("error".to_owned(), text),
    });
}

impl Case {
    fn section(&self, name: &str) -> Option<&str> {
        let mut all = self.sections.iter();
        all.find(|(own, _)| own == name)
            .map(|(_, body)| body.as_str())
    }

    fn arguments(&self) -> Vec<&str> {
        let lines = self.section("args").unwrap_or_default().lines();
        lines.filter(|line| !line.is_empty()).collect()
    }

    /// The chart's path below the folder that it is laid out in.
    fn chart(&self) -> &'static str {
        if self.section("packed").is_some() {
            "chart.tgz"
        } else {
            "."
        }
    }

    /// Lays the chart out below `folder`.
    fn unpack(&self, folder: &Path) {
        let mut names = Vec::new();
        for (heading, body) in &self.sections {
            if matches!(
                heading.as_str(),
                "args" | "expected" | "error" | "ours" | "packed" | "notes"
            ) {
                continue;
            }
            let words: Vec<&str> = heading.split(' ').collect();
            let (name, link, data) = match words[..] {
                ["link", name, target] => (name, Some(target), Vec::new()),
                ["fill", name, size] => (
                    name,
                    None,
                    vec![b'0'; size.parse().expect("a number of bytes")],
                ),
                _ => (heading.as_str(), None, body.as_bytes().to_vec()),
            };
            let file = folder.join(name);
            fs::create_dir_all(file.parent().expect("a file has a folder")).expect("scratch");
            match link {
                Some(target) => std::os::unix::fs::symlink(target, file).expect("scratch"),
                None => fs::write(file, data).expect("scratch"),
            }
            names.push(name);
        }
        if let Some(separator) = self.section("packed") {
            pack(folder, &names, separator.trim_end());
        }
    }
}

fn pack(folder: &Path, names: &[&str], separator: &str) {
    let file = fs::File::create(folder.join("chart.tgz")).expect("scratch");
    let zip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let mut tar = tar::Builder::new(zip);
    for name in names {
        let data = fs::read(folder.join(name)).expect("what was written");
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        let name = format!("top/{name}").replace('/', separator);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, &data[..]).expect("scratch");
    }
    let zip = tar.into_inner().expect("scratch");
    zip.finish().expect("scratch");
}

fn zoo() -> Vec<Zoo> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zoo");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the zoo is there")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    paths.sort();
    paths.into_iter().map(Zoo::read).collect()
}

/// The real helm's answer: standard output, or what it says when it fails.
fn oracle(helm: &str, case: &Case, folder: &Path) -> Result<String, String> {
    let notes = case.section("notes").is_some();
    let mut command = Command::new(helm);
    if notes {
        command.args(["install", "--dry-run=client"]);
    } else {
        command.arg("template");
    }
    let output = command
        .args(["zoo", case.chart()])
        .args(case.arguments())
        .current_dir(folder)
        .env("HELM_CACHE_HOME", folder.join(".home"))
        .env("HELM_CONFIG_HOME", folder.join(".home"))
        .env("HELM_DATA_HOME", folder.join(".home"))
        .output()
        .expect("MANAGEDK8S_HELM names the real helm");
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match text.split_once("NOTES:\n") {
            Some((_, after)) if notes => Ok(after.to_owned()),
            _ => Ok(text),
        }
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
            "--render-subchart-notes" => options.sub_notes = true,
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
        .merge_with(&|path| {
            fs::read_to_string(folder.join(path))
                .map_err(|_| format!("open {path}: no such file or directory"))
        })
        .map_err(|error| error.to_string())?;
    let chart = Chart::load(folder.join(case.chart())).map_err(|error| error.to_string())?;
    render(&chart, &options)
        .map(|rendered| match case.section("notes") {
            Some(_) => format!("{}\n", rendered.notes.trim()),
            None => rendered.to_template_output(),
        })
        .map_err(|error| error.to_string())
}

/// YAML readers agree on what is wrong, not on how to say it; findings of a schema come in any order.
fn cause(error: &str) -> String {
    if error.starts_with("values don't meet the specifications") {
        let mut lines: Vec<&str> = error.lines().collect();
        lines.sort_unstable();
        return format!("{}\n", lines.join("\n"));
    }
    match error.split_once("yaml: ") {
        Some((before, _)) => format!("{before}yaml: ...\n"),
        None => error.to_owned(),
    }
}

#[test]
fn every_chart_renders_as_the_real_helm_renders_it() {
    if std::env::var("ZOO").is_ok_and(|value| value == "bless") {
        return bless();
    }
    let zoo = zoo();
    let failures: Vec<String> = zoo.iter().flat_map(Zoo::cases).filter_map(judge).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn bless() {
    let helm = std::env::var("MANAGEDK8S_HELM").expect("MANAGEDK8S_HELM names the real helm");
    for mut file in zoo() {
        let cases: Vec<Case> = file.cases().collect();
        for (case, (_, own)) in cases.iter().zip(&mut file.cases) {
            let folder = tempfile::tempdir().expect("scratch");
            case.unpack(folder.path());
            let answer = oracle(&helm, case, folder.path());
            expect(own, answer.map_err(|error| nameless(&error, folder.path())));
        }
        file.write();
    }
}

/// What is wrong with our answer.
fn judge(case: Case) -> Option<String> {
    let folder = tempfile::tempdir().expect("scratch");
    case.unpack(folder.path());
    let seen = ours(&case, folder.path()).map_err(|error| nameless(&error, folder.path()));
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
    let name = &case.name;
    (expected != seen).then(|| format!("=== {name}\n--- helm\n{expected}--- ours\n{seen}"))
}
