//! Making the VM of a machine and saying whose it is; or taking up what an earlier run left.

use std::time::Duration;

use openiaas::{CloudInit, Freshness, NewVm, PowerState, VirtualMachine, VmAdapter, VmId};
use product::{Path, Problem, VmTag};
use secret::SecretString;
use transport::{CancellationToken, pause};

use super::disks::system_disk;
use super::{FoundVm, Machines, TagSeen};
use crate::Error;
use crate::cluster::{Infrastructure, MachineSpec};
use crate::ports::ZoneResources;
use crate::run::going;

/// How long an untagged machine is watched before it is taken for a leftover.
const WATCH: Duration = Duration::from_secs(3);
/// How old the listing may be that shows a name to be free. The platform refuses a name that is taken meanwhile.
const FREE_NAME: Duration = Duration::from_secs(10);

/// A machine to make.
pub(crate) struct Claim<'a> {
    /// Whose it will be.
    pub owner: &'a VmTag,
    /// What it shall be.
    pub spec: &'a MachineSpec,
    /// What the tenant provides.
    pub names: &'a Infrastructure,
    /// Its configuration.
    pub config: &'a SecretString,
    /// How its network is set up before that.
    pub network_config: &'a str,
    /// The machine of its name, as the observation that asks for it saw it.
    pub prior: Option<&'a FoundVm>,
    /// Whether its tag must be read back: nothing else is made before.
    pub proof: bool,
}

impl Machines {
    /// Makes the VM of a machine, halted, and tags it; looks first for what an earlier run left.
    pub(crate) async fn claim(
        &self,
        claim: &Claim<'_>,
        cancel: &CancellationToken,
    ) -> Result<FoundVm, Error> {
        let name = claim.spec.node.name(&claim.owner.identifier);
        let resources = self
            .resources(&claim.spec.zone, claim.names, cancel)
            .await?;
        let found = |vm: VirtualMachine| FoundVm {
            id: vm.id.clone(),
            name: name.clone(),
            node: claim.spec.node,
            zone: resources.zone.clone(),
            vm,
            tag: TagSeen::Ours(claim.owner.clone()),
        };
        let (vm, new) = match claim.prior {
            Some(prior) if prior.owner() == Some(claim.owner) => {
                if self.can_boot(&prior.vm, cancel).await? {
                    return Ok(found(prior.vm.clone()));
                }
                // Never started and without its configuration, which cannot be added later.
                self.remove(prior, cancel).await?;
                self.create(claim, &resources, &name, cancel).await?
            }
            _ => {
                self.take_or_create(claim, &resources, &name, cancel)
                    .await?
            }
        };
        self.own(&vm.id, claim.owner, new, claim.proof, cancel)
            .await?;
        Ok(found(vm))
    }

