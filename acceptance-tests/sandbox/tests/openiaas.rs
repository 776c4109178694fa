//! What the official client insists on, and the faults that tests need, over real HTTP.

mod support;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox::gate::{Effect, Fault, PauseAt, PausePoint, Surface};
use sandbox::{Config, Running};
use serde_json::{Value, json};
use support::{Api, GIB, start};

const VMS: &str = "/compute/v1/open_iaas/virtual_machines";
const DISKS: &str = "/compute/v1/open_iaas/virtual_disks";
const ADAPTERS: &str = "/compute/v1/open_iaas/network_adapters";
const MAC: &str = "02:00:00:00:00:01";

async fn bed() -> (Running, Api) {
    let sandbox = start(Config::default()).await;
    let api = Api::new(sandbox.addresses()).await;
    (sandbox, api)
}

#[tokio::test]
async fn serves_with_and_without_the_prefix() {
    let (_sandbox, mut api) = bed().await;
    assert_eq!(api.status("/compute/v1/open_iaas").await, 200);
    api.base = api.base.trim_end_matches("/api").to_owned();
    assert_eq!(api.status("/compute/v1/open_iaas").await, 200);
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_the_right_one_is_a_bare_jwt() {
    let (sandbox, mut api) = bed().await;
    let addresses = sandbox.addresses();
    let body = json!({"id": addresses.client_id, "secret": "wrong"});
    assert_eq!(
        api.send("POST", "/iam/v2/auth/personal_access_token", Some(body))
            .await
            .status,
        401
    );
    let parts: Vec<Value> = api
        .token
        .split('.')
        .take(2)
        .map(|part| {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
        })
        .collect();
    assert_eq!(parts[0]["alg"], "HS256");
    assert!(
        parts[1]["exp"].is_i64()
            && parts[1]["userId"].is_string()
            && parts[1]["companyId"].is_string()
    );
    assert!(parts[1]["scope"]["id"].is_string());
    assert_eq!(api.token.matches('.').count(), 2);
    sandbox
        .admin()
        .set_behaviour(json!({"token_lifetime": 0}))
        .await
        .expect("a setting");
    let body = json!({"id": addresses.client_id, "secret": addresses.client_secret});
    api.token = api
        .send("POST", "/iam/v2/auth/personal_access_token", Some(body))
        .await
        .text;
    assert_eq!(
        api.status("/compute/v1/open_iaas").await,
        401,
        "an expired token"
    );
}

#[tokio::test]
async fn unknown_routes_are_named_and_counted() {
    let (sandbox, api) = bed().await;
    let reply = api.send("GET", "/nowhere/v1/things", None).await;
    assert_eq!(reply.status, 404);
    assert!(reply.text.contains("/nowhere/v1/things"));
    let events = sandbox.admin().events(0).await.expect("events");
    assert!(events.iter().any(|event| event.kind == "gap"));
    assert_eq!(
        sandbox.admin().calls().await.expect("calls")["openiaas get /nowhere/v1/things"],
        1
    );
}

#[tokio::test]
async fn static_segments_come_before_the_machine_manager() {
    let (_sandbox, api) = bed().await;
    assert!(
        api.get("/compute/v1/open_iaas/virtual_machines")
            .await
            .is_array()
    );
    let zone = api.zone("AZ06").await;
    assert_eq!(
        api.get(&format!("/compute/v1/open_iaas/{zone}")).await["name"],
        "AZ06"
    );
    assert_eq!(
        api.status("/compute/v1/open_iaas/11111111-1111-4111-8111-111111111111")
            .await,
        404
    );
}

#[tokio::test]
async fn listings_are_scoped_and_filtered() {
    let (_sandbox, api) = bed().await;
    let zone = api.zone("AZ05").await;
    let templates = api
        .get(&format!(
            "/compute/v1/open_iaas/templates?machineManagerId={zone}"
        ))
        .await;
    assert_eq!(templates.as_array().expect("a list").len(), 3);
    for types in ["types[]=lvmohba", "types%5B%5D=lvmohba"] {
        let path = format!(
            "/compute/v1/open_iaas/storage_repositories?machineManagerId={zone}&{types}&shared=true&x=y"
        );
        let list = api.get(&path).await;
        assert_eq!(list.as_array().expect("a list").len(), 1);
        assert_eq!(
            (&list[0]["accessible"], &list[0]["storageType"]),
            (&json!(1), &json!("lvmohba"))
        );
    }
    let networks = api
        .get(&format!(
            "/compute/v1/open_iaas/networks?machineManagerId={zone}"
        ))
        .await;
    let networks = networks.as_array().expect("a list");
    assert!(
        networks
            .iter()
            .any(|network| network["name"] == "cluster-vlan" && network.get("vpc").is_none())
    );
    assert!(
        networks
            .iter()
            .any(|network| network["vpc"]["privateNetwork"]["name"] == "k8s-nodes")
    );
}

#[tokio::test]
async fn a_new_vm_is_halted_with_its_disks_and_adapters() {
    let (_sandbox, api) = bed().await;
    let zone = api.zone("AZ05").await;
    let body = api
        .vm_body(
            &zone,
            "node-1",
            "02-00-00-00-00-AA",
            Some("#cloud-config\n{}"),
        )
        .await;
    let vm = api
        .write("POST", VMS, Some(body.clone()))
        .await
        .expect("a VM");
    let view = api.get(&format!("{VMS}/{vm}")).await;
    assert_eq!(
        (&view["powerState"], &view["cpu"], &view["memory"]),
        (&json!("Halted"), &json!(2), &json!(4 * GIB))
    );
    assert_eq!(
        (&view["highAvailability"], &view["host"]["id"]),
        (&json!("disabled"), &json!(""))
    );
    let disks = api.get(&format!("{DISKS}?virtualMachineId={vm}")).await;
    assert_eq!(disks.as_array().expect("a list").len(), 2);
    let drive = disks
        .as_array()
        .expect("a list")
        .iter()
        .find(|disk| disk["name"] == "XO CloudConfigDrive");
    let drive = drive.expect("the drive");
    assert_eq!(drive["virtualMachines"][0]["readOnly"], true);
    assert_eq!(drive["virtualMachines"][0]["connected"], false);
    let adapters = api.get(&format!("{ADAPTERS}?virtualMachineId={vm}")).await;
    assert_eq!(
        (&adapters[0]["name"], &adapters[0]["macAddress"]),
        (&json!("VIF #0"), &json!("02:00:00:00:00:aa"))
    );
    assert!(adapters[0].get("vpc").is_none());
    let taken = api
        .write("POST", VMS, Some(body))
        .await
        .expect_err("the name is taken");
    assert!(taken.contains("name already taken"), "{taken}");
    let other = api.zone("AZ06").await;
    let body = api
        .vm_body(&other, "node-1", "02:00:00:00:00:ab", None)
        .await;
    api.write("POST", VMS, Some(body))
        .await
        .expect("the name is free in another zone");
}

#[tokio::test]
async fn refusals_at_creation() {
    let (_sandbox, api) = bed().await;
    let zone = api.zone("AZ05").await;
    let mut body = api.vm_body(&zone, "node-1", MAC, None).await;
    body["cloudInit"] = json!({});
    let reply = api.send("POST", VMS, Some(body.clone())).await;
    assert_eq!(reply.status, 400);
    assert!(
        reply
            .text
            .contains("When cloudInit is provided, cloudConfig is required")
    );
    body["cloudInit"] = json!({"cloudConfig": "x"});
    body["networkAdapters"][0]["mac"] = json!("");
    let reply = api.send("POST", VMS, Some(body.clone())).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("Must be a MAC address"));
    body["networkAdapters"][0]["mac"] = json!(MAC);
    body["templateId"] = json!("11111111-1111-4111-8111-111111111111");
    assert_eq!(api.send("POST", VMS, Some(body.clone())).await.status, 404);
    let mut body = api.vm_body(&zone, "node-1", MAC, None).await;
    body["memory"] = json!(GIB);
    let reason = api
        .write("POST", VMS, Some(body))
        .await
        .expect_err("below the template");
    assert!(reason.contains("MEMORY_CONSTRAINT_VIOLATION_ORDER"));
}

