//! The life of a provider process, as go-plugin sees it.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use core_client::{Identity, Launch, MAGIC_COOKIE, Process, connect};
use proto_plugin::health::{HealthCheckRequest, health_client::HealthClient};
use proto_plugin::plugin::grpc_stdio_client::GrpcStdioClient;
use proto_plugin::tfplugin6::{self as wire, provider_client::ProviderClient};

const CORNER: &str = env!("CARGO_BIN_EXE_terraform-provider-corner");

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .expect("kill can be run");
    assert!(status.success());
}

/// A child that does not outlive a test that fails.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn healthy(channel: tonic::transport::Channel) -> bool {
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

#[test]
fn without_the_cookie_it_says_what_it_is() {
    let output = Command::new(CORNER)
        .env_remove("TF_PLUGIN_MAGIC_COOKIE")
        .output()
        .expect("it starts");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("Terraform"), "{text}");
}

#[tokio::test]
async fn the_handshake_line_has_six_fields_whatever_the_versions() {
    for versions in ["5,6", "6,5", "6", "5", "", "none of them"] {
        let mut launch = Launch::new(CORNER);
        versions.clone_into(&mut launch.versions);
        let process = Process::launch(&launch).await.expect("it starts");
        let line = process.handshake.line.trim_end().to_owned();
        assert!(line.starts_with("1|6|unix|/"), "{line}");
        assert_eq!(line.split('|').count(), 6);
        let (status, _, stdout) = process.shutdown().await.expect("it ends");
        assert!(status.success());
        assert_eq!(stdout, "", "standard output carries the handshake alone");
    }
    let mut launch = Launch::new(CORNER);
    launch.multiplex = true;
    let process = Process::launch(&launch).await.expect("it starts");
    assert_eq!(
        process.handshake.multiplex.as_deref().map(str::trim),
        Some("false")
    );
}

#[tokio::test]
async fn without_a_certificate_it_speaks_plain_http2() {
    let mut launch = Launch::new(CORNER);
    launch.tls = false;
    let process = Process::launch(&launch).await.expect("it starts");
    assert_eq!(process.handshake.certificate, None);
    assert!(healthy(process.channel.clone()).await);
}

#[tokio::test]
async fn only_the_holder_of_the_certificate_may_connect() {
    // Over TCP, where the address stays open for others.
    let launch = Launch::new(CORNER).env("PLUGIN_UNIX_SOCKET_DIR", "/nowhere/at/all");
    let process = Process::launch(&launch).await.expect("it starts");
    assert_eq!(process.handshake.network, "tcp");
    let port: u16 = process
        .handshake
        .address
        .strip_prefix("127.0.0.1:")
        .and_then(|port| port.parse().ok())
        .expect("a port of the loopback address");
    assert!((10_000..=25_000).contains(&port));
    assert!(healthy(process.channel.clone()).await);
    let other = Identity::generate().expect("a certificate");
    for identity in [None, Some(&other)] {
        // TLS 1.3 lets the client believe in its connection until it first reads.
        let refused = match connect(&process.handshake, identity).await {
            Ok(channel) => !healthy(channel).await,
            Err(_) => true,
        };
        assert!(refused);
    }
    assert!(
        healthy(process.channel.clone()).await,
        "others were refused without harm"
    );
}

#[tokio::test]
async fn the_socket_is_private_and_leaves_no_file_behind() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    // Nobody connects: the file is there and private.
    let mut child = Command::new(CORNER)
        .env("TF_PLUGIN_MAGIC_COOKIE", MAGIC_COOKIE)
        .env("PLUGIN_UNIX_SOCKET_DIR", dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    let mut byte = [0; 1];
    while byte != *b"\n" {
        stdout.read_exact(&mut byte).expect("a line");
    }
    let files: Vec<_> = std::fs::read_dir(dir.path())
        .expect("readable")
        .flatten()
        .collect();
    assert_eq!(files.len(), 1);
    let mode = files[0].metadata().expect("readable").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    signal(child.id(), "TERM");
    child.wait().expect("it ends");
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);

    // Connected: no death, however sudden, leaves a file.
    let launch = Launch::new(CORNER).env("PLUGIN_UNIX_SOCKET_DIR", dir.path());
    let mut process = Process::launch(&launch).await.expect("it starts");
    assert!(healthy(process.channel.clone()).await);
    process.child.kill().await.expect("it can be killed");
    assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
}

