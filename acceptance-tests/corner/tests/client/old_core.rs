//! Terraform 1.8: the same binary under a core that announces nothing and sees nothing of what came later.

use core_client::{Action, Core, Era, Launch, UNKNOWN};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::bench::{CORNER, THING, apply, full, make, texts};

async fn start() -> (Core, TempDir) {
    let launch = Launch::new(CORNER);
    let mut core = Core::start_as(&launch, Era::Terraform1_8)
        .await
        .expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    let configured = core.configure(&json!({ "directory": dir.path() })).await;
    configured.expect("it is configured");
    (core, dir)
}

/// A configuration with everything but what such a core would store although it must not.
fn old() -> Json {
    let mut config = full();
    config["secret_wo"] = Json::Null;
    config
}

#[tokio::test]
async fn an_old_core_makes_reads_changes_imports_moves_and_destroys() {
    let (mut core, _dir) = start().await;
    let instance = make(&mut core, &old()).await;
    assert_eq!(instance.identity, None);
    let read = core.refresh(THING, &instance).await.expect("it reads");
    let read = read.expect("it is there");
    let again = core.plan(THING, Some(&read), &old()).await;
    assert_eq!(again.expect("it plans").action, Action::NoOp);

    let mut changed = old();
    changed["content"] = json!("changed");
    let plan = core.plan(THING, Some(&read), &changed).await;
    let plan = plan.expect("it plans");
    assert_eq!(plan.action, Action::Update);
    let applied = apply(&mut core, &plan).await;
    assert!(!applied.failed(), "{:?}", applied.diagnostics);
    let instance = applied.instance.expect("it is there");

    let imported = core.import(THING, Ok("full")).await.expect("it imports");
    let plan = core.plan(THING, Some(&imported), &changed).await;
    assert_eq!(plan.expect("it plans").action, Action::Update);
    let state = json!({ "input": "moved", "id": "x" });
    let moved = core
        .move_state(
            "terraform.io/builtin/terraform",
            "terraform_data",
            0,
            &state,
            THING,
        )
        .await;
    assert_eq!(
        moved.expect("it moves").state.to_json()["name"],
        json!("moved")
    );
    let old_state = json!({ "id": "id-o", "name": "o", "text": "old" });
    let upgraded = core
        .upgrade(THING, 1, &old_state)
        .await
        .expect("it upgrades");
    assert_eq!(upgraded.to_json()["content"], json!("old"));

    let plan = core
        .plan(THING, Some(&instance), &json!({ "name": "other" }))
        .await;
    assert_eq!(plan.expect("it plans").action, Action::Replace);
    let plan = core.plan(THING, Some(&instance), &Json::Null).await;
    let gone = apply(&mut core, &plan.expect("it plans")).await;
    assert!(!gone.failed() && gone.instance.is_none());
}

/// It would store the value: it is refused at the attribute, known or not, wherever it is.
#[tokio::test]
async fn an_old_core_is_refused_write_only_values_at_their_attribute() {
    let (mut core, _dir) = start().await;
    for value in [json!("swordfish"), json!(UNKNOWN)] {
        let config = json!({ "name": "w", "secret_wo": value });
        let found = core.validate(THING, &config).await.expect("it validates");
        let found: Vec<_> = found.iter().filter(|one| one.error).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, "secret_wo");
        assert!(found[0].detail.contains("1.11"), "{}", found[0].detail);
        assert!(!found[0].detail.contains("swordfish"));
    }
    let refused = core
        .plan(THING, None, &json!({ "name": "w", "secret_wo": "x" }))
        .await;
    assert!(refused.is_err(), "a plan never sees it");
}

#[tokio::test]
async fn an_old_core_reads_data_calls_functions_and_is_never_sent_a_deferral() {
    let (mut core, _dir) = start().await;
    make(&mut core, &json!({ "name": "d", "content": "text" })).await;
    let data = core
        .read_data("corner_content", &json!({ "name": "d" }))
        .await;
    assert_eq!(data.expect("it reads").to_json()["content"], json!("text"));
    let joined = core
        .function("join_all", &[json!("-"), json!("a"), json!("b")])
        .await;
    assert_eq!(joined.expect("it runs"), Ok(json!("a-b")));
    let config = json!({ "name": "d", "behaviour": "defer" });
    let refused = core
        .plan(THING, None, &config)
        .await
        .expect_err("it must not");
    assert!(
        texts(&refused).contains("cannot be planned yet"),
        "{refused}"
    );

    let mut core = Core::start_as(&Launch::new(CORNER), Era::Terraform1_8)
        .await
        .expect("it starts");
    let configured = core.configure(&json!({ "directory": UNKNOWN })).await;
    configured.expect("unknown values are no reason to refuse");
    let refused = core
        .import(THING, Ok("d"))
        .await
        .expect_err("nothing can be asked");
    assert!(texts(&refused).contains("not known yet"), "{refused}");
}
