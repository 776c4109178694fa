//! The action that saves etcd, and its command for older versions of terraform.

use std::path::Path;
use std::time::{Duration, Instant};

use core_client::UNKNOWN;
use sandbox::gate::{Effect, Fault};
use serde_json::{Value as Json, json};
use suites::Result;
use tokio::io::AsyncWriteExt as _;

use crate::world::{CLUSTER, SNAPSHOT, World, cluster, handle};

/// Names of everything in a folder, hidden files included.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[tokio::test]
async fn etcd_is_saved_by_the_action_and_by_its_command() -> Result {
    let mut world = World::start().await?;
    let made = world.make(CLUSTER, &cluster("devone")).await?;
    let handle = handle(&made);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("etcd.db");
    let config =
        |overwrite: Json| json!({ "cluster": handle, "path": file, "overwrite": overwrite });

    // While the cloud's API is down.
    let fault = world
        .bench
        .admin()
        .fault(&Fault {
            path: Some("/compute/*".to_owned()),
            ..Fault::new(Effect::Refuse)
        })
        .await?;
    let done = world.core.invoke(SNAPSHOT, &config(Json::Null)).await?;
    assert!(!done.failed(), "{:?}", done.diagnostics);
    world.bench.admin().remove_fault(fault).await?;
    let last = done.progress.last().ok_or("no progress")?;
    assert!(
        done.progress[0].contains("reading etcd from 10.20.0."),
        "{:?}",
        done.progress
    );
    let bytes = std::fs::read(&file)?;
    assert!(
        last.contains(&format!("{} bytes, sha256 ", bytes.len())),
        "{last}"
    );
    assert_eq!(names(folder.path())?, ["etcd.db"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            std::fs::metadata(&file)?.permissions().mode() & 0o777,
            0o600
        );
    }

    // A file that is there is not replaced unless that is asked for.
    let refused = world.core.invoke(SNAPSHOT, &config(json!(false))).await?;
    assert!(
        refused
            .diagnostics
            .iter()
            .any(|one| one.error && one.path == "path"),
        "{refused:?}"
    );
    let done = world.core.invoke(SNAPSHOT, &config(json!(true))).await?;
    assert!(!done.failed(), "{:?}", done.diagnostics);
    let missing = folder.path().join("nowhere/etcd.db");
    let refused = world
        .core
        .invoke(SNAPSHOT, &json!({ "cluster": handle, "path": missing }))
        .await?;
    assert!(
        refused
            .diagnostics
            .iter()
            .any(|one| one.error && one.path == "path"),
        "{refused:?}"
    );
    // At a plan the handle of a cluster that is yet to be made is unknown: nothing is wrong with that.
    let unknown = json!({ "cluster": UNKNOWN, "path": "etcd.db" });
    let refused = world.core.invoke(SNAPSHOT, &unknown).await?;
    assert!(refused.failed());

    // The command for older versions of terraform.
    let by_command = folder.path().join("by-command.db");
    let mut child = tokio::process::Command::new(world.bench.provider())
        .args(["etcd-snapshot", "--path"])
        .arg(&by_command)
        .envs(world.bench.cloud.environment())
        .env("MANAGEDK8S_KEY", &world.bench.key)
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    stdin.write_all(handle.to_string().as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("sha256"), "{said}");
    assert_eq!(std::fs::read(&by_command)?.len(), bytes.len());

    // An interrupt ends it soon and leaves nothing behind.
    let hang = Fault {
        path: Some("*EtcdSnapshot*".to_owned()),
        ..Fault::new(Effect::Hang { milliseconds: None })
    };
    world.bench.admin().fault(&hang).await?;
    let began = Instant::now();
    let mut second = world.core.clone_connection();
    let aborted = folder.path().join("aborted.db");
    let config = json!({ "cluster": handle, "path": aborted });
    let (begin, begun) = tokio::sync::oneshot::channel();
    let mut begin = Some(begin);
    let run = second.invoke_watched(SNAPSHOT, &config, |_| {
        if let Some(begin) = begin.take() {
            let _ = begin.send(());
        }
    });
    let stop = async {
        begun.await?;
        world.core.stop().await?;
        Result::Ok(())
    };
    let (ran, stopped) = tokio::join!(run, stop);
    stopped?;
    assert!(ran?.failed());
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(names(folder.path())?, ["by-command.db", "etcd.db"]);
    Ok(())
}
