//! A revision as the JSON of Helm's records.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{HookRecord, Info, Phase, Release, ReleaseId, Status};
use crate::chart::{Chart, File, Lock, Metadata};
use crate::render::{HookDeletePolicy, HookEvent, HookLogPolicy, from_yaml_numbers};
use crate::values::floats;

impl Release {
    pub(in crate::release) fn to_json(&self, with_files: bool) -> Value {
        let mut map = Map::new();
        map.insert("name".into(), json!(self.id.name));
        map.insert("info".into(), self.info.to_json());
        map.insert("chart".into(), chart_to_json(&self.chart, with_files));
        if !self.config.is_empty() {
            let config = from_yaml_numbers(Value::Object(self.config.clone()));
            map.insert("config".into(), config);
        }
        if !self.manifest.is_empty() {
            map.insert("manifest".into(), json!(self.manifest));
        }
        if !self.hooks.is_empty() {
            let hooks = self.hooks.iter().map(HookRecord::to_json).collect();
            map.insert("hooks".into(), Value::Array(hooks));
        }
        map.insert("version".into(), json!(self.revision));
        map.insert("namespace".into(), json!(self.id.namespace));
        if !self.apply_method.is_empty() {
            map.insert("apply_method".into(), json!(self.apply_method));
        }
        Value::Object(map)
    }

    pub(in crate::release) fn from_json(value: &Value) -> Result<Self, String> {
        let text = |key: &str| text(value, key);
        let chart = value.get("chart").unwrap_or(&Value::Null);
        let config = match value.get("config").cloned().map(floats) {
            Some(Value::Object(config)) => config,
            _ => Map::new(),
        };
        let hooks = value
            .get("hooks")
            .and_then(Value::as_array)
            .map(|hooks| hooks.iter().map(HookRecord::from_json).collect())
            .unwrap_or_default();
        let revision = value
            .get("version")
            .and_then(Value::as_u64)
            .and_then(|version| u32::try_from(version).ok())
            .ok_or("the record has no revision")?;
        Ok(Self {
            id: ReleaseId::new(text("namespace"), text("name")),
            revision,
            info: Info::from_json(value.get("info").unwrap_or(&Value::Null)),
            chart: chart_from_json(chart)?,
            config,
            manifest: text("manifest"),
            hooks,
            labels: BTreeMap::new(),
            apply_method: text("apply_method"),
            heartbeat: None,
            created_at: None,
        })
    }
}

fn text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// Helm writes no time as a missing field, an empty text or Go's zero time.
fn time(value: &Value, key: &str) -> Option<Timestamp> {
    let text = value.get(key).and_then(Value::as_str)?;
    if text.starts_with("0001-01-01") {
        return None;
    }
    text.parse().ok()
}

fn put_text(map: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        map.insert(key.to_owned(), json!(text));
    }
}

fn put_time(map: &mut Map<String, Value>, key: &str, time: Option<Timestamp>) {
    if let Some(time) = time {
        map.insert(key.to_owned(), json!(time.to_string()));
    }
}

impl Info {
    fn to_json(&self) -> Value {
        let mut map = Map::new();
        put_time(&mut map, "first_deployed", self.first_deployed);
        put_time(&mut map, "last_deployed", self.last_deployed);
        put_time(&mut map, "deleted", self.deleted);
        put_text(&mut map, "description", &self.description);
        put_text(&mut map, "status", self.status.as_str());
        if self.rollback_revision > 0 {
            map.insert("rollback_revision".into(), json!(self.rollback_revision));
        }
        put_text(&mut map, "notes", &self.notes);
        Value::Object(map)
    }

    fn from_json(value: &Value) -> Self {
        Self {
            first_deployed: time(value, "first_deployed"),
            last_deployed: time(value, "last_deployed"),
            deleted: time(value, "deleted"),
            description: text(value, "description"),
            status: Status::parse(&text(value, "status")),
            rollback_revision: value
                .get("rollback_revision")
                .and_then(Value::as_u64)
                .and_then(|revision| u32::try_from(revision).ok())
                .unwrap_or(0),
            notes: text(value, "notes"),
        }
    }
}