#[tokio::test]
async fn power_needs_a_policy_and_sizing_needs_a_halted_vm() {
    let (_sandbox, api) = bed().await;
    let zone = api.zone("AZ05").await;
    let body = api.vm_body(&zone, "node-1", MAC, None).await;
    let vm = api.write("POST", VMS, Some(body)).await.expect("a VM");
    let path = format!("{VMS}/{vm}");
    api.power(&vm, true, false).await.expect_err("no policy");
    let other = api.zone("AZ06").await;
    let assign = |policies: Vec<String>| json!({"virtualMachineId": vm, "policyIds": policies});
    let foreign = api.policy(&other, "nobackup").await;
    let reason = api
        .write(
            "POST",
            "/backup/v1/open_iaas/policies/assign",
            Some(assign(vec![foreign])),
        )
        .await
        .expect_err("of another zone");
    assert!(reason.contains("Could not assign all policies with the provided identifiers"));
    let own = api.policy(&zone, "nobackup").await;
    api.write(
        "POST",
        "/backup/v1/open_iaas/policies/assign",
        Some(assign(vec![own.clone()])),
    )
    .await
    .expect("a policy");
    let assigned = api
        .get(&format!(
            "/backup/v1/open_iaas/policies?virtualMachineId={vm}"
        ))
        .await;
    assert_eq!(assigned[0]["id"], json!(own));
    let size = json!({"cpu": 4, "memory": 8 * GIB, "numCoresPerSocket": 2, "autoPowerOn": true});
    api.write("PATCH", &path, Some(size)).await.expect("halted");
    api.power(&vm, true, false).await.expect("power on");
    api.write("PATCH", &path, Some(json!({"cpu": 8})))
        .await
        .expect_err("running");
    let view = api.get(&path).await;
    assert_eq!(
        (
            &view["cpu"],
            &view["numCoresPerSocket"],
            &view["autoPowerOn"]
        ),
        (&json!(4), &json!(2), &json!(true))
    );
    assert_eq!(view["powerState"], "Running");
    assert_ne!(view["host"]["id"], "");
    assert_eq!(api.send("PATCH", &path, Some(json!({}))).await.status, 400);
    api.power(&vm, false, true).await.expect("power off");
    let view = api.get(&path).await;
    assert_eq!(
        (&view["powerState"], &view["host"]["id"], &view["addresses"]),
        (&json!("Halted"), &json!(""), &json!({}))
    );
}

