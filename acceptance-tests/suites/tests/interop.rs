//! Releases change hands: what ours writes, the helm program lists, upgrades, rolls back and uninstalls, and the other
//! way round; on the built-in API and on the real one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use helm::release::{
    DriftOptions, Options, Release, ReleaseId, Status, UninstallOptions, ValuesPolicy, Wait,
};
use helm::{Chart, Releases, WriteOptions};
use rustls_pki_types::pem::PemObject as _;
use sandbox::kubernetes::alone::{Alone, network_agent};
use serde_json::{Value, json};
use suites::Result;
use tokio_util::sync::CancellationToken;

/// A chart that both hands deploy: a hook, a workload to wait for, a definition with an object of its kind.
const CHART: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: \"4.5\"\n",
    ),
    ("values.yaml", "size: 1\noutcome: good\n"),
    (
        "templates/NOTES.txt",
        "hello {{ .Release.Name }}, revision {{ .Release.Revision }}\n",
    ),
    (
        "crds/shelves.yaml",
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: shelves.interop.example }
spec:
  group: interop.example
  scope: Namespaced
  names: { plural: shelves, kind: Shelf }
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: { type: object, properties: { width: { type: integer } } }
",
    ),
    (
        "templates/all.yaml",
        "apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }} }
data:
  size: {{ .Values.size | quote }}
  {{- if eq (int .Values.size) 1 }}
  only: first
  {{- end }}
---
apiVersion: interop.example/v1
kind: Shelf
metadata: { name: {{ .Release.Name }} }
spec: { width: {{ .Values.size }} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }} }
spec:
  replicas: 2
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata:
      labels: { app: {{ .Release.Name }} }
      annotations: { sandbox.managedk8s.io/outcome: {{ .Values.outcome }} }
    spec:
      containers:
      - { name: app, image: \"app:{{ .Values.size }}\" }
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: a, image: hook }]
",
    ),
];

/// One control plane with both hands on it.
struct Bed {
    alone: Alone,
    releases: Releases,
    chart: Chart,
    folder: tempfile::TempDir,
    helm: PathBuf,
    cancel: CancellationToken,
}

