//! How a provider and its caller find each other.

use std::io::Read as _;
use std::process::{Command, Stdio};

use core_client::{Identity, Launch, MAGIC_COOKIE, Process, TlsVersion, connect, connect_with};
use proto_plugin::health::{HealthCheckRequest, health_client::HealthClient};

use crate::bench::CORNER;
use crate::process::{healthy, signal};

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
    let given = ["5,6", "6,5", "6", "5", "", "none of them"].map(|text| Some(text.to_owned()));
    for versions in given.into_iter().chain([None]) {
        let mut launch = Launch::new(CORNER);
        launch.versions = versions;
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

/// The newest TLS that core speaks, and the oldest.
#[tokio::test]
async fn both_versions_of_tls_are_served_and_mutual() {
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let mut launch = Launch::new(CORNER);
        launch.tls_version = Some(version);
        let process = Process::launch(&launch).await.expect("it starts");
        let request = HealthCheckRequest {
            service: "plugin".to_owned(),
        };
        let answer = HealthClient::new(process.channel.clone())
            .check(request)
            .await;
        assert_eq!(
            answer.expect("it answers").get_ref().status,
            1,
            "{version:?}"
        );
    }
    // Over TCP, where the address stays open for others.
    let launch = Launch::new(CORNER).env("PLUGIN_UNIX_SOCKET_DIR", "/nowhere/at/all");
    let process = Process::launch(&launch).await.expect("it starts");
    let other = Identity::generate().expect("a certificate");
    for identity in [None, Some(&other)] {
        // In TLS 1.2 the refusal is part of the handshake.
        let refused = connect_with(&process.handshake, identity, Some(TlsVersion::V1_2)).await;
        assert!(refused.is_err());
    }
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

#[cfg(unix)]
#[tokio::test]
async fn the_socket_is_given_to_the_group_that_is_asked_for() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    let group = std::fs::metadata(dir.path()).expect("readable").gid();
    let by_number = group.to_string();
    let groups = std::fs::read_to_string("/etc/group").expect("readable");
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == by_number).then_some(name)
    });
    for group_name in [Some(by_number.as_str()), name].into_iter().flatten() {
        expect_group(dir.path(), group_name, group).await;
    }
}

/// Starts a provider for a group and looks at its socket.
#[cfg(unix)]
async fn expect_group(dir: &std::path::Path, name: &str, group: u32) {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let launch = Launch::new(CORNER)
        .env("PLUGIN_UNIX_SOCKET_DIR", dir)
        .env("PLUGIN_UNIX_SOCKET_GROUP", name);
    let mut command = launch.command();
    let mut child = command.spawn().expect("it starts");
    let mut seen = None;
    for _ in 0..500 {
        let mut entries = std::fs::read_dir(dir).expect("readable").flatten();
        let file = entries.next().and_then(|entry| entry.metadata().ok());
        if let Some(file) = file.filter(|file| file.permissions().mode() & 0o777 == 0o660) {
            seen = Some(file.gid());
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(
        seen,
        Some(group),
        "a file that owner and group may use: {name}"
    );
    child.kill().await.expect("it ends");
    for left in std::fs::read_dir(dir).expect("readable").flatten() {
        std::fs::remove_file(left.path()).expect("a killed process leaves it");
    }
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

/// The first free port of the range that the host names, or any where it names none.
#[tokio::test]
async fn tcp_keeps_to_the_ports_that_are_given() {
    // The listener that is kept makes the first port of the range a busy one.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let first = taken.local_addr().expect("an address").port();
    let last = first.saturating_add(50);
    for (low, high) in [(first, last), (0, 0)] {
        let launch = Launch::new(CORNER)
            .env("PLUGIN_UNIX_SOCKET_DIR", "/nowhere/at/all")
            .env("PLUGIN_MIN_PORT", low.to_string())
            .env("PLUGIN_MAX_PORT", high.to_string());
        let process = Process::launch(&launch).await.expect("it starts");
        let (_, port) = process.handshake.address.rsplit_once(':').expect("a port");
        let port: u16 = port.parse().expect("a port");
        assert_ne!(port, first);
        assert!(low == 0 || (low..=high).contains(&port), "{port}");
        assert!(healthy(process.channel.clone()).await);
    }
}
