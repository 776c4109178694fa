//! What happens when things go wrong, or are in the way: objects of others, jobs, hooks, processes that die.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use suites::{Bench, Result, SHOP, Tools, shop};
use tokio::process::Command;

suites::on_both! {
    a_namespace_and_objects_of_others_are_taken_only_when_that_is_declared,
    a_failed_upgrade_leaves_what_it_made_or_cleans_it_up,
    jobs_are_waited_for_when_that_is_declared,
    a_failed_hook_shows_what_its_pod_printed,
    schemas_versions_of_apis_and_definitions_are_as_declared,
    a_release_that_a_killed_helm_left_pending_is_recovered,
    a_killed_upgrade_of_ours_is_gone_on_with,
    what_the_chart_keeps_stays_and_is_named,
    ;
    real_only:
    pods_that_admission_refuses_are_told_with_the_reason,
    ;
    built_in_only:
    the_state_of_a_large_release_is_small_and_holds_no_secret: "what is in state and output does not depend on the API",
}

/// The names of the configuration maps of the shop.
async fn maps(tools: &Tools) -> Result<Vec<String>> {
    let list = tools.get(&["configmaps", "-n", "shop"]).await?;
    let items = list["items"].as_array().into_iter().flatten();
    let name = |item: &Value| item["metadata"]["name"].as_str().map(str::to_owned);
    let mut names: Vec<String> = items.filter_map(name).collect();
    names.retain(|name| name.starts_with("shop"));
    Ok(names)
}

async fn revisions(tools: &Tools) -> Result<Vec<Value>> {
    let history = tools
        .helm(&["history", "shop", "-n", "shop", "-o", "json"])
        .await?;
    Ok(serde_json::from_str(&history)?)
}

async fn a_namespace_and_objects_of_others_are_taken_only_when_that_is_declared(
    bench: &mut Bench,
) -> Result {
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    bench.set_shop(&shop("  create_namespace = false"))?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(refused.contains("\"shop\" not found"), "{refused}");
    tools.kubectl(&["create", "namespace", "shop"]).await?;
    tools
        .kubectl(&[
            "create",
            "configmap",
            "shop",
            "-n",
            "shop",
            "--from-literal=message=by hand",
        ])
        .await?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(
        refused.contains("ConfigMap \"shop\" in namespace \"shop\" exists and cannot be imported"),
        "{refused}"
    );
    assert!(
        refused.contains("take them over with take_ownership = true"),
        "{refused}"
    );
    bench.set_shop(&shop(
        "  create_namespace = false\n  take_ownership = true\n  pod_security = \"baseline\"",
    ))?;
    bench.apply().await?;
    let map = tools.get(&["configmap", "shop", "-n", "shop"]).await?;
    assert_eq!(map["data"]["message"], "hello");
    let enforced = "pod-security.kubernetes.io/enforce";
    let namespace = tools.get(&["namespace", "shop"]).await?;
    assert_eq!(
        namespace["metadata"]["labels"].get(enforced),
        None,
        "it is somebody else's"
    );
    bench.expect_empty_plan().await?;
    // A namespace of ours has the labels that are declared.
    bench.set_shop(&shop(
        "  take_ownership = true\n  pod_security = \"baseline\"\n  values = { replicas = 2 }",
    ))?;
    bench.apply().await?;
    let namespace = tools.get(&["namespace", "shop"]).await?;
    assert_eq!(namespace["metadata"]["labels"][enforced], "baseline");
    bench.expect_empty_plan().await
}

async fn a_failed_upgrade_leaves_what_it_made_or_cleans_it_up(bench: &mut Bench) -> Result {
    let ill = "  values = { outcome = \"crash\", extra = { a = \"1\" } }\n  timeouts = { update = \"4s\", delete = \"3m\" }\n";
    bench.set_shop(&shop("  max_history = 2\n  description = \"by the suite\""))?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    assert_eq!(revisions(&tools).await?[0]["description"], "by the suite");
    bench.set_shop(&shop(&format!("{ill}  cleanup_on_fail = true")))?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(
        refused.contains("not ready after") && refused.contains("Deployment"),
        "{refused}"
    );
    assert_eq!(maps(&tools).await?, ["shop"]);
    bench.set_shop(&shop(ill))?;
    bench.terraform.apply().await?.expect_code(1)?;
    assert_eq!(maps(&tools).await?, ["shop", "shop-extra"]);

    // Who does not wait is not told, and what failed is repaired by the next apply.
    bench.set_shop(&shop(&format!("{ill}  wait = false\n  max_history = 2")))?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    let history = revisions(&tools).await?;
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[1]["status"], "deployed");
    bench.set_shop("")?;
    bench.apply().await?;
    assert_eq!(maps(&tools).await?, Vec::<String>::new());
    Ok(())
}

