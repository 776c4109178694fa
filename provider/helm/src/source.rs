//! Where charts come from: HTTP repositories, OCI registries, archive addresses, local paths.
//!
//! Whatever the source, the bytes are known by their SHA-256. A pinned digest is compared with what
//! arrives, and found in the cache without any call: its signature, too, which is checked again each
//! time. The cache is addressed by content and written by renaming, so that processes share it without
//! locks. Credentials go to the repository's own host and nowhere else.

mod cache;
mod error;
mod http;
mod index;
mod local;
mod mirror;
mod oci;
mod place;
mod provenance;
mod repository;
mod sums;
mod versions;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secret::SecretString;
use tokio_util::sync::CancellationToken;
use transport::{Memo, SharedClock};

use crate::chart::Chart;

use cache::Cache;
use http::Http;
use mirror::Mirror;
use place::{Place, local_path};
use sums::{check, sha256};

pub use error::Error;
pub use provenance::{Keyring, ProvenanceError, Verification, Verify};

/// User name and password of a repository or registry.
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: SecretString,
}

/// Which chart is wanted, in the words of helm's command line.
#[derive(Clone, Default)]
pub struct Request {
    /// A name (with `repository`), `oci://host/path/chart`, the address of an archive, or a path.
    pub chart: String,
    /// `https://host/path` or `oci://host/path`.
    pub repository: Option<String>,
    /// A version or a constraint; the newest without it.
    pub version: Option<String>,
    /// Whether prereleases count when no version is given.
    pub devel: bool,
    /// The SHA-256 that the archive must have, in hex.
    pub digest: Option<String>,
    /// For the repository's own host.
    pub credentials: Option<Arc<Credentials>>,
    /// Whether the archive must be signed.
    pub verify: Verify,
    /// Who may sign it.
    pub keyring: Option<Arc<Keyring>>,
}

/// A chart that was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The chart.
    pub chart: Arc<Chart>,
    /// Its version as its `Chart.yaml` says.
    pub version: String,
    /// The SHA-256 of the archive in hex; of the files ([`Chart::digest`]) for a folder.
    pub digest: String,
    /// Where it came from, without credentials: the cache counts as the source itself.
    pub origin: String,
    /// Who signed it, when that was looked at and there was a signature.
    pub verification: Option<Verification>,
}

/// Fetches charts. Cheap to clone; clones share what is known already.
#[derive(Clone)]
pub struct Fetcher {
    http: Http,
    mirror: Option<Mirror>,
    cache: Cache,
    indexes: Arc<Memo<String, Arc<Vec<u8>>>>,
}

impl Fetcher {
    /// Fetches with `client`, which carries trust roots and proxy and must follow no redirect by
    /// itself (see `transport::http_client`).
    pub fn new(client: reqwest::Client, clock: SharedClock) -> Self {
        Self {
            http: Http::new(client, clock),
            mirror: None,
            cache: Cache::none(),
            indexes: Arc::new(Memo::new()),
        }
    }

    /// Asks `base` instead of every repository: `https://host/path` is looked for at
    /// `base/host/path`, `oci://host/path` in the registry at `base`.
    ///
    /// # Errors
    ///
    /// What is no `http` or `https` address.
    pub fn mirror(mut self, base: &str) -> Result<Self, Error> {
        self.mirror = Some(Mirror::parse(base)?);
        Ok(self)
    }

