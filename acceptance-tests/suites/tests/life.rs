//! The whole life of a cluster under the real terraform: create, empty plans, official clients, changes, destroy.

use sandbox::admin::VmView;
use serde_json::Value;
use suites::{Bench, Result, Tools};

/// GiB and decimal GB in bytes.
const GIB: u64 = 1 << 30;
const GB: u64 = 1_000_000_000;

/// What the product says about one machine.
struct Expected {
    name: String,
    zone: &'static str,
    address: String,
    cpu: u32,
    memory_gib: u64,
    ceph_gb: u64,
}

fn expected(
    identifier: &str,
    network: &str,
    role: (&str, u32, u32, u64, u64),
    count: u32,
    zones: &[&'static str],
) -> Vec<Expected> {
    let (role, offset, cpu, memory_gib, ceph_gb) = role;
    (1..=count)
        .map(|index| Expected {
            name: format!("{identifier}-{role}-{index:02}"),
            zone: zones[(index as usize - 1) % zones.len()],
            address: format!("{network}.{}", offset + index),
            cpu,
            memory_gib,
            // In devtest only the first three workers carry storage.
            ceph_gb: if role == "wrk" && index > 3 {
                0
            } else {
                ceph_gb
            },
        })
        .collect()
}

async fn expect_machines(bench: &Bench, identifier: &str, expected: &[Expected]) -> Result {
    let inventory = bench.inventory().await?;
    let mut names: Vec<&str> = expected
        .iter()
        .map(|machine| machine.name.as_str())
        .collect();
    names.sort_unstable();
    let seen: Vec<&str> = inventory.vms.iter().map(|vm| vm.name.as_str()).collect();
    assert_eq!(seen, names);
    let mut births = std::collections::BTreeSet::new();
    for machine in expected {
        let name = &machine.name;
        let vm = bench.vm(name).await?;
        assert_eq!(vm.zone, machine.zone, "zone of {name}");
        assert_eq!(vm.cpu, machine.cpu, "vCPU of {name}");
        assert_eq!(vm.memory, machine.memory_gib * GIB, "memory of {name}");
        assert_eq!(vm.policies, ["nobackup"], "backup policy of {name}");
        assert_eq!(vm.template, "talos-1.13", "template of {name}");
        assert!(vm.running, "{name} does not run");
        assert_eq!(vm.starts, 1, "starts of {name}");
        assert!(!vm.config_drive, "{name} still has its configuration drive");
        expect_disks(&vm, machine.ceph_gb);
        expect_mac(&vm);
        births.insert(expect_tag(&vm, identifier));
        let address = inventory
            .addresses
            .iter()
            .find(|address| address.vm == *name && address.address.to_string() == machine.address);
        assert!(
            address.is_some(),
            "{name} does not hold {}: {:?}",
            machine.address,
            inventory.addresses
        );
    }
    assert_eq!(births.len(), 1, "one birth for all machines: {births:?}");
    assert!(
        inventory.tags.iter().all(|tag| !tag.orphan),
        "tags without a machine: {:?}",
        inventory.tags
    );
    Ok(())
}

fn expect_disks(vm: &VmView, ceph_gb: u64) {
    let mut sizes: Vec<u64> = vm.disks.iter().map(|(_, size)| *size).collect();
    sizes.sort_unstable();
    let count = if ceph_gb == 0 { 1 } else { 2 };
    assert_eq!(sizes.len(), count, "disks of {}: {:?}", vm.name, vm.disks);
    assert!(
        (64 * GB..=64 * GIB).contains(&sizes[0]),
        "system disk of {}: {sizes:?}",
        vm.name
    );
    if ceph_gb > 0 {
        assert!(
            (ceph_gb * GB..=ceph_gb * GIB).contains(&sizes[1]),
            "data disk of {}: {sizes:?}",
            vm.name
        );
    }
}

fn expect_mac(vm: &VmView) {
    assert_eq!(vm.macs.len(), 1, "adapters of {}", vm.name);
    assert!(
        vm.macs[0].to_lowercase().starts_with("02:"),
        "MAC address of {}: {:?}",
        vm.name,
        vm.macs
    );
}

/// The machine's one tag names its cluster; the answer is the birth in it, its longest run of hexadecimal digits.
fn expect_tag(vm: &VmView, identifier: &str) -> String {
    let tag = vm.tags.get("managedk8s");
    let tag = tag.unwrap_or_else(|| panic!("{} has no tag: {:?}", vm.name, vm.tags));
    assert!(tag.contains(identifier), "tag of {}: {tag}", vm.name);
    let birth = tag
        .split(|c: char| !c.is_ascii_hexdigit())
        .find(|part| part.len() == 32);
    birth
        .unwrap_or_else(|| panic!("no birth in the tag of {}: {tag}", vm.name))
        .to_owned()
}

fn production(workers: u32) -> Vec<Expected> {
    let zones = ["AZ05", "AZ06", "AZ07"];
    let make = |role, count| expected("alpha", "10.20.0", role, count, &zones);
    let mut all = make(("cp", 20, 8, 12, 0), 3);
    all.extend(make(("ceph", 40, 12, 24, 500), 3));
    all.extend(make(("wrk", 50, 12, 24, 0), workers));
    all
}

fn devtest(workers: u32) -> Vec<Expected> {
    let make = |role, count| expected("alphat", "10.24.0", role, count, &["AZ05"]);
    let mut all = make(("cp", 20, 8, 12, 0), 1);
    all.extend(make(("wrk", 50, 12, 24, 300), workers));
    all
}

/// Nothing has changed: three plans say so, whatever the order of the API's listings.
async fn expect_three_empty_plans(bench: &Bench) -> Result {
    for seed in [11, 222, 3333] {
        bench.admin().shuffle(Some(seed)).await?;
        bench.expect_empty_plan().await?;
    }
    bench.admin().shuffle(None).await?;
    Ok(())
}

fn expect_small_state(bench: &Bench) -> Result {
    let text = std::fs::read_to_string(bench.terraform.folder().join("terraform.tfstate"))?;
    let state: Value = serde_json::from_str(&text)?;
    let resources = state["resources"].as_array().ok_or("no resources")?;
    assert!(
        resources.len() >= 3,
        "resources in state: {}",
        resources.len()
    );
    for resource in resources {
        for instance in resource["instances"].as_array().ok_or("no instances")? {
            let size = instance.to_string().len();
            assert!(
                size < 20_000,
                "{} {} has {size} bytes",
                resource["type"],
                resource["name"]
            );
        }
    }
    Ok(())
}

fn names(list: &Value) -> Vec<String> {
    let mut names: Vec<String> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| Some(item.pointer("/metadata/name")?.as_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

fn ready(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

async fn expect_nodes(tools: &Tools, expected: &[Expected]) -> Result {
    let nodes = tools.get(&["nodes"]).await?;
    let mut wanted: Vec<&str> = expected
        .iter()
        .map(|machine| machine.name.as_str())
        .collect();
    wanted.sort_unstable();
    assert_eq!(names(&nodes), wanted);
    for node in nodes["items"].as_array().into_iter().flatten() {
        let name = node.pointer("/metadata/name").and_then(Value::as_str);
        assert!(ready(node), "{name:?} is not ready");
        let machine = expected
            .iter()
            .find(|machine| Some(machine.name.as_str()) == name)
            .ok_or("a node that nobody expects")?;
        let label = |key: &str| node["metadata"]["labels"][key].clone();
        assert_eq!(
            label("topology.kubernetes.io/zone"),
            machine.zone,
            "{name:?}"
        );
        assert_eq!(label("topology.kubernetes.io/region"), "fr1", "{name:?}");
    }
    Ok(())
}

async fn expect_releases(tools: &Tools) -> Result {
    let list: Value = serde_json::from_str(&tools.helm(&["list", "-A", "-o", "json"]).await?)?;
    let mut seen: Vec<(&str, &str)> = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|release| Some((release["name"].as_str()?, release["status"].as_str()?)))
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("cilium", "deployed"), ("metallb", "deployed")]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn production_is_created_changed_and_destroyed() -> Result {
    let bench = Bench::with_example("quickstart").await?;
    bench.apply().await?;
    expect_machines(&bench, "alpha", &production(3)).await?;
    expect_three_empty_plans(&bench).await?;
    expect_small_state(&bench)?;
    let tools = bench.tools().await?;
    if let Some(tools) = &tools {
        expect_nodes(tools, &production(3)).await?;
        expect_releases(tools).await?;
        let pods = names(&tools.get(&["pods", "-A"]).await?);
        for part in ["cilium-", "coredns-", "kube-apiserver-alpha-cp-01"] {
            assert!(
                pods.iter().any(|pod| pod.starts_with(part)),
                "no {part}: {pods:?}"
            );
        }
    }
    grow_and_shrink(&bench, tools.as_ref()).await?;
    bench.destroy().await
}

/// 3 to 5 to 4 workers: two are added; then only the last goes, as the plan says.
async fn grow_and_shrink(bench: &Bench, tools: Option<&Tools>) -> Result {
    const POOL: &str = "managedk8s_worker_pool.default";
    bench.edit("main.tf", "size    = 3", "size    = 5")?;
    bench.apply().await?;
    expect_machines(bench, "alpha", &production(5)).await?;
    assert_eq!(bench.attribute(POOL, "workers").await?, "1-5");
    bench.expect_empty_plan().await?;
    bench.edit("main.tf", "size    = 5", "size    = 4")?;
    let plan = bench.saved_plan("shrink").await?;
    let change = change(&plan, POOL)?;
    assert_eq!(change["actions"], serde_json::json!(["update"]));
    let summary = change["after"]["plan_summary"]
        .as_str()
        .ok_or("no summary")?;
    let summary: Value = serde_json::from_str(summary)?;
    let removal = &summary["steps"][0];
    assert_eq!(removal["kind"], "remove_worker", "{summary}");
    assert_eq!(removal["count"], 1, "{summary}");
    assert_eq!(removal["disrupts"], "wrk 5", "{summary}");
    assert_eq!(summary["nodes_disrupted"], 1, "{summary}");
    bench
        .terraform
        .run(["apply", "-no-color", "shrink"])
        .await?
        .expect_code(0)?;
    expect_machines(bench, "alpha", &production(4)).await?;
    assert_eq!(bench.attribute(POOL, "workers").await?, "1-4");
    if let Some(tools) = tools {
        expect_nodes(tools, &production(4)).await?;
    }
    bench.expect_empty_plan().await
}

/// The planned change of a resource.
fn change<'a>(plan: &'a Value, address: &str) -> Result<&'a Value> {
    let changes = plan["resource_changes"].as_array();
    let found = changes
        .into_iter()
        .flatten()
        .find(|change| change["address"] == address);
    Ok(&found.ok_or_else(|| format!("{address} is not planned"))?["change"])
}

#[tokio::test(flavor = "multi_thread")]
async fn devtest_is_created_and_destroyed_with_every_machine_off() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    expect_machines(&bench, "alphat", &devtest(3)).await?;
    expect_three_empty_plans(&bench).await?;
    expect_small_state(&bench)?;
    if let Some(tools) = bench.tools().await? {
        expect_nodes(&tools, &devtest(3)).await?;
        expect_releases(&tools).await?;
    }
    for name in bench.vm_names().await? {
        bench.admin().power(&name, false).await?;
    }
    bench.destroy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn production_is_destroyed_with_every_machine_off() -> Result {
    let bench = Bench::with_example("quickstart").await?;
    bench.apply().await?;
    let names = bench.vm_names().await?;
    assert_eq!(names.len(), 9);
    for name in names {
        bench.admin().power(&name, false).await?;
    }
    let running = bench.inventory().await?.vms.into_iter();
    assert_eq!(running.filter(|vm| vm.running).count(), 0);
    bench.destroy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_taints_change_in_place() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let before = bench.inventory().await?;
    bench.edit(
        "main.tf",
        "size    = 3",
        "size    = 3\n  labels = { team = \"blue\" }\n  taints = [{ key = \"only\", value = \"blue\", effect = \"NoSchedule\" }]",
    )?;
    bench.apply().await?;
    if let Some(tools) = bench.tools().await? {
        let nodes = tools.get(&["nodes", "-l", "team=blue"]).await?;
        assert_eq!(
            names(&nodes),
            ["alphat-wrk-01", "alphat-wrk-02", "alphat-wrk-03"]
        );
        for node in nodes["items"].as_array().into_iter().flatten() {
            let taints = node.pointer("/spec/taints").and_then(Value::as_array);
            let held = taints.into_iter().flatten().any(|taint| {
                taint["key"] == "only"
                    && taint["value"] == "blue"
                    && taint["effect"] == "NoSchedule"
            });
            assert!(held, "taints of a node: {taints:?}");
        }
    }
    bench.expect_empty_plan().await?;
    bench.edit("main.tf", "team = \"blue\"", "team = \"red\"")?;
    bench.apply().await?;
    if let Some(tools) = bench.tools().await? {
        assert_eq!(
            names(&tools.get(&["nodes", "-l", "team=red"]).await?).len(),
            3
        );
        assert_eq!(
            names(&tools.get(&["nodes", "-l", "team=blue"]).await?).len(),
            0
        );
    }
    let after = bench.inventory().await?;
    assert_eq!(before.vms, after.vms, "no machine was touched");
    bench.expect_empty_plan().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_cluster_is_neither_destroyed_nor_replaced() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.edit(
        "main.tf",
        "topology           = ",
        "deletion_protection = true\n  topology           = ",
    )?;
    bench.apply().await?;
    let before = bench.inventory().await?;
    let refused = bench.terraform.destroy().await?.expect_code(1)?.words();
    assert!(
        refused.contains("object is protected against deletion"),
        "{refused}"
    );
    assert_eq!(
        before.vms,
        bench.inventory().await?.vms,
        "destroy was refused"
    );
    bench.edit(
        "main.tf",
        "identifier         = \"alphat\"",
        "identifier         = \"betaaa\"",
    )?;
    let refused = bench.terraform.apply().await?.expect_code(1)?.words();
    assert!(
        refused.contains("change would replace a protected object"),
        "{refused}"
    );
    assert!(refused.contains("identifier"), "{refused}");
    assert_eq!(
        before.vms,
        bench.inventory().await?.vms,
        "the replacement was refused"
    );
    bench.edit(
        "main.tf",
        "identifier         = \"betaaa\"",
        "identifier         = \"alphat\"",
    )?;
    bench.edit(
        "main.tf",
        "deletion_protection = true",
        "deletion_protection = false",
    )?;
    bench.apply().await?;
    bench.destroy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_kubeconfig_opens_at_plan_and_apply() -> Result {
    let bench = Bench::with_example("devtest").await?;
    let ephemeral = |host: &str| {
        format!(
            r#"
locals {{
  handle = managedk8s_cluster.dev.handle
}}
ephemeral "managedk8s_kubeconfig" "admin" {{
  cluster = local.handle
  ttl     = "5m"
  user    = "robot"
  lifecycle {{
    postcondition {{
      condition     = self.host == "{host}" && startswith(self.client_key, "-----BEGIN") && strcontains(self.kubeconfig, "robot")
      error_message = "The ephemeral kubeconfig is not the expected one."
    }}
  }}
}}
"#
        )
    };
    bench
        .terraform
        .write("access.tf", &ephemeral("https://10.24.0.20:6443"))?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    let state = std::fs::read_to_string(bench.terraform.folder().join("terraform.tfstate"))?;
    assert!(!state.contains("PRIVATE KEY"), "a key in state");
    // The condition is really evaluated.
    bench
        .terraform
        .write("access.tf", &ephemeral("https://elsewhere:6443"))?;
    let failed = bench.terraform.plan().await?.expect_code(1)?.words();
    assert!(failed.contains("is not the expected one"), "{failed}");
    Ok(())
}

/// The Lease as another run would hold it.
async fn hold_lease(tools: &Tools, holder: &str, seconds: u32, renewed: u32) -> Result {
    let spec = serde_json::json!({"spec": {
        "holderIdentity": holder,
        "leaseDurationSeconds": seconds,
        "renewTime": format!("2026-01-01T00:00:{renewed:02}.000000Z"),
    }});
    let lease = ["-n", "kube-system", "lease", "managedk8s"];
    let patch = ["--type", "merge", "-p", &spec.to_string()];
    tools
        .kubectl(&[&["patch"], &lease[..], &patch[..]].concat())
        .await?;
    Ok(())
}

/// Whoever disturbs nodes of a cluster waits for another run that does: as long as it renews its Lease, and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn runs_that_disturb_nodes_take_turns() -> Result {
    let mut bench = Bench::with_example("devtest").await?;
    bench.edit("main.tf", "size    = 3", "size    = 5")?;
    bench.apply().await?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let file = bench.folder().join("lease.json");
    let lease = serde_json::json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "managedk8s", "namespace": "kube-system"},
    });
    std::fs::write(&file, lease.to_string())?;
    tools
        .kubectl(&["create", "-f", &file.display().to_string()])
        .await?;
    hold_lease(&tools, "the-other-run", 5, 0).await?;
    bench.edit("main.tf", "size    = 5", "size    = 4")?;
    bench.terraform.env("TF_LOG", "INFO");
    let other = async {
        // Longer than the Lease is good without renewal.
        for second in 1..=10 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            hold_lease(&tools, "the-other-run", 5, second).await?;
            assert!(bench.vm("alphat-wrk-05").await?.running, "second {second}");
        }
        hold_lease(&tools, "", 1, 11).await
    };
    let (applied, other) = tokio::join!(bench.apply(), other);
    other?;
    let told = applied?.words();
    assert!(told.contains("another run disturbs nodes"), "{told}");
    assert!(told.contains("the-other-run"), "{told}");
    assert!(bench.vm("alphat-wrk-05").await.is_err());

    // One that died is waited for until its Lease expires.
    hold_lease(&tools, "a-dead-run", 3, 12).await?;
    bench.edit("main.tf", "size    = 4", "size    = 3")?;
    let told = bench.apply().await?.words();
    assert!(told.contains("a-dead-run"), "{told}");
    assert!(bench.vm("alphat-wrk-04").await.is_err());
    let lease = tools
        .get(&["-n", "kube-system", "lease", "managedk8s"])
        .await?;
    assert_eq!(lease["spec"]["holderIdentity"], "", "it was given back");

    // A dead cluster has no Lease to wait for.
    hold_lease(&tools, "the-other-run", 3600, 13).await?;
    for name in bench.vm_names().await? {
        bench.admin().power(&name, false).await?;
    }
    bench.destroy().await
}

