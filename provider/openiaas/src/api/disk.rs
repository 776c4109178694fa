//! Virtual disks (OpenIaaS API, compute).

use serde_json::json;
use transport::CancellationToken;

use crate::{Class, Client, Disk, DiskId, Error, Handle, Request, StorageRepositoryId, VmId};

const MANAGEMENT: &str = "compute_iaas_opensource_management";

/// A disk to make for a VM, attached to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDisk {
    /// Its name, unique among the VM's disks: how it is found again.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Where it will lie.
    pub repository: StorageRepositoryId,
    /// The VM it is for.
    pub vm: VmId,
}

impl Client {
    /// The disks of a VM, the config drive among them.
    ///
    /// # Errors
    /// As every read.
    pub async fn disks(&self, vm: &VmId, cancel: &CancellationToken) -> Result<Vec<Disk>, Error> {
        let request = Request::get("/compute/v1/open_iaas/virtual_disks", &[])
            .query("virtualMachineId", vm.as_str());
        Ok(self.list(&request, cancel).await?.items)
    }

    /// The disks of a repository, attached or not: how leftovers are found.
    ///
    /// # Errors
    /// As every read.
    pub async fn disks_in(
        &self,
        repository: &StorageRepositoryId,
        cancel: &CancellationToken,
    ) -> Result<Vec<Disk>, Error> {
        let request = Request::get("/compute/v1/open_iaas/virtual_disks", &[])
            .query("storageRepositoryId", repository.as_str());
        Ok(self.list(&request, cancel).await?.items)
    }

    /// Reads a disk. `None` on 404.
    ///
    /// # Errors
    /// As every read.
    pub async fn disk(
        &self,
        id: &DiskId,
        cancel: &CancellationToken,
    ) -> Result<Option<Disk>, Error> {
        let path = "/compute/v1/open_iaas/virtual_disks/{}";
        self.get(&Request::get(path, &[id.as_str()]), cancel).await
    }

    /// Makes a disk, writable and not bootable, and attaches it.
    ///
    /// # Errors
    /// As every write; after one for which [`Error::may_have_written`] holds look for its name among
    /// the VM's disks.
    pub async fn create_disk(
        &self,
        disk: &NewDisk,
        cancel: &CancellationToken,
    ) -> Result<DiskId, Error> {
        let class = Class::Create {
            find_by: Handle::DiskName(disk.name.clone()),
        };
        let request = Request::post("/compute/v1/open_iaas/virtual_disks", &[], class)
            .body(json!({
                "name": disk.name,
                "size": disk.size,
                "mode": "RW",
                "storageRepositoryId": disk.repository,
                "virtualMachineId": disk.vm,
                "bootable": false,
            }))
            .needs(MANAGEMENT)
            .takes_up_to(60);
        self.make(&request, cancel).await.map(DiskId::new)
    }

    /// Renames or grows a disk; what is `None` is not sent, and nothing is sent when both are. Do it
    /// while the VM is halted. A disk cannot shrink.
    ///
    /// # Errors
    /// As every write.
    pub async fn update_disk(
        &self,
        id: &DiskId,
        name: Option<&str>,
        size: Option<u64>,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let mut body = json!({});
        if let Some(name) = name {
            body["name"] = json!(name);
        }
        if let Some(size) = size {
            body["size"] = json!(size);
        }
        if body == json!({}) {
            return Ok(());
        }
        let request = Request::patch("/compute/v1/open_iaas/virtual_disks/{}", &[id.as_str()])
            .body(body)
            .needs(MANAGEMENT)
            .takes_up_to(60);
        self.carry_out(&request, cancel).await.map(drop)
    }

    /// Unplugs a disk from a running VM. On a halted one the platform refuses.
    ///
    /// # Errors
    /// As every write.
    pub async fn disconnect_disk(
        &self,
        id: &DiskId,
        vm: &VmId,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let path = "/compute/v1/open_iaas/virtual_disks/{}/disconnect";
        let request = Request::patch(path, &[id.as_str()])
            .body(json!({"virtualMachineId": vm}))
            .needs(MANAGEMENT);
        self.carry_out(&request, cancel).await.map(drop)
    }

    /// Plugs a disk into a running VM. On a halted one the platform refuses.
    ///
    /// # Errors
    /// As every write.
    pub async fn connect_disk(
        &self,
        id: &DiskId,
        vm: &VmId,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let path = "/compute/v1/open_iaas/virtual_disks/{}/connect";
        let request = Request::patch(path, &[id.as_str()])
            .body(json!({"virtualMachineId": vm}))
            .needs(MANAGEMENT);
        self.carry_out(&request, cancel).await.map(drop)
    }

    /// Deletes a disk; attached to a halted VM is fine. A disk that is gone already is success.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_disk(&self, id: &DiskId, cancel: &CancellationToken) -> Result<(), Error> {
        let path = "/compute/v1/open_iaas/virtual_disks/{}";
        let request = Request::delete(path, &[id.as_str()])
            .needs(MANAGEMENT)
            .takes_up_to(60);
        self.remove(&request, cancel).await
    }
}
