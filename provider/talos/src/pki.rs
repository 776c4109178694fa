//! The PKI of one cluster, derived from its key.
//!
//! Four self-signed authorities and a service-account key, as Talos wants them: the Talos API on
//! Ed25519, Kubernetes, aggregator and etcd on P-256. Only the public CA certificates are ever
//! stored; keys are derived again at each use, client certificates are minted for minutes.

mod bundle;
mod certificate;
mod der;
mod error;
mod key;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use jiff::Timestamp;
use secret::{ClusterKey, SecretString};
use serde::{Deserialize, Serialize};
use x509_parser::pem::Pem;

pub use certificate::{Certificate, Validity};
pub use error::PkiError;
pub use key::PrivateKey;

use certificate::{Subject, encoded_name};
use product::Contract;

/// The public CA certificates of a cluster, PEM. This is what state keeps of the PKI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaCertificates {
    /// Issues the certificates of the Talos API.
    pub talos: String,
    /// Issues those of the Kubernetes API and of kubelets.
    pub kubernetes: String,
    /// Issues the front-proxy client certificate.
    pub aggregator: String,
    /// Issues those of etcd.
    pub etcd: String,
}

/// What a client certificate of the Talos API may do (Talos docs, "Role-based access control").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TalosRole {
    /// Everything, secrets included.
    Admin,
    /// Reading, and restarting services and nodes.
    Operator,
    /// Reading what is not secret.
    Reader,
}

impl TalosRole {
    /// The organisation that carries the role.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "os:admin",
            Self::Operator => "os:operator",
            Self::Reader => "os:reader",
        }
    }
}

/// A client certificate with its key.
#[derive(Clone)]
pub struct ClientCredential {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key, made for this certificate alone.
    pub key: PrivateKey,
    /// When it is valid.
    pub validity: Validity,
}

/// One authority: what identifies it, and how its key is derived.
struct Kind {
    which: &'static str,
    purpose: &'static str,
    organisation: Option<&'static str>,
    ed25519: bool,
}

const TALOS: Kind = Kind {
    which: "talos",
    purpose: "talos/ca",
    organisation: Some("talos"),
    ed25519: true,
};
const KUBERNETES: Kind = Kind {
    which: "kubernetes",
    purpose: "kubernetes/ca",
    organisation: Some("kubernetes"),
    ed25519: false,
};
// The official generator writes an empty subject, and verifiers follow the raw name.
const AGGREGATOR: Kind = Kind {
    which: "aggregator",
    purpose: "aggregator/ca",
    organisation: None,
    ed25519: false,
};
const ETCD: Kind = Kind {
    which: "etcd",
    purpose: "etcd/ca",
    organisation: Some("etcd"),
    ed25519: false,
};

impl Kind {
    fn subject(&self) -> Subject<'static> {
        Subject {
            organisations: self.organisation.into_iter().collect(),
            common_name: None,
        }
    }

    fn key(&self, cluster: &ClusterKey) -> PrivateKey {
        if self.ed25519 {
            PrivateKey::ed25519(&cluster.ed25519_seed(self.purpose))
        } else {
            p256(cluster, self.purpose)
        }
    }
}

fn p256(cluster: &ClusterKey, purpose: &str) -> PrivateKey {
    PrivateKey::p256(&cluster.p256_scalar(purpose))
        .expect("a derived scalar lies between 1 and the order of the group")
}

/// An authority with its key and certificate.
#[derive(Clone)]
pub struct Authority {
    certificate: Certificate,
    key: PrivateKey,
    name: Vec<u8>,
}

impl Authority {
    /// The public certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The private key; it belongs into machine configurations only.
    pub const fn key(&self) -> &PrivateKey {
        &self.key
    }

    fn born(kind: &Kind, cluster: &ClusterKey, validity: Validity) -> Self {
        let key = kind.key(cluster);
        let subject = kind.subject();
        Self {
            certificate: Certificate::authority(&key, &subject, validity),
            name: encoded_name(&subject),
            key,
        }
    }

    fn stored(kind: &Kind, cluster: &ClusterKey, pem: &str) -> Result<Self, PkiError> {
        let unreadable = |reason: String| PkiError::Unreadable {
            which: kind.which,
            reason,
        };
        let block = Pem::iter_from_buffer(pem.as_bytes())
            .next()
            .ok_or_else(|| unreadable("no PEM block".to_owned()))?
            .map_err(|error| unreadable(error.to_string()))?;
        let certificate = block
            .parse_x509()
            .map_err(|error| unreadable(error.to_string()))?;
        let key = kind.key(cluster);
        let name = encoded_name(&kind.subject());
        let foreign = certificate.public_key().raw != key.public_key_info()
            || certificate.subject().as_raw() != name;
        if foreign {
            return Err(PkiError::OtherKey { which: kind.which });
        }
        Ok(Self {
            certificate: Certificate::from_der(block.contents.clone()),
            key,
            name,
        })
    }

    fn issue(
        &self,
        subject: &Subject<'_>,
        validity: Validity,
    ) -> Result<ClientCredential, PkiError> {
        let key = self.key.random_like()?;
        Ok(ClientCredential {
            certificate: Certificate::client(&self.key, &self.name, &key, subject, validity),
            key,
            validity,
        })
    }
}

