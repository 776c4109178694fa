//! What is somebody else's: objects, fields, and what was changed by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use helm::release::{
    Deviation, DriftOptions, FieldPath, Ignored, Note, Options, Theirs, UninstallOptions,
};
use serde_json::{Map, json};

use crate::{Bed, chart, config_map, statuses};

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
    let upgraded = bed.deploy_with(&web, json!({}), &options).await;
    let upgraded = upgraded.expect("nothing stands in the way");
    assert_eq!(applied(), json!({"paused": true}));
    assert!(
        upgraded.manifest.contains("replicas: 2"),
        "the record holds what the chart says"
    );
    // Until the chart says another: that was planned, and is done.
    let upgraded = bed.deploy_with(&web, json!({"size": 3}), &options).await;
    upgraded.expect("nothing stands in the way");
    assert_eq!(applied(), json!({"paused": true, "replicas": 3}));

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
