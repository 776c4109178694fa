//! What a configured provider holds: settings, and clients made when they are first needed.

use std::sync::{Arc, OnceLock};

use framework::{Diagnostics, Path, Value};
use openiaas::Client;
use product::Birth;
use secret::{ClusterKey, Identity};
use transport::{Dialer, SharedClock, SystemClock, Trust};

use crate::settings::{HeldKey, Settings};

/// Shared by all calls of one provider configuration.
pub struct Data {
    /// The provider block.
    pub settings: Settings,
    /// Time.
    pub clock: SharedClock,
    cloud: OnceLock<Client>,
}

impl Data {
    /// Makes nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: SystemClock::shared(),
            cloud: OnceLock::new(),
        }
    }

    /// The client of the cloud's API.
    ///
    /// # Errors
    ///
    /// A setting that is missing, or unknown at this time.
    pub fn cloud(&self) -> Result<Client, Diagnostics> {
        if let Some(client) = self.cloud.get() {
            return Ok(client.clone());
        }
        let endpoint = needed(&self.settings.endpoint, "address", "CLOUDTEMPLE_HTTP_ADDR")?;
        let credentials = needed(
            &self.settings.credentials,
            "client_id",
            "CLOUDTEMPLE_CLIENT_ID",
        )?;
        let agent = concat!("terraform-provider-managedk8s/", env!("CARGO_PKG_VERSION"));
        let mut settings = openiaas::Settings::new(endpoint, credentials, agent);
        settings.requests_per_second = self.settings.requests_per_second;
        settings.burst = self.settings.requests_per_second;
        settings.trust = self.trust()?;
        let client = Client::new(settings, Arc::clone(&self.clock)).map_err(|error| {
            Diagnostics::one_error("cannot make a client of the API", chain(&error))
        })?;
        Ok(self.cloud.get_or_init(|| client).clone())
    }

    /// The authorities to believe: the system's and those of `ca_file`.
    ///
    /// # Errors
    ///
    /// A file that cannot be used.
    pub fn trust(&self) -> Result<Trust, Diagnostics> {
        match &self.settings.ca_file {
            Value::Null => Ok(Trust::system()),
            Value::Unknown => Err(unknown("ca_file")),
            Value::Known(path) => Trust::system().and_file(path).map_err(|error| {
                Diagnostics::one_error_at(
                    Path::of("ca_file"),
                    "ca_file cannot be used",
                    format!(
                        "{}\nGive a PEM file with certificates of authorities.",
                        chain(&error)
                    ),
                )
            }),
        }
    }

    /// How nodes are reached.
    ///
    /// # Errors
    ///
    /// A proxy that is unknown at this time.
    pub fn dialer(&self) -> Result<Dialer, Diagnostics> {
        match &self.settings.proxy {
            Value::Known(proxy) => Ok(Dialer::through(proxy.clone())),
            Value::Null => Ok(Dialer::direct()),
            Value::Unknown => Err(unknown("proxy_url")),
        }
    }

    /// The key of a cluster.
    ///
    /// # Errors
    ///
    /// No key, or the key of another cluster.
    pub fn cluster_key(
        &self,
        tenant: &str,
        identifier: &str,
        birth: Birth,
    ) -> Result<ClusterKey, Diagnostics> {
        let birth = secret::Birth::from_bytes(*birth.as_bytes());
        match &self.settings.key {
            Value::Known(HeldKey::Root(root)) => {
                Ok(root.cluster_key(birth, &Identity { tenant, identifier }))
            }
            Value::Known(HeldKey::Cluster(key)) if key.birth() == birth => Ok(key.clone()),
            Value::Known(HeldKey::Cluster(key)) => Err(Diagnostics::one_error_at(
                Path::of("cluster_key"),
                "cluster_key is the key of another cluster",
                format!(
                    "Seen: a key of birth {}\nAllowed: a key of birth {birth}, cluster {identifier}\nSet the key made by \
                     `terraform-provider-managedk8s key cluster` for this cluster, or the root key.",
                    key.birth()
                ),
            )),
            Value::Known(HeldKey::None) | Value::Null => Err(no_key()),
            Value::Unknown => Err(unknown("key")),
        }
    }

    /// Refuses to go on without the root key, which alone can make clusters.
    ///
    /// # Errors
    ///
    /// No root key.
    pub fn needs_root_key(&self) -> Result<(), Diagnostics> {
        match &self.settings.key {
            Value::Known(HeldKey::Root(_)) => Ok(()),
            Value::Known(HeldKey::Cluster(_)) => Err(Diagnostics::one_error_at(
                Path::of("key"),
                "a cluster key cannot make clusters",
                "Seen: cluster_key alone\nAllowed: key\nA new cluster has a new birth, and its key is derived from the \
                 root: set MANAGEDK8S_KEY where clusters are created.",
            )),
            Value::Known(HeldKey::None) | Value::Null => Err(no_key()),
            Value::Unknown => Err(unknown("key")),
        }
    }
}

fn needed<T: Clone>(
    value: &Value<T>,
    attribute: &'static str,
    variable: &str,
) -> Result<T, Diagnostics> {
    match value {
        Value::Known(value) => Ok(value.clone()),
        Value::Null => Err(Diagnostics::one_error_at(
            Path::of(attribute),
            format!("{attribute} is not set"),
            format!("Set it in the provider block, or as {variable} in the environment."),
        )),
        Value::Unknown => Err(unknown(attribute)),
    }
}

fn unknown(attribute: &'static str) -> Diagnostics {
    Diagnostics::one_error_at(
        Path::of(attribute),
        format!("{attribute} is not known yet"),
        "It depends on something that is not applied yet. Apply that first, for example with -target.",
    )
}

fn no_key() -> Diagnostics {
    Diagnostics::one_error_at(
        Path::of("key"),
        "no key is set",
        "Every secret of a cluster is derived from one key of 32 random bytes. Make it once with \
         `terraform-provider-managedk8s key generate`, keep it like a password, and set it as MANAGEDK8S_KEY.",
    )
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
