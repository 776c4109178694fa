//! What hooks print: the end of it, when they fail or when their chart asks for it.

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::Value;

use super::Release;
use super::apply::Writer;
use super::objects::{describe, parse};
use crate::cluster::{ListQuery, LogQuery, ObjectRef};

/// Lines and bytes of one container's output.
const LINES: u32 = 20;
const BYTES: u32 = 4096;
/// Containers that are asked.
const CONTAINERS: usize = 3;
/// Shorter texts of a Secret are no secrets, and would blank ordinary words.
const SHORTEST: usize = 4;

impl Writer<'_> {
    /// The end of what a hook's pod printed, each line on its own after a line that says whose it is; or why there is
    /// none. Texts of the release's Secrets are not in it.
    pub(super) async fn output(&self, object: &ObjectRef, release: &Release) -> String {
        let pod = match object.kind.as_str() {
            "Pod" => self.cluster.get(object, self.cancel).await.ok().flatten(),
            "Job" => self.last_pod(object).await,
            _ => return String::new(),
        };
        let Some(pod) = pod else {
            return format!(
                "\n{} has no pod whose output could be read",
                describe(object)
            );
        };
        let text = |path: &str| {
            pod.pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let secrets = secrets(release);
        let mut output = String::new();
        for container in containers(&pod) {
            let query = LogQuery {
                namespace: text("/metadata/namespace").to_owned(),
                pod: text("/metadata/name").to_owned(),
                container: container.clone(),
                lines: LINES,
                bytes: BYTES,
            };
            let place = format!("container {container} of pod {}", query.pod);
            let _ = match self.cluster.logs(&query, self.cancel).await {
                Ok(None) => write!(
                    output,
                    "\n{place}: this API server has no output of containers"
                ),
                Ok(Some(text)) if text.trim().is_empty() => {
                    write!(output, "\n{place} printed nothing")
                }
                Ok(Some(text)) => {
                    let shown = indented(&masked(&text, &secrets));
                    write!(output, "\nthe end of the output of {place}:{shown}")
                }
                Err(error) => write!(output, "\nthe output of {place} cannot be read: {error}"),
            };
        }
        output
    }

    /// The newest pod of a job, one that failed if there is such.
    async fn last_pod(&self, job: &ObjectRef) -> Option<Value> {
        let query = ListQuery {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: job.namespace.clone(),
            labels: format!("job-name={}", job.name),
        };
        let pods = self.cluster.list(&query, self.cancel).await.ok()?;
        let text = |pod: &Value, path: &str| {
            let text = pod.pointer(path).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        pods.into_iter().max_by_key(|pod| {
            let failed = text(pod, "/status/phase") == "Failed";
            (failed, text(pod, "/metadata/creationTimestamp"))
        })
    }
}

/// The containers to ask: those that ended badly, else all.
fn containers(pod: &Value) -> Vec<String> {
    let list = |path: &str| {
        let list = pod.pointer(path).and_then(Value::as_array);
        list.into_iter().flatten()
    };
    let name = |container: &Value| container["name"].as_str().map(str::to_owned);
    let bad = |status: &&Value| {
        let code = |state: &str| status.pointer(&format!("/{state}/terminated/exitCode"));
        let code = code("state").or_else(|| code("lastState"));
        code.and_then(Value::as_i64).is_some_and(|code| code != 0)
    };
    let statuses =
        || list("/status/initContainerStatuses").chain(list("/status/containerStatuses"));
    let mut names: Vec<String> = statuses().filter(bad).filter_map(name).collect();
    if names.is_empty() {
        names = list("/spec/containers").filter_map(name).collect();
    }
    names.truncate(CONTAINERS);
    names
}

/// The texts in the Secrets of a release, the longest first.
fn secrets(release: &Release) -> Vec<String> {
    let manifests = release.hooks.iter().map(|hook| hook.manifest.as_str());
    let mut found = Vec::new();
    for object in manifests
        .chain([release.manifest.as_str()])
        .flat_map(|manifest| parse(manifest).unwrap_or_default())
        .filter(|object| object["kind"] == "Secret")
    {
        for (table, encoded) in [("data", true), ("stringData", false)] {
            let members = object[table].as_object().into_iter().flatten();
            for text in members.filter_map(|(_, value)| value.as_str()) {
                found.push(text.to_owned());
                let engine = base64::engine::general_purpose::STANDARD;
                let plain = engine.decode(text.trim()).ok().filter(|_| encoded);
                found.extend(plain.and_then(|bytes| String::from_utf8(bytes).ok()));
            }
        }
    }
    // Of a text of many lines each line alone would be a leak.
    let lines: Vec<String> = found
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| line.trim().to_owned())
        .collect();
    found.extend(lines);
    found.retain(|text| text.trim().len() >= SHORTEST);
    found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    found.dedup();
    found
}

fn masked(text: &str, secrets: &[String]) -> String {
    let text = secrets.iter().fold(text.to_owned(), |text, one| {
        text.replace(one.as_str(), secret::MASK)
    });
    secret::scrub(&text).into_owned()
}

fn indented(text: &str) -> String {
    text.trim_end()
        .lines()
        .fold(String::new(), |mut all, line| {
            let line: String = line
                .chars()
                .filter(|c| !c.is_control() || *c == '\t')
                .collect();
            let _ = write!(all, "\n  {line}");
            all
        })
}
