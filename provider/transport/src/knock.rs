//! Finding out whether somebody has an address.

use std::io::ErrorKind;
use std::time::Duration;

use crate::{CancellationToken, DialError, Dialer, or_cancelled};

/// What a port tells about its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knock {
    /// Somebody accepts connections.
    Open,
    /// Somebody refuses them: a machine whose port is closed, or a firewall that answers for it. An HTTP proxy cannot
    /// tell this from silence.
    Refused,
    /// Nothing came back.
    Silent,
}

impl Dialer {
    /// Opens a connection and closes it at once.
    ///
    /// # Errors
    /// An interruption, and a proxy that is itself out of reach.
    pub async fn knock(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<Knock, DialError> {
        let dialer = self.clone().connect_within(limit);
        let opened = or_cancelled(cancel, dialer.open(host, port)).await;
        match opened.unwrap_or(Err(DialError::Cancelled)) {
            Ok(_) => Ok(Knock::Open),
            Err(DialError::Proxy {
                by_target: true, ..
            }) => Ok(Knock::Refused),
            Err(DialError::Connect { source, .. }) if self.proxy().is_none() => {
                Ok(if source.kind() == ErrorKind::ConnectionRefused {
                    Knock::Refused
                } else {
                    Knock::Silent
                })
            }
            Err(DialError::Proxy { .. } | DialError::Timeout { .. }) => Ok(Knock::Silent),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_open_and_a_closed_port_are_told_apart() {
        let limit = Duration::from_secs(5);
        let cancel = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let knock = Dialer::direct()
            .knock("127.0.0.1", port, limit, &cancel)
            .await;
        assert_eq!(knock.ok(), Some(Knock::Open));
        drop(listener);
        let knock = Dialer::direct()
            .knock("127.0.0.1", port, limit, &cancel)
            .await;
        assert_eq!(knock.ok(), Some(Knock::Refused));
        cancel.cancel();
        let knock = Dialer::direct()
            .knock("127.0.0.1", port, limit, &cancel)
            .await;
        assert!(matches!(knock, Err(DialError::Cancelled)));
    }
}
