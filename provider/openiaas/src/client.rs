//! The client, and reads that several resources of one run share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use transport::{Bucket, CancellationToken, Dialer, Jitter, Memo, SharedClock, Trust, http_client};

use crate::login::Token;
use crate::metrics::Counter;
use crate::{
    Credentials, Endpoint, Error, Listing, MachineManager, MachineManagerId, Metrics, Request,
    VirtualMachine, decode,
};

/// How the client reaches the API.
#[derive(Clone)]
pub struct Settings {
    /// Where the API is.
    pub endpoint: Endpoint,
    /// Who asks.
    pub credentials: Credentials,
    /// The `User-Agent`: `terraform-provider-managedk8s/VERSION`. The platform's gateway is said to
    /// filter unusual ones.
    pub user_agent: String,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// The proxy, if one is needed to reach the API.
    pub dialer: Dialer,
    /// Requests a second; the platform allows 25 for each source address.
    pub requests_per_second: f64,
    /// Requests at once after a rest.
    pub burst: f64,
    /// Requests in flight at the same time.
    pub in_flight: usize,
}

impl Settings {
    /// The usual settings: 20 requests a second, as many at once, 16 in flight, the system's
    /// authorities, no proxy.
    pub fn new(
        endpoint: Endpoint,
        credentials: Credentials,
        user_agent: impl Into<String>,
    ) -> Self {
        Self {
            endpoint,
            credentials,
            user_agent: user_agent.into(),
            trust: Trust::system(),
            dialer: Dialer::direct(),
            requests_per_second: 20.0,
            burst: 20.0,
            in_flight: 16,
        }
    }
}

/// How old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Asked now.
    Now,
    /// Asked at most this long ago, and since then this client has sent no write: resources of one
    /// plan share one listing.
    Within(Duration),
    /// Asked at this moment or later, whatever this client wrote since: for callers who know what their own
    /// writes did.
    Since(Instant),
}

/// The client of the API. Cheap to clone; clones share token, limits, caches and counters.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) endpoint: Endpoint,
    pub(crate) credentials: Credentials,
    pub(crate) http: reqwest::Client,
    pub(crate) clock: SharedClock,
    pub(crate) bucket: Bucket,
    pub(crate) jitter: Jitter,
    pub(crate) token: Mutex<Option<Token>>,
    pub(crate) counter: Counter,
    /// Counts the beginning and the end of every write.
    pub(crate) writes: AtomicU64,
    zones: Memo<(), Arc<Vec<MachineManager>>>,
    vms: Mutex<HashMap<MachineManagerId, Arc<Mutex<Option<Kept>>>>>,
}

struct Kept {
    asked: Instant,
    writes: u64,
    listing: Arc<Listing<VirtualMachine>>,
}

impl Client {
    /// A client that has not asked anything yet.
    ///
    /// # Errors
    /// [`Error::Client`] when the settings make no HTTP client.
    pub fn new(settings: Settings, clock: SharedClock) -> Result<Self, Error> {
        // Without TLS there is nothing to trust, and the system's authorities need not be read.
        let trust = if settings.endpoint.is_encrypted() {
            settings.trust
        } else {
            Trust::pinned(Vec::new())
        };
        let http = http_client(&trust, &settings.dialer, &settings.user_agent)
            .map_err(|error| Error::Client(Box::new(error)))?;
        Ok(Self(Arc::new(Inner {
            endpoint: settings.endpoint,
            credentials: settings.credentials,
            http,
            bucket: Bucket::new(
                Arc::clone(&clock),
                settings.requests_per_second,
                settings.burst,
                settings.in_flight,
            ),
            clock,
            jitter: Jitter::random(),
            token: Mutex::new(None),
            counter: Counter::default(),
            writes: AtomicU64::new(0),
            zones: Memo::new(),
            vms: Mutex::new(HashMap::new()),
        })))
    }

    /// Where the API is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// The calls sent so far.
    pub fn metrics(&self) -> Metrics {
        self.0.counter.snapshot()
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        &self.0.clock
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// The zones, asked once a run: their listing answers 5xx under load, and they do not change.
    ///
    /// # Errors
    /// As every read.
    pub async fn machine_managers(
        &self,
        cancel: &CancellationToken,
    ) -> Result<Arc<Vec<MachineManager>>, Error> {
        self.0
            .zones
            .get((), async {
                let request = Request::get("/compute/v1/open_iaas", &[]);
                let listing = self.list(&request, cancel).await?;
                Ok(Arc::new(listing.items))
            })
            .await
    }

    /// All VMs of a zone. Callers at one time share a read when [`Freshness`] allows it.
    ///
    /// # Errors
    /// As every read.
    pub async fn virtual_machines(
        &self,
        zone: &MachineManagerId,
        freshness: Freshness,
        cancel: &CancellationToken,
    ) -> Result<Arc<Listing<VirtualMachine>>, Error> {
        let called = self.0.clock.now();
        let kept = Arc::clone(self.0.vms.lock().await.entry(zone.clone()).or_default());
        let mut kept = transport::or_cancelled(cancel, kept.lock()).await?;
        if let Some(kept) = kept.as_ref() {
            let unchanged = kept.writes == self.0.writes.load(Ordering::SeqCst);
            let serves = match freshness {
                // Asked by another caller, but after this one began to wait.
                Freshness::Now => unchanged && kept.asked > called,
                Freshness::Within(age) => {
                    unchanged && called.saturating_duration_since(kept.asked) <= age
                }
                Freshness::Since(moment) => kept.asked >= moment,
            };
            if serves {
                return Ok(Arc::clone(&kept.listing));
            }
        }
        let asked = self.0.clock.now();
        let writes = self.0.writes.load(Ordering::SeqCst);
        let request = Request::get("/compute/v1/open_iaas/virtual_machines", &[])
            .query("machineManagerId", zone.as_str());
        let listing = Arc::new(self.list(&request, cancel).await?);
        *kept = Some(Kept {
            asked,
            writes,
            listing: Arc::clone(&listing),
        });
        Ok(listing)
    }

    /// A by-id read: `None` on 404. That alone does not prove absence.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Option<T>, Error> {
        let reply = match self.send(request, cancel).await {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        let value = decode::typed(&reply.body).map_err(|error| Error::Decode {
            call: request.call(),
            reason: error.to_string(),
        })?;
        Ok(Some(value))
    }

    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Listing<T>, Error> {
        let reply = self.send(request, cancel).await?;
        decode::value(&reply.body)
            .map_err(|error| error.to_string())
            .and_then(|value| Listing::read(reply.status, value))
            .map_err(|reason| Error::Decode {
                call: request.call(),
                reason,
            })
    }
}
