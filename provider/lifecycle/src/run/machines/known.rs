//! What this process knows of machines because it read or wrote it itself: it is not asked twice.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use openiaas::{Disk, DiskId, DiskLink, MachineManagerId, NewDisk, PolicyId, VmId};
use product::VmTag;

/// Facts of one machine; what is `None` has to be asked.
#[derive(Clone, Debug, Default)]
struct Facts {
    /// Our tag: written once, never changed.
    tag: Option<VmTag>,
    /// Whether the completion tag was there; this process is the one that writes it.
    complete: Option<bool>,
    /// Its disks as read, with what this process did to them since.
    disks: Option<Vec<Disk>>,
    /// Its backup policies, likewise.
    policies: Option<BTreeSet<PolicyId>>,
}

/// The facts of all machines, and when this process last changed a zone.
///
/// A fact is kept after a write whose success the platform reported, and dropped after every other write: then the
/// next one who needs it asks.
#[derive(Debug, Default)]
pub(super) struct Known {
    facts: Mutex<HashMap<VmId, Facts>>,
    touched: Mutex<HashMap<MachineManagerId, Instant>>,
}

impl Known {
    fn get<T>(&self, vm: &VmId, pick: impl FnOnce(&Facts) -> Option<T>) -> Option<T> {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.get(vm).and_then(pick)
    }

    fn change(&self, vm: &VmId, change: impl FnOnce(&mut Facts)) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        change(facts.entry(vm.clone()).or_default());
    }

    /// A machine of this zone was made, started, stopped or removed just now: listings from before do not count.
    pub(super) fn touch(&self, zone: &MachineManagerId, now: Instant) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.insert(zone.clone(), now);
    }

    /// When this process last changed the machines of a zone.
    pub(super) fn touched(&self, zone: &MachineManagerId) -> Option<Instant> {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.get(zone).copied()
    }

    pub(super) fn tag(&self, vm: &VmId) -> Option<VmTag> {
        self.get(vm, |facts| facts.tag.clone())
    }

    pub(super) fn set_tag(&self, vm: &VmId, tag: VmTag) {
        self.change(vm, |facts| facts.tag = Some(tag));
    }

    pub(super) fn complete(&self, vm: &VmId) -> Option<bool> {
        self.get(vm, |facts| facts.complete)
    }

    pub(super) fn set_complete(&self, vm: &VmId, complete: bool) {
        self.change(vm, |facts| facts.complete = Some(complete));
    }

    pub(super) fn disks(&self, vm: &VmId) -> Option<Vec<Disk>> {
        self.get(vm, |facts| facts.disks.clone())
    }

    pub(super) fn set_disks(&self, vm: &VmId, disks: Vec<Disk>) {
        self.change(vm, |facts| facts.disks = Some(disks));
    }

    pub(super) fn forget_disks(&self, vm: &VmId) {
        self.change(vm, |facts| facts.disks = None);
    }

    fn each_disk(&self, vm: &VmId, change: impl FnMut(&mut Disk)) {
        self.change(vm, |facts| {
            facts.disks.iter_mut().flatten().for_each(change);
        });
    }

    /// A disk was renamed or grown.
    pub(super) fn disk_updated(
        &self,
        vm: &VmId,
        id: &DiskId,
        name: Option<&str>,
        size: Option<u64>,
    ) {
        self.each_disk(vm, |disk| {
            if disk.id == *id {
                if let Some(name) = name {
                    name.clone_into(&mut disk.name);
                }
                disk.size = size.unwrap_or(disk.size);
            }
        });
    }

    /// A disk was made for a halted machine.
    pub(super) fn disk_made(&self, id: DiskId, new: &NewDisk) {
        let link = DiskLink {
            id: new.vm.clone(),
            ..DiskLink::default()
        };
        let disk = Disk {
            id,
            name: new.name.clone(),
            size: new.size,
            virtual_machines: vec![link],
            ..Disk::default()
        };
        self.change(&new.vm, |facts| {
            if let Some(disks) = &mut facts.disks {
                disks.push(disk);
            }
        });
    }

    /// A disk is gone.
    pub(super) fn disk_removed(&self, vm: &VmId, id: &DiskId) {
        self.change(vm, |facts| {
            if let Some(disks) = &mut facts.disks {
                disks.retain(|disk| disk.id != *id);
            }
        });
    }

    /// The machine was started: all its disks are plugged.
    pub(super) fn started(&self, vm: &VmId) {
        self.each_disk(vm, |disk| {
            for link in &mut disk.virtual_machines {
                link.connected |= link.id == *vm;
            }
        });
    }

    pub(super) fn policies(&self, vm: &VmId) -> Option<BTreeSet<PolicyId>> {
        self.get(vm, |facts| facts.policies.clone())
    }

    pub(super) fn set_policies(&self, vm: &VmId, policies: Option<BTreeSet<PolicyId>>) {
        self.change(vm, |facts| facts.policies = policies);
    }

    /// Nothing of this machine counts any more.
    pub(super) fn forget(&self, vm: &VmId) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.remove(vm);
    }
}
