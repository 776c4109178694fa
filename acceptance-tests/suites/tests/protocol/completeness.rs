//! One test over all resources and all their attributes: whatever is unknown or absent, a plan is legal or refused in
//! words, and what is known of it stays when more is known.

use core_client::{Attribute, Error, Nesting, Plan, UNKNOWN};
use serde_json::{Value as Json, json};
use suites::Result;

use crate::world::{ADDON, CLUSTER, POOL, World, addon, cluster, handle, pool};

/// Every attribute that a configuration may set, also within single objects: its names from the root.
fn settable(
    attributes: &std::collections::BTreeMap<String, Attribute>,
    above: &[String],
    found: &mut Vec<Vec<String>>,
) {
    for (name, attribute) in attributes {
        if !(attribute.required || attribute.optional) {
            continue;
        }
        let path = [above, std::slice::from_ref(name)].concat();
        if let Some((Nesting::Single, members)) = &attribute.nested {
            settable(members, &path, found);
        }
        found.push(path);
    }
}

/// The configuration with another value at a path; objects on the way are made.
fn with(config: &Json, path: &[String], value: &Json) -> Json {
    let mut config = config.clone();
    let mut place = &mut config;
    for name in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[name];
    }
    *place = value.clone();
    config
}

/// The value at a path; null where there is none.
fn at(config: &Json, path: &[String]) -> Json {
    let found = path.iter().try_fold(config, |place, name| place.get(name));
    found.cloned().unwrap_or(Json::Null)
}

/// Whether `later` only turns unknowns of `earlier` into values.
fn completes(earlier: &Json, later: &Json) -> bool {
    match (earlier, later) {
        (Json::String(text), _) if text == UNKNOWN => true,
        (Json::Object(a), Json::Object(b)) => {
            a.keys().eq(b.keys()) && a.iter().all(|(name, value)| completes(value, &b[name]))
        }
        // A set may come in another order when more of it is known.
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().all(|a| b.iter().any(|b| completes(a, b)))
        }
        _ => earlier == later,
    }
}

/// What a plan says that the other one contradicts, name by name.
fn contradictions(early: &Plan, late: &Plan) -> Vec<String> {
    let (early, late) = (early.planned.to_json(), late.planned.to_json());
    let members = early.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| !completes(value, &late[name.as_str()]))
        .map(|(name, value)| format!("{name}: {value}, then {}", late[name.as_str()]))
        .collect()
}

#[tokio::test]
async fn every_attribute_of_every_resource_may_be_unknown_or_null() -> Result {
    let mut world = World::start().await?;
    let config = cluster("devone");
    let made = world.make(CLUSTER, &config).await?;
    let handle = handle(&made);
    let (pool_config, addon_config) = (pool(&handle), addon(&handle));
    let workers = world.make(POOL, &pool_config).await?;
    let metallb = world.make(ADDON, &addon_config).await?;
    let mut broken = Vec::new();
    let mut legal = 0;
    for (kind, instance, config) in [
        (CLUSTER, &made, &config),
        (POOL, &workers, &pool_config),
        (ADDON, &metallb, &addon_config),
    ] {
        let mut paths = Vec::new();
        let schema = world.core.schemas.resources[kind].clone();
        settable(&schema.block.attributes, &[], &mut paths);
        for prior in [None, Some(instance)] {
            for path in &paths {
                let unknown = with(config, path, &json!(UNKNOWN));
                let null = with(config, path, &Json::Null);
                for (what, changed) in [("unknown", unknown), ("null", null)] {
                    let place = format!(
                        "{kind} {} {what}, prior: {}",
                        path.join("."),
                        prior.is_some()
                    );
                    match world.core.plan_only(kind, prior, &changed).await {
                        Ok(plan) => {
                            legal += 1;
                            if what == "unknown" {
                                let known = with(config, path, &at(config, path));
                                let whole = world.core.plan_only(kind, prior, &known).await?;
                                let found = contradictions(&plan, &whole);
                                broken.extend(found.iter().map(|one| format!("{place}: {one}")));
                            }
                        }
                        // A refusal in words is no mistake of the provider.
                        Err(Error::Diagnostics { diagnostics, .. }) => {
                            let mistakes = diagnostics
                                .iter()
                                .filter(|one| one.detail.contains("mistake in the provider"));
                            broken.extend(mistakes.map(|one| format!("{place}: {}", one.detail)));
                        }
                        Err(other) => broken.push(format!("{place}: {other}")),
                    }
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(legal > 200, "only {legal} plans were made");
    Ok(())
}
