//! The calls of the machine API.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto_talos::{cluster, common, machine as api, storage, time};
use tokio::sync::mpsc;
use tonic::Status;

use super::config::Role;
use super::life::minor;
use super::machine::{Order, Stage};
use super::server::{Context, Reply};
use super::{apply, cosi, etcd, rights, upgrade};
use crate::openiaas::model::{Vm, now};

/// The one message of a request.
pub fn decode<M: Message + Default>(messages: &[Bytes]) -> Result<M, Status> {
    let first = messages.first().cloned().unwrap_or_default();
    M::decode(first).map_err(|error| Status::internal(format!("invalid request: {error}")))
}

/// One message as a reply.
pub fn unary<M: Message>(message: M) -> Result<Reply, Status> {
    Ok(Reply::Unary(message.encode_to_vec()))
}

/// Messages as a stream that ends after them.
pub fn stream<M: Message>(messages: Vec<M>) -> Result<Reply, Status> {
    let (sender, receiver) = mpsc::channel(messages.len().max(1));
    for message in messages {
        let _ = sender.try_send(Ok(message.encode_to_vec()));
    }
    Ok(Reply::Stream(receiver))
}

/// A point in time as a message.
pub fn timestamp(millis: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: millis.div_euclid(1000),
        nanos: (millis.rem_euclid(1000) * 1_000_000) as i32,
    }
}

/// Bytes as the streams of files carry them.
pub fn data(context: &Context, bytes: Vec<u8>) -> common::Data {
    common::Data {
        metadata: context.metadata(),
        bytes,
    }
}

/// Version of Talos on the machine.
pub fn talos_version(context: &Context) -> String {
    with_vm(context, |vm| vm.machine.talos_version.clone()).unwrap_or_default()
}

/// Something of the VM.
pub fn with_vm<T>(context: &Context, read: impl FnOnce(&Vm) -> T) -> Option<T> {
    context.world.cloud().vms.get(&context.machine.vm).map(read)
}

/// Answers one call on one machine.
pub async fn call(context: &Context, path: &str, messages: Vec<Bytes>) -> Result<Reply, Status> {
    let minor = minor(&talos_version(context));
    if context.maintenance && minor <= 12 && !old_maintenance(path) {
        return Err(Status::unimplemented(
            "API is not implemented in maintenance mode",
        ));
    }
    rights::check(context, path)?;
    let (service, rpc) = path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or_default();
    match service {
        "machine.MachineService" => machine_service(context, rpc, &messages),
        "machine.LifecycleService" | "machine.ImageService" if minor >= 13 => {
            upgrade::service(context, service, rpc, &messages).await
        }
        "cosi.resource.State" => cosi::service(context, rpc, &messages),
        "storage.StorageService" => storage_service(context, rpc, &messages),
        "time.TimeService" => time_service(context, rpc),
        "cluster.ClusterService" if rpc == "HealthCheck" => {
            Ok(health_check(context, decode(&messages)?))
        }
        _ => Err(Status::unimplemented(format!("unknown service {service}"))),
    }
}

fn old_maintenance(path: &str) -> bool {
    path.starts_with("/cosi.resource.State/")
        || path == "/machine.MachineService/ApplyConfiguration"
        || path.starts_with("/storage.StorageService/")
}

