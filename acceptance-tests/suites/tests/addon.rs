//! Add-ons of any chart with the real terraform: what attributes do, what plans show, what secrets never do.

use serde_json::{Value, json};
use suites::{Bench, Result, SHOP, shop, shop_of};

suites::on_both! {
    values_sets_and_patches_reach_the_cluster_and_plans_show_them,
    write_only_values_are_nowhere,
    generated_and_unknown_leaves_are_known_after_the_apply,
    failures_go_back_and_hooks_run_or_do_not,
    definitions_stay_or_go_as_declared,
    ;
    built_in_only:
    mistakes_are_told_at_their_attribute: "no cluster is asked",
}

fn changes(change: &Value) -> &Value {
    &change["after"]["changes"]
}

async fn values_sets_and_patches_reach_the_cluster_and_plans_show_them(
    bench: &mut Bench,
) -> Result {
    bench.set_shop(&shop(""))?;
    // A create lists what it makes.
    let change = bench.planned("first", SHOP).await?;
    let objects = change["after"]["objects"].as_object().ok_or("no objects")?;
    let names: Vec<&str> = objects.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "ConfigMap/shop/shop",
            "CustomResourceDefinition/orders.suite.example",
            "Deployment/shop/shop",
            "Secret/shop/shop",
            "Service/shop/shop"
        ]
    );
    assert_eq!(change["after"]["app_version"], "1.0");
    bench.apply_plan("first").await?;
    bench.expect_empty_plan().await?;

    // Objects, YAML and lines of set, in helm's order; the plan shows each leaf.
    bench.set_shop(&shop(
        r#"
  values = [
    "message: from yaml\nreplicas: 2\n---\nreplicas: 3\n",
    { message = "from an object", extra = { a = "1" } },
  ]
  set = [
    { name = "extra.b", value = "2" },
    { name = "extra.c", value = "x,y=z", type = "literal" },
    { name = "extra.d", value = "true", type = "string" },
  ]
"#,
    ))?;
    let change = bench.planned("second", SHOP).await?;
    assert_eq!(change["actions"], json!(["update"]));
    assert_eq!(
        *changes(&change),
        json!({
            "ConfigMap/shop/shop": "~ .data.message: \"hello\" -> \"from an object\"",
            "ConfigMap/shop/shop-extra": "added",
            "Deployment/shop/shop": "~ .spec.replicas: 1 -> 3",
        })
    );
    bench.apply_plan("second").await?;
    bench.expect_empty_plan().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let extra = tools
        .get(&["configmap", "shop-extra", "-n", "shop"])
        .await?;
    assert_eq!(
        extra["data"],
        json!({"a": "1", "b": "2", "c": "x,y=z", "d": "true"})
    );
    let listed = tools.helm(&["list", "-n", "shop", "--short"]).await?;
    assert_eq!(listed.trim(), "shop");

    // Patches of both kinds.
    bench.set_shop(&shop(
        r#"
  values = { message = "from an object" }
  post_render = [
    {
      target = { kind = "Deployment" }
      patch = { spec = { template = { spec = { containers = [{ name = "shop", image = "mirror.example/shop:1" }] } } } }
    },
    {
      target = { kind = "Service", name = "sh.p" }
      patch  = [{ op = "add", path = "/metadata/annotations", value = { team = "blue" } }]
    },
  ]
"#,
    ))?;
    let change = bench.planned("third", SHOP).await?;
    let shown = changes(&change);
    let deployment = shown["Deployment/shop/shop"].as_str().unwrap_or_default();
    assert!(
        deployment.contains("containers[name=\"shop\"].image: \"registry.suite.example/shop:1\" -> \"mirror.example/shop:1\""),
        "{shown:#}"
    );
    assert!(deployment.contains("pods restart"), "{shown:#}");
    assert_eq!(shown["ConfigMap/shop/shop-extra"], "removed");
    assert_eq!(
        shown["Service/shop/shop"],
        "+ .metadata.annotations.team = \"blue\""
    );
    bench.apply_plan("third").await?;
    let service = tools.get(&["service", "shop", "-n", "shop"]).await?;
    assert_eq!(service["metadata"]["annotations"]["team"], "blue");
    bench.expect_empty_plan().await?;

    // Another version: definitions are brought along, and what only repeats the version is not shown.
    bench.set_shop(&shop_of(
        "2.0.0",
        "  values = { message = \"from an object\" }",
    ))?;
    bench.planned("fourth", SHOP).await?;
    bench.apply_plan("fourth").await?;
    let definition = tools.get(&["crd", "orders.suite.example"]).await?;
    assert_eq!(
        definition["metadata"]["annotations"]["suite.example/shop"],
        "2"
    );
    bench.expect_empty_plan().await?;
    let state = std::fs::metadata(bench.terraform.folder().join("terraform.tfstate"))?;
    assert!(state.len() < 60_000, "{} bytes of state", state.len());
    Ok(())
}

