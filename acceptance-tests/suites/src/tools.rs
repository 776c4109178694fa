//! The official clients: kubectl and helm, with the kubeconfig that the provider wrote.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use crate::Result;

/// kubectl and helm on one cluster.
#[derive(Debug)]
pub struct Tools {
    kubectl: OsString,
    helm: OsString,
    path: OsString,
    kubeconfig: PathBuf,
    key: String,
}

impl Tools {
    pub(crate) fn find(kubeconfig: PathBuf, programs: &Path, key: &str) -> Result<Option<Self>> {
        let (Some(kubectl), Some(helm)) = (
            std::env::var_os("MANAGEDK8S_KUBECTL"),
            std::env::var_os("MANAGEDK8S_HELM"),
        ) else {
            skipped(
                "MANAGEDK8S_KUBECTL and MANAGEDK8S_HELM are not set (acceptance-tests/run sets them)",
            );
            return Ok(None);
        };
        // The kubeconfig calls the provider's program for a credential.
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(
            std::iter::once(programs.to_path_buf()).chain(std::env::split_paths(&inherited)),
        )?;
        Ok(Some(Self {
            kubectl,
            helm,
            path,
            kubeconfig,
            key: key.to_owned(),
        }))
    }

    /// The output of `kubectl`, which must succeed.
    ///
    /// # Errors
    ///
    /// What it printed.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.run(&self.kubectl, arguments).await
    }

    /// `kubectl get … -o json`.
    ///
    /// # Errors
    ///
    /// What it printed.
    pub async fn get(&self, arguments: &[&str]) -> Result<Value> {
        let all = [&["get"], arguments, &["--output", "json"]].concat();
        Ok(serde_json::from_str(&self.kubectl(&all).await?)?)
    }

    /// The output of `helm`, which must succeed.
    ///
    /// # Errors
    ///
    /// What it printed.
    pub async fn helm(&self, arguments: &[&str]) -> Result<String> {
        self.run(&self.helm, arguments).await
    }

    async fn run(&self, program: &OsString, arguments: &[&str]) -> Result<String> {
        let output = Command::new(program)
            .args(arguments)
            .env("PATH", &self.path)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("MANAGEDK8S_KEY", &self.key)
            .kill_on_drop(true)
            .output()
            .await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let name = program.to_string_lossy();
        Err(format!(
            "{name} {} failed:\n{}{}",
            arguments.join(" "),
            text(&output.stdout),
            text(&output.stderr)
        )
        .into())
    }
}

/// The folder of the real control plane's programs. `None`, with a line that says so, where it is not told.
pub fn oracles() -> Option<PathBuf> {
    let folder = std::env::var_os("MANAGEDK8S_KUBERNETES_ORACLES");
    if folder.is_none() {
        skipped("MANAGEDK8S_KUBERNETES_ORACLES is not set (acceptance-tests/run sets it)");
    }
    folder.map(PathBuf::from)
}

/// A test that leaves something out says so where people look: past libtest, which shows what a test prints only when it
/// fails.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "PART SKIPPED: {why}");
}
