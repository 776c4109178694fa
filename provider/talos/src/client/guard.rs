//! Rules asked just before a dangerous call. Each is a pure function of what was just seen and
//! answers with the reason for a refusal.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::{EtcdMember, MemberId, NodeObservation, Reach, ServiceState, Stage};

/// Why something must not be done now. A sentence without its full stop, for diagnostics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// What to do about bootstrapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// No node has etcd data: call it on one, always the same.
    Call,
    /// etcd exists: never call it again.
    Done,
    /// It cannot be said yet: look again.
    Unknown(Refusal),
}

/// Whether etcd may be started. `control_plane` is a look at every control-plane node of the
/// cluster; one that cannot be asked leaves the question open, because it may hold the data.
pub fn bootstrap(control_plane: &[NodeObservation]) -> Bootstrap {
    let mut open = None;
    for node in control_plane {
        let Some(facts) = node.facts() else {
            // A node in maintenance has no data of this cluster that could be in use, but it may
            // have lost its configuration only.
            open.get_or_insert_with(|| {
                Refusal::new(format!(
                    "{} cannot be asked for its etcd data",
                    node.address
                ))
            });
            continue;
        };
        let has_members = facts
            .etcd
            .as_ref()
            .is_some_and(|etcd| etcd.members.is_some() || etcd.status.is_some());
        let state = facts.service("etcd").map(|service| &service.state);
        match state {
            _ if has_members => return Bootstrap::Done,
            // Without data etcd is held back before its start.
            Some(ServiceState::Starting | ServiceState::Running | ServiceState::Stopping) => {
                return Bootstrap::Done;
            }
            Some(ServiceState::Initialized | ServiceState::Preparing | ServiceState::Waiting) => {}
            Some(_) => {
                open.get_or_insert_with(|| {
                    Refusal::new(format!("etcd on {} ended and may hold data", node.address))
                });
            }
            None => {
                open.get_or_insert_with(|| {
                    Refusal::new(format!(
                        "{} does not list its etcd service yet",
                        node.address
                    ))
                });
            }
        }
    }
    match open {
        Some(reason) => Bootstrap::Unknown(reason),
        None if control_plane.is_empty() => {
            Bootstrap::Unknown(Refusal::new("no control-plane node was looked at"))
        }
        None => Bootstrap::Call,
    }
}

/// Whether etcd is whole: every control-plane node answers, all see the same members, each of
/// those is one of them, all vote, all follow one leader, nothing is wrong.
///
/// # Errors
/// The first thing that is missing.
pub fn etcd_is_whole(control_plane: &[NodeObservation]) -> Result<(), Refusal> {
    let mut members: Option<(IpAddr, &[EtcdMember])> = None;
    let mut leader: Option<MemberId> = None;
    let mut answering = BTreeSet::new();
    for node in control_plane {
        let at = node.address;
        let etcd = node.facts().and_then(|facts| facts.etcd.as_ref());
        let seen =
            etcd.and_then(|etcd| Some((etcd, etcd.members.as_ref()?, etcd.status.as_ref()?)));
        let Some((etcd, seen, status)) = seen else {
            return Err(Refusal::new(format!("etcd on {at} does not answer")));
        };
        if let Some(learner) = seen.iter().find(|member| member.is_learner) {
            return Err(Refusal::new(format!(
                "etcd member {} ({}) is still catching up",
                learner.id, learner.hostname
            )));
        }
        if let Some(alarm) = etcd.alarms.first() {
            return Err(Refusal::new(format!(
                "etcd member {} has an alarm: {:?}",
                alarm.member, alarm.kind
            )));
        }
        if let Some(error) = status.errors.first() {
            return Err(Refusal::new(format!("etcd on {at} says: {error}")));
        }
        let Some(follows) = status.leader else {
            return Err(Refusal::new(format!("etcd on {at} knows no leader")));
        };
        if *leader.get_or_insert(follows) != follows {
            return Err(Refusal::new("etcd members follow different leaders"));
        }
        let (first, known) = *members.get_or_insert((at, seen));
        if ids(known) != ids(seen) {
            return Err(Refusal::new(format!(
                "{first} and {at} see different members of etcd"
            )));
        }
        answering.insert(status.member);
    }
    let Some((_, members)) = members else {
        return Err(Refusal::new("no control-plane node was looked at"));
    };
    match members
        .iter()
        .find(|member| !answering.contains(&member.id))
    {
        Some(stranger) => Err(Refusal::new(format!(
            "etcd member {} ({}) is none of the nodes that were asked",
            stranger.id, stranger.hostname
        ))),
        None => Ok(()),
    }
}

