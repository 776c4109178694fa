//! Control plane of object storage.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{StorageAccount, new_id, now, seed_id};
use super::operations::Operation;
use super::read::Found;
use super::{Refusal, accepted, activities, body, ok, views};
use crate::http::Request;
use crate::world::World;

const ROLES: [&str; 4] = ["read_only", "read_write", "write_only", "maintainer"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BucketBody {
    #[serde(default)]
    name: String,
    #[serde(default)]
    access_type: Option<String>,
    #[serde(default)]
    whitelist: Vec<String>,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
struct NameBody {
    name: String,
}

/// `/storage/object/v1`.
pub fn handle(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    if request.method == http::Method::GET {
        read(world, rest)
    } else {
        write(world, request, rest)
    }
}

fn absent(world: &World) -> Refusal {
    Refusal::new(
        world.behaviour().object_absent_status,
        "the object is absent or denied",
    )
}

fn read(world: &World, rest: &[&str]) -> Found {
    let cloud = world.cloud();
    let list = |mut list: Vec<Value>| {
        world.order(&mut list);
        Some(Ok(ok(&Value::Array(list))))
    };
    let role = |id: &str, name: &str, role: &str| json!({"id": id, "name": name, "role": role});
    match rest {
        ["namespaces"] => Some(Ok(ok(&json!({
            "id": seed_id("namespace"), "name": "sandbox", "region": "fr1", "accessKeyId": "SANDBOX",
        })))),
        ["roles"] => list(
            ROLES
                .iter()
                .map(|name| json!({"id": seed_id(name), "name": name, "description": name, "permissions": []}))
                .collect(),
        ),
        ["buckets"] => list(cloud.buckets.values().map(views::bucket).collect()),
        ["storage_accounts"] => list(cloud.accounts.values().map(views::account).collect()),
        ["buckets", name, tail @ ..] => {
            let Some(bucket) = cloud.buckets.get(*name) else { return Some(Err(absent(world))) };
            match tail {
                [] => Some(Ok(ok(&views::bucket(bucket)))),
                ["files"] => list(Vec::new()),
                ["storage_accounts"] => list(
                    bucket
                        .grants
                        .iter()
                        .filter_map(|(account, granted)| {
                            cloud.accounts.get(account).map(|known| role(&known.id, account, granted))
                        })
                        .collect(),
                ),
                _ => None,
            }
        }
        ["storage_accounts", name, tail @ ..] => {
            let Some(account) = cloud.accounts.get(*name) else { return Some(Err(absent(world))) };
            match tail {
                [] => Some(Ok(ok(&views::account(account)))),
                ["buckets"] => list(
                    cloud
                        .buckets
                        .values()
                        .filter_map(|bucket| {
                            bucket.grants.get(*name).map(|granted| role(&bucket.id, &bucket.name, granted))
                        })
                        .collect(),
                ),
                _ => None,
            }
        }
        _ => None,
    }
}

fn write(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    let known = |name: &str| world.cloud().buckets.contains_key(name);
    let operation = match (request.method.as_str(), rest) {
        ("POST", ["namespaces", "access_key", "renew"]) => {
            return Some(Ok(crate::http::json(
                201,
                &json!({"accessKeyId": "SANDBOX", "accessSecretKey": new_id()}),
            )));
        }
        ("POST", ["storage_accounts"]) => return Some(create_account(world, request)),
        ("POST", ["buckets"]) => body::<BucketBody>(request).and_then(|new| {
            let access = new.access_type.unwrap_or_else(|| "private".into());
            if access == "custom" && new.whitelist.is_empty() {
                return Err(Refusal::invalid(
                    "whitelist is required with accessType custom",
                ));
            }
            Ok(Operation::CreateBucket {
                id: new_id(),
                name: new.name,
                access,
                whitelist: new.whitelist,
            })
        }),
        ("PUT", ["buckets", name, "whitelist" | "versioning"]) => body::<BucketBody>(request)
            .and_then(|change| {
                if !known(name) {
                    return Err(absent(world));
                }
                Ok(Operation::UpdateBucket {
                    name: (*name).into(),
                    access: change.access_type,
                    whitelist: change.whitelist,
                    versioning: change.status,
                })
            }),
        ("DELETE", ["buckets", name]) if known(name) => Ok(Operation::DeleteBucket {
            name: (*name).into(),
        }),
        ("DELETE", ["storage_accounts", name]) if world.cloud().accounts.contains_key(*name) => {
            Ok(Operation::DeleteAccount {
                name: (*name).into(),
            })
        }
        ("DELETE", ["buckets" | "storage_accounts", _]) => Err(absent(world)),
        ("POST", ["buckets", bucket, "grant", role, "to", account])
        | ("DELETE", ["buckets", bucket, "revoke", role, "to", account]) => {
            if !known(bucket)
                || !ROLES.contains(role)
                || !world.cloud().accounts.contains_key(*account)
            {
                Err(absent(world))
            } else {
                Ok(Operation::Grant {
                    bucket: (*bucket).into(),
                    account: (*account).into(),
                    role: (*role).into(),
                    grant: request.method == http::Method::POST,
                })
            }
        }
        _ => return None,
    };
    Some(operation.map(|operation| accepted(&activities::start(world, operation))))
}

fn create_account(world: &World, request: &Request) -> super::Result<super::Reply> {
    let NameBody { name } = body(request)?;
    let mut cloud = world.cloud();
    if cloud.accounts.contains_key(&name) {
        return Err(Refusal::new(409, "the storage account exists"));
    }
    let key = new_id().replace('-', "").to_uppercase();
    let account = StorageAccount {
        id: new_id(),
        name: name.clone(),
        access_key: key.clone(),
        created_at: now(),
    };
    cloud.accounts.insert(name, account);
    drop(cloud);
    world.changed();
    Ok(crate::http::json(
        201,
        &json!({"accessKeyId": key, "secretAccessKey": new_id()}),
    ))
}
