//! Messages and services of the Talos machine API and COSI state.
