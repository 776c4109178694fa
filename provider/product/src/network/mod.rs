//! The address plan of a cluster (product reference, 4.1): every address is arithmetic on one /22.

mod address;
mod api;
mod plan;

pub use address::{AddressRange, NodeNetwork, PodNetwork, ServiceNetwork};
pub(crate) use api::check_api;
pub use api::{ApiEndpoint, ApiStrategy};
pub use plan::{NetworkPlan, NetworkSettings, NodeAddress, address_plan};
pub(crate) use plan::{check_disjoint, check_gateway, check_pod_size};
