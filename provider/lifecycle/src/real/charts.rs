//! Charts of one run: fetched once each, by helm's own rules.

use std::collections::HashMap;
use std::sync::Arc;

use helm::Chart;
use helm::source::{Error, Fetcher, Request};
use tokio::sync::Mutex;
use transport::CancellationToken;

use crate::addon::ChartSource;
use crate::error::Fault;

/// Fetches charts and keeps them: an apply asks for the same chart at every step.
pub(super) struct Charts {
    fetcher: Fetcher,
    kept: Mutex<HashMap<ChartSource, Arc<Chart>>>,
}

impl Charts {
    pub fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            kept: Mutex::default(),
        }
    }

    /// The chart of a source.
    pub async fn fetch(
        &self,
        source: &ChartSource,
        cancel: &CancellationToken,
    ) -> Result<Arc<Chart>, Fault> {
        let mut kept = self.kept.lock().await;
        if let Some(chart) = kept.get(source) {
            return Ok(Arc::clone(chart));
        }
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let request = match some(&source.chart) {
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
        };
        let fetched = match self.fetcher.fetch(&request, cancel).await {
            Ok(fetched) => fetched,
            Err(Error::Cancelled) => return Err(Fault::Cancelled),
            Err(error) => {
                let doing = format!("fetch the chart {} {}", source.chart, source.version);
                return Err(Fault::failed(doing)(error));
            }
        };
        kept.insert(source.clone(), Arc::clone(&fetched.chart));
        Ok(fetched.chart)
    }
}
