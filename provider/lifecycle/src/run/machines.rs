//! Machines in the cloud: what is there, making one, removing one. Names and MAC addresses are the
//! handles, the tag is the owner (OpenIaaS API, end-to-end trace; design law 2).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use openiaas::{
    CloudInit, Disk, Freshness, MachineManagerId, NewDisk, NewVm, PowerState, Restart,
    VirtualMachine, VmAdapter, VmId, VmLookup, VmPatch,
};
use product::{Identifier, NodeKey, Path, Problem, Role, VmTag, Zone, gb_to_bytes};
use secret::SecretString;
use transport::{CancellationToken, SharedClock, pause};

use crate::Error;
use crate::cluster::{Infrastructure, MachineSpec};
use crate::ports::{Cloud, ZoneResources};
use crate::run::{going, side_by_side};

/// How long a machine may take to start or to stop.
const POWER_LIMIT: Duration = Duration::from_mins(5);
/// How long an untagged machine is watched before it is taken for a leftover.
const WATCH: Duration = Duration::from_secs(3);

/// What is known of a machine's tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagSeen {
    /// No tag of ours.
    None,
    /// Our tag.
    Ours(VmTag),
    /// A tag under our key that is not ours to read.
    Unreadable(String),
}

/// A VM whose name is that of a machine of ours.
#[derive(Clone, Debug)]
pub struct FoundVm {
    /// Its id.
    pub id: VmId,
    /// Its name.
    pub name: String,
    /// The machine the name belongs to.
    pub node: NodeKey,
    /// Where it is.
    pub zone: MachineManagerId,
    /// Power, size and addresses as listed.
    pub vm: VirtualMachine,
    /// Its tag.
    pub tag: TagSeen,
}

impl FoundVm {
    /// The tag, if it is one of ours.
    pub const fn owner(&self) -> Option<&VmTag> {
        match &self.tag {
            TagSeen::Ours(tag) => Some(tag),
            TagSeen::None | TagSeen::Unreadable(_) => None,
        }
    }

    /// Whether it stands still.
    pub fn is_halted(&self) -> bool {
        self.vm.power_state == PowerState::Halted
    }
}

/// What a look at the zones gave.
#[derive(Clone, Debug)]
pub(crate) struct Inventory {
    /// Machines of the identifier, by name order.
    pub vms: Vec<FoundVm>,
    /// Whether every zone's listing was complete: only then is what is not here absent.
    pub complete: bool,
}

impl Inventory {
    /// The machine of a node; two VMs of one name are an error of [`Machines::inventory`].
    pub fn of(&self, node: NodeKey) -> Option<&FoundVm> {
        self.vms.iter().find(|found| found.node == node)
    }
}

/// Machines, over the cloud's API.
pub(crate) struct Machines {
    pub(crate) cloud: Arc<dyn Cloud>,
    clock: SharedClock,
    tenant: Arc<str>,
    freshness: Duration,
    /// Tags never change once written, so each is read once a process.
    tags: Mutex<HashMap<VmId, VmTag>>,
    /// What each zone provides, read once a process.
    resources: tokio::sync::Mutex<HashMap<(String, String), ZoneResources>>,
}

impl Machines {
    pub(crate) fn new(
        cloud: Arc<dyn Cloud>,
        clock: SharedClock,
        tenant: Arc<str>,
        freshness: Duration,
    ) -> Self {
        Self {
            cloud,
            clock,
            tenant,
            freshness,
            tags: Mutex::default(),
            resources: tokio::sync::Mutex::default(),
        }
    }

    /// How fresh a read for a refresh has to be.
    pub(crate) const fn shared(&self) -> Freshness {
        Freshness::Within(self.freshness)
    }

    /// The MAC address of a machine.
    pub(crate) fn mac(&self, identifier: &Identifier, node: NodeKey) -> String {
        node.mac(&self.tenant, identifier).to_string()
    }

