//! Configuration of a machine, and the credentials that come out of it.

use std::io::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto_talos::machine as api;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::config::{self, Loaded, MachineConfig, Role};
use super::life::minor;
use super::machine::Order;
use super::pki;
use super::rpc::{order, talos_version, unary};
use super::server::{Context, Reply};
use api::apply_configuration_request::Mode;

/// Parts of `machine` that Talos up to 1.13 changes without a reboot.
const LIVE: [&str; 16] = [
    "ca",
    "acceptedCAs",
    "certSANs",
    "time",
    "install",
    "network",
    "sysctls",
    "sysfs",
    "logging",
    "controlPlane",
    "kubelet",
    "kernel",
    "registries",
    "pods",
    "seccompProfiles",
    "nodeLabels",
];
const LIVE_TOO: [&str; 2] = ["nodeAnnotations", "nodeTaints"];
const LIVE_FEATURES: [&str; 5] = [
    "kubernetesTalosAPIAccess",
    "kubePrism",
    "hostDNS",
    "imageCache",
    "nodeAddressSortAlgorithm",
];

fn main(documents: &[Value]) -> Value {
    documents
        .iter()
        .find(|document| document["kind"].is_null())
        .cloned()
        .unwrap_or_default()
}

/// Whether Talos up to 1.13 has to reboot for the change.
fn needs_reboot(old: &MachineConfig, new: &MachineConfig) -> bool {
    let rest = |config: &MachineConfig| {
        let mut main = main(&config.documents);
        if let Some(map) = main.as_object_mut() {
            map.remove("cluster");
            map.remove("debug");
        }
        if let Some(machine) = main["machine"].as_object_mut() {
            for key in LIVE.iter().chain(&LIVE_TOO) {
                machine.remove(*key);
            }
        }
        if let Some(features) = main["machine"]["features"].as_object_mut() {
            for key in LIVE_FEATURES {
                features.remove(key);
            }
        }
        main
    };
    rest(old) != rest(new)
}

fn difference(old: &str, new: &str) -> String {
    let old_lines: Vec<&str> = old.lines().collect();
    let new_lines: Vec<&str> = new.lines().collect();
    let gone = old_lines
        .iter()
        .filter(|line| !new_lines.contains(line))
        .map(|line| format!("-{line}\n"));
    let come = new_lines
        .iter()
        .filter(|line| !old_lines.contains(line))
        .map(|line| format!("+{line}\n"));
    gone.chain(come).collect()
}

/// `ApplyConfiguration`.
pub fn apply(context: &Context, request: api::ApplyConfigurationRequest) -> Result<Reply, Status> {
    let minor = minor(&talos_version(context));
    let mode = request.mode();
    if mode == Mode::Reboot && minor >= 14 {
        return Err(Status::unimplemented(
            "apply configuration mode REBOOT is not supported",
        ));
    }
    let text = String::from_utf8(request.data)
        .map_err(|_| Status::invalid_argument("the configuration is not UTF-8"))?;
    let loaded = config::load(&text, minor).map_err(|error| {
        Status::invalid_argument(format!("configuration validation failed: {error}"))
    })?;
    let Loaded::Complete(new) = loaded else {
        return Err(Status::invalid_argument(
            "configuration validation failed: the v1alpha1 document is missing",
        ));
    };
    let new = Arc::new(*new);
    let old = context.machine.config();
    let reboot = old
        .as_ref()
        .is_none_or(|old| minor <= 13 && needs_reboot(old, &new));
    let done = match mode {
        Mode::Auto if minor >= 14 || !reboot => Mode::NoReboot,
        Mode::Auto => Mode::Reboot,
        Mode::NoReboot if reboot && old.is_some() => {
            return Err(Status::invalid_argument(
                "this config change can't be applied in immediate mode",
            ));
        }
        other => other,
    };
    let details = if request.dry_run {
        let before = old.as_ref().map(|old| old.text.clone()).unwrap_or_default();
        format!(
            "Dry run summary:\nConfig diff:\n\n{}",
            difference(&before, &text)
        )
    } else {
        perform(context, done, new, old, request.try_mode_timeout);
        format!("Applied configuration with mode {done:?}")
    };
    let reply = api::ApplyConfiguration {
        metadata: context.metadata(),
        warnings: Vec::new(),
        mode: done.into(),
        mode_details: details,
    };
    unary(api::ApplyConfigurationResponse {
        messages: vec![reply],
    })
}

