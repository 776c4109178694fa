//! The client against a small node of our own, over real TLS on loopback addresses.

mod fake;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use tonic::Code;
use transport::{CancellationToken, Dialer, ManualClock, SystemClock, WaitError};

use super::*;
use crate::TalosRole;
use crate::config::{ConfigHash, MachineConfig, MachineRole};
use crate::pki::tests::{other_pki, pki};
use fake::{Door, FakeNode, Plan};

/// An address of its own for each test: the port is always 50000.
fn address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let process = std::process::id().to_be_bytes();
    let host = NEXT.fetch_add(1, Ordering::Relaxed);
    IpAddr::V4(Ipv4Addr::new(127, process[2] | 0x40, process[3], host))
}

fn client() -> TalosClient {
    TalosClient::new(
        pki(),
        TalosRole::Admin,
        Dialer::direct().connect_within(Duration::from_secs(5)),
        SystemClock::shared(),
    )
}

fn free() -> CancellationToken {
    CancellationToken::new()
}

async fn full_look(address: IpAddr, role: MachineRole) -> NodeObservation {
    client()
        .observe(address, role, Depth::Full, &free())
        .await
        .expect("an observation")
}

#[tokio::test]
async fn a_full_look_at_a_control_plane_node_gathers_everything_on_one_connection() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let seen = full_look(fake.address, MachineRole::ControlPlane).await;
    let facts = seen.facts().expect("configured").clone();
    assert_eq!(facts.version, "v1.13.9");
    assert_eq!(facts.stage, Stage::Running);
    assert!(!facts.ready);
    assert_eq!(facts.unmet[0].name, "nodeReady");
    assert_eq!(
        facts.config_hash,
        Some(ConfigHash::of(b"version: v1alpha1\n"))
    );
    assert_eq!(facts.boot_id, Some(BootId("boot-1".to_owned())));
    assert_eq!(facts.schematic.as_deref(), Some("5ch3"));
    assert_eq!(facts.extensions, ["iscsi-tools", "xen-guest-agent"]);
    assert!(facts.service("etcd").is_some_and(Service::is_up));
    assert!(!facts.service("kubelet").is_some_and(Service::is_up));
    let etcd = facts.etcd.expect("control plane");
    assert_eq!(
        etcd.members.expect("members")[0].id,
        MemberId(0xfeed_0000_0000_0001)
    );
    assert_eq!(
        etcd.status.expect("a status").leader,
        Some(MemberId(0xfeed_0000_0000_0001))
    );
    assert_eq!(etcd.alarms[0].kind, AlarmKind::NoSpace);
    assert_eq!(fake.connections(), 1);
    assert_eq!(fake.calls().len(), 9);
}

#[tokio::test]
async fn a_quick_look_is_three_calls() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let seen = client()
        .observe(fake.address, MachineRole::Worker, Depth::Quick, &free())
        .await
        .expect("an observation");
    assert!(seen.facts().is_some_and(|facts| facts.etcd.is_none()));
    let mut calls = fake.calls();
    calls.sort();
    assert_eq!(
        calls,
        ["Get MachineConfigs", "Get MachineStatuses", "Version"]
    );
}

#[tokio::test]
async fn what_a_node_does_not_tell_is_left_out() {
    let plan = Plan {
        etcd: false,
        ..Plan::default()
    };
    let fake = FakeNode::start(address(), plan, Door::ours()).await;
    let seen = full_look(fake.address, MachineRole::ControlPlane).await;
    let etcd = seen.facts().and_then(|facts| facts.etcd.clone());
    assert_eq!(etcd, Some(EtcdObservation::default()));
}

#[tokio::test]
async fn a_node_in_maintenance_is_told_from_one_that_is_ours() {
    let fake = FakeNode::start(address(), Plan::maintenance(), Door::maintenance()).await;
    let seen = full_look(fake.address, MachineRole::Worker).await;
    let Reach::Maintenance(facts) = &seen.reach else {
        panic!("{seen:?}");
    };
    assert_eq!(
        facts.to_string(),
        "in maintenance (stage maintenance), Talos v1.13.9, interfaces 02:00:00:aa:bb:01; \
         nodeReady: no CNI; address-overlap"
    );
}

