//! Lines of the protocol's conformance list that need a client of their own.

use core_client::{Core, Error, Identity, Launch, Process, TlsVersion, UNKNOWN, connect_with};
use proto_plugin::health::{HealthCheckRequest, health_client::HealthClient};
use serde_json::json;
use tempfile::TempDir;

const CORNER: &str = env!("CARGO_BIN_EXE_terraform-provider-corner");
const THING: &str = "corner_thing";

async fn start() -> (Core, TempDir) {
    let mut core = Core::start(&Launch::new(CORNER)).await.expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    let configured = core.configure(&json!({ "directory": dir.path() })).await;
    configured.expect("it is configured");
    (core, dir)
}

fn noted(dir: &TempDir, name: &str) -> String {
    std::fs::read_to_string(dir.path().join(name)).unwrap_or_default()
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

#[cfg(unix)]
#[tokio::test]
async fn the_socket_is_given_to_the_group_that_is_asked_for() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let dir = tempfile::tempdir().expect("a directory");
    let group = std::fs::metadata(dir.path()).expect("readable").gid();
    let launch = Launch::new(CORNER)
        .env("PLUGIN_UNIX_SOCKET_DIR", dir.path())
        .env("PLUGIN_UNIX_SOCKET_GROUP", group.to_string());
    let mut command = launch.command();
    let mut child = command.spawn().expect("it starts");
    let mut seen = None;
    for _ in 0..500 {
        let mut entries = std::fs::read_dir(dir.path()).expect("readable").flatten();
        let file = entries.next().and_then(|entry| entry.metadata().ok());
        if let Some(file) = file.filter(|file| file.permissions().mode() & 0o777 == 0o660) {
            seen = Some(file.gid());
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(seen, Some(group), "a file that owner and group may use");
    child.kill().await.expect("it ends");
}

#[tokio::test]
async fn provider_meta_reaches_every_call_that_carries_it() {
    let (mut core, dir) = start().await;
    core.provider_meta = json!({ "module": "network" });
    let config = json!({ "name": "m", "content": "c" });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    assert_eq!(noted(&dir, "meta-plan"), "network");
    let made = core.apply(&plan).await.expect("it applies");
    let made = made.instance.expect("made");
    assert_eq!(noted(&dir, "meta-create"), "network");
    let read = core.refresh(THING, &made).await.expect("it reads");
    assert_eq!(noted(&dir, "meta-read"), "network");
    core.provider_meta = json!({ "module": "other" });
    let changed = json!({ "name": "m", "content": "d" });
    let plan = core.plan(THING, read.as_ref(), &changed).await;
    let made = core
        .apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    assert_eq!(noted(&dir, "meta-update"), "other");
    let data = core
        .read_data("corner_content", &json!({ "name": "m" }))
        .await;
    data.expect("it reads");
    assert_eq!(noted(&dir, "meta-data"), "other");
    let plan = core.plan(THING, made.instance.as_ref(), &json!(null)).await;
    core.apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    assert_eq!(noted(&dir, "meta-delete"), "other");
}

#[tokio::test]
async fn modules_without_provider_meta_are_served() {
    let (mut core, dir) = start().await;
    let plan = core.plan(THING, None, &json!({ "name": "m" })).await;
    core.apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    assert_eq!(noted(&dir, "meta-plan"), "");
}

#[tokio::test]
async fn a_lease_is_opened_renewed_as_often_as_it_asks_and_closed() {
    let (mut core, dir) = start().await;
    let lease = "corner_lease";
    let config = json!({ "name": "l", "seconds": 60 });
    let before = now();
    let (result, opened, renew_at) = core.open(lease, &config).await.expect("it opens");
    assert_eq!(result.to_json()["token"], json!("token-l"));
    let renew_at = renew_at.expect("it asks to be renewed");
    assert!((before + 59..=now() + 61).contains(&renew_at));
    let (again, renewed) = core.renew(lease, opened.clone()).await.expect("it renews");
    assert!(again.is_some());
    assert_eq!(noted(&dir, "lease-l"), "renewed 1");
    // Renew gets the private bytes of the renewal before.
    let (again, _) = core.renew(lease, renewed).await.expect("it renews");
    assert_eq!(again, None, "it is not renewed any more");
    assert_eq!(noted(&dir, "lease-l"), "renewed 2");
    // Close gets those of the opening.
    core.close(lease, opened).await.expect("it closes");
    assert_eq!(noted(&dir, "lease-l"), "closed");

    let config = json!({ "name": "expired", "seconds": 1 });
    let (_, opened, _) = core.open(lease, &config).await.expect("it opens");
    let refused = core.renew(lease, opened.clone()).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("lease expired")));
    // What was opened is closed also after an interrupt.
    core.stop().await.expect("it stops");
    core.close(lease, opened).await.expect("it closes");
    assert_eq!(noted(&dir, "lease-expired"), "closed");
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
}

