//! The files with which people and programs reach a cluster: kubeconfig and talosconfig.
//!
//! Each comes in two forms. With a credential inside it is secret and lives for minutes; without
//! one it is public: the kubeconfig then names the program that mints a certificate at each use,
//! the talosconfig the command that completes it, because talosctl has no such hook.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use product::Birth;
use secret::SecretString;
use serde_json::json;

use crate::pki::ClientCredential;
use crate::yaml::{self, Map, Yaml};

/// The program that mints credentials.
const PROGRAM: &str = "terraform-provider-managedk8s";

/// Which cluster `credential` mints for; all of it public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterIdentity<'a> {
    /// Tenant, as the key derivation takes it.
    pub tenant: &'a str,
    /// Identifier, and name of the cluster in the files.
    pub identifier: &'a str,
    /// Birth.
    pub birth: Birth,
}

impl ClusterIdentity<'_> {
    /// The arguments after the program's name: `credential KIND --tenant … --identifier …
    /// --birth …`.
    pub fn credential_arguments(&self, kind: &str) -> Vec<String> {
        vec![
            "credential".to_owned(),
            kind.to_owned(),
            "--tenant".to_owned(),
            self.tenant.to_owned(),
            "--identifier".to_owned(),
            self.identifier.to_owned(),
            "--birth".to_owned(),
            self.birth.to_string(),
        ]
    }
}

/// Where the Kubernetes API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesAccess<'a> {
    /// Name of cluster and context.
    pub name: &'a str,
    /// `https://host:6443`.
    pub server: &'a str,
    /// Accepted CA certificates, PEM, concatenated.
    pub ca: &'a str,
    /// Proxy between the reader and the API, `http://…` or `socks5://…`.
    pub proxy_url: Option<&'a str>,
}

impl KubernetesAccess<'_> {
    /// A kubeconfig with a certificate and its key inside.
    pub fn with_credential(&self, user: &str, credential: &ClientCredential) -> SecretString {
        let user_entry = Map::new()
            .with(
                "client-certificate-data",
                STANDARD.encode(credential.certificate.to_pem()),
            )
            .with(
                "client-key-data",
                STANDARD.encode(credential.key.to_pem().expose_secret()),
            );
        SecretString::new(self.kubeconfig(user, user_entry))
    }

    /// A public kubeconfig: kubectl and every client library run the program at use, which mints a
    /// certificate of minutes from the key in its environment.
    pub fn with_program(&self, identity: &ClusterIdentity<'_>) -> String {
        let exec = Map::new()
            .with("apiVersion", "client.authentication.k8s.io/v1")
            .with("command", PROGRAM)
            .with("args", identity.credential_arguments("kubernetes"))
            .with(
                "installHint",
                format!(
                    "{PROGRAM} mints the certificate for this cluster: put it on the PATH (it is \
                     the Terraform provider's own program) and set MANAGEDK8S_KEY."
                ),
            )
            .with("interactiveMode", "Never")
            .with("provideClusterInfo", false);
        self.kubeconfig("admin", Map::new().with("exec", exec))
    }

    fn kubeconfig(&self, user: &str, user_entry: Map) -> String {
        let context = format!("{user}@{}", self.name);
        let cluster = Map::new()
            .with("server", self.server)
            .with_some("proxy-url", self.proxy_url)
            .with("certificate-authority-data", STANDARD.encode(self.ca));
        let named = |name: &str, key: &str, value: Map| {
            vec![Map::new().with("name", name).with(key, value)]
        };
        let context_entry = Map::new()
            .with("cluster", self.name)
            .with("namespace", "default")
            .with("user", context.as_str());
        let config = Map::new()
            .with("apiVersion", "v1")
            .with("kind", "Config")
            .with("clusters", named(self.name, "cluster", cluster))
            .with("users", named(&context, "user", user_entry))
            .with("contexts", named(&context, "context", context_entry))
            .with("current-context", context.as_str());
        yaml::to_text(&Yaml::Map(config))
    }
}

/// What an exec credential program prints (Kubernetes docs, "client-go credential plugins").
pub fn exec_credential(credential: &ClientCredential) -> SecretString {
    let answer = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {
            "expirationTimestamp": whole_seconds(credential.validity.not_after),
            "clientCertificateData": credential.certificate.to_pem(),
            "clientKeyData": credential.key.to_pem().expose_secret(),
        },
    });
    SecretString::new(format!("{answer}\n"))
}

fn whole_seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

/// Where the Talos API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TalosAccess<'a> {
    /// Name of the context.
    pub name: &'a str,
    /// Addresses that are dialled: the control-plane nodes, never the VIP, which depends on etcd.
    pub endpoints: &'a [String],
    /// Nodes addressed when none is named.
    pub nodes: &'a [String],
    /// The Talos CA certificate, PEM.
    pub ca: &'a str,
    /// Proxy between the reader and the nodes.
    pub proxy_url: Option<&'a str>,
}

