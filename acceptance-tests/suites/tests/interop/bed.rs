//! One control plane, ours and theirs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use helm::release::{Options, Release, ReleaseId, Status, ValuesPolicy, Wait};
use helm::{Chart, Releases, WriteOptions};
use rustls_pki_types::pem::PemObject as _;
use sandbox::kubernetes::alone::{Alone, network_agent};
use serde_json::{Value, json};
use suites::Result;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// A chart that both hands deploy: a hook, a workload to wait for, a definition with an object of its kind.
const CHART: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: \"4.5\"\n",
    ),
    (
        "values.yaml",
        "size: 1\noutcome: good\nhook: good\ntest: good\n",
    ),
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
  backoffLimit: 0
  template:
    metadata:
      annotations: { sandbox.managedk8s.io/outcome: {{ .Values.hook }} }
    spec:
      restartPolicy: Never
      containers: [{ name: a, image: hook }]
",
    ),
    (
        "templates/test.yaml",
        "apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-test
  annotations:
    helm.sh/hook: test
    sandbox.managedk8s.io/outcome: {{ .Values.test }}
spec:
  restartPolicy: Never
  containers: [{ name: a, image: test }]
",
    ),
];

/// One control plane with both hands on it.
pub struct Bed {
    pub alone: Alone,
    pub releases: Releases,
    chart: Chart,
    folder: tempfile::TempDir,
    helm: PathBuf,
    pub cancel: CancellationToken,
}

/// The part of an output that tells why.
fn words(output: &std::process::Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Ours waits, and keeps nothing of earlier values.
pub fn options() -> Options {
    Options {
        create_namespace: true,
        timeout: Duration::from_mins(1),
        wait: Wait::Ready,
        values: ValuesPolicy::Reset,
        ..Options::default()
    }
}

impl Bed {
    /// Both hands on a control plane.
    pub async fn new(alone: Alone, helm: PathBuf) -> Result<Self> {
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

    /// A program of theirs, with the cluster.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.folder.path().join("home"))
            .env("KUBECONFIG", self.folder.path().join("config"))
            .kill_on_drop(true);
        command
    }

    /// Helm's own installation or upgrade of the chart, which must succeed unless it is expected not to.
    pub async fn theirs(
        &self,
        verb: &str,
        name: &str,
        values: &str,
        more: &[&str],
    ) -> Result<String> {
        let chart = self.chart_path();
        let mut arguments = vec![verb, name, &chart, "--set", values, "--timeout", "60s"];
        arguments.extend(more);
        if verb == "install" {
            arguments.push("--create-namespace");
        }
        self.helm(&arguments).await
    }

    /// Helm starts and is killed, as `kill -9` does it, once the record has the status.
    pub async fn killed(
        &self,
        verb: &str,
        id: &ReleaseId,
        values: &str,
        status: &Status,
    ) -> Result {
        let chart = self.chart_path();
        let mut child = self
            .command(&self.helm)
            .args([verb, &id.name, &chart, "--set", values, "--timeout", "300s"])
            .args(["--namespace", &id.namespace])
            .spawn()?;
        self.until_status(id, status).await?;
        child.kill().await?;
        Ok(())
    }

    /// Waits until the newest record has the status.
    pub async fn until_status(&self, id: &ReleaseId, status: &Status) -> Result {
        for _ in 0..1200 {
            let last = self.releases.last(id, &self.cancel).await?;
            if last.is_some_and(|last| last.info.status == *status) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("{id:?} never became {}", status.as_str()).into())
    }

    /// The output of helm in the namespace, which must succeed.
    pub async fn helm(&self, arguments: &[&str]) -> Result<String> {
        self.helm_in("apps", arguments).await
    }

    /// The same in another namespace.
    pub async fn helm_in(&self, space: &str, arguments: &[&str]) -> Result<String> {
        let all = [arguments, &["--namespace", space]].concat();
        let output = self.command(&self.helm).args(&all).output().await?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!("helm {} failed:\n{}", arguments.join(" "), words(&output)).into())
    }

    /// What helm says when it fails, which it must.
    pub async fn refused(&self, arguments: &[&str]) -> Result<String> {
        match self.helm(arguments).await {
            Ok(told) => Err(format!("helm {arguments:?} passed: {told}").into()),
            Err(error) => Ok(error.to_string()),
        }
    }

    /// The same as JSON.
    pub async fn told(&self, arguments: &[&str]) -> Result<Value> {
        let all = [arguments, &["--output", "json"]].concat();
        Ok(serde_json::from_str(&self.helm(&all).await?)?)
    }

    /// The output of kubectl in the namespace, which must succeed.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let program = std::env::var_os("MANAGEDK8S_KUBECTL").ok_or("no kubectl")?;
        let all = [arguments, &["--namespace", "apps"]].concat();
        let output = self
            .command(Path::new(&program))
            .args(&all)
            .output()
            .await?;
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
    pub async fn deploy(
        &self,
        id: &ReleaseId,
        values: Value,
        options: &Options,
    ) -> Result<Release> {
        self.deploy_chart(&self.chart, id, values, options).await
    }

    /// Ours deploys another chart.
    pub async fn deploy_chart(
        &self,
        chart: &Chart,
        id: &ReleaseId,
        values: Value,
        options: &Options,
    ) -> Result<Release> {
        let values = serde_json::from_value(values)?;
        self.releases
            .deploy(id, chart, &values, options, &self.cancel)
            .await
            .map_err(|error| error.chain().into())
    }

    /// Why ours does not deploy, which it must not.
    pub async fn not_deployed(
        &self,
        id: &ReleaseId,
        values: Value,
        options: &Options,
    ) -> Result<String> {
        match self.deploy(id, values, options).await {
            Ok(release) => Err(format!("revision {} was deployed", release.revision).into()),
            Err(error) => Ok(error.to_string()),
        }
    }

    /// `revision status` of a release, as both hands tell it.
    pub async fn history(&self, id: &ReleaseId) -> Result<Vec<String>> {
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
    pub async fn data(&self, name: &str) -> Result<Value> {
        let text = self
            .kubectl(&["get", "configmap", name, "--output", "json"])
            .await?;
        Ok(serde_json::from_str::<Value>(&text)?["data"].clone())
    }

    /// Whatever a test left, for the next one on the same control plane.
    pub async fn clean(&self) -> Result {
        for kind in ["namespace/apps", "namespace/space-a", "namespace/space-b"] {
            self.kubectl(&["delete", kind, "--ignore-not-found"])
                .await?;
        }
        let definition = "customresourcedefinition/shelves.interop.example";
        self.kubectl(&["delete", definition, "--ignore-not-found"])
            .await?;
        Ok(())
    }

    /// Nothing of a release is left; definitions stay, as helm leaves them.
    pub async fn expect_nothing(&self) -> Result {
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

    /// The chart's folder.
    pub fn chart_path(&self) -> String {
        self.folder.path().join("chart").display().to_string()
    }
}
