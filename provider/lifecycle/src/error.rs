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
    /// What the user can do about it.
    fn next(&self) -> &'static str {
        match self {
            Self::Cancelled => "Apply again: it goes on where this run stopped.",
            Self::Unreachable(_) => {
                "Apply again when the cluster answers: it goes on where this run stopped."
            }
            Self::Failed { source, .. } => match source.downcast_ref() {
                Some(error) => after_helm(error),
                None => {
                    "Mend what the message names, then apply again: it goes on where this run stopped."
                }
            },
        }
    }

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

/// What the user can do about a release that could not be brought where it should be.
fn after_helm(error: &helm::release::Error) -> &'static str {
    use helm::release::Error as Helm;

    match error {
        Helm::NotOwned { .. } => {
            "Let go of the objects where they belong, or take them over with take_ownership = true; then apply again."
        }
        Helm::Immutable { .. } => {
            "Take the change back, or let the object be deleted and made anew with force_update = true; then apply again."
        }
        Helm::NotReady { .. } => {
            "Look at these objects and their events with kubectl; give them longer in timeouts if that is all they need. \
             The next apply goes on where this one stopped."
        }
        Helm::Hook { .. } => "Mend what makes the hook fail, then apply again.",
        Helm::Busy(_) | Helm::Lost { .. } => "Let the other operation end, then apply again.",
        Helm::Render(_) | Helm::Manifest(_) => {
            "Correct what the message names in the values or the chart."
        }
        Helm::RolledBack { source, .. } | Helm::RollbackFailed { source, .. } => after_helm(source),
        _ => "Mend what the message names, then apply again: it goes on where this run stopped.",
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
                .next(source.next()),
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

#[cfg(test)]
mod tests {
    use super::{Error, Fault};

    #[test]
    fn a_failed_release_says_what_to_do_about_its_own_reason() {
        let advice = |source: helm::release::Error| {
            let fault = Fault::failed("deploy shop/shop")(source);
            let problem = Error::cluster("install release shop/shop")(fault).problem();
            problem.next
        };
        let not_owned = || helm::release::Error::NotOwned {
            operation: "install",
            conflicts: vec!["Service \"shop\" exists".to_owned()],
        };
        assert!(advice(not_owned()).contains("take_ownership = true"));
        // What led to the way back is what has to be mended.
        let release = helm::release::ReleaseId::new("shop", "shop");
        let source = Box::new(not_owned());
        let rolled_back = helm::release::Error::RolledBack { release, source };
        assert!(advice(rolled_back).contains("take_ownership = true"));

        let fault = Fault::Unreachable("connection refused".to_owned());
        let problem = Error::cluster("install release shop/shop")(fault).problem();
        assert!(problem.next.contains("when the cluster answers"));
    }
}