/// The built-in API lets every pod in.
async fn pods_that_admission_refuses_are_told_with_the_reason(bench: &mut Bench) -> Result {
    bench.set_shop(&shop(
        "  pod_security = \"restricted\"\n  timeouts = { create = \"5s\" }",
    ))?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(
        refused.contains("not ready after") && refused.contains("violates PodSecurity"),
        "{refused}"
    );
    // The chart's container is made to fit.
    bench.set_shop(&shop(
        r#"
  pod_security = "restricted"
  post_render = [{
    target = { kind = "Deployment" }
    patch = { spec = { template = { spec = { containers = [{
      name = "shop"
      securityContext = {
        allowPrivilegeEscalation = false
        capabilities             = { drop = ["ALL"] }
        runAsNonRoot             = true
        seccompProfile           = { type = "RuntimeDefault" }
      }
    }] } } } }
  }]
"#,
    ))?;
    bench.apply().await?;
    bench.expect_empty_plan().await
}

async fn jobs_are_waited_for_when_that_is_declared(bench: &mut Bench) -> Result {
    let work = |outcome: &str, more: &str| {
        shop(&format!(
            "  values = {{ work = {{ enabled = true, outcome = \"{outcome}\" }} }}\n{more}"
        ))
    };
    // One that goes on for ever has started, which is enough.
    bench.set_shop(&work("hang", ""))?;
    bench.apply().await?;
    bench.set_shop(&work("", "  wait_for_jobs = true\n  force_update = true"))?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let job = tools.get(&["job", "shop-work", "-n", "shop"]).await?;
    assert_eq!(job["status"]["succeeded"], 1, "{job:#}");
    bench.set_shop(&work(
        "fail",
        "  wait_for_jobs = true\n  force_update = true\n  timeouts = { update = \"20s\" }",
    ))?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(
        refused.contains("Job") && refused.contains("shop-work"),
        "{refused}"
    );
    Ok(())
}

async fn a_failed_hook_shows_what_its_pod_printed(bench: &mut Bench) -> Result {
    let failing = "  values = { check = { enabled = true, outcome = \"fail\" } }";
    bench.set_shop(&shop(failing))?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(refused.contains("post-install hooks failed"), "{refused}");
    assert!(
        refused.contains("the end of the output of container check of pod shop-check-"),
        "{refused}"
    );
    assert!(
        refused.contains("runs in a sandbox and says nothing"),
        "{refused}"
    );
    for told in [
        "Mend what makes the hook fail",
        "shop/shop is not in state",
        "helm uninstall shop --namespace shop",
    ] {
        assert!(refused.contains(told), "{told}: {refused}");
    }
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let told = revisions(&tools).await?;
    let told = told[0]["description"].as_str().unwrap_or_default();
    assert!(
        told.contains("hooks failed") && !told.contains("sandbox"),
        "{told}"
    );
    // It was never there: the hooks of an install run again.
    bench.set_shop(&shop("  values = { check = { enabled = true } }"))?;
    bench.apply().await?;
    let history = revisions(&tools).await?;
    assert_eq!(history[1]["description"], "Install complete", "{history:?}");
    bench.expect_empty_plan().await
}

async fn schemas_versions_of_apis_and_definitions_are_as_declared(bench: &mut Bench) -> Result {
    bench.set_shop(&shop("  crds = { install = false }"))?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let definitions = tools.kubectl(&["get", "crd", "-o", "name"]).await?;
    assert!(
        !definitions.contains("orders.suite.example"),
        "{definitions}"
    );
    bench.set_shop(&shop("  values = { message = 5 }"))?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    assert!(
        refused.contains("the chart refuses these values"),
        "{refused}"
    );
    bench.set_shop(&shop(
        "  values = { message = 5 }\n  skip_schema_validation = true",
    ))?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    // What a plan is not told that the cluster offers, it does not show.
    let offers = "  values = { offers = true }";
    bench.set_shop(&shop(offers))?;
    let change = bench.planned("blind", SHOP).await?;
    assert_eq!(
        change["after"]["changes"]["ConfigMap/shop/shop"],
        "~ .data.message: \"5\" -> \"hello\""
    );
    bench.set_shop(&shop(&format!(
        "{offers}\n  api_versions = [\"suite.example/v1\"]"
    )))?;
    let change = bench.planned("seeing", SHOP).await?;
    assert_eq!(
        change["after"]["changes"]["ConfigMap/shop/shop"],
        "~ .data.message: \"5\" -> \"hello\"\n+ .data.offers = \"orders\""
    );
    bench.apply_plan("seeing").await?;
    let map = tools.get(&["configmap", "shop", "-n", "shop"]).await?;
    assert_eq!(map["data"]["offers"], "orders");
    bench.expect_empty_plan().await
}

