//! What every client needs of the network: dialling, proxies, trust, back-off, clock, cancellation.

mod backoff;
mod bucket;
mod cancel;
mod chain;
mod clock;
mod connector;
mod dial;
mod flight;
mod http_client;
mod knock;
mod poll;
mod proxy;
mod rounds;
mod trust;

pub use backoff::{Backoff, BackoffError, Jitter};
pub use bucket::Bucket;
pub use cancel::{CancellationToken, Cancelled, or_cancelled};
pub use chain::chain;
pub use clock::{Clock, ManualClock, SharedClock, SystemClock, pause, within};
pub use connector::{Connector, Stream};
pub use dial::{DialError, Dialer};
pub use flight::{Memo, SingleFlight};
pub use http_client::{HttpClientError, http_client};
pub use knock::Knock;
pub use poll::{Pace, Probe, WaitError, poll_until};
pub use proxy::{Proxy, ProxyError};
pub use rounds::{Rounds, RoundsError};
pub use trust::{Trust, TrustError, crypto_provider};
