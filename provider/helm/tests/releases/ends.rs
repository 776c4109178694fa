//! How operations end: pruning, going back, processes that die, answers that are lost.

use std::time::{Duration, SystemTime};

use helm::ClusterError;
use helm::release::{Error, Options, Status, Wait};
use serde_json::{Value, json};
use transport::Clock as _;

use crate::support::Fault;
use crate::{Bed, chart, config_map, job, statuses};

#[tokio::test]
async fn history_is_pruned_but_never_the_revision_in_force() {
    let bed = Bed::new();
    let good = chart(&[("a.yaml", &config_map("a"))]);
    let bad = chart(&[("a.yaml", &job("fails", "{}"))]);
    let options = Options {
        history_max: 3,
        wait: Wait::ReadyAndJobs,
        ..Options::default()
    };
    bed.deploy_with(&good, json!({}), &options)
        .await
        .expect("a good chart");
    for _ in 0..4 {
        let outcome = bed.deploy_with(&bad, json!({}), &options).await;
        assert!(matches!(outcome, Err(Error::NotReady { .. })));
    }
    assert_eq!(
        bed.statuses().await,
        statuses(&[(1, "deployed"), (4, "failed"), (5, "failed")])
    );
}

#[tokio::test]
async fn rollback_on_failure_goes_back_or_away() {
    let bed = Bed::new();
    let options = Options {
        rollback_on_failure: true,
        wait: Wait::ReadyAndJobs,
        ..Options::default()
    };
    let bad = chart(&[
        ("a.yaml", &config_map("a")),
        ("j.yaml", &job("fails", "{}")),
    ]);
    let outcome = bed.deploy_with(&bad, json!({}), &options).await;
    assert!(matches!(outcome, Err(Error::RolledBack { .. })));
    assert!(bed.statuses().await.is_empty());
    assert!(bed.cluster.names("ConfigMap").is_empty());

    let good = chart(&[("b.yaml", &config_map("b"))]);
    bed.deploy(&good).await;
    let outcome = bed.deploy_with(&bad, json!({}), &options).await;
    assert!(matches!(outcome, Err(Error::RolledBack { .. })));
    assert_eq!(bed.cluster.names("ConfigMap"), ["b"]);
    assert_eq!(
        bed.statuses().await,
        statuses(&[(1, "superseded"), (2, "failed"), (3, "deployed")])
    );
}

/// Makes revision 1 look as if a process worked on it that showed life at `beat`.
fn make_pending(bed: &Bed, beat: i64) {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    bed.cluster
        .edit("Secret", "sh.helm.release.v1.site.v1", |secret| {
            let data = secret["data"]["release"]
                .as_str()
                .expect("a record")
                .to_owned();
            let content = String::from_utf8(engine.decode(data).expect("base64")).expect("text");
            let mut release = helm::release::decode(&content).expect("our record");
            release.info.status = Status::PendingUpgrade;
            let content = helm::release::encode(&release).expect("a small record");
            secret["data"]["release"] = json!(engine.encode(content));
            secret["metadata"]["annotations"] = json!({"managedk8s/heartbeat": beat.to_string()});
        });
}

#[tokio::test]
async fn a_dead_process_is_taken_over_and_a_live_one_is_not() {
    let bed = Bed::new();
    let web = chart(&[("a.yaml", &config_map("a"))]);
    bed.deploy(&web).await;
    let now = |bed: &Bed| {
        let since = bed.clock.wall().duration_since(SystemTime::UNIX_EPOCH);
        since.expect("after 1970").as_secs() as i64
    };

    make_pending(&bed, now(&bed) - 100);
    let before = bed.clock.passed();
    bed.deploy(&web).await;
    assert!(
        bed.clock.passed() < before + Duration::from_secs(40),
        "no waiting for the dead"
    );
    assert_eq!(
        bed.statuses().await,
        statuses(&[(1, "superseded"), (2, "deployed")])
    );

    // From here on the other process lives for ever.
    let bed = Bed::new();
    bed.deploy(&web).await;
    make_pending(&bed, now(&bed) + 1_000_000);
    let error = bed.deploy_with(&web, json!({}), &Options::default()).await;
    let error = error.expect_err("someone is at work");
    assert!(matches!(error, Error::Busy(_)), "{error}");
}

