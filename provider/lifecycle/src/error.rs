//! What can go wrong while a plan is executed, and how it is told.

use std::time::Duration;

use product::{Path, Problem};
use transport::chain;

/// Why a call of a port failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The run was interrupted.
    #[error("interrupted")]
    Cancelled,
    /// Nobody answers, or not yet: the same call may succeed later.
    #[error("{0}")]
    Unreachable(String),
    /// The answer was a refusal, or made no sense.
    #[error("{doing}")]
    Failed {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Fault {
    /// For `map_err`: what was being done.
    pub fn failed<E: std::error::Error + Send + Sync + 'static>(
        doing: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |source| Self::Failed {
            doing,
            source: Box::new(source),
        }
    }
}

/// Why an execution stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run was interrupted. What was made is there and is found again.
    #[error("interrupted")]
    Cancelled,
    /// The cloud's API.
    #[error("{doing}")]
    Cloud {
        /// What was being done, as a phrase: `make the machine alpha-cp-01`.
        doing: String,
        /// What the API answered.
        #[source]
        source: Box<openiaas::Error>,
    },
    /// A node or the cluster's API.
    #[error("{doing}")]
    Cluster {
        /// What was being done.
        doing: String,
        /// What happened.
        #[source]
        source: Fault,
    },
    /// A wait ended without what was waited for.
    #[error("{phase}: not reached after {} s", elapsed.as_secs())]
    Timeout {
        /// The phase: `wait for the machine API`.
        phase: String,
        /// The object.
        object: String,
        /// What was seen last.
        last: String,
        /// The time waited.
        elapsed: Duration,
    },
    /// Somebody else has a machine of this name: another number may do.
    #[error("{0}")]
    LostClaim(Box<Problem>),
    /// Something that a user has to decide or to mend.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The key does not make a PKI.
    #[error("derive the cluster's certificates")]
    Pki(#[source] talos::PkiError),
}

impl Error {
    /// A refusal.
    pub fn refused(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }

    /// For `map_err`: what was being done with the cloud.
    pub(crate) fn cloud(doing: impl Into<String>) -> impl FnOnce(openiaas::Error) -> Self {
        let doing = doing.into();
        move |source| match source {
            openiaas::Error::Cancelled => Self::Cancelled,
            source => Self::Cloud {
                doing,
                source: Box::new(source),
            },
        }
    }

    /// For `map_err`: what was being done with the cluster.
    pub(crate) fn cluster(doing: impl Into<String>) -> impl FnOnce(Fault) -> Self {
        let doing = doing.into();
        move |source| match source {
            Fault::Cancelled => Self::Cancelled,
            source => Self::Cluster { doing, source },
        }
    }

    /// Whether the run was interrupted.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// The structured form, for a diagnostic.
    pub fn problem(&self) -> Problem {
        let problem = |summary: String| Problem::error(Path::root(), summary);
        match self {
            Self::Cancelled => problem("interrupted".to_owned())
                .seen("the run was told to stop")
                .next("Apply again: it goes on where this run stopped."),
            Self::Cloud { doing, source } => problem(format!("cannot {doing}"))
                .seen(chain(source.as_ref()))
                .next("Mend what the message names, then apply again: it goes on where this run stopped."),
            Self::Cluster { doing, source } => problem(format!("cannot {doing}"))
                .seen(chain(source))
                .next("Apply again when the cluster answers: it goes on where this run stopped."),
            Self::Timeout { phase, object, last, elapsed } => problem(format!("cannot {phase}"))
                .seen(format!("{object}: {last}, after {} s", elapsed.as_secs()))
                .next("Look at the object, then apply again: it goes on where this run stopped."),
            Self::Refused(problem) | Self::LostClaim(problem) => problem.as_ref().clone(),
            Self::Pki(source) => problem("cannot derive the cluster's certificates".to_owned())
                .seen(chain(source))
                .allowed("the CA certificates that were made with this key")
                .next("The key is right, but the certificates in state are not its own: restore the state from a backup, or \
                       remove the cluster from state and import it again."),
        }
    }
}
