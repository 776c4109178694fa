//! The corner provider under a client that plays core.

use core_client::{Applied, Core, Error, Instance, Launch, Plan};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

pub const CORNER: &str = env!("CARGO_BIN_EXE_terraform-provider-corner");

pub const THING: &str = "corner_thing";

pub async fn start() -> (Core, TempDir) {
    let mut core = Core::start(&Launch::new(CORNER)).await.expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    core.configure(&json!({ "directory": dir.path() }))
        .await
        .expect("it is configured");
    (core, dir)
}

pub fn noted(dir: &TempDir, name: &str) -> String {
    std::fs::read_to_string(dir.path().join(name)).unwrap_or_default()
}

/// A configuration with something in every attribute.
pub fn full() -> Json {
    json!({
        "name": "full",
        "content": "text",
        "size": 5,
        "ratio": 0.5,
        "enabled": false,
        "tags": ["b", "a"],
        "labels": { "k": "v", "n": null },
        "secret": "s3cret",
        "secret_wo": "swordfish",
        "secret_wo_version": 1,
        "single": { "key": "one" },
        "list": [{ "key": "l0" }, { "key": "l1", "default": 9 }],
        "map": { "m": { "key": "mk" } },
        "set": [{ "key": "s" }, { "key": "t", "value": "w" }],
        "spelled": "MiXed",
    })
}

pub async fn make(core: &mut Core, config: &Json) -> Instance {
    let plan = core.plan(THING, None, config).await.expect("it plans");
    let applied = core.apply(&plan).await.expect("it applies");
    assert!(!applied.failed(), "{:?}", applied.diagnostics);
    applied.instance.expect("it is there")
}

pub async fn apply(core: &mut Core, plan: &Plan) -> Applied {
    core.apply(plan).await.expect("the answer is legal")
}

pub fn texts(error: &Error) -> String {
    error.to_string()
}