/// Rewrites the newest record as if its process had begun an hour ago.
async fn let_it_be_old(tools: &Tools) -> Result {
    let name = "sh.helm.release.v1.shop.v1";
    let secret = tools.get(&["secret", name, "-n", "shop"]).await?;
    let data = secret["data"]["release"].as_str().ok_or("no record")?;
    let text = String::from_utf8(STANDARD.decode(data)?)?;
    let mut release = helm::release::decode(&text)?;
    assert!(release.info.status.is_pending(), "{:?}", release.info);
    let begun = release.info.last_deployed.ok_or("no time")?;
    release.info.last_deployed = Some(begun - Duration::from_hours(1));
    let data = STANDARD.encode(helm::release::encode(&release)?);
    let patch = format!("{{\"data\":{{\"release\":\"{data}\"}}}}");
    tools
        .kubectl(&["patch", "secret", name, "-n", "shop", "-p", &patch])
        .await?;
    Ok(())
}

async fn a_release_that_a_killed_helm_left_pending_is_recovered(bench: &mut Bench) -> Result {
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let chart = harness::repository().join("acceptance-tests/sandbox/charts/suite-shop-1");
    let chart = chart.display().to_string();
    let install = [
        "install",
        "shop",
        &chart,
        "-n",
        "shop",
        "--create-namespace",
        "--wait",
        "--set",
        "outcome=crash",
    ];
    // Dropped, which kills it, while it waits.
    let cut = tokio::time::timeout(Duration::from_secs(6), tools.helm(&install)).await;
    assert!(cut.is_err(), "it waits for ever: {cut:?}");
    let listed = tools
        .helm(&["list", "-n", "shop", "--pending", "--short"])
        .await?;
    assert_eq!(listed.trim(), "shop");

    // It may still be alive for all that anybody knows.
    bench.set_shop(&shop("  timeouts = { create = \"3s\" }"))?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(
        refused.contains("another operation (install/upgrade/rollback) is in progress"),
        "{refused}"
    );
    assert!(refused.contains("pending-install"), "{refused}");
    let_it_be_old(&tools).await?;
    bench.set_shop(&shop(""))?;
    bench.apply().await?;
    let history = revisions(&tools).await?;
    assert_eq!(history[0]["status"], "superseded", "{history:?}");
    assert_eq!(history[1]["status"], "deployed", "{history:?}");
    bench.expect_empty_plan().await
}

