//! A release as the registries of Terraform and OpenTofu want it: a zip for each platform, a manifest, checksums over
//! both, and a signature of the checksums.

mod platform;
mod signature;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::{Error, repository};

pub use platform::Platform;

/// What a registry tells clients of the protocol; without it they are told 5.0.
const MANIFEST: &str =
    "{\n  \"version\": 1,\n  \"metadata\": {\n    \"protocol_versions\": [\"6.0\"]\n  }\n}\n";

/// A release of a provider.
#[derive(Clone, Debug)]
pub struct Release {
    /// The provider's type: `managedk8s`.
    pub provider: String,
    /// Its version, without `v`.
    pub version: String,
    /// Its executables.
    pub binaries: BTreeMap<Platform, PathBuf>,
    /// The key of gpg that signs the checksums, as gpg names it: a fingerprint or an address. Without it nothing is signed.
    pub sign_with: Option<String>,
}

impl Release {
    /// Writes everything into a folder, which is made when it is absent; returns the files in the order they were written.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when something cannot be read or written, [`Error::Archive`] when a zip cannot be made,
    /// [`Error::Run`], [`Error::Failed`] and [`Error::Key`] when the checksums cannot be signed.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
        let mut files = Vec::new();
        for (platform, binary) in &self.binaries {
            let path = folder.join(self.name(&format!("{platform}.zip")));
            self.pack(*platform, binary, &path)?;
            files.push(path);
        }
        let manifest = folder.join(self.name("manifest.json"));
        std::fs::write(&manifest, MANIFEST).map_err(Error::file(&manifest))?;
        files.push(manifest);
        let sums = folder.join(self.name("SHA256SUMS"));
        std::fs::write(&sums, checksums(&files)?).map_err(Error::file(&sums))?;
        files.push(sums.clone());
        if let Some(key) = &self.sign_with {
            files.push(signature::sign(&sums, key)?);
        }
        Ok(files)
    }

    /// `terraform-provider-managedk8s_1.2.3_` and what comes behind it.
    fn name(&self, rest: &str) -> String {
        format!(
            "terraform-provider-{}_{}_{rest}",
            self.provider, self.version
        )
    }

    /// One executable of the name that installers look for, and the licence. Nothing in it depends on the day, so that
    /// equal binaries make equal archives.
    fn pack(&self, platform: Platform, binary: &Path, path: &Path) -> Result<(), Error> {
        let executable = format!(
            "terraform-provider-{}_v{}{}",
            self.provider,
            self.version,
            platform.suffix()
        );
        let file = File::create(path).map_err(Error::file(path))?;
        let mut zip = ZipWriter::new(BufWriter::new(file));
        let failed = |source| Error::Archive {
            path: path.to_path_buf(),
            source,
        };
        let licence = repository().join("LICENSE");
        for (name, source, mode) in [
            ("LICENSE", licence.as_path(), 0o644),
            (executable.as_str(), binary, 0o755),
        ] {
            let mut source_file = File::open(source).map_err(Error::file(source))?;
            let options = SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Deflated)
                .unix_permissions(mode);
            zip.start_file(name, options).map_err(failed)?;
            io::copy(&mut source_file, &mut zip).map_err(Error::file(source))?;
        }
        zip.finish().map_err(failed)?;
        Ok(())
    }
}

/// A line for each file, sorted by name, as `sha256sum` writes and checks them.
fn checksums(files: &[PathBuf]) -> Result<String, Error> {
    let mut lines = Vec::new();
    for path in files {
        let bytes = std::fs::read(path).map_err(Error::file(path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        lines.push((name, hex::encode(Sha256::digest(&bytes))));
    }
    lines.sort();
    let mut text = String::new();
    for (name, hash) in lines {
        text.extend([hash.as_str(), "  ", &name, "\n"]);
    }
    Ok(text)
}
