//! The resources that clients read, with both encodings of their specification.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use prost::Message;
use proto_talos::cosi::resource::meta;
use proto_talos::resource::config as config_proto;
use proto_talos::talos::resource::definitions::{
    block, cluster, enums, etcd, extensions, hardware, k8s, network, runtime, time, v1alpha1,
};
use serde_json::{Value, json};

use super::config::Role;
use super::life::minor;
use super::machine::EtcdPhase;
use super::rpc::{disks, talos_version, with_vm};
use super::server::Context;

/// A resource before it has a version.
pub struct Item {
    /// Namespace.
    pub namespace: &'static str,
    /// Full type.
    pub kind: &'static str,
    /// Identifier.
    pub id: String,
    /// Controller that made it.
    pub owner: &'static str,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Binary form.
    pub proto: Vec<u8>,
    /// Readable form.
    pub yaml: String,
}

/// What is known of a type.
pub struct Definition {
    /// Full type.
    pub kind: &'static str,
    /// Namespace when none is asked for.
    pub namespace: &'static str,
    /// Short names.
    pub aliases: &'static [&'static str],
    /// Only for admins.
    pub sensitive: bool,
}

/// Namespaces that can be read.
pub const NAMESPACES: [&str; 19] = [
    "config",
    "runtime",
    "network",
    "network-config",
    "cluster",
    "cluster-raw",
    "k8s",
    "controlplane",
    "secrets",
    "etcd",
    "files",
    "perf",
    "hardware",
    "cri",
    "kubespan",
    "storage",
    "security",
    "containers",
    "meta",
];

macro_rules! definitions {
    ($($kind:literal $namespace:literal [$($alias:literal),*] $sensitive:literal;)*) => {
        &[$(Definition { kind: $kind, namespace: $namespace, aliases: &[$($alias),*], sensitive: $sensitive }),*]
    };
}

const DEFINITIONS: &[Definition] = definitions! {
    "MachineConfigs.config.talos.dev" "config" ["mc", "machineconfig"] true;
    "MachineTypes.config.talos.dev" "config" ["machinetype"] false;
    "MachineStatuses.runtime.talos.dev" "runtime" ["machinestatus"] false;
    "Versions.runtime.talos.dev" "runtime" ["version"] false;
    "ExtensionStatuses.runtime.talos.dev" "runtime" ["extensions"] false;
    "ImageFactorySchematics.runtime.talos.dev" "runtime" ["schematic"] false;
    "BootIDs.runtime.talos.dev" "runtime" ["bootid"] false;
    "Diagnostics.runtime.talos.dev" "runtime" ["diagnostic"] false;
    "PlatformMetadatas.talos.dev" "runtime" ["platformmetadata"] false;
    "MetaKeys.runtime.talos.dev" "runtime" ["meta"] false;
    "Services.v1alpha1.talos.dev" "runtime" ["svc", "service"] false;
    "TimeStatuses.v1alpha1.talos.dev" "runtime" ["timestatus"] false;
    "SecurityStates.talos.dev" "runtime" ["securitystate"] false;
    "Disks.block.talos.dev" "runtime" ["disk"] false;
    "SystemDisks.block.talos.dev" "runtime" ["systemdisk"] false;
    "VolumeStatuses.block.talos.dev" "runtime" ["volumestatus"] false;
    "LinkStatuses.net.talos.dev" "network" ["link", "links"] false;
    "NodeAddresses.net.talos.dev" "network" ["nodeaddress"] false;
    "HostnameStatuses.net.talos.dev" "network" ["hostname"] false;
    "NetworkStatuses.net.talos.dev" "network" ["netstatus"] false;
    "Members.cluster.talos.dev" "cluster" ["member", "members"] false;
    "Identities.cluster.talos.dev" "cluster" ["identity"] false;
    "Infos.cluster.talos.dev" "cluster" ["info"] false;
    "EtcdMembers.etcd.talos.dev" "etcd" ["etcdmember"] false;
    "Nodenames.kubernetes.talos.dev" "k8s" ["nodename"] false;
    "KubeletSpecs.kubernetes.talos.dev" "k8s" ["kubeletspec"] false;
    "NodeStatuses.kubernetes.talos.dev" "k8s" ["nodestatus"] false;
    "StaticPodStatuses.kubernetes.talos.dev" "k8s" ["staticpodstatus"] false;
    "APIServerConfigs.kubernetes.talos.dev" "controlplane" ["apiserverconfig"] false;
    "ControllerManagerConfigs.kubernetes.talos.dev" "controlplane" ["controllermanagerconfig"] false;
    "SchedulerConfigs.kubernetes.talos.dev" "controlplane" ["schedulerconfig"] false;
    "BootstrapManifestsConfigs.kubernetes.talos.dev" "controlplane" ["bootstrapmanifestsconfig"] false;
    "OSRootSecrets.secrets.talos.dev" "secrets" ["osrootsecret"] true;
    "SystemInformations.hardware.talos.dev" "hardware" ["systeminformation"] false;
    "ResourceDefinitions.meta.cosi.dev" "meta" ["rd", "api-resources"] false;
    "Namespaces.meta.cosi.dev" "meta" ["ns", "namespace"] false;
};