    /// Every machine of an identifier in these zones (all of the tenant when empty): one list a zone, and
    /// one read for each tag not seen before.
    pub(crate) async fn inventory(
        &self,
        identifier: &Identifier,
        zones: &[Zone],
        fresh: Freshness,
        cancel: &CancellationToken,
    ) -> Result<Inventory, Error> {
        let mut ids = Vec::new();
        if zones.is_empty() {
            let all = self
                .cloud
                .zones(cancel)
                .await
                .map_err(Error::cloud("list the zones"))?;
            ids.extend(all.into_iter().map(|zone| zone.id));
        }
        for zone in zones {
            let doing = || Error::cloud(format!("find the zone {zone}"));
            ids.push(
                self.cloud
                    .zone(zone.as_str(), cancel)
                    .await
                    .map_err(doing())?,
            );
        }
        let mut complete = true;
        let mut named = Vec::new();
        for zone in ids {
            let doing = Error::cloud("list the machines of a zone");
            let listing = self.cloud.vms(&zone, fresh, cancel).await.map_err(doing)?;
            complete &= listing.strict;
            for vm in &listing.items {
                if let Some(node) = NodeKey::from_name(identifier, &vm.name) {
                    named.push((zone.clone(), node, vm.clone()));
                }
            }
        }
        let mut work = Vec::with_capacity(named.len());
        for (zone, node, vm) in named {
            work.push(self.tagged(zone, node, vm, cancel).boxed());
        }
        let found = side_by_side(8, work).await;
        let mut vms = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        vms.sort_by(|left, right| {
            (left.node, left.id.as_str()).cmp(&(right.node, right.id.as_str()))
        });
        if let Some(pair) = vms.windows(2).find(|pair| pair[0].node == pair[1].node) {
            return Err(Error::refused(
                Problem::error(Path::of("identifier"), "two machines have the same name")
                    .seen(format!(
                        "{}: {} and {}",
                        pair[0].name, pair[0].id, pair[1].id
                    ))
                    .allowed("one machine of each name in the tenant")
                    .next("Remove the one that is not this cluster's, then apply again."),
            ));
        }
        Ok(Inventory { vms, complete })
    }

    async fn tagged(
        &self,
        zone: MachineManagerId,
        node: NodeKey,
        vm: VirtualMachine,
        cancel: &CancellationToken,
    ) -> Result<FoundVm, Error> {
        let tag = self.tag(&vm.id, cancel).await?;
        Ok(FoundVm {
            id: vm.id.clone(),
            name: vm.name.clone(),
            node,
            zone,
            vm,
            tag,
        })
    }

    /// The tag of a VM, from memory once it was read.
    async fn tag(&self, id: &VmId, cancel: &CancellationToken) -> Result<TagSeen, Error> {
        if let Some(tag) = self
            .tags
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
        {
            return Ok(TagSeen::Ours(tag.clone()));
        }
        let doing = Error::cloud(format!("read the tags of machine {id}"));
        let tags = self.cloud.tags(id, cancel).await.map_err(doing)?;
        let Some(value) = tags.get(VmTag::KEY) else {
            return Ok(TagSeen::None);
        };
        match VmTag::parse(value) {
            Ok(tag) => {
                self.tags
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(id.clone(), tag.clone());
                Ok(TagSeen::Ours(tag))
            }
            Err(_) => Ok(TagSeen::Unreadable(value.clone())),
        }
    }

    /// Whether the completion tag is on a machine: always asked, since it comes late.
    pub(crate) async fn is_complete(
        &self,
        id: &VmId,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let doing = Error::cloud(format!("read the tags of machine {id}"));
        Ok(self
            .cloud
            .tags(id, cancel)
            .await
            .map_err(doing)?
            .contains_key(VmTag::COMPLETION_KEY))
    }

    /// Writes the completion tag.
    pub(crate) async fn complete(
        &self,
        first: &FoundVm,
        tag: &VmTag,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        self.write_tag(
            &first.id,
            VmTag::COMPLETION_KEY,
            &tag.birth.to_string(),
            cancel,
        )
        .await
    }

