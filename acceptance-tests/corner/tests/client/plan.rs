//! Validation and plans. The client fails whatever core would refuse.

use core_client::{Action, UNKNOWN, Value};
use prost::Message as _;
use serde_json::{Value as Json, json};

use crate::bench::{THING, apply, full, make, start, texts};

#[tokio::test]
async fn create_reads_back_and_plans_nothing() {
    let (mut core, _dir) = start().await;
    let config = full();
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    assert_eq!(plan.action, Action::Create);
    let planned = plan.planned.to_json();
    assert_eq!(planned["id"], json!(UNKNOWN));
    assert_eq!(
        planned["single"]["default"],
        json!(7),
        "nested defaults are planned"
    );
    assert_eq!(planned["secret_wo"], Json::Null);
    let instance = make(&mut core, &config).await;
    let read = core
        .refresh(THING, &instance)
        .await
        .expect("it reads")
        .expect("it is there");
    assert_eq!(
        read.state.to_json()["spelled"],
        json!("MiXed"),
        "the user's spelling stays"
    );
    assert_eq!(read.private, instance.private, "private data is echoed");
    assert_eq!(read.identity, instance.identity, "the identity is echoed");
    let again = core
        .plan(THING, Some(&read), &config)
        .await
        .expect("it plans");
    assert_eq!(again.action, Action::NoOp);
}

#[tokio::test]
async fn every_attribute_changed_unknown_and_null_gives_a_legal_plan() {
    let (mut core, _dir) = start().await;
    let instance = make(&mut core, &full()).await;
    let names: Vec<String> = full()
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    for name in &names {
        for value in [json!(UNKNOWN), Json::Null] {
            if name == "name" && value.is_null() {
                continue;
            }
            let mut config = full();
            config[name] = value;
            // The client refuses every plan that core would refuse.
            for prior in [None, Some(&instance)] {
                let planned = core.plan(THING, prior, &config).await;
                assert!(
                    planned.is_ok(),
                    "{name}: {}",
                    planned.err().map(|e| texts(&e)).unwrap_or_default()
                );
            }
        }
    }
    let mut config = full();
    config["list"] = json!([{ "key": "new" }, { "key": "l1", "default": 1 }, { "key": "more" }]);
    config["map"] = json!({ "other": { "key": "x" } });
    config["content"] = json!("changed");
    let plan = core
        .plan(THING, Some(&instance), &config)
        .await
        .expect("it plans");
    assert_eq!(plan.action, Action::Update);
    assert_eq!(
        plan.planned.to_json()["id"],
        json!("id-full"),
        "kept values stay known"
    );
    let applied = apply(&mut core, &plan).await;
    assert!(!applied.failed(), "{:?}", applied.diagnostics);
    assert_eq!(
        applied.instance.expect("it is there").state.to_json()["revision"],
        json!(2)
    );
}

#[tokio::test]
async fn a_changed_name_replaces_and_an_unknown_past_does_not() {
    let (mut core, _dir) = start().await;
    let instance = make(&mut core, &json!({ "name": "a" })).await;
    let plan = core
        .plan(THING, Some(&instance), &json!({ "name": "b" }))
        .await
        .expect("it plans");
    assert_eq!(plan.action, Action::Replace);
    assert_eq!(plan.replaces, ["name"]);
    // Equal but for its spelling: nothing to do.
    let spelled = make(&mut core, &json!({ "name": "s", "spelled": "abc" })).await;
    let plan = core
        .plan(
            THING,
            Some(&spelled),
            &json!({ "name": "s", "spelled": "ABC" }),
        )
        .await;
    assert_eq!(plan.expect("it plans").action, Action::NoOp);
}

#[tokio::test]
async fn mistakes_are_named_before_core_can_refuse() {
    let (mut core, _dir) = start().await;
    let behave = |behaviour: &str| json!({ "name": "m", "content": "c", "behaviour": behaviour });
    let refused = core
        .plan(THING, None, &behave("bad plan"))
        .await
        .expect_err("it is illegal");
    let text = texts(&refused);
    assert!(
        text.contains("modify_plan of corner_thing") && text.contains("content"),
        "{text}"
    );

    for (behaviour, place) in [("bad result", "content"), ("unknown result", "revision")] {
        let plan = core
            .plan(THING, None, &behave(behaviour))
            .await
            .expect("it plans");
        let result = core.apply(&plan).await;
        let applied = result.expect("what exists is stored");
        assert!(applied.failed());
        let blamed = &applied.diagnostics[0];
        assert_eq!(blamed.path, place);
        assert!(
            blamed.detail.contains("create of corner_thing"),
            "{}",
            blamed.detail
        );
        assert!(applied.instance.is_some());
    }

    let plan = core
        .plan(THING, None, &behave("other identity"))
        .await
        .expect("it plans");
    let applied = apply(&mut core, &plan).await;
    assert!(applied.failed(), "the identity was planned otherwise");
    assert!(applied.diagnostics[0].summary.contains("identity changed"));

    let instance = make(&mut core, &json!({ "name": "m" })).await;
    let refused = core
        .plan(THING, Some(&instance), &behave("bad identity"))
        .await
        .expect_err("it is illegal");
    assert!(texts(&refused).contains("identity"), "{refused}");

    let refused = core
        .plan(THING, None, &behave("panic in plan"))
        .await
        .expect_err("it panics");
    assert!(
        texts(&refused).contains("mistake in the provider"),
        "{refused}"
    );
    core.plan(THING, None, &json!({ "name": "ok" }))
        .await
        .expect("others are not affected");
}

