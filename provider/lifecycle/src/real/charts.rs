//! Charts of one run: fetched once each, by helm's own rules.

use std::sync::Arc;

use helm::Chart;
use helm::source::{Credentials, Error, Fetcher, Keyring, Request, Verify};
use transport::{CancellationToken, Memo};

use crate::addon::ChartSource;
use crate::error::Fault;

/// A chart, and by what its bytes are known.
#[derive(Clone, Debug)]
pub struct FetchedChart {
    /// The chart.
    pub chart: Arc<Chart>,
    /// SHA-256 of the archive, or of the files of a folder.
    pub digest: String,
    /// Why its signature proves less than it should, when one was asked for.
    pub weakness: Option<String>,
}

/// How a chart is come by.
#[derive(Clone, Default)]
pub struct ChartAccess {
    /// For the repository's own host.
    pub credentials: Option<Arc<Credentials>>,
    /// The chart must be signed by one of these keys.
    pub keyring: Option<Arc<Keyring>>,
}

/// Fetches charts and keeps them: a plan and an apply ask for the same chart again and again. Cheap to clone; clones share
/// what they have.
#[derive(Clone)]
pub struct Charts {
    fetcher: Fetcher,
    kept: Arc<Memo<Key, FetchedChart>>,
}

/// Source and pinned digest.
type Key = (ChartSource, String);

impl Charts {
    /// Charts that `fetcher` fetches.
    pub fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            kept: Arc::default(),
        }
    }

    /// The chart of a source; with a `digest` that is not empty, exactly those bytes.
    ///
    /// # Errors
    ///
    /// Those of the source. [`Error::Digest`] when the bytes were changed under the same version.
    pub async fn get(
        &self,
        source: &ChartSource,
        digest: &str,
        access: ChartAccess,
        cancel: &CancellationToken,
    ) -> Result<FetchedChart, Error> {
        // A verdict holds for the keyring that gave it, so a signature is looked at for each who asks.
        let fetched = if access.keyring.is_some() {
            self.ask(source, digest, access, cancel).await?
        } else {
            let asked = self.ask(source, digest, access, cancel);
            self.kept
                .get((source.clone(), digest.to_owned()), asked)
                .await?
        };
        // Who pins what was just fetched, or applies what was just verified, asks nobody again.
        let pinned = (source.clone(), fetched.digest.clone());
        self.kept
            .get(pinned, async { Ok::<_, Error>(fetched.clone()) })
            .await?;
        Ok(fetched)
    }

    async fn ask(
        &self,
        source: &ChartSource,
        digest: &str,
        access: ChartAccess,
        cancel: &CancellationToken,
    ) -> Result<FetchedChart, Error> {
        let request = Request {
            digest: (!digest.is_empty()).then(|| digest.to_owned()),
            credentials: access.credentials,
            verify: if access.keyring.is_some() {
                Verify::Always
            } else {
                Verify::Never
            },
            keyring: access.keyring,
            ..request(source)
        };
        // Boxed: the future of a whole download would make every caller's large.
        let fetched = Box::pin(self.fetcher.fetch(&request, cancel)).await?;
        Ok(FetchedChart {
            chart: fetched.chart,
            digest: fetched.digest,
            weakness: fetched.verification.and_then(|found| found.weakness),
        })
    }

    pub(super) async fn fetch(
        &self,
        source: &ChartSource,
        digest: &str,
        cancel: &CancellationToken,
    ) -> Result<Arc<Chart>, Fault> {
        match self
            .get(source, digest, ChartAccess::default(), cancel)
            .await
        {
            Ok(fetched) => Ok(fetched.chart),
            Err(Error::Cancelled) => Err(Fault::Cancelled),
            Err(error) => {
                let doing = format!("fetch the chart {} {}", source.chart, source.version);
                Err(Fault::failed(doing)(error))
            }
        }
    }
}

fn request(source: &ChartSource) -> Request {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    match some(&source.chart) {
        Some(chart) => Request {
            chart,
            repository: some(&source.repository),
            version: some(&source.version),
            ..Request::default()
        },
        // A path or the address of an archive stands alone.
        None => Request {
            chart: source.repository.clone(),
            version: some(&source.version),
            ..Request::default()
        },
    }
}
