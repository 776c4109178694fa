//! Charts: what a folder or an archive holds, loaded and checked as Helm does.

mod archive;
mod dependencies;
mod digest;
pub(crate) mod flat;
mod folder;
mod ignore;
mod load;
mod metadata;

use bytes::Bytes;
use serde_json::{Map, Value};

pub(crate) use archive::clean as clean_path;
pub(crate) use dependencies::{compatible, process as process_dependencies};
pub(crate) use metadata::scalar;
pub use metadata::{Dependency, ImportValues, Lock, Maintainer, Metadata};

/// Bounds of one chart, subcharts included. The first is Helm's own; 4.3.1 bounds no file by itself, so that a file may
/// be as large as the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files after decompression.
    pub total: u64,
    /// Bytes of one file.
    pub file: u64,
    /// Files and folders in one archive.
    pub entries: usize,
    /// Charts inside charts.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: 100 * 1024 * 1024,
            file: 100 * 1024 * 1024,
            entries: 20_000,
            depth: 32,
        }
    }
}

/// A file of a chart, its name relative to the chart's top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name with forward slashes: `templates/service.yaml`.
    pub name: String,
    /// The contents, a byte order mark removed.
    pub data: Bytes,
}

/// A CRD file of a chart's `crds/` folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crd {
    /// The path below the root chart as `# Source:` shows it: `chart/charts/sub/crds/a.yaml`.
    pub path: String,
    /// The file as it is: never a template, perhaps several documents.
    pub content: Bytes,
}

/// A chart and the charts inside it.
#[derive(Clone, Debug)]
pub struct Chart {
    /// `Chart.yaml`.
    pub metadata: Metadata,
    /// `Chart.lock`, or `requirements.lock` of an old chart.
    pub lock: Option<Lock>,
    /// Everything below `templates/`.
    pub templates: Vec<File>,
    /// `values.yaml`.
    pub values: Map<String, Value>,
    /// `values.schema.json`.
    pub schema: Option<Bytes>,
    /// Everything else: what `.Files` shows.
    pub files: Vec<File>,
    /// The charts below `charts/`.
    pub dependencies: Vec<Chart>,
    digest: digest::Digest,
}

/// Why a chart cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The bytes are no gzip archive of a chart.
    #[error("{0}")]
    Archive(String),
    /// A file of the chart is not what it must be.
    #[error("{0}")]
    Invalid(String),
    /// A chart inside the chart.
    #[error("error unpacking subchart {name} in {parent}: {source}")]
    Subchart {
        /// The folder or archive below `charts/`.
        name: String,
        /// The chart that holds it.
        parent: String,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// Declared in `Chart.yaml` and not there.
    #[error(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
        .0.join(", ")
    )]
    MissingDependencies(Vec<String>),
    /// A library chart, or one of an unknown type.
    #[error("{0} charts are not installable")]
    NotInstallable(String),
}

impl Chart {
    /// The chart's name.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The SHA-256 of all files in hex, independent of how they were packed: two archives of the
    /// same files have one digest.
    pub fn digest(&self) -> &str {
        self.digest.text()
    }

    /// The files of `crds/`, the chart's own first, then those of each subchart.
    pub fn crds(&self) -> Vec<Crd> {
        let mut all = Vec::new();
        self.collect_crds(self.name(), &mut all);
        all
    }

    fn collect_crds(&self, path: &str, all: &mut Vec<Crd>) {
        for file in &self.files {
            if file.name.starts_with("crds/") && has_manifest_extension(&file.name) {
                all.push(Crd {
                    path: format!("{path}/{}", file.name),
                    content: file.data.clone(),
                });
            }
        }
        for chart in &self.dependencies {
            chart.collect_crds(&format!("{path}/charts/{}", chart.name()), all);
        }
    }

    /// Checks that the chart can be installed by itself: its type, and that every declared
    /// dependency is there.
    ///
    /// # Errors
    ///
    /// [`Error::NotInstallable`] and [`Error::MissingDependencies`].
    pub fn check_installable(&self) -> Result<(), Error> {
        if !matches!(self.metadata.chart_type.as_str(), "" | "application") {
            return Err(Error::NotInstallable(self.metadata.chart_type.clone()));
        }
        let missing: Vec<String> = self
            .metadata
            .dependencies
            .iter()
            .filter(|wanted| !self.dependencies.iter().any(|c| c.name() == wanted.name))
            .map(|wanted| wanted.name.clone())
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Error::MissingDependencies(missing))
        }
    }
}

fn has_manifest_extension(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["yaml", "yml", "json"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}
