//! What the parts of a control plane are told: the files and flags that Talos makes of a machine configuration.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value, json};

use super::process::API_PORT;
use crate::kubernetes::{Authority, Settings};

/// Flags by name; a flag with several values is given several times.
pub type Flags = BTreeMap<String, Vec<String>>;

/// Everything of a machine configuration that the control plane is made of.
#[derive(Clone)]
pub struct Spec {
    /// What the built-in API takes too.
    pub settings: Settings,
    /// URL of the API: issuer and audience of service-account tokens.
    pub endpoint: String,
    /// Token of kubelets, `id.secret`.
    pub bootstrap_token: String,
    /// Authority of etcd.
    pub etcd_ca: Authority,
    /// Authority of the aggregation layer.
    pub aggregator_ca: Authority,
    /// Key of service-account tokens, PEM.
    pub service_account_key: String,
    /// Admission plugins with their configuration: `name`, `configuration`.
    pub admission: Vec<Value>,
    /// Audit policy.
    pub audit: Value,
    /// Structured authentication, or null.
    pub authentication: Value,
    /// Encryption at rest: the body of an `EncryptionConfiguration`.
    pub encryption: Value,
    /// Flags that the configuration adds or replaces, by component.
    pub extra_args: BTreeMap<&'static str, Flags>,
    /// Configuration of the scheduler, or null.
    pub scheduler: Value,
    /// Name server of the cluster is installed.
    pub core_dns: bool,
}

/// A flag that shortens what takes minutes on machines.
const IMPATIENCE: &[(&str, &str, &str)] = &[
    (
        "kube-apiserver",
        "default-not-ready-toleration-seconds",
        "10",
    ),
    (
        "kube-apiserver",
        "default-unreachable-toleration-seconds",
        "10",
    ),
    (
        "kube-controller-manager",
        "node-monitor-grace-period",
        "14s",
    ),
    ("kube-controller-manager", "node-monitor-period", "2s"),
];

