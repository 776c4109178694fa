//! `helm template` for the data source and the function: a chart and values in, texts out.

use std::collections::BTreeMap;

use helm::render::{Capabilities, HookEvent, Rendered};
use helm::{Chart, RenderOptions, render};
use serde_json::{Map, Value};

/// What is asked, in the words of helm's command line. Empty texts say nothing.
#[derive(Default)]
pub struct Template {
    pub name: String,
    pub namespace: String,
    pub values: Map<String, Value>,
    pub kube_version: String,
    pub api_versions: Vec<String>,
    pub include_crds: bool,
    pub is_upgrade: bool,
    pub show_only: Vec<String>,
    pub skip_tests: bool,
    pub skip_schema_validation: bool,
}

/// What comes out.
pub struct Printed {
    /// As helm prints it.
    pub manifest: String,
    /// By template; several documents of one template are joined.
    pub manifests: BTreeMap<String, String>,
    /// The files of `crds/`.
    pub crds: Vec<String>,
    /// The notes.
    pub notes: String,
    /// Whether the result is another one each time.
    pub generated: bool,
}

/// Why nothing comes out.
pub struct Refused {
    /// The input to blame.
    pub attribute: &'static str,
    /// In helm's words.
    pub why: String,
}

impl Refused {
    /// A failure that no input is to blame for.
    pub const fn rendering(why: String) -> Self {
        Self {
            attribute: "chart",
            why,
        }
    }
}

/// Renders. Blocks until it is done.
///
/// # Errors
///
/// What helm refuses.
pub fn run(chart: &Chart, wanted: &Template) -> Result<Printed, Refused> {
    let mut options = RenderOptions {
        is_upgrade: wanted.is_upgrade,
        values: wanted.values.clone(),
        include_crds: wanted.include_crds,
        skip_schema: wanted.skip_schema_validation,
        ..RenderOptions::default()
    };
    for (said, place) in [
        (&wanted.name, &mut options.release_name),
        (&wanted.namespace, &mut options.namespace),
    ] {
        if !said.is_empty() {
            place.clone_from(said);
        }
    }
    if !wanted.kube_version.is_empty() {
        options.capabilities =
            Capabilities::of_version(&wanted.kube_version).map_err(|why| Refused {
                attribute: "kube_version",
                why,
            })?;
    }
    options.capabilities = options.capabilities.with_apis(wanted.api_versions.clone());
    let mut rendered = render(chart, &options).map_err(|error| Refused {
        attribute: match error {
            render::Error::Values(_) | render::Error::Template(_) => "values",
            render::Error::ReleaseName(_) => "name",
            render::Error::KubeVersion { .. } => "kube_version",
            _ => "chart",
        },
        why: error.to_string(),
    })?;
    if wanted.skip_tests {
        rendered
            .hooks
            .retain(|hook| !hook.events.contains(&HookEvent::Test));
    }
    let generated = rendered.volatile.clock || rendered.volatile.entropy;
    show_only(chart, &mut rendered, wanted)?;
    Ok(Printed {
        manifest: rendered.to_template_output(),
        manifests: by_template(&rendered, wanted.include_crds),
        crds: rendered
            .crds
            .iter()
            .map(|crd| String::from_utf8_lossy(&crd.content).into_owned())
            .collect(),
        notes: rendered.notes,
        generated,
    })
}

/// Keeps the templates asked for; each of them must be there, as helm wants it.
fn show_only(chart: &Chart, rendered: &mut Rendered, wanted: &Template) -> Result<(), Refused> {
    if wanted.show_only.is_empty() {
        return Ok(());
    }
    let full = |name: &String| format!("{}/{}", chart.name(), name.trim_start_matches("./"));
    let names: Vec<String> = wanted.show_only.iter().map(full).collect();
    let has = |path: &str| names.iter().any(|name| name == path);
    for (said, name) in wanted.show_only.iter().zip(&names) {
        let found = rendered.manifests.iter().any(|one| one.path == *name)
            || rendered.hooks.iter().any(|one| one.path == *name)
            || rendered.crds.iter().any(|one| one.path == *name);
        if !found {
            return Err(Refused {
                attribute: "show_only",
                why: format!("could not find template {said} in chart"),
            });
        }
    }
    rendered.manifests.retain(|one| has(&one.path));
    rendered.hooks.retain(|one| has(&one.path));
    rendered.crds.retain(|one| has(&one.path));
    Ok(())
}

fn by_template(rendered: &Rendered, include_crds: bool) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    let mut add = |path: &str, text: &str| {
        let whole = all.entry(path.to_owned()).or_default();
        whole.push_str("---\n");
        whole.push_str(text.trim_end());
        whole.push('\n');
    };
    if include_crds {
        for crd in &rendered.crds {
            add(&crd.path, &String::from_utf8_lossy(&crd.content));
        }
    }
    for manifest in &rendered.manifests {
        add(&manifest.path, &manifest.content);
    }
    for hook in &rendered.hooks {
        add(&hook.path, &hook.manifest);
    }
    all
}
