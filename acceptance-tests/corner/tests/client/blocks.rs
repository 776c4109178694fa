//! Blocks of every kind, planned, applied, read, imported and upgraded under core's rules.

use core_client::{Action, Core, Instance, UNKNOWN};
use serde_json::{Value as Json, json};

use crate::bench::start;

const SECTION: &str = "corner_section";

/// Core fills in what is absent: no list, set or map of blocks is ever null.
fn section(name: &str, rules: &Json) -> Json {
    json!({
        "name": name, "owner": { "team": "one" }, "rule": rules,
        "label": [], "zone": {},
    })
}

async fn make(core: &mut Core, config: &Json) -> Instance {
    let plan = core.plan(SECTION, None, config).await.expect("it plans");
    let applied = core.apply(&plan).await.expect("it applies");
    assert!(!applied.failed(), "{:?}", applied.diagnostics);
    applied.instance.expect("it is there")
}

#[tokio::test]
async fn the_schema_says_how_many_there_may_be() {
    let (core, _dir) = start().await;
    let blocks = &core.schemas.resources[SECTION].block.blocks;
    let names: Vec<_> = blocks.keys().map(String::as_str).collect();
    assert_eq!(names, ["label", "logging", "owner", "rule", "zone"]);
    // The client has checked core's own rules for the limits when it loaded the schema.
    let (_, rule) = &blocks["rule"];
    assert!(rule.blocks.contains_key("range"), "blocks hold blocks");
}

#[tokio::test]
async fn blocks_live_a_whole_life() {
    let (mut core, _dir) = start().await;
    let rules = json!([{ "port": 443, "range": [{ "cidrs": ["10.0.0.0/8"] }] }, { "range": [] }]);
    let mut config = section("full", &rules);
    config["logging"] = json!({ "port": 514, "range": [] });
    config["label"] = json!([{ "key": "b" }, { "key": "a" }]);
    config["zone"] = json!({ "left": { "size": 2 }, "right": {} });
    let plan = core.plan(SECTION, None, &config).await.expect("it plans");
    let planned = plan.planned.to_json();
    assert_eq!(planned["rule"][1]["port"], json!(80), "defaults inside");
    assert_eq!(planned["rule"][0]["handle"], json!(UNKNOWN));
    assert_eq!(planned["zone"]["right"]["size"], json!(1));
    let made = make(&mut core, &config).await;
    let read = core.refresh(SECTION, &made).await.expect("it reads");
    let read = read.expect("it is there");
    let plan = core.plan(SECTION, Some(&read), &config).await;
    assert_eq!(plan.expect("it plans").action, Action::NoOp);

    // One more block: what was there stays known.
    config["rule"] = json!([
        { "port": 443, "range": [{ "cidrs": ["10.0.0.0/8"] }] }, { "range": [] }, { "port": 1, "range": [] },
    ]);
    let plan = core.plan(SECTION, Some(&read), &config).await;
    let plan = plan.expect("it plans");
    assert_eq!(plan.action, Action::Update);
    assert_eq!(
        plan.planned.to_json()["rule"][0]["handle"],
        json!("handle-0")
    );
    let applied = core.apply(&plan).await.expect("it applies");
    assert!(!applied.failed(), "{:?}", applied.diagnostics);

    // A change in a block that asks for it replaces.
    config["owner"] = json!({ "team": "two" });
    let plan = core.plan(SECTION, Some(&read), &config).await;
    assert_eq!(plan.expect("it plans").action, Action::Replace);
}

#[tokio::test]
async fn absent_blocks_are_empty_wherever_they_come_from() {
    let (mut core, _dir) = start().await;
    let config = section("forgetful", &json!([{ "range": [] }]));
    let made = make(&mut core, &config).await;
    // Its read answers null for two of them.
    let read = core.refresh(SECTION, &made).await.expect("it reads");
    let state = read.expect("it is there").state.to_json();
    assert_eq!((&state["label"], &state["zone"]), (&json!([]), &json!({})));
    assert_eq!(state["logging"], Json::Null, "a single one is null");
    // State from before the blocks were there.
    let old = json!({ "id": "section-old", "name": "old", "owner": { "team": "one" } });
    let state = core.upgrade(SECTION, 0, &old).await.expect("it passes");
    let state = state.to_json();
    assert_eq!((&state["rule"], &state["zone"]), (&json!([]), &json!({})));
    let config = core.generate_config(SECTION, &made.state).await;
    let config = config.expect("it is made").to_json();
    assert_eq!(config["id"], Json::Null);
    assert_eq!(config["rule"][0]["handle"], Json::Null);
}

#[tokio::test]
async fn unknown_blocks_of_a_dynamic_one_stay_unknown() {
    let (mut core, _dir) = start().await;
    let config = section("dynamic", &json!(UNKNOWN));
    let plan = core.plan(SECTION, None, &config).await.expect("it plans");
    assert_eq!(plan.planned.to_json()["rule"], json!(UNKNOWN));
    let known = section("dynamic", &json!([{ "port": 1, "range": [] }]));
    let applied = core.apply_config(&plan, &known).await.expect("it applies");
    assert!(!applied.failed(), "{:?}", applied.diagnostics);
}
