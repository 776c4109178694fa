//! What others do to the objects of a release: named with who did it, put back or only told, and cheap to find.

use std::fmt::Write as _;

use serde_json::{Value, json};
use suites::{Bench, Result, SHOP, shop};

suites::on_both! {
    a_change_by_hand_is_named_with_its_manager_and_put_back,
    a_release_that_helm_upgraded_is_told_and_put_back,
    what_is_not_ready_any_more_is_told,
    an_imported_release_of_any_chart_changes_nothing,
    ;
    built_in_only:
    thirty_add_ons_are_refreshed_with_one_list_a_kind: "the sandbox counts the calls of its own API alone",
}

const DEPLOYMENT: &str = "object apps/v1 Deployment shop/shop";

async fn drift(bench: &Bench, file: &str) -> Result<Value> {
    let change = bench.planned(file, SHOP).await?;
    assert_eq!(change["after_unknown"]["drift"], json!(true), "{change:#}");
    Ok(change["before"]["drift"].clone())
}

async fn a_change_by_hand_is_named_with_its_manager_and_put_back(bench: &mut Bench) -> Result {
    bench.set_shop(&shop(""))?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let scale = async |manager: &str, replicas: u32| {
        let patch = format!("{{\"spec\":{{\"replicas\":{replicas}}}}}");
        let owner = format!("--field-manager={manager}");
        let arguments = [
            "patch",
            "deployment",
            "shop",
            "-n",
            "shop",
            "-p",
            &patch,
            &owner,
        ];
        tools.kubectl(&arguments).await
    };
    scale("kubectl-edit", 2).await?;
    let found = drift(bench, "one").await?;
    let text = found[DEPLOYMENT].as_str().unwrap_or_default();
    assert!(text.contains(".spec.replicas"), "{found:#}");
    assert!(text.contains("kubectl-edit"), "{found:#}");
    bench.apply_plan("one").await?;
    let live = tools.get(&["deployment", "shop", "-n", "shop"]).await?;
    assert_eq!(live["spec"]["replicas"], 1);
    bench.expect_empty_plan().await?;

    // What an autoscaler owns is not drift.
    scale("keda-operator", 3).await?;
    bench.expect_empty_plan().await?;
    scale("kubectl-edit", 2).await?;

    // What is declared to be somebody else's is not either.
    let ignore = "  drift_detection = { ignore = [{ kind = \"Deployment\", fields = [\".spec.replicas\"] }] }";
    bench.set_shop(&shop(ignore))?;
    bench.apply().await?;
    scale("kubectl-edit", 2).await?;
    bench.expect_empty_plan().await?;
    bench.set_shop(&shop(
        "  drift_detection = { ignore_managers = [\"kubectl-edit\"] }",
    ))?;
    bench.apply().await?;
    scale("kubectl-edit", 2).await?;
    bench.expect_empty_plan().await?;

    // An upgrade leaves both alone, though the chart says otherwise, and its plan says so.
    let ignore = "  drift_detection = { ignore = [{ group = \"apps\", kind = \"Deployment\", name = \"shop\", namespace = \"shop\", fields = [\"/spec/replicas\"] }] }";
    let replicas = async || -> Result<Value> {
        let live = tools.get(&["deployment", "shop", "-n", "shop"]).await?;
        Ok(live["spec"]["replicas"].clone())
    };
    bench.set_shop(&shop(&format!(
        "{ignore}\n  values = {{ replicas = 3, message = \"a\" }}"
    )))?;
    let change = bench.planned("left", SHOP).await?;
    assert_eq!(
        change["after"]["changes"]["Deployment/shop/shop"],
        "~ .spec.replicas: 1 -> 3 (ignored: it stays as it is)"
    );
    bench.apply_plan("left").await?;
    assert_eq!(replicas().await?, 2);
    bench.expect_empty_plan().await?;
    scale("keda-operator", 4).await?;
    bench.set_shop(&shop("  values = { replicas = 3, message = \"b\" }"))?;
    bench.apply().await?;
    assert_eq!(replicas().await?, 4, "it is the autoscaler's");
    bench.expect_empty_plan().await?;
    scale("kubectl-edit", 2).await?;

    // What is taken from others without having been told before is told with their names.
    let annotate = "{\"metadata\":{\"annotations\":{\"team\":\"red\"}}}";
    tools
        .kubectl(&[
            "patch",
            "service",
            "shop",
            "-n",
            "shop",
            "-p",
            annotate,
            "--field-manager=kubectl-annotate",
        ])
        .await?;
    bench.set_shop(&shop(
        "  post_render = [{ target = { kind = \"Service\" }, patch = { metadata = { annotations = { team = \"blue\" } } } }]",
    ))?;
    let told = bench.apply().await?.words();
    assert!(
        told.contains("took fields over from others")
            && told.contains(".metadata.annotations.team from \"kubectl-annotate\""),
        "{told}"
    );
    assert!(
        !told.contains("taken over .spec.replicas"),
        "the plan has told that: {told}"
    );
    assert_eq!(replicas().await?, 1);
    bench.expect_empty_plan().await?;

    // Told, and not put back.
    bench.set_shop(&shop("  drift_detection = { repair = false }"))?;
    bench.apply().await?;
    scale("kubectl-edit", 2).await?;
    let told = bench.terraform.plan().await?.expect_code(0)?.words();
    assert!(
        told.contains("deviates") && told.contains(".spec.replicas"),
        "{told}"
    );

    // Not looked at.
    bench.set_shop(&shop("  drift_detection = { mode = \"ignore\" }"))?;
    bench.apply().await?;
    let told = bench.terraform.plan().await?.expect_code(0)?.words();
    assert!(!told.contains("deviates"), "{told}");
    Ok(())
}

