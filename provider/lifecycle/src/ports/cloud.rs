//! The cloud's API, as far as machines need it. The client itself stands behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use openiaas::{
    Adapter, Client, Disk, DiskId, Error, Freshness, Listing, MachineManager, MachineManagerId,
    NetworkId, NewDisk, NewVm, Policy, PolicyId, PowerState, StorageRepositoryId, Template,
    VirtualMachine, VmId, VmLookup, VmPatch,
};
use transport::CancellationToken;

use crate::cluster::Infrastructure;

/// What a zone provides for machines, found by name.
#[derive(Clone, Debug)]
pub struct ZoneResources {
    /// The zone.
    pub zone: MachineManagerId,
    /// The template.
    pub template: Template,
    /// The network.
    pub network: NetworkId,
    /// The backup policy.
    pub policy: PolicyId,
    /// Where data disks go; the system disk's own repository when absent.
    pub repository: Option<StorageRepositoryId>,
}

type Answer<T> = Result<T, Error>;

/// The cloud's API.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Every zone of the tenant.
    async fn zones(&self, cancel: &CancellationToken) -> Answer<Vec<MachineManager>>;
    /// The zone of a name.
    async fn zone(&self, name: &str, cancel: &CancellationToken) -> Answer<MachineManagerId>;
    /// What a zone provides.
    async fn resources(
        &self,
        zone: &str,
        names: &Infrastructure,
        cancel: &CancellationToken,
    ) -> Answer<ZoneResources>;
    /// All VMs of a zone.
    async fn vms(
        &self,
        zone: &MachineManagerId,
        fresh: Freshness,
        cancel: &CancellationToken,
    ) -> Answer<Arc<Listing<VirtualMachine>>>;
    /// A VM; `None` is a conclusion.
    async fn vm(
        &self,
        zone: &MachineManagerId,
        id: &VmId,
        cancel: &CancellationToken,
    ) -> Answer<Option<VirtualMachine>>;
    /// Finds a VM by name and MAC address.
    async fn look_up(
        &self,
        zone: &MachineManagerId,
        name: &str,
        mac: &str,
        cancel: &CancellationToken,
    ) -> Answer<VmLookup>;
    /// Makes a VM, halted.
    async fn create_vm(&self, vm: &NewVm, cancel: &CancellationToken) -> Answer<VmId>;
    /// Changes a VM.
    async fn update_vm(&self, id: &VmId, patch: &VmPatch, cancel: &CancellationToken)
    -> Answer<()>;
    /// Starts a VM.
    async fn power_on(&self, id: &VmId, cancel: &CancellationToken) -> Answer<()>;
    /// Stops a VM.
    async fn power_off(&self, id: &VmId, force: bool, cancel: &CancellationToken) -> Answer<()>;
    /// Waits for a power state.
    async fn wait_for_power(
        &self,
        id: &VmId,
        state: &PowerState,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Answer<VirtualMachine>;
    /// Deletes a halted VM.
    async fn delete_vm(&self, id: &VmId, cancel: &CancellationToken) -> Answer<()>;
    /// The tags of a VM.
    async fn tags(&self, vm: &VmId, cancel: &CancellationToken)
    -> Answer<BTreeMap<String, String>>;
    /// Writes a tag.
    async fn create_tag(
        &self,
        vm: &VmId,
        key: &str,
        value: &str,
        cancel: &CancellationToken,
    ) -> Answer<()>;
    /// Removes a tag.
    async fn delete_tag(&self, vm: &VmId, key: &str, cancel: &CancellationToken) -> Answer<()>;
    /// The disks of a VM.
    async fn disks(&self, vm: &VmId, cancel: &CancellationToken) -> Answer<Vec<Disk>>;
    /// Makes a disk.
    async fn create_disk(&self, disk: &NewDisk, cancel: &CancellationToken) -> Answer<DiskId>;
    /// Renames or grows a disk.
    async fn update_disk(
        &self,
        id: &DiskId,
        name: Option<&str>,
        size: Option<u64>,
        cancel: &CancellationToken,
    ) -> Answer<()>;
    /// Unplugs a disk of a running VM.
    async fn disconnect_disk(
        &self,
        id: &DiskId,
        vm: &VmId,
        cancel: &CancellationToken,
    ) -> Answer<()>;
    /// Deletes a disk.
    async fn delete_disk(&self, id: &DiskId, cancel: &CancellationToken) -> Answer<()>;
    /// The adapters of a VM.
    async fn adapters(&self, vm: &VmId, cancel: &CancellationToken) -> Answer<Vec<Adapter>>;
    /// The policies of a VM.
    async fn policies_of(&self, vm: &VmId, cancel: &CancellationToken) -> Answer<Vec<Policy>>;
    /// Assigns policies to a VM.
    async fn assign_policies(
        &self,
        vm: &VmId,
        policies: &BTreeSet<PolicyId>,
        cancel: &CancellationToken,
    ) -> Answer<()>;
}