fn machine_service(context: &Context, rpc: &str, messages: &[Bytes]) -> Result<Reply, Status> {
    let metadata = context.metadata();
    match rpc {
        "Version" => unary(api::VersionResponse {
            messages: vec![version(context)],
        }),
        "Hostname" => {
            let hostname = context.machine.state().hostname.clone();
            unary(api::HostnameResponse {
                messages: vec![api::Hostname { metadata, hostname }],
            })
        }
        "ServiceList" => unary(api::ServiceListResponse {
            messages: vec![services(context)],
        }),
        "Events" => Ok(events(context, &decode(messages)?)),
        "Dmesg" | "Logs" => {
            let text = context.world.nodes.console(&context.machine.vm);
            stream(
                text.lines()
                    .map(|line| data(context, format!("{line}\n").into_bytes()))
                    .collect(),
            )
        }
        "ApplyConfiguration" => apply::apply(context, decode(messages)?),
        "Bootstrap" => etcd::bootstrap(context, decode(messages)?),
        "Kubeconfig" => stream(vec![data(context, apply::kubeconfig(context)?)]),
        "GenerateClientConfiguration" => apply::client_configuration(context, &decode(messages)?),
        "Reboot" => {
            order(context, Order::Reboot);
            unary(api::RebootResponse {
                messages: vec![api::Reboot {
                    metadata,
                    actor_id: actor(),
                }],
            })
        }
        "Shutdown" => {
            order(context, Order::Halt);
            unary(api::ShutdownResponse {
                messages: vec![api::Shutdown {
                    metadata,
                    actor_id: actor(),
                }],
            })
        }
        "Reset" => upgrade::reset(context, &decode(messages)?),
        "Upgrade" => upgrade::legacy(context, &decode(messages)?),
        "Rollback" => upgrade::rollback(context),
        "ServiceStart" | "ServiceStop" | "ServiceRestart" => {
            service_change(context, rpc, &decode(messages)?)
        }
        "ImagePull" => {
            let request: api::ImagePullRequest = decode(messages)?;
            upgrade::remember(context, &request.reference);
            unary(api::ImagePullResponse {
                messages: vec![api::ImagePull { metadata }],
            })
        }
        "Read" => read(context, &decode(messages)?),
        "Memory" | "LoadAvg" | "SystemStat" | "CPUInfo" | "DiskStats" | "Processes"
        | "Containers" | "Mounts" | "List" => statistics(context, rpc),
        rpc if rpc.starts_with("Etcd") => etcd::service(context, rpc, messages),
        _ => Err(Status::unimplemented(format!(
            "unknown method {rpc} for service machine.MachineService"
        ))),
    }
}

/// Gives an order a moment later, so that the answer still leaves.
pub fn order(context: &Context, order: Order) {
    let machine = Arc::clone(&context.machine);
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        let _ = machine.orders.send(order);
    });
}

/// An actor id.
pub fn actor() -> String {
    crate::openiaas::model::new_id()
}

fn version(context: &Context) -> api::Version {
    api::Version {
        metadata: context.metadata(),
        version: Some(api::VersionInfo {
            tag: talos_version(context),
            sha: "sandbox".into(),
            built: String::new(),
            go_version: "go1.26".into(),
            os: "linux".into(),
            arch: "amd64".into(),
        }),
        platform: Some(api::PlatformInfo {
            name: "nocloud".into(),
            mode: "cloud".into(),
        }),
        features: Some(api::FeaturesInfo { rbac: true }),
    }
}

fn services(context: &Context) -> api::ServiceList {
    let state = context.machine.state();
    let services = state
        .services
        .iter()
        .map(|(id, service)| api::ServiceInfo {
            id: id.clone(),
            state: service.state.to_owned(),
            events: Some(api::ServiceEvents {
                events: service
                    .history
                    .iter()
                    .map(|(at, state, message)| api::ServiceEvent {
                        msg: message.clone(),
                        state: (*state).to_owned(),
                        ts: Some(timestamp(*at)),
                    })
                    .collect(),
            }),
            health: Some(api::ServiceHealth {
                unknown: service.healthy.is_none(),
                healthy: service.healthy == Some(true),
                last_message: service.message.clone(),
                last_change: service.history.last().map(|(at, _, _)| timestamp(*at)),
            }),
        })
        .collect();
    api::ServiceList {
        metadata: context.metadata(),
        services,
    }
}

fn service_change(
    context: &Context,
    rpc: &str,
    request: &api::ServiceStartRequest,
) -> Result<Reply, Status> {
    let id = &request.id;
    if !context.machine.state().services.contains_key(id) {
        return Err(Status::not_found(format!("service \"{id}\" not defined")));
    }
    match rpc {
        "ServiceStop" => context
            .machine
            .service(id, "Finished", None, "stopped by request"),
        _ => context.machine.service(id, "Running", Some(true), ""),
    }
    // The three replies have the same shape.
    let start = api::ServiceStart {
        metadata: context.metadata(),
        resp: format!("Service \"{id}\" changed"),
    };
    unary(api::ServiceStartResponse {
        messages: vec![start],
    })
}

