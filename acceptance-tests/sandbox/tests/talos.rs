//! Nodes: boot, mutual TLS, rights, bootstrap, join, reboot, and what the proxy reaches.

mod support;

use proto_talos::machine as api;
use rcgen::ExtendedKeyUsagePurpose;
use sandbox::Config;
use sandbox::gate::{Effect, Fault};
use support::{ADDRESSES, Bed, Caller, Cluster, MACS, machine, state, tunnel, until};
use tonic::Code;

#[tokio::test]
async fn a_node_boots_from_its_user_data_and_answers_with_mutual_tls() {
    let bed = Bed::new().await;
    bed.control_plane(0).await;
    let reply = bed
        .client(0)
        .await
        .version(())
        .await
        .expect("a version")
        .into_inner();
    assert_eq!(
        reply.messages[0].version.as_ref().expect("a version").tag,
        "v1.13.9"
    );

    let addresses = bed.sandbox.addresses();
    let stranger = Cluster::new();
    let error = stranger
        .connect(addresses, ADDRESSES[0], "os:admin")
        .await
        .err()
        .expect("another authority fails");
    assert!(error.contains("certificate"), "{error}");

    let usages = [
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    let channel = bed
        .cluster
        .connect_with(addresses, ADDRESSES[0], "os:admin", &usages)
        .await
        .expect("a channel");
    let refused = machine(channel)
        .version(())
        .await
        .expect_err("the purpose must be exactly clientAuth");
    assert_eq!(refused.code(), Code::PermissionDenied);

    let channel = bed
        .cluster
        .connect(addresses, ADDRESSES[0], "os:reader")
        .await
        .expect("a channel");
    let mut reader = machine(channel);
    reader.version(()).await.expect("a reader reads");
    let refused = reader
        .bootstrap(api::BootstrapRequest::default())
        .await
        .expect_err("a reader does not bootstrap");
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::PermissionDenied, "not authorized")
    );
}

#[tokio::test]
async fn the_proxy_reaches_private_addresses_only_while_somebody_holds_them() {
    let bed = Bed::new().await;
    let addresses = bed.sandbox.addresses();
    let error = tunnel(addresses, ADDRESSES[0], 50_000)
        .await
        .expect_err("nobody is there");
    assert!(error.contains("504"), "{error}");
    let vm = bed.control_plane(0).await;
    let error = tunnel(addresses, ADDRESSES[0], 6443)
        .await
        .expect_err("the port is closed before bootstrap");
    assert!(error.contains("502"), "{error}");
    bed.api.power(&vm, false, true).await.expect("power off");
    let error = tunnel(addresses, ADDRESSES[0], 50_000)
        .await
        .expect_err("nobody is there any more");
    assert!(error.contains("504"), "{error}");
}

#[tokio::test]
async fn etcd_is_bootstrapped_once_and_others_join() {
    let bed = Bed::new().await;
    bed.control_plane(0).await;
    bed.bootstrap(0).await;
    let again = bed
        .client(0)
        .await
        .bootstrap(api::BootstrapRequest::default())
        .await
        .expect_err("only once");
    assert_eq!(again.code(), Code::AlreadyExists);
    bed.control_plane(1).await;
    bed.control_plane(2).await;
    until("three voters", || async {
        let members = bed.members(0).await;
        members.len() == 3 && members.iter().all(|member| !member.is_learner)
    })
    .await;
    let names: Vec<String> = bed
        .members(1)
        .await
        .into_iter()
        .map(|member| member.hostname)
        .collect();
    assert_eq!(
        names,
        bed.members(2)
            .await
            .into_iter()
            .map(|member| member.hostname)
            .collect::<Vec<_>>()
    );
    until("the shared address answers", || async {
        tunnel(bed.sandbox.addresses(), "10.20.0.20", 6443)
            .await
            .is_ok()
    })
    .await;
}

