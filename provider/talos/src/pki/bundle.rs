//! The secrets of a cluster as the file that `talosctl gen config --with-secrets` reads, so that a
//! user can leave with everything (Talos docs, "secrets bundle").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use product::Contract;
use secret::SecretString;

use super::{Authority, ClusterPki, PrivateKey};
use crate::yaml::{self, Map, Yaml};

impl ClusterPki {
    /// The bundle, YAML.
    pub fn to_secrets_bundle(&self, contract: Contract) -> SecretString {
        let secrets = &self.secrets;
        let cluster = Map::new()
            .with("id", secrets.cluster_id(contract))
            .with("secret", secrets.cluster_secret.expose_secret());
        let tokens = Map::new()
            .with("bootstraptoken", secrets.bootstrap_token.expose_secret())
            .with(
                "secretboxencryptionsecret",
                secrets.secretbox_key.expose_secret(),
            );
        let certs = Map::new()
            .with("etcd", pair(&self.etcd))
            .with("k8s", pair(&self.kubernetes))
            .with("k8saggregator", pair(&self.aggregator))
            .with(
                "k8sserviceaccount",
                Map::new().with("key", key(&self.service_account)),
            )
            .with("os", pair(&self.talos));
        let bundle = Map::new()
            .with("cluster", cluster)
            .with("secrets", tokens)
            .with(
                "trustdinfo",
                Map::new().with("token", secrets.trustd_token.expose_secret()),
            )
            .with("certs", certs);
        SecretString::new(yaml::to_text(&Yaml::Map(bundle)))
    }
}

fn pair(authority: &Authority) -> Map {
    Map::new()
        .with("crt", STANDARD.encode(authority.certificate().to_pem()))
        .with("key", key(authority.key()))
}

fn key(key: &PrivateKey) -> String {
    STANDARD.encode(key.to_pem().expose_secret())
}