impl HookRecord {
    fn to_json(&self) -> Value {
        let mut map = Map::new();
        put_text(&mut map, "name", &self.name);
        put_text(&mut map, "kind", &self.kind);
        put_text(&mut map, "path", &self.path);
        put_text(&mut map, "manifest", &self.manifest);
        let words = |words: Vec<&str>| (!words.is_empty()).then(|| json!(words));
        if let Some(events) = words(self.events.iter().map(HookEvent::as_str).collect()) {
            map.insert("events".into(), events);
        }
        let mut run = Map::new();
        put_time(&mut run, "started_at", self.started_at);
        put_time(&mut run, "completed_at", self.completed_at);
        // A hook that has not run has the empty phase, as Go's zero value.
        let phase = if self.started_at.is_none() {
            ""
        } else {
            self.phase.as_str()
        };
        run.insert("phase".into(), json!(phase));
        map.insert("last_run".into(), Value::Object(run));
        if self.weight != 0 {
            map.insert("weight".into(), json!(self.weight));
        }
        let policies = self.delete_policies.iter().map(HookDeletePolicy::as_str);
        if let Some(policies) = words(policies.collect()) {
            map.insert("delete_policies".into(), policies);
        }
        let policies = self.log_policies.iter().map(HookLogPolicy::as_str);
        if let Some(policies) = words(policies.collect()) {
            map.insert("output_log_policies".into(), policies);
        }
        Value::Object(map)
    }

    fn from_json(value: &Value) -> Self {
        let words = |key: &str| -> Vec<String> {
            value
                .get(key)
                .and_then(Value::as_array)
                .map(|all| {
                    all.iter()
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect()
                })
                .unwrap_or_default()
        };
        let run = value.get("last_run").unwrap_or(&Value::Null);
        Self {
            name: text(value, "name"),
            kind: text(value, "kind"),
            path: text(value, "path"),
            manifest: text(value, "manifest"),
            events: words("events")
                .iter()
                .map(|w| HookEvent::parse(w))
                .collect(),
            weight: value.get("weight").and_then(Value::as_i64).unwrap_or(0),
            delete_policies: words("delete_policies")
                .iter()
                .map(|word| HookDeletePolicy::parse(word))
                .collect(),
            log_policies: words("output_log_policies")
                .iter()
                .map(|word| HookLogPolicy::parse(word))
                .collect(),
            started_at: time(run, "started_at"),
            completed_at: time(run, "completed_at"),
            phase: match text(run, "phase").as_str() {
                "Running" => Phase::Running,
                "Succeeded" => Phase::Succeeded,
                "Failed" => Phase::Failed,
                _ => Phase::Unknown,
            },
        }
    }
}

fn chart_to_json(chart: &Chart, with_files: bool) -> Value {
    let files = |files: &[File]| -> Value {
        files
            .iter()
            .map(|file| json!({"name": file.name, "data": STANDARD.encode(&file.data)}))
            .collect()
    };
    json!({
        "metadata": chart.metadata.to_json(),
        "lock": chart.lock.as_ref().map(Lock::to_json),
        "templates": files(&chart.templates),
        "values": from_yaml_numbers(Value::Object(chart.values.clone())),
        "schema": chart.schema.as_ref().map(|schema| STANDARD.encode(schema)),
        "schemamodtime": "0001-01-01T00:00:00Z",
        "files": if with_files { files(&chart.files) } else { json!([]) },
    })
}

fn chart_from_json(value: &Value) -> Result<Chart, String> {
    let metadata = value.get("metadata").unwrap_or(&Value::Null);
    let mut chart = Chart::bare(Metadata::from_json(metadata)?);
    let bytes = |value: &Value| -> Result<Bytes, String> {
        let text = value.as_str().unwrap_or_default();
        STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(|error| format!("a file of the recorded chart is no base64: {error}"))
    };
    let files = |key: &str| -> Result<Vec<File>, String> {
        let Some(all) = value.get(key).and_then(Value::as_array) else {
            return Ok(Vec::new());
        };
        all.iter()
            .map(|file| {
                Ok(File {
                    name: text(file, "name"),
                    data: bytes(file.get("data").unwrap_or(&Value::Null))?,
                })
            })
            .collect()
    };
    chart.templates = files("templates")?;
    chart.files = files("files")?;
    if let Some(Value::Object(values)) = value.get("values").cloned().map(floats) {
        chart.values = values;
    }
    chart.schema = match value.get("schema") {
        None | Some(Value::Null) => None,
        Some(schema) => Some(bytes(schema)?),
    };
    chart.lock = match value.get("lock") {
        None | Some(Value::Null) => None,
        Some(lock) => Some(Lock::read(lock)?),
    };
    Ok(chart)
}
