//! The life of a provider process, as go-plugin sees it.

use std::process::Command;
use std::time::{Duration, Instant};

use core_client::{Launch, Process};
use proto_plugin::health::{HealthCheckRequest, health_client::HealthClient};
use proto_plugin::plugin::grpc_stdio_client::GrpcStdioClient;
use proto_plugin::tfplugin6::{self as wire, provider_client::ProviderClient};

use serde_json::json;

use crate::bench::{CORNER, THING, start};

pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .expect("kill can be run");
    assert!(status.success());
}

pub async fn healthy(channel: tonic::transport::Channel) -> bool {
    let request = HealthCheckRequest {
        service: "plugin".to_owned(),
    };
    let answer = HealthClient::new(channel).check(request).await;
    answer.is_ok_and(|answer| answer.get_ref().status == 1)
}

async fn gone_within(process: &mut Process, limit: Duration) -> std::process::ExitStatus {
    tokio::time::timeout(limit, process.child.wait())
        .await
        .expect("the process ends in time")
        .expect("it can be waited for")
}

#[tokio::test]
async fn shutdown_takes_no_time() {
    let process = Process::launch(&Launch::new(CORNER))
        .await
        .expect("it starts");
    let mut stdio = GrpcStdioClient::new(process.channel.clone());
    let mut stream = stdio
        .stream_stdio(())
        .await
        .expect("it is served")
        .into_inner();
    let silent = tokio::time::timeout(Duration::from_millis(100), stream.message()).await;
    assert!(silent.is_err(), "the stream is open and says nothing");
    let start = Instant::now();
    let (status, _, _) = process.shutdown().await.expect("it ends");
    assert!(status.success());
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
}

/// Core opens the broker's stream and brokers nothing.
#[tokio::test]
async fn the_broker_is_served_and_silent() {
    use proto_plugin::plugin::{ConnInfo, grpc_broker_client::GrpcBrokerClient};
    let process = Process::launch(&Launch::new(CORNER))
        .await
        .expect("it starts");
    let mut broker = GrpcBrokerClient::new(process.channel.clone());
    let nothing = tokio_stream::pending::<ConnInfo>();
    let stream = broker.start_stream(nothing).await.expect("it is served");
    let mut stream = stream.into_inner();
    let silent = tokio::time::timeout(Duration::from_millis(100), stream.message()).await;
    assert!(silent.is_err());
    let (status, _, _) = process
        .shutdown()
        .await
        .expect("an open stream holds nothing up");
    assert!(status.success());
}

#[tokio::test]
async fn sigint_is_swallowed_and_sigterm_is_not() {
    let mut process = Process::launch(&Launch::new(CORNER))
        .await
        .expect("it starts");
    let pid = process.child.id().expect("it runs");
    for _ in 0..10 {
        signal(pid, "INT");
    }
    assert!(healthy(process.channel.clone()).await);
    signal(pid, "TERM");
    gone_within(&mut process, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_lost_connection_ends_the_process() {
    let Process {
        mut child, channel, ..
    } = Process::launch(&Launch::new(CORNER))
        .await
        .expect("it starts");
    drop(channel);
    let status = tokio::time::timeout(Duration::from_secs(3), child.wait())
        .await
        .expect("it ends in time")
        .expect("it can be waited for");
    assert!(status.success());
}

/// The host dies while something is being made: the work is cancelled, has its end in order, and the process goes.
#[tokio::test]
async fn a_lost_connection_cancels_work_in_flight() {
    let (mut core, dir) = start().await;
    let config = json!({ "name": "slow", "behaviour": "slow" });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    let Process {
        mut child, channel, ..
    } = core.process.take().expect("it was started");
    let work = async {
        let _ = core.apply(&plan).await;
    };
    let begun = async {
        while !dir.path().join("slow").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = work => panic!("it takes a minute"),
        () = begun => {}
    }
    drop((core, channel));
    let status = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
    assert!(
        status
            .expect("it ends in time")
            .expect("it can be waited for")
            .success()
    );
    assert!(dir.path().join("meta-cancelled-slow").exists());
}

#[tokio::test]
async fn large_messages_pass() {
    let process = Process::launch(&Launch::new(CORNER))
        .await
        .expect("it starts");
    let mut client = ProviderClient::new(process.channel.clone())
        .max_decoding_message_size(256 << 20)
        .max_encoding_message_size(256 << 20);
    let text = "x".repeat(100 << 20);
    let json = format!("{{\"content\":\"{text}\"}}");
    let request = wire::upgrade_resource_state::Request {
        type_name: "corner_thing".to_owned(),
        version: 2,
        raw_state: Some(wire::RawState {
            json: json.into(),
            ..Default::default()
        }),
    };
    let answer = client
        .upgrade_resource_state(request)
        .await
        .expect("it passes")
        .into_inner();
    assert_eq!(answer.diagnostics, []);
    let state = answer.upgraded_state.expect("a state");
    assert!(state.msgpack.len() > 100 << 20);
}

/// The time that a process has had of a processor, whatever else the machine does.
fn busy(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("readable");
    let of = |thread: std::fs::DirEntry| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(threads.flatten().filter_map(of).sum())
}

/// The best of several starts: a slow one is the machine's, a slow best is ours. The crypto
/// library's own entropy alone would take 37 ms.
#[tokio::test]
async fn a_start_is_quick_and_small() {
    let mut best = Duration::MAX;
    let mut resident = u64::MAX;
    for _ in 0..10 {
        let process = Process::launch(&Launch::new(CORNER))
            .await
            .expect("it starts");
        let pid = process.child.id().expect("it runs");
        best = best.min(busy(pid));
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("readable");
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().split(' ').next()?.parse().ok())
            .expect("a figure");
        resident = resident.min(kib);
    }
    assert!(best < Duration::from_millis(35), "{best:?}");
    assert!(resident < 24 << 10, "{resident} KiB");
}
