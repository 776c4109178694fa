//! Planning, applying and all that core checks, at the newest minor. The client that plays core
//! fails whatever core would refuse.

use core_client::{
    Action, Applied, Core, Error, Instance, Invoked, Launch, Plan, Query, UNKNOWN, Value,
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const CORNER: &str = env!("CARGO_BIN_EXE_terraform-provider-corner");
const THING: &str = "corner_thing";

async fn start() -> (Core, TempDir) {
    let mut core = Core::start(&Launch::new(CORNER)).await.expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    core.configure(&json!({ "directory": dir.path() }))
        .await
        .expect("it is configured");
    (core, dir)
}

/// A configuration with something in every attribute.
fn full() -> Json {
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

async fn make(core: &mut Core, config: &Json) -> Instance {
    let plan = core.plan(THING, None, config).await.expect("it plans");
    let applied = core.apply(&plan).await.expect("it applies");
    assert!(!applied.failed(), "{:?}", applied.diagnostics);
    applied.instance.expect("it is there")
}

async fn apply(core: &mut Core, plan: &Plan) -> Applied {
    core.apply(plan).await.expect("the answer is legal")
}

fn texts(error: &Error) -> String {
    error.to_string()
}

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

#[tokio::test]
async fn import_by_id_and_by_identity_ends_in_an_update_at_most() {
    let (mut core, _dir) = start().await;
    let config = json!({ "name": "i", "content": "c" });
    make(&mut core, &config).await;
    for by in [Ok("i"), Err(&json!({ "name": "i" }))] {
        let instance = core.import(THING, by).await.expect("it imports");
        assert_eq!(instance.state.to_json()["content"], json!("c"));
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

#[tokio::test]
async fn data_ephemerals_and_functions() {
    let (mut core, dir) = start().await;
    make(&mut core, &json!({ "name": "d", "content": "text" })).await;
    let data = core
        .read_data("corner_content", &json!({ "name": "d" }))
        .await
        .expect("it reads");
    assert_eq!(data.to_json()["content"], json!("text"));

    let joined = core
        .function("join_all", &[json!("-"), json!("a"), json!("b")])
        .await;
    assert_eq!(joined.expect("it runs"), Ok(json!("a-b")));
    let (text, argument) = core
        .function("join_all", &[json!("-"), json!("a"), json!("")])
        .await
        .expect("it runs")
        .expect_err("an empty text");
    assert_eq!(argument, Some(2), "{text}");

    let lease = core
        .open("corner_lease", &json!({ "name": "l" }))
        .await
        .expect("it opens");
    assert_eq!(
        std::fs::read_to_string(dir.path().join("lease-l")).expect("there"),
        "open"
    );
    drop(lease);
}

#[tokio::test]
async fn functions_need_no_configured_provider() {
    let mut core = Core::start(&Launch::new(CORNER)).await.expect("it starts");
    let joined = core.function("join_all", &[json!("-"), json!("a")]).await;
    assert_eq!(joined.expect("it runs"), Ok(json!("a")));
    let refused = core
        .plan(THING, None, &json!({ "name": "n" }))
        .await
        .expect_err("not configured");
    assert!(
        texts(&refused).contains("provider not configured"),
        "{refused}"
    );
}

#[tokio::test]
async fn lists_stream_and_stop_at_the_limit() {
    let (mut core, dir) = start().await;
    for name in ["a", "b", "c"] {
        make(&mut core, &json!({ "name": name })).await;
    }
    let whole = |limit| Query {
        include_resource: true,
        limit,
    };
    let listed = core.list(THING, &json!({}), whole(100)).await;
    let (found, _) = listed.expect("it lists");
    let names: Vec<_> = found.iter().map(|one| one.display_name.as_str()).collect();
    assert_eq!(names, ["Thing a", "Thing b", "Thing c"]);
    assert!(found.iter().all(|one| !matches!(one.resource, Value::Null)));
    let listed = core.list(THING, &json!({}), Query::default()).await;
    let (bare, _) = listed.expect("it lists");
    assert!(bare.iter().all(|one| matches!(one.resource, Value::Null)));
    let (found, _) = core
        .list(THING, &json!({ "endless": true }), whole(7))
        .await
        .expect("it lists");
    assert_eq!(found.len(), 7);
    let ended = dir.path().join("list-ended");
    for _ in 0..100 {
        if ended.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(ended.exists(), "the handler learns that nobody wants more");
    let failed = core
        .list(THING, &json!({ "fail": true }), whole(100))
        .await
        .expect_err("it fails");
    assert!(texts(&failed).contains("listing failed"), "{failed}");
}

#[tokio::test]
async fn actions_report_while_they_run_and_complete_once() {
    let (mut core, _dir) = start().await;
    let Invoked {
        progress: lines,
        diagnostics,
    } = core
        .invoke("corner_count", &json!({ "to": 3 }))
        .await
        .expect("it runs");
    assert_eq!(lines, ["1", "2", "3"]);
    assert!(diagnostics.iter().all(|d| !d.error));
    let Invoked { diagnostics, .. } = core
        .invoke("corner_count", &json!({ "to": 7 }))
        .await
        .expect("it runs");
    assert!(diagnostics.iter().any(|d| d.error && d.path == "to"));
    let Invoked {
        progress: lines,
        diagnostics,
    } = core
        .invoke("corner_count", &json!({ "to": 8 }))
        .await
        .expect("it runs");
    assert_eq!(lines.len(), 8);
    assert!(
        diagnostics
            .iter()
            .any(|d| d.error && d.detail.contains("eight")),
        "{diagnostics:?}"
    );
}

#[tokio::test]
async fn equal_input_gives_equal_bytes() {
    let (mut core, _dir) = start().await;
    let first = core.plan(THING, None, &full()).await.expect("it plans");
    let second = core.plan(THING, None, &full()).await.expect("it plans");
    assert_eq!(first.private, second.private);
    assert_eq!(first.planned, second.planned);
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

#[tokio::test]
async fn secrets_are_in_no_log() {
    let launch = Launch::new(CORNER).env("TF_LOG_PROVIDER", "trace");
    let mut core = Core::start(&launch).await.expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    core.configure(&json!({ "directory": dir.path() }))
        .await
        .expect("it is configured");
    make(&mut core, &full()).await;
    let process = core.process.take().expect("it was started");
    drop(core);
    let (_, log, _) = process.shutdown().await.expect("it ends");
    assert!(log.contains("\"password\":\"***\""), "{log}");
    assert!(
        !log.contains("swordfish") && !log.contains("s3cret"),
        "{log}"
    );
}

#[tokio::test]
async fn calls_that_terraform_hardly_makes_work_on_a_fresh_process() {
    use proto_plugin::tfplugin6::{self as wire, provider_client::ProviderClient};
    let process = core_client::Process::launch(&Launch::new(CORNER))
        .await
        .expect("it starts");
    let mut client = ProviderClient::new(process.channel.clone());

    let metadata = client
        .get_metadata(wire::get_metadata::Request {})
        .await
        .expect("served")
        .into_inner();
    let names: Vec<_> = metadata
        .resources
        .iter()
        .map(|one| one.type_name.as_str())
        .collect();
    assert_eq!(names, ["corner_note", "corner_section", THING]);
    assert_eq!(metadata.actions[0].type_name, "corner_count");
    assert!(
        metadata
            .server_capabilities
            .expect("told")
            .get_provider_schema_optional
    );
    let functions = client
        .get_functions(wire::get_functions::Request {})
        .await
        .expect("served")
        .into_inner();
    assert!(functions.functions.contains_key("join_all"));

    let request = wire::upgrade_resource_identity::Request {
        type_name: THING.to_owned(),
        version: 1,
        raw_identity: Some(wire::RawState {
            json: r#"{"name":"a"}"#.into(),
            ..Default::default()
        }),
    };
    let answer = client
        .upgrade_resource_identity(request)
        .await
        .expect("served")
        .into_inner();
    let identity = answer
        .upgraded_identity
        .and_then(|identity| identity.identity_data);
    assert_eq!(
        identity.expect("an identity").msgpack,
        &b"\x81\xa4name\xa1a"[..]
    );

    // What is not there is told in words; a gRPC status would look like a crash.
    let request = wire::read_resource::Request {
        type_name: "corner_none".to_owned(),
        private: "kept".into(),
        ..Default::default()
    };
    let answer = client
        .read_resource(request)
        .await
        .expect("served")
        .into_inner();
    assert!(
        answer.diagnostics[0]
            .detail
            .contains("It has: corner_note, corner_section, corner_thing.")
    );
    assert_eq!(answer.private, "kept");
    let request = wire::get_states::Request {
        type_name: "corner_store".to_owned(),
    };
    let answer = client
        .get_states(request)
        .await
        .expect("served")
        .into_inner();
    assert_eq!(answer.diagnostics[0].summary, "no state stores");
    let request = wire::upgrade_resource_state::Request {
        type_name: THING.to_owned(),
        version: 0,
        raw_state: Some(wire::RawState {
            flatmap: [("id".to_owned(), "a".to_owned())].into(),
            ..Default::default()
        }),
    };
    let answer = client
        .upgrade_resource_state(request)
        .await
        .expect("served")
        .into_inner();
    assert_eq!(answer.diagnostics.len(), 1);

    // Bytes that are no value are refused in words, too.
    let request = wire::plan_resource_change::Request {
        type_name: THING.to_owned(),
        config: Some(wire::DynamicValue {
            msgpack: (&b"\xdd\xff\xff\xff\xff"[..]).into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = client
        .plan_resource_change(request)
        .await
        .expect("served")
        .into_inner();
    assert_eq!(answer.diagnostics[0].summary, "value cannot be read");
}
