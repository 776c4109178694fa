//! What each machine is made of, and what a whole cluster adds up to.

use serde::{Deserialize, Serialize};

use crate::{Checked, Path, Problem, Role, Topology};

/// Processor, memory and system disk of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MachineSize {
    /// Virtual processors.
    pub vcpu: u16,
    /// Memory in GiB.
    pub memory_gib: u32,
    /// System disk in GB (decimal).
    pub os_disk_gb: u32,
}

impl MachineSize {
    /// The product's size of a role (product reference, 2.2 and 2.3).
    pub const fn of(role: Role) -> Self {
        match role {
            Role::ControlPlane => Self {
                vcpu: 8,
                memory_gib: 12,
                os_disk_gb: 64,
            },
            Role::Storage | Role::Worker => Self {
                vcpu: 12,
                memory_gib: 24,
                os_disk_gb: 64,
            },
            Role::GitRunner => Self {
                vcpu: 4,
                memory_gib: 8,
                os_disk_gb: 256,
            },
        }
    }

    /// Memory in bytes.
    pub const fn memory_bytes(self) -> u64 {
        self.memory_gib as u64 * 1024 * 1024 * 1024
    }

    /// System disk in bytes.
    pub const fn os_disk_bytes(self) -> u64 {
        gb_to_bytes(self.os_disk_gb)
    }
}

/// Decimal gigabytes in bytes: the unit in which disks are ordered.
pub const fn gb_to_bytes(gb: u32) -> u64 {
    gb as u64 * 1_000_000_000
}

/// Largest virtual disk, in GB (OpenIaaS, VHD format).
pub const LARGEST_DISK_GB: u32 = 2_000;
/// Most data disks of a machine: 24 drives, less the system disk and the configuration drive.
pub const MOST_DATA_DISKS: usize = 22;

/// The data disks of a machine, in GB, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DataDisks(Vec<u32>);

impl DataDisks {
    /// Splits a capacity into as few disks as possible, of nearly the same size (IAA-02).
    pub fn split(capacity_gb: u32) -> Checked<Self> {
        Self::default().grow(capacity_gb)
    }

    /// The disks that exist already.
    pub const fn existing(disks: Vec<u32>) -> Self {
        Self(disks)
    }

    /// These disks and as many more as the capacity needs: a disk never grows, shrinking is refused (IAA-03).
    pub fn grow(&self, capacity_gb: u32) -> Checked<Self> {
        let present = self.total_gb();
        let Some(missing) = capacity_gb.checked_sub(present) else {
            return Err(Box::new(
                Problem::error(Path::root(), "storage capacity cannot shrink")
                    .seen(format!(
                        "{capacity_gb} GB, and the machine has {present} GB"
                    ))
                    .allowed(format!("{present} GB or more"))
                    .next("Restore the former capacity."),
            ));
        };
        let mut disks = self.0.clone();
        let count = missing.div_ceil(LARGEST_DISK_GB);
        for position in 0..count {
            disks.push(missing / count + u32::from(position < missing % count));
        }
        if disks.len() > MOST_DATA_DISKS {
            return Err(Box::new(
                Problem::error(Path::root(), "storage capacity needs too many disks")
                    .seen(format!("{capacity_gb} GB, {} disks", disks.len()))
                    .allowed(format!(
                        "{MOST_DATA_DISKS} disks of at most {LARGEST_DISK_GB} GB"
                    ))
                    .next("Ask for less capacity on each node, or use more storage nodes."),
            ));
        }
        Ok(Self(disks))
    }

    /// Sum of the sizes.
    pub fn total_gb(&self) -> u32 {
        self.0.iter().sum()
    }

    /// The sizes in GB.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }
}

/// What a cluster adds up to: shown as `totals`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Virtual processors.
    pub vcpu: u64,
    /// Memory in GiB.
    pub memory_gib: u64,
    /// System disks of the nodes in GB, the Git Runner's not counted.
    pub os_disk_gb: u64,
    /// Ceph disks in GB, before replication.
    pub ceph_raw_gb: u64,
}

impl Totals {
    /// Adds `count` machines of a role.
    pub fn add(mut self, role: Role, count: u16, size: MachineSize, data_gb: u32) -> Self {
        let count = u64::from(count);
        self.vcpu += count * u64::from(size.vcpu);
        self.memory_gib += count * u64::from(size.memory_gib);
        if role.is_node() {
            self.os_disk_gb += count * u64::from(size.os_disk_gb);
        }
        self.ceph_raw_gb += count * u64::from(data_gb);
        self
    }

    /// The smallest cluster of a topology: the plan summary of a first create.
    pub fn minimal(topology: Topology) -> Self {
        let storage_workers = topology.storage_workers();
        let plain_workers = topology.worker_limits().0 - storage_workers;
        let (worker, ceph) = (MachineSize::of(Role::Worker), topology.minimum_ceph_gb());
        Self::default()
            .add(Role::GitRunner, 1, MachineSize::of(Role::GitRunner), 0)
            .add(
                Role::ControlPlane,
                topology.control_planes(),
                MachineSize::of(Role::ControlPlane),
                0,
            )
            .add(
                Role::Storage,
                topology.storage_nodes(),
                MachineSize::of(Role::Storage),
                ceph,
            )
            .add(Role::Worker, storage_workers, worker, ceph)
            .add(Role::Worker, plain_workers, worker, 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn totals_of_the_reference() {
        let production = Totals::minimal(Topology::Production);
        assert_eq!(
            production,
            Totals {
                vcpu: 100,
                memory_gib: 188,
                os_disk_gb: 576,
                ceph_raw_gb: 1_500
            }
        );
        let devtest = Totals::minimal(Topology::DevTest);
        assert_eq!(
            (devtest.vcpu, devtest.memory_gib, devtest.ceph_raw_gb),
            (48, 92, 900)
        );
    }

    #[test]
    fn growth_adds_a_disk_of_the_difference() {
        let first = DataDisks::split(500).expect("one disk");
        assert_eq!(first.as_slice(), [500]);
        assert_eq!(first.grow(800).expect("more").as_slice(), [500, 300]);
        assert_eq!(first.grow(500).expect("the same"), first);
        assert!(first.grow(499).is_err());
        assert_eq!(
            DataDisks::split(2_001).expect("two").as_slice(),
            [1_001, 1_000]
        );
        assert!(DataDisks::split(44_000).is_ok());
        assert!(DataDisks::split(44_001).is_err());
    }

    proptest! {
        #[test]
        fn disks_add_up_and_fit(first in 1u32..40_000, more in 0u32..4_000) {
            let disks = DataDisks::split(first).expect("at most 20 disks");
            let grown = disks.grow(first + more).expect("at most 22 disks");
            prop_assert_eq!(grown.total_gb(), first + more);
            prop_assert!(grown.as_slice().iter().all(|gb| (1..=LARGEST_DISK_GB).contains(gb)));
            prop_assert!(grown.as_slice().starts_with(disks.as_slice()));
        }
    }
}
