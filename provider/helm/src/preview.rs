//! Previews: what a chart will make of values, as far as that is known before anything is applied,
//! and how two previews differ.
//!
//! A preview is a pure function of its [`Inputs`]: no cluster is asked, and the same inputs give the
//! same preview in every process. What cannot be known is said to be unknown:
//!
//! - values that are not known yet go through the templates as marked stand-ins. What holds the mark in
//!   the end is unknown. Where a template *decides* by such a value, every object of that template is, and
//!   [`Preview::unsettled`] tells so: then not even the list of objects is certain. Nor is it where a text
//!   of several lines would make documents of its own, as it does between lines that are whole without it;
//! - randomness, the clock and `lookup` are tried several times with different answers. Leaves that
//!   differ are unknown;
//! - secret values never enter the templates here. A stand-in does, and what holds its mark is masked.
//!   So are the data of Secrets.
//!
//! ```
//! use helm::preview::{Inputs, PlannedValues, Shown, diff, preview};
//! # fn chart() -> Result<helm::Chart, Box<dyn std::error::Error>> {
//! #     let folder = tempfile::tempdir()?;
//! #     std::fs::create_dir(folder.path().join("templates"))?;
//! #     std::fs::write(folder.path().join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.0.0\n")?;
//! #     let text = "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: web\ndata:\n  size: {{ .Values.n | quote }}\n";
//! #     std::fs::write(folder.path().join("templates/c.yaml"), text)?;
//! #     Ok(helm::Chart::load(folder.path())?)
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let chart = chart()?;
//! let inputs = |n: u32| {
//!     let serde_json::Value::Object(values) = serde_json::json!({ "n": n }) else { unreachable!() };
//!     Inputs { values: PlannedValues::known(values), ..Inputs::new(&chart, "prod", "web") }
//! };
//! let (old, new) = (preview(&inputs(1))?, preview(&inputs(2))?);
//! let diff = diff(Some(&old), Some(&new));
//! let change = &diff.objects["ConfigMap/prod/web"].leaves[0];
//! assert_eq!(change.path, ".data.size");
//! assert_eq!(change.new, Shown::Known("2".into()));
//! # Ok(())
//! # }
//! ```

mod differ;
mod inputs;
mod lists;
mod noise;
mod probe;
mod settle;
mod shown;

pub use differ::diff;
pub use inputs::{Inputs, PlannedValues, SecretValues, Step};
pub use shown::{ChangeKind, Diff, LeafChange, ObjectChange, Role, Shown};

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::post_render;
use crate::render;

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chart refuses the values, in Helm's words. Only when all values are known: otherwise the
    /// stand-ins may be to blame, and the preview is unsettled instead.
    #[error(transparent)]
    Render(#[from] render::Error),
    /// A patch fits nothing or cannot be applied.
    #[error(transparent)]
    PostRender(#[from] post_render::Error),
}

/// What is not known about the list of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// Why, for people. Holds no value.
    pub reason: String,
    /// The templates concerned; empty when it is all of them.
    pub templates: Vec<String>,
}

/// What a chart makes of values, leaf by leaf.
#[derive(Clone)]
pub struct Preview {
    objects: BTreeMap<String, Entry>,
    unsettled: Option<Unsettled>,
    fingerprint: String,
    secret_version: String,
    warnings: Vec<String>,
}

/// An object of a preview.
#[derive(Clone)]
struct Entry {
    role: Role,
    kind: String,
    /// The template it comes from.
    path: String,
    node: Node,
    /// Whether it exists depends on what is not known.
    uncertain: bool,
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Leaf(serde_json::Value),
    Unknown,
    /// Not to be shown; equal hashes mean equal values, no hash that nothing can be said.
    Masked(Option<[u8; 32]>),
    Map(BTreeMap<String, Node>),
    List(Vec<Node>),
}

impl Node {
    /// Adds all that may be told to a hash; whether everything is known.
    fn feed(&self, hash: &mut Sha256) -> bool {
        match self {
            Self::Leaf(value) => {
                hash.update(b"=");
                hash.update(value.to_string());
                true
            }
            Self::Unknown => {
                hash.update(b"?");
                false
            }
            Self::Masked(_) => {
                hash.update(b"*");
                true
            }
            Self::Map(map) => map.iter().fold(true, |known, (key, node)| {
                hash.update(format!("{{{}:{key}", key.len()));
                node.feed(hash) && known
            }),
            Self::List(items) => items.iter().fold(true, |known, node| {
                hash.update(b"[");
                node.feed(hash) && known
            }),
        }
    }
}

/// Makes the preview of `inputs`. Renders on threads of its own, one to five times.
///
/// # Errors
///
/// [`Error`].
pub fn preview(inputs: &Inputs<'_>) -> Result<Preview, Error> {
    probe::run(inputs)
}

impl Preview {
    /// The names of the objects: `Kind/namespace/name`, `Kind/name` for objects of the whole cluster.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    /// A digest of each object, 16 hexadecimal digits, and whether all of the object is known; what is not leaves no
    /// trace in the digest. What must not be shown does not either: short secrets could be guessed from it.
    pub fn digests(&self) -> BTreeMap<String, (String, bool)> {
        let digest = |entry: &Entry| {
            let mut hash = Sha256::new();
            let certain = entry.node.feed(&mut hash) && !entry.uncertain;
            (hex::encode(&hash.finalize()[..8]), certain)
        };
        self.objects
            .iter()
            .map(|(key, entry)| (key.clone(), digest(entry)))
            .collect()
    }

    /// What is not known about the list of objects; `None` when it is complete.
    pub fn unsettled(&self) -> Option<&Unsettled> {
        self.unsettled.as_ref()
    }

    /// SHA-256, in hex, of everything that the preview depends on. Secret values are not in it, their
    /// version is.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What Helm would log. No text holds a value.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