#[tokio::test]
async fn what_the_caller_does_not_announce_it_is_not_sent() {
    let (mut core, _dir) = start().await;
    let refused = core
        .plan(THING, None, &json!({ "name": "d", "behaviour": "defer" }))
        .await
        .expect_err("deferral is not allowed");
    assert!(
        texts(&refused).contains("cannot be planned yet"),
        "{refused}"
    );
    core.capabilities.deferral_allowed = true;
    let plan = core
        .plan(THING, None, &json!({ "name": "d", "behaviour": "defer" }))
        .await;
    assert!(plan.expect("it plans").deferred);

    core.capabilities.write_only_attributes_allowed = false;
    let found = core
        .validate(THING, &json!({ "name": "w", "secret_wo": "x" }))
        .await
        .expect("it validates");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "secret_wo");
}

#[tokio::test]
async fn validators_name_the_attribute() {
    let (mut core, _dir) = start().await;
    let found = core
        .validate(THING, &json!({ "name": "v", "size": 10 }))
        .await
        .expect("it validates");
    assert_eq!(found[0].path, "size");
    assert!(
        found[0].detail.contains("from 1 to 9"),
        "{}",
        found[0].detail
    );
    let found = core
        .validate(THING, &json!({ "name": "v", "size": UNKNOWN }))
        .await;
    assert_eq!(found.expect("it validates"), []);
}

/// Several mistakes at once: all of them, each at its place, in one order.
#[tokio::test]
async fn messages_come_in_the_same_order_every_time() {
    let (mut core, _dir) = start().await;
    let config = json!({
        "name": "m", "size": 10,
        "map": { "b": { "key": "k", "default": 100 }, "a": { "key": "k", "default": 101 } },
        "list": [{ "key": "x" }, { "key": "y", "default": 102 }],
    });
    let first = core.validate(THING, &config).await.expect("it validates");
    let places: Vec<_> = first.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(
        places,
        [
            "size",
            "list[1].default",
            "map[\"a\"].default",
            "map[\"b\"].default"
        ]
    );
    for _ in 0..3 {
        let again = core.validate(THING, &config).await;
        assert_eq!(again.expect("it validates"), first);
    }
}

/// To the byte, over calls and over processes: plan files and golden tests depend on it.
#[tokio::test]
async fn equal_input_gives_equal_bytes() {
    use proto_plugin::tfplugin6::{self as wire, provider_client::ProviderClient};
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let (core, _dir) = start().await;
        let ty = core.schemas.resources[THING].ty();
        let config = Value::from_json(&full(), &ty).expect("it fits").encode(&ty);
        let value = || {
            Some(wire::DynamicValue {
                msgpack: config.clone().into(),
                ..Default::default()
            })
        };
        let process = core.process.as_ref().expect("it was started");
        let mut client = ProviderClient::new(process.channel.clone());
        for _ in 0..2 {
            let request = wire::plan_resource_change::Request {
                type_name: THING.to_owned(),
                config: value(),
                proposed_new_state: value(),
                ..Default::default()
            };
            let plan = client.plan_resource_change(request).await.expect("served");
            let schema = client.get_provider_schema(wire::get_provider_schema::Request {});
            let schema = schema.await.expect("served");
            seen.insert((
                plan.into_inner().encode_to_vec(),
                schema.into_inner().encode_to_vec(),
            ));
        }
    }
    assert_eq!(seen.len(), 1, "four answers of two processes are one");
}

/// Whether `later` only turns unknowns of `earlier` into values.
fn completes(earlier: &Json, later: &Json) -> bool {
    match (earlier, later) {
        (Json::String(text), _) if text == UNKNOWN => true,
        (Json::Object(a), Json::Object(b)) => {
            a.keys().eq(b.keys()) && a.iter().all(|(name, value)| completes(value, &b[name]))
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| completes(a, b))
        }
        _ => earlier == later,
    }
}

#[tokio::test]
async fn more_knowledge_never_changes_a_planned_value() {
    let (mut core, _dir) = start().await;
    let instance = make(&mut core, &full()).await;
    let mut changed = full();
    changed["content"] = json!("changed");
    changed["list"] = json!([{ "key": "x" }]);
    for config in [full(), changed] {
        for name in config
            .as_object()
            .expect("an object")
            .keys()
            .filter(|name| *name != "set")
        {
            let mut open = config.clone();
            open[name] = json!(UNKNOWN);
            for prior in [None, Some(&instance)] {
                let early = core.plan(THING, prior, &open).await.expect("it plans");
                let late = core.plan(THING, prior, &config).await.expect("it plans");
                let (early, late) = (early.planned.to_json(), late.planned.to_json());
                assert!(completes(&early, &late), "{name}:\n{early}\n{late}");
            }
        }
    }
}

/// The newest cores hand on what the first plan left for the second; older ones do not, and nothing depends on it.
#[tokio::test]
async fn what_a_plan_left_for_the_next_one_arrives_where_core_hands_it_on() {
    let (mut core, _dir) = start().await;
    for handed_on in [false, true] {
        core.capabilities.store_planned_private = handed_on;
        let made = make(&mut core, &json!({ "name": format!("p-{handed_on}") })).await;
        let private = String::from_utf8_lossy(&made.private).into_owned();
        assert_eq!(private.contains("approved"), handed_on, "{private}");
    }
}
