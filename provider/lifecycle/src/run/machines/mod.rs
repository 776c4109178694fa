//! Machines in the cloud: what is there, making one, removing one. Names and MAC addresses are the
//! handles, the tag is the owner (OpenIaaS API, end-to-end trace; design law 2).
//!
//! A machine costs one look at its disks beside the writes that make it; what else must be seen comes from the
//! listings of its zone, which all machines share. What a write of this process did is remembered
//! ([`known`]) and not read again while the platform said that it was carried out.

mod claim;
mod condition;
mod disks;
mod known;
mod look;
mod lost;
mod remove;
mod shape;
mod tags;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use openiaas::{Freshness, MachineManagerId, PowerState, VirtualMachine, VmId};
use product::{Identifier, NodeKey, VmTag, Zone};
use transport::{CancellationToken, SharedClock};

pub(crate) use claim::Claim;

use crate::Error;
use crate::cluster::Infrastructure;
use crate::ports::{Cloud, ZoneResources};
use known::Known;

/// How long a listing serves the observations of one run while this process changes no machine of its zone.
const CARRY: Duration = Duration::from_mins(1);

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
#[derive(Clone, Debug, Default)]
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

/// How new a listing has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// As the client has it.
    Fresh(Freshness),
    /// Of a run that began at this moment: not older than it, than a minute, or than the last change that this
    /// process made to the machines of the zone.
    Run(Instant),
}

impl From<Freshness> for Look {
    fn from(freshness: Freshness) -> Self {
        Self::Fresh(freshness)
    }
}

/// Machines, over the cloud's API.
pub(crate) struct Machines {
    pub(crate) cloud: Arc<dyn Cloud>,
    clock: SharedClock,
    tenant: Arc<str>,
    freshness: Duration,
    known: Known,
    /// Whether a tag that this process wrote was read back: its account's tags arrive.
    tags_arrive: AtomicBool,
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
            known: Known::default(),
            tags_arrive: AtomicBool::new(false),
            resources: tokio::sync::Mutex::default(),
        }
    }

    /// How fresh a read for a refresh has to be.
    pub(crate) const fn shared(&self) -> Freshness {
        Freshness::Within(self.freshness)
    }

    /// The look of a run that begins now.
    pub(crate) fn begin(&self) -> Look {
        Look::Run(self.clock.now())
    }

    fn freshness_of(&self, look: Look, zone: &MachineManagerId) -> Freshness {
        let began = match look {
            Look::Fresh(freshness) => return freshness,
            Look::Run(began) => began,
        };
        let recent = self.clock.now().checked_sub(CARRY).unwrap_or(began);
        let changed = self.known.touched(zone).unwrap_or(began);
        Freshness::Since(began.max(recent).max(changed))
    }

    /// This process made, started, stopped or removed a machine of the zone.
    fn touch(&self, zone: &MachineManagerId) {
        self.known.touch(zone, self.clock.now());
    }

    /// The MAC address of a machine.
    pub(crate) fn mac(&self, identifier: &Identifier, node: NodeKey) -> String {
        node.mac(&self.tenant, identifier).to_string()
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
}
