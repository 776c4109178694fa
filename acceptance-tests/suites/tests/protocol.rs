//! The provider under a client that plays core, against the sandbox: every call of the newest protocol minor, also those
//! that the terraform at hand does not make. The client fails on whatever core would reject.

use std::path::Path;
use std::time::{Duration, Instant};

use core_client::{
    Action, Core, Diagnostic, Error, Found, Instance, Launch, Query, UNKNOWN, Value,
};
use sandbox::gate::{Effect, Fault};
use serde_json::{Value as Json, json};
use suites::{Bench, Result};
use tokio::io::AsyncWriteExt as _;

const CLUSTER: &str = "managedk8s_cluster";
const POOL: &str = "managedk8s_worker_pool";
const ADDON: &str = "managedk8s_addon";
const SNAPSHOT: &str = "managedk8s_etcd_snapshot";
const KINDS: [&str; 3] = [CLUSTER, POOL, ADDON];

/// A sandbox and a provider that is configured for it.
struct World {
    bench: Bench,
    core: Core,
}

impl World {
    async fn start() -> Result<Self> {
        let bench = Bench::start().await?;
        let mut core = Core::start(&launch(&bench)).await?;
        core.configure(&json!({})).await?;
        Ok(Self { bench, core })
    }

    /// Creates an object as terraform would, and looks that a refresh and another plan find nothing to do.
    async fn make(&mut self, kind: &str, config: &Json) -> Result<Instance> {
        let plan = self.core.plan(kind, None, config).await?;
        assert_eq!(plan.action, Action::Create);
        let done = self.core.apply(&plan).await?;
        assert!(!done.failed(), "{kind}: {:#?}", done.diagnostics);
        let made = done.instance.ok_or("nothing was made")?;
        self.settled(kind, &made, config).await?;
        Ok(made)
    }

    /// Refreshes and plans: there must be nothing to do.
    async fn settled(&mut self, kind: &str, made: &Instance, config: &Json) -> Result {
        let seen = self.core.refresh(kind, made).await?.ok_or("it is gone")?;
        assert_eq!(seen.identity, made.identity, "{kind}");
        let plan = self.core.plan(kind, Some(&seen), config).await?;
        assert_eq!(
            plan.action,
            Action::NoOp,
            "{kind}: {}\nplanned {}",
            seen.state.to_json(),
            plan.planned.to_json()
        );
        Ok(())
    }

    async fn destroy(&mut self, kind: &str, instance: &Instance) -> Result {
        let plan = self.core.plan(kind, Some(instance), &Json::Null).await?;
        assert_eq!(plan.action, Action::Delete);
        let done = self.core.apply(&plan).await?;
        assert!(!done.failed(), "{kind}: {:#?}", done.diagnostics);
        assert!(done.instance.is_none(), "{kind}");
        Ok(())
    }

    async fn list(
        &mut self,
        kind: &str,
        config: Json,
        query: Query,
    ) -> Result<(Vec<Found>, Vec<Diagnostic>)> {
        Ok(self.core.list(kind, &config, query).await?)
    }
}

/// How the provider is started: the sandbox's settings are in its environment.
fn launch(bench: &Bench) -> Launch {
    let launch = Launch::new(bench.provider()).env("MANAGEDK8S_KEY", &bench.key);
    let environment = bench.cloud.environment();
    environment
        .into_iter()
        .fold(launch, |launch, (name, value)| launch.env(name, value))
}

/// The smallest cluster there is.
fn cluster(identifier: &str) -> Json {
    json!({
        "identifier": identifier,
        "topology": "devtest",
        "zones": ["AZ05"],
        "kubernetes_version": "1.36",
        "talos_version": "1.13.9",
        "network": {
            "node_cidr": "10.20.0.0/22",
            "gateway": "10.20.3.254",
            "nameservers": ["10.20.3.253"],
            "ntp_servers": ["10.20.3.253"],
        },
        "infrastructure": {
            "template": "talos-1.13",
            "network": "cluster-vlan",
            "backup_policy": "nobackup",
        },
    })
}

fn pool(handle: &Json) -> Json {
    json!({ "cluster": handle, "name": "default", "size": 3 })
}

fn addon(handle: &Json) -> Json {
    json!({ "cluster": handle, "name": "metallb" })
}

