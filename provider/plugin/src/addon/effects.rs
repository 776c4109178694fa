//! What a change of an add-on does to its objects: the old inputs and the new ones, both rendered, leaf by leaf. A function
//! of configuration, state and pinned digests; no cluster is asked (design law 1).

mod open;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use framework::{Diagnostics, Path};
use helm::preview::{Diff, Error, Inputs, PlannedValues, Preview, SecretValues, diff, preview};
use helm::release::Theirs;
use helm::render::Capabilities;
use helm::{Chart, ReleaseId, render};
use lifecycle::addon::{PatchRule, ReleaseOptions, post_render};

use transport::chain;

pub use open::{planned_changes, planned_objects, settled};
use told::{LEAVES, SHOWN, WIDTH, by_digest, short, texts};

/// One rendering: owned, since it happens on another thread.
#[derive(Clone)]
pub struct Side {
    pub chart: Arc<Chart>,
    pub release: ReleaseId,
    pub is_upgrade: bool,
    pub values: PlannedValues,
    pub secret: SecretValues,
    pub secret_version: String,
    pub capabilities: Capabilities,
    pub patches: Vec<PatchRule>,
    pub options: ReleaseOptions,
    /// What an upgrade leaves as it is.
    pub theirs: Theirs,
}

impl Side {
    fn preview(&self) -> Result<Preview, Error> {
        let patches = post_render(&self.patches).unwrap_or_default();
        preview(&Inputs {
            chart: &self.chart,
            release: self.release.clone(),
            is_upgrade: self.is_upgrade,
            values: self.values.clone(),
            secret: self.secret.clone(),
            secret_version: self.secret_version.clone(),
            capabilities: self.capabilities.clone(),
            post_render: patches,
            crds: self.options.crds.install,
            hooks: self.options.hooks,
            skip_schema: self.options.skip_schema_validation,
        })
    }
}

/// What is compared with the new rendering.
pub enum Before {
    /// Nothing: the release is installed.
    Nothing,
    /// The inputs of the last apply.
    Rendered(Box<Side>),
    /// The inputs of the last apply cannot be rendered any more, for this reason; these are the digests of its objects.
    Digests(String, BTreeMap<String, String>),
}

/// What a change does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Digests of the objects; `None` while not even the list is known. One that is not certain is known after the apply.
    pub objects: Option<BTreeMap<String, (String, bool)>>,
    /// The objects that change, and how; `None` while not even the list is known. What is not known is not there.
    pub changes: Option<BTreeMap<String, Option<String>>>,
    /// What is known although the list is not.
    pub told: Vec<String>,
    /// Why less than everything is shown.
    pub notes: Vec<String>,
}

/// Renders both sides and compares them.
///
/// # Errors
///
/// What a chart or a patch refuses, at the attribute to blame.
pub async fn effects(new: Side, before: Before) -> Result<Effects, Diagnostics> {
    let (chart, theirs) = (Arc::clone(&new.chart), new.theirs.clone());
    let work = tokio::task::spawn_blocking(move || {
        let after = new.preview()?;
        Ok::<_, Error>(compare(&after, before, &theirs))
    });
    match work.await {
        Ok(Ok(effects)) => Ok(effects),
        Ok(Err(error)) => refused(&error, &chart),
        Err(error) => Err(Diagnostics::one_error(
            "the chart cannot be rendered",
            format!("{error}\nThis is a defect of the provider; please report it."),
        )),
    }
}

fn compare(after: &Preview, before: Before, theirs: &Theirs) -> Effects {
    let digests = after.digests();
    let mut notes = Vec::new();
    let found = match before {
        Before::Nothing => Diff::default(),
        Before::Rendered(side) => match side.preview() {
            Ok(old) => diff(Some(&old), Some(after)),
            Err(error) => {
                notes.push(format!(
                    "The old objects cannot be rendered: {}",
                    chain(&error)
                ));
                Diff::default()
            }
        },
        Before::Digests(why, old) => {
            notes.push(why);
            let changes = by_digest(&old, &digests);
            return Effects {
                objects: after.unsettled().is_none().then(|| short(digests)),
                changes: after.unsettled().is_none().then_some(changes),
                told: Vec::new(),
                notes,
            };
        }
    };
    let unsettled = found.unsettled.as_ref().or(after.unsettled());
    if let Some(unsettled) = unsettled {
        let told = found
            .objects
            .iter()
            .take(SHOWN)
            .map(|(object, change)| format!("{object}: {}", change.line(LEAVES, WIDTH)))
            .collect();
        notes.push(unsettled.reason.clone());
        return Effects {
            objects: None,
            changes: None,
            told,
            notes,
        };
    }
    Effects {
        objects: Some(short(digests)),
        changes: Some(texts(&found, theirs)),
        told: Vec::new(),
        notes,
    }
}

