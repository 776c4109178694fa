//! Releases over a cluster in memory: the rules of install, upgrade, rollback, uninstall, adoption,
//! hooks, take-over and drift.

#[path = "../support/mod.rs"]
mod support;

mod ends;
mod hooks;
mod others;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use helm::chart::File;
use helm::release::{Error, Options, Release, ReleaseId, Status, UninstallOptions};
use helm::{Chart, Releases};
use serde_json::{Map, Value, json};
use support::Memory;
use tokio_util::sync::CancellationToken;
use transport::ManualClock;

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
