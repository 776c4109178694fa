//! Repositories and disks.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Reference;
use super::common::RepositoryRef;
use crate::{DiskId, HostId, MachineManagerId, PoolId, StorageRepositoryId, VmId};

/// The name of the drive that carries cloud-init data (Xen Orchestra).
pub const CONFIG_DRIVE: &str = "XO CloudConfigDrive";

/// A storage repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StorageRepository {
    /// Its identifier.
    pub id: StorageRepositoryId,
    /// Its name.
    pub name: String,
    /// Whether nothing may be placed there now.
    #[serde(alias = "maintenanceStatus")]
    pub maintenance_mode: bool,
    /// Size in bytes.
    pub max_capacity: u64,
    /// Free bytes.
    pub free_capacity: u64,
    /// `lvmohba`, `nfs`, `iso`, ...
    pub storage_type: String,
    /// Whether all hosts of the pool reach it.
    pub shared: bool,
    /// Whether it is reachable now. The API writes 1 or 0.
    #[serde(deserialize_with = "flag")]
    pub accessible: bool,
    /// The host of a local repository; empty otherwise.
    pub host: Reference<HostId>,
    /// Its pool.
    pub pool: Reference<PoolId>,
    /// Its zone.
    pub machine_manager: Reference<MachineManagerId>,
}

impl StorageRepository {
    /// Whether a new disk of this many bytes for a VM of `pool` can be placed there: shared within
    /// the pool, reachable, not in maintenance, not for images, with room.
    pub fn takes(&self, pool: &PoolId, bytes: u64) -> bool {
        self.shared
            && self.accessible
            && !self.maintenance_mode
            && !self.holds_images()
            && self.pool.id == *pool
            && self.free_capacity >= bytes
    }

    /// Whether it holds installation images and no VM disks.
    pub fn holds_images(&self) -> bool {
        matches!(self.storage_type.as_str(), "iso" | "nfs_iso" | "cifs")
    }
}

/// A virtual disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Disk {
    /// Its identifier.
    pub id: DiskId,
    /// Its name.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Whether it is a snapshot.
    pub is_snapshot: bool,
    /// Where it lies.
    pub storage_repository: RepositoryRef,
    /// The VMs it is attached to.
    pub virtual_machines: Vec<DiskLink>,
}

impl Disk {
    /// Whether it is the cloud-init drive of this VM: that very name, and read-only there.
    pub fn is_config_drive(&self, vm: &VmId) -> bool {
        self.name == CONFIG_DRIVE
            && self
                .virtual_machines
                .iter()
                .any(|link| link.id == *vm && link.read_only)
    }
}

/// How a disk is attached to a VM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DiskLink {
    /// The VM.
    pub id: VmId,
    /// Its name.
    pub name: String,
    /// Whether the VM cannot write to it.
    pub read_only: bool,
    /// Whether it is plugged now; always false on a halted VM.
    pub connected: bool,
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(flag) => flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => matches!(text.as_str(), "1" | "true"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_repository_takes_a_disk_only_when_all_is_well() {
        let repository = |change: Value| {
            let mut value = json!({"id": "sr", "storageType": "lvmohba", "shared": true,
                "accessible": 1, "freeCapacity": 100, "pool": {"id": "pool-1"},
                "host": {"id": "", "name": ""}});
            for (name, field) in change.as_object().expect("an object") {
                value[name] = field.clone();
            }
            let repository: StorageRepository = serde_json::from_value(value).expect("readable");
            repository.takes(&PoolId::new("pool-1"), 100)
        };
        assert!(repository(json!({})));
        for change in [
            json!({"freeCapacity": 99}),
            json!({"accessible": 0}),
            json!({"shared": false}),
            json!({"maintenanceStatus": true}),
            json!({"storageType": "nfs_iso"}),
            json!({"pool": {"id": "pool-2"}}),
        ] {
            assert!(!repository(change.clone()), "{change}");
        }
    }

    #[test]
    fn the_config_drive_is_known_by_name_and_mode_together() {
        let disk = |name: &str, read_only: bool| Disk {
            name: name.to_owned(),
            virtual_machines: vec![DiskLink {
                id: VmId::new("vm-1"),
                read_only,
                ..DiskLink::default()
            }],
            ..Disk::default()
        };
        let vm = VmId::new("vm-1");
        assert!(disk(CONFIG_DRIVE, true).is_config_drive(&vm));
        assert!(!disk(CONFIG_DRIVE, false).is_config_drive(&vm));
        assert!(!disk("data", true).is_config_drive(&vm));
        assert!(!disk(CONFIG_DRIVE, true).is_config_drive(&VmId::new("vm-2")));
    }
}