#[tokio::test]
async fn identities_of_every_version_are_read() {
    let (mut core, _dir) = start().await;
    assert_eq!(core.schemas.identity_versions[THING], 1);
    for (version, stored) in [(0, json!({ "thing": "a" })), (1, json!({ "name": "a" }))] {
        let identity = core.upgrade_identity(THING, version, &stored).await;
        assert_eq!(
            identity.expect("it is read").to_json(),
            json!({ "name": "a" })
        );
    }
    for (version, stored) in [
        (0, json!({ "other": "a" })),
        (7, json!({ "thing": "a" })),
        (1, json!([])),
    ] {
        let refused = core.upgrade_identity(THING, version, &stored).await;
        assert!(refused.is_err(), "version {version}: {stored}");
    }
}

/// Half of core's own lists of what it must not find: a value of a write-only attribute, anywhere.
#[tokio::test]
async fn write_only_values_are_in_no_answer() {
    let (mut core, _dir) = start().await;
    let config = json!({ "name": "w", "secret_wo": "swordfish", "secret_wo_version": 1 });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    let made = core.apply(&plan).await.expect("it applies");
    let made = made.instance.expect("made");
    let read = core.refresh(THING, &made).await.expect("it reads");
    let read = read.expect("there");
    let generated = core
        .generate_config(THING, &read.state)
        .await
        .expect("made");
    for (what, text) in [
        ("plan", plan.planned.to_json().to_string()),
        ("state", made.state.to_json().to_string()),
        ("refreshed state", read.state.to_json().to_string()),
        ("generated configuration", generated.to_json().to_string()),
        (
            "planned private data",
            String::from_utf8_lossy(&plan.private).into_owned(),
        ),
        (
            "private data",
            String::from_utf8_lossy(&made.private).into_owned(),
        ),
    ] {
        assert!(!text.contains("swordfish"), "{what}: {text}");
    }
    // It was seen all the same: its length is in the private data.
    assert!(String::from_utf8_lossy(&made.private).contains("secret_length"));
}

