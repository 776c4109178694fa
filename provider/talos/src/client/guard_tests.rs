use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::super::{
    AlarmKind, EtcdAlarm, EtcdObservation, EtcdStatus, MaintenanceFacts, NodeFacts, Service,
};
use super::*;

fn at(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 20, 0, 20 + number))
}

fn member(number: u64) -> EtcdMember {
    EtcdMember {
        id: MemberId(number),
        hostname: format!("alpha-cp-{number:02}"),
        peer_urls: Vec::new(),
        is_learner: false,
    }
}

fn facts(number: u8, count: u64) -> NodeFacts {
    let status = EtcdStatus {
        member: MemberId(u64::from(number)),
        leader: Some(MemberId(1)),
        is_learner: false,
        raft_index: 10,
        raft_applied_index: 10,
        db_size: 1,
        errors: Vec::new(),
    };
    NodeFacts {
        version: "v1.13.9".to_owned(),
        stage: Stage::Running,
        services: vec![service(ServiceState::Running)],
        etcd: Some(EtcdObservation {
            members: Some((1..=count).map(member).collect()),
            status: Some(status),
            alarms: Vec::new(),
        }),
        ..NodeFacts::default()
    }
}

fn service(state: ServiceState) -> Service {
    Service {
        id: "etcd".to_owned(),
        state,
        healthy: None,
        message: String::new(),
    }
}

fn node(number: u8, facts: NodeFacts) -> NodeObservation {
    NodeObservation {
        address: at(number),
        reach: Reach::Configured(Box::new(facts)),
    }
}

fn silent(number: u8) -> NodeObservation {
    NodeObservation {
        address: at(number),
        reach: Reach::Silent {
            reason: "refused".to_owned(),
        },
    }
}

/// A whole etcd of this many members.
fn whole(count: u8) -> Vec<NodeObservation> {
    (1..=count)
        .map(|number| node(number, facts(number, u64::from(count))))
        .collect()
}

fn etcd(node: &mut NodeObservation) -> &mut EtcdObservation {
    match &mut node.reach {
        Reach::Configured(facts) => facts.etcd.as_mut().expect("etcd"),
        _ => panic!("not configured"),
    }
}

fn status(node: &mut NodeObservation) -> &mut EtcdStatus {
    etcd(node).status.as_mut().expect("a status")
}

fn fresh(number: u8) -> NodeObservation {
    let facts = NodeFacts {
        services: vec![service(ServiceState::Preparing)],
        etcd: Some(EtcdObservation::default()),
        ..NodeFacts::default()
    };
    node(number, facts)
}

#[test]
fn bootstrap_is_called_once_and_only_when_all_were_asked() {
    assert_eq!(bootstrap(&[fresh(1), fresh(2), fresh(3)]), Bootstrap::Call);
    assert_eq!(
        bootstrap(&[fresh(1), whole(1).remove(0), silent(3)]),
        Bootstrap::Done
    );
    assert!(matches!(
        bootstrap(&[fresh(1), silent(2)]),
        Bootstrap::Unknown(_)
    ));
    assert!(matches!(bootstrap(&[]), Bootstrap::Unknown(_)));
    let maintenance = NodeObservation {
        address: at(2),
        reach: Reach::Maintenance(MaintenanceFacts::default()),
    };
    assert!(matches!(
        bootstrap(&[fresh(1), maintenance]),
        Bootstrap::Unknown(_)
    ));
    let blind = node(1, NodeFacts::default());
    assert!(matches!(bootstrap(&[blind]), Bootstrap::Unknown(_)));
    let in_state = |state| {
        let mut node = fresh(2);
        if let Reach::Configured(facts) = &mut node.reach {
            facts.services = vec![service(state)];
        }
        bootstrap(&[fresh(1), node])
    };
    // It answers no question yet, or any more, but the data is there.
    for state in [
        ServiceState::Starting,
        ServiceState::Running,
        ServiceState::Stopping,
    ] {
        assert_eq!(in_state(state), Bootstrap::Done);
    }
    for state in [
        ServiceState::Failed,
        ServiceState::Finished,
        ServiceState::Unknown("Dreaming".to_owned()),
    ] {
        assert!(matches!(in_state(state), Bootstrap::Unknown(_)));
    }
    assert_eq!(in_state(ServiceState::Waiting), Bootstrap::Call);
}

#[test]
fn a_whole_etcd_lets_one_of_three_go() {
    assert_eq!(etcd_is_whole(&whole(3)), Ok(()));
    assert_eq!(may_interrupt(&whole(3), at(2), false), Ok(()));
    assert_eq!(may_add_member(&whole(3)), Ok(()));
    assert_eq!(may_remove_member(&whole(3), at(2)), Ok(()));
}

