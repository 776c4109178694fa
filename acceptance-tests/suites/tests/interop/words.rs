//! What helm's readers say of a release does not tell whose it is.

use helm::release::{Phase, ReleaseId, Status};
use serde_json::{Value, json};
use suites::Result;

use crate::bed::{Bed, options};

/// Where ours and where theirs is.
const SPACES: [&str; 2] = ["space-a", "space-b"];

/// Fields of JSON that are times.
const TIMES: [&str; 9] = [
    "completed_at",
    "createdAt",
    "deployedAt",
    "first_deployed",
    "last_deployed",
    "modifiedAt",
    "modtime",
    "started_at",
    "updated",
];

fn without_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            // The live objects, which helm adds.
            map.remove("resources");
            for (name, value) in map.iter_mut() {
                if TIMES.contains(&name.as_str()) {
                    assert!(!value.is_null(), "{name} is told");
                    *value = json!("some time");
                } else {
                    without_times(value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// The output without times, namespaces and live objects, which helm lists in no order.
fn masked(text: &str, space: &str) -> String {
    let mut text = text.replace(space, "SPACE");
    if let Some(from) = text.find("RESOURCES:\n") {
        let end = ["\nNOTES:", "\nTEST SUITE:"].into_iter();
        let to = end.filter_map(|next| text[from..].find(next)).min();
        text.replace_range(from..to.map_or(text.len(), |to| from + to), "");
    }
    if let Ok(mut json) = serde_json::from_str::<Value>(&text) {
        without_times(&mut json);
        return format!("{json:#}");
    }
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some((name @ ("LAST DEPLOYED" | "DEPLOYED_AT" | "Last Started" | "Last Completed"), _)) => {
            format!("{name}: some time")
        }
        Some(("LABELS", labels)) => {
            let labels = labels.split(',').map(|label| match label.split_once('=') {
                Some((name, _)) if TIMES.contains(&name) => format!("{name}=some time"),
                _ => label.to_owned(),
            });
            format!("LABELS: {}", labels.collect::<Vec<_>>().join(","))
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

const QUESTIONS: [&[&str]; 19] = [
    &["list", "--all", "--output", "json"],
    &["history", "site", "--output", "json"],
    &["status", "site"],
    &["status", "site", "--output", "json"],
    &["status", "site", "--revision", "1"],
    &["get", "manifest", "site"],
    &["get", "manifest", "site", "--revision", "1"],
    &["get", "notes", "site"],
    &["get", "hooks", "site"],
    &["get", "values", "site"],
    &["get", "values", "site", "--all"],
    &["get", "values", "site", "--all", "--output", "json"],
    &[
        "get",
        "values",
        "site",
        "--revision",
        "1",
        "--output",
        "json",
    ],
    &["get", "metadata", "site"],
    &["get", "metadata", "site", "--output", "json"],
    &["get", "metadata", "site", "--revision", "1"],
    &["get", "all", "site"],
    &["get", "all", "site", "--revision", "2"],
    &["list", "--output", "json", "--superseded"],
];

pub async fn same(bed: &Bed) -> Result {
    let [a, b] = SPACES;
    let id = ReleaseId::new(a, "site");
    let chart = bed.chart_path();
    let theirs = async |verb: &str, size: &str| -> Result {
        let values = format!("size={size},list={{a,b}}");
        let mut arguments = vec![verb, "site", &chart, "--set", &values, "--wait"];
        if verb == "install" {
            arguments.push("--create-namespace");
        }
        bed.helm_in(b, &arguments).await.map(drop)
    };
    let values = |size: u32| json!({ "size": size, "list": ["a", "b"] });
    let compare = async |when: &str| -> Result {
        for question in QUESTIONS {
            // A revision that is not there yet is refused in the same words too.
            let answer = async |space: &str| match bed.helm_in(space, question).await {
                Ok(answer) => masked(&answer, space),
                Err(error) => masked(&error.to_string(), space),
            };
            let (ours, theirs) = (answer(a).await, answer(b).await);
            assert_eq!(ours, theirs, "{when}: helm {}", question.join(" "));
        }
        Ok(())
    };
    bed.deploy(&id, values(1), &options()).await?;
    theirs("install", "1").await?;
    compare("installed").await?;
    bed.deploy(&id, values(2), &options()).await?;
    theirs("upgrade", "2").await?;
    compare("upgraded").await?;
    bed.releases
        .rollback(&id, Some(1), &options(), &bed.cancel)
        .await
        .map_err(|error| error.chain())?;
    bed.helm_in(b, &["rollback", "site", "1", "--wait"]).await?;
    compare("rolled back").await?;
    for space in SPACES {
        bed.helm_in(space, &["uninstall", "site", "--wait"]).await?;
    }
    Ok(())
}

/// `helm test` on ours, and our tests on theirs: both note what came of it.
pub async fn tests(bed: &Bed) -> Result {
    let id = ReleaseId::new("apps", "site");
    bed.deploy(&id, json!({}), &options()).await?;
    let told = bed.helm(&["test", "site", "--timeout", "60s"]).await?;
    assert!(
        told.contains("site-test") && told.contains("Succeeded"),
        "{told}"
    );
    let phase = async || -> Result<Option<Phase>> {
        let last = bed.releases.last(&id, &bed.cancel).await?.ok_or("unseen")?;
        let test = last.hooks.into_iter().find(|hook| hook.name == "site-test");
        Ok(test.map(|test| test.phase))
    };
    assert_eq!(phase().await?, Some(Phase::Succeeded));
    // One that fails.
    bed.deploy(&id, json!({ "test": "fail" }), &options())
        .await?;
    bed.refused(&["test", "site", "--timeout", "60s"]).await?;
    assert_eq!(phase().await?, Some(Phase::Failed));
    bed.helm(&["uninstall", "site", "--wait"]).await?;
    // Theirs, tested by ours.
    bed.theirs("install", "site", "size=1", &["--wait"]).await?;
    let tested = bed
        .releases
        .test(&id, &options(), &bed.cancel)
        .await
        .map_err(|error| error.chain())?;
    assert_eq!(tested.info.status, Status::Deployed);
    let told = bed.helm(&["status", "site"]).await?;
    assert!(
        told.contains("TEST SUITE") && told.contains("Succeeded"),
        "{told}"
    );
    bed.theirs("upgrade", "site", "test=fail", &["--wait"])
        .await?;
    let failed = bed.releases.test(&id, &options(), &bed.cancel).await;
    assert!(failed.is_err(), "a failed test was passed over");
    let told = bed.helm(&["status", "site"]).await?;
    assert!(told.contains("Failed"), "{told}");
    bed.helm(&["uninstall", "site", "--wait"]).await?;
    bed.kubectl(&["delete", "pod", "site-test", "--ignore-not-found"])
        .await?;
    bed.expect_nothing().await
}
