//! Pure rules of the product: offerings, topologies, limits, names, addresses, versions.
//!
//! Nothing here does I/O. Types are made by `parse` and cannot be made otherwise; a rule that is
//! broken is reported as a [`Problem`], the one form in which pure code reports.

mod birth;
pub mod catalogue;
mod change_tokens;
mod identifier;
mod labels;
mod machine;
mod network;
mod node;
mod offering;
mod problem;
mod ranges;
pub mod rules;
mod secret_path;
mod storage;
mod text_enum;
mod urls;
mod versions;
mod zone;

pub use birth::{Birth, ClusterId, VmTag};
pub use change_tokens::{CHANGES, ChangeItem, Price, change_tokens};
pub use identifier::{Identifier, IdentifierPolicy, PoolName, identifier_ok};
pub use labels::{
    INSTANCE_TYPE_LABEL, POOL_LABEL, REGION_LABEL, ROLE_LABEL, STORAGE_TAINT, Taint, TaintEffect,
    ZONE_LABEL, check_label, is_label_key, is_label_value,
};
pub use machine::{DataDisks, LARGEST_DISK_GB, MOST_DATA_DISKS, MachineSize, Totals, gb_to_bytes};
pub use network::{
    AddressRange, ApiEndpoint, ApiStrategy, NetworkPlan, NetworkSettings, NodeAddress, NodeNetwork,
    PodNetwork, ServiceNetwork, address_plan,
};
pub use node::{MacAddress, NodeKey, Role};
pub use offering::{Exposure, LoadBalancerMode, Offering, Topology, WorkerKind};
pub use problem::{Checked, Path, PathStep, Problem, Severity};
pub use ranges::IndexSet;
pub use secret_path::{SecretScope, secret_path};
pub use storage::{
    CephCapacity, PLATFORM_RESERVED_GB, Quotas, ceph_capacity, ceph_nodes, effective_iops,
    recommended_storage_memory_gib,
};
pub use urls::{API_PORT, PUBLIC_ZONE, PublicZone, api_name, cluster_urls, private_dns_records};
pub use versions::{
    Contract, KubernetesRelease, KubernetesVersion, Minor, Support, SupportPhase,
    SupportedKubernetes, SupportedTalos, SupportedVersions, TalosVersion, check_kubernetes_step,
    check_matrix, check_talos_step, newest_kubernetes, support_of, supported_versions, talos_runs,
};
pub use zone::{Region, Zone, Zones};
