//! Charts and releases as helm 4.3 treats them, natively.
//!
//! Rendering gives, byte for byte, what `helm template` 4.3.1 prints, without a helm binary:
//!
//! ```
//! use helm::{Chart, RenderOptions, chart::File, render, values::Sources};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let chart = Chart::from_files(vec![ // or Chart::load("./charts/web"), a folder or a .tgz
//!     File::new("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
//!     File::new("values.yaml", "replicas: 1\n"),
//!     File::new("templates/web.yaml", "name: {{ .Release.Name }}\nreplicas: {{ .Values.replicas }}\n"),
//! ])?;
//! let values = Sources::new().set("replicas=3").merge()?;
//! let release_name = "site".to_owned();
//! let rendered = render(&chart, &RenderOptions { release_name, values, ..RenderOptions::default() })?;
//! let text = "---\n# Source: web/templates/web.yaml\nname: site\nreplicas: 3\n";
//! assert_eq!(rendered.to_template_output(), text);
//! # Ok(())
//! # }
//! ```
//!
//! What each part is for:
//!
//! - [`source`] fetches charts from repositories, registries, addresses and paths;
//! - [`chart`] loads them, [`values`] reads and merges what the user says, [`mod@render`] makes
//!   objects, hooks and notes of both: pure, on a thread of its own;
//! - [`preview`] tells what an installation or upgrade will change, leaf by leaf, before anything is
//!   asked of a cluster; [`post_render`] patches what was rendered;
//! - [`template`], [`value`], [`yaml`], [`semver`] are the engine below, usable alone;
//! - [`release`] installs, upgrades, rolls back, removes and compares over the trait [`Cluster`],
//!   which the crate `kubernetes` implements. Its records are Helm's own: the command line can take a
//!   release over and give it back.
//!
//! Parity is with one version of Helm. `cargo corpus DIR` renders every chart below a folder with
//! this crate and with the real helm and compares the bytes; `tests/zoo` holds one small chart for
//! each rule. Three things differ on purpose: nothing is fetched while rendering (a values schema
//! elsewhere permits everything), texts of our own hold no values, because these may be secrets,
//! and archives that hold links are refused.

mod cluster;
mod dates;
mod functions;
mod openpgp;
mod regex_go;

pub mod chart;
pub mod post_render;
pub mod preview;
pub mod release;
pub mod render;
pub mod semver;
pub mod source;
pub mod template;
pub mod value;
pub mod values;
pub mod yaml;

pub use chart::Chart;
pub use cluster::{
    ApiResource, Cluster, ClusterError, DeleteOptions, Deleted, Discovery, FIELD_MANAGER,
    FieldCause, FieldConflict, ListQuery, LogQuery, ObjectRef, Patch, Propagation, ServerVersion,
    WriteOptions,
};
pub use release::{ReleaseId, Releases};
pub use render::{Capabilities, RenderOptions, Rendered, render};
