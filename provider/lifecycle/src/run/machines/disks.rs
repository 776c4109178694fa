//! The disks of machines: their names, and which is which.

use openiaas::{Disk, VmId};
use transport::CancellationToken;

use super::{FoundVm, Machines};
use crate::Error;

impl Machines {
    /// The disks of a VM, from memory once they were read.
    pub(super) async fn disks(
        &self,
        vm: &VmId,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Vec<Disk>, Error> {
        if let Some(disks) = self.known.disks(vm) {
            return Ok(disks);
        }
        self.read_disks(vm, name, cancel).await
    }

    /// The disks of a VM, asked now.
    pub(super) async fn read_disks(
        &self,
        vm: &VmId,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<Vec<Disk>, Error> {
        let doing = Error::cloud(format!("read the disks of {name}"));
        let disks = self.cloud.disks(vm, cancel).await.map_err(doing)?;
        self.known.set_disks(vm, disks.clone());
        Ok(disks)
    }
}

pub(super) fn system_disk(vm: &str) -> String {
    format!("{vm}-system")
}

pub(super) fn data_prefix(vm: &str) -> String {
    format!("{vm}-data-")
}

pub(super) fn data_disk(vm: &str, number: usize) -> String {
    format!("{}{number}", data_prefix(vm))
}

/// The disk that came from the template: named by us already, or the only writable one.
pub(super) fn find_system_disk<'a>(found: &FoundVm, disks: &'a [Disk]) -> Option<&'a Disk> {
    let ours = system_disk(&found.name);
    disks.iter().find(|disk| disk.name == ours).or_else(|| {
        disks.iter().find(|disk| {
            !disk.is_config_drive(&found.id) && !disk.name.starts_with(&data_prefix(&found.name))
        })
    })
}
