//! All machines that are powered on, and the clusters that they make.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

use super::config::{MachineConfig, Role};
use super::machine::{EtcdPhase, Machine, Stage};
use super::model::{EtcdCluster, EtcdData, EtcdMember};
use crate::admin::{AddressView, NodeView};
use crate::config::KubernetesKind;
use crate::kubernetes::real::{Place, Real};
use crate::kubernetes::{ApiServer, Authority, ControlPlane, Delays, Settings};
use crate::openiaas::model::{Cloud, Power, new_id};
use crate::world::World;

/// The Kubernetes side of an etcd cluster.
#[derive(Clone)]
pub struct Kubernetes {
    /// The API.
    pub api: ControlPlane,
    /// Certificate of its authority: kubelets trust only this.
    pub authority: String,
    /// Bootstrap token that kubelets come with.
    pub token: String,
}

/// All machines of a sandbox. Its locks are taken after that of the cloud, never before.
pub struct Nodes {
    prefix: u8,
    machines: Mutex<BTreeMap<String, Arc<Machine>>>,
    consoles: Mutex<BTreeMap<String, VecDeque<String>>>,
    clusters: Mutex<BTreeMap<String, Kubernetes>>,
    /// The node and the cluster of each kubelet that has registered, by VM.
    kubelets: Mutex<BTreeMap<String, (String, ControlPlane)>>,
    /// Rings when something changes that other machines wait for.
    pub bell: watch::Sender<u64>,
    tasks: TaskTracker,
    /// Counts real control planes: each has an address of its own.
    planes: AtomicU8,
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Nodes")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fingerprint of an authority: nodes of one etcd share it.
pub fn fingerprint(pem: &str) -> String {
    hex::encode(Sha256::digest(pem.trim()))
}

impl Nodes {
    /// No machine yet; loopback addresses begin with `127.<prefix>`.
    pub fn new(prefix: u8) -> Self {
        Self {
            prefix,
            machines: Mutex::default(),
            consoles: Mutex::default(),
            clusters: Mutex::default(),
            kubelets: Mutex::default(),
            bell: watch::Sender::new(0),
            tasks: TaskTracker::new(),
            planes: AtomicU8::new(0),
        }
    }

    /// Tells everybody who waits.
    pub fn ring(&self) {
        self.bell.send_modify(|count| *count += 1);
    }

    /// Runs a task that [`Self::stopped`] waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Power came on.
    pub fn boot(&self, world: &Arc<World>, vm: &str) {
        let Some(name) = world.cloud().vms.get(vm).map(|vm| vm.name.clone()) else {
            return;
        };
        let (orders, inbox) = mpsc::unbounded_channel();
        let machine = Arc::new(Machine::new(
            vm.to_owned(),
            name,
            world.stop.child_token(),
            orders,
        ));
        let former = lock(&self.machines).insert(vm.to_owned(), Arc::clone(&machine));
        if let Some(former) = former {
            former.power.cancel();
        }
        world.event("node", &machine.name, "power on");
        let world = Arc::clone(world);
        self.spawn(super::life::live(world, machine, inbox));
    }

    /// A kubelet has registered its node.
    pub fn registered(&self, vm: &str, node: String, api: ControlPlane) {
        lock(&self.kubelets).insert(vm.to_owned(), (node, api));
    }

    /// Power went off, or the VM is gone.
    pub fn kill(&self, world: &Arc<World>, vm: &str) {
        self.power_off(world, vm);
        let exists = world.cloud().vms.contains_key(vm);
        if exists {
            if let Some((node, api)) = lock(&self.kubelets).get(vm) {
                api.node_down(node);
            }
        } else {
            if let Some((node, api)) = lock(&self.kubelets).remove(vm) {
                api.node_gone(&node);
            }
            lock(&self.consoles).remove(vm);
        }
        self.settle(world);
    }

