//! `managedk8s_etcd_snapshot`: a snapshot of etcd in a file, as an action and as a command.
//!
//! It needs the machine API of one control plane alone: it works while the cloud's API or Kubernetes is down.

use std::io::Read as _;
use std::path::Path as FilePath;
use std::sync::atomic::Ordering;
use std::time::Duration;

use framework::{
    Action, Attribute, Diagnostics, Dynamic, FromValue, InvokeRequest, Outcome, Path, Progress,
    Schema, ToValue, Value, async_trait, validators,
};
use lifecycle::ports::Access as _;
use lifecycle::run::etcd_snapshot;
use talos::ClusterPki;
use transport::{CancellationToken, chain};

use super::file::NewFile;
use crate::clients::Data;
use crate::handle::{Handle, handle_type};
use crate::problems::error;
use crate::settings::{self, Settings};

/// How often a long snapshot tells how far it is.
const TELL: Duration = Duration::from_secs(2);

/// `managedk8s_etcd_snapshot`.
pub struct EtcdSnapshot;

#[derive(FromValue, ToValue)]
struct Config {
    cluster: Dynamic,
    path: String,
    overwrite: Value<bool>,
}

#[async_trait]
impl Action<Data> for EtcdSnapshot {
    fn type_name(&self) -> &'static str {
        "managedk8s_etcd_snapshot"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "Writes a snapshot of a cluster's etcd to a file on the machine that runs terraform, from the first control \
             plane whose etcd runs, and compares its checksum. Neither the cloud's API nor Kubernetes has to answer.\n\n\
             The snapshot holds every Secret of the cluster in clear unless etcd encrypts it: the file is readable for its \
             owner alone (mode 0600). It is there whole or not at all.\n\n\
             Actions need Terraform 1.14. Older versions and OpenTofu use the command of the same name, which reads the \
             handle: `terraform output -json handle | terraform-provider-managedk8s etcd-snapshot --path etcd.db`.",
        )
        .attributes([
            (
                "cluster",
                Attribute::new(handle_type(), "The `handle` of a `managedk8s_cluster`.").required(),
            ),
            (
                "path",
                Attribute::string("The file. Its folder must exist.")
                    .required()
                    .validate(validators::length_between(1, 4096)),
            ),
            (
                "overwrite",
                Attribute::bool("Whether a file that is there is replaced; by default it is an error.").optional(),
            ),
        ])
    }

    async fn invoke(
        &self,
        request: InvokeRequest<Data>,
        progress: Progress,
        _: &mut Diagnostics,
    ) -> Outcome {
        let config: Config = request.config.get()?;
        let handle = Handle::read(&config.cluster)?;
        let job = Job {
            data: &request.data,
            handle: &handle,
            path: FilePath::new(&config.path),
            overwrite: config.overwrite == Value::Known(true),
        };
        job.run(&progress, &request.cancel).await
    }
}

/// Who hears how far it is.
trait Listener: Sync {
    fn hear(&self, line: String) -> impl Future<Output = ()> + Send;
}

impl Listener for Progress {
    async fn hear(&self, line: String) {
        self.report(line).await;
    }
}

/// Standard error, for the command.
struct Terminal;

