//! One test's own world: a sandbox process, a working folder of terraform, a key.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use harness::{Binaries, Cloud, Finished, Terraform, repository};
use sandbox::admin::{Client, Inventory, VmView};
use serde_json::Value;
use tempfile::TempDir;

use crate::Tools;

/// What tests answer: every error fails them.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One test's own world. Everything ends and vanishes with it.
#[derive(Debug)]
pub struct Bench {
    /// The sandbox.
    pub cloud: Cloud,
    /// The working folder, connected to the sandbox.
    pub terraform: Terraform,
    /// The root key, base64.
    pub key: String,
    binaries: Binaries,
    folder: TempDir,
}

impl Bench {
    /// A sandbox with short durations and an empty working folder.
    ///
    /// # Errors
    ///
    /// What the harness cannot do.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        Self::start_in(folder, &[]).await
    }

    /// The same with the sandbox's state in the folder [`Self::sandbox_state`].
    ///
    /// # Errors
    ///
    /// What the harness cannot do.
    pub async fn start_with_state() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let state = folder.path().join("sandbox").display().to_string();
        Self::start_in(folder, &["--state", &state]).await
    }

    /// The same with the real control plane in the place of the built-in Kubernetes API. `None`, with a line that says
    /// so, where `MANAGEDK8S_KUBERNETES_ORACLES` is not set.
    ///
    /// # Errors
    ///
    /// What the harness cannot do.
    pub async fn start_real() -> Result<Option<Self>> {
        let Some(oracles) = crate::oracles() else {
            return Ok(None);
        };
        let oracles = oracles.display().to_string();
        let folder = tempfile::tempdir()?;
        let arguments = ["--kubernetes", "real", "--oracles", &oracles];
        Self::start_in(folder, &arguments).await.map(Some)
    }

    async fn start_in(folder: TempDir, more: &[&str]) -> Result<Self> {
        let binaries = Binaries::find()?;
        let arguments = ["--profile", "fast"]
            .into_iter()
            .chain(more.iter().copied());
        let cloud = Cloud::start(&binaries, folder.path().join("sandbox.log"), arguments).await?;
        let mut terraform = Terraform::new(folder.path().join("work"), &binaries)?;
        let key = new_key()?;
        cloud.connect(&mut terraform, &key);
        Ok(Self {
            cloud,
            terraform,
            key,
            binaries,
            folder,
        })
    }

    /// As [`Self::start`], with the configuration of an example, initialised.
    ///
    /// # Errors
    ///
    /// What the harness cannot do, or a failing `init`.
    pub async fn with_example(example: &str) -> Result<Self> {
        let bench = Self::start().await?;
        bench.use_example(example).await?;
        Ok(bench)
    }

    /// Copies an example into the working folder and initialises it.
    ///
    /// # Errors
    ///
    /// What the harness cannot do, or a failing `init`.
    pub async fn use_example(&self, example: &str) -> Result {
        let from = repository().join("examples").join(example);
        self.terraform.copy_example(&from)?;
        self.terraform.init().await?;
        Ok(())
    }

    /// The folder of this test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where [`Self::start_with_state`] lets the sandbox keep its state.
    pub fn sandbox_state(&self) -> PathBuf {
        self.folder.path().join("sandbox")
    }

    /// The provider's program.
    pub fn provider(&self) -> &Path {
        &self.binaries.provider
    }

    /// The sandbox's admin endpoint.
    pub fn admin(&self) -> Client {
        self.cloud.admin()
    }

    /// Everything that is in the sandbox.
    ///
    /// # Errors
    ///
    /// A sandbox that does not answer.
    pub async fn inventory(&self) -> Result<Inventory> {
        Ok(self.admin().inventory().await?)
    }

    /// The names of all VMs, in order.
    ///
    /// # Errors
    ///
    /// A sandbox that does not answer.
    pub async fn vm_names(&self) -> Result<Vec<String>> {
        let inventory = self.inventory().await?;
        Ok(inventory.vms.into_iter().map(|vm| vm.name).collect())
    }

    /// One VM.
    ///
    /// # Errors
    ///
    /// No VM of this name.
    pub async fn vm(&self, name: &str) -> Result<VmView> {
        let inventory = self.inventory().await?;
        let found = inventory.vms.into_iter().find(|vm| vm.name == name);
        Ok(found.ok_or_else(|| format!("no VM {name}"))?)
    }

    /// Replaces a text in a file of the configuration; the text must be there.
    ///
    /// # Errors
    ///
    /// A text that is not in the file.
    pub fn edit(&self, file: &str, from: &str, to: &str) -> Result {
        let path = self.terraform.folder().join(file);
        let text = std::fs::read_to_string(&path)?;
        if !text.contains(from) {
            return Err(format!("{file} holds no {from:?}").into());
        }
        self.terraform.write(file, &text.replace(from, to))?;
        Ok(())
    }

    /// `terraform apply` that must succeed.
    ///
    /// # Errors
    ///
    /// Everything terraform printed.
    pub async fn apply(&self) -> Result<Finished> {
        Ok(self.terraform.apply().await?.expect_code(0)?)
    }

    /// `terraform destroy` that must succeed, and must leave nothing in the sandbox.
    ///
    /// # Errors
    ///
    /// Everything terraform printed, or what is left.
    pub async fn destroy(&self) -> Result {
        self.terraform.destroy().await?.expect_code(0)?;
        let left = self.inventory().await?;
        let empty = left.vms.is_empty()
            && left.disks.is_empty()
            && left.adapters.is_empty()
            && left.tags.is_empty()
            && left.addresses.is_empty()
            && left.nodes.is_empty()
            && left.open_activities == 0;
        if empty {
            Ok(())
        } else {
            Err(format!("left after destroy: {left:#?}").into())
        }
    }

    /// `terraform plan` that must show no change.
    ///
    /// # Errors
    ///
    /// The changes it shows.
    pub async fn expect_empty_plan(&self) -> Result {
        self.terraform.plan().await?.expect_code(0)?;
        Ok(())
    }

    /// Plans into a file with changes and answers the plan as JSON.
    ///
    /// # Errors
    ///
    /// A plan that fails, or shows no change.
    pub async fn saved_plan(&self, file: &str) -> Result<Value> {
        let out = format!("-out={file}");
        self.terraform
            .run(["plan", "-detailed-exitcode", "-no-color", &out])
            .await?
            .expect_code(2)?;
        Ok(self.terraform.show(Some(file)).await?)
    }

    /// An attribute of a resource in state.
    ///
    /// # Errors
    ///
    /// No such resource.
    pub async fn attribute(&self, address: &str, name: &str) -> Result<Value> {
        let state = self.terraform.show(None).await?;
        let resources = state.pointer("/values/root_module/resources");
        let found = resources
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .find(|resource| resource["address"] == address);
        let found = found.ok_or_else(|| format!("{address} is not in state"))?;
        Ok(found["values"][name].clone())
    }

    /// kubectl, helm and the cluster's public kubeconfig, which must be an output named `kubeconfig`. `None`, with a line
    /// that says so, where `MANAGEDK8S_KUBECTL` or `MANAGEDK8S_HELM` is not set.
    ///
    /// # Errors
    ///
    /// No such output.
    pub async fn tools(&self) -> Result<Option<Tools>> {
        let output = self
            .terraform
            .run(["output", "-raw", "kubeconfig"])
            .await?
            .expect_code(0)?;
        let kubeconfig = self.folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, output.stdout)?;
        let programs = self.binaries.provider.parent().unwrap_or(Path::new("."));
        Tools::find(kubeconfig, programs, &self.key)
    }
}

fn new_key() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}