#[tokio::test]
async fn a_record_whose_answer_was_lost_is_found_again() {
    let bed = Bed::new();
    let web = chart(&[("a.yaml", &config_map("a"))]);
    let lost = |_: &helm::ObjectRef| ClusterError::Unreachable {
        verb: "create",
        target: "secret".into(),
        source: "connection reset".into(),
    };
    bed.cluster.fault(Fault {
        verb: "create",
        kind: "Secret",
        done: true,
        error: lost,
    });
    bed.deploy(&web).await;
    bed.cluster.fault(Fault {
        verb: "create",
        kind: "Secret",
        done: false,
        error: lost,
    });
    let error = bed.deploy_with(&web, json!({}), &Options::default()).await;
    assert!(matches!(error, Err(Error::Cluster { .. })));
    assert_eq!(bed.statuses().await, statuses(&[(1, "deployed")]));
}

#[tokio::test]
async fn a_cancelled_deployment_is_recorded_and_continued() {
    let bed = Bed::new();
    let web = chart(&[("a.yaml", &config_map("a"))]);
    bed.cluster.fault(Fault {
        verb: "apply",
        kind: "ConfigMap",
        done: false,
        error: |_| ClusterError::Cancelled,
    });
    let outcome = bed.deploy_with(&web, json!({}), &Options::default()).await;
    assert!(matches!(outcome, Err(Error::Cancelled(_))));
    assert_eq!(bed.statuses().await, statuses(&[(1, "failed")]));
    bed.deploy(&web).await;
    assert_eq!(
        bed.statuses().await,
        statuses(&[(1, "superseded"), (2, "deployed")])
    );
}

/// Helm makes half a minute of no time at all.
#[tokio::test]
async fn no_timeout_is_half_a_minute() {
    let bed = Bed::new();
    let deployment =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1}\n";
    let options = Options {
        timeout: Duration::ZERO,
        ..Options::default()
    };
    let before = bed.clock.passed();
    let outcome = bed
        .deploy_with(&chart(&[("d.yaml", deployment)]), json!({}), &options)
        .await;
    assert!(matches!(outcome, Err(Error::NotReady { .. })));
    let waited = bed.clock.passed().saturating_sub(before);
    // Signs of life pass time as well; without the rule it would be none at all.
    assert!((30..120).contains(&waited.as_secs()), "{waited:?}");
}

/// A pod that admission or a quota refuses does not exist, so that it cannot tell why: its controller does.
#[tokio::test]
async fn a_timeout_tells_why_pods_cannot_be_made() {
    let told = async |name: &str, events: &[Value]| {
        let bed = Bed::new();
        for event in events {
            bed.cluster.put(event.clone());
        }
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{selector: {{matchLabels: {{a: b}}}}}}\n"
        );
        let outcome = bed
            .deploy_with(&chart(&[("d.yaml", &text)]), json!({}), &Options::default())
            .await;
        let made = bed.cluster.object("Deployment", name);
        (
            outcome.expect_err("nothing is ready").to_string(),
            made.expect("it was applied")["metadata"]["uid"].clone(),
        )
    };
    // By a condition, as Deployments do.
    let (text, _) = told("refused", &[]).await;
    assert!(
        text.contains("(pods cannot be made: it violates PodSecurity)"),
        "{text}"
    );
    // By events, as all others do. The cluster gives the same identifiers each time.
    let (text, uid) = told("waits", &[]).await;
    assert!(!text.contains("pods cannot be made"), "{text}");
    let event = |name: &str, uid: &Value, reason: &str, day: u32| {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "prod"},
            "involvedObject": {"uid": uid}, "reason": reason, "message": format!("{name} was told"),
            "lastTimestamp": format!("2026-01-0{day}T00:00:00Z")})
    };
    let events = [
        event("older", &uid, "FailedCreate", 1),
        event("newer", &uid, "FailedCreate", 2),
        event("good", &uid, "SuccessfulCreate", 3),
        event("foreign", &json!("another"), "FailedCreate", 3),
    ];
    let (text, _) = told("waits", &events).await;
    assert!(
        text.contains("(pods cannot be made: newer was told)"),
        "{text}"
    );
}