    fn power_off(&self, world: &World, vm: &str) {
        let Some(machine) = lock(&self.machines).remove(vm) else {
            return;
        };
        machine.power.cancel();
        machine.change(|state| {
            state.etcd = EtcdPhase::Absent;
            state.api = false;
        });
        if let Some(found) = world.cloud().vms.get_mut(vm) {
            found.machine.reported_addresses.clear();
        }
        world.event("node", &machine.name, "power off");
    }

    /// The hypervisor asks the system to shut down; returns when it has.
    pub async fn shut_down(&self, world: &Arc<World>, vm: &str) {
        if let Some(machine) = self.machine(vm) {
            machine.enter(Stage::ShuttingDown);
            world.take(world.delays().shutdown).await;
        }
    }

    /// The system has powered its machine off by itself.
    pub fn halted(&self, world: &Arc<World>, vm: &str) {
        if let Some(found) = world.cloud().vms.get_mut(vm) {
            crate::openiaas::operations::halt(found);
        }
        world.changed();
        self.kill(world, vm);
    }

    /// Boots what was running when the state was written.
    pub fn resume(&self, world: &Arc<World>) {
        let running: Vec<String> = world
            .cloud()
            .vms
            .values()
            .filter(|vm| vm.power == Power::Running)
            .map(|vm| vm.id.clone())
            .collect();
        for vm in running {
            self.boot(world, &vm);
        }
    }