/// A load balancer of somebody else's in front of the control planes, played by the only one of them.
#[tokio::test(flavor = "multi_thread")]
async fn the_api_can_stand_behind_another_address() -> Result {
    const EXTERNAL: &str = "api = { strategy = \"external\", endpoint = \"https://10.24.0.21:6443\" }\n  topology           = ";
    let bench = Bench::with_example("devtest").await?;
    bench.edit("main.tf", "topology           = ", EXTERNAL)?;
    bench.apply().await?;
    let api = bench.attribute("managedk8s_cluster.dev", "api").await?;
    let wanted = serde_json::json!({
        "endpoint": "https://10.24.0.21:6443",
        "name": "alphat.mk.ms-cloud-temple.com",
        "strategy": "external",
        "vip": "10.24.0.20",
    });
    assert_eq!(api, wanted);
    let taken = bench.inventory().await?.addresses;
    let vip = taken
        .iter()
        .any(|one| one.address.to_string() == "10.24.0.20");
    assert!(!vip, "nobody takes the virtual address: {taken:?}");
    if let Some(tools) = bench.tools().await? {
        expect_nodes(&tools, &devtest(3)).await?;
        let shown = tools.kubectl(&["config", "view"]).await?;
        assert!(shown.contains("https://10.24.0.21:6443"), "{shown}");
    }
    bench.expect_empty_plan().await?;
    let before = bench.inventory().await?;
    bench.edit("main.tf", EXTERNAL, "topology           = ")?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    assert!(refused.contains("attribute cannot be changed"), "{refused}");
    assert!(refused.contains("https://10.24.0.21:6443"), "{refused}");
    assert_eq!(before.vms, bench.inventory().await?.vms);
    bench.edit("main.tf", "topology           = ", EXTERNAL)?;
    bench.destroy().await
}

