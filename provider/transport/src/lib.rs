//! What every client needs of the network: dialling, proxies, trust, back-off, clock, cancellation.
