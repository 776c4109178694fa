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

    /// Everything secret of a cluster. Its certificates are those in state, beside the fingerprint of the key
    /// they were made with, or are derived anew with the time of the birth: the same ones.
    ///
    /// # Errors
    /// Another key than that of the fingerprint.
    pub fn mint(
        &self,
        tenant: &str,
        identifier: &Identifier,
        birth: Birth,
        stored: Option<(&CaCertificates, &str)>,
    ) -> Result<MintedKey, Error> {
        let key = self.cluster_key(tenant, identifier, birth)?;
        let fingerprint = key.fingerprint();
        let pki = match stored {
            Some((_, wanted)) if wanted != fingerprint => {
                return Err(other_key(wanted, &fingerprint));
            }
            Some((cas, _)) => ClusterPki::from_stored_cas(&key, cas),
            None => {
                let born = Timestamp::from_second(i64::from(birth.seconds()))
                    .unwrap_or(Timestamp::UNIX_EPOCH);
                ClusterPki::derive(&key, born)
            }
        };
        Ok(MintedKey {
            pki: pki.map_err(Error::Pki)?,
            fingerprint,
        })
    }
}

/// The key is not the one the cluster was made with.
fn other_key(wanted: &str, seen: &str) -> Error {
    Error::refused(
        Problem::error(Path::root(), "another key than this cluster was made with")
            .seen(format!("a key that gives fingerprint {seen}"))
            .allowed(format!("the key that gives fingerprint {wanted}"))
            .next("Set MANAGEDK8S_KEY or MANAGEDK8S_CLUSTER_KEY to that key."),
    )
}
