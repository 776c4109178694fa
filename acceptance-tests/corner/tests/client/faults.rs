//! Panics: caught wherever they can be, told to core where they cannot.

use core_client::{Core, Launch};
use serde_json::json;

use crate::bench::{CORNER, THING, apply, make};

/// The corner provider with its log on, and its directory.
async fn logging() -> (Core, tempfile::TempDir) {
    let launch = Launch::new(CORNER).env("TF_LOG_PROVIDER", "debug");
    let mut core = Core::start(&launch).await.expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    let configured = core.configure(&json!({ "directory": dir.path() })).await;
    configured.expect("it is configured");
    (core, dir)
}

/// A panic that is caught looks like no crash: core would show a line that begins with `panic: ` as one.
#[tokio::test]
async fn a_caught_panic_has_an_id_in_message_and_log_and_is_no_crash() {
    let (mut core, _dir) = logging().await;
    let config = json!({ "name": "p", "behaviour": "panic" });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    let applied = apply(&mut core, &plan).await;
    let detail = &applied.diagnostics[0].detail;
    let (_, rest) = detail.split_once("(id ").expect("an id");
    let (id, _) = rest.split_once(')').expect("an end");
    let id = id.to_owned();
    // One that happens on no call's own thread of work harms nobody, either.
    make(
        &mut core,
        &json!({ "name": "t", "behaviour": "panic in a task" }),
    )
    .await;
    make(&mut core, &json!({ "name": "after" })).await;
    let process = core.process.take().expect("it was started");
    drop(core);
    let (status, log, _) = process.shutdown().await.expect("it ends");
    assert!(status.success());
    assert!(log.contains(&id), "{id} is not in {log}");
    assert!(log.contains("in the background, as asked"), "{log}");
    let crash = log
        .lines()
        .find(|line| line.starts_with("panic: ") || line.starts_with("fatal error: "));
    assert_eq!(crash, None);
}

/// A panic that cannot be caught ends the process: core finds the text behind `panic: ` and shows it.
#[tokio::test]
async fn an_abort_prints_a_line_that_core_recognises() {
    use std::os::unix::process::ExitStatusExt as _;
    let (mut core, _dir) = logging().await;
    let config = json!({ "name": "a", "behaviour": "abort" });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    assert!(
        core.apply(&plan).await.is_err(),
        "nobody is there to answer"
    );
    let process = core.process.take().expect("it was started");
    drop(core);
    let (status, log, _) = process.shutdown().await.expect("it has ended");
    assert_eq!(status.signal(), Some(6), "{status}");
    let crash: Vec<_> = log
        .lines()
        .filter(|line| line.starts_with("panic: "))
        .collect();
    let [line] = crash.as_slice() else {
        panic!("{log}");
    };
    for text in ["as asked", "thing.rs:", "dropped while unwinding"] {
        assert!(line.contains(text), "{line}");
    }
    let (_, behind) = log.split_once("panic: ").expect("it is there");
    assert!(behind.contains("corner"), "a backtrace follows: {behind}");
}