/// The tokens and symmetric keys of a cluster.
#[derive(Clone)]
pub struct ClusterSecrets {
    /// 32 bytes that name the cluster to discovery and KubeSpan. Not secret by itself.
    id: [u8; 32],
    /// Encrypts what discovery carries; base64.
    pub cluster_secret: SecretString,
    /// Lets a node ask trustd for its certificate; `abcdef.0123456789abcdef`.
    pub trustd_token: SecretString,
    /// Lets a kubelet join; same shape.
    pub bootstrap_token: SecretString,
    /// Encrypts Kubernetes Secrets in etcd; base64.
    pub secretbox_key: SecretString,
}

impl ClusterSecrets {
    fn derive(cluster: &ClusterKey) -> Self {
        let base64 = |purpose: &str| {
            let text = STANDARD.encode(cluster.derive::<32>(purpose).expose_secret());
            secret::register(&text);
            SecretString::new(text)
        };
        Self {
            id: *cluster.derive::<32>("cluster/id").expose_secret(),
            cluster_secret: base64("cluster/secret"),
            trustd_token: token(cluster, "talos/trustd-token"),
            bootstrap_token: token(cluster, "kubernetes/bootstrap-token"),
            secretbox_key: base64("kubernetes/secretbox"),
        }
    }

    /// The cluster id as text: base64, in the URL alphabet until contract 1.13.
    pub fn cluster_id(&self, contract: Contract) -> String {
        if contract >= Contract::V1_14 {
            STANDARD.encode(self.id)
        } else {
            URL_SAFE.encode(self.id)
        }
    }
}

fn token(cluster: &ClusterKey, purpose: &str) -> SecretString {
    const ALPHABET: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let text = cluster.text(purpose, ALPHABET, 22);
    let (id, rest) = text.expose_secret().split_at(6);
    let text = format!("{id}.{rest}");
    secret::register(&text);
    SecretString::new(text)
}

/// Everything secret of one cluster, in memory only.
#[derive(Clone)]
pub struct ClusterPki {
    /// The Talos API's authority.
    pub talos: Authority,
    /// The Kubernetes API's authority.
    pub kubernetes: Authority,
    /// The front proxy's authority.
    pub aggregator: Authority,
    /// etcd's authority.
    pub etcd: Authority,
    /// Signs service-account tokens; P-256.
    pub service_account: PrivateKey,
    /// Tokens and symmetric keys.
    pub secrets: ClusterSecrets,
}

impl ClusterPki {
    /// The PKI of a cluster born at `birth_time`. The same key and time give the same bytes.
    ///
    /// # Errors
    /// [`PkiError::Time`] when the ten years of a CA do not fit the calendar.
    pub fn derive(cluster: &ClusterKey, birth_time: Timestamp) -> Result<Self, PkiError> {
        let validity = Validity::authority(birth_time)?;
        let born = |kind| Authority::born(kind, cluster, validity);
        Ok(Self {
            talos: born(&TALOS),
            kubernetes: born(&KUBERNETES),
            aggregator: born(&AGGREGATOR),
            etcd: born(&ETCD),
            service_account: p256(cluster, "kubernetes/service-account"),
            secrets: ClusterSecrets::derive(cluster),
        })
    }

    /// The PKI of a cluster whose CA certificates were stored: they are kept as they are, only
    /// the keys are derived.
    ///
    /// # Errors
    /// [`PkiError::OtherKey`] when a certificate is not of this key, [`PkiError::Unreadable`] when
    /// it is no certificate.
    pub fn from_stored_cas(cluster: &ClusterKey, cas: &CaCertificates) -> Result<Self, PkiError> {
        let stored = |kind: &'static Kind, pem: &str| Authority::stored(kind, cluster, pem);
        Ok(Self {
            talos: stored(&TALOS, &cas.talos)?,
            kubernetes: stored(&KUBERNETES, &cas.kubernetes)?,
            aggregator: stored(&AGGREGATOR, &cas.aggregator)?,
            etcd: stored(&ETCD, &cas.etcd)?,
            service_account: p256(cluster, "kubernetes/service-account"),
            secrets: ClusterSecrets::derive(cluster),
        })
    }

    /// The public CA certificates, for state.
    pub fn ca_certificates(&self) -> CaCertificates {
        CaCertificates {
            talos: self.talos.certificate.to_pem(),
            kubernetes: self.kubernetes.certificate.to_pem(),
            aggregator: self.aggregator.certificate.to_pem(),
            etcd: self.etcd.certificate.to_pem(),
        }
    }

    /// A client certificate of the Talos API with one role and no common name.
    ///
    /// # Errors
    /// [`PkiError::NoRandomness`] when no key can be made.
    pub fn talos_client(
        &self,
        role: TalosRole,
        validity: Validity,
    ) -> Result<ClientCredential, PkiError> {
        let subject = Subject {
            organisations: vec![role.as_str()],
            common_name: None,
        };
        self.talos.issue(&subject, validity)
    }

    /// A client certificate of the Kubernetes API: the user is its common name, each group an
    /// organisation. `admin` in `system:masters` is what the official kubeconfig holds.
    ///
    /// # Errors
    /// [`PkiError::NoRandomness`] when no key can be made.
    pub fn kubernetes_client(
        &self,
        user: &str,
        groups: &[String],
        validity: Validity,
    ) -> Result<ClientCredential, PkiError> {
        let subject = Subject {
            organisations: groups.iter().map(String::as_str).collect(),
            common_name: Some(user),
        };
        self.kubernetes.issue(&subject, validity)
    }
}

#[cfg(test)]
pub(crate) mod tests;