impl Effects {
    /// The digests, whether they are certain or not.
    pub fn digests(&self) -> Option<BTreeMap<String, String>> {
        let objects = self.objects.as_ref()?;
        let pairs = objects.iter();
        Some(
            pairs
                .map(|(key, (digest, _))| (key.clone(), digest.clone()))
                .collect(),
        )
    }

    /// The changes; those that hold something generated say so.
    pub fn changed(&self) -> Option<BTreeMap<String, String>> {
        let changes = self.changes.as_ref()?;
        let told = |text: &Option<String>| {
            text.clone()
                .unwrap_or_else(|| "changed: generated by the apply".to_owned())
        };
        Some(
            changes
                .iter()
                .map(|(key, text)| (key.clone(), told(text)))
                .collect(),
        )
    }
}

/// A chart that refuses its values. One that looks at the cluster may be right to do so only here, where none is asked.
fn refused(error: &Error, chart: &Chart) -> Result<Effects, Diagnostics> {
    let text = secret::scrub(&chain(error)).into_owned();
    let (path, summary) = match error {
        Error::Render(render::Error::Values(_)) => ("values", "the chart refuses these values"),
        Error::Render(render::Error::KubeVersion { .. }) => {
            ("version", "the chart is not for this Kubernetes")
        }
        Error::Render(_) => ("values", "the chart cannot be rendered with these values"),
        Error::PostRender(_) => ("post_render", "patches do not fit the chart's objects"),
    };
    let excused = matches!(error, Error::Render(render::Error::Template(_))) && asks_cluster(chart);
    if excused {
        return Ok(Effects {
            notes: vec![format!(
                "{summary}: {text}. The chart asks the cluster while it renders, and at plan none is asked, so this may be \
                 different at apply."
            )],
            ..Effects::default()
        });
    }
    Err(Diagnostics::one_error_at(
        Path::of(path),
        summary,
        format!("Seen: {text}\nCorrect what the message names."),
    ))
}

