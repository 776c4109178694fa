//! Actions, one file each, and what their commands for older versions of terraform share with them.

mod etcd_snapshot;
mod file;

pub use etcd_snapshot::{EtcdSnapshot, run};