#[tokio::test]
async fn other_clusters_are_foreign_whichever_side_refuses() {
    // Its certificate is not ours, and it wants one of its own.
    let theirs = FakeNode::start(
        address(),
        Plan::default(),
        Door::of(&other_pki(), &other_pki()),
    )
    .await;
    let seen = full_look(theirs.address, MachineRole::Worker).await;
    assert!(matches!(seen.reach, Reach::Foreign { .. }), "{seen:?}");
    // Its certificate is ours, but it refuses ours: TLS 1.3 says so after the handshake.
    let picky = FakeNode::start(address(), Plan::default(), Door::of(&pki(), &other_pki())).await;
    let seen = full_look(picky.address, MachineRole::Worker).await;
    assert!(matches!(seen.reach, Reach::Foreign { .. }), "{seen:?}");
}

#[tokio::test]
async fn a_closed_port_is_silence_with_the_reason() {
    let seen = full_look(address(), MachineRole::Worker).await;
    let Reach::Silent { reason } = seen.reach else {
        panic!("{seen:?}");
    };
    assert!(
        reason.contains("cannot be reached") && reason.contains("refused"),
        "{reason}"
    );
    assert!(!guard::proves_absence(&Reach::Silent { reason }));
}

#[tokio::test]
async fn interruption_is_an_error_not_an_observation() {
    let cancel = free();
    cancel.cancel();
    let seen = client()
        .observe(address(), MachineRole::Worker, Depth::Quick, &cancel)
        .await;
    assert!(matches!(seen, Err(TalosError::Cancelled)));
}

#[tokio::test]
async fn bootstrap_tells_success_from_not_yet_and_never() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let node = client().node(fake.address, &free()).await.expect("a node");
    assert!(matches!(
        node.bootstrap().await,
        Ok(BootstrapOutcome::Started)
    ));
    for (code, passing) in [
        (Code::FailedPrecondition, true),
        (Code::Unavailable, true),
        (Code::DeadlineExceeded, true),
        (Code::Unimplemented, false),
        (Code::InvalidArgument, false),
    ] {
        fake.plan(|plan| plan.bootstrap = Some(code));
        let outcome = node.bootstrap().await;
        assert_eq!(
            matches!(outcome, Ok(BootstrapOutcome::NotYet(_))),
            passing,
            "{code:?}"
        );
        assert_eq!(outcome.is_err(), !passing, "{code:?}");
    }
    fake.plan(|plan| plan.bootstrap = Some(Code::AlreadyExists));
    assert!(matches!(
        node.bootstrap().await,
        Ok(BootstrapOutcome::AlreadyDone)
    ));
}

#[tokio::test]
async fn configurations_travel_whole_with_an_explicit_mode() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let node = client().node(fake.address, &free()).await.expect("a node");
    let config = MachineConfig::parse("version: v1alpha1\nmachine:\n    type: worker\n")
        .expect("a configuration")
        .render();
    for (mode, wire) in [
        (ApplyMode::Auto, 1),
        (ApplyMode::NoReboot, 2),
        (ApplyMode::Staged, 3),
        (ApplyMode::Try, 4),
    ] {
        let applied = node.apply_config(&config, mode).await.expect("applied");
        assert_eq!(applied.warnings, ["use a document"]);
        assert_eq!(fake.seen(|seen| seen.mode), Some(wire));
    }
    assert!(!fake.seen(|seen| seen.dry_run));
    node.try_config(&config, ApplyMode::Auto)
        .await
        .expect("tried");
    assert!(fake.seen(|seen| seen.dry_run));
    let held = node
        .config(ConfigSlot::Active)
        .await
        .expect("read")
        .expect("there");
    assert_eq!(held.hash, config.hash);
    assert!(held.parse().is_ok());
    fake.plan(|plan| plan.refuse_config = true);
    let refusal = node
        .apply_config(&config, ApplyMode::Auto)
        .await
        .expect_err("refused");
    assert_eq!(refusal.code(), Some(Code::InvalidArgument));
    assert!(!refusal.is_passing());
}

