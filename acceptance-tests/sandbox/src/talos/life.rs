//! The life of a machine between power-on and power-off.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::config::{self, Loaded, MachineConfig, Role};
use super::machine::{EtcdPhase, Machine, Order, Stage};
use super::{pki, server};
use crate::gate::Effect;
use crate::kubernetes::{NodeRegistration, NodeRole};
use crate::openiaas::model::{new_id, now};
use crate::world::World;

type Inbox = mpsc::UnboundedReceiver<Order>;

/// Boots the machine again and again until its power is cut or it powers itself off.
pub async fn live(world: Arc<World>, machine: Arc<Machine>, mut inbox: Inbox) {
    let power = machine.power.clone();
    let life = async {
        loop {
            match boot(&world, &machine, &mut inbox).await {
                Order::Halt => break,
                Order::Reboot | Order::Configured => {}
            }
        }
    };
    let halted = tokio::select! {
        () = power.cancelled() => false,
        () = life => true,
    };
    if halted {
        world.nodes.halted(&world, &machine.vm);
    }
}

/// Version of Talos 1 in the disk: the 13 of `v1.13.9`.
pub fn minor(version: &str) -> u32 {
    version
        .trim_start_matches('v')
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(13)
}

fn version(world: &World, vm: &str) -> String {
    world
        .cloud()
        .vms
        .get(vm)
        .map(|vm| vm.machine.talos_version.clone())
        .unwrap_or_default()
}

async fn boot(world: &Arc<World>, machine: &Arc<Machine>, inbox: &mut Inbox) -> Order {
    let nodes = &world.nodes;
    let print = |line: String| nodes.print(&machine.vm, line);
    machine.change(|state| {
        *state = super::machine::State {
            boot_id: new_id(),
            booted_at: now(),
            stage: Some(Stage::Booting),
            ..super::machine::State::default()
        };
    });
    nodes.settle(world);
    match world.gate.operation("node.boot", &machine.name) {
        Some(Effect::NoBoot) => {
            if let Some(vm) = world.cloud().vms.get_mut(&machine.vm) {
                vm.drivers_at = None;
            }
            print("Booting from Hard Disk... failed: no bootable system".into());
            return std::future::pending().await;
        }
        Some(Effect::SlowBoot { milliseconds }) => {
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        }
        _ => {}
    }
    let wiped = world
        .cloud()
        .vms
        .get(&machine.vm)
        .is_none_or(|vm| vm.machine.wiped);
    if wiped {
        print("Booting from Hard Disk... failed: no bootable system".into());
        return std::future::pending().await;
    }
    switch_system(world, machine);
    print(format!(
        "[talos] Talos {} starting, boot id {}",
        version(world, &machine.vm),
        machine.state().boot_id
    ));
    world.take(world.delays().node_boot).await;
    loop {
        let kept = world.cloud().vms.get(&machine.vm).map(|vm| {
            (
                vm.machine.config.clone(),
                vm.user_data.clone(),
                vm.network_data.clone(),
            )
        });
        let Some((text, user_data, network)) = kept else {
            return std::future::pending().await;
        };
        let from_state = text.is_some();
        let text = text.or(user_data).filter(|text| !text.trim().is_empty());
        let loaded =
            text.map(|text| config::load(strip_header(&text), minor(&version(world, &machine.vm))));
        match loaded {
            Some(Ok(Loaded::Complete(config))) => {
                if !from_state {
                    print("[talos] fetching machine config from: \"cidata\"".into());
                    if let Some(vm) = world.cloud().vms.get_mut(&machine.vm) {
                        vm.machine.config = Some(config.text.clone());
                    }
                    world.changed();
                }
                return run(world, machine, Arc::new(*config), inbox).await;
            }
            other => {
                let why = match other {
                    Some(Err(error)) => {
                        print(format!("[talos] failed to load config: {error}"));
                        Some(error.to_string())
                    }
                    Some(Ok(_)) => {
                        print("[talos] configuration is partial: no v1alpha1 document".into());
                        None
                    }
                    None => {
                        print("[talos] no configuration found".into());
                        None
                    }
                };
                match maintenance(world, machine, why, network.as_deref(), inbox).await {
                    Order::Configured => {}
                    order => return order,
                }
            }
        }
    }
}

/// The first line of user data may say that it is for cloud-init; Talos ignores it.
fn strip_header(text: &str) -> &str {
    text.strip_prefix("#cloud-config").unwrap_or(text)
}