    /// Waits until every machine has stopped.
    pub async fn stopped(&self) {
        self.tasks.close();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), self.tasks.wait()).await;
    }

    /// A machine by its VM.
    pub fn machine(&self, vm: &str) -> Option<Arc<Machine>> {
        lock(&self.machines).get(vm).cloned()
    }

    /// All machines that are powered on.
    pub fn machines(&self) -> Vec<Arc<Machine>> {
        lock(&self.machines).values().cloned().collect()
    }

    /// The machine that holds a private address or a host name, among those of the same cluster.
    pub fn peer(&self, of: &MachineConfig, target: &str) -> Option<Arc<Machine>> {
        let address = target.parse::<Ipv4Addr>().ok();
        self.machines().into_iter().find(|machine| {
            let state = machine.state();
            let same = state
                .config
                .as_ref()
                .is_some_and(|config| config.os_ca.certificate == of.os_ca.certificate);
            same && match address {
                Some(address) => state.addresses.contains(&address),
                None => state.hostname == target,
            }
        })
    }

    /// A machine that can sign certificates for others of the same OS authority and token.
    pub fn signer(&self, for_config: &MachineConfig) -> Option<Arc<MachineConfig>> {
        self.machines()
            .into_iter()
            .filter_map(|machine| machine.config())
            .find(|config| {
                !config.os_ca.key.is_empty()
                    && config.os_ca.certificate == for_config.os_ca.certificate
                    && config.token == for_config.token
            })
    }

    /// VMs whose etcd runs.
    pub fn alive(&self) -> BTreeSet<String> {
        self.machines()
            .into_iter()
            .filter(|machine| machine.state().etcd == EtcdPhase::Running)
            .map(|machine| machine.vm.clone())
            .collect()
    }

    /// Elects leaders where they are gone, and tells everybody.
    pub fn settle(&self, world: &World) {
        let alive = self.alive();
        {
            let mut cloud = world.cloud();
            // A cluster whose last data directory is gone is forgotten, with everything in it.
            let held: BTreeSet<String> = cloud
                .vms
                .values()
                .filter_map(|vm| vm.machine.etcd.as_ref())
                .map(|data| data.cluster.clone())
                .collect();
            cloud.etcd.retain(|id, _| held.contains(id));
            lock(&self.clusters).retain(|id, known| {
                if !held.contains(id) {
                    known.api.forget();
                }
                held.contains(id)
            });
            for cluster in cloud.etcd.values_mut() {
                let quorum = has_quorum(cluster, &alive);
                let leads = cluster.leader.is_some_and(|leader| {
                    cluster
                        .members
                        .iter()
                        .any(|m| m.id == leader && alive.contains(&m.vm))
                });
                if !quorum {
                    cluster.leader = None;
                } else if !leads {
                    cluster.leader = cluster
                        .members
                        .iter()
                        .find(|m| !m.learner && alive.contains(&m.vm))
                        .map(|m| m.id);
                    cluster.term += 1;
                }
            }
        }
        world.changed();
        self.ring();
    }

    /// Makes a new etcd cluster of one machine. The caller has checked that this is right.
    pub fn bootstrap(&self, world: &World, machine: &Machine, config: &MachineConfig) {
        let (hostname, address) = {
            let state = machine.state();
            (
                state.hostname.clone(),
                state
                    .addresses
                    .first()
                    .copied()
                    .unwrap_or(Ipv4Addr::UNSPECIFIED),
            )
        };
        let member = EtcdMember {
            id: member_id(),
            vm: machine.vm.clone(),
            hostname,
            address,
            learner: false,
        };
        let cluster = EtcdCluster {
            id: new_id(),
            authority: fingerprint(&config.etcd_ca.certificate),
            name: config.cluster_name.clone(),
            leader: None,
            term: 1,
            members: vec![member.clone()],
        };
        {
            let mut cloud = world.cloud();
            if let Some(vm) = cloud.vms.get_mut(&machine.vm) {
                vm.machine.etcd = Some(EtcdData {
                    cluster: cluster.id.clone(),
                    member: member.id,
                });
            }
            cloud.etcd.insert(cluster.id.clone(), cluster);
        }
        world.event("etcd", &machine.name, "bootstrapped");
        self.settle(world);
    }

    /// Joins the cluster of the same authority as a learner, when there is one that can take a member now.
    pub fn join(&self, world: &World, machine: &Machine, config: &MachineConfig) -> bool {
        let alive = self.alive();
        let authority = fingerprint(&config.etcd_ca.certificate);
        let (hostname, address) = {
            let state = machine.state();
            (
                state.hostname.clone(),
                state
                    .addresses
                    .first()
                    .copied()
                    .unwrap_or(Ipv4Addr::UNSPECIFIED),
            )
        };
        let mut cloud = world.cloud();
        let Some(cluster) = cloud.etcd.values_mut().find(|cluster| {
            cluster.authority == authority
                && has_quorum(cluster, &alive)
                && cluster.members.iter().all(|member| !member.learner)
        }) else {
            return false;
        };
        // A member of the same address that was never removed blocks the join, as in etcd itself.
        if cluster
            .members
            .iter()
            .any(|member| member.address == address)
        {
            return false;
        }
        let member = EtcdMember {
            id: member_id(),
            vm: machine.vm.clone(),
            hostname,
            address,
            learner: true,
        };
        let data = EtcdData {
            cluster: cluster.id.clone(),
            member: member.id,
        };
        cluster.members.push(member);
        if let Some(vm) = cloud.vms.get_mut(&machine.vm) {
            vm.machine.etcd = Some(data);
        }
        drop(cloud);
        world.event("etcd", &machine.name, "joined as a learner");
        world.changed();
        true
    }

    /// Makes a learner a voter when the cluster can agree to it.
    pub fn promote(&self, world: &World, vm: &str) -> bool {
        let alive = self.alive();
        let promoted = with_cluster(&mut world.cloud(), vm, |cluster, id| {
            let quorum = has_quorum(cluster, &alive);
            match cluster.members.iter_mut().find(|member| member.id == id) {
                Some(member) if quorum => {
                    member.learner = false;
                    true
                }
                _ => false,
            }
        })
        .unwrap_or(false);
        if promoted {
            self.settle(world);
        }
        promoted
    }

    /// Whether the etcd of a machine's cluster has quorum.
    pub fn quorum(&self, world: &World, vm: &str) -> bool {
        cluster_of(world, vm).is_some_and(|(cluster, _)| has_quorum(&cluster, &self.alive()))
    }

    /// Removes a member.
    pub fn remove_member(&self, world: &World, cluster: &str, member: u64) -> bool {
        let removed = {
            let mut cloud = world.cloud();
            let Some(found) = cloud.etcd.get_mut(cluster) else {
                return false;
            };
            let before = found.members.len();
            found.members.retain(|known| known.id != member);
            before != found.members.len()
        };
        self.settle(world);
        removed
    }

    /// The Kubernetes API of an etcd cluster; made, or read from the state, when it is asked for the first time.
    pub fn kubernetes(&self, world: &World, cluster: &str, config: &MachineConfig) -> Kubernetes {
        let mut clusters = lock(&self.clusters);
        if let Some(found) = clusters.get(cluster) {
            return found.clone();
        }
        let settings = settings(world, config);
        let api = match world.kubernetes() {
            KubernetesKind::BuiltIn => {
                let api = ApiServer::new(settings);
                if let Some(kept) =
                    crate::persist::load_kubernetes(world.config.state_dir.as_deref(), cluster)
                {
                    api.restore(&kept);
                }
                ControlPlane::BuiltIn(api)
            }
            KubernetesKind::Real => self.real(world, cluster, config, settings),
        };
        let made = Kubernetes {
            api,
            authority: config.kubernetes_ca.certificate.trim().to_owned(),
            token: config.bootstrap_token.clone(),
        };
        clusters.insert(cluster.to_owned(), made.clone());
        made
    }

    /// A control plane of real programs, for the machines that are there.
    fn real(
        &self,
        world: &World,
        cluster: &str,
        config: &MachineConfig,
        settings: Settings,
    ) -> ControlPlane {
        let mut names = Vec::new();
        for machine in self.control_plane(config) {
            let state = machine.state();
            if let Some(config) = &state.config {
                names.extend(config.api_names(&state.hostname, &state.addresses));
            }
        }
        let number = self.planes.fetch_add(1, Ordering::Relaxed) % 250;
        let place = Place {
            oracles: world.config.oracles.clone().unwrap_or_default(),
            // Far from those of machines: the last network.
            address: Ipv4Addr::new(127, self.prefix, 255, number + 1),
            folder: world
                .config
                .state_dir
                .as_ref()
                .map(|folder| folder.join(format!("kubernetes-{cluster}"))),
        };
        let spec = super::control_plane::spec(config, settings);
        let (real, task) = Real::new(place, spec, names, world.stop.child_token());
        self.spawn(async move {
            // It has told its log.
            let _ = task.await;
        });
        ControlPlane::Real(real)
    }

    /// The Kubernetes API that a kubelet of this configuration finds.
    pub fn kubernetes_for(&self, config: &MachineConfig) -> Option<Kubernetes> {
        lock(&self.clusters)
            .values()
            .find(|known| {
                known.authority == config.kubernetes_ca.certificate.trim()
                    && known.token == config.bootstrap_token
            })
            .cloned()
    }

    /// Whether some machine serves the Kubernetes API that a kubelet of this configuration finds.
    pub fn api_served(&self, config: &MachineConfig) -> bool {
        self.machines().iter().any(|machine| {
            let state = machine.state();
            state.api
                && state.config.as_ref().is_some_and(|other| {
                    other.kubernetes_ca.certificate.trim()
                        == config.kubernetes_ca.certificate.trim()
                })
        })
    }

    /// The objects of each Kubernetes cluster that has changed since the revision in `seen`.
    pub fn kubernetes_snapshots(
        &self,
        seen: &mut BTreeMap<String, u64>,
    ) -> Vec<(String, serde_json::Value)> {
        let clusters: Vec<(String, Kubernetes)> = lock(&self.clusters)
            .iter()
            .map(|(id, known)| (id.clone(), known.clone()))
            .collect();
        clusters
            .into_iter()
            .filter(|(id, known)| {
                let revision = known.api.revision();
                seen.insert(id.clone(), revision) != Some(revision)
            })
            .filter_map(|(id, known)| Some((id, known.api.snapshot()?)))
            .collect()
    }

    /// A loopback address for a private one, the same at every boot.
    pub fn claim_loopback(&self, world: &World, vm: &str, private: Ipv4Addr) -> Ipv4Addr {
        let mut cloud = world.cloud();
        let taken: Vec<Ipv4Addr> = cloud
            .vms
            .values()
            .filter(|other| other.id != vm && other.power == Power::Running)
            .filter_map(|other| other.machine.loopback)
            .collect();
        let [_, _, third, fourth] = private.octets();
        let wanted = Ipv4Addr::new(127, self.prefix, third, fourth);
        let free = |address: &Ipv4Addr| !taken.contains(address);
        let address = Some(wanted)
            .filter(free)
            .or_else(|| {
                (200..=250_u8)
                    .flat_map(|third| (1..=254_u8).map(move |fourth| (third, fourth)))
                    .map(|(third, fourth)| Ipv4Addr::new(127, self.prefix, third, fourth))
                    .find(free)
            })
            .unwrap_or(wanted);
        if let Some(found) = cloud.vms.get_mut(vm) {
            found.machine.loopback = Some(address);
        }
        address
    }

    /// The loopback address behind a private one: a node's own, or the holder of a shared one.
    pub fn loopback_of(&self, _world: &World, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let machines = self.machines();
        let own = machines.iter().find_map(|machine| {
            let state = machine.state();
            state
                .addresses
                .contains(&address)
                .then_some(state.loopback)
                .flatten()
        });
        own.or_else(|| {
            machines.iter().find_map(|machine| {
                let state = machine.state();
                let holds = state.api
                    && state
                        .config
                        .as_ref()
                        .is_some_and(|config| config.vip == Some(address));
                holds.then_some(state.loopback).flatten()
            })
        })
    }

    /// Addresses in use.
    pub fn addresses(&self, _world: &World) -> Vec<AddressView> {
        let mut list = Vec::new();
        for machine in self.machines() {
            let state = machine.state();
            for address in &state.addresses {
                if let Some(loopback) = state.loopback {
                    list.push(AddressView {
                        address: *address,
                        vm: machine.name.clone(),
                        loopback,
                    });
                }
            }
        }
        list.sort_by_key(|view| view.address);
        list
    }

    /// Machines for the inventory.
    pub fn views(&self, world: &World) -> Vec<NodeView> {
        let mut views = Vec::new();
        for machine in self.machines() {
            let talos_version = world
                .cloud()
                .vms
                .get(&machine.vm)
                .map(|vm| vm.machine.talos_version.clone())
                .unwrap_or_default();
            let state = machine.state();
            views.push(NodeView {
                vm: machine.name.clone(),
                hostname: state.hostname.clone(),
                stage: state.stage.map(Stage::name).unwrap_or_default().into(),
                role: state
                    .config
                    .as_ref()
                    .map(|config| config.role.name())
                    .unwrap_or_default()
                    .into(),
                loopback: state.loopback,
                addresses: state.addresses.clone(),
                talos_version,
                etcd: state
                    .services
                    .get("etcd")
                    .map(|service| service.state.to_owned())
                    .unwrap_or_default(),
                api: state.api,
                boot_id: state.boot_id.clone(),
            });
        }
        views.sort_by(|a, b| a.vm.cmp(&b.vm));
        views
    }

    /// Writes on a console.
    pub fn print(&self, vm: &str, line: impl Into<String>) {
        let mut consoles = lock(&self.consoles);
        let console = consoles.entry(vm.to_owned()).or_default();
        console.push_back(line.into());
        if console.len() > 2_000 {
            console.pop_front();
        }
    }

    /// The text on a console.
    pub fn console(&self, vm: &str) -> String {
        let consoles = lock(&self.consoles);
        consoles
            .get(vm)
            .map(|lines| {
                lines
                    .iter()
                    .flat_map(|line| [line.as_str(), "\n"])
                    .collect()
            })
            .unwrap_or_default()
    }

    /// All control-plane machines of a configuration's cluster.
    pub fn control_plane(&self, of: &MachineConfig) -> Vec<Arc<Machine>> {
        self.machines()
            .into_iter()
            .filter(|machine| {
                machine.config().is_some_and(|config| {
                    config.role == Role::ControlPlane
                        && config.os_ca.certificate == of.os_ca.certificate
                })
            })
            .collect()
    }
}