/// The part of an output that tells why.
fn words(output: &std::process::Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn options() -> Options {
    Options {
        create_namespace: true,
        timeout: Duration::from_mins(1),
        wait: Wait::Ready,
        values: ValuesPolicy::Reset,
        ..Options::default()
    }
}

impl Bed {
    async fn new(alone: Alone, helm: PathBuf) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let identity = alone.client("admin", "system:masters")?;
        std::fs::write(folder.path().join("config"), alone.kubeconfig(&identity))?;
        for (name, text) in CHART {
            let path = folder.path().join("chart").join(name);
            std::fs::create_dir_all(path.parent().ok_or("a file in a folder")?)?;
            std::fs::write(path, text)?;
        }
        let (certificate, key) = identity;
        let address: std::net::SocketAddr = alone.url.trim_start_matches("https://").parse()?;
        let settings = kubernetes::Settings {
            members: vec![address.ip().to_string()],
            port: address.port(),
            trust: transport::Trust::pinned_pem(&alone.settings.ca.certificate_pem, "the cluster")?,
            mint: Arc::new(move || {
                Ok(kubernetes::Identity {
                    chain: vec![rustls_pki_types::CertificateDer::from_pem_slice(
                        certificate.as_bytes(),
                    )?],
                    key: rustls_pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes())?,
                    not_after: SystemTime::now() + Duration::from_hours(1),
                })
            }),
            dialer: transport::Dialer::direct(),
            user_agent: "interop/1".into(),
        };
        let client = kubernetes::Client::new(settings, transport::SystemClock::shared())?;
        let cluster: Arc<dyn helm::Cluster> = Arc::new(client);
        let cancel = CancellationToken::new();
        alone.nodes_up();
        let agent = network_agent();
        cluster
            .apply(&agent, &WriteOptions::default(), &cancel)
            .await?;
        Ok(Self {
            releases: Releases::new(cluster, transport::SystemClock::shared()),
            chart: Chart::load(folder.path().join("chart"))?,
            alone,
            folder,
            helm,
            cancel,
        })
    }

    async fn run(&self, program: &PathBuf, arguments: &[&str]) -> Result<std::process::Output> {
        let home = self.folder.path().join("home");
        Ok(tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .env("HOME", &home)
            .env("KUBECONFIG", self.folder.path().join("config"))
            .kill_on_drop(true)
            .output()
            .await?)
    }

    /// The output of helm in the namespace, which must succeed.
    async fn helm(&self, arguments: &[&str]) -> Result<String> {
        let all = [arguments, &["--namespace", "apps"]].concat();
        let output = self.run(&self.helm, &all).await?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!("helm {} failed:\n{}", arguments.join(" "), words(&output)).into())
    }

    /// The same as JSON.
    async fn told(&self, arguments: &[&str]) -> Result<Value> {
        let all = [arguments, &["--output", "json"]].concat();
        Ok(serde_json::from_str(&self.helm(&all).await?)?)
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let program = std::env::var_os("MANAGEDK8S_KUBECTL").ok_or("no kubectl")?;
        let all = [arguments, &["--namespace", "apps"]].concat();
        let output = self.run(&PathBuf::from(program), &all).await?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!(
            "kubectl {} failed:\n{}",
            arguments.join(" "),
            words(&output)
        )
        .into())
    }

    /// Ours deploys.
    async fn deploy(&self, id: &ReleaseId, values: Value, options: &Options) -> Result<Release> {
        let values = serde_json::from_value(values)?;
        self.releases
            .deploy(id, &self.chart, &values, options, &self.cancel)
            .await
            .map_err(|error| error.chain().into())
    }

    /// `revision status` of a release, as both hands tell it.
    async fn history(&self, id: &ReleaseId) -> Result<Vec<String>> {
        let ours: Vec<String> = self
            .releases
            .history(id, &self.cancel)
            .await?
            .iter()
            .map(|release| format!("{} {}", release.revision, release.info.status.as_str()))
            .collect();
        let theirs: Vec<String> = self
            .told(&["history", &id.name])
            .await?
            .as_array()
            .into_iter()
            .flatten()
            .map(|line| {
                let status = line["status"].as_str().unwrap_or_default();
                format!("{} {status}", line["revision"])
            })
            .collect();
        assert_eq!(ours, theirs, "both read the same history");
        Ok(ours)
    }

    /// What is in the ConfigMap of the chart.
    async fn data(&self, name: &str) -> Result<Value> {
        let text = self
            .kubectl(&["get", "configmap", name, "--output", "json"])
            .await?;
        Ok(serde_json::from_str::<Value>(&text)?["data"].clone())
    }

    /// Nothing of a release is left; definitions stay, as helm leaves them.
    async fn expect_nothing(&self) -> Result {
        let left = self
            .kubectl(&[
                "get",
                "deployments,configmaps,jobs,secrets,shelves.interop.example",
                "--output",
                "name",
            ])
            .await?;
        let left: Vec<&str> = left
            .lines()
            .filter(|line| *line != "configmap/kube-root-ca.crt")
            .collect();
        assert!(left.is_empty(), "left: {left:?}");
        assert_eq!(self.told(&["list"]).await?, json!([]));
        Ok(())
    }

    fn chart_path(&self) -> String {
        self.folder.path().join("chart").display().to_string()
    }
}

/// Runs a test on each control plane that is there.
macro_rules! on_both {
    ($($name:ident: $work:ident;)*) => {
        mod built_in {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() -> suites::Result {
                let Some(helm) = super::helm_program() else { return Ok(()) };
                let alone = sandbox::kubernetes::alone::Alone::built_in().await?;
                super::$work(&super::Bed::new(alone, helm).await?).await
            })*
        }
        mod real {
            /// One after the other: each starts a control plane of its own.
            static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() -> suites::Result {
                let (Some(helm), Some(oracles)) = (super::helm_program(), suites::oracles()) else {
                    return Ok(());
                };
                let _alone = ONE.lock().await;
                let alone = sandbox::kubernetes::alone::Alone::real(oracles).await?;
                let bed = super::Bed::new(alone, helm).await?;
                super::$work(&bed).await?;
                Ok(bed.alone.end().await?)
            })*
        }
    };
}

