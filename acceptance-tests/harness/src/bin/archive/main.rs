//! `cargo archive`: makes a release of the provider as registries want it. It builds the provider for each target, or
//! takes executables that were built elsewhere, and writes zips, manifest, checksums and, with a key, their signature.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use harness::{Platform, Release, repository};

const PACKAGE: &str = "terraform-provider-managedk8s";

/// Makes a release of the provider: zips, manifest, checksums, signature.
#[derive(Debug, Parser)]
#[command(name = "cargo archive", version)]
struct Options {
    /// Build for this target, such as x86_64-unknown-linux-musl; may be repeated. Without targets and binaries: for this
    /// machine
    #[arg(long, value_name = "TRIPLE")]
    target: Vec<String>,
    /// Take this executable, such as `darwin_arm64=path`; may be repeated
    #[arg(long, value_name = "OS_ARCH=FILE", value_parser = binary)]
    binary: Vec<(Platform, PathBuf)>,
    /// Sign the checksums with this key of gpg (RSA or DSA), named by fingerprint or address
    #[arg(long, value_name = "KEY")]
    sign_with: Option<String>,
    /// Where to write
    #[arg(long, value_name = "FOLDER", default_value = "target/archive")]
    output: PathBuf,
}

fn binary(text: &str) -> Result<(Platform, PathBuf), String> {
    let (platform, path) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not of the form linux_amd64=FILE"))?;
    let platform = platform.parse().map_err(|error| format!("{error}"))?;
    Ok((platform, PathBuf::from(path)))
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut binaries: BTreeMap<_, _> = options.binary.into_iter().collect();
    for triple in &options.target {
        binaries.insert(Platform::of_target(triple)?, build(Some(triple))?);
    }
    if binaries.is_empty() {
        binaries.insert(Platform::host()?, build(None)?);
    }
    let release = Release {
        provider: "managedk8s".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        binaries,
        sign_with: options.sign_with,
    };
    for file in release.write(&options.output)? {
        eprintln!("{}", file.display());
    }
    Ok(())
}

/// Builds the provider as users get it.
fn build(target: Option<&str>) -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(repository())
        .args(["build", "--release", "--package", PACKAGE]);
    let mut folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository().join("target"), PathBuf::from);
    let mut suffix = std::env::consts::EXE_SUFFIX;
    if let Some(target) = target {
        cargo.args(["--target", target]);
        folder.push(target);
        suffix = Platform::of_target(target)?.suffix();
    }
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("cargo build ended with {status}").into());
    }
    Ok(folder.join("release").join(format!("{PACKAGE}{suffix}")))
}
