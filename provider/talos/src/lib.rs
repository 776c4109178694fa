//! Talos PKI, machine configuration and machine API.