fn handle(cluster: &Instance) -> Json {
    cluster.state.member("handle").to_json()
}

fn identity(instance: &Instance) -> Result<Json> {
    Ok(instance.identity.as_ref().ok_or("no identity")?.to_json())
}

fn id(instance: &Instance) -> Result<String> {
    let id = instance.state.member("id").to_json();
    Ok(id.as_str().ok_or("no id")?.to_owned())
}

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

/// Names of everything in a folder, hidden files included.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[tokio::test]
async fn etcd_is_saved_by_the_action_and_by_its_command() -> Result {
    let mut world = World::start().await?;
    let made = world.make(CLUSTER, &cluster("devone")).await?;
    let handle = handle(&made);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("etcd.db");
    let config =
        |overwrite: Json| json!({ "cluster": handle, "path": file, "overwrite": overwrite });

    // While the cloud's API is down.
    let fault = world
        .bench
        .admin()
        .fault(&Fault {
            path: Some("/compute/*".to_owned()),
            ..Fault::new(Effect::Refuse)
        })
        .await?;
    let done = world.core.invoke(SNAPSHOT, &config(Json::Null)).await?;
    assert!(!done.failed(), "{:?}", done.diagnostics);
    world.bench.admin().remove_fault(fault).await?;
    let last = done.progress.last().ok_or("no progress")?;
    assert!(
        done.progress[0].contains("reading etcd from 10.20.0."),
        "{:?}",
        done.progress
    );
    let bytes = std::fs::read(&file)?;
    assert!(
        last.contains(&format!("{} bytes, sha256 ", bytes.len())),
        "{last}"
    );
    assert_eq!(names(folder.path())?, ["etcd.db"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            std::fs::metadata(&file)?.permissions().mode() & 0o777,
            0o600
        );
    }

    // A file that is there is not replaced unless that is asked for.
    let refused = world.core.invoke(SNAPSHOT, &config(json!(false))).await?;
    assert!(
        refused
            .diagnostics
            .iter()
            .any(|one| one.error && one.path == "path"),
        "{refused:?}"
    );
    let done = world.core.invoke(SNAPSHOT, &config(json!(true))).await?;
    assert!(!done.failed(), "{:?}", done.diagnostics);
    let missing = folder.path().join("nowhere/etcd.db");
    let refused = world
        .core
        .invoke(SNAPSHOT, &json!({ "cluster": handle, "path": missing }))
        .await?;
    assert!(
        refused
            .diagnostics
            .iter()
            .any(|one| one.error && one.path == "path"),
        "{refused:?}"
    );
    // At a plan the handle of a cluster that is yet to be made is unknown: nothing is wrong with that.
    let unknown = json!({ "cluster": UNKNOWN, "path": "etcd.db" });
    let refused = world.core.invoke(SNAPSHOT, &unknown).await?;
    assert!(refused.failed());

    // The command for older versions of terraform.
    let by_command = folder.path().join("by-command.db");
    let mut child = tokio::process::Command::new(world.bench.provider())
        .args(["etcd-snapshot", "--path"])
        .arg(&by_command)
        .envs(world.bench.cloud.environment())
        .env("MANAGEDK8S_KEY", &world.bench.key)
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    stdin.write_all(handle.to_string().as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("sha256"), "{said}");
    assert_eq!(std::fs::read(&by_command)?.len(), bytes.len());

    // An interrupt ends it soon and leaves nothing behind.
    let hang = Fault {
        path: Some("*EtcdSnapshot*".to_owned()),
        ..Fault::new(Effect::Hang { milliseconds: None })
    };
    world.bench.admin().fault(&hang).await?;
    let began = Instant::now();
    let mut second = world.core.clone_connection();
    let aborted = folder.path().join("aborted.db");
    let config = json!({ "cluster": handle, "path": aborted });
    let (begin, begun) = tokio::sync::oneshot::channel();
    let mut begin = Some(begin);
    let run = second.invoke_watched(SNAPSHOT, &config, |_| {
        if let Some(begin) = begin.take() {
            let _ = begin.send(());
        }
    });
    let stop = async {
        begun.await?;
        world.core.stop().await?;
        Result::Ok(())
    };
    let (ran, stopped) = tokio::join!(run, stop);
    stopped?;
    assert!(ran?.failed());
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(names(folder.path())?, ["by-command.db", "etcd.db"]);
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