/// The etcd cluster of a machine's data.
pub fn cluster_of(world: &World, vm: &str) -> Option<(EtcdCluster, u64)> {
    let cloud = world.cloud();
    let data = cloud.vms.get(vm)?.machine.etcd.clone()?;
    cloud
        .etcd
        .get(&data.cluster)
        .map(|cluster| (cluster.clone(), data.member))
}

/// Whether most of the voters are alive.
pub fn has_quorum(cluster: &EtcdCluster, alive: &BTreeSet<String>) -> bool {
    let voters: Vec<&EtcdMember> = cluster
        .members
        .iter()
        .filter(|member| !member.learner)
        .collect();
    let up = voters
        .iter()
        .filter(|member| alive.contains(&member.vm))
        .count();
    up * 2 > voters.len()
}

fn with_cluster<T>(
    cloud: &mut Cloud,
    vm: &str,
    work: impl FnOnce(&mut EtcdCluster, u64) -> T,
) -> Option<T> {
    let data = cloud.vms.get(vm)?.machine.etcd.clone()?;
    cloud
        .etcd
        .get_mut(&data.cluster)
        .map(|cluster| work(cluster, data.member))
}

fn member_id() -> u64 {
    let bytes = *uuid::Uuid::new_v4().as_bytes();
    let mut id = [0_u8; 8];
    id.copy_from_slice(&bytes[..8]);
    u64::from_be_bytes(id) | 1
}

