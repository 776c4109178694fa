//! The attributes as a Rust type, and what they mean.

use std::collections::BTreeMap;

use framework::{Dynamic, FromValue, ToValue, Value};
use lifecycle::addon::{ChartSource, DesiredAddon, OWNER_ADDON};
use product::catalogue::{Component, component};
use product::rules::AddonInput;
use serde_json::Value as Json;

use crate::handle::KnownFacts;

/// `managedk8s_addon` as configuration, plan and state.
#[derive(Clone, Debug, FromValue, ToValue)]
pub struct AddonModel {
    pub cluster: Dynamic,
    pub name: Value<String>,
    pub chart: Value<String>,
    pub repository: Value<String>,
    pub version: Value<String>,
    pub namespace: Value<String>,
    pub values: Dynamic,
    pub wait: Value<bool>,
    pub timeouts: Dynamic,
    pub id: Value<String>,
    pub fingerprint: Value<String>,
    pub drift: Value<BTreeMap<String, String>>,
    pub plan_summary: Value<String>,
}

fn text(value: &Value<String>) -> Option<&str> {
    value.as_known().map(String::as_str)
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

    /// What the configuration asks for, once everything it depends on is known and valid.
    pub fn desired(&self, facts: &KnownFacts) -> Option<DesiredAddon> {
        let overrides = match &self.values {
            Dynamic::Null => Json::Object(serde_json::Map::new()),
            values if values.is_wholly_known() => json(values)?,
            _ => return None,
        };
        let version = text(&self.version)?;
        let mut desired = if self.chart.is_null() {
            let component = component(text(&self.name)?)?;
            DesiredAddon::from_catalogue(component, &facts.facts, Some(version), &overrides)
        } else {
            DesiredAddon {
                name: text(&self.name)?.to_owned(),
                namespace: text(&self.namespace)?.to_owned(),
                pod_security: None,
                source: ChartSource {
                    repository: self.repository.clone().settled()?.unwrap_or_default(),
                    chart: text(&self.chart)?.to_owned(),
                    version: version.to_owned(),
                },
                values: overrides,
                secret_values_fingerprint: String::new(),
                objects: Vec::new(),
                timeout_minutes: 10,
                owner: OWNER_ADDON.to_owned(),
            }
        };
        text(&self.namespace)?.clone_into(&mut desired.namespace);
        if self.wait.as_known() == Some(&false) {
            desired.timeout_minutes = 0;
        }
        Some(desired)
    }
}

/// A wholly known value as JSON. Whole numbers stay whole: a chart prints them so.
fn json(value: &Dynamic) -> Option<Json> {
    Some(match value {
        Dynamic::Null => Json::Null,
        Dynamic::Bool(value) => Json::Bool(*value),
        Dynamic::String(text) => Json::String(text.clone()),
        Dynamic::Number(number) => match number.to_i64() {
            Some(whole) => Json::from(whole),
            None => Json::from(number.to_f64()),
        },
        Dynamic::Unknown(_) => return None,
        other => match (other.as_elements(), other.as_members()) {
            (Some(elements), _) => Json::Array(elements.iter().map(json).collect::<Option<_>>()?),
            (None, Some(members)) => Json::Object(
                members
                    .iter()
                    .map(|(key, value)| Some((key.clone(), json(value)?)))
                    .collect::<Option<_>>()?,
            ),
            (None, None) => return None,
        },
    })
}
