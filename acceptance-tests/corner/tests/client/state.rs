//! Stored objects: refreshed, upgraded, imported, moved.

use core_client::{Action, Error};
use serde_json::{Value as Json, json};

use crate::bench::{THING, make, start};

/// A refresh that fails says so; that something is gone needs certainty.
#[tokio::test]
async fn a_failing_refresh_is_an_error_and_never_absence() {
    let (mut core, dir) = start().await;
    let plan = core.plan(THING, None, &json!({ "name": "f" })).await;
    let made = core
        .apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    let made = made.instance.expect("made");
    let file = dir.path().join("f");
    std::fs::remove_file(&file).expect("there");
    std::fs::create_dir(&file).expect("something that is no file");
    let refused = core.refresh(THING, &made).await;
    let Err(Error::Diagnostics { diagnostics, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        diagnostics
            .iter()
            .any(|one| one.summary == "file not accessible")
    );
    std::fs::remove_dir(&file).expect("there");
    assert_eq!(core.refresh(THING, &made).await.expect("it reads"), None);
}

#[tokio::test]
async fn import_by_id_and_by_identity_ends_in_an_update_at_most() {
    let (mut core, _dir) = start().await;
    let config = json!({ "name": "i", "content": "c" });
    let made = make(&mut core, &config).await;
    for by in [Ok("i"), Err(&json!({ "name": "i" }))] {
        let instance = core.import(THING, by).await.expect("it imports");
        for name in ["id", "name", "content"] {
            // What a refresh can find is what create stored.
            let (now, then) = (instance.state.member(name), made.state.member(name));
            assert_eq!(now, then, "{name}");
        }
        assert_eq!(instance.identity, made.identity);
        let plan = core
            .plan(THING, Some(&instance), &config)
            .await
            .expect("it plans");
        assert!(
            matches!(plan.action, Action::NoOp | Action::Update),
            "{:?}",
            plan.action
        );
    }
    assert!(core.import(THING, Ok("missing")).await.is_err());
}

#[tokio::test]
async fn stored_state_of_any_version_is_read() {
    let (mut core, _dir) = start().await;
    let old = json!({ "id": "id-o", "name": "o", "text": "old", "gone": 1 });
    let state = core
        .upgrade(THING, 1, &old)
        .await
        .expect("it upgrades")
        .to_json();
    assert_eq!(state["content"], json!("old"));
    // The same version, with attributes that came later or went.
    let same = json!({ "id": "id-o", "name": "o", "ratio": 1e30, "went": true });
    let state = core
        .upgrade(THING, 2, &same)
        .await
        .expect("it passes")
        .to_json();
    assert_eq!(state["name"], json!("o"));
    assert_eq!(state["tags"], Json::Null);
}

#[tokio::test]
async fn identities_of_every_version_are_read() {
    let (mut core, _dir) = start().await;
    assert_eq!(core.schemas.identity_versions[THING], 1);
    for (version, stored) in [(0, json!({ "thing": "a" })), (1, json!({ "name": "a" }))] {
        let identity = core.upgrade_identity(THING, version, &stored).await;
        assert_eq!(
            identity.expect("it is read").to_json(),
            json!({ "name": "a" })
        );
    }
    // Stored before the resource had an identity: none is made up, and none is missed.
    let none = core.upgrade_no_identity(THING).await.expect("it is read");
    assert_eq!(none, None);
    for (version, stored) in [
        (0, json!({ "other": "a" })),
        (7, json!({ "thing": "a" })),
        (1, json!([])),
    ] {
        let refused = core.upgrade_identity(THING, version, &stored).await;
        assert!(refused.is_err(), "version {version}: {stored}");
    }
}

#[tokio::test]
async fn state_of_another_type_is_taken_over_or_refused() {
    let (mut core, _dir) = start().await;
    let state = json!({ "input": "moved", "id": "x" });
    let source = "terraform.io/builtin/terraform";
    let moved = core
        .move_state(source, "terraform_data", 0, &state, THING)
        .await
        .expect("it moves");
    assert_eq!(moved.state.to_json()["name"], json!("moved"));
    let refused = core
        .move_state(source, "other_type", 0, &state, THING)
        .await;
    assert!(refused.is_err());
}
