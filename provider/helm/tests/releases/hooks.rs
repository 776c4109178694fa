//! Hooks and tests: their order, their failures, what they print.

use std::sync::{Arc, Mutex};

use helm::release::{Error, Note, Options, Phase, Status};
use serde_json::{Map, json};

use crate::{Bed, chart, config_map, job, statuses};

#[tokio::test]
async fn hooks_run_by_weight_and_are_tidied_up() {
    let bed = Bed::new();
    let web = chart(&[
        ("a.yaml", &config_map("a")),
        (
            "late.yaml",
            &job(
                "late",
                "{helm.sh/hook: pre-install, helm.sh/hook-weight: \"5\"}",
            ),
        ),
        (
            "early.yaml",
            &job(
                "early",
                "{helm.sh/hook: \"pre-install,pre-upgrade\", helm.sh/hook-weight: \"-5\", helm.sh/hook-delete-policy: hook-succeeded}",
            ),
        ),
        ("after.yaml", &job("after", "{helm.sh/hook: post-install}")),
    ]);
    let release = bed.deploy(&web).await;
    assert_eq!(
        bed.cluster.writes(),
        [
            "apply Job early",
            "delete Job late",
            "apply Job late",
            "delete Job early",
            "apply ConfigMap a",
            "delete Job after",
            "apply Job after",
        ]
    );
    assert!(release.hooks.iter().all(|hook| hook.completed_at.is_some()));
    let upgraded = bed.deploy(&web).await;
    assert_eq!(upgraded.revision, 2);
    assert_eq!(
        bed.cluster.writes(),
        ["apply Job early", "delete Job early", "apply ConfigMap a"]
    );
}

#[tokio::test]
async fn tests_run_when_they_are_asked_for_and_leave_their_outcome() {
    let bed = Bed::new();
    let test = |name: &str| {
        chart(&[
            ("a.yaml", &config_map("a")),
            ("t.yaml", &job(name, "{helm.sh/hook: test}")),
        ])
    };
    let options = Options::default();
    let missing = bed.releases.test(&bed.id, &options, &bed.cancel).await;
    assert!(matches!(missing, Err(Error::NotFound(_))));
    bed.deploy(&test("works")).await;
    assert_eq!(bed.cluster.writes(), ["apply ConfigMap a"]);
    let tested = bed
        .releases
        .test(&bed.id, &options, &bed.cancel)
        .await
        .expect("a test that passes");
    assert_eq!(
        bed.cluster.writes(),
        ["delete Job works", "apply Job works"]
    );
    assert_eq!(tested.hooks[0].phase, Phase::Succeeded);
    let last = bed
        .releases
        .last(&bed.id, &bed.cancel)
        .await
        .expect("a record")
        .expect("a release");
    assert!(last.hooks[0].completed_at.is_some() && last.info.status == Status::Deployed);

    bed.deploy(&test("fails")).await;
    let failed = bed.releases.test(&bed.id, &options, &bed.cancel).await;
    assert!(matches!(failed, Err(Error::Hook { .. })));
    let last = bed
        .releases
        .last(&bed.id, &bed.cancel)
        .await
        .expect("a record")
        .expect("a release");
    assert_eq!(last.hooks[0].phase, Phase::Failed);
    assert_eq!(last.info.status, Status::Deployed);
}

#[tokio::test]
async fn a_failed_hook_fails_the_revision_and_the_next_deployment_repairs_it() {
    let bed = Bed::new();
    let bad = chart(&[
        ("a.yaml", &config_map("a")),
        ("h.yaml", &job("fails", "{helm.sh/hook: pre-install}")),
    ]);
    let error = bed.deploy_with(&bad, json!({}), &Options::default()).await;
    let error = error.expect_err("the hook fails").to_string();
    assert!(
        error.starts_with("pre-install hooks failed: web/templates/h.yaml"),
        "{error}"
    );
    assert_eq!(bed.statuses().await, statuses(&[(1, "failed")]));
    bed.cluster.writes();
    // It was never there, so it is an install still, with the hooks of one.
    let good = chart(&[
        ("a.yaml", &config_map("a")),
        ("h.yaml", &job("works", "{helm.sh/hook: pre-install}")),
    ]);
    bed.deploy(&good).await;
    assert_eq!(
        bed.cluster.writes(),
        ["delete Job works", "apply Job works", "apply ConfigMap a"]
    );
    assert_eq!(
        bed.statuses().await,
        statuses(&[(1, "superseded"), (2, "deployed")])
    );
    bed.deploy(&good).await;
    assert_eq!(bed.cluster.writes(), ["apply ConfigMap a"]);
}

