//! Where the programs under test are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::Error;

/// The folder of this repository's checkout.
pub fn repository() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().nth(2).unwrap_or(here).to_path_buf()
    })
}

/// The programs of this repository.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// `terraform-provider-managedk8s`.
    pub provider: PathBuf,
    /// `sandbox`.
    pub sandbox: PathBuf,
    /// `terraform-provider-corner`, which costs nothing but the framework.
    pub corner: PathBuf,
}

impl Binaries {
    /// Takes them from `MANAGEDK8S_BIN_DIR` when that is set, otherwise builds them with cargo in the profile of the
    /// caller's own binary (found next to it), once a process.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] with cargo's output when the build fails.
    pub fn find() -> Result<Self, Error> {
        static FOUND: OnceLock<Binaries> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found.clone());
        }
        let built = match std::env::var_os("MANAGEDK8S_BIN_DIR") {
            Some(folder) => Self::in_folder(Path::new(&folder)),
            None => Self::build(false)?,
        };
        Ok(FOUND.get_or_init(|| built).clone())
    }

    /// Builds them with cargo; `release` as users get them.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] with cargo's output when the build fails.
    pub fn build(release: bool) -> Result<Self, Error> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(repository()).args([
            "build",
            "--quiet",
            "--package",
            "terraform-provider-managedk8s",
            "--package",
            "sandbox",
            "--package",
            "corner",
        ]);
        if release {
            cargo.arg("--release");
        }
        let output = cargo.output().map_err(Error::run("cargo build"))?;
        if !output.status.success() {
            return Err(Error::Failed {
                program: "cargo build".into(),
                status: output.status.to_string(),
                output: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| repository().join("target"), PathBuf::from);
        Ok(Self::in_folder(&target.join(if release {
            "release"
        } else {
            "debug"
        })))
    }

    fn in_folder(folder: &Path) -> Self {
        let name = |name: &str| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        Self {
            provider: name("terraform-provider-managedk8s"),
            sandbox: name("sandbox"),
            corner: name("terraform-provider-corner"),
        }
    }
}
