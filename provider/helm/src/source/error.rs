//! Why a chart cannot be had.

use super::ProvenanceError;
use crate::chart;

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
