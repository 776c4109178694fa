//! Manifests alone: the data source and the function print what `helm template` prints.

use suites::{Bench, Result};

const CHART: &str = "acceptance-tests/sandbox/charts/suite-shop-1";

#[tokio::test(flavor = "multi_thread")]
async fn data_source_and_function_print_what_helm_prints() -> Result {
    let bench = Bench::start().await?;
    let folder = harness::repository().join(CHART).display().to_string();
    bench.terraform.write(
        "main.tf",
        &format!(
            r#"
terraform {{
  required_providers {{
    managedk8s = {{ source = "managedk8s/managedk8s" }}
  }}
}}

data "managedk8s_helm_template" "shop" {{
  name         = "shop"
  namespace    = "shop"
  repository   = "oci://registry.suite.example/charts"
  chart        = "suite-shop"
  version      = "~1"
  kube_version = "1.36.2"
  include_crds = true
  values       = {{ message = "from a data source" }}
  set          = [{{ name = "replicas", value = "4" }}]
}}

locals {{
  rendered = provider::managedk8s::helm_template("{folder}", {{ message = "from a function" }}, {{
    name      = "shop"
    show_only = ["templates/config.yaml"]
  }})
}}

output "manifest" {{
  value = data.managedk8s_helm_template.shop.manifest
}}

output "notes" {{
  value = data.managedk8s_helm_template.shop.notes
}}

output "templates" {{
  value = join(" ", keys(data.managedk8s_helm_template.shop.manifests))
}}

output "function" {{
  value = local.rendered.manifest
}}
"#
        ),
    )?;
    bench.terraform.init().await?;
    bench.apply().await?;
    let output = async |name: &str| -> Result<String> {
        let printed = bench.terraform.run(["output", "-raw", name]).await?;
        Ok(printed.expect_code(0)?.stdout)
    };
    assert!(
        output("notes")
            .await?
            .contains("shop says from a data source.")
    );
    assert!(
        output("templates")
            .await?
            .contains("suite-shop/templates/service.yaml")
    );
    let function = output("function").await?;
    assert!(function.contains("from a function"), "{function}");
    assert!(!function.contains("kind: Deployment"), "{function}");
    let manifest = output("manifest").await?;
    let Some(helm) = std::env::var_os("MANAGEDK8S_HELM") else {
        return Ok(());
    };
    let real = tokio::process::Command::new(helm)
        .args([
            "template",
            "shop",
            &folder,
            "--namespace",
            "shop",
            "--kube-version",
            "1.36.2",
            "--include-crds",
        ])
        .args(["--set", "message=from a data source,replicas=4"])
        .output()
        .await?;
    assert_eq!(manifest, String::from_utf8(real.stdout)?);

    // What is another text at every call is no function's result.
    bench.terraform.write(
        "main.tf",
        &format!(
            "terraform {{\n  required_providers {{\n    managedk8s = {{ source = \"managedk8s/managedk8s\" }}\n  }}\n}}\n\
             output \"x\" {{\n  value = provider::managedk8s::helm_template(\"{folder}\", {{ generated = true }}, null).manifest\n}}\n"
        ),
    )?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    assert!(
        refused.contains("data source managedk8s_helm_template"),
        "{refused}"
    );
    Ok(())
}