fn events(context: &Context, request: &api::EventsRequest) -> Reply {
    let (sender, receiver) = mpsc::channel(64);
    let mut live = context.machine.live.subscribe();
    let past = context.machine.past_events();
    let skip = match request.tail_events {
        count if count < 0 => 0,
        count => past.len().saturating_sub(count as usize),
    };
    let metadata = context.metadata();
    tokio::spawn(async move {
        // The first item is a sign of life.
        let mut next = vec![api::Event {
            metadata: metadata.clone(),
            ..api::Event::default()
        }];
        next.extend(past.into_iter().skip(skip));
        loop {
            for mut event in next.drain(..) {
                event.metadata.clone_from(&metadata);
                if sender.send(Ok(event.encode_to_vec())).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = sender.closed() => return,
                event = live.recv() => match event {
                    Ok(event) => next.push(event),
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    });
    Reply::Stream(receiver)
}

fn read(context: &Context, request: &api::ReadRequest) -> Result<Reply, Status> {
    let bytes = match request.path.as_str() {
        "/proc/sys/kernel/random/boot_id" => format!("{}\n", context.machine.state().boot_id),
        "/etc/os-release" => format!(
            "NAME=\"Talos\"\nID=talos\nVERSION_ID={}\n",
            talos_version(context)
        ),
        "/proc/cmdline" => {
            "talos.platform=nocloud console=tty1 console=ttyS0 net.ifnames=0\n".to_owned()
        }
        other => {
            return Err(Status::not_found(format!(
                "stat {other}: no such file or directory"
            )));
        }
    };
    stream(vec![data(context, bytes.into_bytes())])
}

fn statistics(context: &Context, rpc: &str) -> Result<Reply, Status> {
    let metadata = context.metadata();
    let (cpu, memory) = with_vm(context, |vm| (vm.cpu, vm.memory)).unwrap_or((1, 0));
    match rpc {
        "Memory" => {
            let meminfo = api::MemInfo {
                memtotal: memory / 1024,
                memfree: memory / 2048,
                memavailable: memory / 1536,
                ..api::MemInfo::default()
            };
            unary(api::MemoryResponse {
                messages: vec![api::Memory {
                    metadata,
                    meminfo: Some(meminfo),
                }],
            })
        }
        "LoadAvg" => {
            let load = api::LoadAvg {
                metadata,
                load1: 0.2,
                load5: 0.15,
                load15: 0.1,
            };
            unary(api::LoadAvgResponse {
                messages: vec![load],
            })
        }
        "SystemStat" => {
            let boot_time = (context.machine.state().booted_at / 1000).unsigned_abs();
            let stat = api::SystemStat {
                metadata,
                boot_time,
                ..api::SystemStat::default()
            };
            unary(api::SystemStatResponse {
                messages: vec![stat],
            })
        }
        "CPUInfo" => {
            let cpu_info = (0..cpu)
                .map(|processor| api::CpuInfo {
                    processor,
                    model_name: "Sandbox CPU".into(),
                    ..api::CpuInfo::default()
                })
                .collect();
            unary(api::CpuInfoResponse {
                messages: vec![api::CpUsInfo { metadata, cpu_info }],
            })
        }
        "Mounts" => unary(api::MountsResponse {
            messages: vec![api::Mounts {
                metadata,
                stats: Vec::new(),
            }],
        }),
        "DiskStats" => {
            let stats = api::DiskStats {
                metadata,
                ..api::DiskStats::default()
            };
            unary(api::DiskStatsResponse {
                messages: vec![stats],
            })
        }
        "Processes" => {
            let process = api::Process {
                metadata,
                processes: Vec::new(),
            };
            unary(api::ProcessesResponse {
                messages: vec![process],
            })
        }
        "Containers" => {
            let container = api::Container {
                metadata,
                containers: Vec::new(),
            };
            unary(api::ContainersResponse {
                messages: vec![container],
            })
        }
        _ => stream(Vec::<api::FileInfo>::new()),
    }
}

/// A disk as the machine sees it: device name, size, system disk, read-only.
pub fn disks(context: &Context) -> Vec<(String, u64, bool, bool)> {
    let cloud = context.world.cloud();
    let mut disks: Vec<_> = cloud.disks_of(&context.machine.vm);
    disks.retain(|disk| {
        disk.attachments
            .iter()
            .any(|link| link.vm == context.machine.vm && link.plugged)
    });
    disks
        .iter()
        .enumerate()
        .map(|(index, disk)| {
            let name = format!(
                "xvd{}",
                char::from(b'a' + u8::try_from(index).unwrap_or(25).min(25))
            );
            (name, disk.size, index == 0, disk.config_drive)
        })
        .collect()
}

fn storage_service(context: &Context, rpc: &str, messages: &[Bytes]) -> Result<Reply, Status> {
    let metadata = context.metadata();
    match rpc {
        "Disks" => {
            let disks = disks(context)
                .into_iter()
                .map(|(name, size, system_disk, readonly)| storage::Disk {
                    size,
                    device_name: format!("/dev/{name}"),
                    name,
                    system_disk,
                    readonly,
                    subsystem: "/sys/class/block".into(),
                    ..storage::Disk::default()
                })
                .collect();
            unary(storage::DisksResponse {
                messages: vec![storage::Disks { metadata, disks }],
            })
        }
        "BlockDeviceWipe" => {
            let _: storage::BlockDeviceWipeRequest = decode(messages)?;
            unary(storage::BlockDeviceWipeResponse {
                messages: vec![storage::BlockDeviceWipe { metadata }],
            })
        }
        _ => Err(Status::unimplemented(format!("unknown method {rpc}"))),
    }
}

fn time_service(context: &Context, rpc: &str) -> Result<Reply, Status> {
    if !matches!(rpc, "Time" | "TimeCheck") {
        return Err(Status::unimplemented(format!("unknown method {rpc}")));
    }
    let at = Some(timestamp(now()));
    let time = time::Time {
        metadata: context.metadata(),
        server: "10.0.0.1".into(),
        localtime: at,
        remotetime: at,
    };
    unary(time::TimeResponse {
        messages: vec![time],
    })
}

fn health_check(context: &Context, request: cluster::HealthCheckRequest) -> Reply {
    let (sender, receiver) = mpsc::channel(16);
    let context = context.clone();
    let wait = request
        .wait_timeout
        .map_or(60, |wait| wait.seconds.max(1))
        .unsigned_abs();
    tokio::spawn(async move {
        let say = |message: &str| {
            let progress = cluster::HealthCheckProgress {
                metadata: context.metadata(),
                message: message.to_owned(),
            };
            sender.send(Ok(progress.encode_to_vec()))
        };
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(wait);
        loop {
            let waiting = unhealthy(&context);
            let Some(waiting) = waiting else { break };
            if say(&format!("waiting for {waiting}")).await.is_err() {
                return;
            }
            if tokio::time::Instant::now() > deadline {
                let _ = sender
                    .send(Err(Status::deadline_exceeded(format!(
                        "healthcheck error: {waiting}"
                    ))))
                    .await;
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        for check in [
            "etcd to be healthy: OK",
            "apid to be ready: OK",
            "all control plane components to be ready: OK",
        ] {
            if say(&format!("waiting for {check}")).await.is_err() {
                return;
            }
        }
    });
    Reply::Stream(receiver)
}

fn unhealthy(context: &Context) -> Option<String> {
    let config = context.machine.config()?;
    if config.role != Role::ControlPlane {
        return Some("a control plane node to answer".into());
    }
    for machine in context.world.nodes.control_plane(&config) {
        let unmet = machine.unmet();
        if machine.state().stage != Some(Stage::Running) {
            return Some(format!("{} to be running", machine.name));
        }
        if let Some((name, reason)) = unmet.first() {
            return Some(format!("{}: {name}: {reason}", machine.name));
        }
    }
    None
}