fn ids(members: &[EtcdMember]) -> BTreeSet<MemberId> {
    members.iter().map(|member| member.id).collect()
}

/// Whether one control-plane node may go away for a while (reboot, upgrade). A single member
/// may only when `accept_downtime`; two never, because one alone has no quorum.
///
/// # Errors
/// The reason not to.
pub fn may_interrupt(
    control_plane: &[NodeObservation],
    target: IpAddr,
    accept_downtime: bool,
) -> Result<(), Refusal> {
    if !control_plane.iter().any(|node| node.address == target) {
        return Err(Refusal::new(format!("{target} is no control-plane node")));
    }
    let busy = control_plane.iter().find(|node| {
        node.facts().is_some_and(|facts| {
            matches!(
                facts.stage,
                Stage::Rebooting | Stage::ShuttingDown | Stage::Resetting | Stage::Upgrading
            )
        })
    });
    if let Some(busy) = busy {
        return Err(Refusal::new(format!(
            "{} is already going down; control-plane nodes go one at a time",
            busy.address
        )));
    }
    etcd_is_whole(control_plane)?;
    match (control_plane.len(), accept_downtime) {
        (0 | 1, false) => Err(Refusal::new(
            "there is only one control-plane node, the API is gone while it is away",
        )),
        (2, _) => Err(Refusal::new(
            "with two etcd members the loss of one stops the other",
        )),
        _ => Ok(()),
    }
}

/// Whether a member may be added: etcd takes one learner at a time, and only when it is whole.
///
/// # Errors
/// The reason not to.
pub fn may_add_member(control_plane: &[NodeObservation]) -> Result<(), Refusal> {
    etcd_is_whole(control_plane)
}

/// Whether a member may be removed: the others are whole among themselves and keep the majority
/// of the present members. `target` is the node that goes; it need not answer.
///
/// # Errors
/// The reason not to.
pub fn may_remove_member(control_plane: &[NodeObservation], target: IpAddr) -> Result<(), Refusal> {
    let others: Vec<&NodeObservation> = control_plane
        .iter()
        .filter(|node| node.address != target)
        .collect();
    if others.is_empty() {
        return Err(Refusal::new(
            "it is the last control-plane node; destroy the cluster instead",
        ));
    }
    let mut present = 0;
    let mut voting = 0;
    for node in &others {
        let at = node.address;
        let etcd = node.facts().and_then(|facts| facts.etcd.as_ref());
        let Some((members, status)) =
            etcd.and_then(|etcd| Some((etcd.members.as_ref()?, etcd.status.as_ref()?)))
        else {
            return Err(Refusal::new(format!("etcd on {at} does not answer")));
        };
        if status.is_learner || status.leader.is_none() || !status.errors.is_empty() {
            return Err(Refusal::new(format!("etcd on {at} is not healthy")));
        }
        present = present.max(members.len());
        voting += 1;
    }
    if voting * 2 <= present {
        return Err(Refusal::new(format!(
            "{voting} of {present} etcd members would have to decide, which is no majority"
        )));
    }
    Ok(())
}

/// Whether a node may be taken out of the cluster's books because of what was seen: never. Not
/// to answer is no proof of absence; the cloud's inventory is.
pub const fn proves_absence(_: &Reach) -> bool {
    false
}

/// Whether an upgrade took: version and, when known, schematic are those wanted. A boot that
/// failed falls back to the old version by itself.
///
/// # Errors
/// What runs instead.
pub fn upgrade_took(
    node: &NodeObservation,
    version: &str,
    schematic: Option<&str>,
) -> Result<(), Refusal> {
    let Some(facts) = node.facts() else {
        return Err(Refusal::new(format!("{} does not answer", node.address)));
    };
    let wanted = version.trim_start_matches('v');
    let runs = facts.version.trim_start_matches('v');
    if runs != wanted {
        return Err(Refusal::new(format!(
            "{} runs Talos {runs} instead of {wanted}: it fell back after a boot that failed",
            node.address
        )));
    }
    match (schematic, facts.schematic.as_deref()) {
        (Some(wanted), Some(runs)) if wanted != runs => Err(Refusal::new(format!(
            "{} runs schematic {runs} instead of {wanted}",
            node.address
        ))),
        (Some(wanted), None) => Err(Refusal::new(format!(
            "{} runs an image without a schematic instead of {wanted}",
            node.address
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