#[tokio::test]
async fn an_empty_assignment_waits_for_ever() {
    let (_sandbox, api) = bed().await;
    let vm = api.vm("AZ05", "node-1", MAC, None).await;
    let body = json!({"virtualMachineId": vm, "policyIds": []});
    let reply = api
        .send("POST", "/backup/v1/open_iaas/policies/assign", Some(body))
        .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let activity = api
        .get(&format!("/activity/v1/activities/{}", reply.location()))
        .await;
    assert_eq!(activity["state"], json!({"waiting": {}}));
}

#[tokio::test]
async fn disks_are_plugged_only_while_the_vm_runs() {
    let (_sandbox, api) = bed().await;
    let zone = api.zone("AZ05").await;
    let vm = api.vm("AZ05", "node-1", MAC, Some("x")).await;
    let storage = api
        .find("storage_repositories", &zone, "sr-az05-block")
        .await;
    let free = |list: &Value| list["freeCapacity"].as_u64().expect("bytes");
    let repository = format!("/compute/v1/open_iaas/storage_repositories/{storage}");
    let before = free(&api.get(&repository).await);
    let new = |storage: &str| {
        json!({"name": "node-1-data", "size": 50 * GIB, "mode": "RW", "storageRepositoryId": storage,
               "virtualMachineId": vm, "bootable": false})
    };
    let other = api.zone("AZ06").await;
    let far = api
        .find("storage_repositories", &other, "sr-az06-block")
        .await;
    let reason = api
        .write("POST", DISKS, Some(new(&far)))
        .await
        .expect_err("not reachable");
    assert!(reason.contains("Could not find storage repository with uuid"));
    let disk = api
        .write("POST", DISKS, Some(new(&storage)))
        .await
        .expect("a disk");
    assert_eq!(before - free(&api.get(&repository).await), 50 * GIB);
    let path = format!("{DISKS}/{disk}");
    let link = Some(json!({"virtualMachineId": vm}));
    let reason = api
        .write("PATCH", &format!("{path}/disconnect"), link.clone())
        .await
        .expect_err("halted");
    assert_eq!(reason, "VM state is halted but should be running");
    api.write("PATCH", &path, Some(json!({"size": GIB})))
        .await
        .expect_err("disks do not shrink");
    api.write("PATCH", &path, Some(json!({"size": 60 * GIB})))
        .await
        .expect("disks grow");
    api.power(&vm, true, false).await.expect("power on");
    assert_eq!(
        api.get(&path).await["virtualMachines"][0]["connected"],
        true
    );
    api.write("PATCH", &path, Some(json!({"size": 70 * GIB})))
        .await
        .expect_err("connected");
    api.write("DELETE", &path, None)
        .await
        .expect_err("connected");
    api.write("PATCH", &format!("{path}/disconnect"), link)
        .await
        .expect("running");
    api.write("DELETE", &path, None)
        .await
        .expect("disconnected");
    assert_eq!(api.status(&path).await, 404);
}

