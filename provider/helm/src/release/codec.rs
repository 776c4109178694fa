//! Records as Secrets: JSON, gzip, base64, and the API's own base64 around it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Error, Release, ReleaseId};

/// The API server's limit for the data of one Secret.
pub const MAX_RECORD: usize = 1_048_576;
/// A record that unpacks to more than this is an attack or a defect.
const MAX_JSON: u64 = 256 << 20;
/// The labels that belong to Helm.
const SYSTEM_LABELS: [&str; 6] = [
    "name",
    "owner",
    "status",
    "version",
    "createdAt",
    "modifiedAt",
];
/// Tells a live process from a dead one; Helm's own writes drop it.
pub(super) const HEARTBEAT: &str = "managedk8s/heartbeat";

/// The name of a revision's Secret.
pub(super) fn secret_name(name: &str, revision: u32) -> String {
    format!("sh.helm.release.v1.{name}.v{revision}")
}

/// The content of a record: what Helm calls `release`, before the API's own base64.
///
/// # Errors
///
/// [`Error::RecordTooLarge`], after the files that only a person would read were left out.
pub fn encode(release: &Release) -> Result<String, Error> {
    let full = pack(&release.to_json(true));
    if full.len() <= MAX_RECORD {
        return Ok(full);
    }
    let lean = pack(&release.to_json(false));
    if lean.len() <= MAX_RECORD {
        return Ok(lean);
    }
    Err(Error::RecordTooLarge {
        release: release.id.clone(),
        size: lean.len(),
    })
}

fn pack(value: &Value) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory cannot fail.
    let _ = gzip.write_all(value.to_string().as_bytes());
    STANDARD.encode(gzip.finish().unwrap_or_default())
}

/// Reads the content of a record, packed or not.
///
/// # Errors
///
/// What is wrong with it, as a text.
pub fn decode(content: &str) -> Result<Release, String> {
    let bytes = STANDARD
        .decode(content.trim())
        .map_err(|error| format!("no base64: {error}"))?;
    let json = if bytes.starts_with(&[0x1F, 0x8B, 0x08]) {
        let mut json = Vec::new();
        MultiGzDecoder::new(&*bytes)
            .take(MAX_JSON)
            .read_to_end(&mut json)
            .map_err(|error| format!("no gzip: {error}"))?;
        json
    } else {
        bytes
    };
    let value: Value = serde_json::from_slice(&json).map_err(|e| format!("no JSON: {e}"))?;
    Release::from_json(&value)
}

/// The Secret of a revision. `stamp` is the label that Helm writes on this occasion (`createdAt` or
/// `modifiedAt`) with its time.
pub(super) fn secret(release: &Release, stamp: &str, now: Timestamp) -> Result<Value, Error> {
    let mut labels: BTreeMap<&str, String> = release
        .labels
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    if let Some(created) = &release.created_at {
        labels.insert("createdAt", created.clone());
    }
    labels.insert(stamp, now.as_second().to_string());
    labels.insert("name", release.id.name.clone());
    labels.insert("owner", "helm".to_owned());
    labels.insert("status", release.info.status.as_str().to_owned());
    labels.insert("version", release.revision.to_string());
    let mut metadata = json!({
        "name": secret_name(&release.id.name, release.revision),
        "namespace": release.id.namespace,
        "labels": labels,
    });
    if let Some(beat) = release.heartbeat {
        metadata["annotations"] = json!({HEARTBEAT: beat.as_second().to_string()});
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "helm.sh/release.v1",
        "data": {"release": STANDARD.encode(encode(release)?)},
    }))
}

/// Reads a revision from its Secret.
pub(super) fn from_secret(secret: &Value) -> Result<Release, Error> {
    let metadata = secret.get("metadata").cloned().unwrap_or_default();
    let name = metadata["name"].as_str().unwrap_or_default().to_owned();
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    let unreadable = |reason: String| Error::Unreadable {
        namespace: namespace.to_owned(),
        secret: name.clone(),
        reason,
    };
    let data = secret
        .pointer("/data/release")
        .and_then(Value::as_str)
        .ok_or_else(|| unreadable("it has no key \"release\"".into()))?;
    let content = STANDARD
        .decode(data)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| unreadable("its data is no base64".into()))?;
    let mut release = decode(&content).map_err(unreadable)?;
    if release.id.namespace.is_empty() {
        release.id = ReleaseId::new(namespace, release.id.name);
    }
    let labels = metadata.get("labels").and_then(Value::as_object);
    let label = |map: &Map<String, Value>, key: &str| {
        map.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    if let Some(labels) = labels {
        release.created_at = label(labels, "createdAt");
        release.labels = labels
            .iter()
            .filter(|(key, _)| !SYSTEM_LABELS.contains(&key.as_str()))
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
    }
    release.heartbeat = metadata
        .get("annotations")
        .and_then(|all| all.get(HEARTBEAT))
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok())
        .and_then(|second| Timestamp::from_second(second).ok());
    Ok(release)
}

