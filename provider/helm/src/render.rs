//! Rendering: a chart and values in, the text of `helm template` out, in the same order.

mod builtin;
mod capabilities;
mod engine;
mod files;
mod hooks;
mod manifests;
mod order;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::chart::{self, Chart, Crd};
use crate::template::{Clock, Entropy, Limits, Lookup, Volatile};
use crate::value::lossy;

pub(crate) use engine::Unsettled;

pub use capabilities::{Capabilities, KubeVersion};
pub use hooks::{Hook, HookDeletePolicy, HookEvent, HookLogPolicy};
pub use manifests::{Manifest, from_yaml_numbers, split};
pub use order::{INSTALL_ORDER, UNINSTALL_ORDER, kind_order};

/// A source of objects for `lookup` that can travel to the rendering thread.
pub type SharedLookup = Arc<dyn Lookup + Send + Sync>;
/// A clock that can travel to the rendering thread.
pub type SharedClock = Arc<dyn Clock + Send + Sync>;
/// A source of randomness that can travel to the rendering thread.
pub type SharedEntropy = Arc<dyn Entropy + Send + Sync>;

/// What a rendering depends on besides the chart.
#[derive(Clone)]
pub struct RenderOptions {
    /// `.Release.Name`.
    pub release_name: String,
    /// `.Release.Namespace`.
    pub namespace: String,
    /// `.Release.Revision`.
    pub revision: u32,
    /// `.Release.IsUpgrade` instead of `.Release.IsInstall`.
    pub is_upgrade: bool,
    /// The user's values; see [`crate::values::Sources`].
    pub values: Map<String, Value>,
    /// `.Capabilities`.
    pub capabilities: Capabilities,
    /// Whether [`Rendered::to_template_output`] begins with the CRDs of `crds/`.
    pub include_crds: bool,
    /// Whether the subcharts' notes are added to the chart's own.
    pub sub_notes: bool,
    /// Leaves `values.schema.json` alone.
    pub skip_schema: bool,
    /// Lets `getHostByName` ask the system's resolver.
    pub enable_dns: bool,
    /// Answers `lookup`; without it nothing is found, as in `helm template`.
    pub lookup: Option<SharedLookup>,
    /// The time; the system's without it.
    pub clock: Option<SharedClock>,
    /// Randomness; the system's without it.
    pub entropy: Option<SharedEntropy>,
    /// Bounds of the template engine.
    pub limits: Limits,
}

impl Default for RenderOptions {
    /// What `helm template CHART` uses.
    fn default() -> Self {
        Self {
            release_name: "release-name".to_owned(),
            namespace: "default".to_owned(),
            revision: 1,
            is_upgrade: false,
            values: Map::new(),
            capabilities: Capabilities::default(),
            include_crds: false,
            sub_notes: false,
            skip_schema: false,
            enable_dns: false,
            lookup: None,
            clock: None,
            entropy: None,
            limits: Limits::default(),
        }
    }
}

/// A rendered chart.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The objects in the order of their installation.
    pub manifests: Vec<Manifest>,
    /// The hooks, by kind; [`Hook::weight`] orders them within an event.
    pub hooks: Vec<Hook>,
    /// The rendered `NOTES.txt`.
    pub notes: String,
    /// The files of `crds/`, never rendered.
    pub crds: Vec<Crd>,
    /// What Helm would log: ignored values, unknown hooks. No text holds a value.
    pub warnings: Vec<String>,
    /// Which sources of change the templates used.
    pub volatile: Volatile,
    include_crds: bool,
}

/// Why a chart cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The release's name.
    #[error(
        "invalid release name {0:?}, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
    )]
    ReleaseName(String),
    /// The chart itself.
    #[error(transparent)]
    Chart(#[from] chart::Error),
    /// Subcharts and values do not fit.
    #[error("chart dependencies processing failed: {0}")]
    Dependencies(String),
    /// The values break the schema, or do not fit a subchart.
    #[error("{0}")]
    Values(String),
    /// The chart is not for this cluster.
    #[error(
        "chart requires kubeVersion: {required} which is incompatible with Kubernetes {cluster}"
    )]
    KubeVersion {
        /// The chart's constraint.
        required: String,
        /// The cluster's version.
        cluster: String,
    },
    /// A template failed, in Helm's words with template, line and column.
    #[error("{0}")]
    Template(String),
    /// A rendered file is no YAML or no object.
    #[error("YAML parse error on {path}: {reason}")]
    Yaml {
        /// The template.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The rendering could not be started, or ended by itself.
    #[error("rendering template failed: {0}")]
    Thread(String),
}