#[tokio::test]
async fn a_reboot_is_proved_by_another_boot_id() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let node = client().node(fake.address, &free()).await.expect("a node");
    let before = node.boot_id().await.expect("a boot id");
    let wait = |limit| {
        let before = before.clone();
        let address = fake.address;
        async move {
            client()
                .await_boot(address, Some(&before), Until::Running, limit, &free())
                .await
        }
    };
    let not_yet = wait(Duration::from_millis(300)).await;
    let Err(WaitError::Deadline { last, .. }) = not_yet else {
        panic!("{not_yet:?}");
    };
    assert_eq!(last, "it has not rebooted yet");
    node.reboot(RebootMode::Default).await.expect("accepted");
    let facts = wait(Duration::from_secs(10)).await.expect("rebooted");
    assert_eq!(facts.boot_id, Some(BootId("boot-2".to_owned())));
}

#[tokio::test]
async fn waiting_for_a_boot_tells_what_was_seen_last() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let waited = client()
        .await_boot(
            fake.address,
            None,
            Until::Ready,
            Duration::from_millis(1),
            &free(),
        )
        .await;
    let Err(WaitError::Deadline { last, .. }) = waited else {
        panic!("{waited:?}");
    };
    assert_eq!(last, "stage running; nodeReady: no CNI");
    fake.plan(|plan| plan.ready = true);
    client()
        .await_boot(
            fake.address,
            None,
            Until::Ready,
            Duration::from_secs(5),
            &free(),
        )
        .await
        .expect("ready");
}

#[tokio::test]
async fn upgrades_use_the_stream_and_fall_back() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let node = client().node(fake.address, &free()).await.expect("a node");
    let mut words = Vec::new();
    let path = node
        .upgrade("factory/installer:v1.13.10", &mut |progress| {
            words.push(progress);
        })
        .await
        .expect("written");
    assert_eq!(path, UpgradePath::RebootNext);
    assert_eq!(
        words,
        [
            UpgradeProgress::Pulling {
                offset: 5,
                total: 10
            },
            UpgradeProgress::Installing("writing".to_owned()),
        ]
    );
    fake.plan(|plan| plan.exit_code = Some(3));
    let failure = node.upgrade("x", &mut |_| {}).await.expect_err("failed");
    assert!(
        matches!(&failure, TalosError::Installer { code: 3, last_words, .. } if last_words == "writing")
    );
    fake.plan(|plan| plan.exit_code = None);
    let cut = node
        .upgrade("x", &mut |_| {})
        .await
        .expect_err("no exit code");
    assert!(matches!(cut, TalosError::Unexpected { .. }), "{cut}");
    fake.plan(|plan| plan.lifecycle = false);
    let path = node.upgrade("x", &mut |_| {}).await.expect("acknowledged");
    assert_eq!(path, UpgradePath::RebootsItself);
}

#[tokio::test]
async fn etcd_is_changed_and_saved_through_a_node() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let node = client().node(fake.address, &free()).await.expect("a node");
    node.etcd_remove_member(MemberId(u64::MAX))
        .await
        .expect("removed");
    assert_eq!(fake.seen(|seen| seen.removed), Some(u64::MAX));
    assert_eq!(
        node.etcd_forfeit_leadership()
            .await
            .expect("moved")
            .as_deref(),
        Some("alpha-cp-02")
    );
    node.etcd_leave().await.expect("left");
    let mut file = Vec::new();
    let snapshot = node.etcd_snapshot(&mut file).await.expect("saved");
    assert_eq!(snapshot.bytes, 512 + 32);
    assert_eq!(file.len(), 512 + 32);
    fake.plan(|plan| plan.damage_snapshot = true);
    let damaged = node.etcd_snapshot(&mut Vec::new()).await;
    assert!(matches!(
        damaged,
        Err(SnapshotError::Damaged { bytes: 544 })
    ));
}

