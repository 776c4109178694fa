//! Shaping a tagged, halted VM and starting it: disks, backup policy, properties, power.

use std::collections::BTreeSet;
use std::time::Duration;

use openiaas::{
    Disk, NewDisk, PolicyId, PowerState, Restart, StorageRepositoryId, VirtualMachine, VmPatch,
};
use product::{Path, Problem, Role, gb_to_bytes};
use transport::{CancellationToken, Pace, Probe, WaitError, poll_until};

use super::disks::{data_disk, find_system_disk, system_disk};
use super::{FoundVm, Machines};
use crate::Error;
use crate::cluster::{Infrastructure, MachineSpec};
use crate::ports::ZoneResources;
use crate::run::going;

/// How long a machine may take to start or to stop.
pub(super) const POWER_LIMIT: Duration = Duration::from_mins(5);
/// How long the disks of a new machine may take to be visible.
const VISIBLE: Duration = Duration::from_secs(30);

impl Machines {
    /// Shapes a tagged, halted VM and starts it. What is known to be as it shall be is left alone, so that an
    /// interrupted run is continued.
    pub(crate) async fn finish(
        &self,
        found: &FoundVm,
        spec: &MachineSpec,
        names: &Infrastructure,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let resources = self.resources(&spec.zone, names, cancel).await?;
        if found.is_halted() {
            self.shape_disks(found, spec, &resources, cancel).await?;
            self.assign_policy(found, &resources, cancel).await?;
            self.set_properties(found, spec, cancel).await?;
        }
        self.power_on(found, cancel).await
    }

    async fn shape_disks(
        &self,
        found: &FoundVm,
        spec: &MachineSpec,
        resources: &ZoneResources,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let (system, disks) = self.with_system_disk(found, cancel).await?;
        self.shape_system_disk(found, spec, &system, cancel).await?;
        let repository = resources
            .repository
            .clone()
            .unwrap_or_else(|| system.storage_repository.id.clone());
        for (number, gb) in spec.disks.as_slice().iter().enumerate() {
            let name = data_disk(&found.name, number + 1);
            if !disks.iter().any(|disk| disk.name == name) {
                self.add_disk(found, name, gb_to_bytes(*gb), &repository, cancel)
                    .await?;
            }
        }
        Ok(())
    }

    /// The disk that came with the template, and all disks. Those of a new machine may not be visible at once.
    async fn with_system_disk(
        &self,
        found: &FoundVm,
        cancel: &CancellationToken,
    ) -> Result<(Disk, Vec<Disk>), Error> {
        let look = || async {
            let disks = self.disks(&found.id, &found.name, cancel).await?;
            Ok(match find_system_disk(found, &disks) {
                Some(system) => Probe::Ready((system.clone(), disks)),
                None => {
                    self.known.forget_disks(&found.id);
                    Probe::Pending(disks.len())
                }
            })
        };
        poll_until(self.clock.as_ref(), cancel, &mut Pace::new(), VISIBLE, look)
            .await
            .map_err(|error| match error {
                WaitError::Cancelled => Error::Cancelled,
                WaitError::Look(error) => error,
                WaitError::Deadline { last, .. } => Error::refused(
                    Problem::error(
                        Path::of("infrastructure.template"),
                        "the template gives no system disk",
                    )
                    .seen(format!("{} has {last} disks", found.name))
                    .allowed("a template with one writable disk")
                    .next("Choose another template."),
                ),
            })
    }

    /// Names and grows the system disk, in one write.
    async fn shape_system_disk(
        &self,
        found: &FoundVm,
        spec: &MachineSpec,
        system: &Disk,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let wanted = spec.size.os_disk_bytes();
        let ours = system_disk(&found.name);
        let rename = (system.name != ours).then_some(ours.as_str());
        let grow = (system.size < wanted).then_some(wanted);
        if rename.is_none() && grow.is_none() {
            return Ok(());
        }
        going(cancel)?;
        let changed = self
            .cloud
            .update_disk(&system.id, rename, grow, cancel)
            .await;
        match changed {
            Ok(()) => {
                self.known.disk_updated(&found.id, &system.id, rename, grow);
                Ok(())
            }
            Err(error) => {
                let has =
                    |disk: &Disk| disk.id == system.id && disk.name == ours && disk.size >= wanted;
                self.disk_anyway(found, error, has, cancel).await
            }
        }
    }

    /// After a write on a disk that did not succeed for certain: whether a disk is now as it shall be.
    async fn disk_anyway(
        &self,
        found: &FoundVm,
        error: openiaas::Error,
        has: impl Fn(&Disk) -> bool + Send + Sync,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        self.known.forget_disks(&found.id);
        let (has, id, name) = (&has, &found.id, &found.name);
        let look = || async move {
            let disks = self.read_disks(id, name, cancel).await?;
            Ok(disks.iter().any(has).then_some(()))
        };
        if error.may_have_written() && self.done_anyway(&error, cancel, look).await?.is_some() {
            return Ok(());
        }
        Err(Error::cloud(format!("shape the disks of {}", found.name))(
            error,
        ))
    }