on_both! {
    theirs_takes_over_ours: ours_then_theirs;
    ours_takes_over_theirs: theirs_then_ours;
    failures_and_hands_are_seen: failures;
}

fn helm_program() -> Option<PathBuf> {
    let helm = std::env::var_os("MANAGEDK8S_HELM");
    if helm.is_none() {
        eprintln!("PART SKIPPED: MANAGEDK8S_HELM is not set (acceptance-tests/run sets it)");
    }
    helm.map(PathBuf::from)
}

async fn ours_then_theirs(bed: &Bed) -> Result {
    let id = ReleaseId::new("apps", "site");
    let made = bed.deploy(&id, json!({ "size": 1 }), &options()).await?;
    assert_eq!((made.revision, &made.info.status), (1, &Status::Deployed));
    // Each of helm's readers.
    let list = bed.told(&["list"]).await?;
    assert_eq!(list[0]["name"], "site");
    assert_eq!(list[0]["chart"], "web-1.2.3");
    assert_eq!(list[0]["app_version"], "4.5");
    let status = bed.told(&["status", "site"]).await?;
    assert_eq!(status["info"]["status"], "deployed", "{status}");
    assert_eq!(status["info"]["notes"], "hello site, revision 1\n");
    assert_eq!(
        bed.told(&["get", "values", "site"]).await?,
        json!({ "size": 1 })
    );
    let manifest = bed.helm(&["get", "manifest", "site"]).await?;
    assert!(
        manifest.contains("# Source: web/templates/all.yaml"),
        "{manifest}"
    );
    assert_eq!(manifest.trim_end(), made.manifest.trim_end());
    let hooks = bed.helm(&["get", "hooks", "site"]).await?;
    assert!(hooks.contains("site-hook"), "{hooks}");
    let metadata = bed.told(&["get", "metadata", "site"]).await?;
    assert_eq!(metadata["revision"], 1, "{metadata}");
    // Each of helm's writers.
    let chart = bed.chart_path();
    bed.helm(&[
        "upgrade",
        "site",
        &chart,
        "--set",
        "size=2",
        "--wait",
        "--timeout",
        "60s",
    ])
    .await?;
    assert_eq!(bed.data("site").await?, json!({ "size": "2" }));
    let third = bed.deploy(&id, json!({ "size": 3 }), &options()).await?;
    assert_eq!(third.revision, 3);
    bed.helm(&["rollback", "site", "1", "--wait", "--timeout", "60s"])
        .await?;
    assert_eq!(
        bed.data("site").await?,
        json!({ "size": "1", "only": "first" })
    );
    bed.releases
        .rollback(&id, Some(2), &options(), &bed.cancel)
        .await
        .map_err(|error| error.chain())?;
    assert_eq!(bed.data("site").await?, json!({ "size": "2" }));
    assert_eq!(
        bed.history(&id).await?,
        [
            "1 superseded",
            "2 superseded",
            "3 superseded",
            "4 superseded",
            "5 deployed"
        ]
    );
    bed.helm(&["uninstall", "site", "--wait", "--timeout", "60s"])
        .await?;
    bed.expect_nothing().await
}

