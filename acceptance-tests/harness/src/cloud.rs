//! The sandbox as a process of its own, as users and CI runners meet it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{Binaries, Error, Terraform};

/// A running sandbox; it ends with this value.
#[derive(Debug)]
pub struct Cloud {
    child: Child,
    ready: serde_json::Value,
    log: PathBuf,
}

impl Cloud {
    /// Starts the sandbox with `arguments` (see `sandbox --help`) and waits for the line that tells its addresses. Its
    /// log goes to `log`.
    ///
    /// # Errors
    ///
    /// [`Error::Sandbox`] with the end of its log when it ends before it is ready.
    pub async fn start<'a>(
        binaries: &Binaries,
        log: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Error> {
        let log = log.into();
        let stderr = std::fs::File::create(&log).map_err(Error::file(&log))?;
        let program = binaries.sandbox.display().to_string();
        let mut child = Command::new(&binaries.sandbox)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::run(program.clone()))?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| Error::Sandbox("no standard output".into()))?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines
            .next_line()
            .await
            .map_err(Error::run(program.clone()))?;
        let Some(line) = line else {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(Error::Sandbox(text));
        };
        let ready =
            serde_json::from_str(&line).map_err(|source| Error::Json { program, source })?;
        Ok(Self { child, ready, log })
    }

    /// One of the addresses the sandbox announced, `""` when it announced none of that name.
    pub fn address(&self, name: &str) -> &str {
        self.ready
            .get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
    }

    /// The whole line the sandbox announced itself with.
    pub fn ready(&self) -> &serde_json::Value {
        &self.ready
    }

    /// The file that holds the sandbox's log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The settings of the provider that reach this sandbox, as environment variables.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("CLOUDTEMPLE_HTTP_ADDR", self.address("api").into()),
            ("CLOUDTEMPLE_CLIENT_ID", self.address("client_id").into()),
            ("CLOUDTEMPLE_SECRET_ID", self.address("secret_id").into()),
            ("MANAGEDK8S_PROXY_URL", self.address("proxy").into()),
            ("MANAGEDK8S_CHART_MIRROR", self.address("charts").into()),
        ]
    }

    /// Gives `terraform` the settings of this sandbox and the key `key`.
    pub fn connect(&self, terraform: &mut Terraform, key: &str) {
        for (name, value) in self.environment() {
            terraform.env(name, value);
        }
        terraform.env("MANAGEDK8S_KEY", key);
    }

    /// Stops the sandbox and waits for its end.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] when the process cannot be ended.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.child.kill().await.map_err(Error::run("sandbox"))
    }
}