/// What the Kubernetes API of a configuration is told.
pub fn settings(world: &World, config: &MachineConfig) -> Settings {
    let delays = world.delays();
    let fallback = |text: &str| {
        text.parse()
            .unwrap_or_else(|_| ipnet::Ipv4Net::default().into())
    };
    let mut addresses: Vec<std::net::IpAddr> = world
        .nodes
        .control_plane(config)
        .iter()
        .filter_map(|machine| machine.state().addresses.first().copied())
        .map(Into::into)
        .collect();
    addresses.sort();
    Settings {
        cluster_name: config.cluster_name.clone(),
        kubernetes_version: config.version_of("kube-apiserver"),
        ca: Authority {
            certificate_pem: config.kubernetes_ca.certificate.clone(),
            key_pem: config.kubernetes_ca.key.clone(),
        },
        aggregator_ca_pem: Some(config.aggregator_ca.certificate.clone()),
        service_account_key_pem: Some(config.service_account_key.clone()),
        service_cidr: config
            .service_subnets
            .first()
            .copied()
            .unwrap_or_else(|| fallback("10.96.0.0/12")),
        pod_cidr: config
            .pod_subnets
            .first()
            .copied()
            .unwrap_or_else(|| fallback("10.244.0.0/16")),
        dns_domain: config.dns_domain.clone(),
        control_plane_addresses: addresses,
        api_port: 6443,
        delays: Delays {
            pod_start: delays.time(delays.kubelet),
            job_run: delays.time(delays.kubelet),
            pod_stop: delays.time(delays.kubelet / 2),
            ..Delays::default()
        },
        gate: world.gate.clone(),
    }
}
