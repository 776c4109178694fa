//! Reads of compute, activities and backup.

use std::sync::Arc;

use http::Method;
use serde_json::Value;

use super::model::{Cloud, now};
use super::operations::Operation;
use super::{Refusal, Reply, Result, accepted, activities, body, ok, views};
use crate::config::Behaviour;
use crate::http::Request;
use crate::world::World;

/// What was found: absent when the route is unknown.
pub type Found = Option<Result<Reply>>;

/// A filter of a listing by a field of the view.
fn keeps(request: &Request, key: &str, value: &Value) -> bool {
    let wanted = request.queries(key);
    wanted.is_empty() || wanted.iter().any(|wanted| value.as_str() == Some(wanted))
}

fn listing(world: &World, mut list: Vec<Value>) -> Result<Reply> {
    world.order(&mut list);
    Ok(ok(&Value::Array(list)))
}

fn by_id(list: &[Value], id: &str) -> Result<Reply> {
    list.iter()
        .find(|item| item["id"] == id)
        .map(ok)
        .ok_or_else(Refusal::absent)
}

fn visible(behaviour: &Behaviour, created_at: i64) -> bool {
    behaviour.visibility_delay == 0 || created_at + behaviour.visibility_delay as i64 <= now()
}

/// Listings and by-id reads of `/compute/v1/open_iaas`.
pub fn compute(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    let cloud = world.cloud();
    let behaviour = world.behaviour();
    if rest.is_empty() {
        let list = cloud
            .zones
            .iter()
            .map(|zone| views::machine_manager(&zone.id, &zone.name))
            .collect();
        return Some(listing(world, list));
    }
    let (collection, tail) = (rest[0], &rest[1..]);
    if collection == "replication" {
        return replication(world, &cloud, tail);
    }
    let Some(all) = collection_views(&cloud, &behaviour, collection) else {
        // The route of a machine manager comes last: every static route was looked at before.
        let zones: Vec<Value> = cloud
            .zones
            .iter()
            .map(|zone| views::machine_manager(&zone.id, &zone.name))
            .collect();
        return tail.is_empty().then(|| by_id(&zones, collection));
    };
    match tail {
        [] => {
            let scoped = [
                "machineManagerId",
                "virtualMachineId",
                "templateId",
                "storageRepositoryId",
                "poolId",
            ]
            .iter()
            .any(|key| request.query(key).is_some());
            if behaviour.unscoped_listing_fails && !scoped {
                return Some(Err(Refusal::new(500, "Internal Server Error")));
            }
            let list = all
                .into_iter()
                .filter(|view| fits(request, collection, view))
                .collect();
            Some(listing(world, list))
        }
        [id] => Some(by_id(&all, id)),
        _ => None,
    }
}

fn collection_views(cloud: &Cloud, behaviour: &Behaviour, collection: &str) -> Option<Vec<Value>> {
    Some(match collection {
        "pools" => cloud
            .zones
            .iter()
            .map(|zone| views::pool(cloud, &zone.id))
            .collect(),
        "hosts" => cloud
            .hosts
            .iter()
            .map(|host| views::host(cloud, host))
            .collect(),
        "storage_repositories" => cloud
            .storage
            .iter()
            .map(|sr| views::storage(cloud, sr))
            .collect(),
        "networks" => cloud
            .networks
            .iter()
            .map(|network| views::network(cloud, network))
            .collect(),
        "templates" => cloud
            .templates
            .iter()
            .map(|template| views::template(cloud, template))
            .collect(),
        "virtual_machines" => {
            let mut vms: Vec<_> = cloud
                .vms
                .values()
                .filter(|vm| visible(behaviour, vm.created_at))
                .collect();
            vms.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
            vms.into_iter()
                .map(|vm| views::vm(cloud, behaviour, vm))
                .collect()
        }
        "virtual_disks" => {
            let mut disks: Vec<_> = cloud
                .disks
                .values()
                .filter(|disk| visible(behaviour, disk.created_at))
                .collect();
            disks.sort_by(|a, b| {
                (a.created_at, a.config_drive, &a.id).cmp(&(b.created_at, b.config_drive, &b.id))
            });
            disks
                .into_iter()
                .map(|disk| views::disk(cloud, disk))
                .collect()
        }
        "network_adapters" => {
            let mut adapters: Vec<_> = cloud
                .adapters
                .values()
                .filter(|adapter| visible(behaviour, adapter.created_at))
                .collect();
            adapters.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
            adapters
                .into_iter()
                .map(|adapter| views::adapter(cloud, behaviour, adapter))
                .collect()
        }
        "snapshots" => Vec::new(),
        _ => return None,
    })
}

