//! The real `terraform`, in a folder of its own, with the provider installed from a local mirror.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::{Binaries, Error};

/// The source address `managedk8s/managedk8s` of the examples with the default host of each program that reads it:
/// terraform's, then OpenTofu's.
const PROVIDER_ADDRESSES: [&str; 2] = [
    "registry.terraform.io/managedk8s/managedk8s",
    "registry.opentofu.org/managedk8s/managedk8s",
];

/// One finished command.
#[derive(Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub command: String,
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

impl Finished {
    /// Both outputs, for messages and searches.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The text with terraform's box drawing and line breaks folded into single spaces, so that a search does not
    /// depend on where terraform wraps a message.
    pub fn words(&self) -> String {
        self.text()
            .split(|c: char| c.is_whitespace() || matches!(c, '│' | '╷' | '╵'))
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Itself when the exit code is `code`.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] with everything that was printed.
    pub fn expect_code(self, code: i32) -> Result<Self, Error> {
        if self.code == code {
            return Ok(self);
        }
        Err(Error::Failed {
            program: self.command.clone(),
            status: format!("exit code {} where {code} was expected", self.code),
            output: self.text(),
        })
    }
}

/// A working folder with a configuration, a state and an environment. Nothing of the caller's own terraform settings
/// reaches it.
#[derive(Debug)]
pub struct Terraform {
    folder: PathBuf,
    program: OsString,
    environment: BTreeMap<String, OsString>,
}

impl Terraform {
    /// A working folder `folder` (made when absent) in which the provider of `binaries` is found without a registry.
    /// `MANAGEDK8S_TERRAFORM` names another program than `terraform`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the folder or its files cannot be written.
    pub fn new(folder: impl Into<PathBuf>, binaries: &Binaries) -> Result<Self, Error> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let mirror = folder.join(".mirror");
        for address in PROVIDER_ADDRESSES {
            install(&mirror, address, &binaries.provider)?;
        }
        let settings = settings(&folder, &mirror)?;
        let mut environment = BTreeMap::new();
        environment.insert("TF_CLI_CONFIG_FILE".to_owned(), settings.into_os_string());
        // Charts are kept with the test, not with the user.
        environment.insert(
            "MANAGEDK8S_CACHE_DIR".to_owned(),
            folder.join(".cache").into_os_string(),
        );
        for (name, value) in [
            ("CHECKPOINT_DISABLE", "1"),
            ("TF_IN_AUTOMATION", "1"),
            ("TF_INPUT", "0"),
        ] {
            environment.insert(name.to_owned(), value.into());
        }
        let program =
            std::env::var_os("MANAGEDK8S_TERRAFORM").unwrap_or_else(|| OsString::from("terraform"));
        Ok(Self {
            folder,
            program,
            environment,
        })
    }

    /// Installs another provider, by its source address with host.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when its file cannot be laid out.
    pub fn install(&self, address: &str, provider: &Path) -> Result<(), Error> {
        install(&self.folder.join(".mirror"), address, provider)
    }

    /// Installs from a mirror of the caller's own, and from nowhere else.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the settings cannot be written.
    pub fn mirror(&self, mirror: &Path) -> Result<(), Error> {
        settings(&self.folder, mirror).map(drop)
    }

    /// The working folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sets a variable of the environment of every later command.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<OsString>) -> &mut Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Writes a file of the configuration.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).map_err(Error::file(path))
    }

    /// Copies every `.tf` file of an example into the working folder.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when one cannot be read or written.
    pub fn copy_example(&self, example: &Path) -> Result<(), Error> {
        for entry in std::fs::read_dir(example).map_err(Error::file(example))? {
            let path = entry.map_err(Error::file(example))?.path();
            if path.extension().is_some_and(|extension| extension == "tf") {
                let name = path.file_name().unwrap_or_default();
                std::fs::copy(&path, self.folder.join(name)).map_err(Error::file(&path))?;
            }
        }
        Ok(())
    }

    /// The command with its environment, not started: for tests that signal or watch it.
    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.folder)
            .args(arguments)
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let inherited = name.to_string_lossy();
            if ["TF_", "CLOUDTEMPLE_", "MANAGEDK8S_"]
                .iter()
                .any(|prefix| inherited.starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
        command.envs(&self.environment).kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] when terraform cannot be started; a failure of terraform itself is in the result.
    pub async fn run<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Finished, Error> {
        let arguments: Vec<&str> = arguments.into_iter().collect();
        let command = format!("terraform {}", arguments.join(" "));
        let output = self
            .command(arguments)
            .output()
            .await
            .map_err(Error::run(command.clone()))?;
        Ok(Finished {
            command,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// `terraform init`.
    ///
    /// # Errors
    ///
    /// As [`Self::run`], and [`Error::Failed`] when it does not succeed.
    pub async fn init(&self) -> Result<Finished, Error> {
        self.run(["init", "-no-color"]).await?.expect_code(0)
    }

    /// `terraform apply -auto-approve`.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub async fn apply(&self) -> Result<Finished, Error> {
        self.run(["apply", "-auto-approve", "-no-color"]).await
    }

    /// `terraform plan -detailed-exitcode`: 0 empty, 1 error, 2 changes.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub async fn plan(&self) -> Result<Finished, Error> {
        self.run(["plan", "-detailed-exitcode", "-no-color"]).await
    }

    /// `terraform destroy -auto-approve`.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub async fn destroy(&self) -> Result<Finished, Error> {
        self.run(["destroy", "-auto-approve", "-no-color"]).await
    }

    /// `terraform show -json` of the state, or of a saved plan.
    ///
    /// # Errors
    ///
    /// As [`Self::run`], [`Error::Failed`] when it does not succeed, [`Error::Json`] when its output is none.
    pub async fn show(&self, plan: Option<&str>) -> Result<serde_json::Value, Error> {
        let finished = self
            .run(["show", "-json"].into_iter().chain(plan))
            .await?
            .expect_code(0)?;
        serde_json::from_str(&finished.stdout).map_err(|source| Error::Json {
            program: finished.command,
            source,
        })
    }
}

/// Writes the settings that let terraform install from one mirror alone.
fn settings(folder: &Path, mirror: &Path) -> Result<PathBuf, Error> {
    let settings = folder.join(".terraformrc");
    let text = format!(
        "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
        mirror.display()
    );
    std::fs::write(&settings, text).map_err(Error::file(&settings))?;
    Ok(settings)
}

/// Lays the provider out as a filesystem mirror. A link, not a copy: the debug binary is large, and every test has a
/// mirror of its own.
fn install(mirror: &Path, address: &str, provider: &Path) -> Result<(), Error> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let platform = format!(
        "{}_{architecture}",
        std::env::consts::OS.replace("macos", "darwin")
    );
    let version = env!("CARGO_PKG_VERSION");
    let (_, name) = address.rsplit_once('/').unwrap_or(("", address));
    let name = format!(
        "terraform-provider-{name}_v{version}{}",
        std::env::consts::EXE_SUFFIX
    );
    let folder = mirror.join(address).join(version).join(&platform);
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    let target = folder.join(&name);
    if target.exists() {
        std::fs::remove_file(&target).map_err(Error::file(&target))?;
    }
    std::fs::hard_link(provider, &target)
        .or_else(|_| std::fs::copy(provider, &target).map(|_| ()))
        .map_err(Error::file(provider))
}
