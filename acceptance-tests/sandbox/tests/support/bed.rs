//! A sandbox and the machines of one cluster.

use proto_talos::machine as api;
use sandbox::{Config, Running};

use super::channel::{Machine, machine};
use super::cloud::Api;
use super::cluster::Cluster;
use super::{start, until};

pub const MACS: [&str; 3] = [
    "02:00:00:00:00:21",
    "02:00:00:00:00:22",
    "02:00:00:00:00:23",
];
pub const ADDRESSES: [&str; 3] = ["10.20.0.21", "10.20.0.22", "10.20.0.23"];

/// A sandbox with a cluster of up to three control planes.
pub struct Bed {
    pub sandbox: Running,
    pub api: Api,
    pub cluster: Cluster,
}

impl Bed {
    pub async fn new() -> Self {
        Self::with(Config::default()).await
    }

    /// A sandbox of these settings.
    pub async fn with(config: Config) -> Self {
        let sandbox = start(config).await;
        let api = Api::new(sandbox.addresses()).await;
        Self {
            sandbox,
            api,
            cluster: Cluster::new(),
        }
    }

    /// Powers on a control plane and waits for its machine API.
    pub async fn control_plane(&self, index: usize) -> String {
        let name = format!("cp-{}", index + 1);
        let config = self
            .cluster
            .control_plane(&name, ADDRESSES[index], MACS[index]);
        self.machine(index, &name, &config).await
    }

    /// The same with a configuration of the test.
    pub async fn machine(&self, index: usize, name: &str, config: &str) -> String {
        let vm = self
            .api
            .vm(
                ["AZ05", "AZ06", "AZ07"][index],
                name,
                MACS[index],
                Some(config),
            )
            .await;
        self.api.power(&vm, true, false).await.expect("power on");
        self.cluster
            .reach(self.sandbox.addresses(), ADDRESSES[index])
            .await;
        vm
    }

    pub async fn client(&self, index: usize) -> Machine {
        machine(
            self.cluster
                .reach(self.sandbox.addresses(), ADDRESSES[index])
                .await,
        )
    }

    pub async fn service(&self, index: usize, id: &str) -> String {
        let mut client = self.client(index).await;
        let Ok(reply) = client.service_list(()).await else {
            return String::new();
        };
        let list = reply.into_inner().messages.remove(0).services;
        list.into_iter()
            .find(|service| service.id == id)
            .map(|service| service.state)
            .unwrap_or_default()
    }

    pub async fn bootstrap(&self, index: usize) {
        until("etcd waits", || async {
            self.service(index, "etcd").await == "Preparing"
        })
        .await;
        let mut client = self.client(index).await;
        client
            .bootstrap(api::BootstrapRequest::default())
            .await
            .expect("bootstrap");
        until("etcd runs", || async {
            self.service(index, "etcd").await == "Running"
        })
        .await;
    }

    pub async fn members(&self, index: usize) -> Vec<api::EtcdMember> {
        let mut client = self.client(index).await;
        match client
            .etcd_member_list(api::EtcdMemberListRequest::default())
            .await
        {
            Ok(reply) => reply.into_inner().messages.remove(0).members,
            Err(_) => Vec::new(),
        }
    }
}

impl Bed {
    /// Ends the sandbox and starts one of these settings for the same cluster.
    pub async fn restart(self, config: Config) -> Self {
        let Self {
            sandbox, cluster, ..
        } = self;
        sandbox.shutdown().await;
        let sandbox = start(config).await;
        let api = Api::new(sandbox.addresses()).await;
        Self {
            sandbox,
            api,
            cluster,
        }
    }
}
