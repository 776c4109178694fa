//! What goes wrong between us and a node.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;
use tonic::{Code, Status};
use transport::{Cancelled, DialError};

use super::watched::tls_error;
use crate::pki::PkiError;

/// Longest excerpt of a node's own words.
const LONGEST_MESSAGE: usize = 500;

/// Why a call to a node gave no answer, or not the one hoped for.
#[derive(Debug, Error)]
pub enum TalosError {
    /// No connection, or no TLS session.
    #[error("the machine API of {address} cannot be reached")]
    Dial {
        /// The node.
        address: IpAddr,
        /// What the dialler says.
        source: DialError,
    },
    /// The connection broke during a call, for example because the node went down.
    #[error("the connection to {address} broke during {rpc}: {reason}")]
    Broken {
        /// The node.
        address: IpAddr,
        /// The call.
        rpc: &'static str,
        /// What broke it.
        reason: String,
    },
    /// The node's certificate, or ours, was refused after the connection stood.
    #[error("{address} refuses the credentials of this cluster: {reason}")]
    Credentials {
        /// The node.
        address: IpAddr,
        /// What the TLS library says.
        reason: String,
    },
    /// The node answered with an error.
    #[error("{address} answered {rpc} with {code:?}: {message}")]
    Refused {
        /// The node.
        address: IpAddr,
        /// The call.
        rpc: &'static str,
        /// gRPC's code.
        code: Code,
        /// The node's words, secrets masked, cut to a length.
        message: String,
    },
    /// No answer in time.
    #[error("{address} did not answer {rpc} within {} s", limit.as_secs())]
    Deadline {
        /// The node.
        address: IpAddr,
        /// The call.
        rpc: &'static str,
        /// The time allowed.
        limit: Duration,
    },
    /// An answer that makes no sense.
    #[error("{address} answered {rpc} with something unexpected: {reason}")]
    Unexpected {
        /// The node.
        address: IpAddr,
        /// The call.
        rpc: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An installer ended with a failure; the node is as it was.
    #[error("the installer on {address} ended with code {code}: {last_words}")]
    Installer {
        /// The node.
        address: IpAddr,
        /// Its exit code.
        code: i32,
        /// The last line it wrote.
        last_words: String,
    },
    /// The run was interrupted.
    #[error("interrupted")]
    Cancelled,
    /// No client certificate could be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The TLS library refused our own credentials.
    #[error("the TLS library refused the credentials of the machine API")]
    Tls(#[from] rustls::Error),
}

impl From<Cancelled> for TalosError {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl TalosError {
    /// An error status as an error: a broken connection is told from what the node itself said.
    pub(super) fn from_status(address: IpAddr, rpc: &'static str, status: &Status) -> Self {
        if status.source().is_some() {
            return Self::Broken {
                address,
                rpc,
                reason: innermost(status),
            };
        }
        Self::Refused {
            address,
            rpc,
            code: status.code(),
            message: excerpt(status.message()),
        }
    }

    /// The code of the node's own answer, if it is one.
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the same read may succeed a little later: the node starts, stops or is busy.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Dial { source, .. } => {
                matches!(
                    source,
                    DialError::Connect { .. } | DialError::Timeout { .. } | DialError::Proxy { .. }
                )
            }
            Self::Broken { .. } | Self::Deadline { .. } => true,
            Self::Refused { code, .. } => matches!(
                code,
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled
            ),
            _ => false,
        }
    }

    /// Whether the node's release does not know the call.
    pub const fn is_unimplemented(&self) -> bool {
        matches!(self.code(), Some(Code::Unimplemented))
    }

    /// Whether TLS failed because the node shows a certificate that is not of this cluster: in
    /// maintenance it makes one for itself.
    pub(super) fn is_foreign_certificate(&self) -> bool {
        match self {
            Self::Dial {
                source: DialError::Tls { source, .. },
                ..
            } => matches!(
                tls_error(source),
                Some(rustls::Error::InvalidCertificate(_))
            ),
            _ => false,
        }
    }
}

/// The node's words, masked and cut.
pub(super) fn excerpt(message: &str) -> String {
    let masked = secret::scrub(message);
    match masked.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &masked[..end]),
        None => masked.into_owned(),
    }
}

fn innermost(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = status.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    excerpt(&text)
}