/// Renders a chart as `helm template` does. Pure: what it depends on is in the arguments, except for
/// clock and randomness when the options give none.
///
/// Runs on a deep stack of its own and blocks until it is done; async callers wrap it in `spawn_blocking`.
///
/// # Errors
///
/// Whatever Helm refuses, in Helm's words.
pub fn render(chart: &Chart, options: &RenderOptions) -> Result<Rendered, Error> {
    on_a_deep_stack(|| engine::run(chart, options))
}

/// Renders with marks among the values ([`crate::template::marks`]) and tells what they left open.
pub(crate) fn render_marked(
    chart: &Chart,
    options: &RenderOptions,
) -> Result<(Rendered, Unsettled), Error> {
    on_a_deep_stack(|| {
        let mut unsettled = Unsettled::default();
        let rendered = engine::run_with(chart, options, Some(&mut unsettled))?;
        Ok((rendered, unsettled))
    })
}

/// Renders with marks of several lines and tells which templates these break out of.
pub(crate) fn render_torn(chart: &Chart, options: &RenderOptions) -> Result<Unsettled, Error> {
    on_a_deep_stack(|| engine::run_torn(chart, options))
}

/// Runs on a stack of its own on this thread: what is freed here can be used again by the caller, which another
/// thread's memory cannot.
fn on_a_deep_stack<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let grown = || stacker::grow(STACK, work);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(grown)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("a defect in the template engine");
        Err(Error::Thread(text.to_owned()))
    })
}

/// The engine asks for more where it nests; only pages that are touched take memory.
const STACK: usize = 64 << 20;

impl Rendered {
    /// The release's manifest: every object behind its `# Source:` line, as records keep it.
    pub fn manifest(&self) -> String {
        let objects = self.manifests.iter();
        objects
            .flat_map(|manifest| document(&manifest.path, &manifest.content))
            .collect()
    }

    /// Exactly what `helm template` prints.
    pub fn to_template_output(&self) -> String {
        let mut text = Vec::new();
        // Nothing fails to be written into memory.
        let _ = self.write_template_output(&mut text);
        String::from_utf8(text)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Writes [`Self::to_template_output`], which may be megabytes, document by document.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn write_template_output(&self, out: &mut impl io::Write) -> io::Result<()> {
        let crds = self.crds.iter().filter(|_| self.include_crds);
        let crds = crds.map(|crd| (&*crd.path, lossy(&crd.content)));
        let objects = self.manifests.iter();
        let objects = objects.map(|m| (&*m.path, Cow::Borrowed(&*m.content)));
        let hooks = self.hooks.iter().map(|h| (&*h.path, &*h.manifest));
        let mut documents = crds.chain(objects).peekable();
        while let Some((path, content)) = documents.next() {
            if documents.peek().is_some() {
                write(out, document(path, &content))?;
            } else {
                // What follows is set off by one line feed, whatever the last document ends with.
                let last = document(path, &content).concat();
                out.write_all(last.trim_end().as_bytes())?;
            }
        }
        out.write_all(b"\n")?;
        for (path, content) in hooks {
            write(out, document(path, content))?;
        }
        Ok(())
    }
}

/// An object behind the line that says where it came from.
const fn document<'t>(path: &'t str, content: &'t str) -> [&'t str; 5] {
    ["---\n# Source: ", path, "\n", content, "\n"]
}

fn write(out: &mut impl io::Write, parts: [&str; 5]) -> io::Result<()> {
    parts
        .into_iter()
        .try_for_each(|part| out.write_all(part.as_bytes()))
}

/// Whether Helm takes `name` for a release.
pub fn valid_release_name(name: &str) -> bool {
    let label = |part: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = part.as_bytes();
        match (bytes.first(), bytes.last()) {
            (Some(&first), Some(&last)) => {
                plain(first) && plain(last) && bytes.iter().all(|&b| plain(b) || b == b'-')
            }
            _ => false,
        }
    };
    name.len() <= 53 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_names_are_dns_names_of_at_most_53_characters() {
        for good in ["a", "a-b.c0", &"x".repeat(53)] {
            assert!(valid_release_name(good), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", "a_b", &"x".repeat(54)] {
            assert!(!valid_release_name(bad), "{bad}");
        }
    }
}
