//! From a list of files to a chart.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::digest::Digest;
use super::{Chart, Error, File, Limits, Lock, Metadata, archive, folder};
use crate::{values, yaml};

impl Chart {
    /// Loads a folder or an archive.
    ///
    /// # Errors
    ///
    /// What [`Self::from_folder`] and [`Self::from_archive`] refuse.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let unreadable = |source| Error::Read {
            path: path.display().to_string(),
            source,
        };
        let meta = std::fs::metadata(path).map_err(unreadable)?;
        if meta.is_dir() {
            return Self::from_folder(path);
        }
        let limit = Limits::default().total;
        if meta.len() > limit {
            return Err(Error::Archive(format!(
                "chart archive is larger than the maximum size {limit}"
            )));
        }
        Self::from_archive(&std::fs::read(path).map_err(unreadable)?)
    }

    /// Loads a folder, `.helmignore` obeyed, links followed.
    ///
    /// # Errors
    ///
    /// Unreadable or irregular files, and whatever makes it no chart.
    pub fn from_folder(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::from_files(Self::folder_files(path.as_ref())?)
    }

    /// The files of a folder, as [`Self::from_folder`] takes them.
    pub(crate) fn folder_files(path: &Path) -> Result<Vec<File>, Error> {
        let files = folder::read(path, &Limits::default())?;
        if !path.join("Chart.yaml").exists() {
            let file = path.join("Chart.yaml");
            return Err(Error::Invalid(format!(
                "unable to detect chart at {0}: open {0}: no such file or directory",
                file.display()
            )));
        }
        Ok(files)
    }

    /// Loads a `.tgz`.
    ///
    /// # Errors
    ///
    /// Hostile or broken archives, and whatever makes it no chart.
    pub fn from_archive(archive: &[u8]) -> Result<Self, Error> {
        let limits = Limits::default();
        let mut remaining = limits.total;
        let files = archive::read(archive, &limits, &mut remaining)?;
        assemble(files, &limits, &mut remaining, 0)
    }

    /// Makes a chart of files that are already in memory.
    ///
    /// # Errors
    ///
    /// Whatever makes it no chart.
    pub fn from_files(files: Vec<File>) -> Result<Self, Error> {
        let limits = Limits::default();
        let mut remaining = limits.total;
        assemble(files, &limits, &mut remaining, 0)
    }

    /// A chart without files: what a release record keeps of one is put into it.
    pub(crate) fn bare(metadata: Metadata) -> Self {
        Self {
            metadata,
            lock: None,
            templates: Vec::new(),
            values: Map::new(),
            schema: None,
            files: Vec::new(),
            dependencies: Vec::new(),
            digest: Digest::default(),
        }
    }
}

/// Helm compares extensions as they are written.
fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|own| own == extension)
}

fn parse(file: &File) -> Result<Value, Error> {
    yaml::decode_one(&file.data)
        .map_err(|error| Error::Invalid(format!("cannot load {}: {error}", file.name)))
}

fn cannot_load(name: &str) -> impl Fn(String) -> Error + '_ {
    move |error| Error::Invalid(format!("cannot load {name}: {error}"))
}

fn assemble(
    files: Vec<File>,
    limits: &Limits,
    remaining: &mut u64,
    depth: usize,
) -> Result<Chart, Error> {
    if depth > limits.depth {
        return Err(Error::Invalid(format!(
            "charts nest deeper than {}",
            limits.depth
        )));
    }
    let digest = Digest::of(&files);
    let mut metadata = Metadata::default();
    let mut found = false;
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        found = true;
        metadata
            .merge(&parse(file)?)
            .map_err(cannot_load("Chart.yaml"))?;
    }
    if found && metadata.api_version.is_empty() {
        "v1".clone_into(&mut metadata.api_version);
    }
    let mut chart = Chart {
        digest,
        ..Chart::bare(metadata)
    };
    let mut subcharts: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        found |= matches!(
            file.name.as_str(),
            "requirements.yaml" | "requirements.lock"
        );
        chart.place(file, &mut subcharts)?;
    }
    if !found {
        return Err(Error::Invalid("Chart.yaml file is missing".into()));
    }
    if !matches!(chart.metadata.api_version.as_str(), "v1" | "v2") {
        let seen = &chart.metadata.api_version;
        return Err(Error::Invalid(if seen.is_empty() {
            "validation: chart.metadata.apiVersion is required".to_owned()
        } else {
            format!("chart apiVersion {seen:?} is not supported; v1 and v2 are")
        }));
    }
    chart.metadata.validate().map_err(Error::Invalid)?;
    for (name, files) in subcharts {
        let subchart = subchart(&name, files, limits, remaining, depth);
        match subchart {
            Ok(Some(subchart)) => chart.dependencies.push(subchart),
            Ok(None) => {}
            Err(source) => {
                return Err(Error::Subchart {
                    name,
                    parent: chart.name().to_owned(),
                    source: Box::new(source),
                });
            }
        }
    }
    Ok(chart)
}

