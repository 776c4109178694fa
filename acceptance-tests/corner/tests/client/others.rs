//! Data sources, ephemeral resources, functions, lists and actions.

use core_client::{Core, Invoked, Launch, Query, Value};
use serde_json::json;

use crate::bench::{CORNER, THING, make, noted, start, texts};

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
async fn a_lease_is_opened_renewed_as_often_as_it_asks_and_closed() {
    let (mut core, dir) = start().await;
    let lease = "corner_lease";
    let config = json!({ "name": "l", "seconds": 60 });
    let before = now();
    let (result, opened, renew_at) = core.open(lease, &config).await.expect("it opens");
    assert_eq!(result.to_json()["token"], json!("token-l"));
    let renew_at = renew_at.expect("it asks to be renewed");
    assert!((before + 59..=now() + 61).contains(&renew_at));
    let (again, renewed) = core.renew(lease, opened.clone()).await.expect("it renews");
    assert!(again.is_some());
    assert_eq!(noted(&dir, "lease-l"), "renewed 1");
    // Renew gets the private bytes of the renewal before.
    let (again, _) = core.renew(lease, renewed).await.expect("it renews");
    assert_eq!(again, None, "it is not renewed any more");
    assert_eq!(noted(&dir, "lease-l"), "renewed 2");
    // Close gets those of the opening.
    core.close(lease, opened).await.expect("it closes");
    assert_eq!(noted(&dir, "lease-l"), "closed");

    let config = json!({ "name": "expired", "seconds": 1 });
    let (_, opened, _) = core.open(lease, &config).await.expect("it opens");
    let refused = core.renew(lease, opened.clone()).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("lease expired")));
    // What was opened is closed also after an interrupt.
    core.stop().await.expect("it stops");
    core.close(lease, opened).await.expect("it closes");
    assert_eq!(noted(&dir, "lease-expired"), "closed");
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
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
async fn actions_and_lists_are_ended_when_nobody_listens() {
    let (mut core, dir) = start().await;
    let plan = core.plan(THING, None, &json!({ "name": "a" })).await;
    core.apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    let mut other = core.clone_connection();
    let endless = json!({ "endless": true });
    let query = Query {
        include_resource: false,
        limit: i64::MAX,
    };
    let listing = other.list(THING, &endless, query);
    let abandoned = tokio::time::timeout(std::time::Duration::from_millis(300), listing).await;
    assert!(abandoned.is_err(), "it has no end of its own");
    for _ in 0..200 {
        if dir.path().join("list-ended").exists() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the handler was not told that its caller is gone");
}