#[tokio::test]
async fn deleting_a_vm_leaves_separate_disks_detached() {
    let (sandbox, api) = bed().await;
    let zone = api.zone("AZ05").await;
    let vm = api.vm("AZ05", "node-1", MAC, Some("x")).await;
    let storage = api
        .find("storage_repositories", &zone, "sr-az05-block")
        .await;
    let body = json!({"name": "data", "size": GIB, "mode": "RW", "storageRepositoryId": storage,
                      "virtualMachineId": vm, "bootable": false});
    let disk = api.write("POST", DISKS, Some(body)).await.expect("a disk");
    api.write("DELETE", &format!("{VMS}/{vm}"), None)
        .await
        .expect("deleted");
    assert_eq!(api.status(&format!("{VMS}/{vm}")).await, 404);
    assert_eq!(
        api.send("DELETE", &format!("{VMS}/{vm}"), None)
            .await
            .status,
        404
    );
    assert_eq!(
        api.get(&format!("{DISKS}/{disk}")).await["virtualMachines"],
        json!([])
    );
    let inventory = sandbox.admin().inventory().await.expect("an inventory");
    assert_eq!(
        (
            inventory.vms.len(),
            inventory.disks.len(),
            inventory.adapters.len()
        ),
        (0, 1, 0)
    );
}

#[tokio::test]
async fn adapters_are_validated_and_registered_on_a_vpc() {
    let (_sandbox, api) = bed().await;
    let zone = api.zone("AZ05").await;
    let vm = api.vm("AZ05", "node-1", MAC, None).await;
    let network = api.find("networks", &zone, "vpc-k8s-nodes").await;
    let body = json!({"virtualMachineId": vm, "networkId": network, "mac": "02:00:00:00:00:0B"});
    let adapter = api
        .write("POST", ADAPTERS, Some(body))
        .await
        .expect("an adapter");
    let path = format!("{ADAPTERS}/{adapter}");
    let view = api.get(&path).await;
    assert_eq!(
        (&view["name"], &view["vpc"]["privateNetwork"]["name"]),
        (&json!("VIF #1"), &json!("k8s-nodes"))
    );
    let fixed = api.get("/vpc/v1/static_ips/mac/02:00:00:00:00:0b").await;
    assert_eq!(
        (&fixed["ipAddress"], &fixed["source"]),
        (&json!("10.30.0.2"), &json!("xoa"))
    );
    let reply = api
        .send(
            "DELETE",
            &format!(
                "/vpc/v1/static_ips/{}",
                fixed["id"].as_str().expect("an id")
            ),
            None,
        )
        .await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("not a custom static IP"));
    let reason = api
        .write("PATCH", &path, Some(json!({"networkId": network})))
        .await
        .expect_err("unchanged");
    assert!(
        reason.contains(
            "Static IP operation failed: MAC address 02:00:00:00:00:0b is already used by"
        )
    );
    assert_eq!(
        api.send("PATCH", &path, Some(json!({"ipAddress": "10.30.0.9"})))
            .await
            .status,
        400
    );
    let change = json!({"networkId": network, "ipAddress": "10.30.0.9"});
    api.write("PATCH", &path, Some(change))
        .await
        .expect("another address");
    assert_eq!(
        api.get("/vpc/v1/static_ips/mac/02-00-00-00-00-0B").await["ipAddress"],
        "10.30.0.9"
    );
    let reason = api
        .write("PATCH", &format!("{path}/connect"), None)
        .await
        .expect_err("halted");
    assert_eq!(reason, "VM state is halted but should be running");
    api.write("DELETE", &path, None).await.expect("deleted");
    assert_eq!(
        api.status("/vpc/v1/static_ips/mac/02:00:00:00:00:0b").await,
        404
    );
}