async fn write_only_values_are_nowhere(bench: &mut Bench) -> Result {
    let secret = |password: &str, version: u32| {
        shop(&format!(
            r#"
  values_wo         = {{ password = "{password}" }}
  set_wo            = [{{ name = "extra.token", value = "{password}-token" }}]
  values_wo_version = {version}
"#
        ))
    };
    bench.set_shop(&secret("correct-horse-battery", 1))?;
    let mut shown = bench.apply().await?.text();
    bench.expect_nowhere("correct-horse-battery", &[&shown])?;
    // The version alone tells of a change.
    bench.set_shop(&secret("staple-battery-horse", 1))?;
    bench.expect_empty_plan().await?;
    bench.set_shop(&secret("staple-battery-horse", 2))?;
    let change = bench.planned("rotation", SHOP).await?;
    let told = changes(&change);
    assert_eq!(
        told["Secret/shop/shop"],
        "~ .data.password: (sensitive) changed"
    );
    assert!(told.get("Service/shop/shop").is_none(), "{told:#}");
    shown.push_str(&bench.terraform.plan().await?.text());
    bench.apply_plan("rotation").await?;
    for secret in ["correct-horse-battery", "staple-battery-horse"] {
        bench.expect_nowhere(secret, &[&shown])?;
    }
    bench.expect_empty_plan().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let values = tools.helm(&["get", "values", "shop", "-n", "shop"]).await?;
    assert!(
        values.contains("staple-battery-horse"),
        "the release has it"
    );
    let record = tools
        .kubectl(&[
            "get",
            "configmap",
            "-n",
            "kube-system",
            "managedk8s-addon-shop.shop",
            "-o",
            "yaml",
        ])
        .await?;
    assert!(!record.contains("battery"), "{record}");
    // Values without a version, and values that cannot be read, are refused at their place.
    bench.set_shop(&shop("  values_wo = { a = \"x\" }"))?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    assert!(refused.contains("values_wo_version"), "{refused}");
    Ok(())
}

async fn generated_and_unknown_leaves_are_known_after_the_apply(bench: &mut Bench) -> Result {
    bench.set_shop(&shop("  values = { generated = true }"))?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    let late = |extra: &str| {
        format!(
            "resource \"terraform_data\" \"late\" {{\n  input = \"one\"\n}}\n{}",
            shop(extra)
        )
    };
    bench.set_shop(&late(
        "  values = { generated = true, replicas = 2, message = terraform_data.late.output }",
    ))?;
    let change = bench.planned("open", SHOP).await?;
    let shown = changes(&change);
    assert_eq!(shown["Deployment/shop/shop"], "~ .spec.replicas: 1 -> 2");
    let unknown = &change["after_unknown"]["changes"];
    assert_eq!(unknown["ConfigMap/shop/shop"], json!(true), "{change:#}");
    bench.apply_plan("open").await?;
    let settled = bench.attribute(SHOP, "changes").await?;
    assert_eq!(
        settled["ConfigMap/shop/shop"],
        "~ .data.message: \"hello\" -> \"one\""
    );
    bench.expect_empty_plan().await?;
    // What decides whether an object exists leaves the list open, and core's second plan agrees.
    bench.set_shop(&format!(
        "resource \"terraform_data\" \"more\" {{\n  input = {{ a = \"1\" }}\n}}\n{}",
        late("  values = { message = \"x\", extra = terraform_data.more.output }")
    ))?;
    let change = bench.planned("wider", SHOP).await?;
    assert_eq!(
        change["after_unknown"]["changes"],
        json!(true),
        "{change:#}"
    );
    bench.apply_plan("wider").await?;
    bench.expect_empty_plan().await
}

