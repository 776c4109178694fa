//! The provider under a client that plays core, against the sandbox: every call of the newest protocol minor, also those
//! that the terraform at hand does not make. The client fails on whatever core would reject.

mod completeness;
mod etcd;
mod life;
mod others;
mod world;