    async fn add_disk(
        &self,
        found: &FoundVm,
        name: String,
        size: u64,
        repository: &StorageRepositoryId,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        going(cancel)?;
        let new = NewDisk {
            name,
            size,
            repository: repository.clone(),
            vm: found.id.clone(),
        };
        match self.cloud.create_disk(&new, cancel).await {
            Ok(id) => {
                self.known.disk_made(id, &new);
                Ok(())
            }
            Err(error) => {
                let has = |disk: &Disk| disk.name == new.name;
                self.disk_anyway(found, error, has, cancel).await
            }
        }
    }

    /// The policies of a machine, from memory once they were read.
    pub(super) async fn policies(
        &self,
        found: &FoundVm,
        cancel: &CancellationToken,
    ) -> Result<BTreeSet<PolicyId>, Error> {
        if let Some(policies) = self.known.policies(&found.id) {
            return Ok(policies);
        }
        let doing = Error::cloud(format!("read the backup policies of {}", found.name));
        let present = self
            .cloud
            .policies_of(&found.id, cancel)
            .await
            .map_err(doing)?;
        let policies: BTreeSet<PolicyId> = present.into_iter().map(|policy| policy.id).collect();
        self.known.set_policies(&found.id, Some(policies.clone()));
        Ok(policies)
    }

    /// Adds the policy to those it has. The platform starts no machine without one, so that the start proves it.
    async fn assign_policy(
        &self,
        found: &FoundVm,
        resources: &ZoneResources,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let mut policies = self.policies(found, cancel).await?;
        if !policies.insert(resources.policy.clone()) {
            return Ok(());
        }
        going(cancel)?;
        let assigned = self
            .cloud
            .assign_policies(&found.id, &policies, cancel)
            .await;
        let Err(error) = assigned else {
            self.known.set_policies(&found.id, Some(policies));
            return Ok(());
        };
        let look = || async {
            self.known.set_policies(&found.id, None);
            let present = self.policies(found, cancel).await?;
            Ok(present.contains(&resources.policy).then_some(()))
        };
        if error.may_have_written() && self.done_anyway(&error, cancel, look).await?.is_some() {
            return Ok(());
        }
        self.known.set_policies(&found.id, None);
        Err(Error::cloud(format!(
            "assign the backup policy of {}",
            found.name
        ))(error))
    }

    async fn set_properties(
        &self,
        found: &FoundVm,
        spec: &MachineSpec,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let restart = match spec.node.role {
            Role::ControlPlane | Role::Storage | Role::Worker => Restart::Restart,
            Role::GitRunner => Restart::BestEffort,
        };
        let patch = VmPatch {
            auto_power_on: (!found.vm.auto_power_on).then_some(true),
            high_availability: (found.vm.high_availability != restart).then_some(restart.clone()),
            ..VmPatch::default()
        };
        if patch.is_empty() {
            return Ok(());
        }
        going(cancel)?;
        let doing = || Error::cloud(format!("set the properties of {}", found.name));
        let Err(error) = self.cloud.update_vm(&found.id, &patch, cancel).await else {
            return Ok(());
        };
        // Refused or lost: what the machine shows decides. A template may have given it these very values.
        let look = || async {
            let vm = self.cloud.vm(&found.zone, &found.id, cancel).await;
            let vm = vm.map_err(doing())?;
            let set = |vm: &VirtualMachine| vm.auto_power_on && vm.high_availability == restart;
            Ok(vm.as_ref().is_some_and(set).then_some(()))
        };
        match self.done_anyway(&error, cancel, look).await? {
            Some(()) => Ok(()),
            None => Err(doing()(error)),
        }
    }

    /// Starts a machine that was seen to stand still. The platform's word that it did is enough: whether the machine
    /// came up is what the node itself tells next.
    pub(crate) async fn power_on(
        &self,
        found: &FoundVm,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        if found.vm.power_state == PowerState::Running {
            return Ok(());
        }
        going(cancel)?;
        let doing = || Error::cloud(format!("start {}", found.name));
        let started = self.cloud.power_on(&found.id, cancel).await;
        self.touch(&found.zone);
        if let Err(error) = started {
            // Refused or lost: whether it runs all the same decides.
            let look = || async {
                let vm = self.cloud.vm(&found.zone, &found.id, cancel).await;
                let runs = |vm: &VirtualMachine| vm.power_state == PowerState::Running;
                Ok(vm
                    .map_err(doing())?
                    .as_ref()
                    .is_some_and(runs)
                    .then_some(()))
            };
            if self.done_anyway(&error, cancel, look).await?.is_none() {
                return Err(doing()(error));
            }
            self.touch(&found.zone);
        }
        self.known.started(&found.id);
        Ok(())
    }
}