#[tokio::test]
async fn a_long_directory_falls_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let long = dir.path().join("d".repeat(120));
    std::fs::create_dir(&long).expect("a directory");
    let launch = Launch::new(CORNER).env("PLUGIN_UNIX_SOCKET_DIR", long.as_os_str());
    let process = Process::launch(&launch).await.expect("it starts");
    assert!(healthy(process.channel.clone()).await);
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

#[tokio::test]
async fn log_lines_are_json_and_hide_secrets() {
    let launch = Launch::new(CORNER).env("TF_LOG_PROVIDER", "trace");
    let process = Process::launch(&launch).await.expect("it starts");
    assert!(healthy(process.channel.clone()).await);
    let mut client = ProviderClient::new(process.channel.clone());
    client
        .stop_provider(wire::stop_provider::Request {})
        .await
        .expect("it is served");
    drop(client);
    let (_, stderr, _) = process.shutdown().await.expect("it ends");
    assert!(stderr.contains("tf_rpc"), "{stderr}");
    for line in stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for key in ["@level", "@message", "@timestamp", "@module"] {
            assert!(line[key].is_string(), "{line}");
        }
    }
}

#[tokio::test]
async fn reattached_configurations_do_not_mix() {
    use std::io::BufRead as _;
    let dirs = [
        tempfile::tempdir().expect("a"),
        tempfile::tempdir().expect("b"),
    ];
    let child = Command::new(CORNER)
        .arg("-debug")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut child = Killed(child);
    let stdout = std::io::BufReader::new(child.0.stdout.take().expect("it is piped"));
    let mut lines = stdout.lines();
    let line = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("TF_REATTACH_PROVIDERS="))
        .expect("the variable is printed");
    let json = line
        .trim()
        .trim_start_matches("TF_REATTACH_PROVIDERS='")
        .trim_end_matches('\'');
    let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let address = json["example.test/test/corner"]["Addr"]["String"]
        .as_str()
        .expect("an address");
    assert!(Path::new(address).exists());
    let handshake =
        core_client::Handshake::parse(&format!("1|6|unix|{address}|grpc|")).expect("a line");
    let mut cores = Vec::new();
    for dir in &dirs {
        let channel = connect(&handshake, None).await.expect("it listens");
        let mut core = core_client::Core::attach(channel).await.expect("it speaks");
        let config = serde_json::json!({ "directory": dir.path() });
        core.configure(&config).await.expect("it is configured");
        cores.push(core);
    }
    for (core, name) in cores.iter_mut().zip(["first", "second"]) {
        let config = serde_json::json!({ "name": name });
        let plan = core
            .plan("corner_thing", None, &config)
            .await
            .expect("it plans");
        assert!(!core.apply(&plan).await.expect("it applies").failed());
    }
    assert!(dirs[0].path().join("first").exists());
    assert!(dirs[1].path().join("second").exists());
    // One stops; the other goes on.
    cores[0].stop().await.expect("it stops");
    let refused = cores[0]
        .plan("corner_thing", None, &serde_json::json!({ "name": "x" }))
        .await;
    assert!(refused.is_err());
    let config = serde_json::json!({ "name": "third" });
    cores[1]
        .plan("corner_thing", None, &config)
        .await
        .expect("it still plans");
    drop(cores);
    signal(child.0.id(), "INT");
    child.0.wait().expect("it ends on Ctrl-C");
    assert!(!Path::new(address).exists(), "the socket is removed");
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
