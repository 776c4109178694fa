//! A sandbox, a provider that is configured for it, and the client that plays core.

use core_client::{Action, Core, Diagnostic, Found, Instance, Launch, Query};
use serde_json::{Value as Json, json};
use suites::{Bench, Result};

pub const CLUSTER: &str = "managedk8s_cluster";
pub const POOL: &str = "managedk8s_worker_pool";
pub const ADDON: &str = "managedk8s_addon";
pub const SNAPSHOT: &str = "managedk8s_etcd_snapshot";
pub const KINDS: [&str; 3] = [CLUSTER, POOL, ADDON];

/// A sandbox and a provider that is configured for it.
pub struct World {
    pub bench: Bench,
    pub core: Core,
}

impl World {
    pub async fn start() -> Result<Self> {
        let bench = Bench::start().await?;
        let mut core = Core::start(&launch(&bench)).await?;
        core.configure(&json!({})).await?;
        Ok(Self { bench, core })
    }

    /// Creates an object as terraform would, and looks that a refresh and another plan find nothing to do.
    pub async fn make(&mut self, kind: &str, config: &Json) -> Result<Instance> {
        let plan = self.core.plan(kind, None, config).await?;
        assert_eq!(plan.action, Action::Create);
        let done = self.core.apply(&plan).await?;
        assert!(!done.failed(), "{kind}: {:#?}", done.diagnostics);
        let made = done.instance.ok_or("nothing was made")?;
        self.settled(kind, &made, config).await?;
        Ok(made)
    }

    /// Refreshes and plans: there must be nothing to do.
    pub async fn settled(&mut self, kind: &str, made: &Instance, config: &Json) -> Result {
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

    pub async fn destroy(&mut self, kind: &str, instance: &Instance) -> Result {
        let plan = self.core.plan(kind, Some(instance), &Json::Null).await?;
        assert_eq!(plan.action, Action::Delete);
        let done = self.core.apply(&plan).await?;
        assert!(!done.failed(), "{kind}: {:#?}", done.diagnostics);
        assert!(done.instance.is_none(), "{kind}");
        Ok(())
    }

    pub async fn list(
        &mut self,
        kind: &str,
        config: Json,
        query: Query,
    ) -> Result<(Vec<Found>, Vec<Diagnostic>)> {
        Ok(self.core.list(kind, &config, query).await?)
    }
}

/// How the provider is started: the sandbox's settings are in its environment.
pub fn launch(bench: &Bench) -> Launch {
    let launch = Launch::new(bench.provider()).env("MANAGEDK8S_KEY", &bench.key);
    let environment = bench.cloud.environment();
    environment
        .into_iter()
        .fold(launch, |launch, (name, value)| launch.env(name, value))
}

/// The smallest cluster there is.
pub fn cluster(identifier: &str) -> Json {
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

pub fn pool(handle: &Json) -> Json {
    json!({ "cluster": handle, "name": "default", "size": 3 })
}

pub fn addon(handle: &Json) -> Json {
    json!({ "cluster": handle, "name": "metallb" })
}

pub fn handle(cluster: &Instance) -> Json {
    cluster.state.member("handle").to_json()
}

pub fn identity(instance: &Instance) -> Result<Json> {
    Ok(instance.identity.as_ref().ok_or("no identity")?.to_json())
}

pub fn id(instance: &Instance) -> Result<String> {
    let id = instance.state.member("id").to_json();
    Ok(id.as_str().ok_or("no id")?.to_owned())
}
