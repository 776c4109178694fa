//! Objects made, listed, imported, changed and destroyed.

use core_client::{Action, Error, Query, Value};
use serde_json::json;
use suites::Result;

use crate::world::{
    ADDON, CLUSTER, KINDS, POOL, World, addon, cluster, handle, id, identity, pool,
};

#[tokio::test]
async fn cluster_pool_and_addon_are_made_listed_imported_changed_and_destroyed() -> Result {
    let mut world = World::start().await?;
    let config = cluster("devone");
    let made = world.make(CLUSTER, &config).await?;
    let handle = handle(&made);
    let (pool_config, addon_config) = (pool(&handle), addon(&handle));
    let workers = world.make(POOL, &pool_config).await?;
    let metallb = world.make(ADDON, &addon_config).await?;
    let all = [
        (CLUSTER, &made, &config),
        (POOL, &workers, &pool_config),
        (ADDON, &metallb, &addon_config),
    ];

    // Imports, by id and by identity, end in an empty plan.
    for (kind, instance, config) in all {
        let (id, identity) = (id(instance)?, identity(instance)?);
        for by in [Ok(id.as_str()), Err(&identity)] {
            let imported = world.core.import(kind, by).await?;
            assert_eq!(imported.identity, instance.identity, "{kind} by {by:?}");
            world.settled(kind, &imported, config).await?;
        }
        // Listings find the same, whole when that is asked for.
        let whole = Query {
            include_resource: true,
            limit: 100,
        };
        let (found, warnings) = world.list(kind, json!({}), whole).await?;
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(found.len(), 1, "{kind}: {found:?}");
        assert_eq!(Some(&found[0].identity), instance.identity.as_ref());
        let imported = world.core.import(kind, Ok(&id)).await?;
        assert_eq!(found[0].resource, imported.state, "{kind}");
        let (found, _) = world
            .list(kind, json!({ "identifier": "devone" }), Query::default())
            .await?;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].resource, Value::Null);
        let (found, _) = world
            .list(kind, json!({ "identifier": "devtwo" }), Query::default())
            .await?;
        assert!(found.is_empty());
        // A state of this version passes through an upgrade unchanged: refresh asserted it. Generated configuration fits.
        world.core.generate_config(kind, &imported.state).await?;
    }
    let refused = world.core.import(CLUSTER, Ok("devone")).await;
    assert!(
        matches!(refused, Err(Error::Diagnostics { .. })),
        "{refused:?}"
    );
    let refused = world
        .list(
            CLUSTER,
            json!({ "identifier": "not an identifier" }),
            Query::default(),
        )
        .await;
    assert!(refused.is_err());

    // Data sources.
    let found = world
        .core
        .read_data("managedk8s_cluster", &json!({ "id": id(&made)? }))
        .await?;
    assert_eq!(found.member("handle").to_json(), handle);
    let versions = world
        .core
        .read_data("managedk8s_versions", &json!({}))
        .await?;
    assert!(versions.member("newest_kubernetes").is_wholly_known());

    // A change in place, seen by plan and apply.
    let mut larger = pool_config.clone();
    larger["labels"] = json!({ "example.test/tier": "one" });
    let seen = world.core.refresh(POOL, &workers).await?.ok_or("gone")?;
    let plan = world.core.plan(POOL, Some(&seen), &larger).await?;
    assert_eq!(plan.action, Action::Update, "{:?}", plan.replaces);
    let done = world.core.apply(&plan).await?;
    assert!(!done.failed(), "{:#?}", done.diagnostics);
    let workers = done.instance.ok_or("gone")?;
    world.settled(POOL, &workers, &larger).await?;
    // Its name is its identity: another one replaces.
    let mut renamed = pool_config.clone();
    renamed["name"] = json!("other");
    let plan = world.core.plan(POOL, Some(&workers), &renamed).await?;
    assert_eq!(plan.action, Action::Replace);
    assert!(
        plan.replaces.iter().any(|path| path == "name"),
        "{:?}",
        plan.replaces
    );

    world.destroy(ADDON, &metallb).await?;
    world.destroy(POOL, &workers).await?;
    world.destroy(CLUSTER, &made).await?;
    for kind in KINDS {
        let (found, _) = world.list(kind, json!({}), Query::default()).await?;
        assert!(found.is_empty(), "{kind}: {found:?}");
    }
    let left = world.bench.inventory().await?;
    assert!(left.vms.is_empty() && left.disks.is_empty() && left.tags.is_empty());
    Ok(())
}

#[tokio::test]
async fn lists_stop_at_the_limit_and_survive_a_cluster_that_does_not_answer() -> Result {
    let mut world = World::start().await?;
    let first = world.make(CLUSTER, &cluster("devone")).await?;
    let mut other = cluster("devtwo");
    other["network"]["node_cidr"] = json!("10.21.0.0/22");
    other["network"]["gateway"] = json!("10.21.3.254");
    world.make(CLUSTER, &other).await?;
    let one = Query {
        include_resource: false,
        limit: 1,
    };
    let (found, _) = world.list(CLUSTER, json!({}), one).await?;
    assert_eq!(found.len(), 1);
    let (found, _) = world.list(CLUSTER, json!({}), Query::default()).await?;
    let names: Vec<_> = found.iter().map(|one| one.display_name.as_str()).collect();
    assert_eq!(names, ["devone", "devtwo"]);

    for name in world.bench.vm_names().await? {
        if name.starts_with("devone-cp") {
            world.bench.admin().power(&name, false).await?;
        }
    }
    let whole = Query {
        include_resource: true,
        limit: 100,
    };
    let (found, warnings) = world.list(CLUSTER, json!({}), whole).await?;
    assert_eq!(found.len(), 2);
    assert_eq!(Some(&found[0].identity), first.identity.as_ref());
    // What its machines show, and that the rest could not be read.
    let shown = found[0].resource.to_json();
    assert_eq!(shown["identifier"], "devone");
    let drift = shown["drift"].as_object();
    assert!(drift.is_some_and(|drift| !drift.is_empty()), "{shown}");
    assert_ne!(found[1].resource, Value::Null);
    assert!(warnings.iter().all(|one| !one.error), "{warnings:?}");
    let (found, warnings) = world.list(ADDON, json!({}), whole).await?;
    assert!(found.is_empty());
    assert!(!warnings.is_empty());
    Ok(())
}
