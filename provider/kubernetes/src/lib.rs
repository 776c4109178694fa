//! Kubernetes client from a minted certificate: drain, leases, readiness, cluster access for helm.
