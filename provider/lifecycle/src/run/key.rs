//! The user's key, and what is derived from it for one cluster.

use jiff::Timestamp;
use product::{Birth, Identifier, Path, Problem};
use secret::{ClusterKey, Identity, RootKey};
use talos::{CaCertificates, ClusterPki};

use crate::Error;

/// What the user holds.
pub enum Key {
    /// The root key: every cluster of the tenant.
    Root(RootKey),
    /// The key of one cluster and one birth.
    Cluster(Box<ClusterKey>),
}

/// A cluster's key and its PKI, in memory only.
pub struct MintedKey {
    /// Everything secret of the cluster.
    pub pki: ClusterPki,
    /// The public name of the cluster's key, the same whichever key it came from.
    pub fingerprint: String,
}

impl Key {
    /// The key of a cluster.
    fn cluster_key(
        &self,
        tenant: &str,
        identifier: &Identifier,
        birth: Birth,
    ) -> Result<ClusterKey, Error> {
        let birth = secret::Birth::from_bytes(*birth.as_bytes());
        match self {
            Self::Root(root) => Ok(root.cluster_key(
                birth,
                &Identity {
                    tenant,
                    identifier: identifier.as_str(),
                },
            )),
            Self::Cluster(key) if key.birth() == birth => Ok((**key).clone()),
            Self::Cluster(key) => Err(Error::refused(
                Problem::error(Path::root(), "the cluster key is of another birth")
                    .seen(format!("a key of birth {}", key.birth()))
                    .allowed(format!("a key of birth {birth}, or the root key"))
                    .next(
                        "Set MANAGEDK8S_CLUSTER_KEY to the key of this cluster, or MANAGEDK8S_KEY.",
                    ),
            )),
        }
    }

    /// Everything secret of a cluster. Its certificates are those in state, or are derived anew with the
    /// time of the birth: the same ones.
    pub fn mint(
        &self,
        tenant: &str,
        identifier: &Identifier,
        birth: Birth,
        stored: Option<&CaCertificates>,
    ) -> Result<MintedKey, Error> {
        let key = self.cluster_key(tenant, identifier, birth)?;
        let pki = match stored {
            Some(cas) => ClusterPki::from_stored_cas(&key, cas),
            None => {
                let born = Timestamp::from_second(i64::from(birth.seconds()))
                    .unwrap_or(Timestamp::UNIX_EPOCH);
                ClusterPki::derive(&key, born)
            }
        };
        Ok(MintedKey {
            pki: pki.map_err(Error::Pki)?,
            fingerprint: key.fingerprint(),
        })
    }
}