#[tokio::test]
async fn floating_ips_always_carry_their_relation() {
    let (_sandbox, api) = bed().await;
    let private = api.get("/vpc/v1/private_networks").await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let body = json!({"macAddress": "02:00:00:00:0f:01", "resourceDescription": "vip"});
    let path = format!("/vpc/v1/private_networks/{private}/static_ips");
    let fixed = api
        .write("POST", &path, Some(body))
        .await
        .expect("a static IP");
    assert_eq!(
        api.send("POST", &path, Some(json!({"macAddress": MAC})))
            .await
            .status,
        400
    );
    let floating = api
        .write("POST", "/vpc/v1/floating_ips", Some(json!({"count": 1})))
        .await
        .expect("a floating IP");
    let path = format!("/vpc/v1/floating_ips/{floating}");
    let view = api.get(&path).await;
    for key in ["staticIp", "vpc", "privateNetwork"] {
        assert_eq!(view.get(key), Some(&Value::Null), "{key}");
    }
    assert_eq!(
        api.send("PATCH", &path, Some(json!({"description": "x"})))
            .await
            .status,
        204
    );
    let bind = format!("{path}/bind/static_ips/{fixed}");
    api.write("POST", &bind, None).await.expect("bound");
    assert_eq!(api.send("POST", &bind, None).await.status, 409);
    assert_eq!(api.get(&path).await["staticIp"]["id"], json!(fixed));
    assert_eq!(
        api.send("DELETE", &format!("/vpc/v1/static_ips/{fixed}"), None)
            .await
            .status,
        400
    );
    let unbind = format!("{path}/unbind/static_ips/{fixed}");
    api.write("DELETE", &unbind, None).await.expect("unbound");
    assert_eq!(api.send("DELETE", &unbind, None).await.status, 409);
    assert_eq!(api.send("DELETE", &path, None).await.status, 204);
    assert_eq!(api.status(&path).await, 404);
}

#[tokio::test]
async fn tags_are_synchronous() {
    let (_sandbox, api) = bed().await;
    let vm = api.vm("AZ05", "node-1", MAC, None).await;
    let path = format!("/tag/v1/tags/resources/{vm}");
    assert_eq!(api.get(&path).await, json!([]));
    let body = json!({"key": "managedk8s", "value": "v", "resources": [
        {"uuid": vm, "type": "iaas_opensource_virtual_machine", "source": "iaas_opensource"}]});
    assert_eq!(
        api.send("POST", "/tag/v1/tags", Some(body)).await.status,
        201
    );
    let tags = api.get(&path).await;
    assert_eq!(
        (&tags[0]["key"], &tags[0]["value"], &tags[0]["resource"]),
        (&json!("managedk8s"), &json!("v"), &json!(vm))
    );
    assert_eq!(
        api.send("DELETE", &format!("{path}/keys/managedk8s"), None)
            .await
            .status,
        204
    );
    assert_eq!(api.get(&path).await, json!([]));
}

#[tokio::test]
async fn replication_is_one_object_or_404() {
    let (_sandbox, api) = bed().await;
    let zone = api.zone("AZ06").await;
    let vm = api.vm("AZ05", "node-1", MAC, None).await;
    let storage = api
        .find("storage_repositories", &zone, "sr-az06-block")
        .await;
    let path = "/compute/v1/open_iaas/replication/configurations";
    let body = json!({"name": "r", "storageRepositoryId": storage, "interval": {"minute": 30}});
    let policy = api.write("POST", path, Some(body)).await.expect("a policy");
    assert_eq!(
        api.get(&format!("{path}/{policy}")).await["interval"]["minutes"],
        30
    );
    let of_vm = format!("/compute/v1/open_iaas/replication/virtual_machines/{vm}/configurations");
    assert_eq!(api.status(&of_vm).await, 404);
    api.write("POST", &of_vm, Some(json!({"configurationId": policy})))
        .await
        .expect("assigned");
    assert_eq!(api.get(&of_vm).await["id"], json!(policy));
}

#[tokio::test]
async fn object_storage_answers_403_for_the_absent() {
    let (_sandbox, api) = bed().await;
    assert_eq!(api.status("/storage/object/v1/buckets/none").await, 403);
    let account = api
        .send(
            "POST",
            "/storage/object/v1/storage_accounts",
            Some(json!({"name": "loki"})),
        )
        .await;
    assert_eq!(account.status, 201);
    assert!(account.json()["secretAccessKey"].is_string());
    let body = json!({"name": "logs", "accessType": "private"});
    api.write("POST", "/storage/object/v1/buckets", Some(body))
        .await
        .expect("a bucket");
    assert!(api.get("/storage/object/v1/buckets/logs").await["totalSize"].is_string());
    let grant = "/storage/object/v1/buckets/logs/grant/read_write/to/loki";
    api.write("POST", grant, None).await.expect("granted");
    assert_eq!(
        api.get("/storage/object/v1/buckets/logs/storage_accounts")
            .await[0]["role"],
        "read_write"
    );
}

