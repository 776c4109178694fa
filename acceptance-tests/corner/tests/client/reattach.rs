//! The process is there before its callers.

use std::path::Path;
use std::process::{Command, Stdio};

use core_client::connect;

use crate::bench::CORNER;
use crate::process::signal;

/// A child that does not outlive a test that fails.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
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
