//! The attributes as a Rust type, and what they mean.

use std::time::Duration;

use framework::{Dynamic, FromValue, ToValue, Value, wire};
use helm::preview::SecretValues;
use helm::release::FieldPath;
use helm::render::Capabilities;
use lifecycle::addon::{
    ChartSource, CrdRules, DesiredAddon, DriftRules, IgnoredFields, OWNER_ADDON, PatchRule,
    ReleaseOptions, Target,
};
use product::catalogue::{Component, PodSecurity, component};
use product::rules::AddonInput;
use product::{Checked, Path, Problem};
use serde_json::{Map, Value as Json, json};

use super::patches::patches;
use super::values::{Merged, PUBLIC, SetValue, WRITE_ONLY, merge};
use crate::handle::KnownFacts;

/// Version of the form in which inputs are recorded in the cluster.
pub const RECORD: u32 = 1;
/// The limit of a wait for charts that the catalogue does not know.
const WAIT: Duration = Duration::from_mins(10);

/// Attributes that say what is wanted, and are recorded for an import. Everything else is computed, write-only, or the
/// handle, which an import makes anew.
const RECORDED: [&str; 28] = [
    "name",
    "chart",
    "repository",
    "repository_username",
    "verify",
    "keyring",
    "version",
    "namespace",
    "create_namespace",
    "pod_security",
    "values",
    "set",
    "values_wo_version",
    "post_render",
    "api_versions",
    "wait",
    "wait_for_jobs",
    "atomic",
    "cleanup_on_fail",
    "force_update",
    "take_ownership",
    "hooks",
    "skip_schema_validation",
    "max_history",
    "description",
    "crds",
    "drift_detection",
    "timeouts",
];

/// `crds`.
#[derive(Clone, Debug, PartialEq, Eq, FromValue, ToValue)]
pub struct CrdsModel {
    pub install: Value<bool>,
    pub upgrade: Value<bool>,
    pub keep: Value<bool>,
}

/// One element of `drift_detection.ignore`.
#[derive(Clone, Debug, PartialEq, Eq, FromValue, ToValue)]
pub struct IgnoreModel {
    pub fields: Value<Vec<String>>,
    pub group: Value<String>,
    pub kind: Value<String>,
    pub name: Value<String>,
    pub namespace: Value<String>,
}

/// `drift_detection`.
#[derive(Clone, Debug, PartialEq, Eq, FromValue, ToValue)]
pub struct DriftModel {
    pub mode: Value<String>,
    pub repair: Value<bool>,
    pub ignore: Value<Vec<IgnoreModel>>,
    pub ignore_managers: Value<Vec<String>>,
}

/// `managedk8s_addon` as configuration, plan and state.
#[derive(Clone, Debug, FromValue, ToValue)]
pub struct AddonModel {
    pub cluster: Dynamic,
    pub name: Value<String>,
    pub chart: Value<String>,
    pub repository: Value<String>,
    pub repository_username: Value<String>,
    pub repository_password_wo: Value<String>,
    pub verify: Value<bool>,
    pub keyring: Value<String>,
    pub version: Value<String>,
    pub namespace: Value<String>,
    pub create_namespace: Value<bool>,
    pub pod_security: Value<String>,
    pub values: Dynamic,
    pub set: Value<Vec<SetValue>>,
    pub values_wo: Dynamic,
    pub set_wo: Value<Vec<SetValue>>,
    pub values_wo_version: Value<i64>,
    pub post_render: Dynamic,
    pub api_versions: Value<Vec<String>>,
    pub wait: Value<bool>,
    pub wait_for_jobs: Value<bool>,
    pub atomic: Value<bool>,
    pub cleanup_on_fail: Value<bool>,
    pub force_update: Value<bool>,
    pub take_ownership: Value<bool>,
    pub hooks: Value<bool>,
    pub skip_schema_validation: Value<bool>,
    pub max_history: Value<i64>,
    pub description: Value<String>,
    pub crds: Value<CrdsModel>,
    pub drift_detection: Value<DriftModel>,
    pub timeouts: Dynamic,
    pub id: Value<String>,
    pub chart_digest: Value<String>,
    pub app_version: Value<String>,
    pub objects: Dynamic,
    pub changes: Dynamic,
    pub fingerprint: Value<String>,
    pub drift: Dynamic,
    pub plan_summary: Value<String>,
}