#[async_trait]
impl Cloud for Client {
    async fn zones(&self, cancel: &CancellationToken) -> Answer<Vec<MachineManager>> {
        Ok(self.machine_managers(cancel).await?.to_vec())
    }

    async fn zone(&self, name: &str, cancel: &CancellationToken) -> Answer<MachineManagerId> {
        Ok(Self::zone(self, name, cancel).await?.id)
    }

    async fn resources(
        &self,
        zone: &str,
        names: &Infrastructure,
        cancel: &CancellationToken,
    ) -> Answer<ZoneResources> {
        let zone = Self::zone(self, zone, cancel).await?;
        let repository = match &names.storage_repository {
            None => None,
            Some(name) => Some(zone.storage_repository(name, cancel).await?.id),
        };
        Ok(ZoneResources {
            template: zone.template(&names.template, cancel).await?,
            network: zone.network(&names.network, cancel).await?.id,
            policy: zone.policy(&names.backup_policy, cancel).await?.id,
            repository,
            zone: zone.id,
        })
    }

    async fn vms(
        &self,
        zone: &MachineManagerId,
        fresh: Freshness,
        cancel: &CancellationToken,
    ) -> Answer<Arc<Listing<VirtualMachine>>> {
        self.virtual_machines(zone, fresh, cancel).await
    }

    async fn vm(
        &self,
        zone: &MachineManagerId,
        id: &VmId,
        cancel: &CancellationToken,
    ) -> Answer<Option<VirtualMachine>> {
        self.vm_presence(id, zone, cancel).await
    }

    async fn look_up(
        &self,
        zone: &MachineManagerId,
        name: &str,
        mac: &str,
        cancel: &CancellationToken,
    ) -> Answer<VmLookup> {
        self.look_up_vm(zone, name, mac, cancel).await
    }

    async fn create_vm(&self, vm: &NewVm, cancel: &CancellationToken) -> Answer<VmId> {
        Self::create_vm(self, vm, cancel).await
    }

    async fn update_vm(
        &self,
        id: &VmId,
        patch: &VmPatch,
        cancel: &CancellationToken,
    ) -> Answer<()> {
        Self::update_vm(self, id, patch, cancel).await
    }

    async fn power_on(&self, id: &VmId, cancel: &CancellationToken) -> Answer<()> {
        Self::power_on(self, id, None, cancel).await
    }

    async fn power_off(&self, id: &VmId, force: bool, cancel: &CancellationToken) -> Answer<()> {
        Self::power_off(self, id, force, cancel).await
    }

    async fn wait_for_power(
        &self,
        id: &VmId,
        state: &PowerState,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Answer<VirtualMachine> {
        Self::wait_for_power(self, id, state, limit, cancel).await
    }

    async fn delete_vm(&self, id: &VmId, cancel: &CancellationToken) -> Answer<()> {
        Self::delete_vm(self, id, cancel).await
    }

    async fn tags(
        &self,
        vm: &VmId,
        cancel: &CancellationToken,
    ) -> Answer<BTreeMap<String, String>> {
        Self::tags(self, vm, cancel).await
    }

    async fn create_tag(
        &self,
        vm: &VmId,
        key: &str,
        value: &str,
        cancel: &CancellationToken,
    ) -> Answer<()> {
        Self::create_tag(self, vm, key, value, cancel).await
    }

    async fn delete_tag(&self, vm: &VmId, key: &str, cancel: &CancellationToken) -> Answer<()> {
        Self::delete_tag(self, vm, key, cancel).await
    }

    async fn disks(&self, vm: &VmId, cancel: &CancellationToken) -> Answer<Vec<Disk>> {
        Self::disks(self, vm, cancel).await
    }

    async fn create_disk(&self, disk: &NewDisk, cancel: &CancellationToken) -> Answer<DiskId> {
        Self::create_disk(self, disk, cancel).await
    }

    async fn update_disk(
        &self,
        id: &DiskId,
        name: Option<&str>,
        size: Option<u64>,
        cancel: &CancellationToken,
    ) -> Answer<()> {
        Self::update_disk(self, id, name, size, cancel).await
    }

    async fn disconnect_disk(
        &self,
        id: &DiskId,
        vm: &VmId,
        cancel: &CancellationToken,
    ) -> Answer<()> {
        Self::disconnect_disk(self, id, vm, cancel).await
    }

    async fn delete_disk(&self, id: &DiskId, cancel: &CancellationToken) -> Answer<()> {
        Self::delete_disk(self, id, cancel).await
    }

    async fn adapters(&self, vm: &VmId, cancel: &CancellationToken) -> Answer<Vec<Adapter>> {
        Self::adapters(self, vm, cancel).await
    }

    async fn policies_of(&self, vm: &VmId, cancel: &CancellationToken) -> Answer<Vec<Policy>> {
        Self::policies_of(self, vm, cancel).await
    }

    async fn assign_policies(
        &self,
        vm: &VmId,
        policies: &BTreeSet<PolicyId>,
        cancel: &CancellationToken,
    ) -> Answer<()> {
        Self::assign_policies(self, vm, policies, cancel).await
    }
}
