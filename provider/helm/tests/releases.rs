//! Releases over a cluster in memory: the rules of install, upgrade, rollback, uninstall, adoption,
//! hooks, take-over and drift.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use helm::chart::File;
use helm::release::{
    Deviation, DriftOptions, Error, FieldPath, Ignored, Note, Options, Phase, Release, ReleaseId,
    Status, Theirs, UninstallOptions, Wait,
};
use helm::{Chart, ClusterError, Releases};
use serde_json::{Map, Value, json};
use support::{Fault, Memory};
use tokio_util::sync::CancellationToken;
use transport::{Clock as _, ManualClock};

const META: &str = "apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: 2.0.0\n";

fn chart(templates: &[(&str, &str)]) -> Chart {
    let mut files = vec![File::new("Chart.yaml", META)];
    for (name, text) in templates {
        let name = if name.contains('/') {
            (*name).to_owned()
        } else {
            format!("templates/{name}")
        };
        files.push(File::new(name, text.as_bytes().to_vec()));
    }
    Chart::from_files(files).expect("a sound chart")
}

fn config_map(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  size: {{{{ .Values.size | default 1 | quote }}}}\n"
    )
}

fn job(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations: {annotations}\n"
    )
}

struct Bed {
    cluster: Memory,
    clock: ManualClock,
    releases: Releases,
    id: ReleaseId,
    cancel: CancellationToken,
}

impl Bed {
    fn new() -> Self {
        let cluster = Memory::default();
        let start = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let clock = ManualClock::leaping(start);
        Self {
            releases: Releases::new(Arc::new(cluster.clone()), Arc::new(clock.clone())),
            cluster,
            clock,
            id: ReleaseId::new("prod", "site"),
            cancel: CancellationToken::new(),
        }
    }

    async fn deploy_with(
        &self,
        chart: &Chart,
        values: Value,
        options: &Options,
    ) -> Result<Release, Error> {
        let values: Map<String, Value> = serde_json::from_value(values).expect("tests give tables");
        self.releases
            .deploy(&self.id, chart, &values, options, &self.cancel)
            .await
    }

    async fn deploy(&self, chart: &Chart) -> Release {
        self.deploy_with(chart, json!({}), &Options::default())
            .await
            .unwrap_or_else(|error| panic!("{}", error.chain()))
    }

    async fn statuses(&self) -> Vec<(u32, String)> {
        let history = self.releases.history(&self.id, &self.cancel).await;
        history
            .expect("readable records")
            .into_iter()
            .map(|release| (release.revision, release.info.status.as_str().to_owned()))
            .collect()
    }
}

fn statuses(all: &[(u32, &str)]) -> Vec<(u32, String)> {
    all.iter().map(|(r, s)| (*r, (*s).to_owned())).collect()
}