#[tokio::test]
async fn without_quorum_there_is_no_kubernetes_api() {
    let bed = Bed::new().await;
    let mut vms = vec![bed.control_plane(0).await];
    bed.bootstrap(0).await;
    vms.push(bed.control_plane(1).await);
    vms.push(bed.control_plane(2).await);
    until("three voters", || async {
        let members = bed.members(0).await;
        members.len() == 3 && members.iter().all(|member| !member.is_learner)
    })
    .await;
    let addresses = bed.sandbox.addresses();
    let open =
        |address: &'static str| async move { tunnel(addresses, address, 6443).await.is_ok() };
    until("the API is served", || open(ADDRESSES[0])).await;
    bed.api
        .power(&vms[2], false, true)
        .await
        .expect("power off");
    assert!(open(ADDRESSES[0]).await, "two of three are enough");
    bed.api
        .power(&vms[1], false, true)
        .await
        .expect("power off");
    until("the API is gone", || async { !open(ADDRESSES[0]).await }).await;
    bed.api.power(&vms[1], true, false).await.expect("power on");
    until("the API is back", || open(ADDRESSES[0])).await;
}

#[tokio::test]
async fn a_worker_needs_a_control_plane_for_its_certificate_and_does_not_forward() {
    let bed = Bed::new().await;
    let mac = "02:00:00:00:00:41";
    let config = bed.cluster.worker("w-1", "10.20.0.41", mac);
    let vm = bed.api.vm("AZ05", "w-1", mac, Some(&config)).await;
    bed.api.power(&vm, true, false).await.expect("power on");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(
        bed.cluster
            .connect(bed.sandbox.addresses(), "10.20.0.41", "os:admin")
            .await
            .is_err()
    );
    bed.control_plane(0).await;
    let mut worker = machine(
        bed.cluster
            .reach(bed.sandbox.addresses(), "10.20.0.41")
            .await,
    );
    let refused = worker
        .bootstrap(api::BootstrapRequest::default())
        .await
        .expect_err("a worker has no etcd");
    assert_eq!(refused.code(), Code::Unimplemented);
    let mut request = tonic::Request::new(());
    request
        .metadata_mut()
        .insert("node", ADDRESSES[0].parse().expect("an address"));
    let refused = worker
        .version(request)
        .await
        .expect_err("workers do not forward");
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::PermissionDenied, "no request forwarding")
    );

    let mut control = bed.client(0).await;
    let mut request = tonic::Request::new(());
    for node in [ADDRESSES[0], "10.20.0.41", "10.20.0.99"] {
        request
            .metadata_mut()
            .append("nodes", node.parse().expect("an address"));
    }
    let messages = control
        .hostname(request)
        .await
        .expect("merged")
        .into_inner()
        .messages;
    let of = |host: &str| {
        messages
            .iter()
            .find(|message| {
                message
                    .metadata
                    .as_ref()
                    .is_some_and(|metadata| metadata.hostname == host)
            })
            .expect("an element")
    };
    assert_eq!(of(ADDRESSES[0]).hostname, "cp-1");
    assert_eq!(of("10.20.0.41").hostname, "w-1");
    assert!(
        !of("10.20.0.99")
            .metadata
            .as_ref()
            .expect("metadata")
            .error
            .is_empty()
    );
}

#[tokio::test]
async fn a_reboot_closes_the_port_and_changes_the_boot_id() {
    let bed = Bed::new().await;
    bed.control_plane(0).await;
    bed.bootstrap(0).await;
    let boot_id = || async {
        let mut client = bed.client(0).await;
        let request = api::ReadRequest {
            path: "/proc/sys/kernel/random/boot_id".into(),
        };
        let mut stream = client.read(request).await.expect("a file").into_inner();
        stream
            .message()
            .await
            .expect("a chunk")
            .expect("a chunk")
            .bytes
    };
    let before = boot_id().await;
    let admin = bed.sandbox.admin();
    let delays = admin.delays().await.expect("delays");
    admin
        .set_delays(&sandbox::Delays {
            node_boot: 200,
            ..delays
        })
        .await
        .expect("slower");
    bed.client(0)
        .await
        .reboot(api::RebootRequest::default())
        .await
        .expect("reboot");
    until("the port closes", || async {
        tunnel(bed.sandbox.addresses(), ADDRESSES[0], 50_000)
            .await
            .is_err()
    })
    .await;
    bed.client(0).await;
    assert_ne!(before, boot_id().await);
    until("etcd runs again", || async {
        bed.service(0, "etcd").await == "Running"
    })
    .await;
    assert_eq!(bed.members(0).await.len(), 1);
}

