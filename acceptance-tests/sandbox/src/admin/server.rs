//! The admin endpoint.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::config::{Behaviour, Delays, KubernetesKind};
use crate::gate::{Fault, PausePoint};
use crate::http::{Answer, Request};
use crate::openiaas::model::Power;
use crate::running::Addresses;
use crate::world::World;

type Reply = Response<Full<bytes::Bytes>>;

/// Serves the admin endpoint until the world ends.
pub async fn serve(world: Arc<World>, addresses: Addresses, listener: TcpListener) {
    let stop = world.stop.clone();
    let addresses = Arc::new(addresses);
    crate::http::serve(listener, None, stop, move |request| {
        let (world, addresses) = (Arc::clone(&world), Arc::clone(&addresses));
        async move { answer(world, &addresses, request).await }
    })
    .await;
}

#[derive(Deserialize)]
struct PowerBody {
    on: bool,
}

#[derive(Deserialize)]
struct SeedBody {
    seed: Option<u64>,
}

#[derive(Deserialize)]
struct SpeedBody {
    speed: f64,
}

#[derive(Deserialize)]
struct KubernetesBody {
    kind: KubernetesKind,
}

#[derive(Deserialize)]
struct StorageBody {
    gib: u64,
}

const ROUTES: &str = "GET /addresses /inventory /nodes /events?after=N /calls /writes /faults /delays /behaviour \
    /pause-points/{id}[?wait=MS] /vms/{name}/console; POST /faults /pause-points /shutdown; PUT /delays /speed /shuffle /kubernetes \
    /vms/{name}/power /storage/{name}; PATCH /behaviour; DELETE /faults[/{id}] /calls /pause-points/{id} /vms/{name} \
    /templates/{zone}/{name}";

async fn answer(world: Arc<World>, addresses: &Addresses, request: Request) -> Answer {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    Ok(match route(&world, addresses, &request, &segments).await {
        Ok(reply) => reply,
        Err((status, why)) => crate::http::json(status, &json!({"error": why})),
    })
}

type Failure = (u16, String);

fn body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Failure> {
    serde_json::from_slice(&request.body).map_err(|error| (400, format!("invalid body: {error}")))
}

fn show<T: serde::Serialize>(value: &T) -> Result<Reply, Failure> {
    serde_json::to_value(value)
        .map(|value| crate::http::json(200, &value))
        .map_err(|error| (500, error.to_string()))
}

fn done(found: bool) -> Result<Reply, Failure> {
    if found {
        Ok(crate::http::json(200, &json!({})))
    } else {
        Err((404, "not found".into()))
    }
}

async fn route(
    world: &Arc<World>,
    addresses: &Addresses,
    request: &Request,
    segments: &[&str],
) -> Result<Reply, Failure> {
    match (request.method.as_str(), segments) {
        ("GET", ["addresses"]) => show(addresses),
        ("GET", ["inventory"]) => show(&super::inventory::take(world)),
        ("GET", ["nodes"]) => show(&world.nodes.views(world)),
        ("GET", ["events"]) => show(
            &world.events(
                request
                    .query("after")
                    .and_then(|after| after.parse().ok())
                    .unwrap_or(0),
            ),
        ),
        ("GET", ["calls"]) => show(&world.gate.calls()),
        ("DELETE", ["calls"]) => {
            world.gate.reset_calls();
            done(true)
        }
        ("GET", ["writes"]) => show(&world.gate.writes()),
        ("GET", ["faults"]) => show(&world.gate.faults()),
        ("POST", ["faults"]) => show(&json!({"id": world.gate.add_fault(body::<Fault>(request)?)})),
        ("DELETE", ["faults"]) => {
            world.gate.clear_faults();
            done(true)
        }
        ("DELETE", ["faults", id]) => done(world.gate.remove_fault(number(id)?)),
        ("POST", ["pause-points"]) => {
            show(&json!({"id": world.gate.add_pause(body::<PausePoint>(request)?)}))
        }
        ("GET", ["pause-points", id]) => {
            let id = number(id)?;
            if let Some(wait) = request.query("wait").and_then(|wait| wait.parse().ok()) {
                world.gate.reached(id, Duration::from_millis(wait)).await;
            }
            show(&world.gate.pause(id).ok_or((404, "not found".to_owned()))?)
        }
        ("DELETE", ["pause-points", id]) => done(world.gate.release(number(id)?)),
        ("GET", ["delays"]) => show(&world.delays()),
        ("PUT", ["delays"]) => {
            world.set_delays(body::<Delays>(request)?);
            done(true)
        }
        ("PUT", ["speed"]) => {
            let SpeedBody { speed } = body(request)?;
            world.set_delays(Delays {
                speed,
                ..world.delays()
            });
            done(true)
        }
        ("GET", ["behaviour"]) => show(&world.behaviour()),
        ("PATCH", ["behaviour"]) => {
            let mut all = serde_json::to_value(world.behaviour())
                .map_err(|error| (500, error.to_string()))?;
            let patch: serde_json::Map<String, Value> = body(request)?;
            for (key, value) in patch {
                all[key] = value;
            }
            let all: Behaviour =
                serde_json::from_value(all).map_err(|error| (400, error.to_string()))?;
            world.set_behaviour(all);
            done(true)
        }
        ("PUT", ["shuffle"]) => {
            let SeedBody { seed } = body(request)?;
            world.set_behaviour(Behaviour {
                shuffle: seed,
                ..world.behaviour()
            });
            done(true)
        }
        ("PUT", ["kubernetes"]) => {
            let KubernetesBody { kind } = body(request)?;
            world
                .set_kubernetes(kind)
                .map_err(|error| (409, error.to_string()))?;
            done(true)
        }
        ("POST", ["shutdown"]) => {
            let world = Arc::clone(world);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                world.stop.cancel();
            });
            done(true)
        }
        _ => things(world, request, segments),
    }
}

