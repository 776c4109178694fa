//! Names of platforms: cargo's and Go's, by which registries know them.

use std::fmt;
use std::str::FromStr;

/// An operating system and a processor, as Go names them: `linux_amd64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    os: &'static str,
    arch: &'static str,
}

/// What releases are made for: part of cargo's name, Go's name.
const SYSTEMS: [(&str, &str); 4] = [
    ("linux", "linux"),
    ("darwin", "darwin"),
    ("windows", "windows"),
    ("freebsd", "freebsd"),
];
const PROCESSORS: [(&str, &str); 4] = [
    ("x86_64", "amd64"),
    ("aarch64", "arm64"),
    ("i686", "386"),
    ("armv7", "arm"),
];

/// A platform for which no registry has a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no platform of a registry: write linux, darwin, windows or freebsd, then _ and amd64, arm64, 386 or arm"
)]
pub struct NoPlatform(String);

impl Platform {
    /// The platform of a cargo target: `x86_64-unknown-linux-musl` is `linux_amd64`.
    ///
    /// # Errors
    ///
    /// No registry has a name for it.
    pub fn of_target(triple: &str) -> Result<Self, NoPlatform> {
        let os = SYSTEMS.iter().find(|(cargo, _)| triple.contains(cargo));
        let arch = PROCESSORS
            .iter()
            .find(|(cargo, _)| triple.starts_with(cargo));
        match (os, arch) {
            (Some((_, os)), Some((_, arch))) => Ok(Self { os, arch }),
            _ => Err(NoPlatform(triple.to_owned())),
        }
    }

    /// The platform this program runs on.
    ///
    /// # Errors
    ///
    /// No registry has a name for it.
    pub fn host() -> Result<Self, NoPlatform> {
        let os = std::env::consts::OS.replace("macos", "darwin");
        Self::of_target(&format!("{}-{os}", std::env::consts::ARCH))
    }

    /// What the names of executables end in.
    pub fn suffix(self) -> &'static str {
        if self.os == "windows" { ".exe" } else { "" }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.os, self.arch)
    }
}

impl FromStr for Platform {
    type Err = NoPlatform;

    fn from_str(text: &str) -> Result<Self, NoPlatform> {
        let known = |all: &[(&str, &'static str)], name: &str| {
            let found = all.iter().find(|(_, go)| *go == name);
            found.map(|(_, go)| *go)
        };
        text.split_once('_')
            .and_then(|(os, arch)| {
                Some(Self {
                    os: known(&SYSTEMS, os)?,
                    arch: known(&PROCESSORS, arch)?,
                })
            })
            .ok_or_else(|| NoPlatform(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_the_names_of_registries() {
        for (triple, name) in [
            ("x86_64-unknown-linux-musl", "linux_amd64"),
            ("aarch64-unknown-linux-musl", "linux_arm64"),
            ("aarch64-apple-darwin", "darwin_arm64"),
            ("x86_64-pc-windows-msvc", "windows_amd64"),
            ("armv7-unknown-linux-musleabihf", "linux_arm"),
        ] {
            let platform = Platform::of_target(triple).expect("known");
            assert_eq!(platform.to_string(), name);
            assert_eq!(name.parse(), Ok(platform));
        }
        assert!(Platform::of_target("riscv64gc-unknown-linux-gnu").is_err());
        assert!("linux-amd64".parse::<Platform>().is_err());
        assert!(Platform::host().is_ok());
    }
}