    /// Writes a tag and reads it back; a lost answer is looked up, never replayed.
    async fn write_tag(
        &self,
        id: &VmId,
        key: &str,
        value: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let doing = || Error::cloud(format!("tag machine {id}"));
        let present = self.cloud.tags(id, cancel).await.map_err(doing())?;
        let mut lost = None;
        if !present.contains_key(key) {
            match self.cloud.create_tag(id, key, value, cancel).await {
                Ok(()) => {}
                Err(error) if error.may_have_written() => lost = Some(error),
                Err(error) => return Err(doing()(error)),
            }
        }
        let present = self.cloud.tags(id, cancel).await.map_err(doing())?;
        match (present.get(key), lost) {
            (Some(seen), _) if seen == value => Ok(()),
            (None, Some(lost)) => Err(doing()(lost)),
            (seen, _) => Err(Error::refused(
                Problem::error(Path::root(), "the tag of a machine is not what was written")
                    .seen(format!("{key} = {seen:?} on machine {id}"))
                    .allowed(format!("{key} = {value:?}"))
                    .next("Check that the account has the right tag_write, and that nobody else tags this machine."),
            )),
        }
    }

    /// What a zone provides.
    pub(crate) async fn resources(
        &self,
        zone: &Zone,
        names: &Infrastructure,
        cancel: &CancellationToken,
    ) -> Result<ZoneResources, Error> {
        let key = (zone.to_string(), format!("{names:?}"));
        let mut memo = self.resources.lock().await;
        if let Some(found) = memo.get(&key) {
            return Ok(found.clone());
        }
        let doing = Error::cloud(format!(
            "find template, network and backup policy in zone {zone}"
        ));
        let found = self
            .cloud
            .resources(zone.as_str(), names, cancel)
            .await
            .map_err(doing)?;
        memo.insert(key, found.clone());
        Ok(found)
    }

    /// Makes the VM of a machine, halted, and tags it; looks first for what an earlier run left.
    pub(crate) async fn claim(
        &self,
        owner: &VmTag,
        spec: &MachineSpec,
        names: &Infrastructure,
        config: &SecretString,
        network_config: &str,
        cancel: &CancellationToken,
    ) -> Result<FoundVm, Error> {
        let name = spec.node.name(&owner.identifier);
        let mac = self.mac(&owner.identifier, spec.node);
        let resources = self.resources(&spec.zone, names, cancel).await?;
        let present = self.look_up(&resources.zone, &name, &mac, cancel).await?;
        let vm = match present {
            Some(vm) => {
                let tag = self.tag(&vm.id, cancel).await?;
                match tag {
                    TagSeen::Ours(tag) if tag == *owner && self.can_boot(&vm, cancel).await? => vm,
                    TagSeen::Ours(tag) if tag == *owner => {
                        // Never started and without its configuration, which cannot be added later.
                        self.remove_vm(&resources.zone, &vm.id, &name, cancel)
                            .await?;
                        self.create(
                            &resources,
                            spec,
                            &name,
                            &mac,
                            config,
                            network_config,
                            cancel,
                        )
                        .await?
                    }
                    TagSeen::None => {
                        self.remove_leftover(&resources.zone, &vm, cancel).await?;
                        self.create(
                            &resources,
                            spec,
                            &name,
                            &mac,
                            config,
                            network_config,
                            cancel,
                        )
                        .await?
                    }
                    TagSeen::Ours(other) => {
                        return Err(other_owner(&name, &vm.id, &other.to_string(), owner));
                    }
                    TagSeen::Unreadable(other) => {
                        return Err(other_owner(&name, &vm.id, &other, owner));
                    }
                }
            }
            None => {
                self.create(
                    &resources,
                    spec,
                    &name,
                    &mac,
                    config,
                    network_config,
                    cancel,
                )
                .await?
            }
        };
        self.write_tag(&vm.id, VmTag::KEY, &owner.to_string(), cancel)
            .await?;
        Ok(FoundVm {
            id: vm.id.clone(),
            name,
            node: spec.node,
            zone: resources.zone,
            vm,
            tag: TagSeen::Ours(owner.clone()),
        })
    }

