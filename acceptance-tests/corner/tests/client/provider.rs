//! The provider block, and what modules say about themselves.

use core_client::{Core, Error, Launch, UNKNOWN};
use serde_json::json;

use crate::bench::{CORNER, THING, noted, start};

#[tokio::test]
async fn provider_meta_reaches_every_call_that_carries_it() {
    let (mut core, dir) = start().await;
    core.provider_meta = json!({ "module": "network" });
    let config = json!({ "name": "m", "content": "c" });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    assert_eq!(noted(&dir, "meta-plan"), "network");
    let made = core.apply(&plan).await.expect("it applies");
    let made = made.instance.expect("made");
    assert_eq!(noted(&dir, "meta-create"), "network");
    let read = core.refresh(THING, &made).await.expect("it reads");
    assert_eq!(noted(&dir, "meta-read"), "network");
    core.provider_meta = json!({ "module": "other" });
    let changed = json!({ "name": "m", "content": "d" });
    let plan = core.plan(THING, read.as_ref(), &changed).await;
    let made = core
        .apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    assert_eq!(noted(&dir, "meta-update"), "other");
    let data = core
        .read_data("corner_content", &json!({ "name": "m" }))
        .await;
    data.expect("it reads");
    assert_eq!(noted(&dir, "meta-data"), "other");
    let plan = core.plan(THING, made.instance.as_ref(), &json!(null)).await;
    core.apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    assert_eq!(noted(&dir, "meta-delete"), "other");
}

#[tokio::test]
async fn modules_without_provider_meta_are_served() {
    let (mut core, dir) = start().await;
    let plan = core.plan(THING, None, &json!({ "name": "m" })).await;
    core.apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    assert_eq!(noted(&dir, "meta-plan"), "");
}

/// A provider configured from what is not applied yet: nothing is asked with a guess.
#[tokio::test]
async fn an_unknown_provider_block_keeps_state_and_puts_off_what_needs_an_answer() {
    let (mut core, _dir) = start().await;
    let config = json!({ "name": "u", "content": "c" });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    let made = core.apply(&plan).await.expect("it applies");
    let made = made.instance.expect("made");
    let mut core = Core::start(&Launch::new(CORNER)).await.expect("it starts");
    core.configure(&json!({ "directory": UNKNOWN }))
        .await
        .expect("unknown values are no reason to refuse");
    for allowed in [false, true] {
        core.capabilities.deferral_allowed = allowed;
        let read = core.refresh(THING, &made).await.expect("it keeps");
        assert_eq!(read.as_ref(), Some(&made));
        let plan = core.plan(THING, read.as_ref(), &config).await;
        assert!(!plan.expect("it plans").deferred);
        let put_off = [
            core.import(THING, Ok("u")).await.map(drop),
            core.read_data("corner_content", &json!({ "name": "u" }))
                .await
                .map(drop),
            core.invoke("corner_count", &json!({ "to": 9 }))
                .await
                .map(drop),
        ];
        for (answer, what) in put_off.iter().zip(["import", "data source", "action"]) {
            let deferred = matches!(answer, Err(Error::Deferred { .. }));
            assert_eq!(deferred, allowed, "{what}: {answer:?}");
            assert!(answer.is_err(), "{what}: nothing is made up");
        }
        // What needs nothing remote is answered, not put off: OpenTofu 1.11 allows a deferral and refuses every one.
        let data = core
            .read_data("corner_content", &json!({ "name": "static" }))
            .await;
        assert_eq!(
            data.expect("it reads").to_json()["content"],
            json!("always")
        );
        let done = core.invoke("corner_count", &json!({ "to": 1 })).await;
        assert!(!done.expect("it runs").failed());
    }
}