    /// Makes the VM unless its name is taken. Of one that is there it is told whose it is.
    async fn take_or_create(
        &self,
        claim: &Claim<'_>,
        resources: &ZoneResources,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(VirtualMachine, bool), Error> {
        let zone = &resources.zone;
        if self.is_free(resources, name, cancel).await? {
            return self.create(claim, resources, name, cancel).await;
        }
        let mac = self.mac(&claim.owner.identifier, claim.spec.node);
        let Some(vm) = self.look_up(zone, name, &mac, cancel).await? else {
            return self.create(claim, resources, name, cancel).await;
        };
        match self.tag(&vm.id, cancel).await? {
            TagSeen::Ours(tag) if tag == *claim.owner => {
                if self.can_boot(&vm, cancel).await? {
                    return Ok((vm, false));
                }
                self.remove_vm(zone, &vm.id, name, cancel).await?;
                self.create(claim, resources, name, cancel).await
            }
            TagSeen::None => {
                self.remove_leftover(zone, &vm, cancel).await?;
                self.create(claim, resources, name, cancel).await
            }
            TagSeen::Ours(other) => Err(other_owner(name, &vm.id, &other.to_string(), claim.owner)),
            TagSeen::Unreadable(other) => Err(other_owner(name, &vm.id, &other, claim.owner)),
        }
    }

    /// Whether a complete listing of a moment ago lacks the name.
    async fn is_free(
        &self,
        resources: &ZoneResources,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let doing = Error::cloud(format!("look for the machine {name}"));
        let now = self.clock.now();
        let fresh = Freshness::Since(now.checked_sub(FREE_NAME).unwrap_or(now));
        let listing = self
            .cloud
            .vms(&resources.zone, fresh, cancel)
            .await
            .map_err(doing)?;
        Ok(listing.strict && !listing.items.iter().any(|vm| vm.name == name))
    }

    /// Whether a halted VM that never ran has its configuration; a running one has read it.
    async fn can_boot(
        &self,
        vm: &VirtualMachine,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        if vm.power_state != PowerState::Halted {
            return Ok(true);
        }
        let disks = self.disks(&vm.id, &vm.name, cancel).await?;
        // Disks of a configuration that took effect are named by us; then the drive may be gone.
        let shaped = disks.iter().any(|disk| disk.name == system_disk(&vm.name));
        Ok(shaped || disks.iter().any(|disk| disk.is_config_drive(&vm.id)))
    }

    /// The new VM, and whether this very call is known to have made it.
    async fn create(
        &self,
        claim: &Claim<'_>,
        resources: &ZoneResources,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(VirtualMachine, bool), Error> {
        going(cancel)?;
        let mac = self.mac(&claim.owner.identifier, claim.spec.node);
        let new = new_vm(claim, resources, name, &mac);
        let doing = || Error::cloud(format!("make the machine {name}"));
        let made = self.cloud.create_vm(&new, cancel).await;
        self.touch(&resources.zone);
        let lost = match made {
            Ok(id) => {
                let inherits = !resources.template.sla_policies.is_empty();
                self.known
                    .set_policies(&id, (!inherits).then(Default::default));
                return Ok((born(id, &new), true));
            }
            Err(error) if error.may_have_written() => error,
            Err(error) => return Err(doing()(error)),
        };
        // The answer was lost or the activity failed late: the name tells whether it was carried out, and the tag
        // whether somebody else was quicker.
        let look = || self.whole(resources, name, &mac, cancel);
        let Some(vm) = self.done_anyway(&lost, cancel, look).await? else {
            return Err(doing()(lost));
        };
        match self.tag(&vm.id, cancel).await? {
            TagSeen::Ours(other) if other != *claim.owner => {
                Err(other_owner(name, &vm.id, &other.to_string(), claim.owner))
            }
            TagSeen::Ours(_) | TagSeen::None | TagSeen::Unreadable(_) => Ok((vm, false)),
        }
    }

    /// A VM that was made to its end: it has the drive with its configuration, which comes last.
    async fn whole(
        &self,
        resources: &ZoneResources,
        name: &str,
        mac: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<VirtualMachine>, Error> {
        let Some(vm) = self.look_up(&resources.zone, name, mac, cancel).await? else {
            return Ok(None);
        };
        self.known.forget_disks(&vm.id);
        Ok(self.can_boot(&vm, cancel).await?.then_some(vm))
    }

    /// An untagged VM of our name and MAC address: removed only if it stands still and does not change
    /// while it is watched. Somebody else may be making it at this moment.
    pub(crate) async fn remove_leftover(
        &self,
        zone: &openiaas::MachineManagerId,
        vm: &VirtualMachine,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let in_use = |why: &str| {
            Error::refused(
                Problem::error(Path::of("identifier"), "an untagged machine of this name is in use")
                    .seen(format!("{}, machine {}: {why}", vm.name, vm.id))
                    .allowed("no machine of this name, or a leftover that stands still")
                    .next("If nobody is making it, halt it and apply again; else choose another identifier."),
            )
        };
        if vm.power_state != PowerState::Halted {
            return Err(in_use("it runs"));
        }
        let doing = || Error::cloud(format!("watch the untagged machine {}", vm.name));
        let disks = self.cloud.disks(&vm.id, cancel).await.map_err(doing())?;
        pause(self.clock.as_ref(), WATCH, cancel)
            .await
            .map_err(|_| Error::Cancelled)?;
        let again = self.cloud.vm(zone, &vm.id, cancel).await.map_err(doing())?;
        let disks_again = self.cloud.disks(&vm.id, cancel).await.map_err(doing())?;
        let tags = self.cloud.tags(&vm.id, cancel).await.map_err(doing())?;
        let Some(again) = again else { return Ok(()) };
        let mut names: Vec<&str> = disks.iter().map(|disk| disk.id.as_str()).collect();
        let mut names_again: Vec<&str> = disks_again.iter().map(|disk| disk.id.as_str()).collect();
        names.sort_unstable();
        names_again.sort_unstable();
        if tags.contains_key(VmTag::KEY) || again != *vm || names != names_again {
            return Err(in_use("it changed while it was watched"));
        }
        tracing::warn!(
            name = vm.name,
            id = vm.id.as_str(),
            "removing a machine that an interrupted run left untagged"
        );
        self.remove_vm(zone, &vm.id, &vm.name, cancel).await
    }
}

fn new_vm(claim: &Claim<'_>, resources: &ZoneResources, name: &str, mac: &str) -> NewVm {
    let template = &resources.template;
    NewVm {
        name: name.to_owned(),
        template: template.id.clone(),
        // The platform refuses less than the template has.
        cpu: u32::from(claim.spec.size.vcpu).max(template.cpu),
        memory: claim.spec.size.memory_bytes().max(template.memory),
        cloud_init: Some(CloudInit {
            config: SecretString::new(claim.config.expose_secret()),
            network: Some(claim.network_config.to_owned()),
        }),
        adapters: vec![VmAdapter {
            network: resources.network.clone(),
            mac: Some(mac.to_owned()),
            address: None,
        }],
    }
}

/// A VM right after its birth: halted, and nothing set that the call cannot set (OpenIaaS API, create from a
/// template). The next listing shows what it truly is.
fn born(id: VmId, new: &NewVm) -> VirtualMachine {
    VirtualMachine {
        id,
        name: new.name.clone(),
        power_state: PowerState::Halted,
        cpu: new.cpu,
        memory: new.memory,
        ..VirtualMachine::default()
    }
}

fn other_owner(name: &str, id: &VmId, seen: &str, owner: &VmTag) -> Error {
    Error::LostClaim(Box::new(
        Problem::error(
            Path::of("identifier"),
            "a machine of this name has another owner",
        )
        .seen(format!("{name}, machine {id}, is tagged {seen}"))
        .allowed(format!("the tag {owner}"))
        .next(
            "Choose another identifier, or destroy the other cluster from the state that owns it.",
        ),
    ))
}
