//! What a provider writes on standard error.

use core_client::{Core, Launch, Process};
use proto_plugin::tfplugin6::{self as wire, provider_client::ProviderClient};
use serde_json::json;

use crate::bench::{CORNER, THING, full, make};
use crate::process::healthy;

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
    let made = core.apply(&plan).await.expect("it applies").instance;
    let read = core.refresh(THING, &made.expect("made")).await;
    read.expect("it reads");
    let process = core.process.take().expect("it was started");
    drop(core);
    let (_, log, _) = process.shutdown().await.expect("it ends");
    assert!(
        log.contains("\"password\":\"xxx"),
        "the long value is logged"
    );
    // Each line of a call tells which one it is, and about what.
    for told in [
        "\"tf_rpc\":\"read_resource\"",
        "\"tf_resource_type\":\"corner_thing\"",
        "\"tf_resource_id\":\"id-l\"",
    ] {
        assert!(
            log.lines()
                .any(|line| line.contains("read_resource") && line.contains(told)),
            "{told}"
        );
    }
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

#[tokio::test]
async fn secrets_are_in_no_log() {
    let launch = Launch::new(CORNER).env("TF_LOG_PROVIDER", "trace");
    let mut core = Core::start(&launch).await.expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    core.configure(&json!({ "directory": dir.path() }))
        .await
        .expect("it is configured");
    make(&mut core, &full()).await;
    let process = core.process.take().expect("it was started");
    drop(core);
    let (_, log, _) = process.shutdown().await.expect("it ends");
    assert!(log.contains("\"password\":\"***\""), "{log}");
    assert!(
        !log.contains("swordfish") && !log.contains("s3cret"),
        "{log}"
    );
}

/// One module may say more than the rest: core takes no such text for itself, so it goes into the provider's own variable.
#[tokio::test]
async fn a_module_may_have_a_level_of_its_own() {
    let module = "terraform_provider_corner::thing";
    let launch = Launch::new(CORNER)
        .env("TF_LOG_PROVIDER", "trace")
        .env("TF_LOG_PROVIDER_CORNER", format!("error,{module}=info"));
    let mut core = Core::start(&launch).await.expect("it starts");
    let dir = tempfile::tempdir().expect("a directory");
    let configured = core.configure(&json!({ "directory": dir.path() })).await;
    configured.expect("it is configured");
    make(&mut core, &json!({ "name": "l" })).await;
    let process = core.process.take().expect("it was started");
    drop(core);
    let (_, log, _) = process.shutdown().await.expect("it ends");
    assert!(log.contains("creating"), "{log}");
    for line in log.lines() {
        assert!(line.contains(&module.replace("::", ".")), "{line}");
    }
}
