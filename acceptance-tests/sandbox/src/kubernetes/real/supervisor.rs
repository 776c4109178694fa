//! The task of one control plane: starts its parts, tells it what happens to machines, ends it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::client::{APPLY, Api, Credential};
use super::machines::{self, Machines};
use super::process::{self, Part};
use super::{Order, Real, RealError, Spec, files, kubelets, manifests};

/// How often it looks for networks that came up.
const LOOK: Duration = Duration::from_millis(250);
/// How often kubelets look at their pods again.
const RELIST: Duration = Duration::from_secs(5);
/// How often an order is tried before it is given up.
const TRIES: u32 = 20;

/// What makes one control plane another: its version, its files, the flags of its parts.
#[derive(Clone, PartialEq)]
struct Shape {
    version: String,
    files: Vec<(&'static str, String)>,
    flags: [Vec<String>; 3],
}

struct Supervisor {
    real: Arc<Real>,
    spec: Spec,
    /// What each member last said.
    said: BTreeMap<String, Shape>,
    folder: PathBuf,
    /// Where what is dialled in the cluster goes.
    socket: PathBuf,
    parts: Vec<Part>,
    ready: watch::Sender<bool>,
    machines: Machines,
    admin: Api,
}

/// Runs a control plane until its token is cancelled, or one of its parts ends by itself.
pub(super) async fn run(
    real: Arc<Real>,
    spec: Spec,
    orders: mpsc::UnboundedReceiver<Order>,
    ready: watch::Sender<bool>,
) -> Result<(), RealError> {
    let stop = real.stop.clone();
    // Of no use once this ends.
    let temporary = tempfile::tempdir().map_err(|source| RealError::Write {
        path: std::env::temp_dir(),
        source,
    })?;
    // Of a short path whatever the folder is: a socket's has a limit of some hundred bytes.
    let socket = temporary.path().join("egress");
    kubelets::serve(&socket, &spec.settings, stop.child_token())?;
    let folder = real.place.folder.clone();
    let folder = folder.unwrap_or_else(|| temporary.path().to_owned());
    let name = spec.settings.cluster_name.clone();
    let leaf = files::client(&spec, "admin", "system:masters")?;
    let admin = Api::new(&spec, real.place.address, &Credential::Certificate(&leaf))?;
    let mut supervisor = Supervisor {
        real,
        spec,
        said: BTreeMap::new(),
        folder,
        socket,
        parts: Vec::new(),
        ready,
        machines: Machines::default(),
        admin,
    };
    let outcome = tokio::select! {
        () = stop.cancelled() => Ok(()),
        outcome = supervisor.work(orders) => outcome,
    };
    supervisor.end().await;
    if supervisor.real.forgotten.load(Ordering::Acquire) {
        // What stays would be empty of meaning.
        let _ = std::fs::remove_dir_all(&supervisor.folder);
    }
    if let Err(error) = &outcome {
        report(&name, error);
    }
    outcome
}

fn report(cluster: &str, error: &RealError) {
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    tracing::error!(cluster, "{error}{cause}");
}

impl Supervisor {
    async fn end(&mut self) {
        self.ready.send_replace(false);
        // The server goes last: the others would fill the log.
        while let Some(part) = self.parts.pop() {
            part.stop().await;
        }
    }

    /// Starts everything; returns when the API answers.
    async fn start(&mut self) -> Result<(), RealError> {
        let address = self.real.place.address;
        let names = self.real.names();
        files::all(&self.folder, &self.spec, address, &names, &self.socket)?;
        let program = process::program(
            &self.real.place.oracles,
            &self.spec.settings.kubernetes_version,
        )?;
        let start = |name, flags: Vec<String>| Part::start(&program, &self.folder, name, &flags);
        let mut server = start(
            "kube-apiserver",
            self.spec.api_server(&self.folder, address),
        )?;
        tokio::select! {
            error = server.ended() => return Err(error),
            () = answers(&self.admin) => {}
        }
        self.parts.push(server);
        for (path, object) in manifests::all(&self.spec) {
            let path = format!("{path}?fieldManager=talos&force=true");
            self.admin.patch(&path, APPLY, &object).await?;
        }
        self.parts.push(start(
            "kube-controller-manager",
            self.spec.controllers(&self.folder),
        )?);
        self.parts
            .push(start("kube-scheduler", self.spec.scheduler(&self.folder))?);
        self.parts
            .push(start("kwok", Spec::kubelets(&self.folder))?);
        Ok(())
    }