/// A revision that somebody else makes inherits the labels of ours, the fingerprint too; it is theirs all the same, and
/// so is one that goes back to ours.
async fn a_release_that_helm_upgraded_is_told_and_put_back(bench: &mut Bench) -> Result {
    bench.set_shop(&shop(""))?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let chart = harness::repository().join("acceptance-tests/sandbox/charts/suite-shop-1");
    let chart = chart.display().to_string();
    let replicas = async || -> Result<Value> {
        let live = tools.get(&["deployment", "shop", "-n", "shop"]).await?;
        Ok(live["spec"]["replicas"].clone())
    };
    let upgrade = [
        "upgrade",
        "shop",
        &chart,
        "-n",
        "shop",
        "--set",
        "replicas=3",
    ];
    tools.helm(&upgrade).await?;
    assert_eq!(replicas().await?, 3);
    for (file, helm) in [
        ("upgraded", None),
        ("back", Some(["rollback", "shop", "1", "-n", "shop"])),
    ] {
        if let Some(arguments) = helm {
            tools.helm(&arguments).await?;
        }
        let found = drift(bench, file).await?.to_string();
        assert!(
            found.contains("made by another than this provider"),
            "{found}"
        );
        bench.apply_plan(file).await?;
        assert_eq!(replicas().await?, 1);
        bench.expect_empty_plan().await?;
    }
    Ok(())
}

async fn what_is_not_ready_any_more_is_told(bench: &mut Bench) -> Result {
    bench.set_shop(&shop(""))?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    // The pods fall ill, by no change of the release's own fields.
    let ill = "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"sandbox.managedk8s.io/outcome\":\"crash\"}}}}}";
    tools
        .kubectl(&["patch", "deployment", "shop", "-n", "shop", "-p", ill])
        .await?;
    tools
        .kubectl(&["delete", "pods", "-n", "shop", "--all"])
        .await?;
    let found = drift(bench, "ill").await?;
    let text = found[DEPLOYMENT].as_str().unwrap_or_default();
    assert!(text.starts_with("not ready"), "{found:#}");
    let well = "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"sandbox.managedk8s.io/outcome\":null}}}}}";
    tools
        .kubectl(&["patch", "deployment", "shop", "-n", "shop", "-p", well])
        .await?;
    bench.apply_plan("ill").await?;
    bench.expect_empty_plan().await?;
    let history = tools
        .helm(&["history", "shop", "-n", "shop", "-o", "json"])
        .await?;
    let history: Value = serde_json::from_str(&history)?;
    assert_eq!(
        history.as_array().map(Vec::len),
        Some(1),
        "waiting writes nothing"
    );
    Ok(())
}

async fn an_imported_release_of_any_chart_changes_nothing(bench: &mut Bench) -> Result {
    let addon = shop(
        r#"
  values = [{ message = "m", extra = { a = "1", n = 2 } }, "replicas: 2"]
  set    = [{ name = "extra.b", value = "x" }]
  wait_for_jobs   = true
  max_history     = 4
  crds            = { keep = false }
  drift_detection = { ignore_managers = ["someone"] }
  post_render     = [{ target = { kind = "Service" }, patch = { metadata = { annotations = { a = "b" } } } }]
"#,
    );
    bench.set_shop(&addon)?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    let id = bench.attribute(SHOP, "id").await?;
    let id = id.as_str().ok_or("no id")?;
    bench
        .terraform
        .run(["state", "rm", SHOP])
        .await?
        .expect_code(0)?;
    bench
        .terraform
        .run(["import", "-no-color", SHOP, id])
        .await?
        .expect_code(0)?;
    bench.expect_empty_plan().await
}

/// Thirty releases: one list a kind serves all of them.
async fn thirty_add_ons_are_refreshed_with_one_list_a_kind(bench: &mut Bench) -> Result {
    let mut many = String::new();
    write!(
        many,
        "{}",
        shop("")
            .replace(
                "resource \"managedk8s_addon\" \"shop\" {",
                "resource \"managedk8s_addon\" \"shop\" {\n  count = 30"
            )
            .replace(
                "name       = \"shop\"",
                "name       = \"shop-${count.index}\""
            )
            .replace(
                "  depends_on",
                "  crds       = { install = count.index == 0 }\n  wait       = false\n  depends_on"
            )
    )?;
    bench.set_shop(&many)?;
    bench.apply().await?;
    bench.admin().reset_calls().await?;
    bench.expect_empty_plan().await?;
    let calls = bench.admin().calls().await?;
    for list in [
        "/api/v1/configmaps",
        "/api/v1/secrets",
        "/api/v1/services",
        "/apis/apps/v1/deployments",
    ] {
        let count = calls.get(&format!("kubernetes get {list}"));
        assert_eq!(count, Some(&1), "{list}: {calls:#?}");
    }
    let alone: Vec<&String> = calls.keys().filter(|call| call.contains("/shop")).collect();
    assert!(alone.is_empty(), "nothing is read alone: {alone:?}");
    Ok(())
}