/// A type by its full name.
pub fn definition(kind: &str) -> Option<&'static Definition> {
    static BY_NAME: OnceLock<BTreeMap<&'static str, &'static Definition>> = OnceLock::new();
    BY_NAME
        .get_or_init(|| {
            DEFINITIONS
                .iter()
                .map(|definition| (definition.kind, definition))
                .collect()
        })
        .get(kind)
        .copied()
}

/// A value as block YAML; good for the plain values of specifications.
fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write_yaml(value, 0, &mut text);
    text
}

fn write_yaml(value: &Value, depth: usize, text: &mut String) {
    let pad = "    ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                if is_flat(value) {
                    let _ = writeln!(text, "{pad}{key}: {}", flat(value));
                } else {
                    let _ = writeln!(text, "{pad}{key}:");
                    write_yaml(value, depth + 1, text);
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                if is_flat(item) {
                    let _ = writeln!(text, "{pad}- {}", flat(item));
                } else {
                    let _ = writeln!(text, "{pad}-");
                    write_yaml(item, depth + 1, text);
                }
            }
        }
        other => {
            let _ = writeln!(text, "{pad}{}", flat(other));
        }
    }
}

fn is_flat(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain = !text.is_empty()
                && text
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter))
                && text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/')
                && !["true", "false", "null", "yes", "no", "on", "off"]
                    .contains(&text.to_lowercase().as_str());
            if plain {
                text.clone()
            } else {
                value.to_string()
            }
        }
        other => other.to_string(),
    }
}

fn item<M: Message>(kind: &'static str, id: impl Into<String>, proto: M, spec: &Value) -> Item {
    Item {
        namespace: definition(kind).map_or("runtime", |definition| definition.namespace),
        kind,
        id: id.into(),
        owner: "sandbox",
        annotations: BTreeMap::new(),
        proto: proto.encode_to_vec(),
        yaml: yaml(spec),
    }
}

/// The resources of a type.
pub fn list(context: &Context, kind: &str) -> Vec<Item> {
    let group = kind.split('.').nth(1).unwrap_or_default();
    match kind {
        "ResourceDefinitions.meta.cosi.dev" => resource_definitions(),
        "Namespaces.meta.cosi.dev" => NAMESPACES
            .iter()
            .map(|name| {
                let spec = meta::NamespaceSpec {
                    description: (*name).to_owned(),
                };
                item(
                    "Namespaces.meta.cosi.dev",
                    *name,
                    spec,
                    &json!({"description": name}),
                )
            })
            .collect(),
        "Services.v1alpha1.talos.dev" => services(context),
        "Disks.block.talos.dev"
        | "SystemDisks.block.talos.dev"
        | "VolumeStatuses.block.talos.dev" => block_items(context, kind),
        _ => match group {
            "config" => configs(context, kind),
            "runtime" | "talos" | "v1alpha1" | "hardware" => runtimes(context, kind),
            "net" => networks(context, kind),
            "cluster" => clusters(context, kind),
            "etcd" => etcd_member(context).into_iter().collect(),
            "kubernetes" => kubernetes(context, kind),
            _ => Vec::new(),
        },
    }
}