#[tokio::test]
async fn resets_name_what_they_wipe() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let node = client().node(fake.address, &free()).await.expect("a node");
    let mut reset = Reset {
        graceful: true,
        reboot: false,
        partitions: Vec::new(),
    };
    assert!(node.reset(&reset).await.is_err());
    assert!(!fake.calls().contains(&"Reset".to_owned()));
    reset.partitions = vec!["STATE".to_owned(), "EPHEMERAL".to_owned()];
    node.reset(&reset).await.expect("accepted");
    assert_eq!(fake.seen(|seen| seen.wiped.clone()), ["STATE", "EPHEMERAL"]);
    node.shutdown(true).await.expect("accepted");
}

#[tokio::test]
async fn disks_are_listed() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let node = client().node(fake.address, &free()).await.expect("a node");
    let disks = node.disks().await.expect("disks");
    assert_eq!(disks[0].device, "/dev/xvda");
    assert!(disks[0].is_system && !disks[0].is_readonly);
    assert!(disks[1].is_readonly);
}

#[tokio::test]
async fn errors_inside_a_reply_are_errors() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let node = client().node(fake.address, &free()).await.expect("a node");
    fake.plan(|plan| plan.inner_error = true);
    let error = node.version().await.expect_err("an error inside");
    assert!(
        error.to_string().contains("the other node is down"),
        "{error}"
    );
}

#[tokio::test]
async fn a_call_that_hangs_ends_at_its_deadline_and_at_interruption() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    fake.plan(|plan| plan.hang = true);
    let clock = ManualClock::leaping(SystemTime::now());
    let client = TalosClient::new(
        pki(),
        TalosRole::Admin,
        Dialer::direct(),
        std::sync::Arc::new(clock),
    );
    let node = client.node(fake.address, &free()).await.expect("a node");
    let error = node.version().await.expect_err("it hangs");
    assert!(
        matches!(error, TalosError::Deadline { rpc: "Version", .. }),
        "{error}"
    );
    assert!(error.is_passing());
    let cancel = free();
    let node = self::client()
        .node(fake.address, &cancel)
        .await
        .expect("a node");
    cancel.cancel();
    assert!(matches!(node.version().await, Err(TalosError::Cancelled)));
}

#[tokio::test]
async fn a_connection_that_broke_is_passing_and_is_not_made_again_behind_our_back() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let node = client().node(fake.address, &free()).await.expect("a node");
    node.version().await.expect("a version");
    fake.stop().await;
    let error = node.version().await.expect_err("gone");
    assert!(error.is_passing(), "{error:?}");
}

#[tokio::test]
async fn the_role_of_the_certificate_is_the_one_asked_for() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    let reader = TalosClient::new(
        pki(),
        TalosRole::Reader,
        Dialer::direct(),
        SystemClock::shared(),
    );
    let node = reader.node(fake.address, &free()).await.expect("a node");
    node.version().await.expect("a version");
    assert_eq!(fake.seen(|seen| seen.role.clone()), "O=os:reader");
}

#[tokio::test]
async fn certificates_live_for_minutes_and_are_minted_again_in_time() {
    let fake = FakeNode::start(address(), Plan::default(), Door::ours()).await;
    // The fake checks them by the machine's clock: ours starts behind it.
    let clock = ManualClock::standing(SystemTime::now() - Duration::from_mins(11));
    let client = TalosClient::new(
        pki(),
        TalosRole::Operator,
        Dialer::direct(),
        std::sync::Arc::new(clock.clone()),
    );
    let mut serials = Vec::new();
    for minutes in [0, 9, 2] {
        clock.advance(Duration::from_mins(minutes));
        let node = client.node(fake.address, &free()).await.expect("a node");
        node.version().await.expect("a version");
        serials.push(fake.seen(|seen| seen.serial.clone()));
    }
    assert_eq!(serials[0], serials[1]);
    assert_ne!(serials[1], serials[2]);
}
