//! Ephemeral resources, functions, and a provider block that is not known yet.

use core_client::{Action, Core, Error, Launch, UNKNOWN};
use serde_json::{Value as Json, json};
use suites::{Bench, Result};

use crate::world::{CLUSTER, World, cluster, handle, launch};

#[tokio::test]
async fn ephemerals_open_renew_and_close_without_any_call() -> Result {
    let mut world = World::start().await?;
    let made = world.make(CLUSTER, &cluster("devone")).await?;
    let handle = handle(&made);
    world.bench.admin().reset_calls().await?;
    for (kind, config, secret) in [
        (
            "managedk8s_kubeconfig",
            json!({ "cluster": handle, "ttl": "30m" }),
            "client_key",
        ),
        (
            "managedk8s_talosconfig",
            json!({ "cluster": handle, "role": "reader" }),
            "client_key",
        ),
        (
            "managedk8s_generated_password",
            json!({ "cluster": handle, "purpose": "grafana/admin" }),
            "password",
        ),
    ] {
        let (result, private, renew_at) = world.core.open(kind, &config).await?;
        assert!(
            result
                .member(secret)
                .to_json()
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{kind}"
        );
        // What is minted expires by itself: nothing is renewed, and renewing anyway does no harm.
        assert_eq!(renew_at, None, "{kind}");
        let (again, private) = world.core.renew(kind, private).await?;
        assert_eq!(again, None);
        world.core.close(kind, private).await?;
    }
    let calls = world.bench.admin().calls().await?;
    assert!(calls.is_empty(), "{calls:?}");
    let refused = world
        .core
        .open(
            "managedk8s_kubeconfig",
            &json!({ "cluster": handle, "ttl": "30h" }),
        )
        .await;
    let Err(Error::Diagnostics { diagnostics, .. }) = refused else {
        return Err("a life of thirty hours was accepted".into());
    };
    assert!(
        diagnostics.iter().any(|one| one.error && one.path == "ttl"),
        "{diagnostics:?}"
    );
    Ok(())
}

#[tokio::test]
async fn functions_run_on_a_provider_that_is_not_configured() -> Result {
    let bench = Bench::start().await?;
    let mut core = Core::start(&launch(&bench)).await?;
    for (name, arguments) in [
        (
            "address_plan",
            vec![json!("10.20.0.0/22"), json!("production"), json!(3)],
        ),
        ("ceph_capacity", vec![json!(500), json!(3)]),
        ("change_tokens", vec![json!("K1"), json!(3)]),
        ("cluster_urls", vec![json!("alpha"), Json::Null]),
        ("identifier_ok", vec![json!("alpha"), json!("production")]),
        (
            "secret_path",
            vec![json!("cluster"), json!("alpha"), Json::Null],
        ),
        ("supported_versions", vec![]),
        (
            "zone_spread",
            vec![json!(["AZ05", "AZ06", "AZ07"]), json!(5)],
        ),
    ] {
        let first = core.function(name, &arguments).await?;
        assert!(first.is_ok(), "{name}: {first:?}");
        assert_eq!(
            first,
            core.function(name, &arguments).await?,
            "{name} answers differently"
        );
    }
    let refused = core
        .function(
            "address_plan",
            &[json!("10.20.0.0/8"), json!("production"), json!(3)],
        )
        .await?;
    let (text, argument) = refused.err().ok_or("a /8 was accepted")?;
    assert_eq!(argument, Some(0), "{text}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_provider_configuration_reaches_no_cloud() -> Result {
    let bench = Bench::start().await?;
    let launch = Launch::new(bench.provider());
    let mut core = Core::start(&launch).await?;
    let unknown = json!({
        "address": UNKNOWN, "client_id": UNKNOWN, "secret_id": UNKNOWN, "key": UNKNOWN, "proxy_url": UNKNOWN,
    });
    core.configure(&unknown).await?;
    for allowed in [false, true] {
        core.capabilities.deferral_allowed = allowed;
        // What can be planned without a call is planned, not put off.
        let plan = core.plan(CLUSTER, None, &cluster("devone")).await?;
        assert_eq!(plan.action, Action::Create);
        assert!(!plan.deferred, "deferral allowed: {allowed}");
        // What needs an answer is put off, or says what is missing.
        let id = "devone/0123456789abcdef0123456789abcdef";
        let refused = core.import(CLUSTER, Ok(id)).await;
        match (allowed, refused) {
            (true, Err(Error::Deferred { .. })) => {}
            (false, Err(Error::Diagnostics { diagnostics, .. })) => {
                let said = diagnostics
                    .iter()
                    .any(|one| one.summary.contains("not known yet"));
                assert!(said, "{diagnostics:?}");
            }
            (_, other) => return Err(format!("deferral allowed: {allowed}: {other:?}").into()),
        }
    }
    let calls = bench.admin().calls().await?;
    assert!(calls.is_empty(), "{calls:?}");
    Ok(())
}