impl Listener for Terminal {
    async fn hear(&self, line: String) {
        use std::io::Write as _;
        // Without a reader the snapshot is still worth having.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

struct Job<'a> {
    data: &'a Data,
    handle: &'a Handle,
    path: &'a FilePath,
    overwrite: bool,
}

impl Job<'_> {
    async fn run(&self, listener: &impl Listener, cancel: &CancellationToken) -> Outcome {
        if !self.overwrite && self.path.exists() {
            return Err(self.exists());
        }
        let cluster = self.handle.cluster()?;
        let pki = self.pki()?;
        let nodes = self.data.access()?.nodes(&pki).map_err(error)?;
        let mut file = NewFile::create(self.path)
            .await
            .map_err(|failure| self.unwritable(&failure))?;
        let received = file.counter();
        let (choose, chosen) = tokio::sync::oneshot::channel();
        let members = cluster.control_plane_addresses();
        let chosen_by = |node| {
            // Whoever tells of it lives as long as the work.
            let _ = choose.send(node);
        };
        let taken = {
            let work = etcd_snapshot(nodes.as_ref(), &members, &mut file, chosen_by, cancel);
            let tell = async {
                if let Ok(node) = chosen.await {
                    let identifier = &self.handle.identifier;
                    listener
                        .hear(format!("{identifier}: reading etcd from {node}"))
                        .await;
                }
                loop {
                    tokio::time::sleep(TELL).await;
                    let bytes = received.load(Ordering::Relaxed);
                    listener.hear(format!("{} received", size(bytes))).await;
                }
            };
            tokio::select! {
                biased;
                never = tell => never,
                taken = work => taken,
            }
            .map_err(error)?
        };
        let written = file
            .keep(self.overwrite)
            .await
            .map_err(|failure| match failure.kind() {
                std::io::ErrorKind::AlreadyExists => self.exists(),
                _ => self.unwritable(&failure),
            })?;
        let path = self.path.display();
        listener
            .hear(format!(
                "{path}: {} bytes, sha256 {}",
                taken.bytes, written.sha256
            ))
            .await;
        Ok(())
    }

    fn pki(&self) -> Result<ClusterPki, Diagnostics> {
        let key = self.data.cluster_key(self.handle)?;
        let stored = self.handle.cluster()?.cas.into();
        ClusterPki::from_stored_cas(&key, &stored).map_err(|failure| {
            Diagnostics::one_error("cannot derive the cluster's certificates", chain(&failure))
        })
    }

    fn exists(&self) -> Diagnostics {
        Diagnostics::one_error_at(
            Path::of("path"),
            "the file exists",
            format!(
                "Seen: {}\nAllowed: a path where nothing is, or overwrite = true\nChoose another path, for example with the \
                 time in it.",
                self.path.display()
            ),
        )
    }

    fn unwritable(&self, failure: &std::io::Error) -> Diagnostics {
        Diagnostics::one_error_at(
            Path::of("path"),
            "the file cannot be written",
            format!(
                "Seen: {}: {failure}\nAllowed: a file in a folder that exists and can be written to\nMake the folder, or \
                 choose another path.",
                self.path.display()
            ),
        )
    }
}

/// A size for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// The command: reads the handle as JSON on standard input.
///
/// # Errors
///
/// What stops the snapshot, as a text.
pub fn run(path: &FilePath, overwrite: bool) -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|failure| format!("cannot read standard input: {failure}"))?;
    let handle = handle(&text)?;
    let config = Dynamic::object(
        settings::schema()
            .members()
            .iter()
            .map(|(name, _)| (name, Dynamic::Null)),
    );
    let settings =
        Settings::read(&config, &settings::environment).map_err(|errors| words(&errors))?;
    let data = Data::new(settings);
    let job = Job {
        data: &data,
        handle: &handle,
        path,
        overwrite,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|failure| format!("cannot start: {failure}"))?;
    runtime.block_on(async {
        let cancel = CancellationToken::new();
        let work = job.run(&Terminal, &cancel);
        tokio::pin!(work);
        let done = tokio::select! {
            done = &mut work => done,
            // What was begun is taken away before the program ends.
            _ = tokio::signal::ctrl_c() => {
                cancel.cancel();
                work.await
            }
        };
        done.map(|()| String::new())
            .map_err(|errors| words(&errors))
    })
}

/// The handle as `terraform output -json` prints it.
fn handle(text: &str) -> Result<Handle, String> {
    const EXPECTED: &str = "standard input is not the handle of a cluster; pipe `terraform output -json NAME` of an output whose \
                            value is the handle";
    let value = framework::wire::from_json(text.as_bytes(), &handle_type())
        .map_err(|failure| format!("{EXPECTED}: {failure}"))?;
    Handle::read(&value).map_err(|errors| format!("{EXPECTED}: {}", words(&errors)))
}

fn words(errors: &Diagnostics) -> String {
    let all: Vec<String> = errors
        .iter()
        .map(|one| format!("{}\n{}", one.summary, one.detail))
        .collect();
    all.join("\n")
}