    /// Keeps archives below `folder`.
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Cache::below(folder.into());
        self
    }

    /// The time for one request with its answer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.http = self.http.timeout(timeout);
        self
    }

    /// Fetches a chart.
    ///
    /// # Errors
    ///
    /// Everything in [`Error`].
    pub async fn fetch(
        &self,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Fetched, Error> {
        if let Some(path) = local_path(request) {
            return self.local(path, request);
        }
        let place = Place::of(request)?;
        if let Some(kept) = self.kept(request, &place.describe())? {
            return Ok(kept);
        }
        let pulled = match &place {
            Place::Archive(url) => {
                let bytes = self.archive(url, url, request, cancel).await?;
                self.pulled(bytes, url, url, request, cancel).await?
            }
            Place::Repository { url, chart } => {
                self.repository(url, chart, request, cancel).await?
            }
            Place::Oci { url, name } => {
                let registry = self.registry(url, name, request)?;
                registry.pull(request, &self.cache, cancel).await?
            }
        };
        self.accept(pulled, request)
    }

    /// The pinned archive from the cache, when it is there with the signature that is asked for. One that this
    /// keyring does not accept is no answer: the publisher may have signed anew.
    fn kept(&self, request: &Request, origin: &str) -> Result<Option<Fetched>, Error> {
        let pinned = request.digest.as_deref();
        let Some((digest, bytes)) = pinned.and_then(|it| Some((it, self.cache.archive(it)?)))
        else {
            return Ok(None);
        };
        if request.verify == Verify::Never {
            return load(&bytes, origin.to_owned()).map(Some);
        }
        let Some(text) = self.cache.signature(digest) else {
            return Ok(None);
        };
        let Some(file_name) = provenance::signed_name(&text, &bytes) else {
            return Ok(None);
        };
        let pulled = Pulled {
            bytes,
            origin: origin.to_owned(),
            file_name,
            provenance: Provenance::Text(text),
        };
        match self.accept(pulled, request) {
            Ok(fetched) => Ok(Some(fetched)),
            Err(Error::Provenance { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A chart of bytes that are what was pinned, and signed as asked; from here on the cache has them.
    fn accept(&self, pulled: Pulled, request: &Request) -> Result<Fetched, Error> {
        let Pulled {
            bytes,
            origin,
            file_name,
            provenance,
        } = pulled;
        let pinned = request.digest.as_deref();
        check(&bytes, pinned, "the pinned digest", &origin)?;
        let verification = self.verified(request, &bytes, &provenance, &file_name, &origin)?;
        let fetched = load(&bytes, origin)?;
        self.cache.put_archive(&bytes);
        if let (Provenance::Text(text), Some(_)) = (&provenance, &verification) {
            self.cache.put_signature(&fetched.digest, text);
        }
        Ok(Fetched {
            verification,
            ..fetched
        })
    }

    /// What the signature says, as far as the request asks for it.
    fn verified(
        &self,
        request: &Request,
        bytes: &[u8],
        provenance: &Provenance,
        file_name: &str,
        origin: &str,
    ) -> Result<Option<Verification>, Error> {
        let refuse = |source| Error::Provenance {
            origin: origin.to_owned(),
            source,
        };
        let text = match (request.verify, provenance) {
            (Verify::Never, _) => return Ok(None),
            (Verify::IfPossible, Provenance::Missing(place)) => {
                tracing::warn!(chart = origin, "no signature at {place}");
                return Ok(None);
            }
            (Verify::Always, Provenance::Missing(place)) => {
                return Err(refuse(ProvenanceError::Missing(place.clone())));
            }
            (_, Provenance::Text(text)) => text,
        };
        let keyring = request.keyring.as_deref().ok_or_else(|| {
            Error::Request("a chart is to be verified, and no keyring says by whose keys".into())
        })?;
        let now = self.http.wall_clock();
        let found = keyring
            .verify(bytes, text, file_name, now)
            .map_err(refuse)?;
        if let Some(weakness) = &found.weakness {
            tracing::warn!(chart = origin, "the signature is weak: {weakness}");
        }
        Ok(Some(found))
    }
}

/// An archive as it arrived.
struct Pulled {
    bytes: Vec<u8>,
    origin: String,
    /// The name under which it is signed.
    file_name: String,
    provenance: Provenance,
}

/// The text beside an archive that says who signed it.
enum Provenance {
    Text(Vec<u8>),
    /// Where it would have been.
    Missing(String),
}

fn load(bytes: &[u8], origin: String) -> Result<Fetched, Error> {
    let chart = Chart::from_archive(bytes).map_err(|source| Error::Chart {
        origin: origin.clone(),
        source: Box::new(source),
    })?;
    Ok(Fetched {
        version: chart.metadata.version.clone(),
        digest: sha256(bytes),
        chart: Arc::new(chart),
        origin,
        verification: None,
    })
}