impl TalosAccess<'_> {
    /// A talosconfig with a certificate and its key inside.
    pub fn with_credential(&self, credential: &ClientCredential) -> SecretString {
        let crt = STANDARD.encode(credential.certificate.to_pem());
        let key = STANDARD.encode(credential.key.to_pem().expose_secret());
        SecretString::new(self.talosconfig(Some((&crt, &key))))
    }

    /// A public talosconfig, which `credential talosconfig` completes: it reads this file on
    /// standard input and writes it with a certificate of minutes.
    pub fn without_credential(&self, identity: &ClusterIdentity<'_>) -> String {
        let arguments = identity.credential_arguments("talosconfig").join(" ");
        format!(
            "# No credential inside. To get one that lives for minutes, with MANAGEDK8S_KEY set:\n\
             #   {PROGRAM} {arguments} < this-file > ~/.talos/config\n{}",
            self.talosconfig(None)
        )
    }

    fn talosconfig(&self, credential: Option<(&str, &str)>) -> String {
        let mut context = Map::new().with("endpoints", self.endpoints.to_vec());
        if !self.nodes.is_empty() {
            context.set("nodes", self.nodes.to_vec());
        }
        if let Some(proxy) = self.proxy_url {
            context.set("proxy-url", proxy);
        }
        context.set("ca", STANDARD.encode(self.ca));
        if let Some((crt, key)) = credential {
            context.set("crt", crt);
            context.set("key", key);
        }
        let config = Map::new()
            .with("context", self.name)
            .with("contexts", Map::new().with(self.name, context));
        yaml::to_text(&Yaml::Map(config))
    }
}

/// Puts a credential into the current context of a public talosconfig.
///
/// # Errors
/// A sentence when the text is no talosconfig with a current context.
pub fn complete_talosconfig(
    public: &str,
    credential: &ClientCredential,
) -> Result<SecretString, &'static str> {
    const WRONG: &str = "this is not a talosconfig with a current context: give the output \
                         `talosconfig` of the cluster on standard input";
    let mut documents = yaml::parse(public).map_err(|_| WRONG)?;
    let Some(Yaml::Map(config)) = documents.first_mut() else {
        return Err(WRONG);
    };
    let name = config.text("context").ok_or(WRONG)?.to_owned();
    let Some(Yaml::Map(contexts)) = config.get_mut("contexts") else {
        return Err(WRONG);
    };
    let Some(Yaml::Map(context)) = contexts.get_mut(&name) else {
        return Err(WRONG);
    };
    context.set("crt", STANDARD.encode(credential.certificate.to_pem()));
    context.set(
        "key",
        STANDARD.encode(credential.key.to_pem().expose_secret()),
    );
    Ok(SecretString::new(yaml::to_text(&documents[0])))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::pki::tests::{cluster_key, pki};
    use crate::{TalosRole, Validity};

    fn identity() -> ClusterIdentity<'static> {
        ClusterIdentity {
            tenant: "0a000000-0000-4000-8000-000000000071",
            identifier: "alpha",
            birth: cluster_key().birth(),
        }
    }

    fn validity() -> Validity {
        let now = "2026-11-21T10:00:00Z".parse().expect("a time");
        Validity::starting(now, SignedDuration::from_mins(10)).expect("in the calendar")
    }

    fn kubernetes() -> KubernetesAccess<'static> {
        KubernetesAccess {
            name: "alpha",
            server: "https://10.20.0.20:6443",
            ca: "CA\n",
            proxy_url: Some("socks5://127.0.0.1:1080"),
        }
    }

    #[test]
    fn public_files_are_as_reviewed() {
        let endpoints = ["10.20.0.21".to_owned(), "10.20.0.22".to_owned()];
        let talos = TalosAccess {
            name: "alpha",
            endpoints: &endpoints,
            nodes: &endpoints[..1],
            ca: "CA\n",
            proxy_url: None,
        };
        insta::assert_snapshot!(format!(
            "{}\n{}",
            kubernetes().with_program(&identity()),
            talos.without_credential(&identity())
        ));
    }

    #[test]
    fn a_public_talosconfig_is_completed() {
        let endpoints = ["10.20.0.21".to_owned()];
        let talos = TalosAccess {
            name: "alpha",
            endpoints: &endpoints,
            nodes: &[],
            ca: "CA\n",
            proxy_url: None,
        };
        let credential = pki()
            .talos_client(TalosRole::Reader, validity())
            .expect("minted");
        let public = talos.without_credential(&identity());
        let completed = complete_talosconfig(&public, &credential).expect("a talosconfig");
        assert!(completed.expose_secret() == talos.with_credential(&credential).expose_secret());
        for wrong in [
            "",
            "a: [",
            "context: x\n",
            "context: x\ncontexts: {y: {}}\n",
        ] {
            assert!(complete_talosconfig(wrong, &credential).is_err(), "{wrong}");
        }
    }

    #[test]
    fn exec_credentials_say_when_they_end() {
        let credential = pki()
            .kubernetes_client("admin", &["system:masters".to_owned()], validity())
            .expect("minted");
        let answer: serde_json::Value =
            serde_json::from_str(exec_credential(&credential).expose_secret()).expect("JSON");
        assert_eq!(
            answer["status"]["expirationTimestamp"],
            "2026-11-21T10:10:00Z"
        );
        assert_eq!(
            answer["status"]["clientCertificateData"],
            credential.certificate.to_pem()
        );
        let inline = kubernetes().with_credential("admin", &credential);
        assert!(yaml::parse(inline.expose_secret()).is_ok());
        assert!(
            inline
                .expose_secret()
                .contains("current-context: admin@alpha\n")
        );
    }
}