fn perform(
    context: &Context,
    mode: Mode,
    new: Arc<MachineConfig>,
    old: Option<Arc<MachineConfig>>,
    timeout: Option<prost_types::Duration>,
) {
    let machine = &context.machine;
    if mode != Mode::Try
        && let Some(vm) = context.world.cloud().vms.get_mut(&machine.vm)
    {
        vm.machine.config = Some(new.text.clone());
    }
    context.world.changed();
    context.world.event(
        "node",
        &machine.name,
        format!("configuration applied ({mode:?})"),
    );
    let Some(old) = old else {
        order(context, Order::Configured);
        return;
    };
    if let Some(trial) = machine.change(|state| state.trial.take()) {
        trial.cancel();
    }
    match mode {
        Mode::Reboot => order(context, Order::Reboot),
        Mode::Staged => {}
        Mode::Try => {
            let trial = CancellationToken::new();
            machine.change(|state| {
                state.config = Some(new);
                state.trial = Some(trial.clone());
            });
            let time = timeout
                .map_or(60, |timeout| timeout.seconds.max(1))
                .unsigned_abs();
            let machine = Arc::clone(machine);
            tokio::spawn(async move {
                tokio::select! {
                    () = trial.cancelled() => {}
                    () = machine.power.cancelled() => {}
                    () = tokio::time::sleep(std::time::Duration::from_secs(time)) => {
                        machine.change(|state| state.config = Some(old));
                    }
                }
            });
        }
        Mode::Auto | Mode::NoReboot => machine.change(|state| state.config = Some(new)),
    }
}

fn control_plane(context: &Context) -> Result<Arc<MachineConfig>, Status> {
    context
        .machine
        .config()
        .filter(|config| config.role == Role::ControlPlane)
        .ok_or_else(|| Status::unimplemented("only available on control plane nodes"))
}

/// The archive that the `Kubeconfig` call streams: one entry, and no end of archive.
pub fn kubeconfig(context: &Context) -> Result<Vec<u8>, Status> {
    let config = control_plane(context)?;
    let (certificate, key) =
        pki::kubernetes_client(&config.kubernetes_ca, "admin", "system:masters")
            .map_err(|error| Status::internal(error.to_string()))?;
    let name = &config.cluster_name;
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters:\n    - name: {name}\n      cluster:\n        server: {}\n        \
         certificate-authority-data: {}\nusers:\n    - name: admin@{name}\n      user:\n        \
         client-certificate-data: {}\n        client-key-data: {}\ncontexts:\n    - context:\n        cluster: {name}\n        \
         namespace: default\n        user: admin@{name}\n      name: admin@{name}\ncurrent-context: admin@{name}\n",
        config.endpoint,
        STANDARD.encode(&config.kubernetes_ca.certificate),
        STANDARD.encode(certificate),
        STANDARD.encode(key),
    );
    let mut header = tar::Header::new_gnu();
    let named = header.set_path("kubeconfig");
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    let mut archive = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    named
        .and_then(|()| archive.write_all(header.as_bytes()))
        .and_then(|()| archive.write_all(text.as_bytes()))
        .and_then(|()| archive.finish())
        .map_err(|error| Status::internal(error.to_string()))
}

/// `GenerateClientConfiguration`.
pub fn client_configuration(
    context: &Context,
    request: &api::GenerateClientConfigurationRequest,
) -> Result<Reply, Status> {
    let config = control_plane(context)?;
    let seconds = request.crt_ttl.map_or(8760 * 3600, |ttl| ttl.seconds);
    let roles = if request.roles.is_empty() {
        vec!["os:admin".to_owned()]
    } else {
        request.roles.clone()
    };
    let (certificate, key) = pki::client(&config.os_ca, &roles, seconds)
        .map_err(|error| Status::internal(error.to_string()))?;
    let role = roles
        .first()
        .map(|role| role.trim_start_matches("os:"))
        .unwrap_or_default();
    let name = format!("{role}@{}", config.cluster_name);
    let endpoints: Vec<String> = context
        .world
        .nodes
        .control_plane(&config)
        .iter()
        .filter_map(|machine| machine.state().addresses.first().map(ToString::to_string))
        .collect();
    let talosconfig = format!(
        "context: {name}\ncontexts:\n    {name}:\n        endpoints: [{}]\n        ca: {}\n        crt: {}\n        key: {}\n",
        endpoints.join(", "),
        STANDARD.encode(&config.os_ca.certificate),
        STANDARD.encode(&certificate),
        STANDARD.encode(&key),
    );
    let reply = api::GenerateClientConfiguration {
        metadata: context.metadata(),
        ca: config.os_ca.certificate.clone().into_bytes(),
        crt: certificate.into_bytes(),
        key: key.into_bytes(),
        talosconfig: talosconfig.into_bytes(),
    };
    unary(api::GenerateClientConfigurationResponse {
        messages: vec![reply],
    })
}
