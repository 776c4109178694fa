//! Writes of compute, and tags.

use std::net::Ipv4Addr;
use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{Tag, new_id};
use super::operations::{AdapterPatch, Operation, VmPatch, WantedAdapter};
use super::read::Found;
use super::{Refusal, Reply, Result, accepted, activities, body, ok};
use crate::http::Request;
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateVm {
    name: String,
    template_id: String,
    cpu: u32,
    memory: u64,
    #[serde(default)]
    cloud_init: Option<CloudInit>,
    #[serde(default)]
    network_adapters: Option<Vec<NewAdapter>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloudInit {
    #[serde(default)]
    cloud_config: Option<String>,
    #[serde(default)]
    network_config: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAdapter {
    network_id: String,
    #[serde(default)]
    mac: Option<String>,
    #[serde(default)]
    ip_address: Option<Ipv4Addr>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PowerChange {
    power_state: String,
    #[serde(default)]
    host_id: Option<String>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    bypass_mac_addresses_check: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewDisk {
    name: String,
    size: u64,
    mode: String,
    storage_repository_id: String,
    virtual_machine_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfVm {
    virtual_machine_id: String,
    #[serde(default)]
    mode: Option<String>,
}

#[derive(Deserialize)]
struct DiskPatch {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdapterOfVm {
    virtual_machine_id: String,
    #[serde(flatten)]
    adapter: NewAdapter,
}

#[derive(Deserialize)]
struct Order {
    order: Vec<String>,
}

/// Lower case with colons, or the platform's refusal.
pub fn mac(text: &str) -> Result<String> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let right = parts.len() == 6
        && parts
            .iter()
            .all(|part| part.len() == 2 && part.chars().all(|letter| letter.is_ascii_hexdigit()));
    if right {
        Ok(parts.join(":").to_lowercase())
    } else {
        Err(Refusal::invalid("Must be a MAC address"))
    }
}

fn field(request: &Request, name: &str) -> Result<String> {
    let value: Value = body(request)?;
    value[name]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Refusal::invalid(format!("{name} is required")))
}

fn mode(text: &str) -> Result<bool> {
    match text {
        "RW" => Ok(false),
        "RO" => Ok(true),
        other => Err(Refusal::invalid(format!(
            "mode must be RW or RO, not {other}"
        ))),
    }
}

/// Writes of `/compute/v1/open_iaas`.
pub fn compute(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    let start = |operation: Result<Operation>| -> Found {
        Some(operation.map(|operation| accepted(&activities::start(world, operation))))
    };
    let method = request.method.as_str();
    match (method, rest) {
        ("POST", ["virtual_machines"]) => start(create_vm(world, request)),
        (_, ["virtual_machines", id, tail @ ..]) => {
            if !world.cloud().vms.contains_key(*id) {
                return Some(Err(Refusal::absent()));
            }
            start(vm_operation(request, method, id, tail)?)
        }
        ("POST", ["virtual_disks"]) => start(create_disk(world, request)),
        (_, ["virtual_disks", id, tail @ ..]) => {
            if !world.cloud().disks.contains_key(*id) {
                return Some(Err(Refusal::absent()));
            }
            start(disk_operation(request, method, id, tail)?)
        }
        ("POST", ["network_adapters"]) => start(create_adapter(world, request)),
        (_, ["network_adapters", id, tail @ ..]) => {
            if !world.cloud().adapters.contains_key(*id) {
                return Some(Err(Refusal::absent()));
            }
            start(adapter_operation(request, method, id, tail)?)
        }
        ("POST", ["replication", "configurations"]) => start(create_replication(request)),
        ("DELETE", ["replication", "configurations", id]) => {
            if !world.cloud().replications.contains_key(*id) {
                return Some(Err(Refusal::absent()));
            }
            start(Ok(Operation::DeleteReplication { id: (*id).into() }))
        }
        ("POST", ["replication", "virtual_machines", vm, "configurations"]) => start(
            field(request, "configurationId").map(|id| Operation::Replicate {
                vm: (*vm).into(),
                configuration: Some(id),
            }),
        ),
        ("DELETE", ["replication", "virtual_machines", vm, "configurations"]) => {
            start(Ok(Operation::Replicate {
                vm: (*vm).into(),
                configuration: None,
            }))
        }
        _ => None,
    }
}

fn create_vm(world: &World, request: &Request) -> Result<Operation> {
    let new: CreateVm = body(request)?;
    if new.name.trim().is_empty() {
        return Err(Refusal::invalid("name is required"));
    }
    let named_right = |letter: char| letter.is_ascii_alphanumeric() || "-_. ".contains(letter);
    if !new.name.chars().all(named_right) {
        return Err(Refusal::invalid(
            "name may hold letters, digits, '-', '_', '.' and spaces",
        ));
    }
    if !world
        .cloud()
        .templates
        .iter()
        .any(|template| template.id == new.template_id)
    {
        return Err(Refusal::absent());
    }
    let (user_data, network_data) = match new.cloud_init {
        None => (None, None),
        Some(CloudInit {
            cloud_config: Some(user),
            network_config,
        }) if !user.is_empty() => (Some(user), network_config),
        Some(_) => {
            return Err(Refusal::invalid(
                "When cloudInit is provided, cloudConfig is required",
            ));
        }
    };
    let adapters = new
        .network_adapters
        .map(|adapters| {
            adapters
                .into_iter()
                .map(|adapter| {
                    Ok(WantedAdapter {
                        network: adapter.network_id,
                        mac: adapter.mac.as_deref().map(mac).transpose()?,
                        address: adapter.ip_address,
                    })
                })
                .collect::<Result<Vec<_>>>()
        })
        .transpose()?;
    Ok(Operation::CreateVm {
        id: new_id(),
        name: new.name,
        template: new.template_id,
        cpu: new.cpu,
        memory: new.memory,
        user_data,
        network_data,
        adapters,
        storage: None,
    })
}

/// The operation of a route of one VM; absent when the route is unknown.
fn vm_operation(
    request: &Request,
    method: &str,
    id: &str,
    tail: &[&str],
) -> Option<Result<Operation>> {
    let vm = id.to_owned();
    Some(match (method, tail) {
        ("PATCH", []) => body::<VmPatch>(request).and_then(|patch| {
            let empty = serde_json::to_value(&patch).is_ok_and(|value| {
                value
                    .as_object()
                    .is_some_and(|map| map.values().all(Value::is_null))
            });
            if empty {
                Err(Refusal::invalid("nothing to update"))
            } else {
                Ok(Operation::UpdateVm { vm, patch })
            }
        }),
        ("PATCH", ["power"]) => {
            body::<PowerChange>(request).and_then(|change| match change.power_state.as_str() {
                "on" => Ok(Operation::PowerOn {
                    vm,
                    host: change.host_id.filter(|host| !host.is_empty()),
                    bypass_mac_check: change.bypass_mac_addresses_check,
                }),
                "off" => Ok(Operation::PowerOff {
                    vm,
                    force: change.force,
                }),
                other => Err(Refusal::invalid(format!(
                    "powerState must be on or off, not {other}"
                ))),
            })
        }
        ("POST", ["relocate"]) => {
            field(request, "hostId").map(|host| Operation::Relocate { vm, host })
        }
        ("POST", ["mount"]) => field(request, "virtualDiskId").map(|disk| Operation::Mount {
            vm,
            disk: Some(disk),
        }),
        ("POST", ["unmount"]) => Ok(Operation::Mount { vm, disk: None }),
        ("PATCH", ["boot_order"]) => body::<Order>(request).and_then(|Order { order }| {
            let known = ["Hard-Drive", "DVD-Drive", "Network"];
            if (1..=3).contains(&order.len())
                && order.iter().all(|item| known.contains(&item.as_str()))
            {
                Ok(Operation::BootOrder { vm, order })
            } else {
                Err(Refusal::invalid(
                    "order holds 1 to 3 of Hard-Drive, DVD-Drive, Network",
                ))
            }
        }),
        ("DELETE", []) => Ok(Operation::DeleteVm { vm }),
        _ => return None,
    })
}

fn create_disk(world: &World, request: &Request) -> Result<Operation> {
    let new: NewDisk = body(request)?;
    if !world.cloud().vms.contains_key(&new.virtual_machine_id) {
        return Err(Refusal::absent());
    }
    if new.size == 0 || new.size > 2_000_000_000_000 * 11 / 10 {
        return Err(Refusal::invalid("size must be between 1 byte and 2 TB"));
    }
    Ok(Operation::CreateDisk {
        id: new_id(),
        name: new.name,
        size: new.size,
        storage: new.storage_repository_id,
        vm: new.virtual_machine_id,
        read_only: mode(&new.mode)?,
    })
}

fn disk_operation(
    request: &Request,
    method: &str,
    id: &str,
    tail: &[&str],
) -> Option<Result<Operation>> {
    let disk = id.to_owned();
    let of_vm = || body::<OfVm>(request);
    Some(match (method, tail) {
        ("PATCH", []) => body::<DiskPatch>(request).map(|patch| Operation::UpdateDisk {
            disk,
            name: patch.name,
            size: patch.size,
        }),
        ("PATCH", ["relocate"]) => field(request, "storageRepositoryId")
            .map(|storage| Operation::RelocateDisk { disk, storage }),
        ("PATCH", ["connect"]) => of_vm().map(|link| Operation::PlugDisk {
            disk,
            vm: link.virtual_machine_id,
            plug: true,
        }),
        ("PATCH", ["disconnect"]) => of_vm().map(|link| Operation::PlugDisk {
            disk,
            vm: link.virtual_machine_id,
            plug: false,
        }),
        ("PATCH", ["attach"]) => of_vm().and_then(|link| {
            let read_only = mode(link.mode.as_deref().unwrap_or("RW"))?;
            Ok(Operation::AttachDisk {
                disk,
                vm: link.virtual_machine_id,
                read_only,
            })
        }),
        ("PATCH", ["detach"]) => of_vm().map(|link| Operation::DetachDisk {
            disk,
            vm: link.virtual_machine_id,
        }),
        ("DELETE", []) => Ok(Operation::DeleteDisk { disk }),
        _ => return None,
    })
}

fn create_adapter(world: &World, request: &Request) -> Result<Operation> {
    let new: AdapterOfVm = body(request)?;
    if !world.cloud().vms.contains_key(&new.virtual_machine_id) {
        return Err(Refusal::absent());
    }
    Ok(Operation::CreateAdapter {
        id: new_id(),
        vm: new.virtual_machine_id,
        network: new.adapter.network_id,
        mac: new.adapter.mac.as_deref().map(mac).transpose()?,
        address: new.adapter.ip_address,
    })
}

fn adapter_operation(
    request: &Request,
    method: &str,
    id: &str,
    tail: &[&str],
) -> Option<Result<Operation>> {
    let adapter = id.to_owned();
    Some(match (method, tail) {
        ("PATCH", []) => body::<AdapterPatch>(request).and_then(|mut patch| {
            if patch.ip_address.is_some() && patch.network_id.is_none() {
                return Err(Refusal::invalid("ipAddress requires networkId"));
            }
            patch.mac = patch.mac.as_deref().map(mac).transpose()?;
            Ok(Operation::UpdateAdapter { adapter, patch })
        }),
        ("PATCH", ["connect"]) => Ok(Operation::PlugAdapter {
            adapter,
            plug: true,
        }),
        ("PATCH", ["disconnect"]) => Ok(Operation::PlugAdapter {
            adapter,
            plug: false,
        }),
        ("DELETE", []) => Ok(Operation::DeleteAdapter { adapter }),
        _ => return None,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewReplication {
    name: String,
    storage_repository_id: String,
    interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    #[serde(default)]
    hours: u64,
    // Written in both forms by clients.
    #[serde(default, alias = "minute")]
    minutes: u64,
}

fn create_replication(request: &Request) -> Result<Operation> {
    let new: NewReplication = body(request)?;
    Ok(Operation::CreateReplication {
        id: new_id(),
        name: new.name,
        storage: new.storage_repository_id,
        hours: new.interval.hours,
        minutes: new.interval.minutes,
    })
}

#[derive(Deserialize)]
struct NewTag {
    key: String,
    value: String,
    resources: Vec<Tagged>,
}

#[derive(Deserialize)]
struct Tagged {
    uuid: String,
    #[serde(rename = "type")]
    kind: String,
}

/// `/tag/v1/tags`: synchronous.
pub fn tags(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    match (&request.method, rest) {
        (&Method::POST, []) => Some(add_tag(world, request)),
        (&Method::GET, ["resources", id]) => {
            let cloud = world.cloud();
            let list: Vec<Value> = cloud
                .tags
                .get(*id)
                .map(Vec::as_slice)
                .unwrap_or_default()
                .iter()
                .map(|tag| json!({"key": tag.key, "value": tag.value, "tenant": cloud.tenant, "resource": id}))
                .collect();
            let mut list = list;
            world.order(&mut list);
            Some(Ok(ok(&Value::Array(list))))
        }
        (&Method::DELETE, ["resources", id, "keys", key]) => {
            let mut cloud = world.cloud();
            let known = cloud.tags.get_mut(*id);
            let Some(known) = known.filter(|tags| tags.iter().any(|tag| tag.key == *key)) else {
                return Some(Err(Refusal::absent()));
            };
            known.retain(|tag| tag.key != *key);
            drop(cloud);
            world.changed();
            Some(Ok(crate::http::empty(204)))
        }
        _ => None,
    }
}

fn add_tag(world: &World, request: &Request) -> Result<Reply> {
    let new: NewTag = body(request)?;
    if new.key.is_empty() || new.resources.is_empty() {
        return Err(Refusal::invalid("key and resources are required"));
    }
    let mut cloud = world.cloud();
    for resource in &new.resources {
        if resource.kind != "iaas_opensource_virtual_machine" {
            return Err(Refusal::invalid(format!(
                "unknown resource type {}",
                resource.kind
            )));
        }
        let tags = cloud.tags.entry(resource.uuid.clone()).or_default();
        if tags.iter().any(|tag| tag.key == new.key) {
            return Err(Refusal::new(
                409,
                format!("the resource has a tag {} already", new.key),
            ));
        }
        tags.push(Tag {
            key: new.key.clone(),
            value: new.value.clone(),
        });
    }
    drop(cloud);
    world.changed();
    Ok(crate::http::json(
        201,
        &json!({"key": new.key, "value": new.value}),
    ))
}