    /// The VM of a name and MAC address, if there is one; foreign ones are an error.
    pub(crate) async fn look_up(
        &self,
        zone: &MachineManagerId,
        name: &str,
        mac: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<VirtualMachine>, Error> {
        let doing = Error::cloud(format!("look for the machine {name}"));
        match self
            .cloud
            .look_up(zone, name, mac, cancel)
            .await
            .map_err(doing)?
        {
            VmLookup::Absent => Ok(None),
            VmLookup::Ours(vm) => Ok(Some(*vm)),
            VmLookup::Bare(vm) | VmLookup::Foreign(vm) => Err(Error::refused(
                Problem::error(
                    Path::of("identifier"),
                    "a machine of this name belongs to somebody else",
                )
                .seen(format!(
                    "{name} is machine {}, without the MAC address {mac}",
                    vm.id
                ))
                .allowed("names that nobody else uses in the tenant")
                .next("Choose another identifier, or remove that machine."),
            )),
            VmLookup::Several(ids) => Err(Error::refused(
                Problem::error(
                    Path::of("identifier"),
                    "several machines have the same name",
                )
                .seen(format!(
                    "{name}: {}",
                    ids.iter().map(VmId::as_str).collect::<Vec<_>>().join(", ")
                ))
                .allowed("one machine of each name in the tenant")
                .next("Remove those that are not this cluster's, then apply again."),
            )),
        }
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
        let doing = Error::cloud(format!("read the disks of {}", vm.name));
        let disks = self.cloud.disks(&vm.id, cancel).await.map_err(doing)?;
        // Disks of a configuration that took effect are named by us; then the drive may be gone.
        let shaped = disks.iter().any(|disk| disk.name == system_disk(&vm.name));
        Ok(shaped || disks.iter().any(|disk| disk.is_config_drive(&vm.id)))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what the platform needs of a machine"
    )]
    async fn create(
        &self,
        resources: &ZoneResources,
        spec: &MachineSpec,
        name: &str,
        mac: &str,
        config: &SecretString,
        network_config: &str,
        cancel: &CancellationToken,
    ) -> Result<VirtualMachine, Error> {
        going(cancel)?;
        let template = &resources.template;
        let new = NewVm {
            name: name.to_owned(),
            template: template.id.clone(),
            // The platform refuses less than the template has.
            cpu: u32::from(spec.size.vcpu).max(template.cpu),
            memory: spec.size.memory_bytes().max(template.memory),
            cloud_init: Some(CloudInit {
                config: SecretString::new(config.expose_secret()),
                network: Some(network_config.to_owned()),
            }),
            adapters: vec![VmAdapter {
                network: resources.network.clone(),
                mac: Some(mac.to_owned()),
                address: None,
            }],
        };
        let doing = || Error::cloud(format!("make the machine {name}"));
        let lost = match self.cloud.create_vm(&new, cancel).await {
            Ok(id) => {
                let doing = Error::cloud(format!("read the machine {name}"));
                return match self
                    .cloud
                    .vm(&resources.zone, &id, cancel)
                    .await
                    .map_err(doing)?
                {
                    Some(vm) => Ok(vm),
                    None => Err(Error::refused(
                        Problem::error(Path::root(), "a machine vanished right after it was made")
                            .seen(format!("{name}, machine {id}"))
                            .next("Apply again."),
                    )),
                };
            }
            Err(error) if error.may_have_written() => error,
            Err(error) => return Err(doing()(error)),
        };
        // The answer was lost or the activity failed late: the name tells whether it was carried out.
        match self.look_up(&resources.zone, name, mac, cancel).await? {
            Some(vm) => Ok(vm),
            None => Err(doing()(lost)),
        }
    }

