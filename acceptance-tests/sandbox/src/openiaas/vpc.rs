//! Private networks, static and floating addresses.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::model::new_id;
use super::operations::Operation;
use super::read::Found;
use super::write::mac;
use super::{Refusal, Reply, Result, accepted, activities, body, ok, views};
use crate::http::Request;
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StaticIpBody {
    #[serde(default)]
    mac_address: Option<String>,
    #[serde(default)]
    ip_address: Option<Ipv4Addr>,
    #[serde(default)]
    resource_description: Option<String>,
}

#[derive(Deserialize)]
struct Described {
    description: String,
}

fn listing(world: &World, mut list: Vec<Value>) -> Result<Reply> {
    world.order(&mut list);
    Ok(ok(&Value::Array(list)))
}

/// `/vpc/v1`.
pub fn handle(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    match request.method.as_str() {
        "GET" => read(world, request, rest),
        _ => write(world, request, rest),
    }
}

fn read(world: &World, request: &Request, rest: &[&str]) -> Found {
    let cloud = world.cloud();
    let in_vpc = |view: &Value| {
        request
            .query("vpcId")
            .is_none_or(|vpc| view["vpc"]["id"] == vpc)
    };
    let one = |found: Option<Value>| Some(found.map(|view| ok(&view)).ok_or_else(Refusal::absent));
    match rest {
        ["vpc"] => Some(listing(
            world,
            cloud
                .private_networks
                .iter()
                .map(|known| views::vpc(&cloud, known))
                .collect(),
        )),
        ["vpc", id] => one(cloud
            .private_networks
            .iter()
            .find(|known| known.vpc.id == *id)
            .map(|known| views::vpc(&cloud, known))),
        ["private_networks"] => {
            let all = cloud
                .private_networks
                .iter()
                .map(|known| views::private_network(&cloud, known));
            Some(listing(world, all.filter(in_vpc).collect()))
        }
        ["private_networks", id] => one(cloud
            .private_networks
            .iter()
            .find(|known| known.id == *id)
            .map(|known| views::private_network(&cloud, known))),
        ["private_networks", id, "static_ips"] => {
            let vm = request.query("virtualMachineId");
            let all = cloud
                .static_ips
                .values()
                .filter(|known| known.private_network == *id);
            let all = all
                .map(|known| views::static_ip(&cloud, known))
                .filter(|view| {
                    vm.as_ref()
                        .is_none_or(|vm| view["virtualMachine"]["id"] == **vm)
                });
            Some(listing(world, all.collect()))
        }
        ["static_ips", "mac", wanted] => {
            let wanted = mac(wanted).ok()?;
            one(cloud
                .static_ips
                .values()
                .find(|known| known.mac == wanted)
                .map(|known| views::static_ip(&cloud, known)))
        }
        ["static_ips", id] => one(cloud
            .static_ips
            .get(*id)
            .map(|known| views::static_ip(&cloud, known))),
        ["floating_ips"] => {
            let all = cloud
                .floating_ips
                .values()
                .map(|known| views::floating_ip(&cloud, known));
            Some(listing(world, all.filter(in_vpc).collect()))
        }
        ["floating_ips", id] => one(cloud
            .floating_ips
            .get(*id)
            .map(|known| views::floating_ip(&cloud, known))),
        _ => None,
    }
}