#[tokio::test]
async fn access_tokens_have_two_forms_of_their_expiry() {
    let (_sandbox, api) = bed().await;
    let path = "/iam/v2/personal_access_tokens";
    let body = json!({"name": "t", "roles": [], "expirationDate": 1_900_000_000_000_i64});
    let reply = api.send("POST", path, Some(body)).await;
    assert_eq!(reply.status, 201);
    let id = reply.json()["id"].as_str().expect("an id").to_owned();
    assert!(reply.json()["expirationDate"].is_i64());
    assert!(api.get(&format!("{path}/{id}")).await["expirationDate"].is_string());
    assert_eq!(
        api.send("DELETE", &format!("{path}/{id}"), None)
            .await
            .status,
        200
    );
    assert_eq!(api.status(&format!("{path}/{id}")).await, 500);
}

#[tokio::test]
async fn activities_can_be_hidden_at_first_fail_and_leave_things_behind() {
    let (sandbox, api) = bed().await;
    let admin = sandbox.admin();
    let zone = api.zone("AZ05").await;
    admin
        .set_behaviour(json!({"activity_not_found_reads": 2}))
        .await
        .expect("a setting");
    let body = api.vm_body(&zone, "node-1", MAC, None).await;
    let activity = api.send("POST", VMS, Some(body)).await.location();
    let path = format!("/activity/v1/activities/{activity}");
    assert_eq!(
        (
            api.status(&path).await,
            api.status(&path).await,
            api.status(&path).await
        ),
        (404, 404, 200)
    );
    let fail = Effect::FailActivity {
        reason: "None of the workers were able to respond".into(),
        leave_behind: true,
        concerned: false,
    };
    admin
        .fault(
            &Fault::new(fail)
                .on_operation("vm.create")
                .on_target("node-2")
                .times(1),
        )
        .await
        .expect("a fault");
    let body = api
        .vm_body(&zone, "node-2", "02:00:00:00:00:02", None)
        .await;
    api.write("POST", VMS, Some(body.clone()))
        .await
        .expect_err("failed");
    let list = api.get(&format!("{VMS}?machineManagerId={zone}")).await;
    assert!(
        list.as_array()
            .expect("a list")
            .iter()
            .any(|vm| vm["name"] == "node-2"),
        "left behind"
    );
    let again = api
        .write("POST", VMS, Some(body))
        .await
        .expect_err("the name is taken");
    assert!(again.contains("name already taken"));
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_work() {
    let (sandbox, api) = bed().await;
    let admin = sandbox.admin();
    let zone = api.zone("AZ05").await;
    admin
        .fault(
            &Fault::new(Effect::LostAnswer)
                .on_call(Surface::Openiaas, "POST", VMS)
                .times(1),
        )
        .await
        .expect("a fault");
    let body = api.vm_body(&zone, "node-1", MAC, None).await;
    assert!(api.try_send("POST", VMS, Some(body)).await.is_err());
    support::until("the VM is there", || async {
        admin
            .inventory()
            .await
            .expect("an inventory")
            .vms
            .iter()
            .any(|vm| vm.name == "node-1")
    })
    .await;
}

#[tokio::test]
async fn refusals_limits_and_missing_rights() {
    let (sandbox, api) = bed().await;
    let admin = sandbox.admin();
    let status = Effect::Status {
        status: 503,
        body: Some("<html>503</html>".into()),
        headers: [].into(),
    };
    let fault = Fault::new(status)
        .on_call(Surface::Openiaas, "GET", "/compute/v1/open_iaas")
        .times(2);
    admin.fault(&fault).await.expect("a fault");
    let path = "/compute/v1/open_iaas";
    assert_eq!(
        (
            api.status(path).await,
            api.status(path).await,
            api.status(path).await
        ),
        (503, 503, 200)
    );
    admin
        .set_behaviour(json!({"denied_rights": ["tag_read"]}))
        .await
        .expect("a setting");
    assert_eq!(api.status("/tag/v1/tags/resources/x").await, 403);
    admin
        .set_behaviour(json!({"rate_limit": 3}))
        .await
        .expect("a setting");
    let mut limited = None;
    for _ in 0..10 {
        let reply = api.send("GET", path, None).await;
        if reply.status == 429 {
            limited = Some(reply);
            break;
        }
    }
    let limited = limited.expect("a limit");
    assert_eq!(limited.headers["retry-after"], "1");
    assert_eq!(limited.json()["error"]["status"], "429 Too Many Requests");
}

#[tokio::test]
async fn listings_can_be_shuffled() {
    let (sandbox, api) = bed().await;
    sandbox.admin().shuffle(Some(7)).await.expect("a setting");
    let mut orders = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let list = api.get("/compute/v1/open_iaas").await;
        orders.insert(
            list.as_array()
                .expect("a list")
                .iter()
                .map(|zone| zone["name"].to_string())
                .collect::<Vec<_>>(),
        );
    }
    assert!(orders.len() > 1);
}