/// Starts the system of the last upgrade, or returns to the one before.
fn switch_system(world: &World, machine: &Machine) {
    let rollback = {
        let cloud = world.cloud();
        cloud
            .vms
            .get(&machine.vm)
            .is_some_and(|vm| vm.machine.next.is_some())
    } && world.gate.operation("node.upgrade_boot", &machine.name)
        == Some(Effect::Rollback);
    let mut cloud = world.cloud();
    let Some(disk) = cloud.vms.get_mut(&machine.vm).map(|vm| &mut vm.machine) else {
        return;
    };
    let Some((version, schematic)) = disk.next.take() else {
        return;
    };
    if rollback {
        drop(cloud);
        world.nodes.print(
            &machine.vm,
            format!("[talos] {version} failed to boot, falling back"),
        );
        return;
    }
    disk.previous = Some((
        std::mem::replace(&mut disk.talos_version, version),
        std::mem::replace(&mut disk.schematic, schematic),
    ));
}

fn macs(world: &World, vm: &str) -> Vec<String> {
    world
        .cloud()
        .adapters_of(vm)
        .iter()
        .filter(|adapter| adapter.attached)
        .map(|adapter| adapter.mac.clone())
        .collect()
}

/// The address that a machine gets by DHCP: the reservation of its MAC on a private network, else one that no plan uses.
fn dhcp(world: &World, vm: &str) -> Vec<Ipv4Addr> {
    let cloud = world.cloud();
    let adapters = cloud.adapters_of(vm);
    let Some(first) = adapters.first() else {
        return Vec::new();
    };
    if let Some(reserved) = cloud
        .static_ips
        .values()
        .find(|known| known.mac == first.mac)
    {
        return vec![reserved.address];
    }
    let hash = super::nodes::fingerprint(&first.mac);
    let number = |at: usize| u8::from_str_radix(&hash[at..at + 2], 16).unwrap_or(1);
    vec![Ipv4Addr::new(10, 250, number(0), number(2).clamp(1, 254))]
}

/// Puts addresses on the links and takes the loopback address behind the first one.
fn network_up(world: &World, machine: &Machine, addresses: Vec<Ipv4Addr>) -> Option<Ipv4Addr> {
    let first = addresses.first().copied()?;
    let loopback = world.nodes.claim_loopback(world, &machine.vm, first);
    if let Some(vm) = world.cloud().vms.get_mut(&machine.vm) {
        vm.machine.reported_addresses = addresses.iter().map(Ipv4Addr::to_string).collect();
    }
    machine.change(|state| {
        state.addresses = addresses;
        state.loopback = Some(loopback);
    });
    world.changed();
    Some(loopback)
}