#[tokio::test]
async fn a_failed_hook_shows_the_end_of_its_output_without_secrets() {
    let bed = Bed::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: aHVudGVyMg==}\nstringData: {token: t0k3n-of-the-shop}\n";
    let web = chart(&[
        ("s.yaml", secret),
        ("h.yaml", &job("fails", "{helm.sh/hook: pre-install}")),
    ]);
    let pod = |name: &str, phase: &str, at: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "prod",
                "labels": {"job-name": "fails"}, "creationTimestamp": at},
            "spec": {"containers": [{"name": "good"}, {"name": "main"}]},
            "status": {"phase": phase, "containerStatuses": [
                {"name": "good", "state": {"terminated": {"exitCode": 0}}},
                {"name": "main", "state": {"terminated": {"exitCode": 3}}}]}})
    };
    let refused = async || {
        let outcome = bed.deploy_with(&web, json!({}), &Options::default()).await;
        outcome.expect_err("the hook fails")
    };
    // An API without output of containers, and a hook without pods, say so.
    assert!(
        refused()
            .await
            .to_string()
            .contains("has no pod whose output could be read")
    );
    bed.cluster
        .put(pod("fails-a", "Failed", "2026-01-01T00:00:00Z"));
    bed.cluster
        .put(pod("fails-b", "Failed", "2026-01-02T00:00:00Z"));
    bed.cluster
        .put(pod("fails-c", "Running", "2026-01-03T00:00:00Z"));
    let text = refused().await.to_string();
    assert!(
        text.contains("container main of pod fails-b: this API server has no output"),
        "{text}"
    );

    bed.cluster.print(
        "fails-b/main",
        "connecting with hunter2\nheader: t0k3n-of-the-shop, aHVudGVyMg==\n\u{1b}[31mno route\n",
    );
    let error = refused().await;
    let text = error.to_string();
    assert!(
        text.ends_with(
            "the end of the output of container main of pod fails-b:\n  connecting with [secret]\n  header: [secret], [secret]\n  [31mno route"
        ),
        "{text}"
    );
    // Records are read by many.
    let last = bed.releases.last(&bed.id, &bed.cancel).await;
    let last = last.expect("readable records").expect("a release");
    assert!(
        !last.info.description.contains("no route"),
        "{}",
        last.info.description
    );
    assert!(last.info.description.contains("pre-install hooks failed"));
}

#[tokio::test]
async fn a_hook_tells_its_output_where_its_chart_asks_for_it() {
    let bed = Bed::new();
    let asks = "{helm.sh/hook: pre-install, helm.sh/hook-output-log-policy: \"hook-succeeded\"}";
    let web = chart(&[
        ("loud.yaml", &job("loud", asks)),
        ("quiet.yaml", &job("quiet", "{helm.sh/hook: pre-install}")),
    ]);
    for name in ["loud", "quiet"] {
        bed.cluster.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "prod",
            "labels": {"job-name": name}}, "spec": {"containers": [{"name": "main"}]}}));
        bed.cluster
            .print(&format!("{name}/main"), "migrated 3 tables\n");
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let releases = bed.releases.clone().with_notes(Arc::new(move |note: Note| {
        notes.lock().expect("nobody panics").push(note);
    }));
    let options = Options::default();
    releases
        .deploy(&bed.id, &web, &Map::new(), &options, &bed.cancel)
        .await
        .expect("hooks that succeed");
    let told = told.lock().expect("nobody panics");
    let [Note::HookOutput { hook, output }] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(
        hook.contains("Job loud") && output.contains("migrated 3 tables"),
        "{told:?}"
    );
}
