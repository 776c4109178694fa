//! A simulated cloud over real sockets: OpenIaaS, Talos nodes, Kubernetes, charts, a proxy.

pub mod kubernetes;
