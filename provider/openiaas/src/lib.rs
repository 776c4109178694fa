//! Client of the OpenIaaS HTTP API: requests as values, one sender, activities.
//!
//! [`Client`] is the entry. What is asked ([`Request`]) is apart from how it is sent: the class of
//! an operation ([`Class`]) alone decides its deadline, its retries and what a lost answer means.

mod activity;
mod api;
mod client;
mod decode;
mod endpoint;
mod error;
mod ids;
mod listing;
mod login;
mod metrics;
mod model;
mod request;
mod resolve;
mod sender;

pub use activity::{Activity, ActivityState, Concerned, Failure};
pub use api::{CloudInit, NewAdapter, NewDisk, NewVm, VmAdapter, VmLookup, VmPatch};
pub use client::{Client, Freshness, Settings};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Call, Error};
pub use ids::{
    ActivityId, AdapterId, DiskId, HostId, MachineManagerId, NetworkId, PolicyId, PoolId,
    StorageRepositoryId, TemplateId, VmId,
};
pub use listing::Listing;
pub use login::Credentials;
pub use metrics::Metrics;
pub use model::{
    Adapter, BootDevice, CONFIG_DRIVE, Detected, Disk, DiskLink, DvdDrive, Firmware, Host,
    HostMetrics, MachineManager, Network, Policy, Pool, PowerState, PrivateNetwork, Reference,
    Restart, StaticIp, StorageRepository, Template, TemplateAdapter, TemplateDisk, UpdateData,
    VirtualMachine, Vpc,
};
pub use request::{Class, Handle, Request};
pub use resolve::Zone;