fn resource_definitions() -> Vec<Item> {
    let print = |name: &str, path: &str| meta::resource_definition_spec::PrintColumn {
        name: name.to_owned(),
        json_path: path.to_owned(),
    };
    DEFINITIONS
        .iter()
        .map(|definition| {
            let display = definition.kind.split('.').next().unwrap_or_default();
            let display = display.strip_suffix("es").filter(|_| display.ends_with("ses")).unwrap_or_else(|| {
                display.strip_suffix('s').unwrap_or(display)
            });
            let mut aliases: Vec<String> = definition.aliases.iter().map(|alias| (*alias).to_owned()).collect();
            aliases.push(display.to_lowercase());
            let plural = definition.kind.split('.').next().unwrap_or_default().to_lowercase();
            aliases.push(plural);
            aliases.dedup();
            let print_columns = match definition.kind {
                "MachineStatuses.runtime.talos.dev" => vec![print("Stage", "{.stage}"), print("Ready", "{.status.ready}")],
                "Members.cluster.talos.dev" => {
                    vec![print("Hostname", "{.hostname}"), print("Machine Type", "{.machineType}"), print("Addresses", "{.addresses}")]
                }
                "Services.v1alpha1.talos.dev" => vec![print("Running", "{.running}"), print("Healthy", "{.healthy}")],
                _ => Vec::new(),
            };
            let mut all_aliases = aliases.clone();
            all_aliases.push(definition.kind.to_lowercase());
            let spec = meta::ResourceDefinitionSpec {
                resource_type: definition.kind.to_owned(),
                display_type: display.to_owned(),
                default_namespace: definition.namespace.to_owned(),
                aliases: aliases.clone(),
                all_aliases: all_aliases.clone(),
                print_columns: print_columns.clone(),
                sensitivity: i32::from(definition.sensitive),
            };
            let columns: Vec<Value> = print_columns
                .iter()
                .map(|column| json!({"name": column.name, "jsonPath": column.json_path}))
                .collect();
            let readable = json!({
                "type": definition.kind, "displayType": display, "defaultNamespace": definition.namespace,
                "aliases": aliases, "allAliases": all_aliases, "printColumns": columns,
                "sensitivity": if definition.sensitive { "sensitive" } else { "" },
            });
            item("ResourceDefinitions.meta.cosi.dev", definition.kind.to_lowercase(), spec, &readable)
        })
        .collect()
}

fn services(context: &Context) -> Vec<Item> {
    let state = context.machine.state();
    let entries: Vec<(String, bool, bool, bool)> = state
        .services
        .iter()
        .filter(|(_, service)| service.state == "Running")
        .map(|(id, service)| {
            (
                id.clone(),
                true,
                service.healthy == Some(true),
                service.healthy.is_none(),
            )
        })
        .collect();
    drop(state);
    entries
        .into_iter()
        .map(|(id, running, healthy, unknown)| {
            let spec = v1alpha1::ServiceSpec {
                running,
                healthy,
                unknown,
            };
            let readable = json!({"running": running, "healthy": healthy, "unknown": unknown});
            item("Services.v1alpha1.talos.dev", id, spec, &readable)
        })
        .collect()
}

fn block_items(context: &Context, kind: &str) -> Vec<Item> {
    let disks = disks(context);
    match kind {
        "Disks.block.talos.dev" => disks
            .into_iter()
            .map(|(name, size, _, readonly)| {
                let path = format!("/dev/{name}");
                let pretty = format!("{:.0} GB", size as f64 / 1e9);
                let spec = block::DiskSpec {
                    size,
                    io_size: 512,
                    sector_size: 512,
                    readonly,
                    sub_system: "/sys/class/block".into(),
                    transport: "xen".into(),
                    dev_path: path.clone(),
                    pretty_size: pretty.clone(),
                    ..block::DiskSpec::default()
                };
                let readable = json!({
                    "dev_path": path, "size": size, "pretty_size": pretty, "io_size": 512, "sector_size": 512,
                    "readonly": readonly, "cdrom": false, "rotational": false, "transport": "xen",
                    "sub_system": "/sys/class/block",
                });
                item("Disks.block.talos.dev", name, spec, &readable)
            })
            .collect(),
        "SystemDisks.block.talos.dev" => {
            let spec = block::SystemDiskSpec { disk_id: "xvda".into(), dev_path: "/dev/xvda".into() };
            let readable = json!({"diskID": "xvda", "devPath": "/dev/xvda"});
            vec![item("SystemDisks.block.talos.dev", "system-disk", spec, &readable)]
        }
        _ => {
            let mut names = vec!["EPHEMERAL".to_owned(), "STATE".to_owned(), "META".to_owned()];
            if let Some(config) = context.machine.config() {
                for (kind, prefix) in [("UserVolumeConfig", "u-"), ("RawVolumeConfig", "r-")] {
                    let volumes = config.documents.iter().filter(|document| document["kind"] == kind);
                    names.extend(volumes.filter_map(|volume| volume["name"].as_str().map(|name| format!("{prefix}{name}"))));
                }
            }
            let size = disks.first().map_or(0, |(_, size, _, _)| *size);
            names
                .into_iter()
                .map(|name| {
                    let spec = block::VolumeStatusSpec {
                        phase: block_phase_ready(),
                        location: "/dev/xvda".into(),
                        size,
                        ..block::VolumeStatusSpec::default()
                    };
                    item("VolumeStatuses.block.talos.dev", name, spec, &json!({"phase": "ready", "size": size}))
                })
                .collect()
        }
    }
}