fn subchart(
    name: &str,
    files: Vec<File>,
    limits: &Limits,
    remaining: &mut u64,
    depth: usize,
) -> Result<Option<Chart>, Error> {
    if name.starts_with(['_', '.']) {
        return Ok(None);
    }
    if has_extension(name, "tgz") {
        let file = files
            .into_iter()
            .next()
            .ok_or_else(|| Error::Archive("no files in chart archive".into()))?;
        if file.name != name {
            return Err(Error::Archive(format!(
                "expected {name}, got {}",
                file.name
            )));
        }
        let files = archive::read(&file.data, limits, remaining)?;
        return assemble(files, limits, remaining, depth + 1).map(Some);
    }
    let files = files
        .into_iter()
        .filter_map(|file| {
            let (_, rest) = file.name.split_once('/')?;
            Some(File {
                name: rest.to_owned(),
                data: file.data,
            })
        })
        .collect();
    assemble(files, limits, remaining, depth + 1).map(Some)
}

impl Chart {
    /// Puts one file where it belongs.
    fn place(
        &mut self,
        file: File,
        subcharts: &mut BTreeMap<String, Vec<File>>,
    ) -> Result<(), Error> {
        let old = |chart: &Self| chart.metadata.api_version == "v1";
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => {
                self.lock = Some(Lock::read(&parse(&file)?).map_err(cannot_load("Chart.lock"))?);
            }
            "values.yaml" => {
                self.values = values::read(&file.data).map_err(cannot_load("values.yaml"))?;
            }
            "values.schema.json" => self.schema = Some(file.data),
            "requirements.yaml" => {
                self.metadata
                    .merge(&parse(&file)?)
                    .map_err(cannot_load("requirements.yaml"))?;
                if old(self) {
                    self.files.push(file);
                }
            }
            "requirements.lock" => {
                self.lock =
                    Some(Lock::read(&parse(&file)?).map_err(cannot_load("requirements.lock"))?);
                if old(self) {
                    self.files.push(file);
                }
            }
            name if name.starts_with("templates/") => self.templates.push(file),
            name if name.starts_with("charts/") && !has_extension(name, "prov") => {
                let inner = name["charts/".len()..].to_owned();
                let top = inner.split('/').next().unwrap_or_default().to_owned();
                subcharts.entry(top).or_default().push(File {
                    name: inner,
                    data: file.data,
                });
            }
            _ => self.files.push(file),
        }
        Ok(())
    }
}

impl File {
    /// A file of text.
    pub fn new(name: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self {
            name: name.into(),
            data: data.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(files: &[(&str, &str)]) -> Result<Chart, String> {
        let files = files
            .iter()
            .map(|(name, text)| File::new(*name, text.as_bytes().to_vec()))
            .collect();
        Chart::from_files(files).map_err(|e| e.to_string())
    }

    const META: (&str, &str) = ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.2.3\n");

    #[test]
    fn files_go_where_helm_puts_them() {
        let chart = chart(&[
            META,
            ("values.yaml", "a: 1\n---\na: 2\nb: {c: d}\n"),
            ("templates/a.yaml", "x"),
            ("charts/sub/Chart.yaml", "name: sub\nversion: 0.1.0\n"),
            ("charts/sub/crds/b.yaml", "x"),
            ("charts/_skipped/x", "x"),
            ("charts/x.tgz.prov", "p"),
            ("crds/a.yaml", "x"),
            ("crds/README.md", "x"),
            ("README.md", "x"),
        ])
        .expect("a sound chart");
        assert_eq!(chart.values.get("a").and_then(Value::as_f64), Some(2.0));
        assert_eq!(chart.dependencies.len(), 1);
        assert_eq!(chart.dependencies[0].metadata.api_version, "v1");
        let crds: Vec<_> = chart.crds().into_iter().map(|crd| crd.path).collect();
        assert_eq!(crds, ["top/crds/a.yaml", "top/charts/sub/crds/b.yaml"]);
        let files: Vec<_> = chart.files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(
            files,
            [
                "charts/x.tgz.prov",
                "crds/a.yaml",
                "crds/README.md",
                "README.md"
            ]
        );
    }

    #[test]
    fn a_broken_subchart_is_named() {
        let error = chart(&[META, ("charts/sub/values.yaml", "a: 1")]).expect_err("no Chart.yaml");
        assert_eq!(
            error,
            "error unpacking subchart sub in top: Chart.yaml file is missing"
        );
    }

    #[test]
    fn missing_dependencies_and_libraries_are_not_installable() {
        let text =
            "apiVersion: v2\nname: top\nversion: 1.2.3\ndependencies:\n- {name: a}\n- {name: b}\n";
        let error = chart(&[("Chart.yaml", text)])
            .and_then(|c| c.check_installable().map_err(|e| e.to_string()))
            .expect_err("nothing is vendored");
        assert!(
            error.ends_with("missing in charts/ directory: a, b"),
            "{error}"
        );
        let text = "apiVersion: v2\nname: top\nversion: 1.2.3\ntype: library\n";
        let error = chart(&[("Chart.yaml", text)])
            .and_then(|c| c.check_installable().map_err(|e| e.to_string()))
            .expect_err("a library");
        assert_eq!(error, "library charts are not installable");
    }

    #[test]
    fn the_digest_is_of_the_files_and_not_of_their_order() {
        let a = chart(&[META, ("a", "1"), ("b", "2")]).expect("a sound chart");
        let b = chart(&[("b", "2"), META, ("a", "1")]).expect("a sound chart");
        let c = chart(&[META, ("a", "12"), ("b", "")]).expect("a sound chart");
        assert_eq!(a.digest(), b.digest());
        assert_ne!(a.digest(), c.digest());
    }
}