    async fn work(&mut self, mut orders: mpsc::UnboundedReceiver<Order>) -> Result<(), RealError> {
        self.start().await?;
        // Of an earlier sandbox on the same data: no kubelet runs yet.
        machines::all_down(&self.admin).await?;
        self.ready.send_replace(true);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut relist = tokio::time::interval(RELIST);
        relist.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(&order).await?,
                    None => std::future::pending().await,
                },
                _ = look.tick() => {
                    if let Err(error) = self.machines.networks(&self.admin).await {
                        report(&self.spec.settings.cluster_name, &error);
                    }
                }
                _ = relist.tick() => {
                    if let Err(error) = self.machines.relist(&self.admin).await {
                        report(&self.spec.settings.cluster_name, &error);
                    }
                }
                error = first_end(&mut self.parts) => return Err(error),
            }
        }
    }

    async fn obey(&mut self, order: &Order) -> Result<(), RealError> {
        for attempt in 1..=TRIES {
            let done = match order {
                Order::Up(machine) => {
                    let said = self.said.get(&machine.name);
                    let version =
                        said.map_or(&self.spec.settings.kubernetes_version, |said| &said.version);
                    self.machines
                        .up(
                            &self.admin,
                            &self.spec,
                            self.real.place.address,
                            machine,
                            version,
                        )
                        .await
                }
                Order::Down(name) => self.machines.down(&self.admin, name).await,
                Order::Names => files::serving(
                    &self.folder,
                    &self.spec,
                    self.real.place.address,
                    &self.real.names(),
                ),
                Order::Configure(member, spec) => return self.configure(member, spec).await,
            };
            match done {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if attempt == TRIES || attempt == 1 {
                        report(&self.spec.settings.cluster_name, &error);
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        Ok(())
    }

    /// A member says what it runs. It counts when it is new: to this member, or to everybody when it had said nothing. So
    /// a member that is behind in a rolling change does not undo it when it reboots.
    async fn configure(&mut self, member: &str, spec: &Spec) -> Result<(), RealError> {
        let mut spec = spec.clone();
        // Members come one by one; the first one's address stays.
        spec.settings
            .control_plane_addresses
            .clone_from(&self.spec.settings.control_plane_addresses);
        let (now, said) = (self.shape(&self.spec), self.shape(&spec));
        let fresh = match self.said.insert(member.to_owned(), said.clone()) {
            Some(before) => before != said,
            None => !self
                .said
                .iter()
                .any(|(other, shape)| other != member && *shape == said),
        };
        if !fresh || said == now {
            return Ok(());
        }
        self.spec = spec;
        self.end().await;
        self.start().await?;
        self.ready.send_replace(true);
        Ok(())
    }

    fn shape(&self, spec: &Spec) -> Shape {
        let address = self.real.place.address;
        Shape {
            version: spec.settings.kubernetes_version.clone(),
            files: spec.files(),
            flags: [
                spec.api_server(&self.folder, address),
                spec.controllers(&self.folder),
                spec.scheduler(&self.folder),
            ],
        }
    }
}

/// Returns when the API is ready.
async fn answers(admin: &Api) {
    loop {
        if let Ok(answer) = admin.get("/readyz").await
            && answer.code == 200
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn first_end(parts: &mut [Part]) -> RealError {
    let ends = parts.iter_mut().map(|part| Box::pin(part.ended()));
    futures::future::select_all(ends).await.0
}