type Harm = fn(&mut Vec<NodeObservation>);

/// Each of these is enough to stop a change.
const HARMS: [(&str, Harm); 9] = [
    ("silent", |nodes| nodes[2] = silent(3)),
    ("learner", |nodes| {
        for node in nodes {
            if let Some(members) = &mut etcd(node).members {
                members[1].is_learner = true;
            }
        }
    }),
    ("alarm", |nodes| {
        etcd(&mut nodes[1]).alarms.push(EtcdAlarm {
            member: MemberId(2),
            kind: AlarmKind::NoSpace,
        });
    }),
    ("error", |nodes| {
        status(&mut nodes[0]).errors.push("slow disk".to_owned());
    }),
    ("no leader", |nodes| status(&mut nodes[0]).leader = None),
    ("two leaders", |nodes| {
        status(&mut nodes[0]).leader = Some(MemberId(2));
    }),
    ("other members", |nodes| {
        etcd(&mut nodes[0]).members = Some(vec![member(1), member(2)]);
    }),
    ("a stranger", |nodes| {
        for node in nodes {
            etcd(node).members = Some((1..=4).map(member).collect());
        }
    }),
    ("nobody", Vec::clear),
];

#[test]
fn anything_wrong_with_etcd_stops_interruptions_and_additions() {
    for (name, harm) in HARMS {
        let mut nodes = whole(3);
        harm(&mut nodes);
        assert!(may_interrupt(&nodes, at(1), true).is_err(), "{name}");
        assert!(may_add_member(&nodes).is_err(), "{name}");
    }
}

#[test]
fn small_clusters_are_special() {
    assert!(may_interrupt(&whole(1), at(1), false).is_err());
    assert_eq!(may_interrupt(&whole(1), at(1), true), Ok(()));
    assert!(may_interrupt(&whole(2), at(1), true).is_err());
    assert!(may_interrupt(&whole(3), at(9), true).is_err());
    assert!(may_remove_member(&whole(1), at(1)).is_err());
}

#[test]
fn nodes_that_are_going_down_are_waited_for() {
    let mut nodes = whole(3);
    if let Reach::Configured(facts) = &mut nodes[2].reach {
        facts.stage = Stage::Rebooting;
    }
    let refusal = may_interrupt(&nodes, at(1), true).expect_err("busy");
    assert_eq!(
        refusal.to_string(),
        "10.20.0.23 is already going down; control-plane nodes go one at a time"
    );
}

#[test]
fn a_dead_member_is_removed_by_the_majority_only() {
    let mut nodes = whole(3);
    nodes[2] = silent(3);
    assert_eq!(may_remove_member(&nodes, at(3)), Ok(()));
    nodes[1] = silent(2);
    assert!(may_remove_member(&nodes, at(3)).is_err());
    // Two of five answer: they could not decide.
    let mut nodes = whole(5);
    nodes.truncate(2);
    nodes.push(silent(3));
    assert!(may_remove_member(&nodes, at(3)).is_err());
}

proptest! {
    /// However many nodes are silent, an allowed removal leaves a majority that answers.
    #[test]
    fn removal_never_costs_the_quorum(count in 1_u8..8, quiet in prop::collection::vec(any::<bool>(), 8), target in 1_u8..8) {
        let mut nodes = whole(count);
        for (position, node) in nodes.iter_mut().enumerate() {
            if quiet[position] {
                *node = silent(position as u8 + 1);
            }
        }
        if may_remove_member(&nodes, at(target)).is_ok() {
            let answering = nodes.iter().filter(|node| node.address != at(target) && node.facts().is_some()).count();
            prop_assert!(answering * 2 > usize::from(count));
        }
    }
}

#[test]
fn upgrades_are_proved_by_version_and_schematic() {
    let mut seen = facts(1, 1);
    seen.schematic = Some("abc".to_owned());
    let seen = node(1, seen);
    assert_eq!(upgrade_took(&seen, "1.13.9", Some("abc")), Ok(()));
    assert_eq!(upgrade_took(&seen, "v1.13.9", None), Ok(()));
    assert!(upgrade_took(&seen, "1.13.10", Some("abc")).is_err());
    assert!(upgrade_took(&seen, "1.13.9", Some("abd")).is_err());
    assert!(upgrade_took(&node(1, facts(1, 1)), "1.13.9", Some("abc")).is_err());
    assert!(upgrade_took(&silent(1), "1.13.9", None).is_err());
}
