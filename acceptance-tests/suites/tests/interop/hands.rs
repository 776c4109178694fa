//! A release changes hands while everything is well, and while a hand was on its objects.

use std::time::Duration;

use helm::release::{DriftOptions, Options, ReleaseId, Status, UninstallOptions};
use serde_json::json;
use suites::Result;

use crate::bed::{Bed, options};

pub async fn ours_then_theirs(bed: &Bed) -> Result {
    let id = ReleaseId::new("apps", "site");
    let made = bed.deploy(&id, json!({ "size": 1 }), &options()).await?;
    assert_eq!((made.revision, &made.info.status), (1, &Status::Deployed));
    // Each of helm's readers.
    let list = bed.told(&["list"]).await?;
    assert_eq!(list[0]["name"], "site");
    assert_eq!(list[0]["chart"], "web-1.2.3");
    assert_eq!(list[0]["app_version"], "4.5");
    let status = bed.told(&["status", "site"]).await?;
    assert_eq!(status["info"]["status"], "deployed", "{status}");
    assert_eq!(status["info"]["notes"], "hello site, revision 1\n");
    assert_eq!(
        bed.told(&["get", "values", "site"]).await?,
        json!({ "size": 1 })
    );
    let manifest = bed.helm(&["get", "manifest", "site"]).await?;
    assert!(
        manifest.contains("# Source: web/templates/all.yaml"),
        "{manifest}"
    );
    assert_eq!(manifest.trim_end(), made.manifest.trim_end());
    let hooks = bed.helm(&["get", "hooks", "site"]).await?;
    assert!(hooks.contains("site-hook"), "{hooks}");
    let metadata = bed.told(&["get", "metadata", "site"]).await?;
    assert_eq!(metadata["revision"], 1, "{metadata}");
    // Each of helm's writers.
    let chart = bed.chart_path();
    bed.helm(&[
        "upgrade",
        "site",
        &chart,
        "--set",
        "size=2",
        "--wait",
        "--timeout",
        "60s",
    ])
    .await?;
    assert_eq!(bed.data("site").await?, json!({ "size": "2" }));
    let third = bed.deploy(&id, json!({ "size": 3 }), &options()).await?;
    assert_eq!(third.revision, 3);
    bed.helm(&["rollback", "site", "1", "--wait", "--timeout", "60s"])
        .await?;
    assert_eq!(
        bed.data("site").await?,
        json!({ "size": "1", "only": "first" })
    );
    bed.releases
        .rollback(&id, Some(2), &options(), &bed.cancel)
        .await
        .map_err(|error| error.chain())?;
    assert_eq!(bed.data("site").await?, json!({ "size": "2" }));
    assert_eq!(
        bed.history(&id).await?,
        [
            "1 superseded",
            "2 superseded",
            "3 superseded",
            "4 superseded",
            "5 deployed"
        ]
    );
    bed.helm(&["uninstall", "site", "--wait", "--timeout", "60s"])
        .await?;
    bed.expect_nothing().await
}

pub async fn theirs_then_ours(bed: &Bed) -> Result {
    let chart = bed.chart_path();
    // Helm applies on the server by itself, and on the client when it is told to.
    for (name, side) in [
        ("served", "--server-side=true"),
        ("patched", "--server-side=false"),
    ] {
        let id = ReleaseId::new("apps", name);
        bed.helm(&[
            "install",
            name,
            &chart,
            side,
            "--create-namespace",
            "--wait",
            "--timeout",
            "60s",
        ])
        .await?;
        let found = bed.releases.last(&id, &bed.cancel).await?.ok_or("unseen")?;
        assert_eq!((found.revision, &found.info.status), (1, &Status::Deployed));
        let drift = bed
            .releases
            .drift(&found, &DriftOptions::default(), &bed.cancel)
            .await
            .map_err(|error| error.chain())?;
        assert!(drift.is_empty(), "{:?}", drift.compact());
        let second = bed.deploy(&id, json!({ "size": 7 }), &options()).await?;
        assert_eq!(second.revision, 2);
        assert_eq!(
            bed.data(name).await?,
            json!({ "size": "7" }),
            "{name}: what is no longer rendered goes"
        );
        bed.helm(&[
            "upgrade",
            name,
            &chart,
            "--set",
            "size=8",
            "--wait",
            "--timeout",
            "60s",
        ])
        .await?;
        bed.releases
            .rollback(&id, Some(1), &options(), &bed.cancel)
            .await
            .map_err(|error| error.chain())?;
        assert_eq!(
            bed.data(name).await?,
            json!({ "size": "1", "only": "first" })
        );
        assert_eq!(
            bed.history(&id).await?,
            ["1 superseded", "2 superseded", "3 superseded", "4 deployed"]
        );
        let uninstall = UninstallOptions {
            wait: true,
            timeout: Duration::from_mins(1),
            ..UninstallOptions::default()
        };
        bed.releases
            .uninstall(&id, &uninstall, &bed.cancel)
            .await
            .map_err(|error| error.chain())?;
    }
    bed.expect_nothing().await
}

pub async fn failures(bed: &Bed) -> Result {
    let id = ReleaseId::new("apps", "site");
    let good = bed.deploy(&id, json!({ "size": 1 }), &options()).await?;
    // A workload that never gets ready: both see the failure, and a way out of it.
    let short = Options {
        timeout: Duration::from_secs(4),
        ..options()
    };
    let told = bed
        .not_deployed(&id, json!({ "size": 2, "outcome": "crash" }), &short)
        .await?;
    assert!(told.contains("Deployment"), "{told}");
    assert_eq!(
        bed.told(&["status", "site"]).await?["info"]["status"],
        "failed"
    );
    bed.helm(&["rollback", "site", "1", "--wait", "--timeout", "60s"])
        .await?;
    assert_eq!(
        bed.history(&id).await?.last().map(String::as_str),
        Some("3 deployed")
    );
    // A hand on a field of the release is drift, with its name; a deployment stops at it until it may take it.
    bed.kubectl(&[
        "patch",
        "configmap",
        "site",
        "--type=merge",
        "--patch",
        r#"{"data":{"size":"99"}}"#,
        "--field-manager=somebody",
    ])
    .await?;
    let last = bed.releases.last(&id, &bed.cancel).await?.ok_or("unseen")?;
    let drift = bed
        .releases
        .drift(&last, &DriftOptions::default(), &bed.cancel)
        .await
        .map_err(|error| error.chain())?;
    let compact = format!("{:?}", drift.compact());
    assert!(
        compact.contains("somebody") && compact.contains("size"),
        "{compact}"
    );
    let told = bed
        .not_deployed(&id, json!({ "size": 5 }), &options())
        .await?;
    assert!(told.contains("somebody"), "{told}");
    let forced = Options {
        force_conflicts: true,
        ..options()
    };
    let forced = bed.deploy(&id, json!({ "size": 5 }), &forced).await?;
    assert_eq!(bed.data("site").await?, json!({ "size": "5" }));
    assert!(forced.revision > good.revision);
    // An object that is gone is drift too.
    bed.kubectl(&["delete", "configmap", "site"]).await?;
    let drift = bed
        .releases
        .drift(&forced, &DriftOptions::default(), &bed.cancel)
        .await
        .map_err(|error| error.chain())?;
    assert_eq!(drift.compact().len(), 1, "{:?}", drift.compact());
    bed.helm(&["uninstall", "site", "--wait", "--timeout", "60s"])
        .await?;
    bed.expect_nothing().await
}
