//! What a machine lacks, and how it differs from what it shall be.

use transport::CancellationToken;

use super::disks::{data_disk, system_disk};
use super::{FoundVm, Machines};
use crate::Error;
use crate::cluster::MachineSpec;

/// Memory was seen to read back some 2 MB below what was asked (OpenIaaS API, failure modes).
const MEMORY_TOLERANCE: u64 = 4 << 20;

/// What [`Machines::condition`] saw.
pub(crate) struct Condition {
    /// Parts of a finished machine that are not there.
    pub lacks: String,
    /// Size that is other than desired.
    pub differs: String,
    /// Whether the drive with its configuration is attached.
    pub config_drive: bool,
}

impl Machines {
    /// What a tagged machine lacks, and how its size differs: by its disks, and by its policies when it
    /// stands still.
    pub(crate) async fn condition(
        &self,
        found: &FoundVm,
        spec: &MachineSpec,
        cancel: &CancellationToken,
    ) -> Result<Condition, Error> {
        let disks = self.disks(&found.id, &found.name, cancel).await?;
        let mut lacks = Vec::new();
        let missing = (1..=spec.disks.as_slice().len())
            .filter(|number| {
                !disks
                    .iter()
                    .any(|disk| disk.name == data_disk(&found.name, *number))
            })
            .count();
        if missing > 0 {
            lacks.push(format!("{missing} data disks"));
        }
        let system = disks
            .iter()
            .find(|disk| disk.name == system_disk(&found.name));
        // Sizes were seen to be acknowledged and not applied.
        if system.is_none_or(|disk| disk.size < spec.size.os_disk_bytes()) {
            lacks.push("its system disk's size".to_owned());
        }
        if found.is_halted() {
            if self.policies(found, cancel).await?.is_empty() {
                lacks.push("a backup policy".to_owned());
            }
            if !found.vm.auto_power_on {
                lacks.push("its properties".to_owned());
            }
        }
        let mut differs = Vec::new();
        if found.vm.cpu < u32::from(spec.size.vcpu) {
            differs.push(format!(
                "{} processors, wanted {}",
                found.vm.cpu, spec.size.vcpu
            ));
        }
        if found.vm.memory + MEMORY_TOLERANCE < spec.size.memory_bytes() {
            let gib = found.vm.memory / (1024 * 1024 * 1024);
            differs.push(format!("memory {gib} GiB, wanted {}", spec.size.memory_gib));
        }
        Ok(Condition {
            lacks: lacks.join(", "),
            differs: differs.join("; "),
            config_drive: disks.iter().any(|disk| disk.is_config_drive(&found.id)),
        })
    }
}
