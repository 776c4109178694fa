//! What the API answers, typed. Absent and null fields take their default; unknown fields are left
//! alone (OpenIaaS API, compute).

mod common;
mod storage;
mod vm;

pub use common::{
    Host, HostMetrics, MachineManager, Network, Policy, Pool, PrivateNetwork, Reference, StaticIp,
    UpdateData, Vpc,
};
pub use storage::{CONFIG_DRIVE, Disk, DiskLink, StorageRepository};
pub use vm::{
    Adapter, BootDevice, Detected, DvdDrive, Firmware, PowerState, Restart, Template,
    TemplateAdapter, TemplateDisk, VirtualMachine,
};