fn write(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    let start = |operation: Operation| accepted(&activities::start(world, operation));
    let reply = match (request.method.as_str(), rest) {
        ("POST", ["private_networks", id, "static_ips"]) => create(world, request, id).map(start),
        ("PATCH", ["static_ips", id]) => update(world, request, id).map(start),
        ("DELETE", ["static_ips", id]) => delete(world, id).map(start),
        ("POST", ["floating_ips"]) => Ok(start(Operation::CreateFloatingIp { id: new_id() })),
        ("PATCH", ["floating_ips", id]) => known_floating(world, id).and_then(|()| {
            let Described { description } = body(request)?;
            Ok(soon(
                world,
                Operation::UpdateFloatingIp {
                    id: (*id).into(),
                    description,
                },
            ))
        }),
        ("DELETE", ["floating_ips", id]) => known_floating(world, id).and_then(|()| {
            let bound = world
                .cloud()
                .floating_ips
                .get(*id)
                .is_some_and(|known| known.static_ip.is_some());
            if bound {
                return Err(Refusal::new(409, "the floating IP is bound"));
            }
            Ok(soon(
                world,
                Operation::DeleteFloatingIp { id: (*id).into() },
            ))
        }),
        ("POST", ["floating_ips", floating, "bind", "static_ips", fixed]) => {
            bind(world, floating, fixed, true).map(start)
        }
        ("DELETE", ["floating_ips", floating, "unbind", "static_ips", fixed]) => {
            bind(world, floating, fixed, false).map(start)
        }
        _ => return None,
    };
    Some(reply)
}

/// Changes of floating IPs are at once, or accepted, by setting.
fn soon(world: &Arc<World>, operation: Operation) -> Reply {
    let behaviour = world.behaviour();
    if behaviour.floating_ip_async {
        let mut reply = accepted(&activities::start(world, operation));
        *reply.status_mut() = http::StatusCode::ACCEPTED;
        return reply;
    }
    let _ = operation.apply(
        &mut world.cloud(),
        &behaviour,
        &world.delays(),
        &mut Vec::new(),
    );
    world.changed();
    crate::http::empty(204)
}

fn known_floating(world: &World, id: &str) -> Result<()> {
    if world.cloud().floating_ips.contains_key(id) {
        Ok(())
    } else {
        Err(Refusal::absent())
    }
}

fn create(world: &World, request: &Request, private_network: &str) -> Result<Operation> {
    let new: StaticIpBody = body(request)?;
    if !world
        .cloud()
        .private_networks
        .iter()
        .any(|known| known.id == private_network)
    {
        return Err(Refusal::absent());
    }
    let description = new
        .resource_description
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Refusal::invalid("resourceDescription is required"))?;
    Ok(Operation::CreateStaticIp {
        id: new_id(),
        private_network: private_network.to_owned(),
        mac: mac(new.mac_address.as_deref().unwrap_or_default())?,
        address: new.ip_address,
        description,
    })
}

fn update(world: &World, request: &Request, id: &str) -> Result<Operation> {
    let change: StaticIpBody = body(request)?;
    if !world.cloud().static_ips.contains_key(id) {
        return Err(Refusal::absent());
    }
    if change.mac_address.is_none() && change.resource_description.is_none() {
        return Err(Refusal::invalid("nothing to update"));
    }
    Ok(Operation::UpdateStaticIp {
        id: id.to_owned(),
        mac: change.mac_address.as_deref().map(mac).transpose()?,
        description: change.resource_description,
    })
}

fn delete(world: &World, id: &str) -> Result<Operation> {
    let cloud = world.cloud();
    let known = cloud.static_ips.get(id).ok_or_else(Refusal::absent)?;
    if known.source != "custom" {
        return Err(Refusal::invalid("not a custom static IP"));
    }
    if cloud
        .floating_ips
        .values()
        .any(|floating| floating.static_ip.as_deref() == Some(id))
    {
        return Err(Refusal::invalid("a floating IP is bound to the static IP"));
    }
    Ok(Operation::DeleteStaticIp { id: id.to_owned() })
}

fn bind(world: &World, floating: &str, fixed: &str, bind: bool) -> Result<Operation> {
    let cloud = world.cloud();
    let known = cloud
        .floating_ips
        .get(floating)
        .ok_or_else(Refusal::absent)?;
    if !cloud.static_ips.contains_key(fixed) {
        return Err(Refusal::absent());
    }
    let bound = known.static_ip.as_deref() == Some(fixed);
    if bound == bind {
        return Err(Refusal::new(409, "the relation is as wished already"));
    }
    if bind && known.static_ip.is_some() {
        return Err(Refusal::invalid("the floating IP is bound elsewhere"));
    }
    Ok(Operation::Bind {
        floating: floating.to_owned(),
        fixed: bind.then(|| fixed.to_owned()),
    })
}
