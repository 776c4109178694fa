//! Why a piece of the harness could not do its work.

use std::path::PathBuf;

/// Everything that can go wrong outside the programs under test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program could not be started or waited for.
    #[error("cannot run {program}")]
    Run {
        /// The program's name or path.
        program: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program ended with a failure.
    #[error("{program} failed with {status}:\n{output}")]
    Failed {
        /// The command line.
        program: String,
        /// Its exit status.
        status: String,
        /// What it printed.
        output: String,
    },
    /// A file or folder could not be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A zip could not be written.
    #[error("cannot write {}", path.display())]
    Archive {
        /// The zip.
        path: PathBuf,
        /// What the library said.
        source: zip::result::ZipError,
    },
    /// A signature that the registry would refuse.
    #[error(
        "the key {key} signs with algorithm {}; registries take RSA and DSA keys alone: make one with \
         `gpg --quick-generate-key NAME rsa4096 sign`",
        algorithm.map_or_else(|| "unknown".to_owned(), |number| number.to_string())
    )]
    Key {
        /// The key as it was named.
        key: String,
        /// The number of its algorithm in OpenPGP.
        algorithm: Option<u8>,
    },
    /// The sandbox printed something else than its addresses, or ended first.
    #[error("the sandbox did not become ready: {0}")]
    Sandbox(String),
    /// A program printed JSON that cannot be read.
    #[error("cannot read the output of {program} as JSON")]
    Json {
        /// The command line.
        program: String,
        /// What the parser said.
        source: serde_json::Error,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(crate) fn run(program: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let program = program.into();
        move |source| Self::Run { program, source }
    }
}