#[tokio::test]
async fn a_broken_configuration_does_not_boot_at_its_address() {
    let bed = Bed::new().await;
    let config = bed
        .cluster
        .control_plane("cp-1", ADDRESSES[0], MACS[0])
        .replace("debug: false", "debugg: false");
    let vm = bed.api.vm("AZ05", "cp-1", MACS[0], Some(&config)).await;
    bed.api.power(&vm, true, false).await.expect("power on");
    let admin = bed.sandbox.admin();
    until("the machine is in maintenance", || async {
        admin
            .nodes()
            .await
            .expect("nodes")
            .iter()
            .any(|node| node.stage == "maintenance")
    })
    .await;
    assert!(
        tunnel(bed.sandbox.addresses(), ADDRESSES[0], 50_000)
            .await
            .is_err()
    );
    let console = admin.console("cp-1").await.expect("a console");
    assert!(
        console.contains("unknown keys found during decoding") && console.contains("debugg"),
        "{console}"
    );
}

#[tokio::test]
async fn a_link_that_no_adapter_matches_has_no_address() {
    let bed = Bed::new().await;
    let config = bed
        .cluster
        .control_plane("cp-1", ADDRESSES[0], "02:00:00:00:00:77");
    let vm = bed.api.vm("AZ05", "cp-1", MACS[0], Some(&config)).await;
    bed.api.power(&vm, true, false).await.expect("power on");
    let admin = bed.sandbox.admin();
    until("the machine runs", || async {
        admin
            .nodes()
            .await
            .expect("nodes")
            .iter()
            .any(|node| node.stage == "running")
    })
    .await;
    assert!(
        tunnel(bed.sandbox.addresses(), ADDRESSES[0], 50_000)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_node_can_be_made_not_to_boot() {
    let bed = Bed::new().await;
    let admin = bed.sandbox.admin();
    admin
        .fault(&Fault::new(Effect::NoBoot).on_target("cp-1"))
        .await
        .expect("a fault");
    let config = bed.cluster.control_plane("cp-1", ADDRESSES[0], MACS[0]);
    let vm = bed.api.vm("AZ05", "cp-1", MACS[0], Some(&config)).await;
    bed.api.power(&vm, true, false).await.expect("power on");
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    assert!(
        tunnel(bed.sandbox.addresses(), ADDRESSES[0], 50_000)
            .await
            .is_err()
    );
    assert!(
        admin
            .console("cp-1")
            .await
            .expect("a console")
            .contains("no bootable system")
    );
}

#[tokio::test]
async fn resources_carry_both_encodings_and_a_watch_follows_them() {
    use proto_talos::cosi::resource as cosi;
    use proto_talos::talos::resource::definitions::runtime::MachineStatusSpec;
    let bed = Bed::new().await;
    bed.control_plane(0).await;
    let mut client = state(
        bed.cluster
            .reach(bed.sandbox.addresses(), ADDRESSES[0])
            .await,
    );
    let request = cosi::WatchRequest {
        namespace: "runtime".into(),
        r#type: "MachineStatuses.runtime.talos.dev".into(),
        id: Some("machine".into()),
        options: None,
        api_version: 1,
    };
    let mut watch = client.watch(request).await.expect("a watch").into_inner();
    assert!(
        watch
            .message()
            .await
            .expect("an answer")
            .expect("an answer")
            .event
            .is_empty()
    );
    let mut ready = false;
    let bootstrap = tokio::spawn({
        let mut machine = bed.client(0).await;
        async move {
            while machine
                .bootstrap(api::BootstrapRequest::default())
                .await
                .is_err()
            {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    });
    while !ready {
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), watch.message())
            .await
            .expect("in time");
        for event in next.expect("an answer").expect("an answer").event {
            let spec = event
                .resource
                .expect("a resource")
                .spec
                .expect("a specification");
            let decoded: MachineStatusSpec =
                prost::Message::decode(spec.proto_spec.as_ref()).expect("a status");
            ready = decoded.status.expect("a status").ready;
            assert_eq!(
                spec.yaml_spec.contains("ready: true"),
                ready,
                "{}",
                spec.yaml_spec
            );
        }
    }
    bootstrap.await.expect("bootstrap");
    let request = |namespace: &str, kind: &str, id: &str| cosi::GetRequest {
        namespace: namespace.into(),
        r#type: kind.into(),
        id: id.into(),
        options: None,
    };
    let absent = client
        .get(request("config", "MachineConfigs.config.talos.dev", "none"))
        .await
        .expect_err("absent");
    assert_eq!(absent.code(), Code::NotFound);
    let unknown = client
        .get(request("config", "Nothing.talos.dev", "x"))
        .await
        .expect_err("unknown");
    assert_eq!(unknown.code(), Code::PermissionDenied);
    let channel = bed
        .cluster
        .connect(bed.sandbox.addresses(), ADDRESSES[0], "os:reader")
        .await
        .expect("a channel");
    let secret = state(channel)
        .get(request(
            "config",
            "MachineConfigs.config.talos.dev",
            "v1alpha1",
        ))
        .await;
    assert_eq!(
        secret.expect_err("only for admins").code(),
        Code::PermissionDenied
    );
}

#[tokio::test]
async fn a_restart_of_the_sandbox_keeps_the_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        state_dir: Some(folder.path().to_owned()),
        ..Config::default()
    };
    let bed = Bed::with(config.clone()).await;
    bed.control_plane(0).await;
    bed.bootstrap(0).await;
    let member = bed.members(0).await[0].id;
    let bed = bed.restart(config).await;
    until("etcd runs again", || async {
        bed.service(0, "etcd").await == "Running"
    })
    .await;
    assert_eq!(bed.members(0).await[0].id, member);
}

