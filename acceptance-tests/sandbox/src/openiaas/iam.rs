//! Tenants, features, roles, users, personal access tokens.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{AccessToken, new_id, seed_id};
use super::read::Found;
use super::{Refusal, body, ok};
use crate::http::Request;
use crate::world::World;

const ROLES: [&str; 20] = [
    "activity_read",
    "backup_iaas_opensource_read",
    "backup_iaas_opensource_write",
    "compute_iaas_opensource_console_access",
    "compute_iaas_opensource_infrastructure_read",
    "compute_iaas_opensource_infrastructure_write",
    "compute_iaas_opensource_management",
    "compute_iaas_opensource_read",
    "compute_iaas_opensource_replication_recover",
    "compute_iaas_opensource_virtual_machine_power",
    "iam_offline_access",
    "iam_read",
    "object-storage_iam_management",
    "object-storage_read",
    "object-storage_write",
    "order_read",
    "tag_read",
    "tag_write",
    "vpc_read",
    "vpc_write",
];

const FEATURES: [&str; 4] = ["OpenIaaS", "VPC", "ObjectStorage", "Backup"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewToken {
    name: String,
    #[serde(default)]
    roles: Vec<String>,
    expiration_date: i64,
}

/// `/iam/v2`.
pub fn handle(world: &Arc<World>, request: &Request, rest: &[&str]) -> Found {
    match request.method.as_str() {
        "GET" => read(world, rest),
        "POST" if rest == ["personal_access_tokens"] => Some(create(world, request)),
        "DELETE" => match rest {
            ["personal_access_tokens", id] => {
                let removed = world.cloud().access_tokens.remove(*id);
                world.changed();
                Some(
                    removed
                        .map(|_| crate::http::empty(200))
                        .ok_or_else(absent_token),
                )
            }
            _ => None,
        },
        _ => None,
    }
}

/// An absent token answers 500: the contract of the platform.
fn absent_token() -> Refusal {
    Refusal::new(500, "Internal Server Error")
}

fn read(world: &World, rest: &[&str]) -> Found {
    let cloud = world.cloud();
    let list = |mut list: Vec<Value>| {
        world.order(&mut list);
        Some(Ok(ok(&Value::Array(list))))
    };
    let one =
        |value: Option<Value>| Some(value.map(|value| ok(&value)).ok_or_else(Refusal::absent));
    let role = |name: &&str| json!({"id": seed_id(name), "name": name});
    let user = json!({
        "id": cloud.user, "internalId": "robot", "name": "Robot", "type": "ServiceAccount", "source": ["local"],
        "sourceId": cloud.user, "emailVerified": true, "email": "robot@example.net",
    });
    let token = |token: &AccessToken| {
        json!({
            "id": token.id, "name": token.name, "roles": token.roles, "expirationDate": token.expires.to_string(),
            "userId": cloud.user, "tenantId": cloud.tenant, "tenantName": world.config.tenant.name,
        })
    };
    match rest {
        ["tenants"] => list(vec![json!({
            "id": cloud.tenant, "name": world.config.tenant.name, "snc": false, "companyId": cloud.company,
        })]),
        ["features"] => {
            list(FEATURES.iter().map(|name| json!({"id": seed_id(name), "name": name, "subFeatures": []})).collect())
        }
        ["features", "assignments"] => {
            list(FEATURES.iter().map(|name| json!({"featureId": seed_id(name), "tenantId": cloud.tenant})).collect())
        }
        ["roles"] => list(ROLES.iter().map(role).collect()),
        ["roles", id] => one(ROLES.iter().find(|name| seed_id(name) == *id).map(role)),
        ["assignments", "tenant"] => list(
            ROLES
                .iter()
                .map(|name| json!({"userId": cloud.user, "tenantId": cloud.tenant, "roleId": seed_id(name)}))
                .collect(),
        ),
        ["companies", id] => one((*id == cloud.company).then(|| json!({"id": id, "name": "Sandbox Company"}))),
        ["users"] => list(vec![user]),
        ["users", id] => one((*id == cloud.user).then_some(user)),
        ["personal_access_tokens"] => list(cloud.access_tokens.values().map(token).collect()),
        ["personal_access_tokens", id] => {
            Some(cloud.access_tokens.get(*id).map(|known| ok(&token(known))).ok_or_else(absent_token))
        }
        _ => None,
    }
}

fn create(world: &World, request: &Request) -> super::Result<super::Reply> {
    let new: NewToken = body(request)?;
    let token = AccessToken {
        id: new_id(),
        name: new.name,
        secret: new_id(),
        roles: new.roles,
        expires: new.expiration_date,
    };
    let mut cloud = world.cloud();
    let view = json!({
        "id": token.id, "name": token.name, "secret": token.secret, "roles": token.roles,
        "expirationDate": token.expires, "userId": cloud.user, "tenantId": cloud.tenant,
        "tenantName": world.config.tenant.name,
    });
    cloud.access_tokens.insert(token.id.clone(), token);
    drop(cloud);
    world.changed();
    Ok(crate::http::json(201, &view))
}
