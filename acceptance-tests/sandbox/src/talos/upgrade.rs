//! Installing, upgrading, resetting.

use bytes::Bytes;
use proto_talos::machine as api;
use tonic::Status;

use super::config::Role;
use super::etcd;
use super::life::minor;
use super::machine::{Order, Stage};
use super::rpc::{actor, decode, order, stream, talos_version, unary, with_vm};
use super::server::{Context, Reply};
use crate::gate::Effect;

/// Version and schematic of an installer image.
fn parse(image: &str) -> Option<(String, String)> {
    let (name, tag) = image.split('@').next()?.rsplit_once(':')?;
    let schematic = name
        .rsplit('/')
        .next()
        .filter(|part| part.len() == 64)
        .unwrap_or_default();
    (tag.starts_with('v') && tag.split('.').count() >= 3)
        .then(|| (tag.to_owned(), schematic.to_owned()))
}

/// Remembers that an image was pulled.
pub fn remember(context: &Context, image: &str) {
    if let Some(vm) = context.world.cloud().vms.get_mut(&context.machine.vm)
        && !vm.machine.images.iter().any(|known| known == image)
    {
        vm.machine.images.push(image.to_owned());
    }
    context.world.changed();
}

fn progress(
    response: api::lifecycle_service_install_progress::Response,
) -> api::LifecycleServiceUpgradeResponse {
    api::LifecycleServiceUpgradeResponse {
        progress: Some(api::LifecycleServiceInstallProgress {
            response: Some(response),
        }),
    }
}

/// Writes the other boot slot; the exit code of the installer.
fn install(context: &Context, image: &str) -> (Vec<String>, i32) {
    let mut lines = vec![format!("running Talos installer {image}")];
    if let Some(Effect::InstallerExit { code }) = context
        .world
        .gate
        .operation("node.install", &context.machine.name)
    {
        lines.push("error: failed to write the boot loader".into());
        return (lines, code);
    }
    let Some((version, schematic)) = parse(image) else {
        lines.push(format!("error: {image} is no installer image"));
        return (lines, 1);
    };
    let (from, to) = (minor(&talos_version(context)), minor(&version));
    if from >= to + 2 || to > from + 2 {
        lines.push(format!(
            "error: host version {} is not compatible with {version}",
            talos_version(context)
        ));
        return (lines, 1);
    }
    if let Some(vm) = context.world.cloud().vms.get_mut(&context.machine.vm) {
        vm.machine.next = Some((version.clone(), schematic));
    }
    context.world.changed();
    lines.push(format!("installation of {version} complete"));
    (lines, 0)
}

/// `LifecycleService` and `ImageService`.
pub async fn service(
    context: &Context,
    service: &str,
    rpc: &str,
    messages: &[Bytes],
) -> Result<Reply, Status> {
    use api::lifecycle_service_install_progress::Response;
    match (service, rpc) {
        ("machine.LifecycleService", "Install") => {
            Err(Status::already_exists("Talos is already installed"))
        }
        ("machine.LifecycleService", "Upgrade") => {
            let request: api::LifecycleServiceUpgradeRequest = decode(messages)?;
            let image = request
                .source
                .map(|source| source.image_name)
                .unwrap_or_default();
            if with_vm(context, |vm| vm.machine.images.contains(&image)) != Some(true) {
                return Err(Status::not_found(format!("image \"{image}\": not found")));
            }
            context.world.take(context.world.delays().install).await;
            let (lines, code) = install(context, &image);
            let mut items: Vec<_> = lines
                .into_iter()
                .map(|line| progress(Response::Message(line)))
                .collect();
            items.push(progress(Response::ExitCode(code)));
            stream(items)
        }
        ("machine.ImageService", "Pull") => {
            let request: api::ImageServicePullRequest = decode(messages)?;
            if !request.image_ref.contains('/') || !request.image_ref.contains(':') {
                return Err(Status::not_found(format!(
                    "failed to pull image \"{}\"",
                    request.image_ref
                )));
            }
            context.world.take(context.world.delays().install).await;
            remember(context, &request.image_ref);
            let item = api::ImageServicePullResponse {
                response: Some(api::image_service_pull_response::Response::Name(
                    request.image_ref,
                )),
            };
            stream(vec![item])
        }
        ("machine.ImageService", "List") => {
            let images = with_vm(context, |vm| vm.machine.images.clone()).unwrap_or_default();
            let item = |name: String| api::ImageServiceListResponse {
                name,
                ..api::ImageServiceListResponse::default()
            };
            stream(images.into_iter().map(item).collect())
        }
        ("machine.ImageService", "Remove") => {
            let request: api::ImageServiceRemoveRequest = decode(messages)?;
            if let Some(vm) = context.world.cloud().vms.get_mut(&context.machine.vm) {
                vm.machine
                    .images
                    .retain(|known| *known != request.image_ref);
            }
            unary(())
        }
        ("machine.ImageService", "Verify") => {
            let request: api::ImageServiceVerifyRequest = decode(messages)?;
            unary(api::ImageServiceVerifyResponse {
                verified: true,
                message: String::new(),
                digested_image_ref: request.image_ref,
            })
        }
        _ => Err(Status::unimplemented(format!(
            "unknown method {rpc} for service {service}"
        ))),
    }
}