/// The public talosconfig, completed by the command in it.
#[tokio::test(flavor = "multi_thread")]
async fn the_talosconfig_is_completed_at_use() -> Result {
    let bench = Bench::with_example("devtest").await?;
    bench.apply().await?;
    let public = bench
        .attribute("managedk8s_cluster.dev", "talosconfig")
        .await?;
    let public = public.as_str().ok_or("no talosconfig")?;
    assert!(!public.contains("key:"), "{public}");
    assert!(public.contains("10.24.0.21"), "{public}");
    let command = public
        .lines()
        .find_map(|line| line.split_once("terraform-provider-managedk8s "))
        .and_then(|(_, rest)| rest.split_once(" <"))
        .ok_or("no command in it")?;
    let file = bench.folder().join("talosconfig");
    std::fs::write(&file, public)?;
    let completed = tokio::process::Command::new(bench.provider())
        .args(command.0.split(' '))
        .env("MANAGEDK8S_KEY", &bench.key)
        .stdin(std::fs::File::open(&file)?)
        .output()
        .await?;
    let text = String::from_utf8(completed.stdout)?;
    assert!(completed.status.success(), "{text}");
    for part in ["crt: ", "key: ", "10.24.0.21"] {
        assert!(text.contains(part), "no {part:?}");
    }
    Ok(())
}
