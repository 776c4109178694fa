//! Promises of the Kubernetes API, over HTTP.