fn block_phase_ready() -> i32 {
    enums::BlockVolumePhase::VolumePhaseReady.into()
}

fn configs(context: &Context, kind: &str) -> Vec<Item> {
    if kind == "MachineTypes.config.talos.dev" {
        let Some(config) = context.machine.config() else {
            return Vec::new();
        };
        let machine_type = match config.role {
            Role::ControlPlane => config_proto::MachineType::ControlPlane,
            Role::Worker => config_proto::MachineType::Worker,
        };
        let spec = config_proto::MachineTypeSpec {
            machine_type: machine_type.into(),
        };
        let mut one = item(
            "MachineTypes.config.talos.dev",
            "machine-type",
            spec,
            &json!({}),
        );
        one.yaml = format!("{}\n", config.role.name());
        return vec![one];
    }
    if kind != "MachineConfigs.config.talos.dev" {
        return Vec::new();
    }
    let active = context.machine.config().map(|config| config.text.clone());
    let persistent = with_vm(context, |vm| vm.machine.config.clone()).flatten();
    [("v1alpha1", active), ("persistent", persistent)]
        .into_iter()
        .filter_map(|(id, text)| text.map(|text| (id, text)))
        .map(|(id, text)| {
            let spec = config_proto::MachineConfigSpec {
                yaml_marshalled: text.clone().into_bytes(),
            };
            let mut one = item("MachineConfigs.config.talos.dev", id, spec, &json!({}));
            // A YAML string that holds the whole configuration.
            one.yaml = format!("{}\n", Value::String(text));
            one.annotations
                .insert("talos.dev/yaml-spec".into(), String::new());
            one
        })
        .collect()
}

