//! A small cluster with one add-on: the chart `suite-shop` of the sandbox.

use serde_json::Value;

use crate::{Bench, Result};

/// The add-on's address.
pub const SHOP: &str = "managedk8s_addon.shop";

const CLUSTER: &str = r#"
terraform {
  required_providers {
    managedk8s = { source = "managedk8s/managedk8s" }
  }
}

provider "managedk8s" {}

resource "managedk8s_cluster" "dev" {
  identifier         = "shoppe"
  topology           = "devtest"
  zones              = ["AZ05"]
  kubernetes_version = "1.36"
  talos_version      = "1.13.9"

  network = {
    node_cidr   = "10.28.0.0/22"
    gateway     = "10.28.3.254"
    nameservers = ["10.28.3.253"]
    ntp_servers = ["10.28.3.253"]
  }

  infrastructure = {
    template      = "talos-1.13"
    network       = "cluster-vlan"
    backup_policy = "nobackup"
  }
}

resource "managedk8s_worker_pool" "default" {
  cluster = managedk8s_cluster.dev.handle
  name    = "default"
  size    = 3
}

output "kubeconfig" {
  value = managedk8s_cluster.dev.kubeconfig
}
"#;

/// A release of `suite-shop` 1.0.0 with more attributes.
pub fn shop(attributes: &str) -> String {
    shop_of("1.0.0", attributes)
}

/// The same of another version.
pub fn shop_of(version: &str, attributes: &str) -> String {
    format!(
        r#"
resource "managedk8s_addon" "shop" {{
  cluster    = managedk8s_cluster.dev.handle
  name       = "shop"
  namespace  = "shop"
  repository = "https://charts.suite.example/stable"
  chart      = "suite-shop"
  version    = "{version}"
  depends_on = [managedk8s_worker_pool.default]
{attributes}
}}
"#
    )
}

impl Bench {
    /// A sandbox with the small cluster, and `addons` beside it, initialised and not applied.
    ///
    /// # Errors
    ///
    /// What the harness cannot do.
    pub async fn with_shop(addons: &str) -> Result<Self> {
        let bench = Self::start().await?;
        bench.use_shop(addons).await?;
        Ok(bench)
    }

    /// Writes the small cluster with `addons` beside it, and initialises.
    ///
    /// # Errors
    ///
    /// What the harness cannot do, or a failing `init`.
    pub async fn use_shop(&self, addons: &str) -> Result {
        self.terraform.write("main.tf", CLUSTER)?;
        self.set_shop(addons)?;
        self.terraform.init().await?;
        Ok(())
    }

    /// Writes the add-ons anew.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn set_shop(&self, addons: &str) -> Result {
        Ok(self.terraform.write("shop.tf", addons)?)
    }

    /// What the saved plan `file` does to a resource: `before` and `after`, what is unknown of the latter, the actions.
    ///
    /// # Errors
    ///
    /// A plan without changes, or without this resource.
    pub async fn planned(&self, file: &str, address: &str) -> Result<Value> {
        let plan = self.saved_plan(file).await?;
        let found = plan["resource_changes"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|change| change["address"] == address);
        Ok(found.ok_or_else(|| format!("{address} is not in the plan"))?["change"].clone())
    }

    /// Applies a saved plan, which must succeed: core plans again and compares.
    ///
    /// # Errors
    ///
    /// Everything terraform printed.
    pub async fn apply_plan(&self, file: &str) -> Result {
        self.terraform
            .run(["apply", "-no-color", file])
            .await?
            .expect_code(0)?;
        Ok(())
    }

    /// Fails when `secret`, plain or as base64, is in the state, in a saved plan, or in `more`.
    ///
    /// # Errors
    ///
    /// Where it is.
    pub fn expect_nowhere(&self, secret: &str, more: &[&str]) -> Result {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
        let mut places: Vec<(String, Vec<u8>)> = more
            .iter()
            .map(|text| ("the output".to_owned(), text.as_bytes().to_vec()))
            .collect();
        for entry in std::fs::read_dir(self.terraform.folder())? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_file() && path.extension().is_none_or(|extension| extension != "tf") {
                places.push((name, std::fs::read(&path)?));
            }
        }
        for (place, bytes) in places {
            for form in [secret, &encoded] {
                if bytes
                    .windows(form.len())
                    .any(|window| window == form.as_bytes())
                {
                    return Err(format!("the secret is in {place}").into());
                }
            }
        }
        Ok(())
    }
}
