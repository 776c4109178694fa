//! The processes of a control plane.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, ChildStdin, Command};

use super::RealError;

/// Port of the API server on its own loopback address.
pub(super) const API_PORT: u16 = 6443;

/// One running part.
pub(super) struct Part {
    pub name: &'static str,
    pub child: Child,
    log: PathBuf,
    /// Held open: waiting for a child would close it.
    _input: Option<ChildStdin>,
}

impl Part {
    /// Starts `name` of the program. It ends with this value, and with this process however that ends: its standard
    /// input then does.
    pub fn start(
        program: &Path,
        folder: &Path,
        name: &'static str,
        flags: &[String],
    ) -> Result<Self, RealError> {
        let fail = |source| RealError::Start { part: name, source };
        let log = folder.join(format!("{name}.log"));
        let output = std::fs::File::create(&log).map_err(fail)?;
        let mut child = Command::new(program)
            .arg(name)
            .arg("--with-parent=true")
            .args(flags)
            .current_dir(folder)
            .env_clear()
            .env("HOME", folder)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().map_err(fail)?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .map_err(fail)?;
        Ok(Self {
            name,
            _input: child.stdin.take(),
            child,
            log,
        })
    }

    /// Waits for an end that nobody asked for.
    pub async fn ended(&mut self) -> RealError {
        let _ = self.child.wait().await;
        RealError::Ended {
            part: self.name,
            log: self.last_words(),
        }
    }

    /// Ends it and waits for the end.
    pub async fn stop(mut self) {
        let _ = self.child.kill().await;
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

/// The program for a version: that one, or else another patch of its minor, the newest.
pub(super) fn program(folder: &Path, version: &str) -> Result<PathBuf, RealError> {
    let wanted = format!("v{}", version.trim_start_matches('v'));
    let minor = |version: &str| version.split('.').take(2).collect::<Vec<_>>().join(".");
    let patch = |version: &str| -> u32 {
        version
            .split('.')
            .nth(2)
            .and_then(|patch| patch.parse().ok())
            .unwrap_or(0)
    };
    let found = super::programs(folder);
    let exact = found.iter().find(|(version, _)| *version == wanted);
    exact
        .or_else(|| {
            found
                .iter()
                .filter(|(version, _)| minor(version) == minor(&wanted))
                .max_by_key(|(version, _)| patch(version))
        })
        .map(|(_, path)| path.clone())
        .ok_or_else(|| RealError::NoProgram {
            folder: folder.to_owned(),
            version: wanted,
        })
}

#[cfg(test)]
mod tests {
    use super::program;

    #[test]
    fn a_version_is_served_by_its_own_program_or_its_minor() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["kubernetes-v1.36.3", "kubernetes-v1.35.4", "other"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let of = |version: &str| {
            program(folder.path(), version)
                .ok()
                .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        };
        assert_eq!(of("v1.36.3").as_deref(), Some("kubernetes-v1.36.3"));
        assert_eq!(of("1.36.9").as_deref(), Some("kubernetes-v1.36.3"));
        assert_eq!(of("v1.35.4").as_deref(), Some("kubernetes-v1.35.4"));
        assert_eq!(of("v1.34.0"), None);
    }
}
