//! The sandbox as a process of its own, as users and CI runners meet it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use sandbox::Addresses;
use sandbox::admin::Client;

use crate::{Binaries, Error, Terraform};

/// A running sandbox; it ends with this value.
#[derive(Debug)]
pub struct Cloud {
    child: Child,
    /// Where everything is.
    pub addresses: Addresses,
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
            // It ends with this process, however this one ends.
            .arg("--until-stdin-ends")
            .args(arguments)
            .stdin(Stdio::piped())
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
        let addresses =
            serde_json::from_str(&line).map_err(|source| Error::Json { program, source })?;
        Ok(Self {
            child,
            addresses,
            log,
        })
    }

    /// The admin endpoint: inventory, faults, what happens from outside.
    pub fn admin(&self) -> Client {
        Client::new(&self.addresses.admin)
    }

    /// The file that holds the sandbox's log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The settings of the provider that reach this sandbox, as environment variables.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let Addresses {
            api,
            api_scheme,
            client_id,
            client_secret,
            proxy,
            charts,
            ..
        } = &self.addresses;
        vec![
            ("CLOUDTEMPLE_HTTP_ADDR", api.into()),
            ("CLOUDTEMPLE_HTTP_SCHEME", api_scheme.into()),
            ("CLOUDTEMPLE_CLIENT_ID", client_id.into()),
            ("CLOUDTEMPLE_SECRET_ID", client_secret.into()),
            ("MANAGEDK8S_PROXY_URL", proxy.into()),
            ("MANAGEDK8S_CHART_MIRROR", charts.into()),
            // The sandbox has no gateway that counts requests.
            ("MANAGEDK8S_REQUESTS_PER_SECOND", "1000".into()),
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
