//! Elements of sets have no place: what belongs together is found by what they hold.

use core_client::{Action, UNKNOWN};
use serde_json::{Value as Json, json};

use crate::bench::start;

const HEAP: &str = "corner_heap";

/// The stones of a planned or stored heap by their keys.
fn stones(heap: &Json) -> std::collections::BTreeMap<String, Json> {
    let stones = heap["stones"].as_array().cloned().unwrap_or_default();
    let key = |stone: &Json| stone["key"].as_str().unwrap_or_default().to_owned();
    stones
        .iter()
        .map(|stone| (key(stone), stone.clone()))
        .collect()
}

#[tokio::test]
async fn elements_of_sets_keep_what_was_chosen_and_lose_what_is_no_longer_written() {
    let (mut core, _dir) = start().await;
    let marks = json!([{ "word": "x" }, { "word": "y", "weight": 9 }]);
    let config = json!({ "stones": [{ "key": "a", "size": 7, "marks": marks }, { "key": "b" }] });
    let plan = core.plan(HEAP, None, &config).await.expect("it plans");
    let planned = stones(&plan.planned.to_json());
    assert_eq!(planned["a"]["id"], json!(UNKNOWN));
    assert_eq!(planned["b"]["size"], json!(1), "the default");
    let weights: Vec<_> = planned["a"]["marks"]
        .as_array()
        .expect("a set")
        .iter()
        .map(|mark| &mark["weight"])
        .collect();
    assert!(
        weights.contains(&&json!(2)) && weights.contains(&&json!(9)),
        "{weights:?}"
    );
    let made = core
        .apply(&plan)
        .await
        .expect("it applies")
        .instance
        .expect("made");
    let plan = core
        .plan(HEAP, Some(&made), &config)
        .await
        .expect("it plans");
    assert_eq!(plan.action, Action::NoOp);

    // Another change elsewhere: every element is recognised.
    let mut noted = config.clone();
    noted["note"] = json!("changed");
    let plan = core
        .plan(HEAP, Some(&made), &noted)
        .await
        .expect("it plans");
    let planned = stones(&plan.planned.to_json());
    assert_eq!(
        (&planned["a"]["id"], &planned["b"]["id"]),
        (&json!("a-first"), &json!("b-first"))
    );

    // Core keeps the old value of what is computed and no longer written; the default takes its place.
    let bare = json!({ "stones": [{ "key": "a", "marks": [{ "word": "x" }, { "word": "y" }] }, { "key": "b" }] });
    let plan = core.plan(HEAP, Some(&made), &bare).await.expect("it plans");
    assert_eq!(plan.action, Action::Update);
    let planned = stones(&plan.planned.to_json());
    assert_eq!(planned["a"]["size"], json!(1));
    assert_eq!(planned["a"]["id"], json!("a-first"));
    for mark in planned["a"]["marks"].as_array().expect("a set") {
        assert_eq!(mark["weight"], json!(2));
    }
    let done = core.apply(&plan).await.expect("it applies");
    assert!(!done.failed(), "{:?}", done.diagnostics);

    // One more: the new one has yet to get its id.
    let more = json!({ "stones": [{ "key": "c" }, { "key": "b" }] });
    let plan = core
        .plan(HEAP, done.instance.as_ref(), &more)
        .await
        .expect("it plans");
    let planned = stones(&plan.planned.to_json());
    assert_eq!(planned["b"]["id"], json!("b-first"));
    assert_eq!(planned["c"]["id"], json!(UNKNOWN));
    let done = core.apply(&plan).await.expect("it applies");
    assert!(!done.failed(), "{:?}", done.diagnostics);
}

#[tokio::test]
async fn unknown_sets_and_elements_are_planned_as_such_and_completed() {
    let (mut core, _dir) = start().await;
    for open in [
        json!(UNKNOWN),
        json!([{ "key": UNKNOWN, "size": 3 }, { "key": "b" }]),
    ] {
        let config = json!({ "stones": open });
        let plan = core.plan(HEAP, None, &config).await.expect("it plans");
        let known = json!({ "stones": [{ "key": "a", "size": 3 }, { "key": "b" }] });
        let done = core.apply_config(&plan, &known).await.expect("it applies");
        assert!(!done.failed(), "{:?}", done.diagnostics);
    }
}
