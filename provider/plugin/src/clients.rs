//! What a configured provider holds: settings, and clients made when they are first needed.

use std::sync::{Arc, OnceLock};

use framework::{Diagnostics, Path, Value};
use helm::source::Fetcher;
use lifecycle::Engine;
use lifecycle::run::{Key, Settings as RunSettings};
use lifecycle::{Charts, ClusterAccess};
use openiaas::Client;
use secret::{ClusterKey, Identity};
use transport::{CancellationToken, Dialer, SharedClock, SystemClock, Trust, chain, http_client};

use crate::handle::Handle;

use crate::settings::{HeldKey, Settings};

/// What every client calls itself: the platform's gateway is said to filter unusual agents.
const USER_AGENT: &str = concat!("terraform-provider-managedk8s/", env!("CARGO_PKG_VERSION"));

/// Shared by all calls of one provider configuration.
pub struct Data {
    /// The provider block.
    pub settings: Settings,
    /// Time.
    pub clock: SharedClock,
    cloud: OnceLock<Client>,
    charts: OnceLock<Charts>,
    engine: tokio::sync::OnceCell<Engine>,
}

impl Data {
    /// Makes nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: SystemClock::shared(),
            cloud: OnceLock::new(),
            charts: OnceLock::new(),
            engine: tokio::sync::OnceCell::new(),
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
        let mut settings = openiaas::Settings::new(endpoint, credentials, USER_AGENT);
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

    /// Where charts come from: one for all calls of the process, so that each chart is fetched once.
    ///
    /// # Errors
    ///
    /// A setting that cannot be used, or is unknown at this time.
    pub fn charts(&self) -> Result<Charts, Diagnostics> {
        if let Some(charts) = self.charts.get() {
            return Ok(charts.clone());
        }
        let charts = Charts::new(self.fetcher()?);
        Ok(self.charts.get_or_init(|| charts).clone())
    }

    fn fetcher(&self) -> Result<Fetcher, Diagnostics> {
        let http = http_client(&self.trust()?, &Dialer::direct(), USER_AGENT).map_err(|error| {
            Diagnostics::one_error("cannot make a client for charts", chain(&error))
        })?;
        let mut fetcher = Fetcher::new(http, Arc::clone(&self.clock));
        match &self.settings.cache_dir {
            Value::Known(folder) => fetcher = fetcher.cache(folder.join("charts")),
            Value::Null => {}
            Value::Unknown => return Err(unknown("cache_dir")),
        }
        match &self.settings.chart_mirror {
            Value::Known(mirror) => fetcher.mirror(mirror).map_err(|error| {
                Diagnostics::one_error_at(
                    Path::of("chart_mirror"),
                    "chart_mirror cannot be used",
                    format!(
                        "Seen: {mirror:?}\n{}\nGive the base URL of a mirror, http or https.",
                        chain(&error)
                    ),
                )
            }),
            Value::Null => Ok(fetcher),
            Value::Unknown => Err(unknown("chart_mirror")),
        }
    }

    /// The doors into clusters. They need no call of the cloud's API.
    ///
    /// # Errors
    ///
    /// A setting that is unknown at this time, or cannot be used.
    pub fn access(&self) -> Result<ClusterAccess, Diagnostics> {
        let (dialer, charts) = (self.dialer()?, self.charts()?);
        Ok(ClusterAccess::new(
            dialer,
            Arc::clone(&self.clock),
            USER_AGENT,
            charts,
        ))
    }

    /// The executors, made once: logs in, so that the tenant is known.
    ///
    /// # Errors
    ///
    /// A setting that is missing or unknown at this time, or a refused login.
    pub async fn engine(&self, cancel: &CancellationToken) -> Result<&Engine, Diagnostics> {
        self.engine
            .get_or_try_init(|| self.make_engine(cancel))
            .await
    }

