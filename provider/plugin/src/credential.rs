//! The program's own commands: keys, and credentials of minutes for kubectl and talosctl.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use product::Birth;
use secret::{ClusterKey, Identity, RootKey};
use talos::{ClusterPki, TalosRole, Validity};

use crate::settings::environment;

/// How long a minted certificate lives.
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// The commands people use; terraform starts the program without any.
#[derive(Parser)]
#[command(name = "terraform-provider-managedk8s", version, about, long_about = None)]
pub struct Arguments {
    /// Serves for a debugger: prints TF_REATTACH_PROVIDERS and waits for Ctrl-C.
    #[arg(long)]
    pub debug: bool,
    /// What to do instead of serving terraform.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// A command.
#[derive(Subcommand)]
pub enum Command {
    /// Makes and narrows the key from which every secret is derived.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Mints a credential of minutes from MANAGEDK8S_KEY or MANAGEDK8S_CLUSTER_KEY.
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Writes a snapshot of a cluster's etcd to a file. Reads the cluster's handle on standard input, as
    /// `terraform output -json` prints it.
    EtcdSnapshot {
        /// The file. Its folder must exist.
        #[arg(long)]
        path: std::path::PathBuf,
        /// Replaces a file that is there.
        #[arg(long)]
        overwrite: bool,
    },
    /// Writes the reference pages of the provider below a folder.
    Docs {
        /// The folder; `docs` of the current one by default.
        #[arg(default_value = "docs")]
        folder: std::path::PathBuf,
        /// Writes nothing and fails when a page differs from what would be written.
        #[arg(long)]
        check: bool,
        /// Where the examples are.
        #[arg(long, default_value = "examples")]
        examples: std::path::PathBuf,
    },
}

/// A command about keys.
#[derive(Subcommand)]
pub enum KeyCommand {
    /// Prints a new root key; keep it like a password, nothing can restore it.
    Generate,
    /// Prints the key of one cluster, for a runner that should not hold the root key (in MANAGEDK8S_KEY).
    Cluster(Target),
}

/// A command that mints.
#[derive(Subcommand)]
pub enum CredentialCommand {
    /// Prints an ExecCredential for kubectl.
    Kubernetes(Target),
    /// Reads a talosconfig without credential on standard input and prints it with one.
    Talosconfig(Target),
}

/// Which cluster. All of it is public and in the cluster's `id` and `handle`.
#[derive(clap::Args)]
pub struct Target {
    /// The tenant that holds the cluster.
    #[arg(long)]
    tenant: String,
    /// The cluster's identifier.
    #[arg(long)]
    identifier: String,
    /// The cluster's birth.
    #[arg(long)]
    birth: String,
}

impl Target {
    fn key(&self) -> Result<ClusterKey, String> {
        let birth = Birth::parse(&self.birth).map_err(|problem| problem.to_string())?;
        let identity = Identity {
            tenant: &self.tenant,
            identifier: &self.identifier,
        };
        if let Some(text) = environment("MANAGEDK8S_KEY") {
            let root = RootKey::parse(&text).map_err(|error| error.to_string())?;
            return Ok(root.cluster_key(birth, &identity));
        }
        let Some(text) = environment("MANAGEDK8S_CLUSTER_KEY") else {
            return Err("neither MANAGEDK8S_KEY nor MANAGEDK8S_CLUSTER_KEY is set: set the key that the cluster was \
                        made with"
                .to_owned());
        };
        let key = ClusterKey::parse(&text).map_err(|error| error.to_string())?;
        if key.birth() != birth {
            return Err(format!(
                "MANAGEDK8S_CLUSTER_KEY is the key of another cluster: it serves birth {}, asked for was {birth}",
                key.birth()
            ));
        }
        Ok(key)
    }

    fn pki(&self) -> Result<(ClusterPki, Validity), String> {
        let now = Timestamp::now();
        let validity = Validity::starting(now, LIFETIME).map_err(|error| error.to_string())?;
        // The dates of the authorities do not matter for signing: verifiers hold the stored certificates.
        let pki = ClusterPki::derive(&self.key()?, now).map_err(|error| error.to_string())?;
        Ok((pki, validity))
    }
}

/// Runs a command: its output on standard output, or one sentence on standard error.
pub fn run(command: &Command) -> ExitCode {
    let result = match command {
        Command::Key(KeyCommand::Generate) => RootKey::generate()
            .map(|key| format!("{}\n", key.to_text().expose_secret()))
            .map_err(|error| error.to_string()),
        Command::Key(KeyCommand::Cluster(target)) => target
            .key()
            .map(|key| format!("{}\n", key.to_text().expose_secret())),
        Command::Credential(CredentialCommand::Kubernetes(target)) => kubernetes(target),
        Command::Credential(CredentialCommand::Talosconfig(target)) => talosconfig(target),
        Command::EtcdSnapshot { path, overwrite } => crate::actions::run(path, *overwrite),
        Command::Docs {
            folder,
            check,
            examples,
        } => crate::docs::run(folder, examples, *check),
    };
    let written = result.and_then(|text| {
        std::io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| format!("cannot write: {error}"))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // A failed write to standard error leaves nobody to tell.
            let _ = writeln!(
                std::io::stderr(),
                "terraform-provider-managedk8s: {message}"
            );
            ExitCode::FAILURE
        }
    }
}

fn kubernetes(target: &Target) -> Result<String, String> {
    let (pki, validity) = target.pki()?;
    let credential = pki
        .kubernetes_client("admin", &["system:masters".to_owned()], validity)
        .map_err(|error| error.to_string())?;
    Ok(talos::access::exec_credential(&credential)
        .expose_secret()
        .to_owned())
}

fn talosconfig(target: &Target) -> Result<String, String> {
    let mut public = String::new();
    std::io::stdin()
        .read_to_string(&mut public)
        .map_err(|error| format!("cannot read standard input: {error}"))?;
    let (pki, validity) = target.pki()?;
    let credential = pki
        .talos_client(TalosRole::Admin, validity)
        .map_err(|error| error.to_string())?;
    let text = talos::access::complete_talosconfig(&public, &credential)?;
    Ok(text.expose_secret().to_owned())
}