async fn listen(world: &World, machine: &Machine, address: Ipv4Addr, port: u16) -> TcpListener {
    loop {
        match TcpListener::bind((address, port)).await {
            Ok(listener) => return listener,
            Err(error) => {
                world.nodes.print(
                    &machine.vm,
                    format!("[talos] cannot listen on {address}:{port}: {error}"),
                );
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn maintenance(
    world: &Arc<World>,
    machine: &Arc<Machine>,
    why: Option<String>,
    network: Option<&str>,
    inbox: &mut Inbox,
) -> Order {
    machine.change(|state| {
        state.config = None;
        state.config_error.clone_from(&why);
    });
    if let Some(error) = why {
        machine.tell(
            "ConfigLoadErrorEvent",
            &proto_talos::machine::ConfigLoadErrorEvent { error },
        );
    }
    let macs = macs(world, &machine.vm);
    let mut addresses = network
        .map(|network| config::platform_addresses(network, &macs))
        .unwrap_or_default();
    if addresses.is_empty() {
        addresses = dhcp(world, &machine.vm);
    }
    machine.enter(Stage::Maintenance);
    for service in ["machined", "apid", "containerd", "udevd"] {
        machine.service(service, "Running", Some(true), "");
    }
    world.event("node", &machine.name, "in maintenance");
    let names: Vec<String> = addresses.iter().map(Ipv4Addr::to_string).collect();
    let Some(loopback) = network_up(world, machine, addresses) else {
        return std::future::pending().await;
    };
    let session = machine.power.child_token();
    let _guard = session.clone().drop_guard();
    match pki::maintenance_api(&names) {
        Ok(tls) => {
            let listener = listen(world, machine, loopback, server::PORT).await;
            world.nodes.spawn(server::serve(
                Arc::clone(world),
                Arc::clone(machine),
                listener,
                tls,
                session,
            ));
        }
        Err(error) => world.nodes.print(&machine.vm, format!("[talos] {error}")),
    }
    inbox.recv().await.unwrap_or(Order::Halt)
}

async fn run(
    world: &Arc<World>,
    machine: &Arc<Machine>,
    config: Arc<MachineConfig>,
    inbox: &mut Inbox,
) -> Order {
    let macs = macs(world, &machine.vm);
    let mut addresses = config.addresses_on(&macs);
    if addresses.is_empty() {
        let network = world
            .cloud()
            .vms
            .get(&machine.vm)
            .and_then(|vm| vm.network_data.clone());
        addresses = network
            .map(|network| config::platform_addresses(&network, &macs))
            .unwrap_or_default();
    }
    if addresses.is_empty() {
        addresses = dhcp(world, &machine.vm);
    }
    let hostname = config.hostname.clone().unwrap_or_else(|| {
        let hash = super::nodes::fingerprint(&machine.vm);
        format!("talos-{}-{}", &hash[..3], &hash[3..6])
    });
    let synced = world.gate.operation("node.time", &machine.name) != Some(Effect::TimeNotInSync);
    machine.change(|state| {
        state.config = Some(Arc::clone(&config));
        state.hostname.clone_from(&hostname);
        state.time_synced = synced;
        state.etcd = if config.role == Role::ControlPlane {
            EtcdPhase::Preparing
        } else {
            EtcdPhase::Absent
        };
    });
    let Some(loopback) = network_up(world, machine, addresses.clone()) else {
        world
            .nodes
            .print(&machine.vm, "[talos] no address on any link");
        return inbox.recv().await.unwrap_or(Order::Halt);
    };
    world.nodes.ring();
    // Everything that runs until the next reboot ends with this token.
    let session = machine.power.child_token();
    let guard = session.clone().drop_guard();
    for task in [
        tokio::spawn(within(session.clone(), {
            let (world, machine, session) =
                (Arc::clone(world), Arc::clone(machine), session.clone());
            let (hostname, addresses) = (hostname.clone(), addresses.clone());
            async move { machine_api(world, machine, loopback, hostname, addresses, session).await }
        })),
        tokio::spawn(within(
            session.clone(),
            services(Arc::clone(world), Arc::clone(machine)),
        )),
        tokio::spawn(within(
            session.clone(),
            kubelet(Arc::clone(world), Arc::clone(machine)),
        )),
    ] {
        drop(task);
    }
    if config.role == Role::ControlPlane {
        tokio::spawn(within(
            session.clone(),
            etcd(Arc::clone(world), Arc::clone(machine), Arc::clone(&config)),
        ));
        tokio::spawn(within(
            session.clone(),
            api_server(
                Arc::clone(world),
                Arc::clone(machine),
                loopback,
                session.clone(),
            ),
        ));
    }
    let order = loop {
        match inbox.recv().await {
            Some(Order::Configured) => {}
            Some(order) => break order,
            None => break Order::Halt,
        }
    };
    machine.enter(if order == Order::Halt {
        Stage::ShuttingDown
    } else {
        Stage::Rebooting
    });
    world.nodes.print(&machine.vm, format!("[talos] {order:?}"));
    world.event(
        "node",
        &machine.name,
        if order == Order::Halt {
            "shuts down"
        } else {
            "reboots"
        },
    );
    world.take(world.delays().shutdown).await;
    drop(guard);
    machine.change(|state| {
        state.etcd = EtcdPhase::Absent;
        state.api = false;
        state.registered = false;
    });
    if let Some(kubernetes) = machine
        .config()
        .and_then(|config| world.nodes.kubernetes_for(&config))
    {
        kubernetes.api.node_down(&hostname);
    }
    world.nodes.settle(world);
    order
}

async fn within(session: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = session.cancelled() => {}
        () = work => {}
    }
}

async fn machine_api(
    world: Arc<World>,
    machine: Arc<Machine>,
    loopback: Ipv4Addr,
    hostname: String,
    addresses: Vec<Ipv4Addr>,
    session: CancellationToken,
) {
    machine.service("machined", "Running", Some(true), "");
    let mut bell = world.nodes.bell.subscribe();
    loop {
        let Some(config) = machine.config() else {
            return;
        };
        // A worker's certificate is signed by a control plane that has the key.
        let signer = if config.os_ca.key.is_empty() {
            world.nodes.signer(&config)
        } else {
            Some(Arc::clone(&config))
        };
        let Some(signer) = signer else {
            machine.service("apid", "Preparing", Some(false), "waiting for certificates");
            let _ = bell.changed().await;
            continue;
        };
        let names = config.machine_names(&hostname, &addresses);
        match pki::machine_api(&config, &signer.os_ca, &hostname, &names) {
            Ok(tls) => {
                // The port is closed until there is a certificate.
                let listener = listen(&world, &machine, loopback, server::PORT).await;
                machine.service("apid", "Running", Some(true), "");
                world.event(
                    "node",
                    &machine.name,
                    format!("machine API of {hostname} is up"),
                );
                server::serve(
                    Arc::clone(&world),
                    Arc::clone(&machine),
                    listener,
                    tls,
                    session,
                )
                .await;
            }
            Err(error) => {
                machine.service("apid", "Failed", Some(false), &error.to_string());
                world
                    .nodes
                    .print(&machine.vm, format!("[talos] apid: {error}"));
            }
        }
        return;
    }
}

async fn services(world: Arc<World>, machine: Arc<Machine>) {
    let control_plane = machine.is(Role::ControlPlane);
    machine.service("containerd", "Starting", None, "");
    machine.service(
        "kubelet",
        "Waiting",
        None,
        "waiting for service \"cri\" to be \"up\"",
    );
    if control_plane {
        machine.service(
            "etcd",
            "Waiting",
            None,
            "waiting for service \"cri\" to be \"up\"",
        );
    }
    world.take(world.delays().node_services).await;
    let mut started = vec![
        "auditd",
        "containerd",
        "cri",
        "syslogd",
        "udevd",
        "dashboard",
    ];
    if control_plane {
        started.push("trustd");
    }
    let version = version(&world, &machine.vm);
    if minor(&version) >= 14 {
        started.push("sandboxd");
    }
    for service in started {
        machine.service(service, "Running", Some(true), "");
    }
    if control_plane {
        let waits = machine
            .state()
            .services
            .get("etcd")
            .is_some_and(|service| service.state == "Waiting");
        if waits {
            machine.service(
                "etcd",
                "Preparing",
                None,
                "waiting for bootstrap or for a cluster to join",
            );
        }
    }
    machine.enter(Stage::Running);
    world.nodes.ring();
}

async fn etcd(world: Arc<World>, machine: Arc<Machine>, config: Arc<MachineConfig>) {
    let nodes = &world.nodes;
    let mut bell = nodes.bell.subscribe();
    while machine.state().stage != Some(Stage::Running) {
        let _ = bell.changed().await;
    }
    loop {
        if super::nodes::cluster_of(&world, &machine.vm).is_none()
            && !nodes.join(&world, &machine, &config)
        {
            machine.change(|state| state.etcd = EtcdPhase::Preparing);
            let _ = bell.changed().await;
            continue;
        }
        let Some((cluster, member)) = super::nodes::cluster_of(&world, &machine.vm) else {
            continue;
        };
        if !cluster.members.iter().any(|known| known.id == member) {
            machine.change(|state| state.etcd = EtcdPhase::Stopped);
            machine.service(
                "etcd",
                "Failed",
                Some(false),
                "the member has been permanently removed from the cluster",
            );
            return;
        }
        machine.change(|state| state.etcd = EtcdPhase::Starting);
        machine.service("etcd", "Starting", None, "");
        world.take(world.delays().etcd).await;
        machine.change(|state| state.etcd = EtcdPhase::Running);
        machine.service("etcd", "Running", Some(true), "");
        nodes.settle(&world);
        // Stays up until it leaves; a learner becomes a voter on the way.
        loop {
            let Some((cluster, member)) = super::nodes::cluster_of(&world, &machine.vm) else {
                machine.change(|state| state.etcd = EtcdPhase::Stopped);
                machine.service("etcd", "Finished", None, "left the cluster");
                nodes.settle(&world);
                return;
            };
            let Some(known) = cluster.members.iter().find(|known| known.id == member) else {
                break;
            };
            let healthy = nodes.quorum(&world, &machine.vm);
            if known.learner && healthy {
                world.take(world.delays().etcd).await;
                nodes.promote(&world, &machine.vm);
                continue;
            }
            let was = machine
                .state()
                .services
                .get("etcd")
                .and_then(|service| service.healthy);
            if was != Some(healthy) {
                machine.service(
                    "etcd",
                    "Running",
                    Some(healthy),
                    if healthy { "" } else { "no leader" },
                );
            }
            let _ = bell.changed().await;
        }
        machine.change(|state| state.etcd = EtcdPhase::Stopped);
        nodes.settle(&world);
    }
}

async fn api_server(
    world: Arc<World>,
    machine: Arc<Machine>,
    loopback: Ipv4Addr,
    session: CancellationToken,
) {
    let nodes = &world.nodes;
    let mut bell = nodes.bell.subscribe();
    let serves = |vm: &str| -> Option<String> {
        let (cluster, member) = super::nodes::cluster_of(&world, vm)?;
        let votes = cluster
            .members
            .iter()
            .any(|known| known.id == member && !known.learner);
        let alive = nodes.alive();
        (votes && alive.contains(vm) && super::nodes::has_quorum(&cluster, &alive))
            .then_some(cluster.id)
    };
    loop {
        let Some(cluster) = serves(&machine.vm) else {
            let _ = bell.changed().await;
            continue;
        };
        world.take(world.delays().api_server).await;
        let Some(config) = machine.config() else {
            return;
        };
        let kubernetes = nodes.kubernetes(&world, &cluster, &config);
        let (hostname, addresses) = {
            let state = machine.state();
            (state.hostname.clone(), state.addresses.clone())
        };
        kubernetes.api.ready().await;
        let listener = listen(&world, &machine, loopback, 6443).await;
        let stop = session.child_token();
        let served = {
            let (api, stop) = (kubernetes.api.clone(), stop.clone());
            let names = config.api_names(&hostname, &addresses);
            let (world, vm) = (Arc::clone(&world), machine.vm.clone());
            tokio::spawn(async move {
                if let Err(error) = api.serve(listener, names, stop).await {
                    world.nodes.print(&vm, format!("[kube-apiserver] {error}"));
                }
            })
        };
        machine.change(|state| state.api = true);
        world.event("kubernetes", &machine.name, "API server is up");
        nodes.ring();
        while serves(&machine.vm).as_deref() == Some(cluster.as_str()) && !served.is_finished() {
            let _ = bell.changed().await;
        }
        stop.cancel();
        machine.change(|state| state.api = false);
        world.event("kubernetes", &machine.name, "API server is down");
        nodes.ring();
    }
}

async fn kubelet(world: Arc<World>, machine: Arc<Machine>) {
    let nodes = &world.nodes;
    let mut bell = nodes.bell.subscribe();
    let mut own = machine.bell.subscribe();
    while machine.state().stage != Some(Stage::Running) {
        let _ = own.changed().await;
    }
    machine.service("kubelet", "Running", Some(true), "");
    let mut registered: Option<String> = None;
    loop {
        let Some(config) = machine.config() else {
            return;
        };
        let ready = registered.as_ref() != Some(&config.text)
            && nodes.kubernetes_for(&config).is_some()
            && nodes.api_served(&config);
        if !ready {
            tokio::select! {
                _ = bell.changed() => {}
                _ = own.changed() => {}
            }
            continue;
        }
        world.take(world.delays().kubelet).await;
        let Some(kubernetes) = nodes.kubernetes_for(&config) else {
            continue;
        };
        let first = registered.replace(config.text.clone()).is_none();
        let registration = registration(&world, &machine, &config);
        let name = registration.name.clone();
        if config.role == Role::ControlPlane {
            let settings = super::nodes::settings(&world, &config);
            let spec = super::control_plane::spec(&config, settings);
            let names = config.api_names(&name, &machine.state().addresses);
            kubernetes.api.configure(&name, spec, &names);
        }
        kubernetes.api.node_up(registration);
        nodes.registered(&machine.vm, name.clone(), kubernetes.api.clone());
        if first {
            machine.change(|state| state.registered = true);
            world.event(
                "kubernetes",
                &machine.name,
                format!("node {name} registered"),
            );
        }
    }
}

fn registration(world: &World, machine: &Machine, config: &MachineConfig) -> NodeRegistration {
    let (hostname, addresses) = {
        let state = machine.state();
        (state.hostname.clone(), state.addresses.clone())
    };
    let cloud = world.cloud();
    let vm = cloud.vms.get(&machine.vm);
    let mut taints = config.taints.clone();
    let role = if config.role == Role::ControlPlane {
        NodeRole::ControlPlane
    } else {
        NodeRole::Worker
    };
    if config.role == Role::ControlPlane && !config.schedulable {
        let taint = "node-role.kubernetes.io/control-plane:NoSchedule".to_owned();
        if !taints.contains(&taint) {
            taints.push(taint);
        }
    }
    NodeRegistration {
        name: hostname,
        addresses: addresses.into_iter().map(Into::into).collect(),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
        taints,
        role,
        kubelet_version: config.version_of("kubelet"),
        os_image: format!(
            "Talos ({})",
            vm.map(|vm| vm.machine.talos_version.as_str())
                .unwrap_or_default()
        ),
        provider_id: config.provider_id.clone(),
        cpus: vm.map_or(1, |vm| vm.cpu),
        memory_bytes: vm.map_or(0, |vm| vm.memory),
    }
}