#[tokio::test]
async fn a_pause_point_freezes_after_the_send_and_after_the_answer() {
    let (sandbox, api) = bed().await;
    let admin = sandbox.admin();
    let vm = api.vm("AZ05", "node-1", MAC, None).await;
    for at in [PauseAt::AfterWork, PauseAt::AfterAnswer] {
        let point = PausePoint {
            surface: None,
            method: None,
            path: None,
            reads: false,
            n: 1,
            at,
        };
        let id = admin.pause_at(&point).await.expect("a pause point");
        assert!(
            admin
                .pause_state(id, Duration::ZERO)
                .await
                .expect("a state")
                .reached
                .is_none()
        );
        let (client, path) = (api.clone(), format!("{VMS}/{vm}/boot_order"));
        let call = tokio::spawn(async move {
            client
                .send(
                    "PATCH",
                    &path,
                    Some(json!({"order": ["Hard-Drive", "Network"]})),
                )
                .await
                .status
        });
        let state = admin
            .pause_state(id, Duration::from_secs(5))
            .await
            .expect("a state");
        assert_eq!(state.reached.expect("reached").method, "PATCH");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(call.is_finished(), at == PauseAt::AfterAnswer);
        let client = api.clone();
        let next = tokio::spawn(async move { client.status("/compute/v1/open_iaas").await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!next.is_finished(), "everything is frozen");
        admin.release(id).await.expect("released");
        assert_eq!(
            (call.await.expect("a call"), next.await.expect("a call")),
            (201, 200)
        );
    }
}

#[tokio::test]
async fn another_hand_can_delete_and_power_off() {
    let (sandbox, api) = bed().await;
    let vm = api.vm("AZ05", "node-1", MAC, None).await;
    let admin = sandbox.admin();
    admin.power("node-1", true).await.expect("on");
    assert_eq!(
        api.get(&format!("{VMS}/{vm}")).await["powerState"],
        "Running"
    );
    admin.delete_vm("node-1").await.expect("deleted");
    assert_eq!(api.status(&format!("{VMS}/{vm}")).await, 404);
    assert!(
        admin
            .inventory()
            .await
            .expect("an inventory")
            .disks
            .is_empty()
    );
}

#[tokio::test]
async fn charts_are_served_by_the_path_of_their_repository() {
    let (sandbox, api) = bed().await;
    let charts = &sandbox.addresses().charts;
    let get = |path: String| api.http.get(format!("{charts}/{path}")).send();
    let index = get("metallb.github.io/metallb/index.yaml".into())
        .await
        .expect("an answer");
    assert_eq!(index.status(), 200);
    let index: Value =
        serde_json::from_str(&index.text().await.expect("text")).expect("JSON is YAML");
    let entry = &index["entries"]["metallb"][0];
    let file = entry["urls"][0].as_str().expect("a file");
    let archive = get(format!("metallb.github.io/metallb/{file}"))
        .await
        .expect("an answer");
    assert_eq!(archive.status(), 200);
    use sha2::Digest as _;
    let digest = hex::encode(sha2::Sha256::digest(archive.bytes().await.expect("bytes")));
    assert_eq!(entry["digest"], json!(digest));
    assert_eq!(
        get("example.org/index.yaml".into())
            .await
            .expect("an answer")
            .status(),
        404
    );
}