/// Whether templates depend on what the cluster holds.
fn asks_cluster(chart: &Chart) -> bool {
    let asks = |data: &[u8]| {
        let text = String::from_utf8_lossy(data);
        text.contains("lookup") || text.contains("APIVersions")
    };
    chart.templates.iter().any(|file| asks(&file.data))
        || chart.dependencies.iter().any(asks_cluster)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    const TEMPLATES: &[(&str, &str)] = &[
        (
            "templates/web.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: {{ .Values.replicas }}\n  template:\n    spec:\n      containers:\n        - name: app\n          image: {{ .Values.image }}\n          env:\n            - name: TOKEN\n              value: {{ .Values.token | quote }}\n",
        ),
        (
            "templates/secret.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: web\nstringData:\n  password: {{ .Values.password | quote }}\n  made: {{ randAlphaNum 20 }}\n",
        ),
        (
            "templates/extra.yaml",
            "{{ if .Values.extra }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\ndata:\n  at: {{ now | date \"2006\" | quote }}\n  rand: {{ randAlphaNum 20 }}\n  x: {{ .Values.extra | quote }}\n{{ end }}",
        ),
    ];

    fn chart() -> Arc<Chart> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("templates")).expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("a file");
        };
        write("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n");
        write(
            "values.yaml",
            "replicas: 1\nimage: a\ntoken: t\npassword: p\n",
        );
        for (name, text) in TEMPLATES {
            write(name, text);
        }
        Arc::new(Chart::load(folder.path()).expect("a chart"))
    }

    fn side(chart: &Arc<Chart>, values: Json) -> Side {
        let Json::Object(values) = values else {
            panic!("a table")
        };
        Side {
            chart: Arc::clone(chart),
            release: ReleaseId::new("shop", "web"),
            is_upgrade: true,
            values: PlannedValues::known(values),
            secret: SecretValues::default(),
            secret_version: String::new(),
            capabilities: Capabilities::default(),
            patches: Vec::new(),
            options: ReleaseOptions::default(),
            theirs: Theirs::default(),
        }
    }

    fn rendered(side: Side) -> Before {
        Before::Rendered(Box::new(side))
    }

    #[tokio::test]
    async fn a_change_is_told_leaf_by_leaf() {
        let chart = chart();
        let new = side(&chart, json!({"replicas": 3, "extra": "y"}));
        let found = effects(new, rendered(side(&chart, json!({"replicas": 2})))).await;
        let found = found.expect("renders");
        let changes = found.changes.clone().expect("known");
        assert_eq!(
            changes.keys().collect::<Vec<_>>(),
            [
                "ConfigMap/shop/extra",
                "Deployment/shop/web",
                "Secret/shop/web"
            ]
        );
        let mut ignoring = side(&chart, json!({"replicas": 3}));
        ignoring.theirs.ignored.push(helm::release::Ignored {
            fields: helm::release::FieldPath::parse("/spec/replicas")
                .into_iter()
                .collect(),
            ..helm::release::Ignored::default()
        });
        let left = effects(ignoring, rendered(side(&chart, json!({"replicas": 2})))).await;
        let left = left.expect("renders").changes.expect("known");
        assert_eq!(
            left["Deployment/shop/web"].as_deref(),
            Some("~ .spec.replicas: 2 -> 3 (ignored: it stays as it is)")
        );
        // Each rendering makes another password up.
        assert_eq!(changes["Secret/shop/web"], None);
        assert_eq!(changes["ConfigMap/shop/extra"].as_deref(), Some("added"));
        assert_eq!(
            changes["Deployment/shop/web"].as_deref(),
            Some("~ .spec.replicas: 2 -> 3")
        );
        // Digests are the same in every process, generated leaves or not.
        let again = effects(
            side(&chart, json!({"replicas": 3, "extra": "y"})),
            Before::Nothing,
        )
        .await;
        assert_eq!(again.expect("renders").digests(), found.digests());
    }

    #[tokio::test]
    async fn secrets_are_never_told() {
        let chart = chart();
        let with = |token: &str, version: &str| {
            let mut one = side(&chart, json!({}));
            let Json::Object(tree) = json!({"token": token, "password": token}) else {
                panic!("a table")
            };
            one.secret = SecretValues::new(tree);
            version.clone_into(&mut one.secret_version);
            one
        };
        let found = effects(with("hunter2-new", "2"), rendered(with("hunter2-old", "1"))).await;
        let found = found.expect("renders");
        let text = format!("{found:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("(sensitive)"), "{text}");
        let same = effects(with("hunter2-new", "1"), rendered(with("hunter2-old", "1"))).await;
        assert_eq!(same.expect("renders").changes, Some(BTreeMap::new()));
    }

    #[tokio::test]
    async fn what_is_not_known_leaves_the_list_open_or_the_object() {
        let chart = chart();
        let open = |key: &str| {
            let mut one = side(&chart, json!({"replicas": 2}));
            let step = helm::preview::Step::Key(key.to_owned());
            one.values = one.values.with_unknown(&[step]);
            one
        };
        let old = || rendered(side(&chart, json!({"replicas": 2})));
        let found = effects(open("image"), old()).await.expect("renders");
        assert_eq!(
            found.changes.expect("the list is known")["Deployment/shop/web"],
            None
        );
        let found = effects(open("extra"), old()).await.expect("renders");
        assert_eq!(found.changes, None);
        assert_eq!(found.notes.len(), 1);
    }

    #[tokio::test]
    async fn without_the_old_chart_digests_tell() {
        let chart = chart();
        let first = effects(side(&chart, json!({"extra": "x"})), Before::Nothing).await;
        let old = first.expect("renders").digests().expect("known");
        let found = effects(
            side(&chart, json!({"replicas": 5})),
            Before::Digests("the chart is gone".to_owned(), old),
        )
        .await
        .expect("renders");
        let changes = found.changed().expect("known");
        assert_eq!(changes["ConfigMap/shop/extra"], "removed");
        assert_eq!(changes["Deployment/shop/web"], "changed");
        assert_eq!(found.notes, ["the chart is gone"]);
    }
}