/// The file of some name in the folder, as a value of a flag.
fn at(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

impl Spec {
    /// The files that are no keys or certificates.
    pub(super) fn files(&self) -> Vec<(&'static str, String)> {
        let kind = |version: &str, kind: &str, body: &Value| {
            let mut object = body.clone();
            object["apiVersion"] = json!(version);
            object["kind"] = json!(kind);
            object.to_string()
        };
        let plugins = json!({ "plugins": self.admission });
        let mut files = vec![
            (
                "admission.json",
                kind(
                    "apiserver.config.k8s.io/v1",
                    "AdmissionConfiguration",
                    &plugins,
                ),
            ),
            ("audit.json", self.audit.to_string()),
            (
                "encryption.json",
                kind(
                    "apiserver.config.k8s.io/v1",
                    "EncryptionConfiguration",
                    &self.encryption,
                ),
            ),
            ("service-account.key", self.service_account_key.clone()),
            ("ca.crt", self.settings.ca.certificate_pem.clone()),
            ("ca.key", self.settings.ca.key_pem.clone()),
            ("etcd-ca.crt", self.etcd_ca.certificate_pem.clone()),
            (
                "aggregator-ca.crt",
                self.aggregator_ca.certificate_pem.clone(),
            ),
        ];
        if !self.authentication.is_null() {
            files.push(("authentication.json", self.authentication.to_string()));
        }
        if !self.scheduler.is_null() {
            let client = json!({ "kubeconfig": "scheduler.kubeconfig" });
            let mut body = self.scheduler.clone();
            body["clientConnection"] = client;
            body["leaderElection"] = json!({ "leaderElect": false });
            files.push((
                "scheduler.json",
                kind(
                    "kubescheduler.config.k8s.io/v1",
                    "KubeSchedulerConfiguration",
                    &body,
                ),
            ));
        }
        files
    }

    /// Flags of the API server, with etcd in the same process.
    pub(super) fn api_server(&self, folder: &Path, address: Ipv4Addr) -> Vec<String> {
        let file = |name: &str| at(folder, name);
        let mut flags: Vec<(&str, String)> = vec![
            // No container runs, so nobody answers webhooks; and nothing may be dialled at a pod's or a Service's address,
            // which somebody else has on this machine's network.
            (
                "disable-admission-plugins",
                "MutatingAdmissionWebhook,ValidatingAdmissionWebhook".into(),
            ),
            ("egress-selector-config-file", file("egress.json")),
            ("embedded-etcd", file("etcd")),
            ("embedded-etcd-listen", format!("https://{address}:2379")),
            ("etcd-cafile", file("etcd-ca.crt")),
            ("etcd-certfile", file("etcd.crt")),
            ("etcd-keyfile", file("etcd.key")),
            ("admission-control-config-file", file("admission.json")),
            ("allow-privileged", "true".into()),
            ("anonymous-auth", "false".into()),
            ("api-audiences", self.endpoint.clone()),
            ("audit-log-path", file("audit.log")),
            ("audit-policy-file", file("audit.json")),
            ("authorization-mode", "Node,RBAC".into()),
            ("bind-address", address.to_string()),
            ("client-ca-file", file("ca.crt")),
            ("enable-admission-plugins", "NodeRestriction".into()),
            ("enable-bootstrap-token-auth", "true".into()),
            ("encryption-provider-config", file("encryption.json")),
            // The sandbox writes the endpoints of all members itself: this server stands for them.
            ("endpoint-reconciler-type", "none".into()),
            ("profiling", "false".into()),
            ("proxy-client-cert-file", file("front-proxy-client.crt")),
            ("proxy-client-key-file", file("front-proxy-client.key")),
            ("requestheader-allowed-names", "front-proxy-client".into()),
            ("requestheader-client-ca-file", file("aggregator-ca.crt")),
            (
                "requestheader-extra-headers-prefix",
                "X-Remote-Extra-".into(),
            ),
            ("requestheader-group-headers", "X-Remote-Group".into()),
            ("requestheader-username-headers", "X-Remote-User".into()),
            ("secure-port", API_PORT.to_string()),
            ("service-account-issuer", self.endpoint.clone()),
            ("service-account-key-file", file("service-account.key")),
            (
                "service-account-signing-key-file",
                file("service-account.key"),
            ),
            (
                "service-cluster-ip-range",
                self.settings.service_cidr.to_string(),
            ),
            ("shutdown-delay-duration", "0s".into()),
            ("tls-cert-file", file("apiserver.crt")),
            ("tls-min-version", "VersionTLS12".into()),
            ("tls-private-key-file", file("apiserver.key")),
        ];
        if let Some(first) = self.settings.control_plane_addresses.first() {
            flags.push(("advertise-address", first.to_string()));
        }
        if !self.authentication.is_null() {
            flags.push(("authentication-config", file("authentication.json")));
        }
        self.complete("kube-apiserver", flags)
    }

    /// Flags of the controller manager.
    pub(super) fn controllers(&self, folder: &Path) -> Vec<String> {
        let file = |name: &str| at(folder, name);
        let kubeconfig = file("controllers.kubeconfig");
        let flags = vec![
            ("allocate-node-cidrs", "true".into()),
            ("authentication-kubeconfig", kubeconfig.clone()),
            ("authorization-kubeconfig", kubeconfig.clone()),
            ("cluster-cidr", self.settings.pod_cidr.to_string()),
            ("cluster-signing-cert-file", file("ca.crt")),
            ("cluster-signing-key-file", file("ca.key")),
            ("configure-cloud-routes", "false".into()),
            ("controllers", "*,tokencleaner".into()),
            ("kubeconfig", kubeconfig),
            // One process stands for all members.
            ("leader-elect", "false".into()),
            ("profiling", "false".into()),
            ("root-ca-file", file("ca.crt")),
            ("secure-port", "0".into()),
            (
                "service-account-private-key-file",
                file("service-account.key"),
            ),
            (
                "service-cluster-ip-range",
                self.settings.service_cidr.to_string(),
            ),
            ("use-service-account-credentials", "true".into()),
        ];
        self.complete("kube-controller-manager", flags)
    }

    /// Flags of the scheduler.
    pub(super) fn scheduler(&self, folder: &Path) -> Vec<String> {
        let kubeconfig = at(folder, "scheduler.kubeconfig");
        let mut flags = vec![
            ("authentication-kubeconfig", kubeconfig.clone()),
            ("authorization-kubeconfig", kubeconfig.clone()),
            ("profiling", "false".into()),
            ("secure-port", "0".into()),
        ];
        if self.scheduler.is_null() {
            flags.push(("kubeconfig", kubeconfig));
            flags.push(("leader-elect", "false".into()));
        } else {
            flags.push(("config", at(folder, "scheduler.json")));
        }
        self.complete("kube-scheduler", flags)
    }

    /// Flags of kwok.
    pub(super) fn kubelets(folder: &Path) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", at(folder, "kubelets.kubeconfig")),
            format!("--config={}", at(folder, "stages.yaml")),
            format!(
                "--manage-nodes-with-label-selector={}=up",
                super::machines::KUBELET
            ),
            "--node-lease-duration-seconds=12".into(),
        ]
    }

    fn complete(&self, component: &'static str, flags: Vec<(&str, String)>) -> Vec<String> {
        let mut all = Flags::new();
        for (name, value) in flags {
            all.insert(name.to_owned(), vec![value]);
        }
        for (_, name, value) in IMPATIENCE.iter().filter(|(part, _, _)| *part == component) {
            all.insert((*name).to_owned(), vec![(*value).to_owned()]);
        }
        if let Some(extra) = self.extra_args.get(component) {
            all.extend(extra.clone());
        }
        all.iter()
            .flat_map(|(name, values)| values.iter().map(move |value| format!("--{name}={value}")))
            .collect()
    }
}