    /// An untagged VM of our name and MAC address: removed only if it stands still and does not change
    /// while it is watched. Somebody else may be making it at this moment.
    pub(crate) async fn remove_leftover(
        &self,
        zone: &MachineManagerId,
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

    /// Shapes a tagged, halted VM and starts it: disks, backup policy, properties, power. Each piece is
    /// looked at first, so that an interrupted run is continued.
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
        let doing = || Error::cloud(format!("make the disks of {}", found.name));
        let disks = self.cloud.disks(&found.id, cancel).await.map_err(doing())?;
        let Some(system) = find_system_disk(found, &disks) else {
            return Err(Error::refused(
                Problem::error(
                    Path::of("infrastructure.template"),
                    "the template gives no system disk",
                )
                .seen(format!("{} has {} disks", found.name, disks.len()))
                .allowed("a template with one writable disk")
                .next("Choose another template."),
            ));
        };
        let wanted = spec.size.os_disk_bytes();
        let rename = (system.name != system_disk(&found.name)).then(|| system_disk(&found.name));
        let grow = (system.size < wanted).then_some(wanted);
        if rename.is_some() || grow.is_some() {
            self.cloud
                .update_disk(&system.id, rename.as_deref(), grow, cancel)
                .await
                .map_err(doing())?;
        }
        let repository = resources
            .repository
            .clone()
            .unwrap_or_else(|| system.storage_repository.id.clone());
        for (number, gb) in spec.disks.as_slice().iter().enumerate() {
            let name = data_disk(&found.name, number + 1);
            if disks.iter().any(|disk| disk.name == name) {
                continue;
            }
            going(cancel)?;
            let new = NewDisk {
                name: name.clone(),
                size: gb_to_bytes(*gb),
                repository: repository.clone(),
                vm: found.id.clone(),
            };
            match self.cloud.create_disk(&new, cancel).await {
                Ok(_) => {}
                Err(error) if error.may_have_written() => {
                    let disks = self.cloud.disks(&found.id, cancel).await.map_err(doing())?;
                    if !disks.iter().any(|disk| disk.name == name) {
                        return Err(doing()(error));
                    }
                }
                Err(error) => return Err(doing()(error)),
            }
        }
        Ok(())
    }