fn runtimes(context: &Context, kind: &str) -> Vec<Item> {
    let version = talos_version(context);
    let one = |found: Item| vec![found];
    match kind {
        "MachineStatuses.runtime.talos.dev" => {
            let unmet = context.machine.unmet();
            let stage = context.machine.state().stage;
            let running = stage == Some(super::machine::Stage::Running);
            let ready = unmet.is_empty() && running && !context.maintenance;
            let spec = runtime::MachineStatusSpec {
                stage: stage.map_or(0, super::machine::Stage::number),
                status: Some(runtime::MachineStatusStatus {
                    ready,
                    unmet_conditions: unmet
                        .iter()
                        .map(|(name, reason)| runtime::UnmetCondition {
                            name: (*name).into(),
                            reason: reason.clone(),
                        })
                        .collect(),
                }),
            };
            let conditions: Vec<Value> = unmet
                .iter()
                .map(|(name, reason)| json!({"name": name, "reason": reason}))
                .collect();
            let readable = json!({
                "stage": stage.map(super::machine::Stage::name).unwrap_or_default(),
                "status": {"ready": ready, "unmetConditions": conditions},
            });
            one(item(
                "MachineStatuses.runtime.talos.dev",
                "machine",
                spec,
                &readable,
            ))
        }
        "Versions.runtime.talos.dev" => {
            let spec = runtime::VersionSpec {
                version: version.clone(),
                name: "Talos".into(),
            };
            one(item(
                "Versions.runtime.talos.dev",
                "version",
                spec,
                &json!({"version": version, "name": "Talos"}),
            ))
        }
        "BootIDs.runtime.talos.dev" if minor(&version) >= 14 => {
            let boot_id = context.machine.state().boot_id.clone();
            let readable = json!({"bootID": boot_id});
            one(item(
                "BootIDs.runtime.talos.dev",
                "boot-id",
                runtime::BootIdSpec { boot_id },
                &readable,
            ))
        }
        "ImageFactorySchematics.runtime.talos.dev" if minor(&version) >= 14 => {
            let schematic_id =
                with_vm(context, |vm| vm.machine.schematic.clone()).unwrap_or_default();
            let readable = json!({"schematicID": schematic_id});
            let spec = runtime::ImageFactorySchematicSpec {
                schematic_id,
                ..Default::default()
            };
            one(item(
                "ImageFactorySchematics.runtime.talos.dev",
                "image-factory-schematic",
                spec,
                &readable,
            ))
        }
        "ExtensionStatuses.runtime.talos.dev" => {
            let schematic = with_vm(context, |vm| vm.machine.schematic.clone()).unwrap_or_default();
            [("0", "xen-guest-agent", "0.4.0".to_owned()), ("1", "schematic", schematic)]
                .into_iter()
                .filter(|(_, _, version)| !version.is_empty())
                .map(|(id, name, version)| {
                    let spec = extensions::Layer {
                        image: format!("{id}.{name}"),
                        metadata: Some(extensions::Metadata {
                            name: name.into(),
                            version: version.clone(),
                            ..Default::default()
                        }),
                    };
                    let readable = json!({"image": format!("{id}.{name}"), "metadata": {"name": name, "version": version}});
                    item("ExtensionStatuses.runtime.talos.dev", id, spec, &readable)
                })
                .collect()
        }
        "PlatformMetadatas.talos.dev" => {
            let id = with_vm(context, |vm| vm.internal_id.clone()).unwrap_or_default();
            let readable = json!({"platform": "nocloud", "instanceId": id});
            let spec = runtime::PlatformMetadataSpec {
                platform: "nocloud".into(),
                instance_id: id,
                ..Default::default()
            };
            one(item(
                "PlatformMetadatas.talos.dev",
                "platformmetadata",
                spec,
                &readable,
            ))
        }
        "SecurityStates.talos.dev" => {
            let spec = runtime::SecurityStateSpec {
                secure_boot: false,
                booted_with_uki: true,
            };
            one(item(
                "SecurityStates.talos.dev",
                "securitystate",
                spec,
                &json!({"secureBoot": false, "bootedWithUKI": true}),
            ))
        }
        "TimeStatuses.v1alpha1.talos.dev" => {
            let synced = context.machine.state().time_synced;
            let spec = time::StatusSpec {
                synced,
                epoch: 0,
                sync_disabled: false,
            };
            let readable = json!({"synced": synced, "epoch": 0, "syncDisabled": false});
            one(item(
                "TimeStatuses.v1alpha1.talos.dev",
                "node",
                spec,
                &readable,
            ))
        }
        "SystemInformations.hardware.talos.dev" => {
            let uuid = with_vm(context, |vm| vm.internal_id.clone()).unwrap_or_default();
            let readable = json!({"manufacturer": "Xen", "productName": "HVM domU", "uuid": uuid});
            let spec = hardware::SystemInformationSpec {
                manufacturer: "Xen".into(),
                product_name: "HVM domU".into(),
                uuid,
                ..Default::default()
            };
            one(item(
                "SystemInformations.hardware.talos.dev",
                "systeminformation",
                spec,
                &readable,
            ))
        }
        _ => Vec::new(),
    }
}