#[tokio::test]
async fn kubelets_register_their_nodes_and_a_deleted_cluster_is_forgotten() {
    let bed = Bed::new().await;
    let control = bed.control_plane(0).await;
    bed.bootstrap(0).await;
    let mac = "02:00:00:00:00:41";
    let config = bed.cluster.worker("w-1", "10.20.0.41", mac);
    let worker = bed.api.vm("AZ05", "w-1", mac, Some(&config)).await;
    bed.api.power(&worker, true, false).await.expect("power on");
    let addresses = bed.sandbox.addresses();
    until("both nodes are registered", || async {
        let nodes = Caller::new(&bed.cluster, addresses, ADDRESSES[0])
            .get("/api/v1/nodes")
            .await;
        let names: Vec<&str> = nodes["items"]
            .as_array()
            .map(|items| {
                items
                    .iter()
                    .filter_map(|node| node["metadata"]["name"].as_str())
                    .collect()
            })
            .unwrap_or_default();
        names.contains(&"cp-1") && names.contains(&"w-1")
    })
    .await;
    let admin = bed.sandbox.admin();
    let clusters = admin.inventory().await.expect("an inventory").etcd_clusters;
    assert_eq!(clusters, [("alpha".to_owned(), 1)]);
    for vm in [worker, control] {
        bed.api.power(&vm, false, true).await.expect("power off");
        bed.api
            .write(
                "DELETE",
                &format!("/compute/v1/open_iaas/virtual_machines/{vm}"),
                None,
            )
            .await
            .expect("deleted");
    }
    let inventory = admin.inventory().await.expect("an inventory");
    assert!(
        inventory.etcd_clusters.is_empty()
            && inventory.nodes.is_empty()
            && inventory.addresses.is_empty()
    );
}