/// The upgrade of Talos before 1.13: pulls, installs and reboots by itself.
pub fn legacy(context: &Context, request: &api::UpgradeRequest) -> Result<Reply, Status> {
    let control_plane = context.machine.is(Role::ControlPlane);
    if control_plane && !request.force {
        let cluster = super::nodes::cluster_of(&context.world, &context.machine.vm);
        if cluster.is_some_and(|(cluster, _)| cluster.members.len() == 2) {
            return Err(Status::failed_precondition(
                "upgrade would break the quorum of a two member etcd cluster",
            ));
        }
    }
    let (lines, code) = install(context, &request.image);
    if code != 0 {
        return Err(Status::internal(lines.join("; ")));
    }
    if !request.stage {
        context.machine.enter(Stage::Upgrading);
    }
    order(context, Order::Reboot);
    let upgrade = api::Upgrade {
        metadata: context.metadata(),
        ack: "Upgrade request received".into(),
        actor_id: actor(),
    };
    unary(api::UpgradeResponse {
        messages: vec![upgrade],
    })
}

/// Returns to the system before the last upgrade.
pub fn rollback(context: &Context) -> Result<Reply, Status> {
    let previous = with_vm(context, |vm| vm.machine.previous.clone()).flatten();
    let Some(previous) = previous else {
        return Err(Status::failed_precondition(
            "there is no previous version to roll back to",
        ));
    };
    if let Some(vm) = context.world.cloud().vms.get_mut(&context.machine.vm) {
        vm.machine.next = Some(previous);
    }
    order(context, Order::Reboot);
    unary(api::RollbackResponse {
        messages: vec![api::Rollback {
            metadata: context.metadata(),
        }],
    })
}

/// Wipes the machine, or parts of it.
pub fn reset(context: &Context, request: &api::ResetRequest) -> Result<Reply, Status> {
    if request.graceful && context.machine.is(Role::ControlPlane) {
        let member = super::nodes::cluster_of(&context.world, &context.machine.vm);
        if member.is_some() {
            etcd::leave(context)?;
        }
    }
    context.machine.enter(Stage::Resetting);
    let labels: Vec<&str> = request
        .system_partitions_to_wipe
        .iter()
        .filter(|spec| spec.wipe)
        .map(|spec| spec.label.as_str())
        .collect();
    let whole = labels.is_empty() && request.mode() != api::reset_request::WipeMode::UserDisks;
    if let Some(vm) = context.world.cloud().vms.get_mut(&context.machine.vm) {
        let disk = &mut vm.machine;
        if whole || labels.contains(&"STATE") {
            disk.config = None;
        }
        if whole || labels.contains(&"EPHEMERAL") || labels.contains(&"ETCD") {
            disk.etcd = None;
        }
        disk.wiped |= whole;
    }
    context.world.changed();
    order(
        context,
        if request.reboot {
            Order::Reboot
        } else {
            Order::Halt
        },
    );
    unary(api::ResetResponse {
        messages: vec![api::Reset {
            metadata: context.metadata(),
            actor_id: actor(),
        }],
    })
}