    /// The executors for a cluster that exists. Another key than it was made with is refused before any call.
    ///
    /// # Errors
    ///
    /// Another key, another tenant, and as [`Self::engine`].
    pub async fn engine_for(
        &self,
        handle: &Handle,
        cancel: &CancellationToken,
    ) -> Result<&Engine, Diagnostics> {
        self.cluster_key(handle)?;
        let engine = self.engine(cancel).await?;
        if engine.tenant() == handle.tenant {
            return Ok(engine);
        }
        Err(Diagnostics::one_error(
            "credentials are of another tenant than the cluster's",
            format!(
                "Seen: an account of tenant {}\nAllowed: an account of tenant {}, which holds cluster {}\nSet \
                 CLOUDTEMPLE_CLIENT_ID and CLOUDTEMPLE_SECRET_ID to a token of that tenant.",
                engine.tenant(),
                handle.tenant,
                handle.identifier
            ),
        ))
    }

    async fn make_engine(&self, cancel: &CancellationToken) -> Result<Engine, Diagnostics> {
        let key = match &self.settings.key {
            Value::Known(HeldKey::Root(key)) => Key::Root(key.clone()),
            Value::Known(HeldKey::Cluster(key)) => Key::Cluster(Box::new(key.clone())),
            Value::Known(HeldKey::None) | Value::Null => return Err(no_key()),
            Value::Unknown => return Err(unknown("key")),
        };
        let cloud = self.cloud()?;
        let access = self.access()?;
        let tenant = cloud.tenant(cancel).await.map_err(|error| {
            Diagnostics::one_error(
                "cannot log in to the API",
                format!(
                    "Seen: {}\nAsked: {}\nCheck address, client_id and secret_id of the provider block (or \
                     CLOUDTEMPLE_HTTP_ADDR, CLOUDTEMPLE_CLIENT_ID, CLOUDTEMPLE_SECRET_ID), and that this machine's \
                     address is allowed by the tenant.",
                    chain(&error),
                    cloud.endpoint(),
                ),
            )
        })?;
        let settings = RunSettings {
            parallelism: self.settings.create_parallelism,
            ..RunSettings::default()
        };
        Ok(Engine::new(
            Arc::new(cloud),
            Arc::new(access),
            Arc::clone(&self.clock),
            key,
            tenant,
            crate::settings::runner(),
            settings,
        ))
    }

    /// Refuses to go on without the root key, which alone can make clusters.
    ///
    /// # Errors
    ///
    /// No root key.
    pub fn can_create(&self) -> Result<(), Diagnostics> {
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

    /// The key of a cluster, for credentials minted without any call.
    ///
    /// # Errors
    ///
    /// No key, or the key of another cluster.
    pub fn cluster_key(&self, handle: &Handle) -> Result<ClusterKey, Diagnostics> {
        let birth = handle.birth()?;
        let identity = Identity {
            tenant: &handle.tenant,
            identifier: &handle.identifier,
        };
        let (key, advice) = match &self.settings.key {
            Value::Known(HeldKey::Root(root)) => (
                root.cluster_key(birth, &identity),
                "The key in MANAGEDK8S_KEY, or in the provider block, is not the one this state was made with: set that \
                 one. Nothing was asked of any API.",
            ),
            Value::Known(HeldKey::Cluster(key)) => (
                key.clone(),
                "The key in MANAGEDK8S_CLUSTER_KEY, or in the provider block, is that of another cluster or of an earlier \
                 birth: set the one that `terraform-provider-managedk8s key cluster` prints for this cluster. Nothing \
                 was asked of any API.",
            ),
            Value::Known(HeldKey::None) | Value::Null => return Err(no_key()),
            Value::Unknown => return Err(unknown("key")),
        };
        if key.fingerprint() == handle.key_fingerprint {
            return Ok(key);
        }
        Err(Diagnostics::one_error(
            "another key than this cluster was made with",
            format!(
                "Seen: a key that gives fingerprint {} for cluster {}\nAllowed: the key that gives fingerprint {}\n\
                 {advice}",
                key.fingerprint(),
                handle.identifier,
                handle.key_fingerprint,
            ),
        ))
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
