//! What acceptance tests, the demo and the figures share: finding or building the programs, starting
//! the sandbox as its own process, and driving the real `terraform` in a folder of its own; and packing a release.

mod archive;
mod binaries;
mod cloud;
mod error;
mod terraform;

pub use archive::{Platform, Release};
pub use binaries::{Binaries, repository};
pub use cloud::Cloud;
pub use error::Error;
pub use terraform::{Finished, Terraform};