/// Changes from outside: what another hand in the tenant does.
fn things(world: &Arc<World>, request: &Request, segments: &[&str]) -> Result<Reply, Failure> {
    match (request.method.as_str(), segments) {
        ("DELETE", ["vms", name]) => {
            let id = vm_id(world, name)?;
            crate::openiaas::operations::remove_vm(&mut world.cloud(), &id);
            world.nodes.kill(world, &id);
            world.event("admin", name, "deleted from outside");
            world.changed();
            done(true)
        }
        ("PUT", ["vms", name, "power"]) => {
            let PowerBody { on } = body(request)?;
            let id = vm_id(world, name)?;
            power(world, &id, on);
            world.event(
                "admin",
                name,
                if on {
                    "powered on from outside"
                } else {
                    "powered off from outside"
                },
            );
            done(true)
        }
        ("GET", ["vms", name, "console"]) => {
            let id = vm_id(world, name)?;
            Ok(crate::http::raw(
                200,
                "text/plain; charset=utf-8",
                world.nodes.console(&id).into(),
            ))
        }
        ("DELETE", ["templates", zone, name]) => {
            let mut cloud = world.cloud();
            let zone = cloud
                .zones
                .iter()
                .find(|known| known.name == *zone)
                .map(|zone| zone.id.clone());
            let before = cloud.templates.len();
            cloud
                .templates
                .retain(|template| template.name != *name || Some(&template.zone) != zone.as_ref());
            done(before != cloud.templates.len())
        }
        ("PUT", ["storage", name]) => {
            let StorageBody { gib } = body(request)?;
            let mut cloud = world.cloud();
            let found = cloud.storage.iter_mut().find(|known| known.name == *name);
            done(found.map(|known| known.capacity = gib << 30).is_some())
        }
        _ => Err((404, format!("unknown route; known are: {ROUTES}"))),
    }
}

fn power(world: &Arc<World>, id: &str, on: bool) {
    let place = {
        let mut cloud = world.cloud();
        let zone = cloud.vms.get(id).map(|vm| vm.zone.clone());
        let host = cloud
            .hosts
            .iter()
            .find(|host| Some(&host.zone) == zone.as_ref())
            .map(|host| host.id.clone());
        let Some(vm) = cloud.vms.get_mut(id) else {
            return;
        };
        if on {
            vm.power = Power::Running;
            vm.host = host;
            vm.starts += 1;
            vm.drivers_at = Some(crate::openiaas::model::now());
        } else {
            crate::openiaas::operations::halt(vm);
        }
        on
    };
    if place {
        world.nodes.boot(world, id);
    } else {
        world.nodes.kill(world, id);
    }
    world.changed();
}

fn number(text: &str) -> Result<u64, Failure> {
    text.parse()
        .map_err(|_| (400, format!("{text} is no number")))
}

fn vm_id(world: &World, name: &str) -> Result<String, Failure> {
    let cloud = world.cloud();
    if cloud.vms.contains_key(name) {
        return Ok(name.to_owned());
    }
    cloud
        .vm_by_name(name, None)
        .map(|vm| vm.id.clone())
        .ok_or((404, format!("no virtual machine {name}")))
}
