//! What a hand left half done, the other one brings to an end.

use std::time::Duration;

use helm::release::{Options, ReleaseId, Status};
use serde_json::json;
use suites::Result;

use crate::bed::{Bed, options};

fn id() -> ReleaseId {
    ReleaseId::new("apps", "site")
}

/// Nobody waits five minutes for a process that the test has killed.
fn impatient() -> Options {
    Options {
        takeover_after: Duration::from_secs(1),
        ..options()
    }
}

/// A hook that fails fails the revision, whoever ran it; whoever comes next repairs it.
pub async fn hooks(bed: &Bed) -> Result {
    let id = id();
    bed.deploy(&id, json!({}), &options()).await?;
    let told = bed
        .not_deployed(&id, json!({ "hook": "fail", "size": 2 }), &options())
        .await?;
    assert!(told.contains("site-hook"), "{told}");
    let status = bed.told(&["status", "site"]).await?;
    assert_eq!(status["info"]["status"], "failed", "{status}");
    assert_eq!(bed.data("site").await?["size"], "1", "the hook came first");
    bed.theirs("upgrade", "site", "size=3", &["--wait"]).await?;
    let chart = bed.chart_path();
    let told = bed
        .refused(&["upgrade", "site", &chart, "--set", "hook=fail,size=4"])
        .await?;
    assert!(told.contains("pre-upgrade hooks failed"), "{told}");
    bed.deploy(&id, json!({ "size": 5 }), &options()).await?;
    assert_eq!(
        bed.history(&id).await?,
        [
            "1 superseded",
            "2 failed",
            "3 superseded",
            "4 failed",
            "5 deployed"
        ]
    );
    // A first revision that fails: the name is taken by it, and the next deployment goes on.
    bed.helm(&["uninstall", "site", "--wait"]).await?;
    bed.not_deployed(&id, json!({ "hook": "fail" }), &options())
        .await?;
    bed.theirs("upgrade", "site", "size=6", &["--install", "--wait"])
        .await?;
    assert_eq!(bed.history(&id).await?, ["1 superseded", "2 deployed"]);
    bed.helm(&["uninstall", "site", "--wait"]).await?;
    bed.kubectl(&["delete", "job", "site-hook", "--ignore-not-found"])
        .await?;
    bed.expect_nothing().await
}

/// Helm dies in the middle of an installation, and of an upgrade.
pub async fn theirs_killed(bed: &Bed) -> Result {
    let id = id();
    bed.kubectl(&["create", "namespace", "apps"]).await?;
    bed.killed("install", &id, "hook=hang", &Status::PendingInstall)
        .await?;
    // While it may be alive it is waited for.
    let patient = Options {
        timeout: Duration::from_secs(1),
        ..options()
    };
    let told = bed.not_deployed(&id, json!({}), &patient).await?;
    assert!(told.contains("pending-install"), "{told}");
    bed.deploy(&id, json!({ "size": 1 }), &impatient()).await?;
    assert_eq!(bed.history(&id).await?, ["1 superseded", "2 deployed"]);
    bed.killed("upgrade", &id, "hook=hang", &Status::PendingUpgrade)
        .await?;
    bed.deploy(&id, json!({ "size": 2 }), &impatient()).await?;
    assert_eq!(bed.data("site").await?, json!({ "size": "2" }));
    assert_eq!(
        bed.history(&id).await?,
        ["1 superseded", "2 superseded", "3 failed", "4 deployed"]
    );
    // And back, past what was killed.
    bed.killed("upgrade", &id, "hook=hang", &Status::PendingUpgrade)
        .await?;
    bed.releases
        .rollback(&id, Some(2), &impatient(), &bed.cancel)
        .await
        .map_err(|error| error.chain())?;
    assert_eq!(bed.data("site").await?["size"], "1");
    bed.killed("upgrade", &id, "hook=hang", &Status::PendingUpgrade)
        .await?;
    bed.helm(&["uninstall", "site", "--wait"]).await?;
    bed.kubectl(&["delete", "job", "site-hook", "--ignore-not-found"])
        .await?;
    bed.expect_nothing().await
}

/// Ours dies: helm shows what was going on, refuses what it always refuses, and goes on as its users do.
pub async fn ours_killed(bed: &Bed) -> Result {
    let id = id();
    // A process that is gone writes nothing more: so does a future that is dropped.
    let killed = async |status: Status| -> Result {
        let options = options();
        tokio::select! {
            done = bed.deploy(&id, json!({ "hook": "hang", "size": 9 }), &options) => {
                Err(format!("it ended: {:?}", done.map(|release| release.revision)).into())
            }
            seen = bed.until_status(&id, &status) => seen,
        }
    };
    killed(Status::PendingInstall).await?;
    let list = bed.told(&["list", "--pending"]).await?;
    assert_eq!(list[0]["status"], "pending-install", "{list}");
    bed.helm(&["uninstall", "site", "--wait"]).await?;
    bed.deploy(&id, json!({ "size": 1 }), &options()).await?;
    killed(Status::PendingUpgrade).await?;
    let chart = bed.chart_path();
    let told = bed.refused(&["upgrade", "site", &chart]).await?;
    assert!(told.contains("another operation"), "{told}");
    bed.helm(&["rollback", "site", "1", "--wait"]).await?;
    assert_eq!(bed.data("site").await?["size"], "1");
    bed.theirs("upgrade", "site", "size=4", &["--wait"]).await?;
    assert_eq!(bed.data("site").await?, json!({ "size": "4" }));
    // Ours recovers its own as well.
    killed(Status::PendingUpgrade).await?;
    bed.deploy(&id, json!({ "size": 6 }), &impatient()).await?;
    assert_eq!(bed.data("site").await?, json!({ "size": "6" }));
    bed.helm(&["uninstall", "site", "--wait"]).await?;
    bed.kubectl(&["delete", "job", "site-hook", "--ignore-not-found"])
        .await?;
    bed.expect_nothing().await
}
