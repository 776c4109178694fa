//! The operations, one file a kind of object. Every function builds its request in one place and
//! sends it under the rules of its class.

mod adapter;
mod backup;
mod disk;
mod presence;
mod tag;
mod vm;
mod vpc;

pub use adapter::NewAdapter;
pub use disk::NewDisk;
pub use presence::VmLookup;
pub use vm::{CloudInit, NewVm, VmAdapter, VmPatch};
