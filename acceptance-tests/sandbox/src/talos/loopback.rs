//! Loopback addresses for nodes: each sandbox owns one /16 of 127.0.0.0/8.

use std::net::Ipv4Addr;

use tokio::net::TcpListener;

use crate::running::StartError;

/// A /16 that this sandbox owns as long as it lives.
#[derive(Debug)]
pub struct LoopbackClaim {
    second: u8,
    /// Holds a port that no other sandbox can have at the same time.
    _listener: TcpListener,
}

/// The port that says that a network is taken.
const CLAIM_PORT: u16 = 49_999;

impl LoopbackClaim {
    /// Takes the wanted network, or the first free one.
    pub async fn take(wanted: Option<Ipv4Addr>) -> Result<Self, StartError> {
        if let Some(wanted) = wanted {
            let fail = || StartError::Loopback {
                wanted: wanted.to_string(),
            };
            if !wanted.is_loopback() {
                return Err(fail());
            }
            return Self::claim(wanted.octets()[1]).await.ok_or_else(fail);
        }
        // Neighbours in time start at different places, so that they do not queue up.
        let start = uuid::Uuid::new_v4().as_bytes()[0];
        for step in 0..150 {
            let second = 77 + (start.wrapping_add(step) % 150);
            if let Some(claim) = Self::claim(second).await {
                return Ok(claim);
            }
        }
        Err(StartError::Loopback {
            wanted: "127.77.0.0 to 127.226.0.0".into(),
        })
    }

    async fn claim(second: u8) -> Option<Self> {
        let listener = TcpListener::bind((Ipv4Addr::new(127, second, 255, 254), CLAIM_PORT))
            .await
            .ok()?;
        Some(Self {
            second,
            _listener: listener,
        })
    }

    /// The second number of its addresses.
    pub fn prefix(&self) -> u8 {
        self.second
    }

    /// The network in CIDR form.
    pub fn network(&self) -> String {
        format!("127.{}.0.0/16", self.second)
    }
}