/// Refuses labels that are Helm's own.
pub(super) fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), Error> {
    match labels
        .keys()
        .find(|key| SYSTEM_LABELS.contains(&key.as_str()))
    {
        Some(key) => Err(Error::ReservedLabel(key.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Chart, File, Metadata};
    use crate::release::{HookRecord, Info, Phase, Status};
    use crate::render::{HookDeletePolicy, HookEvent};

    fn release() -> Release {
        let mut chart = Chart::bare(Metadata {
            name: "web".into(),
            version: "1.2.3".into(),
            api_version: "v2".into(),
            ..Metadata::default()
        });
        chart.templates = vec![File::new("templates/a.yaml", "x: {{ 1 }}")];
        chart.values.insert("n".into(), json!(3.0));
        Release {
            id: ReleaseId::new("prod", "site"),
            revision: 7,
            info: Info {
                first_deployed: Timestamp::from_second(1_700_000_000).ok(),
                last_deployed: None,
                deleted: None,
                description: "Upgrade complete".into(),
                status: Status::Deployed,
                rollback_revision: 0,
                notes: "hello".into(),
            },
            chart,
            config: Map::from_iter([("replicas".to_owned(), json!(3.0))]),
            manifest: "---\n# Source: web/templates/a.yaml\nx: 1\n".into(),
            hooks: vec![HookRecord {
                name: "h".into(),
                kind: "Job".into(),
                path: "web/templates/h.yaml".into(),
                manifest: "kind: Job".into(),
                events: vec![HookEvent::PreInstall],
                weight: -5,
                delete_policies: vec![HookDeletePolicy::HookSucceeded],
                log_policies: vec![],
                started_at: None,
                completed_at: None,
                phase: Phase::Unknown,
            }],
            labels: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
            apply_method: "ssa".into(),
            heartbeat: None,
            created_at: None,
        }
    }

    #[test]
    fn a_record_survives_its_secret() {
        let before = release();
        let now = Timestamp::from_second(1_700_000_100).expect("a sound time");
        let secret = secret(&before, "createdAt", now).expect("a small record");
        assert_eq!(secret["metadata"]["name"], "sh.helm.release.v1.site.v7");
        assert_eq!(secret["metadata"]["labels"]["status"], "deployed");
        assert_eq!(secret["metadata"]["labels"]["version"], "7");
        assert_eq!(secret["type"], "helm.sh/release.v1");
        let after = from_secret(&secret).expect("our own record");
        assert_eq!(after.to_json(true), before.to_json(true));
        assert_eq!(after.labels, before.labels);
        assert_eq!(after.created_at.as_deref(), Some("1700000100"));
        assert_eq!(
            after.config["replicas"],
            json!(3.0),
            "numbers are floats again"
        );
    }

    #[test]
    fn unpacked_records_and_empty_times_of_old_helms_are_read() {
        let json = json!({"name": "x", "namespace": "n", "version": 1,
            "info": {"status": "superseded", "deleted": "", "first_deployed": "0001-01-01T00:00:00Z"},
            "chart": {"metadata": {"name": "c", "version": "1.0.0"}, "templates": null}});
        let release = decode(&STANDARD.encode(json.to_string())).expect("a plain record");
        assert_eq!(release.info.status, Status::Superseded);
        assert_eq!(release.info.deleted, None);
        assert_eq!(release.info.first_deployed, None);
        assert!(decode("!").is_err());
    }

    #[test]
    fn a_record_that_no_secret_holds_is_refused_with_its_size() {
        let mut big = release();
        let mut state = 1_u64;
        let noise: String = (0..3_000_000)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                char::from(b'!' + (state >> 33) as u8 % 90)
            })
            .collect();
        big.chart.files = vec![File::new("README.md", noise.clone())];
        assert!(
            encode(&big).is_ok(),
            "files that only people read are left out"
        );
        big.manifest = noise;
        assert!(
            matches!(encode(&big), Err(Error::RecordTooLarge { size, .. }) if size > MAX_RECORD)
        );
    }
}
