//! Watches: the log as a stream, seen through a selector ("Kubernetes docs", API concepts, watches).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::answer::{self, Form};
use super::api::ApiServer;
use super::registry::Resource;
use super::selector::{Fields, Labels};
use super::server::Body;
use super::status::Status;
use super::store::{Change, Event, Store};
use super::value::namespace;

/// What a list or watch is about.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub resource: Arc<Resource>,
    /// Empty for all namespaces.
    pub namespace: String,
    pub labels: Labels,
    pub fields: Fields,
}

impl Scope {
    pub fn contains(&self, object: &Value) -> bool {
        (self.namespace.is_empty() || namespace(object) == self.namespace)
            && (self.labels.is_empty() || self.labels.matches(&object["metadata"]["labels"]))
            && self.fields.matches(object)
    }

    /// The object as this version of its resource shows it.
    pub fn shown(&self, object: &Value) -> Value {
        let mut object = object.clone();
        object["apiVersion"] = json!(self.resource.api_version());
        object["kind"] = json!(self.resource.kind);
        object
    }
}

/// How a watch is to be served.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub scope: Scope,
    pub form: Form,
    pub include: String,
    /// Where to start: nothing or 0 means the present state first.
    pub from: Option<u64>,
    /// The present state first, ended by a bookmark.
    pub initial: bool,
    pub bookmarks: bool,
    pub timeout: Duration,
}

/// One event as the scope sees it: objects may enter and leave a selector.
fn seen(scope: &Scope, key: &str, event: &Event) -> Option<(&'static str, Value)> {
    if event.resource != key {
        return None;
    }
    let now = event.change != Change::Deleted && scope.contains(&event.object);
    let before = event
        .previous
        .as_ref()
        .is_some_and(|previous| scope.contains(previous));
    let kind = match (before, now) {
        (false, false) => return None,
        (false, true) => "ADDED",
        (true, true) => "MODIFIED",
        (true, false) => "DELETED",
    };
    let mut shown = scope.shown(if now {
        &event.object
    } else {
        event.previous.as_deref().unwrap_or(&event.object)
    });
    shown["metadata"]["resourceVersion"] = json!(event.version.to_string());
    Some((kind, shown))
}

struct Lines {
    watch: Watch,
    header: bool,
}

impl Lines {
    fn line(&mut self, kind: &str, object: &Value) -> Bytes {
        let watch = &self.watch;
        let shown = if kind == "ERROR" || kind == "BOOKMARK" && watch.form == Form::Object {
            object.clone()
        } else {
            answer::object(
                watch.form,
                &watch.scope.resource,
                object,
                &watch.include,
                self.header,
            )
        };
        self.header = false;
        let mut text = json!({ "type": kind, "object": shown }).to_string();
        text.push('\n');
        Bytes::from(text)
    }

    fn bookmark(&mut self, version: u64, end_of_initial: bool) -> Bytes {
        let resource = self.watch.scope.resource.clone();
        let mut metadata =
            json!({ "resourceVersion": version.to_string(), "creationTimestamp": null });
        if end_of_initial {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = json!({
            "kind": resource.kind,
            "apiVersion": resource.api_version(),
            "metadata": metadata,
        });
        self.line("BOOKMARK", &object)
    }
}

/// The stream of a watch. It ends with the caller, the server, or its time.
pub(super) fn body(api: &ApiServer, watch: Watch) -> Result<Body, Status> {
    let (sender, receiver) = mpsc::channel::<Bytes>(64);
    let mut changed = api.changed();
    let api = api.downgrade();
    let stop = tokio::time::Instant::now() + watch.timeout;
    let key = watch.scope.resource.key();
    tokio::spawn(async move {
        let mut lines = Lines {
            header: true,
            watch,
        };
        let mut position = lines.watch.from.unwrap_or_default();
        let mut first = true;
        loop {
            let batch = {
                let Some(api) = api.upgrade() else { return };
                let state = api.lock();
                changed.borrow_and_update();
                batch(&state.store, &mut lines, &key, &mut position, first)
            };
            first = false;
            let (batch, end) = batch;
            for line in batch {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
            if end {
                return;
            }
            let bookmark = tokio::time::sleep(Duration::from_mins(1));
            tokio::select! {
                () = sender.closed() => return,
                () = tokio::time::sleep_until(stop) => return,
                () = bookmark, if lines.watch.bookmarks => {
                    let line = lines.bookmark(position, false);
                    if sender.send(line).await.is_err() {
                        return;
                    }
                }
                more = changed.changed() => if more.is_err() {
                    return;
                },
            }
        }
    });
    let frames = ReceiverStream::new(receiver).map(|line| Ok::<_, Infallible>(Frame::data(line)));
    Ok(StreamBody::new(frames).boxed_unsync())
}

/// The lines since `position`, and whether the watch ends.
fn batch(
    store: &Store,
    lines: &mut Lines,
    key: &str,
    position: &mut u64,
    first: bool,
) -> (Vec<Bytes>, bool) {
    let mut out = Vec::new();
    if first && (lines.watch.initial || lines.watch.from.is_none_or(|from| from == 0)) {
        let scope = lines.watch.scope.clone();
        for object in store.list(key).filter(|object| scope.contains(object)) {
            out.push(lines.line("ADDED", &scope.shown(object)));
        }
        *position = store.version();
        if lines.watch.initial {
            out.push(lines.bookmark(*position, true));
        }
        return (out, false);
    }
    let Some(events) = store.since(*position) else {
        out.push(lines.line("ERROR", &Status::expired().json()));
        return (out, true);
    };
    let scope = lines.watch.scope.clone();
    for event in events {
        if let Some((kind, object)) = seen(&scope, key, event) {
            out.push(lines.line(kind, &object));
        }
    }
    *position = store.version();
    (out, false)
}
