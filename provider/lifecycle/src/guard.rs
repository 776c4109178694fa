//! Guards: pure functions, called just before a dangerous step, that return the reason for a refusal.

use product::{NodeKey, Role};

use crate::plan::NodeSet;

/// Why a step must not run now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// One member of etcd, as the members themselves report it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EtcdMember {
    /// The member's id.
    pub id: u64,
    /// The host name it gives itself; empty while it joins.
    pub name: String,
    /// Whether it only learns and has no vote yet.
    pub learner: bool,
    /// Whether its own status call answered without errors.
    pub healthy: bool,
}

/// Votes that a group of so many voters needs.
pub const fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

/// Whether a member may be stopped for a while: the others must keep quorum, and nothing else may be
/// in change. `name` is the host name of the member.
pub fn may_stop_member(members: &[EtcdMember], name: &str) -> Result<(), Refusal> {
    steady(members, Some(name))?;
    let voters = members.iter().filter(|member| !member.learner).count();
    let others = members
        .iter()
        .filter(|member| !member.learner && member.healthy && member.name != name)
        .count();
    if voters == 1 {
        // One control plane: stopping it stops the API, which the plan has said; no quorum is at stake.
        return Ok(());
    }
    if others < quorum(voters) {
        return Err(Refusal(format!(
            "stopping {name} would leave {others} of {voters} etcd members, and {} are needed",
            quorum(voters)
        )));
    }
    Ok(())
}

/// Whether a member may be removed for ever: what remains must have quorum among itself.
pub fn may_remove_member(members: &[EtcdMember], name: &str) -> Result<(), Refusal> {
    let Some(leaving) = members.iter().find(|member| member.name == name) else {
        return Err(Refusal(format!("etcd has no member {name}")));
    };
    steady(members, Some(name))?;
    let voters = members.iter().filter(|member| !member.learner).count();
    if !leaving.learner && voters == 1 {
        return Err(Refusal(format!("{name} is the last member of etcd")));
    }
    let healthy = members
        .iter()
        .filter(|member| !member.learner && member.healthy && member.name != name)
        .count();
    // The removal itself is decided by the present members, the time after it by those that remain.
    let needed = quorum(voters);
    if healthy < needed {
        return Err(Refusal(format!(
            "only {healthy} of {voters} etcd members are healthy beside {name}, and {needed} are needed"
        )));
    }
    Ok(())
}

/// Whether a control plane may be added: one at a time, and everybody present must be well.
pub fn may_add_member(members: &[EtcdMember]) -> Result<(), Refusal> {
    steady(members, None)
}

/// No learner but the one concerned, and every other voter healthy.
fn steady(members: &[EtcdMember], except: Option<&str>) -> Result<(), Refusal> {
    for member in members
        .iter()
        .filter(|member| Some(member.name.as_str()) != except)
    {
        let name = if member.name.is_empty() {
            "a new member"
        } else {
            &member.name
        };
        if member.learner {
            return Err(Refusal(format!("{name} of etcd is still joining")));
        }
        if !member.healthy {
            return Err(Refusal(format!("{name} of etcd is not healthy")));
        }
    }
    Ok(())
}

/// Whether a control plane may go for ever while the cluster lives.
pub fn may_remove_control_plane(present: &NodeSet, leaving: NodeKey) -> Result<(), Refusal> {
    let rest = present
        .iter()
        .filter(|node| node.role == Role::ControlPlane && *node != leaving)
        .count();
    if rest == 0 {
        return Err(Refusal(format!("{leaving} is the last control plane")));
    }
    Ok(())
}

/// Whether more nodes may be disturbed now: `busy` are those disturbed already, by whomever.
pub fn within_budget(busy: &NodeSet, more: &NodeSet, at_once: usize) -> Result<(), Refusal> {
    let mut all = busy.clone();
    all.extend(more);
    if all.len() > at_once {
        return Err(Refusal(format!(
            "{busy} are disturbed already, and {at_once} may be at a time"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members(health: &[bool]) -> Vec<EtcdMember> {
        health
            .iter()
            .zip(1u64..)
            .map(|(healthy, id)| EtcdMember {
                id,
                name: format!("cp-{id}"),
                learner: false,
                healthy: *healthy,
            })
            .collect()
    }

    #[test]
    fn a_dead_member_of_three_may_go_a_live_one_may_not() {
        let two_of_three = members(&[true, true, false]);
        assert_eq!(may_remove_member(&two_of_three, "cp-3"), Ok(()));
        assert!(may_remove_member(&two_of_three, "cp-1").is_err());
        assert!(may_stop_member(&two_of_three, "cp-1").is_err());
        assert_eq!(may_stop_member(&members(&[true; 3]), "cp-1"), Ok(()));
        assert!(may_stop_member(&members(&[true; 2]), "cp-1").is_err());
        // Two members cannot spare one: the one that stays could not tell a removal from a split.
        assert!(may_remove_member(&members(&[true; 2]), "cp-1").is_err());
        assert!(may_remove_member(&members(&[true]), "cp-1").is_err());
        assert_eq!(may_stop_member(&members(&[true]), "cp-1"), Ok(()));
    }

    #[test]
    fn one_change_at_a_time() {
        let mut joining = members(&[true; 3]);
        joining[2].learner = true;
        assert!(may_add_member(&joining).is_err());
        assert!(may_stop_member(&joining, "cp-1").is_err());
        let last = NodeKey::control_plane(1);
        assert!(may_remove_control_plane(&NodeSet::one(last), last).is_err());
    }

    proptest! {
        /// Whatever is allowed is done, in any order, with members failing in between: those that are
        /// left can always decide.
        #[test]
        fn no_allowed_sequence_breaks_quorum(size in 1usize..6, choices in proptest::collection::vec((0usize..3, 0usize..6), 0..40)) {
            let mut cluster = members(&vec![true; size]);
            let mut next = size as u64 + 1;
            for (action, pick) in choices {
                let name = cluster[pick % cluster.len()].name.clone();
                match action {
                    0 if may_remove_member(&cluster, &name).is_ok() => {
                        cluster.retain(|member| member.name != name);
                    }
                    1 if may_stop_member(&cluster, &name).is_ok() && cluster.len() > 1 => {
                        for member in cluster.iter_mut().filter(|member| member.name == name) {
                            member.healthy = false;
                        }
                    }
                    2 if may_add_member(&cluster).is_ok() && cluster.len() < 7 => {
                        cluster.push(EtcdMember { id: next, name: format!("cp-{next}"), learner: false, healthy: true });
                        next += 1;
                    }
                    _ => {}
                }
                let healthy = cluster.iter().filter(|member| member.healthy).count();
                prop_assert!(healthy >= quorum(cluster.len()), "{cluster:?}");
            }
        }
    }
}