async fn theirs_then_ours(bed: &Bed) -> Result {
    let chart = bed.chart_path();
    // Helm applies on the server by itself, and on the client when it is told to.
    for (name, side) in [
        ("served", "--server-side=true"),
        ("patched", "--server-side=false"),
    ] {
        let id = ReleaseId::new("apps", name);
        bed.helm(&[
            "install",
            name,
            &chart,
            side,
            "--create-namespace",
            "--wait",
            "--timeout",
            "60s",
        ])
        .await?;
        let found = bed.releases.last(&id, &bed.cancel).await?.ok_or("unseen")?;
        assert_eq!((found.revision, &found.info.status), (1, &Status::Deployed));
        let drift = bed
            .releases
            .drift(&found, &DriftOptions::default(), &bed.cancel)
            .await
            .map_err(|error| error.chain())?;
        assert!(drift.is_empty(), "{:?}", drift.compact());
        let second = bed.deploy(&id, json!({ "size": 7 }), &options()).await?;
        assert_eq!(second.revision, 2);
        assert_eq!(
            bed.data(name).await?,
            json!({ "size": "7" }),
            "{name}: what is no longer rendered goes"
        );
        bed.helm(&[
            "upgrade",
            name,
            &chart,
            "--set",
            "size=8",
            "--wait",
            "--timeout",
            "60s",
        ])
        .await?;
        bed.releases
            .rollback(&id, Some(1), &options(), &bed.cancel)
            .await
            .map_err(|error| error.chain())?;
        assert_eq!(
            bed.data(name).await?,
            json!({ "size": "1", "only": "first" })
        );
        assert_eq!(
            bed.history(&id).await?,
            ["1 superseded", "2 superseded", "3 superseded", "4 deployed"]
        );
        let uninstall = UninstallOptions {
            wait: true,
            timeout: Duration::from_mins(1),
            ..UninstallOptions::default()
        };
        bed.releases
            .uninstall(&id, &uninstall, &bed.cancel)
            .await
            .map_err(|error| error.chain())?;
    }
    bed.expect_nothing().await
}

async fn failures(bed: &Bed) -> Result {
    let id = ReleaseId::new("apps", "site");
    let good = bed.deploy(&id, json!({ "size": 1 }), &options()).await?;
    // A workload that never gets ready: both see the failure, and a way out of it.
    let short = Options {
        timeout: Duration::from_secs(4),
        ..options()
    };
    let failed = bed
        .deploy(&id, json!({ "size": 2, "outcome": "crash" }), &short)
        .await;
    let told = failed
        .err()
        .ok_or("nothing is ready, yet it passed")?
        .to_string();
    assert!(told.contains("Deployment"), "{told}");
    assert_eq!(
        bed.told(&["status", "site"]).await?["info"]["status"],
        "failed"
    );
    bed.helm(&["rollback", "site", "1", "--wait", "--timeout", "60s"])
        .await?;
    assert_eq!(
        bed.history(&id).await?.last().map(String::as_str),
        Some("3 deployed")
    );
    // A hand on a field of the release is drift, with its name; a deployment stops at it until it may take it.
    bed.kubectl(&[
        "patch",
        "configmap",
        "site",
        "--type=merge",
        "--patch",
        r#"{"data":{"size":"99"}}"#,
        "--field-manager=somebody",
    ])
    .await?;
    let last = bed.releases.last(&id, &bed.cancel).await?.ok_or("unseen")?;
    let drift = bed
        .releases
        .drift(&last, &DriftOptions::default(), &bed.cancel)
        .await
        .map_err(|error| error.chain())?;
    let compact = format!("{:?}", drift.compact());
    assert!(
        compact.contains("somebody") && compact.contains("size"),
        "{compact}"
    );
    let stopped = bed.deploy(&id, json!({ "size": 5 }), &options()).await;
    let told = stopped
        .err()
        .ok_or("a conflict was passed over")?
        .to_string();
    assert!(told.contains("somebody"), "{told}");
    let forced = Options {
        force_conflicts: true,
        ..options()
    };
    let forced = bed.deploy(&id, json!({ "size": 5 }), &forced).await?;
    assert_eq!(bed.data("site").await?, json!({ "size": "5" }));
    assert!(forced.revision > good.revision);
    // An object that is gone is drift too.
    bed.kubectl(&["delete", "configmap", "site"]).await?;
    let drift = bed
        .releases
        .drift(&forced, &DriftOptions::default(), &bed.cancel)
        .await
        .map_err(|error| error.chain())?;
    assert_eq!(drift.compact().len(), 1, "{:?}", drift.compact());
    bed.helm(&["uninstall", "site", "--wait", "--timeout", "60s"])
        .await?;
    bed.expect_nothing().await
}