/// terraform and its provider are killed while they wait.
async fn killed_while_it_waits(bench: &Bench, tools: &Tools) -> Result {
    let mut apply = bench
        .terraform
        .command(["apply", "-auto-approve", "-no-color"]);
    let mut apply = apply
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let group = format!("-{}", apply.id().ok_or("it has ended")?);
    let pending = ["list", "-n", "shop", "--pending", "--short"];
    for look in 0.. {
        if tools.helm(&pending).await?.trim() == "shop" {
            break;
        }
        assert!(look < 300, "nothing is pending");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let kill = ["-c", "kill -s KILL -- \"$1\"", "kill", &group];
    let killed = Command::new("sh").args(kill).status().await?;
    assert!(killed.success(), "{killed}");
    apply.wait().await?;
    Ok(())
}

async fn a_killed_upgrade_of_ours_is_gone_on_with(bench: &mut Bench) -> Result {
    bench.set_shop(&shop(""))?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    bench.set_shop(&shop(
        "  values = { outcome = \"crash\", message = \"new\" }",
    ))?;
    killed_while_it_waits(bench, &tools).await?;
    // Nobody waits here until its last sign of life is old.
    let record = "secret/sh.helm.release.v1.shop.v2";
    let sign = "managedk8s/heartbeat=1";
    tools
        .kubectl(&["annotate", record, "-n", "shop", "--overwrite", sign])
        .await?;
    bench.set_shop(&shop("  values = { message = \"new\" }"))?;
    bench.apply().await?;
    let statuses: Vec<Value> = revisions(&tools)
        .await?
        .into_iter()
        .map(|revision| revision["status"].clone())
        .collect();
    assert_eq!(statuses, ["superseded", "failed", "deployed"]);
    let map = tools.get(&["configmap", "shop", "-n", "shop"]).await?;
    assert_eq!(map["data"]["message"], "new");
    bench.expect_empty_plan().await
}

async fn what_the_chart_keeps_stays_and_is_named(bench: &mut Bench) -> Result {
    let keeping = shop(
        r#"
  post_render = [{
    target = { kind = "ConfigMap" }
    patch  = { metadata = { annotations = { "helm.sh/resource-policy" = "keep" } } }
  }]
"#,
    );
    bench.set_shop(&keeping)?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    bench.set_shop("")?;
    let told = bench.apply().await?.words();
    assert!(
        told.contains("[ConfigMap] shop: kept due to the resource policy"),
        "{told}"
    );
    assert_eq!(maps(&tools).await?, ["shop"]);
    let others = ["get", "deployments,services,secrets", "-n", "shop"];
    let left = tools
        .kubectl(&[&others[..], &["-o", "name"]].concat())
        .await?;
    assert_eq!(left, "");
    // The release of that name takes it back.
    bench.set_shop(&keeping)?;
    bench.apply().await?;
    bench.expect_empty_plan().await
}

/// A chart of many objects, with Secrets, some of them made up by the chart.
async fn the_state_of_a_large_release_is_small_and_holds_no_secret(bench: &mut Bench) -> Result {
    let log = bench.terraform.folder().join("trace.log");
    let chart = bench.terraform.folder().join("charts/large");
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(
        chart.join("Chart.yaml"),
        "apiVersion: v2\nname: large\nversion: 1.0.0\n",
    )?;
    std::fs::write(chart.join("values.yaml"), "size: 1\n")?;
    std::fs::write(
        chart.join("templates/all.yaml"),
        r#"{{ range $i := until 400 }}
---
apiVersion: v1
kind: ConfigMap
metadata: { name: {{ printf "a-configuration-map-with-quite-a-long-name-as-operators-give-them-%03d" $i }} }
data: { size: {{ $.Values.size | quote }}, text: {{ repeat 40 "long text " | quote }} }
{{ end }}
{{ range $i := until 50 }}
---
apiVersion: v1
kind: Secret
metadata: { name: {{ printf "made-up-%02d" $i }} }
stringData: { fixed: the-vendors-own-password, made: {{ randAlphaNum 24 }}, given: {{ $.Values.given | quote }} }
{{ end }}
"#,
    )?;
    let large = |size: u32| {
        format!(
            r#"
resource "managedk8s_addon" "shop" {{
  cluster           = managedk8s_cluster.dev.handle
  name              = "large"
  namespace         = "shop"
  chart             = "${{path.module}}/charts/large"
  values            = {{ size = {size} }}
  values_wo         = {{ given = "given-by-the-user-alone" }}
  values_wo_version = 1
}}
"#
        )
    };
    bench.set_shop(&large(1))?;
    bench
        .terraform
        .env("TF_LOG", "TRACE")
        .env("TF_LOG_PATH", &log);
    let mut shown = String::new();
    for size in [1, 2] {
        bench.set_shop(&large(size))?;
        let file = format!("{size}.plan");
        let mut plan = bench.saved_plan(&file).await?;
        // What is typed in the configuration is there, as terraform shows it.
        plan["configuration"].take();
        shown.push_str(&plan.to_string());
        shown.push_str(
            &bench
                .terraform
                .run(["show", "-no-color", &file])
                .await?
                .text(),
        );
        bench.apply_plan(&file).await?;
        let state = std::fs::read(bench.terraform.folder().join("terraform.tfstate"))?;
        let state: Value = serde_json::from_slice(&state)?;
        let resources = state["resources"].as_array().into_iter().flatten();
        let addon = resources
            .filter(|resource| resource["type"] == "managedk8s_addon")
            .map(|resource| resource["instances"][0].to_string())
            .next();
        let instance = addon.ok_or("no add-on in state")?;
        assert!(
            instance.len() < 20_000,
            "{} bytes of an instance",
            instance.len()
        );
        assert!(!instance.contains("long text"), "no manifest in state");
        bench.expect_empty_plan().await?;
    }
    std::fs::remove_dir_all(bench.terraform.folder().join(".cache"))?;
    let mut secrets = vec![
        "the-vendors-own-password".to_owned(),
        "given-by-the-user-alone".to_owned(),
    ];
    if let Some(tools) = bench.tools().await? {
        for name in ["made-up-00", "made-up-49"] {
            let secret = tools.get(&["secret", name, "-n", "shop"]).await?;
            let made = secret["data"]["made"].as_str().ok_or("no such key")?;
            secrets.push(String::from_utf8(STANDARD.decode(made)?)?);
        }
    }
    for secret in &secrets {
        bench.expect_nowhere(secret, &[&shown])?;
    }
    Ok(())
}