    async fn assign_policy(
        &self,
        found: &FoundVm,
        resources: &ZoneResources,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let doing = || Error::cloud(format!("assign the backup policy of {}", found.name));
        let present = self
            .cloud
            .policies_of(&found.id, cancel)
            .await
            .map_err(doing())?;
        let mut policies: BTreeSet<_> = present.into_iter().map(|policy| policy.id).collect();
        if policies.insert(resources.policy.clone()) {
            self.cloud
                .assign_policies(&found.id, &policies, cancel)
                .await
                .map_err(doing())?;
        }
        Ok(())
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
            high_availability: (found.vm.high_availability != restart).then_some(restart),
            ..VmPatch::default()
        };
        let doing = Error::cloud(format!("set the properties of {}", found.name));
        self.cloud
            .update_vm(&found.id, &patch, cancel)
            .await
            .map_err(doing)
    }

    /// Starts a machine and waits until it runs.
    pub(crate) async fn power_on(
        &self,
        found: &FoundVm,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let doing = || Error::cloud(format!("start {}", found.name));
        going(cancel)?;
        let now = self
            .cloud
            .vm(&found.zone, &found.id, cancel)
            .await
            .map_err(doing())?;
        if now.is_some_and(|vm| vm.power_state == PowerState::Running) {
            return Ok(());
        }
        match self.cloud.power_on(&found.id, cancel).await {
            Ok(()) => {}
            // The state tells whether it was carried out.
            Err(error) if error.may_have_written() => {}
            Err(error) => return Err(doing()(error)),
        }
        self.cloud
            .wait_for_power(&found.id, &PowerState::Running, POWER_LIMIT, cancel)
            .await
            .map_err(doing())?;
        Ok(())
    }

    /// Removes a machine with everything that is attached to it, and verifies that it is gone.
    pub(crate) async fn remove(
        &self,
        found: &FoundVm,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        self.remove_vm(&found.zone, &found.id, &found.name, cancel)
            .await
    }

    async fn remove_vm(
        &self,
        zone: &MachineManagerId,
        id: &VmId,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let doing = || Error::cloud(format!("remove the machine {name}"));
        going(cancel)?;
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
        }
        // Deleting a VM takes its template disks and the configuration drive with it; data disks go first,
        // so that none is left when a run dies in between.
        for disk in self.cloud.disks(id, cancel).await.map_err(doing())? {
            if !disk.is_config_drive(id) && disk.name.starts_with(&data_prefix(name)) {
                tolerate(self.cloud.delete_disk(&disk.id, cancel).await).map_err(doing())?;
            }
        }
        tolerate(self.cloud.delete_vm(id, cancel).await).map_err(doing())?;
        match self.cloud.vm(zone, id, cancel).await.map_err(doing())? {
            None => {
                self.tags
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(id);
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

    /// Removes the tags of a machine that is gone: only then, since they are how it is found. The platform
    /// may have dropped them itself; what stays does no harm.
    async fn forget_tags(&self, id: &VmId, cancel: &CancellationToken) {
        let Ok(tags) = self.cloud.tags(id, cancel).await else {
            return;
        };
        for key in [VmTag::COMPLETION_KEY, VmTag::KEY] {
            if tags.contains_key(key)
                && let Err(error) = self.cloud.delete_tag(id, key, cancel).await
            {
                tracing::debug!(%id, key, %error, "the tag of a removed machine stays");
            }
        }
    }

    /// Removes the drive that held a machine's configuration. `false` when the platform does not allow it.
    pub(crate) async fn remove_config_drive(
        &self,
        found: &FoundVm,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let doing = || Error::cloud(format!("remove the configuration drive of {}", found.name));
        let disks = self.cloud.disks(&found.id, cancel).await.map_err(doing())?;
        let Some(drive) = disks.iter().find(|disk| disk.is_config_drive(&found.id)) else {
            return Ok(true);
        };
        let connected = drive
            .virtual_machines
            .iter()
            .any(|link| link.id == found.id && link.connected);
        if connected
            && let Err(error) = self
                .cloud
                .disconnect_disk(&drive.id, &found.id, cancel)
                .await
        {
            return refused_drive(found, &error);
        }
        match self.cloud.delete_disk(&drive.id, cancel).await {
            Ok(()) => Ok(true),
            Err(error) => refused_drive(found, &error),
        }
    }

    /// What a tagged machine lacks, and how its size differs: reads its disks, and its policies when it
    /// stands still.
    pub(crate) async fn condition(
        &self,
        found: &FoundVm,
        spec: &MachineSpec,
        cancel: &CancellationToken,
    ) -> Result<Condition, Error> {
        let doing = || Error::cloud(format!("read the machine {}", found.name));
        let disks = self.cloud.disks(&found.id, cancel).await.map_err(doing())?;
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
        if !disks
            .iter()
            .any(|disk| disk.name == system_disk(&found.name))
        {
            lacks.push("its system disk's size".to_owned());
        }
        if found.is_halted() {
            let policies = self
                .cloud
                .policies_of(&found.id, cancel)
                .await
                .map_err(doing())?;
            if policies.is_empty() {
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
        if found.vm.memory < spec.size.memory_bytes() {
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

/// What [`Machines::condition`] saw.
pub(crate) struct Condition {
    /// Parts of a finished machine that are not there.
    pub lacks: String,
    /// Size that is other than desired.
    pub differs: String,
    /// Whether the drive with its configuration is attached.
    pub config_drive: bool,
}

/// Absence is what a delete wants; whether it came true is read back.
fn tolerate(result: Result<(), openiaas::Error>) -> Result<(), openiaas::Error> {
    match result {
        Err(error) if error.may_have_written() => Ok(()),
        other => other,
    }
}

fn refused_drive(found: &FoundVm, error: &openiaas::Error) -> Result<bool, Error> {
    if matches!(error, openiaas::Error::Cancelled) {
        return Err(Error::Cancelled);
    }
    tracing::warn!(name = found.name, %error, "the configuration drive stays attached");
    Ok(false)
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

fn system_disk(vm: &str) -> String {
    format!("{vm}-system")
}

fn data_prefix(vm: &str) -> String {
    format!("{vm}-data-")
}

fn data_disk(vm: &str, number: usize) -> String {
    format!("{}{number}", data_prefix(vm))
}

/// The disk that came from the template: named by us already, or the only writable one.
fn find_system_disk<'a>(found: &FoundVm, disks: &'a [Disk]) -> Option<&'a Disk> {
    let ours = system_disk(&found.name);
    disks.iter().find(|disk| disk.name == ours).or_else(|| {
        disks.iter().find(|disk| {
            !disk.is_config_drive(&found.id) && !disk.name.starts_with(&data_prefix(&found.name))
        })
    })
}
