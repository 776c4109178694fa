//! Where charts come from: HTTP repositories, OCI registries, archive addresses, local paths.
//!
//! Whatever the source, the bytes are known by their SHA-256. A pinned digest is compared with what
//! arrives, and found in the cache without any call. The cache is addressed by content and written
//! by renaming, so that processes share it without locks. Credentials go to the repository's own
//! host and nowhere else.

mod cache;
mod http;
mod index;
mod mirror;
mod oci;
mod provenance;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secret::SecretString;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use transport::{Memo, SharedClock};
use url::Url;

use crate::chart::{self, Chart};
use crate::semver::{Constraint, Version};

use cache::Cache;
use http::Http;
use index::Entries;
use mirror::Mirror;
use provenance::MAX_PROVENANCE;

pub use provenance::{Keyring, ProvenanceError, Verification, Verify};

/// The most bytes of a chart archive.
const MAX_ARCHIVE: usize = 100 << 20;
/// The most bytes of a repository's index.
const MAX_INDEX: usize = 256 << 20;

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

/// Why a chart cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request makes no sense.
    #[error("{0}")]
    Request(String),
    /// No usable answer.
    #[error("cannot reach {url}")]
    Unreachable {
        /// What was asked, without credentials.
        url: String,
        /// The client's error.
        source: Box<reqwest::Error>,
    },
    /// An answer that is no success.
    #[error("failed to fetch {url} : {status}{hint}")]
    Status {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What to do about it; may be empty.
        hint: &'static str,
    },
    /// The answer breaks a limit or the protocol.
    #[error("{url}: {reason}")]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The repository does not have the chart.
    #[error("chart \"{chart}\" not found in {repository}")]
    NoChart {
        /// The chart.
        chart: String,
        /// The repository.
        repository: String,
    },
    /// The repository does not have such a version.
    #[error(
        "chart \"{chart}\" matching {wanted} not found in {repository}; newest versions there: {}",
        .newest.join(", ")
    )]
    NoVersion {
        /// The chart.
        chart: String,
        /// The version or constraint.
        wanted: String,
        /// The repository.
        repository: String,
        /// A few versions, newest first.
        newest: Vec<String>,
    },
    /// The bytes are not the ones that were promised.
    #[error(
        "{url}: the archive has SHA-256 {seen}, {promised} says {wanted}; it was changed under the same version: check with the publisher before accepting it"
    )]
    Digest {
        /// The archive.
        url: String,
        /// What arrived.
        seen: String,
        /// Who said otherwise: `the pinned digest`, `the index`, `the manifest`.
        promised: &'static str,
        /// What was promised.
        wanted: String,
    },
    /// The signature is missing or does not hold.
    #[error("{origin}: the chart's signature cannot be accepted")]
    Provenance {
        /// Where the archive came from.
        origin: String,
        /// What is wrong, in Helm's words.
        source: ProvenanceError,
    },
    /// The bytes are no chart.
    #[error("{origin}: no usable chart")]
    Chart {
        /// Where they came from.
        origin: String,
        /// What is wrong.
        source: Box<chart::Error>,
    },
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
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
        // A signature is not in the cache: it may have been withdrawn.
        if request.verify == Verify::Never
            && let Some(digest) = &request.digest
            && let Some(bytes) = self.cache.get(digest)
        {
            return load(&bytes, place.describe());
        }
        let Pulled {
            bytes,
            origin,
            file_name,
            provenance,
        } = match &place {
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
        check(
            &bytes,
            request.digest.as_deref(),
            "the pinned digest",
            &origin,
        )?;
        let verification = self.verified(request, &bytes, &provenance, &file_name, &origin)?;
        self.cache.put(&bytes);
        Ok(Fetched {
            verification,
            ..load(&bytes, origin)?
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
        keyring
            .verify(bytes, text, file_name, now)
            .map(Some)
            .map_err(refuse)
    }

    /// The archive with its provenance, when that is asked for.
    async fn pulled(
        &self,
        bytes: Vec<u8>,
        url: &Url,
        home: &Url,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Pulled, Error> {
        let mut beside = url.clone();
        beside.set_path(&format!("{}.prov", url.path()));
        let provenance = match request.verify {
            Verify::Never => Provenance::Missing(String::new()),
            _ => match self
                .get(&beside, home, request, MAX_PROVENANCE, cancel)
                .await
            {
                Ok(text) => Provenance::Text(Arc::unwrap_or_clone(text)),
                Err(Error::Status { status: 404, .. }) => Provenance::Missing(beside.to_string()),
                Err(error) => return Err(error),
            },
        };
        let file_name = url.path().rsplit('/').next().unwrap_or_default();
        Ok(Pulled {
            bytes,
            origin: url.to_string(),
            file_name: file_name.to_owned(),
            provenance,
        })
    }

    fn local(&self, path: &Path, request: &Request) -> Result<Fetched, Error> {
        let origin = path.display().to_string();
        if request.verify == Verify::Always && !path.is_file() {
            return Err(Error::Provenance {
                origin,
                source: ProvenanceError::Unpacked,
            });
        }
        let fetched = load_local(path, request.digest.as_deref())?;
        if request.verify == Verify::Never || !path.is_file() {
            return Ok(fetched);
        }
        let beside = format!("{origin}.prov");
        let provenance = match std::fs::read(&beside) {
            Ok(text) => Provenance::Text(text),
            Err(_) => Provenance::Missing(beside),
        };
        let unreadable = |error: std::io::Error| Error::Request(format!("{origin}: {error}"));
        let bytes = std::fs::read(path).map_err(unreadable)?;
        check(&bytes, Some(&fetched.digest), "the first reading", &origin)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let verification = self.verified(request, &bytes, &provenance, &name, &origin)?;
        Ok(Fetched {
            verification,
            ..fetched
        })
    }

    fn registry<'a>(
        &'a self,
        url: &Url,
        name: &str,
        request: &'a Request,
    ) -> Result<oci::Registry<'a>, Error> {
        let (base, name) = match &self.mirror {
            Some(mirror) => mirror.registry(url, name)?,
            None => (oci::base(url)?, name.to_owned()),
        };
        // Credentials are for the registry that was named, not for the mirror.
        let credentials = request.credentials.as_deref();
        let credentials = credentials.filter(|_| self.mirror.is_none());
        Ok(oci::Registry::new(&self.http, base, name, credentials))
    }

    async fn repository(
        &self,
        url: &Url,
        chart: &str,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Pulled, Error> {
        let index = append(url, "index.yaml");
        let text = self
            .indexes
            .get(
                index.to_string(),
                self.get(&index, url, request, MAX_INDEX, cancel),
            )
            .await?;
        let entries = Entries::of(&text, chart, url.as_str())?;
        let entry = entries.choose(request.version.as_deref(), request.devel)?;
        let mut failure = None;
        for link in &entry.urls {
            let archive = append_link(url, link)?;
            if let Some(digest) = &entry.digest
                && let Some(bytes) = self.cache.get(digest)
            {
                return self.pulled(bytes, &archive, url, request, cancel).await;
            }
            match self.archive(&archive, url, request, cancel).await {
                Ok(bytes) => {
                    check(
                        &bytes,
                        entry.digest.as_deref(),
                        "the index",
                        archive.as_str(),
                    )?;
                    return self.pulled(bytes, &archive, url, request, cancel).await;
                }
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| Error::Answer {
            url: index.to_string(),
            reason: format!("chart {chart:?} has no download address"),
        }))
    }

    async fn archive(
        &self,
        url: &Url,
        home: &Url,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, Error> {
        let bytes = self.get(url, home, request, MAX_ARCHIVE, cancel).await?;
        Ok(Arc::unwrap_or_clone(bytes))
    }

    /// Reads `url`; credentials go along when it is on the host of `home` and no mirror is between.
    async fn get(
        &self,
        url: &Url,
        home: &Url,
        request: &Request,
        limit: usize,
        cancel: &CancellationToken,
    ) -> Result<Arc<Vec<u8>>, Error> {
        let credentials = request.credentials.as_deref();
        let credentials =
            credentials.filter(|_| self.mirror.is_none() && url.origin() == home.origin());
        let target = match &self.mirror {
            Some(mirror) => mirror.map(url)?,
            None => url.clone(),
        };
        self.http
            .read(&target, credentials, limit, cancel)
            .await
            .map(Arc::new)
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

/// What a request names.
enum Place {
    Archive(Url),
    Repository { url: Url, chart: String },
    Oci { url: Url, name: String },
}

impl Place {
    fn of(request: &Request) -> Result<Self, Error> {
        let parse = |text: &str| {
            let url = Url::parse(text)
                .map_err(|error| Error::Request(format!("{text:?} is no address: {error}")))?;
            if !url.username().is_empty() || url.password().is_some() {
                let text = "credentials do not belong into an address: they would show in state and logs; give them separately";
                return Err(Error::Request(text.to_owned()));
            }
            Ok(url)
        };
        let oci = |text: &str| {
            let url = parse(text)?;
            let name = url.path().trim_matches('/').to_owned();
            if name.is_empty() {
                return Err(Error::Request(format!("{text:?} names no chart")));
            }
            Ok(Self::Oci { url, name })
        };
        let chart = &request.chart;
        if chart.starts_with("oci://") {
            return oci(chart);
        }
        if chart.starts_with("https://") || chart.starts_with("http://") {
            return parse(chart).map(Self::Archive);
        }
        match request.repository.as_deref() {
            Some(repository) if repository.starts_with("oci://") => {
                oci(&format!("{}/{chart}", repository.trim_end_matches('/')))
            }
            Some(repository)
                if repository.starts_with("https://") || repository.starts_with("http://") =>
            {
                Ok(Self::Repository {
                    url: parse(repository)?,
                    chart: chart.clone(),
                })
            }
            Some(other) => Err(Error::Request(format!(
                "repository {other:?} is neither https:// nor oci://"
            ))),
            None => Err(Error::Request(format!(
                "chart {chart:?} is no path, no address, and no repository is given"
            ))),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Archive(url) => url.to_string(),
            Self::Repository { url, chart } => append(url, chart).to_string(),
            Self::Oci { url, .. } => url.to_string(),
        }
    }
}

/// Paths look like paths: a bare name is a chart of a repository.
fn local_path(request: &Request) -> Option<&Path> {
    let chart = &request.chart;
    let path = Path::new(chart);
    let looks =
        path.is_absolute() || chart.starts_with("./") || chart.starts_with("../") || chart == ".";
    (looks && request.repository.is_none()).then_some(path)
}

fn load_local(path: &Path, pinned: Option<&str>) -> Result<Fetched, Error> {
    let origin = path.display().to_string();
    let unusable = |source| Error::Chart {
        origin: origin.clone(),
        source: Box::new(source),
    };
    if path.is_file() {
        let bytes = std::fs::read(path).map_err(|source| {
            unusable(chart::Error::Read {
                path: origin.clone(),
                source,
            })
        })?;
        check(&bytes, pinned, "the pinned digest", &origin)?;
        return load(&bytes, origin);
    }
    let chart = Chart::load(path).map_err(unusable)?;
    if let Some(wanted) = pinned.filter(|wanted| *wanted != chart.digest()) {
        return Err(Error::Digest {
            url: origin,
            seen: chart.digest().to_owned(),
            promised: "the pinned digest",
            wanted: wanted.to_owned(),
        });
    }
    Ok(Fetched {
        version: chart.metadata.version.clone(),
        digest: chart.digest().to_owned(),
        chart: Arc::new(chart),
        origin,
        verification: None,
    })
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

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Compares bytes with a promise; `sha256:` in front of it is allowed.
fn check(
    bytes: &[u8],
    wanted: Option<&str>,
    promised: &'static str,
    url: &str,
) -> Result<(), Error> {
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
        return Ok(());
    };
    let wanted = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    let seen = sha256(bytes);
    if seen.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Error::Digest {
        url: url.to_owned(),
        seen,
        promised,
        wanted: wanted.to_owned(),
    })
}

/// `base/name`, whether the base ends in a slash or not; its query stays.
fn append(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{name}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// A link of an index: absolute, or relative to the repository.
fn append_link(base: &Url, link: &str) -> Result<Url, Error> {
    let broken = |error: url::ParseError| Error::Answer {
        url: base.to_string(),
        reason: format!("the index links to {link:?}: {error}"),
    };
    if let Ok(url) = Url::parse(link) {
        return match url.scheme() {
            "http" | "https" => Ok(url),
            other => Err(Error::Answer {
                url: base.to_string(),
                reason: format!("the index links to {link:?}: scheme {other:?} is not supported"),
            }),
        };
    }
    let mut folder = append(base, "");
    folder.set_query(None);
    let mut url = folder.join(link).map_err(broken)?;
    if url.query().is_none() {
        url.set_query(base.query());
    }
    Ok(url)
}

/// The version to take: exactly the one named, else the highest that fits.
fn choose<'a>(
    versions: impl Iterator<Item = &'a str> + Clone,
    wanted: Option<&str>,
    devel: bool,
) -> Option<&'a str> {
    let wanted = wanted.map(str::trim).filter(|wanted| !wanted.is_empty());
    if let Some(wanted) = wanted
        && let Some(exact) = versions.clone().find(|version| *version == wanted)
    {
        return Some(exact);
    }
    let constraint = match wanted {
        Some(wanted) => Constraint::parse(wanted).ok()?,
        None if devel => Constraint::parse(">0.0.0-0").ok()?,
        None => Constraint::parse("*").ok()?,
    };
    versions
        .filter_map(|text| Some((Version::parse(text).ok()?, text)))
        .filter(|(version, _)| constraint.check(version))
        .max_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, text)| text)
}

