//! Ceph capacity, quotas and expectations (product reference, 5.2 to 5.4).

use serde::{Deserialize, Serialize};

use crate::{Path, Problem, Topology};

/// Copies of each replicated object.
const COPIES: u64 = 3;
/// What the platform itself uses, in GB (CAP-03).
pub const PLATFORM_RESERVED_GB: u32 = 150;

/// What a Ceph cluster offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CephCapacity {
    /// Disks before replication, in GB.
    pub raw_gb: u64,
    /// After replication, in GB.
    pub usable_gb: u64,
    /// After replication and the platform's own share, in GB.
    pub customer_gb: u64,
}

/// The function `ceph_capacity`: `nodes` machines of `gb_per_node` each.
pub fn ceph_capacity(gb_per_node: u32, nodes: u16, reserved_gb: u32) -> CephCapacity {
    let raw_gb = u64::from(gb_per_node) * u64::from(nodes);
    let usable_gb = raw_gb / COPIES;
    CephCapacity {
        raw_gb,
        usable_gb,
        customer_gb: usable_gb.saturating_sub(u64::from(reserved_gb)),
    }
}

/// How the customer's capacity is split, in GB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotas {
    /// Replicated block volumes.
    pub block_gb: u64,
    /// Block volumes of one copy.
    pub block_norepl_gb: u64,
    /// File volumes.
    pub file_gb: u64,
}

impl Quotas {
    /// The split used when none is given: 70 % block, 20 % file, 10 % unreplicated (QUO-04).
    pub fn default_split(customer_gb: u64) -> Self {
        let (block_gb, file_gb) = (customer_gb * 7 / 10, customer_gb / 5);
        Self {
            block_gb,
            block_norepl_gb: customer_gb - block_gb - file_gb,
            file_gb,
        }
    }

    /// A replicated GB costs three raw ones, an unreplicated one costs one (QUO-03).
    pub fn check(self, customer_gb: u64, place: &Path) -> Option<Problem> {
        let replicated = self.block_gb.saturating_add(self.file_gb);
        let needed = replicated
            .saturating_mul(COPIES)
            .saturating_add(self.block_norepl_gb);
        let available = customer_gb.saturating_mul(COPIES);
        (needed > available).then(|| {
            Problem::error(place.clone(), "quotas exceed the storage capacity")
                .seen(format!(
                    "3 x ({} + {}) + {} = {needed} GB",
                    self.block_gb, self.file_gb, self.block_norepl_gb
                ))
                .allowed(format!("at most 3 x {customer_gb} = {available} GB"))
                .next("Lower the quotas, or raise storage.ceph_gb_per_node.")
        })
    }
}

/// Memory that a storage node should have for its disks: 24 GiB up to 500 GB, 128 GiB at 10 TB (SIZ-09).
pub fn recommended_storage_memory_gib(ceph_gb: u32) -> u32 {
    let above = u64::from(ceph_gb.saturating_sub(500));
    24 + (above * 104).div_ceil(9_500) as u32
}

/// Operations a second of one volume of a class of `iops_per_tb` (IAA-06): capped by the platform.
pub fn effective_iops(iops_per_tb: u32, disk_gb: u32) -> u32 {
    let cap = if iops_per_tb <= 500 { 10_000 } else { 30_000 };
    (u64::from(iops_per_tb) * u64::from(disk_gb) / 1_000).min(cap) as u32
}

/// Nodes that carry Ceph disks.
pub fn ceph_nodes(topology: Topology, storage_nodes: u16) -> u16 {
    match topology {
        Topology::Production => storage_nodes,
        Topology::DevTest => topology.storage_workers(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities_of_the_reference() {
        assert_eq!(
            ceph_capacity(500, 3, PLATFORM_RESERVED_GB),
            CephCapacity {
                raw_gb: 1_500,
                usable_gb: 500,
                customer_gb: 350
            }
        );
        assert_eq!(ceph_capacity(300, 3, PLATFORM_RESERVED_GB).customer_gb, 150);
    }

    #[test]
    fn the_default_split_fits() {
        for customer_gb in [0, 150, 350, 9_999] {
            let quotas = Quotas::default_split(customer_gb);
            assert_eq!(quotas.check(customer_gb, &Path::root()), None);
        }
        let greedy = Quotas {
            block_gb: 350,
            block_norepl_gb: 1,
            file_gb: 0,
        };
        assert!(greedy.check(350, &Path::root()).is_some());
    }

    #[test]
    fn memory_and_iops_follow_the_disks() {
        assert_eq!(recommended_storage_memory_gib(500), 24);
        assert_eq!(recommended_storage_memory_gib(10_000), 128);
        assert_eq!(effective_iops(7_500, 500), 3_750);
        assert_eq!(effective_iops(15_000, 2_000), 30_000);
    }
}