fn fits(request: &Request, collection: &str, view: &Value) -> bool {
    // Disks know no machine manager; the key is ignored there as any unknown one is.
    let common = collection == "virtual_disks"
        || keeps(request, "machineManagerId", &view["machineManager"]["id"]);
    let pool = match request.query("poolId") {
        Some(pool) => {
            view["pool"]["id"] == pool || matches!(collection, "templates" | "network_adapters")
        }
        None => true,
    };
    let own = match collection {
        "virtual_disks" => {
            let vms = request.queries("virtualMachineId");
            let of_vm = vms.is_empty()
                || view["virtualMachines"].as_array().is_some_and(|links| {
                    links
                        .iter()
                        .any(|link| vms.iter().any(|vm| link["id"] == **vm))
                });
            of_vm
                && request.query("templateId").is_none()
                && keeps(
                    request,
                    "storageRepositoryId",
                    &view["storageRepository"]["id"],
                )
        }
        "network_adapters" => keeps(request, "virtualMachineId", &view["virtualMachineId"]),
        "storage_repositories" => {
            let kinds: Vec<String> = request
                .queries("types[]")
                .into_iter()
                .chain(request.queries("types"))
                .collect();
            let kind = kinds.is_empty() || kinds.iter().any(|kind| view["storageType"] == **kind);
            let host = view["host"]["id"].as_str().unwrap_or_default();
            let on_host = request
                .query("hostId")
                .is_none_or(|wanted| host.is_empty() || host == wanted);
            kind && on_host
                && (request.query("shared").as_deref() != Some("true") || view["shared"] == true)
        }
        _ => true,
    };
    common && pool && own
}

fn replication(world: &World, cloud: &Cloud, rest: &[&str]) -> Found {
    let all: Vec<Value> = cloud
        .replications
        .values()
        .map(|known| views::replication(cloud, known))
        .collect();
    match rest {
        ["configurations"] => Some(listing(world, all)),
        ["configurations", id] => Some(by_id(&all, id)),
        ["virtual_machines", vm, "configurations"] => {
            let found = cloud
                .replications
                .values()
                .find(|known| known.vms.iter().any(|known| known == vm));
            Some(
                found
                    .map(|known| ok(&views::replication(cloud, known)))
                    .ok_or_else(Refusal::absent),
            )
        }
        _ => None,
    }
}

/// `/activity/v1/activities`.
pub fn activities(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    if request.method != Method::GET {
        return None;
    }
    let mut cloud = world.cloud();
    match rest {
        [] => {
            let mut all: Vec<_> = cloud
                .activities
                .values()
                .filter(|activity| activity.hidden_reads == 0)
                .collect();
            all.sort_by_key(|activity| activity.created_at);
            let list = all
                .into_iter()
                .map(|activity| views::activity(&cloud, activity))
                .collect();
            Some(listing(world, list))
        }
        [id] => {
            let Some(activity) = cloud.activities.get_mut(*id) else {
                return Some(Err(Refusal::absent()));
            };
            if activity.hidden_reads > 0 {
                activity.hidden_reads -= 1;
                return Some(Err(Refusal::absent()));
            }
            let view = cloud
                .activities
                .get(*id)
                .map(|activity| views::activity(&cloud, activity));
            Some(view.map(|view| ok(&view)).ok_or_else(Refusal::absent))
        }
        _ => None,
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assign {
    virtual_machine_id: String,
    #[serde(default)]
    policy_ids: Vec<String>,
}

/// `/backup/v1/open_iaas`.
pub fn backup(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    if request.method == Method::POST && rest == ["policies", "assign"] {
        return Some((|| {
            let assign: Assign = body(request)?;
            if !world.cloud().vms.contains_key(&assign.virtual_machine_id) {
                return Err(Refusal::absent());
            }
            let operation = Operation::AssignPolicies {
                vm: assign.virtual_machine_id,
                policies: assign.policy_ids,
            };
            Ok(accepted(&activities::start(world, operation)))
        })());
    }
    if request.method != Method::GET {
        return None;
    }
    let cloud = world.cloud();
    let all: Vec<Value> = cloud
        .policies
        .iter()
        .map(|policy| views::policy(&cloud, policy))
        .collect();
    match rest {
        ["policies"] => {
            let vms = request.queries("virtualMachineId");
            let list = all
                .into_iter()
                .filter(|view| keeps(request, "name", &view["name"]))
                .filter(|view| keeps(request, "machineManagerId", &view["machineManager"]["id"]))
                .filter(|view| {
                    vms.is_empty()
                        || view["virtualMachines"].as_array().is_some_and(|known| {
                            known.iter().any(|vm| vms.iter().any(|wanted| vm == wanted))
                        })
                })
                .collect();
            Some(listing(world, list))
        }
        ["policies", id] => Some(by_id(&all, id)),
        ["backups"] => Some(listing(world, Vec::new())),
        ["backups", _] => Some(Err(Refusal::absent())),
        _ => None,
    }
}
