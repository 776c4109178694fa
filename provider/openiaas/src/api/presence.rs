//! Absence as a decision, and the recovery of a VM whose create was lost.

use transport::CancellationToken;

use crate::{
    Client, Disk, DiskId, Error, Freshness, MachineManagerId, Request, VirtualMachine, VmId,
};

/// What a look-up by name and MAC address found (OpenIaaS API, end-to-end trace, recovery).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VmLookup {
    /// Nothing has that name: it may be created.
    Absent,
    /// One VM has it, and an adapter with our MAC address.
    Ours(Box<VirtualMachine>),
    /// One VM has it, with no adapter at all: half made, or somebody else's.
    Bare(Box<VirtualMachine>),
    /// One VM has it, with other MAC addresses: touch nothing.
    Foreign(Box<VirtualMachine>),
    /// Several have it: touch nothing.
    Several(Vec<VmId>),
}

impl Client {
    /// Reads a VM whose absence matters. `None` is a conclusion: 404 by identifier, and a complete
    /// listing of the zone without it.
    ///
    /// # Errors
    /// [`Error::Inconclusive`] when the two disagree or the listing proves nothing, or those of a
    /// read.
    pub async fn vm_presence(
        &self,
        id: &VmId,
        zone: &MachineManagerId,
        cancel: &CancellationToken,
    ) -> Result<Option<VirtualMachine>, Error> {
        if let Some(vm) = self.virtual_machine(id, cancel).await? {
            return Ok(Some(vm));
        }
        let listing = self.virtual_machines(zone, Freshness::Now, cancel).await?;
        let unclear = |reason: &str| Error::Inconclusive {
            what: format!("VM {id}"),
            reason: reason.to_owned(),
        };
        if listing.items.iter().any(|vm| vm.id == *id) {
            return Err(unclear(
                "it is listed, but cannot be read by its identifier",
            ));
        }
        if !listing.strict {
            return Err(unclear("the listing of its zone is incomplete"));
        }
        Ok(None)
    }

    /// Reads a disk of a VM whose absence matters. `None` is a conclusion: 404 by identifier, and a
    /// complete listing of the VM's disks without it. The VM itself must exist.
    ///
    /// # Errors
    /// As [`Self::vm_presence`].
    pub async fn disk_presence(
        &self,
        id: &DiskId,
        vm: &VmId,
        cancel: &CancellationToken,
    ) -> Result<Option<Disk>, Error> {
        if let Some(disk) = self.disk(id, cancel).await? {
            return Ok(Some(disk));
        }
        let request = Request::get("/compute/v1/open_iaas/virtual_disks", &[])
            .query("virtualMachineId", vm.as_str());
        let listing = self.list::<Disk>(&request, cancel).await?;
        if !listing.strict || listing.items.iter().any(|disk| disk.id == *id) {
            return Err(Error::Inconclusive {
                what: format!("disk {id}"),
                reason: "the listing of its VM's disks is incomplete or still has it".to_owned(),
            });
        }
        Ok(None)
    }

    /// Finds the VM of a create whose answer was lost, or that a dead run left behind.
    ///
    /// # Errors
    /// [`Error::Inconclusive`] when an incomplete listing does not have the name, or those of a read.
    pub async fn look_up_vm(
        &self,
        zone: &MachineManagerId,
        name: &str,
        mac: &str,
        cancel: &CancellationToken,
    ) -> Result<VmLookup, Error> {
        let listing = self.virtual_machines(zone, Freshness::Now, cancel).await?;
        let mut named = listing.items.iter().filter(|vm| vm.name == name);
        let Some(vm) = named.next() else {
            if !listing.strict {
                return Err(Error::Inconclusive {
                    what: format!("VM {name:?}"),
                    reason: "the listing of its zone is incomplete".to_owned(),
                });
            }
            return Ok(VmLookup::Absent);
        };
        let others: Vec<VmId> = named.map(|other| other.id.clone()).collect();
        if !others.is_empty() {
            let mut all = vec![vm.id.clone()];
            all.extend(others);
            return Ok(VmLookup::Several(all));
        }
        let adapters = self.adapters(&vm.id, cancel).await?;
        let vm = Box::new(vm.clone());
        Ok(if adapters.is_empty() {
            VmLookup::Bare(vm)
        } else if adapters
            .iter()
            .any(|adapter| adapter.mac_address.eq_ignore_ascii_case(mac))
        {
            VmLookup::Ours(vm)
        } else {
            VmLookup::Foreign(vm)
        })
    }
}