#[tokio::test]
async fn install_upgrade_rollback_uninstall() {
    let bed = Bed::new();
    let two = chart(&[("a.yaml", &config_map("a")), ("b.yaml", &config_map("b"))]);
    let one = chart(&[("a.yaml", &config_map("a"))]);

    let first = bed.deploy(&two).await;
    assert_eq!((first.revision, &first.info.status), (1, &Status::Deployed));
    assert_eq!(bed.cluster.names("ConfigMap"), ["a", "b"]);
    let object = bed
        .cluster
        .object("ConfigMap", "a")
        .expect("it was applied");
    assert_eq!(object["metadata"]["namespace"], "prod");
    assert_eq!(
        object["metadata"]["labels"]["app.kubernetes.io/managed-by"],
        "Helm"
    );
    assert_eq!(
        object["metadata"]["annotations"]["meta.helm.sh/release-name"],
        "site"
    );

    let second = bed.deploy(&one).await;
    assert_eq!(second.revision, 2);
    assert_eq!(
        bed.cluster.names("ConfigMap"),
        ["a"],
        "what vanished is deleted"
    );
    assert_eq!(
        bed.statuses().await,
        statuses(&[(1, "superseded"), (2, "deployed")])
    );

    let options = Options::default();
    let third = bed
        .releases
        .rollback(&bed.id, None, &options, &bed.cancel)
        .await;
    let third = third.expect("revision 1 is there");
    assert_eq!((third.revision, third.info.rollback_revision), (3, 1));
    assert_eq!(third.info.description, "Rollback to 1");
    assert_eq!(bed.cluster.names("ConfigMap"), ["a", "b"]);

    let options = UninstallOptions::default();
    let gone = bed.releases.uninstall(&bed.id, &options, &bed.cancel).await;
    assert_eq!(gone.expect("nothing stands in the way").deleted.len(), 2);
    assert!(bed.cluster.names("ConfigMap").is_empty());
    assert!(
        bed.cluster.names("Secret").is_empty(),
        "the records are gone too"
    );
    let again = bed.releases.uninstall(&bed.id, &options, &bed.cancel).await;
    assert!(!again.expect("absence is no error").found);
}

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
async fn objects_of_others_are_refused_and_marked_ones_adopted() {
    let bed = Bed::new();
    let web = chart(&[("a.yaml", &config_map("a"))]);
    let stranger = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "prod"}});
    bed.cluster.put(stranger);
    let error = bed.deploy_with(&web, json!({}), &Options::default()).await;
    let error = error.expect_err("it is someone else's").to_string();
    assert!(
        error.starts_with("unable to continue with install: ConfigMap \"a\" in namespace \"prod\" exists and cannot be imported into the current release: invalid ownership metadata;"),
        "{error}"
    );
    assert!(bed.statuses().await.is_empty(), "nothing was recorded");

    bed.cluster.edit("ConfigMap", "a", |object| {
        object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
        object["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "site",
            "meta.helm.sh/release-namespace": "prod"});
    });
    bed.deploy(&web).await;
    assert_eq!(bed.statuses().await, statuses(&[(1, "deployed")]));
}

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
        statuses(&[(1, "failed"), (2, "deployed")])
    );
    bed.deploy(&good).await;
    assert_eq!(bed.cluster.writes(), ["apply ConfigMap a"]);
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
        statuses(&[(1, "failed"), (2, "deployed")])
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
async fn kept_and_foreign_objects_stay() {
    let bed = Bed::new();
    let kept = config_map("kept").replace(
        "name: kept",
        "name: kept\n  annotations: {helm.sh/resource-policy: keep}",
    );
    let web = chart(&[
        ("kept.yaml", &kept),
        ("taken.yaml", &config_map("taken")),
        ("own.yaml", &config_map("own")),
    ]);
    bed.deploy(&web).await;
    bed.cluster.edit("ConfigMap", "taken", |object| {
        object["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("other");
    });
    let options = UninstallOptions::default();
    let done = bed.releases.uninstall(&bed.id, &options, &bed.cancel).await;
    let done = done.expect("nothing stands in the way");
    assert_eq!(bed.cluster.names("ConfigMap"), ["kept", "taken"]);
    assert_eq!(
        done.left,
        [
            "[ConfigMap] kept: kept due to the resource policy",
            "[ConfigMap] taken: not owned by this release",
        ]
    );
}

#[tokio::test]
async fn crds_are_applied_first_and_never_deleted() {
    let bed = Bed::new();
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\nspec: {group: example.com, scope: Namespaced, names: {kind: Thing}}\n";
    let thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\n{{- if .Capabilities.APIVersions.Has \"example.com/v1/Thing\" }}\nspec: {seen: true}\n{{- end }}\n";
    let web = chart(&[("crds/thing.yaml", crd), ("thing.yaml", thing)]);
    bed.deploy(&web).await;
    let object = bed.cluster.object("Thing", "t").expect("it was applied");
    assert_eq!(
        object["spec"]["seen"], true,
        "capabilities are read after the CRDs"
    );
    let options = UninstallOptions::default();
    let done = bed.releases.uninstall(&bed.id, &options, &bed.cancel).await;
    done.expect("nothing stands in the way");
    assert!(bed.cluster.names("Thing").is_empty());
    assert_eq!(
        bed.cluster.names("CustomResourceDefinition"),
        ["things.example.com"]
    );
}

#[tokio::test]
async fn lookup_sees_the_live_cluster() {
    let bed = Bed::new();
    bed.cluster.put(
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "key", "namespace": "prod"}, "data": {"k": "djE="}}),
    );
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: {{ (lookup \"v1\" \"Secret\" \"prod\" \"key\").data.k }}\n  count: {{ len (lookup \"v1\" \"Secret\" \"prod\" \"\").items | quote }}\n";
    bed.deploy(&chart(&[("a.yaml", text)])).await;
    let object = bed
        .cluster
        .object("ConfigMap", "a")
        .expect("it was applied");
    assert_eq!(object["data"], json!({"k": "djE=", "count": "1"}));
}

#[tokio::test]
async fn drift_names_what_is_missing_and_who_changed_what() {
    let bed = Bed::new();
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 2, paused: true}\n";
    let web = chart(&[
        ("a.yaml", &config_map("a")),
        ("b.yaml", &config_map("b")),
        ("d.yaml", deployment),
    ]);
    let release = bed.deploy(&web).await;
    let options = DriftOptions::default();
    let drift = || bed.releases.drift(&release, &options, &bed.cancel);
    assert!(drift().await.expect("readable objects").is_empty());

    bed.cluster.remove("ConfigMap", "a");
    bed.cluster.edit("Deployment", "d", |object| {
        object["spec"]["replicas"] = json!(9);
        object["metadata"]["managedFields"] = json!([{"manager": "kubectl-edit",
            "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
    });
    let found = drift().await.expect("readable objects");
    let compact = found.compact();
    assert_eq!(
        compact,
        BTreeMap::from([
            ("v1 ConfigMap prod/a".to_owned(), "missing".to_owned()),
            (
                "apps/v1 Deployment prod/d".to_owned(),
                ".spec.replicas changed by kubectl-edit".to_owned()
            ),
        ])
    );
    assert!(
        found
            .objects
            .values()
            .any(|d| d.contains(&Deviation::Missing))
    );

    let conflict = bed.deploy_with(&web, json!({}), &Options::default()).await;
    let text = conflict.expect_err("someone owns a field").chain();
    assert!(
        text.contains(".spec.replicas by \"kubectl-edit\""),
        "{text}"
    );
    let force = Options {
        force_conflicts: true,
        ..Options::default()
    };
    bed.deploy_with(&web, json!({}), &force)
        .await
        .expect("force takes it");
    assert!(drift().await.expect("readable objects").is_empty());
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
        statuses(&[(1, "failed"), (2, "deployed")])
    );
}

#[tokio::test]
async fn a_plan_can_foresee_the_hash_of_what_it_deploys() {
    let bed = Bed::new();
    let web = chart(&[("a.yaml", &config_map("a"))]);
    let options = Options::default();
    let foreseen = bed
        .releases
        .render(&bed.id, &web, &Map::new(), &options, &bed.cancel)
        .await
        .expect("a sound chart");
    bed.deploy(&web).await;
    let summary = bed.releases.observe(&bed.id, &bed.cancel).await;
    let summary = summary.expect("readable records").expect("a release");
    assert_eq!(
        summary.manifest_hash,
        helm::release::Summary::hash_of(&foreseen)
    );
    assert_eq!((&*summary.chart, &*summary.version), ("web", "1.0.0"));
    let other = bed
        .deploy_with(&web, json!({"size": 2}), &options)
        .await
        .expect("sound values");
    let changed = helm::release::Summary::of(&other);
    assert_ne!(changed.manifest_hash, summary.manifest_hash);
    assert_ne!(changed.values_hash, summary.values_hash);
}

#[tokio::test]
async fn an_upgrade_leaves_what_is_somebody_elses() {
    let bed = Bed::new();
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: {{ .Values.size | default 2 }}, paused: true}\n";
    let web = chart(&[("d.yaml", deployment)]);
    bed.deploy(&web).await;
    let scaled_by = |manager: &str| {
        let entry = json!([{"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
        bed.cluster.edit("Deployment", "d", |object| {
            object["spec"]["replicas"] = json!(9);
            object["metadata"]["managedFields"] = entry;
        });
    };
    let applied = || {
        bed.cluster
            .object("Deployment", "d")
            .expect("it was applied")["spec"]
            .clone()
    };
    let options = Options {
        force_conflicts: true,
        ..Options::default()
    };

    // The autoscaler's number is not sent at all: it stays its own.
    scaled_by("keda-operator");
    let upgraded = bed.deploy_with(&web, json!({"size": 3}), &options).await;
    let upgraded = upgraded.expect("nothing stands in the way");
    assert_eq!(applied(), json!({"paused": true}));
    assert!(
        upgraded.manifest.contains("replicas: 3"),
        "the record holds what the chart says"
    );

    // A person's goes back, and is told; with a rule it stays.
    scaled_by("kubectl-edit");
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let releases = bed.releases.clone().with_notes(Arc::new(move |note: Note| {
        notes.lock().expect("nobody panics").push(note.to_string());
    }));
    let deploy = async |options: &Options| {
        releases
            .deploy(&bed.id, &web, &Map::new(), options, &bed.cancel)
            .await
            .expect("nothing stands in the way");
        std::mem::take(&mut *told.lock().expect("nobody panics"))
    };
    assert_eq!(
        deploy(&options).await,
        ["apps/v1 Deployment prod/d: taken over .spec.replicas from \"kubectl-edit\""]
    );
    assert_eq!(applied()["replicas"], 2);
    let rule = Ignored {
        kind: Some("Deployment".into()),
        fields: vec![FieldPath::parse("/spec/replicas").expect("a path")],
        ..Ignored::default()
    };
    let lenient = Options {
        theirs: Theirs {
            ignored: vec![rule],
            ..Theirs::default()
        },
        ..options.clone()
    };
    scaled_by("kubectl-edit");
    assert!(deploy(&lenient).await.is_empty());
    assert_eq!(applied(), json!({"paused": true}));
    // Nobody else owns it: without a word of ours it would go away.
    bed.cluster.edit("Deployment", "d", |object| {
        object["spec"]["replicas"] = json!(7);
        object["metadata"]
            .as_object_mut()
            .map(|all| all.remove("managedFields"));
    });
    deploy(&lenient).await;
    assert_eq!(applied(), json!({"paused": true, "replicas": 7}));
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
    assert!((30..40).contains(&waited.as_secs()), "{waited:?}");
}
