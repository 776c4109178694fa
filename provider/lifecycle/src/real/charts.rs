//! Fetching charts: from HTTP repositories with an index, and from folders or archives on this machine.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use helm::Chart;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use transport::{CancellationToken, or_cancelled};

use crate::addon::ChartSource;
use crate::error::Fault;

/// Redirects that are followed: archives often live elsewhere than their index.
const REDIRECTS: usize = 5;
/// Largest index or archive, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// Why a chart could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{url}: {reason}")]
    Http { url: String, reason: String },
    #[error("{url}: status {status}")]
    Status { url: String, status: u16 },
    #[error("{url} is not an index of charts: {reason}")]
    Index { url: String, reason: String },
    #[error("{url} has no chart {chart:?} of version {version:?}; it has {there}")]
    Missing {
        url: String,
        chart: String,
        version: String,
        there: String,
    },
    #[error("{url} has the SHA-256 {seen}, and its index says {wanted}")]
    Digest {
        url: String,
        seen: String,
        wanted: String,
    },
    #[error(
        "charts from a registry (oci://) need a chart_mirror that serves {repository} over HTTP"
    )]
    Registry { repository: String },
}

/// Fetches charts and keeps those of one run.
pub struct ChartFetcher {
    http: reqwest::Client,
    /// Base URL that stands in for every repository: `<mirror>/<host>/<path>`.
    mirror: Option<String>,
    kept: Mutex<HashMap<String, Arc<Chart>>>,
}

impl ChartFetcher {
    /// A fetcher. `mirror` is the provider's `chart_mirror`.
    pub fn new(http: reqwest::Client, mirror: Option<String>) -> Self {
        Self {
            http,
            mirror: mirror.map(|url| url.trim_end_matches('/').to_owned()),
            kept: Mutex::default(),
        }
    }

    /// The chart of a source.
    ///
    /// # Errors
    /// A repository that does not answer, a chart or version it does not have, an archive that is not the
    /// one its index names, or one that cannot be read.
    pub async fn fetch(
        &self,
        source: &ChartSource,
        cancel: &CancellationToken,
    ) -> Result<Arc<Chart>, Fault> {
        let key = format!("{}|{}|{}", source.repository, source.chart, source.version);
        let mut kept = self.kept.lock().await;
        if let Some(chart) = kept.get(&key) {
            return Ok(Arc::clone(chart));
        }
        let doing = || format!("fetch the chart {} {}", source.chart, source.version);
        let chart = if source.repository.contains("://") {
            let archive = self
                .download(source, cancel)
                .await
                .map_err(|error| match error {
                    Failure::Cancelled => Fault::Cancelled,
                    Failure::Fetch(error) => Fault::failed(doing())(error),
                })?;
            Chart::from_archive(&archive).map_err(Fault::failed(doing()))?
        } else {
            Chart::load(Path::new(&source.repository)).map_err(Fault::failed(doing()))?
        };
        let chart = Arc::new(chart);
        kept.insert(key, Arc::clone(&chart));
        Ok(chart)
    }

    async fn download(
        &self,
        source: &ChartSource,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, Failure> {
        let base = self.base(&source.repository)?;
        let url = format!("{base}/index.yaml");
        let index = self.get(&url, cancel).await?;
        let index = helm::yaml::decode_one(&index).map_err(|error| FetchError::Index {
            url: url.clone(),
            reason: error.to_string(),
        })?;
        let entries = index["entries"][&source.chart]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let version = |entry: &Value| entry["version"].as_str().unwrap_or_default().to_owned();
        let wanted = source.version.trim_start_matches('v');
        let entry = entries
            .iter()
            .find(|entry| version(entry).trim_start_matches('v') == wanted);
        let Some(entry) = entry else {
            let there: Vec<String> = entries.iter().take(5).map(version).collect();
            return Err(FetchError::Missing {
                url,
                chart: source.chart.clone(),
                version: source.version.clone(),
                there: if there.is_empty() {
                    "no such chart".to_owned()
                } else {
                    there.join(", ")
                },
            }
            .into());
        };
        let file = entry["urls"][0].as_str().unwrap_or_default();
        let archive_url = self.resolve(&base, file)?;
        let archive = self.get(&archive_url, cancel).await?;
        let digest = entry["digest"]
            .as_str()
            .unwrap_or_default()
            .trim_start_matches("sha256:");
        let seen = hex::encode(Sha256::digest(&archive));
        if !digest.is_empty() && digest != seen {
            return Err(FetchError::Digest {
                url: archive_url,
                seen,
                wanted: digest.to_owned(),
            }
            .into());
        }
        Ok(archive)
    }

    /// The base URL of a repository, or of its place in the mirror.
    fn base(&self, repository: &str) -> Result<String, FetchError> {
        let repository = repository.trim_end_matches('/');
        match (&self.mirror, repository.split_once("://")) {
            (Some(mirror), Some((_, place))) => Ok(format!("{mirror}/{place}")),
            (_, Some(("oci", _))) => Err(FetchError::Registry {
                repository: repository.to_owned(),
            }),
            _ => Ok(repository.to_owned()),
        }
    }

    /// Where an archive is: relative to its index, or anywhere else.
    fn resolve(&self, base: &str, file: &str) -> Result<String, FetchError> {
        if file.contains("://") {
            self.base(file)
        } else {
            Ok(format!("{base}/{file}"))
        }
    }

    async fn get(&self, url: &str, cancel: &CancellationToken) -> Result<Vec<u8>, Failure> {
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS {
            let failed = |error: reqwest::Error| FetchError::Http {
                url: url.clone(),
                reason: crate::error::chain(&error.without_url()),
            };
            let answer = or_cancelled(cancel, self.http.get(&url).send()).await;
            let answer = answer.map_err(|_| Failure::Cancelled)?.map_err(failed)?;
            let status = answer.status();
            if status.is_redirection() {
                let place = answer
                    .headers()
                    .get(reqwest::header::LOCATION)
                    .and_then(|place| place.to_str().ok());
                let next = place.and_then(|place| answer.url().join(place).ok());
                let Some(next) = next else {
                    return Err(FetchError::Status {
                        url,
                        status: status.as_u16(),
                    }
                    .into());
                };
                url = next.to_string();
                continue;
            }
            if !status.is_success() {
                return Err(FetchError::Status {
                    url,
                    status: status.as_u16(),
                }
                .into());
            }
            let body = or_cancelled(cancel, answer.bytes()).await;
            let body = body.map_err(|_| Failure::Cancelled)?.map_err(failed)?;
            if body.len() > LARGEST {
                return Err(FetchError::Http {
                    url,
                    reason: format!("more than {LARGEST} bytes"),
                }
                .into());
            }
            return Ok(body.to_vec());
        }
        Err(FetchError::Http {
            url,
            reason: "too many redirects".to_owned(),
        }
        .into())
    }
}

enum Failure {
    Cancelled,
    Fetch(FetchError),
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}