fn text(value: &Value<String>) -> Option<&str> {
    value.as_known().map(String::as_str)
}

/// A switch that is not set is as by default; `None` while it is not known.
fn switch(value: Value<bool>, default: bool) -> Option<bool> {
    match value {
        Value::Known(flag) => Some(flag),
        Value::Null => Some(default),
        Value::Unknown => None,
    }
}

impl AddonModel {
    /// The component of the catalogue; `None` for any other chart, and while that is not known.
    pub fn component(&self) -> Option<&'static Component> {
        if self.chart.is_null() {
            component(text(&self.name)?)
        } else {
            None
        }
    }

    /// The input of the product's rules: whatever is known.
    pub fn rules_input<'a>(
        &'a self,
        facts: Option<&KnownFacts>,
        prior: Option<&'a AddonModel>,
    ) -> AddonInput<'a> {
        AddonInput {
            name: text(&self.name),
            chart: text(&self.chart),
            repository: text(&self.repository),
            from_catalogue: self.chart.is_null(),
            version: text(&self.version),
            namespace: text(&self.namespace),
            offering: facts.map(|facts| facts.facts.offering),
            kubernetes: facts.map(|facts| facts.facts.kubernetes.minor()),
            prior_version: prior.and_then(|prior| text(&prior.version)),
        }
    }

    /// Where the chart is; `None` while that is not known.
    pub fn source(&self) -> Option<ChartSource> {
        if self.chart.is_null() {
            let component = component(text(&self.name)?)?;
            return Some(ChartSource {
                repository: component.repository.to_owned(),
                chart: component.chart.to_owned(),
                version: text(&self.version)?.to_owned(),
            });
        }
        let chart = text(&self.chart)?.to_owned();
        let repository = self.repository.clone().settled()?.unwrap_or_default();
        let mut source = ChartSource::configured(&repository, &chart, "");
        // A chart on this machine has the version that it says itself.
        if !source.is_local() {
            text(&self.version)?.clone_into(&mut source.version);
        }
        Some(source)
    }

    /// The values that may be shown: the catalogue's with the configuration's over them.
    ///
    /// # Errors
    ///
    /// A text that cannot be read.
    pub fn public_values(&self, facts: Option<&KnownFacts>) -> Checked<Merged> {
        let base = match (self.component(), facts) {
            (Some(component), Some(facts)) => match (component.values)(&facts.facts) {
                Json::Object(map) => map,
                _ => Map::new(),
            },
            _ => Map::new(),
        };
        merge(Merged::of(base), &self.values, &self.set, PUBLIC)
    }

    /// All values, the write-only ones last; they are in configurations alone.
    ///
    /// # Errors
    ///
    /// A text that cannot be read.
    pub fn complete_values(&self, public: &Merged) -> Checked<Merged> {
        merge(public.clone(), &self.values_wo, &self.set_wo, WRITE_ONLY)
    }

    /// The write-only values for a preview; from here on their texts are scrubbed from logs and messages.
    ///
    /// # Errors
    ///
    /// A text that cannot be read.
    pub fn secret_values(&self, public: &Merged) -> Checked<SecretValues> {
        let all = self.complete_values(public)?;
        Ok(SecretValues::new(all.over(public)))
    }

    /// What stands for the write-only values.
    pub fn secret_version(&self) -> String {
        match &self.values_wo_version {
            Value::Known(version) => version.to_string(),
            Value::Null | Value::Unknown => String::new(),
        }
    }

    /// What the cluster can do, as far as that is known without asking it.
    pub fn capabilities(&self, facts: &KnownFacts) -> Capabilities {
        let more = self.api_versions.as_known().cloned().unwrap_or_default();
        Capabilities::of_version(&facts.facts.kubernetes.to_string())
            .unwrap_or_default()
            .with_apis(more)
    }

    /// The patches; `None` while they are not known.
    ///
    /// # Errors
    ///
    /// What is no patch.
    pub fn patches(&self) -> Checked<Option<Vec<PatchRule>>> {
        patches(&self.post_render)
    }

    /// How operations behave; `None` while something of it is not known.
    pub fn options(&self) -> Option<ReleaseOptions> {
        let default = ReleaseOptions::default();
        let crds = match self.crds.clone().settled()? {
            None => CrdRules::default(),
            Some(crds) => {
                let install = switch(crds.install, true)?;
                CrdRules {
                    install,
                    upgrade: install && switch(crds.upgrade, true)?,
                    keep: switch(crds.keep, true)?,
                }
            }
        };
        let kept = self.max_history.settled()?;
        Some(ReleaseOptions {
            wait_for_jobs: switch(self.wait_for_jobs, false)?,
            hooks: switch(self.hooks, true)?,
            atomic: switch(self.atomic, false)?,
            cleanup_on_fail: switch(self.cleanup_on_fail, false)?,
            force_update: switch(self.force_update, false)?,
            take_ownership: switch(self.take_ownership, false)?,
            create_namespace: switch(self.create_namespace, true)?,
            skip_schema_validation: switch(self.skip_schema_validation, false)?,
            max_history: kept.map_or(default.max_history, |kept| {
                u32::try_from(kept).unwrap_or(default.max_history)
            }),
            description: self.description.clone().settled()?,
            crds,
        })
    }

    /// What counts as drift; `None` while something of it is not known.
    pub fn drift_rules(&self) -> Option<DriftRules> {
        let Some(drift) = self.drift_detection.clone().settled()? else {
            return Some(DriftRules::default());
        };
        let ignore = drift.ignore.settled()?.unwrap_or_default();
        Some(DriftRules {
            detect: drift.mode.settled()?.as_deref() != Some("ignore"),
            repair: switch(drift.repair, true)?,
            ignore: ignore
                .into_iter()
                .map(|rule| {
                    Some(IgnoredFields {
                        target: Target {
                            group: rule.group.settled()?,
                            kind: rule.kind.settled()?,
                            name: rule.name.settled()?,
                            namespace: rule.namespace.settled()?,
                        },
                        fields: rule.fields.settled()?.unwrap_or_default(),
                    })
                })
                .collect::<Option<_>>()?,
            ignore_managers: drift.ignore_managers.settled()?.unwrap_or_default(),
        })
    }

    /// What the configuration asks for, once everything it depends on is known.
    ///
    /// # Errors
    ///
    /// A value that cannot be read.
    pub fn desired(&self, facts: &KnownFacts) -> Checked<Option<DesiredAddon>> {
        let public = self.public_values(Some(facts))?;
        let patches = self.patches()?;
        Ok(self.assemble(facts, &public, patches))
    }

    fn assemble(
        &self,
        facts: &KnownFacts,
        public: &Merged,
        patches: Option<Vec<PatchRule>>,
    ) -> Option<DesiredAddon> {
        let values = Json::Object(public.known()?.clone());
        let name = text(&self.name)?.to_owned();
        let component = self.component();
        let security = self.pod_security.clone().settled()?;
        let security = security.and_then(|level| PodSecurity::parse(&level).ok());
        let wait = switch(self.wait, true)?;
        let limit = component.map_or(WAIT, |component| {
            Duration::from_mins(u64::from(component.timeout_minutes))
        });
        // The version says when write-only values changed; they may be unknown at every plan.
        if self.values_wo_version.is_unknown() || self.api_versions.is_unknown() {
            return None;
        }
        let digest = text(&self.chart_digest).unwrap_or_default().to_owned();
        Some(DesiredAddon {
            name,
            namespace: text(&self.namespace)?.to_owned(),
            pod_security: security.or_else(|| component?.pod_security),
            source: self.source()?,
            inputs: Some(self.inputs(&digest)),
            chart_digest: digest,
            values,
            secret_values_fingerprint: self.secret_version(),
            objects: component
                .map(|component| (component.objects)(&facts.facts))
                .unwrap_or_default(),
            post_render: patches?,
            options: self.options()?,
            drift: self.drift_rules()?,
            timeout: if wait { limit } else { Duration::ZERO },
            owner: OWNER_ADDON.to_owned(),
        })
    }

    /// The public inputs in the form in which the cluster keeps them for an import.
    pub fn inputs(&self, digest: &str) -> Json {
        let all = self.to_value();
        let recorded = Dynamic::object(
            RECORDED
                .iter()
                .filter_map(|name| Some((*name, all.member(name)?.clone())))
                .filter(|(_, value)| !value.is_null()),
        );
        let attributes: Json = serde_json::from_str(&wire::to_json(&recorded)).unwrap_or_default();
        json!({ "schema": RECORD, "chart_digest": digest, "attributes": attributes })
    }

    /// Everything in the values that cannot be read, and patches that are none: what can be said without a cluster.
    pub fn problems(&self, facts: Option<&KnownFacts>) -> Vec<Problem> {
        let mut found = Vec::new();
        match self.public_values(facts) {
            Ok(public) => found.extend(self.complete_values(&public).err().map(|problem| *problem)),
            Err(problem) => found.push(*problem),
        }
        found.extend(self.patches().err().map(|problem| *problem));
        found.extend(self.drift_problems());
        found.extend(self.timeout_problems());
        if self.verify == Value::Known(true) && self.keyring.is_null() {
            found.push(
                Problem::error(Path::of("keyring"), "no keys to verify the chart with")
                    .seen("verify = true without keyring")
                    .allowed("the public keys that may sign the chart")
                    .next(
                        "Set keyring to what `gpg --export` writes: a file, or the armoured text.",
                    ),
            );
        }
        if let Value::Known(crds) = &self.crds
            && crds.install == Value::Known(false)
            && crds.upgrade == Value::Known(true)
        {
            found.push(
                Problem::error(
                    Path::of("crds.upgrade"),
                    "definitions that are not installed cannot be upgraded",
                )
                .seen("install = false, upgrade = true")
                .allowed("upgrade only together with install")
                .next("Leave one of the two out."),
            );
        }
        found
    }

    /// Helm makes half a minute of a timeout of nothing, and others wait for ever: here it says nothing.
    fn timeout_problems(&self) -> Vec<Problem> {
        let limit = |operation: &&str| {
            let text = self.timeouts.member(operation)?.as_str()?;
            let limit = framework::timeouts::parse_duration(text)?;
            (limit < Duration::from_secs(1)).then_some(text)
        };
        ["create", "update", "delete"]
            .iter()
            .filter_map(|operation| {
                let text = limit(operation)?;
                let place = Path::of("timeouts").attribute((*operation).to_owned());
                Some(
                    Problem::error(place, "no time for an operation")
                        .seen(format!("{text:?}"))
                        .allowed("one second or more")
                        .next(
                            "Say how long it may take. To wait for hooks only, set wait = false.",
                        ),
                )
            })
            .collect()
    }

    fn drift_problems(&self) -> Vec<Problem> {
        let Value::Known(drift) = &self.drift_detection else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (index, rule) in (0..).zip(drift.ignore.as_known().into_iter().flatten()) {
            let place = Path::of("drift_detection.ignore").index(index);
            for (number, field) in (0..).zip(rule.fields.as_known().into_iter().flatten()) {
                if FieldPath::parse(field).is_none() {
                    found.push(
                        Problem::error(
                            place.clone().attribute("fields").index(number),
                            "not the path of a field",
                        )
                        .seen(format!("{field:?}"))
                        .allowed(
                            "`.spec.replicas`, `.spec.containers[name=\"app\"].image` or `.metadata.annotations[\"a/b\"]`, \
                             as drift shows it, or the JSON pointer `/spec/replicas`",
                        )
                        .next("Begin the path with a dot or a slash, and close its brackets."),
                    );
                }
            }
        }
        found
    }
}