#[tokio::test]
async fn actions_and_lists_are_ended_when_nobody_listens() {
    let (mut core, dir) = start().await;
    let plan = core.plan(THING, None, &json!({ "name": "a" })).await;
    core.apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    let mut other = core.clone_connection();
    let endless = json!({ "endless": true });
    let query = core_client::Query {
        include_resource: false,
        limit: i64::MAX,
    };
    let listing = other.list(THING, &endless, query);
    let abandoned = tokio::time::timeout(std::time::Duration::from_millis(300), listing).await;
    assert!(abandoned.is_err(), "it has no end of its own");
    for _ in 0..200 {
        if dir.path().join("list-ended").exists() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the handler was not told that its caller is gone");
}

/// A provider configured from what is not applied yet: nothing is asked with a guess.
#[tokio::test]
async fn an_unknown_provider_block_keeps_state_and_puts_off_what_needs_an_answer() {
    let (mut core, _dir) = start().await;
    let config = json!({ "name": "u", "content": "c" });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    let made = core.apply(&plan).await.expect("it applies");
    let made = made.instance.expect("made");
    let mut core = Core::start(&Launch::new(CORNER)).await.expect("it starts");
    core.configure(&json!({ "directory": UNKNOWN }))
        .await
        .expect("unknown values are no reason to refuse");
    for allowed in [false, true] {
        core.capabilities.deferral_allowed = allowed;
        let read = core.refresh(THING, &made).await.expect("it keeps");
        assert_eq!(read.as_ref(), Some(&made));
        let plan = core.plan(THING, read.as_ref(), &config).await;
        assert!(!plan.expect("it plans").deferred);
        let put_off = [
            core.import(THING, Ok("u")).await.map(drop),
            core.read_data("corner_content", &json!({ "name": "u" }))
                .await
                .map(drop),
            core.invoke("corner_count", &json!({ "to": 1 }))
                .await
                .map(drop),
        ];
        for (answer, what) in put_off.iter().zip(["import", "data source", "action"]) {
            let deferred = matches!(answer, Err(Error::Deferred { .. }));
            assert_eq!(deferred, allowed, "{what}: {answer:?}");
            // Of an import nothing but an answer may remain: no half-empty state.
            assert!(what != "import" || answer.is_err(), "{answer:?}");
        }
    }
}

/// A refresh that fails says so; that something is gone needs certainty.
#[tokio::test]
async fn a_failing_refresh_is_an_error_and_never_absence() {
    let (mut core, dir) = start().await;
    let plan = core.plan(THING, None, &json!({ "name": "f" })).await;
    let made = core
        .apply(&plan.expect("it plans"))
        .await
        .expect("it applies");
    let made = made.instance.expect("made");
    let file = dir.path().join("f");
    std::fs::remove_file(&file).expect("there");
    std::fs::create_dir(&file).expect("something that is no file");
    let refused = core.refresh(THING, &made).await;
    let Err(Error::Diagnostics { diagnostics, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        diagnostics
            .iter()
            .any(|one| one.summary == "file not accessible")
    );
    std::fs::remove_dir(&file).expect("there");
    assert_eq!(core.refresh(THING, &made).await.expect("it reads"), None);
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
    let silent =
        tokio::time::timeout(std::time::Duration::from_millis(100), stream.message()).await;
    assert!(silent.is_err());
    let (status, _, _) = process
        .shutdown()
        .await
        .expect("an open stream holds nothing up");
    assert!(status.success());
}

/// go-plugin takes a line for JSON only if its time has six digits; it tears lines above 64 KiB apart.
#[tokio::test]
async fn log_lines_keep_go_plugins_form() {
    let launch = Launch::new(CORNER).env("TF_LOG_PROVIDER", "trace");
    let mut core = Core::start(&launch).await.expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    let configured = core.configure(&json!({ "directory": dir.path() })).await;
    configured.expect("it is configured");
    let config = json!({ "name": "l", "secret_wo": "x".repeat(200_000) });
    let plan = core.plan(THING, None, &config).await.expect("it plans");
    core.apply(&plan).await.expect("it applies");
    let process = core.process.take().expect("it was started");
    drop(core);
    let (_, log, _) = process.shutdown().await.expect("it ends");
    assert!(
        log.contains("\"password\":\"xxx"),
        "the long value is logged"
    );
    for line in log.lines() {
        assert!(line.len() < 64 << 10, "{} bytes", line.len());
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let time = record["@timestamp"].as_str().expect("a text");
        let (_, fraction) = time.split_once('.').expect("a fraction");
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        assert_eq!(digits, 6, "{time}");
        let level = record["@level"].as_str().expect("a text");
        assert!(
            ["trace", "debug", "info", "warn", "error"].contains(&level),
            "{level}"
        );
    }
}
