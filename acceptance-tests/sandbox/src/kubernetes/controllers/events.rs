//! Events: the few that explain why something does not run.

use serde_json::{Value, json};

use crate::kubernetes::bootstrap;
use crate::kubernetes::store::Store;
use crate::kubernetes::value::{hash, int, name, namespace, text, uid};

/// Records that `object` met `reason`. The same again only counts.
pub(super) fn record(
    store: &mut Store,
    object: &Value,
    warning: bool,
    reason: &str,
    message: &str,
    stamp: &str,
) {
    let space = match namespace(object) {
        "" => "default",
        space => space,
    };
    let event_name = format!(
        "{}.{}",
        name(object),
        hash(&json!([uid(object), reason, message]))
    );
    if let Some(seen) = store.get("events", space, &event_name).cloned() {
        if text(&seen["lastTimestamp"]) != stamp {
            let mut event = (*seen).clone();
            event["count"] = json!(int(&seen["count"]) + 1);
            event["lastTimestamp"] = json!(stamp);
            store.put("events", event);
        }
        return;
    }
    bootstrap::add(
        store,
        json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": { "name": event_name, "namespace": space },
            "involvedObject": {
                "apiVersion": object["apiVersion"], "kind": object["kind"], "name": name(object),
                "namespace": namespace(object), "uid": uid(object),
            },
            "type": if warning { "Warning" } else { "Normal" },
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "source": { "component": "sandbox" },
            "reportingComponent": "sandbox",
            "reportingInstance": "",
        }),
    );
}