fn networks(context: &Context, kind: &str) -> Vec<Item> {
    let (hostname, addresses) = {
        let state = context.machine.state();
        (state.hostname.clone(), state.addresses.clone())
    };
    match kind {
        "HostnameStatuses.net.talos.dev" if !hostname.is_empty() => {
            let (name, domain) = hostname.split_once('.').unwrap_or((&hostname, ""));
            let spec = network::HostnameStatusSpec {
                hostname: name.into(),
                domainname: domain.into(),
            };
            let readable = json!({"hostname": name, "domainname": domain});
            vec![item(
                "HostnameStatuses.net.talos.dev",
                "hostname",
                spec,
                &readable,
            )]
        }
        "NetworkStatuses.net.talos.dev" => {
            let spec = network::StatusSpec {
                address_ready: true,
                connectivity_ready: true,
                hostname_ready: true,
                etc_files_ready: true,
            };
            let readable = json!({"addressReady": true, "connectivityReady": true, "hostnameReady": true, "etcFilesReady": true});
            vec![item(
                "NetworkStatuses.net.talos.dev",
                "status",
                spec,
                &readable,
            )]
        }
        "NodeAddresses.net.talos.dev" => [
            "default",
            "current",
            "routed",
            "accumulative",
            "current-no-k8s",
            "routed-no-k8s",
        ]
        .into_iter()
        .map(|id| {
            let spec = network::NodeAddressSpec {
                addresses: addresses
                    .iter()
                    .map(|address| proto_talos::common::NetIpPrefix {
                        ip: address.octets().to_vec(),
                        prefix_length: 24,
                    })
                    .collect(),
            };
            let texts: Vec<String> = addresses
                .iter()
                .map(|address| format!("{address}/24"))
                .collect();
            item(
                "NodeAddresses.net.talos.dev",
                id,
                spec,
                &json!({"addresses": texts}),
            )
        })
        .collect(),
        "LinkStatuses.net.talos.dev" => {
            let macs: Vec<String> = context
                .world
                .cloud()
                .adapters_of(&context.machine.vm)
                .iter()
                .map(|adapter| adapter.mac.clone())
                .collect();
            macs.iter()
                .enumerate()
                .map(|(index, mac)| {
                    let bytes: Vec<u8> = mac.split(':').filter_map(|part| u8::from_str_radix(part, 16).ok()).collect();
                    let spec = network::LinkStatusSpec {
                        index: index as u32 + 2,
                        hardware_addr: bytes.clone(),
                        mtu: 1500,
                        operational_state: enums::NethelpersOperationalState::OperStateUp.into(),
                        driver: "xen-netfront".into(),
                        link_state: true,
                        permanent_addr: bytes,
                        ..Default::default()
                    };
                    let readable = json!({
                        "index": index + 2, "type": "ether", "hardwareAddr": mac, "permanentAddr": mac, "mtu": 1500,
                        "operationalState": "up", "linkState": true, "kind": "", "driver": "xen-netfront",
                    });
                    item("LinkStatuses.net.talos.dev", format!("eth{index}"), spec, &readable)
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

fn clusters(context: &Context, kind: &str) -> Vec<Item> {
    let Some(config) = context.machine.config() else {
        return Vec::new();
    };
    match kind {
        "Infos.cluster.talos.dev" => {
            let spec = cluster::InfoSpec {
                cluster_id: config.cluster_id.clone(),
                cluster_name: config.cluster_name.clone(),
            };
            let readable =
                json!({"clusterId": config.cluster_id, "clusterName": config.cluster_name});
            vec![item("Infos.cluster.talos.dev", "current", spec, &readable)]
        }
        "Identities.cluster.talos.dev" => {
            let node_id = super::nodes::fingerprint(&context.machine.vm);
            let readable = json!({"nodeId": node_id});
            vec![item(
                "Identities.cluster.talos.dev",
                "local",
                cluster::IdentitySpec { node_id },
                &readable,
            )]
        }
        "Members.cluster.talos.dev" => members(context, &config),
        _ => Vec::new(),
    }
}

fn members(context: &Context, config: &super::config::MachineConfig) -> Vec<Item> {
    let mut items = Vec::new();
    for machine in context.world.nodes.machines() {
        let Some(other) = machine
            .config()
            .filter(|other| other.os_ca.certificate == config.os_ca.certificate)
        else {
            continue;
        };
        let version = context
            .world
            .cloud()
            .vms
            .get(&machine.vm)
            .map(|vm| vm.machine.talos_version.clone())
            .unwrap_or_default();
        let (hostname, addresses) = {
            let state = machine.state();
            (state.hostname.clone(), state.addresses.clone())
        };
        let leads = other.role == Role::ControlPlane;
        let node_id = super::nodes::fingerprint(&machine.vm);
        let system = format!("Talos ({version})");
        let machine_type = if leads {
            enums::MachineType::TypeControlPlane
        } else {
            enums::MachineType::TypeWorker
        };
        let spec = cluster::MemberSpec {
            node_id: node_id.clone(),
            addresses: addresses
                .iter()
                .map(|address| proto_talos::common::NetIp {
                    ip: address.octets().to_vec(),
                })
                .collect(),
            hostname: hostname.clone(),
            machine_type: machine_type.into(),
            operating_system: system.clone(),
            control_plane: leads.then_some(cluster::ControlPlane {
                api_server_port: 6443,
            }),
        };
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let mut readable = json!({
            "nodeId": node_id, "addresses": texts, "hostname": hostname, "machineType": other.role.name(),
            "operatingSystem": system,
        });
        if leads {
            readable["controlPlane"] = json!({"port": 6443});
        }
        items.push(item("Members.cluster.talos.dev", hostname, spec, &readable));
    }
    items
}

fn etcd_member(context: &Context) -> Option<Item> {
    let running = context.machine.state().etcd == EtcdPhase::Running;
    let (_, member) =
        super::nodes::cluster_of(&context.world, &context.machine.vm).filter(|_| running)?;
    let member_id = format!("{member:x}");
    let readable = json!({"memberID": member_id});
    Some(item(
        "EtcdMembers.etcd.talos.dev",
        "local",
        etcd::MemberSpec { member_id },
        &readable,
    ))
}

fn kubernetes(context: &Context, kind: &str) -> Vec<Item> {
    let Some(config) = context.machine.config() else {
        return Vec::new();
    };
    let (hostname, registered, api) = {
        let state = context.machine.state();
        (state.hostname.clone(), state.registered, state.api)
    };
    let image = |name: &str| config.images.get(name).cloned().unwrap_or_default();
    let leads = config.role == Role::ControlPlane;
    let one = |found: Item| vec![found];
    match kind {
        "Nodenames.kubernetes.talos.dev" => {
            let readable = json!({"nodename": hostname});
            let spec = k8s::NodenameSpec {
                nodename: hostname,
                ..Default::default()
            };
            one(item(
                "Nodenames.kubernetes.talos.dev",
                "nodename",
                spec,
                &readable,
            ))
        }
        "KubeletSpecs.kubernetes.talos.dev" => {
            let readable = json!({"image": image("kubelet"), "expectedNodename": hostname});
            let spec = k8s::KubeletSpecSpec {
                image: image("kubelet"),
                expected_nodename: hostname,
                ..Default::default()
            };
            one(item(
                "KubeletSpecs.kubernetes.talos.dev",
                "kubelet",
                spec,
                &readable,
            ))
        }
        "NodeStatuses.kubernetes.talos.dev" if registered => {
            let readable = json!({"nodename": hostname, "nodeReady": true, "unschedulable": false});
            let spec = k8s::NodeStatusSpec {
                nodename: hostname.clone(),
                node_ready: true,
                ..Default::default()
            };
            one(item(
                "NodeStatuses.kubernetes.talos.dev",
                hostname,
                spec,
                &readable,
            ))
        }
        "StaticPodStatuses.kubernetes.talos.dev" if leads && api => [
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
        ]
        .into_iter()
        .map(|name| {
            let readable =
                json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
            let spec = k8s::StaticPodStatusSpec { pod_status: None };
            let id = format!("kube-system/{name}-{hostname}");
            item(
                "StaticPodStatuses.kubernetes.talos.dev",
                id,
                spec,
                &readable,
            )
        })
        .collect(),
        "APIServerConfigs.kubernetes.talos.dev" if leads => {
            let image = image("kube-apiserver");
            let readable = json!({"image": image});
            one(item(
                "APIServerConfigs.kubernetes.talos.dev",
                "kube-apiserver",
                k8s::ApiServerConfigSpec { image },
                &readable,
            ))
        }
        "ControllerManagerConfigs.kubernetes.talos.dev" if leads => {
            let image = image("kube-controller-manager");
            let readable = json!({"enabled": true, "image": image});
            let spec = k8s::ControllerManagerConfigSpec {
                enabled: true,
                image,
            };
            one(item(
                "ControllerManagerConfigs.kubernetes.talos.dev",
                "kube-controller-manager",
                spec,
                &readable,
            ))
        }
        "SchedulerConfigs.kubernetes.talos.dev" if leads => {
            let image = image("kube-scheduler");
            let readable = json!({"enabled": true, "image": image});
            let spec = k8s::SchedulerConfigSpec {
                enabled: true,
                image,
            };
            one(item(
                "SchedulerConfigs.kubernetes.talos.dev",
                "kube-scheduler",
                spec,
                &readable,
            ))
        }
        "BootstrapManifestsConfigs.kubernetes.talos.dev" if leads => {
            let readable = json!({"proxyEnabled": config.kube_proxy, "cniName": config.cni, "coreDNSEnabled": true});
            let spec = k8s::BootstrapManifestsConfigSpec {
                proxy_enabled: config.kube_proxy,
                proxy_image: image("kube-proxy"),
                core_dns_enabled: true,
                cni_name: config.cni.clone(),
            };
            one(item(
                "BootstrapManifestsConfigs.kubernetes.talos.dev",
                "manifests",
                spec,
                &readable,
            ))
        }
        _ => Vec::new(),
    }
}