async fn failures_go_back_and_hooks_run_or_do_not(bench: &mut Bench) -> Result {
    bench.set_shop(&shop(
        "  atomic = true\n  values = { check = { enabled = true } }",
    ))?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    tools
        .kubectl(&["get", "job", "-n", "shop", "shop-check"])
        .await?;
    // A hook that fails takes the upgrade back.
    let failing = "  atomic = true\n  values = { message = \"bad\", check = { enabled = true, outcome = \"fail\" } }";
    bench.set_shop(&shop(failing))?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(refused.contains("shop-check"), "{refused}");
    let config = tools.get(&["configmap", "shop", "-n", "shop"]).await?;
    assert_eq!(config["data"]["message"], "hello", "it went back");
    // Without hooks the same values are fine.
    bench.set_shop(&shop(&format!("{failing}\n  hooks = false")))?;
    bench.apply().await?;
    let config = tools.get(&["configmap", "shop", "-n", "shop"]).await?;
    assert_eq!(config["data"]["message"], "bad");
    bench.expect_empty_plan().await?;
    // An immutable field is refused, and replaced where that is asked for.
    let other = "  hooks = false\n  values = { selector = \"other\" }";
    bench.set_shop(&shop(other))?;
    let change = bench.planned("immutable", SHOP).await?;
    let text = changes(&change)["Deployment/shop/shop"]
        .as_str()
        .unwrap_or_default();
    assert!(text.contains("(immutable)"), "{text}");
    bench.terraform.apply().await?.expect_code(1)?;
    bench.set_shop(&shop(&format!("{other}\n  force_update = true")))?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    // A timeout tells what is not ready.
    bench.set_shop(&shop(
        "  hooks = false\n  force_update = true\n  values = { selector = \"other\", outcome = \"crash\" }\n  timeouts = { update = \"5s\" }",
    ))?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(refused.contains("Deployment"), "{refused}");
    Ok(())
}

async fn definitions_stay_or_go_as_declared(bench: &mut Bench) -> Result {
    bench.set_shop(&shop("  crds = { upgrade = false }"))?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let version = async || -> Result<Value> {
        let definition = tools.get(&["crd", "orders.suite.example"]).await?;
        Ok(definition["metadata"]["annotations"]["suite.example/shop"].clone())
    };
    bench.set_shop(&shop_of("2.0.0", "  crds = { upgrade = false }"))?;
    bench.apply().await?;
    assert_eq!(version().await?, "1", "it was left alone");
    bench.set_shop("")?;
    bench.apply().await?;
    assert_eq!(version().await?, "1", "it stayed");
    bench.set_shop(&shop_of("2.0.0", "  crds = { keep = false }"))?;
    bench.apply().await?;
    assert_eq!(version().await?, "2", "it was brought along");
    bench.set_shop("")?;
    bench.apply().await?;
    let left = tools.kubectl(&["get", "crd", "-o", "name"]).await?;
    assert!(!left.contains("orders.suite.example"), "{left}");
    let records = tools
        .kubectl(&["get", "configmap", "-n", "kube-system", "-o", "name"])
        .await?;
    assert!(!records.contains("managedk8s-addon-"), "{records}");
    Ok(())
}

async fn mistakes_are_told_at_their_attribute(bench: &mut Bench) -> Result {
    bench.set_shop(&shop(""))?;
    for (attributes, wanted) in [
        ("  values = [\"a: 1\", \"- b\"]", "values cannot be read"),
        (
            "  values = { replicas = \"many\" }",
            "the chart refuses these values",
        ),
        (
            "  set = [{ name = \"a[-1]\", value = \"x\" }]",
            "set cannot be read",
        ),
        ("  post_render = [{ patch = { data = {} } }]", "not a patch"),
        (
            "  post_render = [{ target = { kind = \"Ingress\" }, patch = { metadata = {} } }]",
            "patches do not fit the chart's objects",
        ),
        (
            "  drift_detection = { mode = \"sometimes\" }",
            "drift_detection",
        ),
        (
            "  drift_detection = { ignore = [{ fields = [\"spec.replicas\"] }] }",
            "not the path of a field",
        ),
        (
            "  crds = { install = false, upgrade = true }",
            "definitions that are not installed",
        ),
        ("  timeouts = { create = \"soon\" }", "timeouts"),
        (
            "  timeouts = { update = \"0s\" }",
            "no time for an operation",
        ),
        ("  verify = true", "no keys to verify the chart with"),
        ("  pod_security = \"lax\"", "pod_security"),
    ] {
        bench.set_shop(&shop(attributes))?;
        let refused = bench.terraform.plan().await?.expect_code(1)?.words();
        assert!(refused.contains(wanted), "{attributes}: {refused}");
    }
    bench.set_shop(&shop_of("9.9.9", ""))?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    assert!(
        refused.contains("no such version of the chart"),
        "{refused}"
    );
    Ok(())
}
