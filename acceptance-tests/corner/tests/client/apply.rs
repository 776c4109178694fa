//! Applies: what is stored, whatever happens.

use core_client::Action;
use serde_json::{Value as Json, json};

use crate::bench::{THING, apply, make, start, texts};

#[tokio::test]
async fn destroying_is_planned_refused_and_done() {
    let (mut core, dir) = start().await;
    let instance = make(&mut core, &json!({ "name": "p", "protected": true })).await;
    let refused = core
        .plan(THING, Some(&instance), &Json::Null)
        .await
        .expect_err("it is protected");
    assert!(texts(&refused).contains("thing is protected"), "{refused}");
    let plan = core
        .plan(THING, Some(&instance), &json!({ "name": "p" }))
        .await
        .expect("it plans");
    let instance = apply(&mut core, &plan).await.instance.expect("it is there");
    let plan = core
        .plan(THING, Some(&instance), &Json::Null)
        .await
        .expect("it plans");
    assert_eq!(plan.action, Action::Delete);
    assert!(apply(&mut core, &plan).await.instance.is_none());
    assert!(!dir.path().join("p").exists());
    // Deleting what is gone is a success; reading it says so.
    assert!(
        core.refresh(THING, &instance)
            .await
            .expect("it reads")
            .is_none()
    );
}

#[tokio::test]
async fn failures_store_what_is_true() {
    let (mut core, dir) = start().await;
    let behave = |behaviour: &str| json!({ "name": behaviour, "behaviour": behaviour });

    let plan = core
        .plan(THING, None, &behave("error"))
        .await
        .expect("it plans");
    let applied = apply(&mut core, &plan).await;
    assert!(applied.failed() && applied.instance.is_none());

    let plan = core
        .plan(THING, None, &behave("error with state"))
        .await
        .expect("it plans");
    let applied = apply(&mut core, &plan).await;
    assert!(applied.failed());
    assert!(applied.instance.expect("stored").tainted);

    let plan = core
        .plan(THING, None, &behave("panic"))
        .await
        .expect("it plans");
    let applied = apply(&mut core, &plan).await;
    assert!(
        applied.diagnostics[0].detail.contains("(id "),
        "{:?}",
        applied.diagnostics
    );
    assert!(
        applied.instance.is_none(),
        "nothing was in the response when it panicked"
    );
    assert!(dir.path().join("panic").exists());

    let instance = make(&mut core, &json!({ "name": "u", "content": "old" })).await;
    let config = json!({ "name": "u", "content": "new", "behaviour": "error" });
    let plan = core
        .plan(THING, Some(&instance), &config)
        .await
        .expect("it plans");
    let applied = apply(&mut core, &plan).await;
    assert!(applied.failed());
    let kept = applied.instance.expect("kept");
    assert_eq!(kept.state.to_json()["content"], json!("old"));
    assert!(!kept.tainted);
}

#[tokio::test]
async fn interrupted_work_answers_soon_with_what_exists() {
    let (mut core, _dir) = start().await;
    let config = json!({ "name": "slow", "behaviour": "slow" });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    let mut other = core.clone_connection();
    let stop = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        other.stop().await.expect("it stops");
    };
    let start = std::time::Instant::now();
    let (applied, ()) = tokio::join!(core.apply(&plan), stop);
    let applied = applied.expect("it answers");
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
    assert!(!applied.failed(), "a warning does not taint");
    assert!(applied.instance.is_some());
    let late = core
        .plan(THING, None, &json!({ "name": "late" }))
        .await
        .expect_err("it is too late");
    assert!(texts(&late).contains("interrupted"), "{late}");
}

/// Half of core's own lists of what it must not find: a value of a write-only attribute, anywhere.
#[tokio::test]
async fn write_only_values_are_in_no_answer() {
    let (mut core, _dir) = start().await;
    let config = json!({ "name": "w", "secret_wo": "swordfish", "secret_wo_version": 1 });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    let made = core.apply(&plan).await.expect("it applies");
    let made = made.instance.expect("made");
    let read = core.refresh(THING, &made).await.expect("it reads");
    let read = read.expect("there");
    let generated = core
        .generate_config(THING, &read.state)
        .await
        .expect("made");
    for (what, text) in [
        ("plan", plan.planned.to_json().to_string()),
        ("state", made.state.to_json().to_string()),
        ("refreshed state", read.state.to_json().to_string()),
        ("generated configuration", generated.to_json().to_string()),
        (
            "planned private data",
            String::from_utf8_lossy(&plan.private).into_owned(),
        ),
        (
            "private data",
            String::from_utf8_lossy(&made.private).into_owned(),
        ),
    ] {
        assert!(!text.contains("swordfish"), "{what}: {text}");
    }
    // It was seen all the same: its length is in the private data.
    assert!(String::from_utf8_lossy(&made.private).contains("secret_length"));
}
