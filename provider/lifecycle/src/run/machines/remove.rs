//! Removing machines and their configuration drives.

use openiaas::{Disk, MachineManagerId, PowerState, VmId};
use product::{Path, Problem};
use transport::CancellationToken;

use super::disks::data_prefix;
use super::shape::POWER_LIMIT;
use super::{FoundVm, Machines};
use crate::Error;
use crate::run::going;

impl Machines {
    /// Removes a machine with everything that is attached to it, and verifies that it is gone.
    pub(crate) async fn remove(
        &self,
        found: &FoundVm,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        self.remove_vm(&found.zone, &found.id, &found.name, cancel)
            .await
    }

    pub(super) async fn remove_vm(
        &self,
        zone: &MachineManagerId,
        id: &VmId,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let doing = || Error::cloud(format!("remove the machine {name}"));
        going(cancel)?;
        // What is destroyed is looked at now, whatever is remembered of it.
        let Some(vm) = self.cloud.vm(zone, id, cancel).await.map_err(doing())? else {
            return Ok(());
        };
        if vm.power_state != PowerState::Halted {
            match self.cloud.power_off(id, true, cancel).await {
                Ok(()) => {}
                Err(error) if error.may_have_written() => {}
                Err(error) => return Err(doing()(error)),
            }
            self.cloud
                .wait_for_power(id, &PowerState::Halted, POWER_LIMIT, cancel)
                .await
                .map_err(doing())?;
            self.touch(zone);
        }
        // Deleting a VM takes its template disks and the configuration drive with it; data disks go first,
        // so that none is left when a run dies in between.
        for disk in self.cloud.disks(id, cancel).await.map_err(doing())? {
            if !disk.is_config_drive(id) && disk.name.starts_with(&data_prefix(name)) {
                tolerate(self.cloud.delete_disk(&disk.id, cancel).await).map_err(doing())?;
            }
        }
        let deleted = tolerate(self.cloud.delete_vm(id, cancel).await);
        self.touch(zone);
        self.known.forget(id);
        deleted.map_err(doing())?;
        match self.cloud.vm(zone, id, cancel).await.map_err(doing())? {
            None => {
                self.forget_tags(id, cancel).await;
                Ok(())
            }
            Some(_) => Err(Error::refused(
                Problem::error(Path::root(), "a machine is still there after its removal")
                    .seen(format!("{name}, machine {id}"))
                    .next("Apply again; if it stays, remove it in the console."),
            )),
        }
    }

    /// Removes the drive that held a machine's configuration. `false` when the platform does not allow it.
    pub(crate) async fn remove_config_drive(
        &self,
        found: &FoundVm,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let disks = self.disks(&found.id, &found.name, cancel).await?;
        let Some(drive) = disks.iter().find(|disk| disk.is_config_drive(&found.id)) else {
            return Ok(true);
        };
        let connected = |disk: &Disk| {
            let mut links = disk.virtual_machines.iter();
            links.any(|link| link.id == found.id && link.connected)
        };
        going(cancel)?;
        if connected(drive)
            && let Err(error) = self
                .cloud
                .disconnect_disk(&drive.id, &found.id, cancel)
                .await
        {
            let still = |disk: &Disk| disk.id == drive.id && connected(disk);
            if !self.none_anyway(found, &error, still, cancel).await? {
                return Ok(kept_drive(found, &error));
            }
        }
        if let Err(error) = self.cloud.delete_disk(&drive.id, cancel).await {
            let still = |disk: &Disk| disk.id == drive.id;
            if !self.none_anyway(found, &error, still, cancel).await? {
                return Ok(kept_drive(found, &error));
            }
        }
        self.known.disk_removed(&found.id, &drive.id);
        Ok(true)
    }

    /// After a write on a drive that did not succeed for certain: whether no disk is so any more.
    async fn none_anyway(
        &self,
        found: &FoundVm,
        error: &openiaas::Error,
        still: impl Fn(&Disk) -> bool + Send + Sync,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        self.known.forget_disks(&found.id);
        let still = &still;
        let look = || async move {
            let disks = self.read_disks(&found.id, &found.name, cancel).await?;
            Ok((!disks.iter().any(still)).then_some(()))
        };
        Ok(self.done_anyway(error, cancel, look).await?.is_some())
    }
}

/// Absence is what a delete wants; whether it came true is read back.
fn tolerate(result: Result<(), openiaas::Error>) -> Result<(), openiaas::Error> {
    match result {
        Err(error) if error.may_have_written() => Ok(()),
        other => other,
    }
}

fn kept_drive(found: &FoundVm, error: &openiaas::Error) -> bool {
    tracing::warn!(name = found.name, %error, "the configuration drive stays attached");
    false
}