/// The newest few, for an error message.
fn newest<'a>(versions: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut parsed: Vec<(Version, &str)> = versions
        .filter_map(|text| Some((Version::parse(text).ok()?, text)))
        .collect();
    parsed.sort_by(|(a, _), (b, _)| b.cmp(a));
    parsed.truncate(5);
    parsed
        .into_iter()
        .map(|(_, text)| text.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_to_the_repository_and_keep_its_query() {
        let base = Url::parse("https://h/charts?token=x").expect("an address");
        for (link, expected) in [
            ("a.tgz", "https://h/charts/a.tgz?token=x"),
            ("sub/a.tgz?y=1", "https://h/charts/sub/a.tgz?y=1"),
            ("/a.tgz", "https://h/a.tgz?token=x"),
            ("https://o/a.tgz", "https://o/a.tgz"),
        ] {
            assert_eq!(append_link(&base, link).expect("a link").as_str(), expected);
        }
        assert!(append_link(&base, "file:///etc/passwd").is_err());
    }

    #[test]
    fn requests_name_their_place() {
        let request = |chart: &str, repository: Option<&str>| Request {
            chart: chart.to_owned(),
            repository: repository.map(str::to_owned),
            ..Request::default()
        };
        let place = |chart: &str, repository: Option<&str>| {
            Place::of(&request(chart, repository)).map(|place| place.describe())
        };
        assert_eq!(
            place("x", Some("oci://h/p/")).expect("a place"),
            "oci://h/p/x"
        );
        assert_eq!(
            place("x", Some("https://h/p")).expect("a place"),
            "https://h/p/x"
        );
        assert!(place("x", None).is_err());
        assert!(place("x", Some("ftp://h")).is_err());
        let error = place("x", Some("https://user:hunter2@h/p")).expect_err("credentials");
        assert!(!error.to_string().contains("hunter2"));
        assert!(local_path(&request("./x", None)).is_some());
        assert!(local_path(&request("x", None)).is_none());
    }

    #[test]
    fn changed_bytes_are_noticed() {
        assert!(check(b"x", None, "the index", "u").is_ok());
        let digest = sha256(b"x");
        assert!(check(b"x", Some(&format!("sha256:{digest}")), "the index", "u").is_ok());
        assert!(matches!(
            check(b"y", Some(&digest), "the index", "u"),
            Err(Error::Digest { .. })
        ));
    }
}
