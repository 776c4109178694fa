//! What can go wrong with a call, an activity or a look-up.

use std::fmt;
use std::time::Duration;

use thiserror::Error;
use transport::{Cancelled, HttpClientError};

use crate::activity::Activity;
use crate::{ActivityId, Failure, Handle};

/// Method and path of a call, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The HTTP method.
    pub method: String,
    /// The path without host and prefix.
    pub path: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// What can go wrong. No variant carries a secret: remote texts are scrubbed and cut.
#[derive(Debug, Error)]
pub enum Error {
    /// The run was interrupted.
    #[error("interrupted")]
    Cancelled,
    /// The HTTP client could not be made from the settings.
    #[error("the HTTP client could not be made")]
    Client(#[source] Box<HttpClientError>),
    /// The platform did not accept the credentials.
    #[error("the API refused the credentials with HTTP {status}: {message}")]
    Credentials {
        /// HTTP status.
        status: u16,
        /// The platform's words.
        message: String,
    },
    /// The token that the platform gave cannot be read.
    #[error("the API answered the login with something that is not a token: {reason}")]
    Token {
        /// What is wrong with it, never the token itself.
        reason: String,
    },
    /// Nothing answered, after all attempts.
    #[error("{call}: the API was not reached in {attempts} attempts: {reason}")]
    Unreachable {
        /// The call.
        call: Call,
        /// Attempts made.
        attempts: u32,
        /// Why the last one failed.
        reason: String,
    },
    /// An answer that is not a success, after all attempts that its class allows.
    #[error("{call}: the API answered HTTP {status}: {message}")]
    Status {
        /// The call.
        call: Call,
        /// HTTP status.
        status: u16,
        /// The platform's words.
        message: String,
    },
    /// A right is missing.
    #[error(
        "{call}: the API denied access (HTTP 403: {message}); the token probably lacks the right {right:?}"
    )]
    Denied {
        /// The call.
        call: Call,
        /// The right that the call needs, as the console names it.
        right: &'static str,
        /// The platform's words.
        message: String,
    },
    /// A write was sent and no definite answer came: it may have been carried out. Look up
    /// `find_by` before anything else.
    #[error("{call}: the answer was lost ({reason}); {find_by} may have been written")]
    AnswerLost {
        /// The call.
        call: Call,
        /// How to find out.
        find_by: Handle,
        /// What happened to the answer.
        reason: String,
    },
    /// A success whose body does not have the documented shape.
    #[error("{call}: the answer is not what the API documents: {reason}")]
    Decode {
        /// The call.
        call: Call,
        /// The parser's words.
        reason: String,
    },
    /// A write was accepted without naming its activity: it may have been carried out.
    #[error("{call}: accepted with HTTP {status}, but no activity was named")]
    NoActivity {
        /// The call.
        call: Call,
        /// HTTP status.
        status: u16,
    },
    /// An activity failed.
    #[error(
        "activity {} ({}) failed: {reason}",
        activity.id,
        activity.description
    )]
    ActivityFailed {
        /// The activity as last read.
        activity: Box<Activity>,
        /// The platform's reason.
        reason: String,
        /// What the reason means.
        failure: Failure,
    },
    /// An activity never became visible, or was seen and is gone.
    #[error("activity {id} cannot be found; quote its number to the platform's support")]
    ActivityMissing {
        /// The activity.
        id: ActivityId,
    },
    /// An activity did not end in time. It may still end.
    #[error(
        "activity {id} did not end within {} s, last state: {last}; quote its number to the platform's support",
        elapsed.as_secs()
    )]
    ActivityTimeout {
        /// The activity.
        id: ActivityId,
        /// The last state seen.
        last: String,
        /// The time waited.
        elapsed: Duration,
    },
    /// An activity that makes something ended without naming it.
    #[error("activity {id} is completed, but names no result")]
    NoResult {
        /// The activity.
        id: ActivityId,
    },
    /// An object did not reach a state in time.
    #[error("{what} after {} s, last seen: {last}", elapsed.as_secs())]
    NotReached {
        /// What was waited for, as a phrase: `VM x is not halted`.
        what: String,
        /// The last state seen.
        last: String,
        /// The time waited.
        elapsed: Duration,
    },
    /// Neither presence nor absence could be proved.
    #[error("it cannot be told whether {what} still exists: {reason}")]
    Inconclusive {
        /// The object.
        what: String,
        /// Why.
        reason: String,
    },
    /// A name that is not there.
    #[error(
        "no {kind} named {name:?} in {place}; there are: {}",
        listed(available)
    )]
    NotFound {
        /// The kind of object.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        place: String,
        /// The names that are there, sorted.
        available: Vec<String>,
    },
    /// A name that is there more than once.
    #[error(
        "{count} objects of kind {kind} are named {name:?} in {place}; a unique name is needed"
    )]
    Ambiguous {
        /// The kind of object.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        place: String,
        /// How many there are.
        count: usize,
    },
}

impl Error {
    /// Whether the platform said that the object is not there (404). Alone this is no proof.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404, .. })
    }

    /// Whether the same read may succeed a little later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::Cancelled
            | Self::Client(_)
            | Self::Credentials { .. }
            | Self::Token { .. }
            | Self::Denied { .. }
            | Self::AnswerLost { .. }
            | Self::Decode { .. }
            | Self::NoActivity { .. }
            | Self::ActivityFailed { .. }
            | Self::ActivityMissing { .. }
            | Self::ActivityTimeout { .. }
            | Self::NoResult { .. }
            | Self::NotReached { .. }
            | Self::Inconclusive { .. }
            | Self::NotFound { .. }
            | Self::Ambiguous { .. } => false,
        }
    }

    /// Whether a write may have been carried out although this error came back: look its handle up.
    pub const fn may_have_written(&self) -> bool {
        matches!(
            self,
            Self::AnswerLost { .. }
                | Self::NoActivity { .. }
                | Self::ActivityFailed { .. }
                | Self::ActivityMissing { .. }
                | Self::ActivityTimeout { .. }
                | Self::NoResult { .. }
        )
    }
}

impl From<Cancelled> for Error {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    if names.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("{name:?}"))
        .collect();
    let mut text = shown.join(", ");
    if names.len() > SHOWN {
        text.push_str(&format_args!(" and {} more", names.len() - SHOWN).to_string());
    }
    text
}
