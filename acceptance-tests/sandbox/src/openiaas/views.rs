//! The objects as the API shows them.

use serde_json::{Value, json};

use super::model::{
    Activity, Adapter, Cloud, Disk, FloatingIp, Host, Network, Policy, Power, PrivateNetwork,
    Progress, Replication, StaticIp, StorageRepository, Template, Vm, date, now,
};
use crate::config::Behaviour;

fn named(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name})
}

fn zone(cloud: &Cloud, id: &str) -> Value {
    let zone = cloud.zone(id);
    named(&zone.id, &zone.name)
}

fn pool_ref(cloud: &Cloud, zone: &str) -> Value {
    let pool = cloud.pool(zone);
    named(&pool.id, &pool.name)
}

/// A machine manager.
pub fn machine_manager(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "osVersion": "12.0", "osName": "Debian GNU/Linux 12 (bookworm)"})
}

/// A pool.
pub fn pool(cloud: &Cloud, zone_id: &str) -> Value {
    let pool = cloud.pool(zone_id);
    let hosts: Vec<&Host> = cloud
        .hosts
        .iter()
        .filter(|host| host.zone == zone_id)
        .collect();
    let size: u64 = hosts.iter().map(|host| host.memory).sum();
    let usage: u64 = cloud
        .vms
        .values()
        .filter(|vm| vm.zone == zone_id && vm.power == Power::Running)
        .map(|vm| vm.memory)
        .sum();
    json!({
        "id": pool.id, "internalId": super::model::seed_id(&pool.id), "name": pool.name, "label": pool.name,
        "machineManager": zone(cloud, zone_id),
        "highAvailabilityEnabled": true,
        "master": hosts.first().map(|host| host.id.as_str()).unwrap_or_default(),
        "hosts": hosts.iter().map(|host| host.id.as_str()).collect::<Vec<_>>(),
        "memory": {"usage": usage, "size": size},
        "cpu": {"cores": hosts.iter().map(|host| host.cores).sum::<u32>(), "sockets": hosts.len() * 2},
        "type": {"key": "SANDBOX", "description": "Simulated blades"},
    })
}

/// A host.
pub fn host(cloud: &Cloud, host: &Host) -> Value {
    let pool = cloud.pool(&host.zone);
    let vms: Vec<&Vm> = cloud
        .vms
        .values()
        .filter(|vm| vm.host.as_deref() == Some(&host.id))
        .collect();
    let master = cloud
        .hosts
        .iter()
        .find(|known| known.zone == host.zone)
        .is_some_and(|first| first.id == host.id);
    json!({
        "id": host.id, "internalId": super::model::seed_id(&host.id), "name": host.name,
        "machineManager": zone(cloud, &host.zone),
        "pool": {"id": pool.id, "name": pool.name, "type": {"key": "SANDBOX", "description": "Simulated blades"}},
        "master": master, "uptime": 8_640_000, "powerState": "Running",
        "updateData": {"maintenanceMode": host.maintenance, "status": "NONE"},
        "rebootRequired": false,
        "virtualMachines": vms.iter().map(|vm| vm.id.as_str()).collect::<Vec<_>>(),
        "metrics": {
            "xoa": {"version": "8.3.0", "fullName": "XCP-ng 8.3.0", "build": "sandbox"},
            "memory": {"usage": vms.iter().map(|vm| vm.memory).sum::<u64>(), "size": host.memory},
            "cpu": {"sockets": 2, "cores": host.cores, "model": "sandbox", "modelName": "Sandbox CPU"},
        },
    })
}

/// A storage repository.
pub fn storage(cloud: &Cloud, sr: &StorageRepository) -> Value {
    let disks: Vec<&str> = cloud
        .disks
        .values()
        .filter(|disk| disk.storage == sr.id)
        .map(|disk| disk.id.as_str())
        .collect();
    json!({
        "id": sr.id, "internalId": super::model::seed_id(&sr.id), "name": sr.name, "description": "",
        "maintenanceMode": sr.maintenance,
        "maxCapacity": sr.capacity, "freeCapacity": sr.capacity.saturating_sub(cloud.used(&sr.id)),
        "storageType": sr.kind, "virtualDisks": disks, "shared": sr.shared, "accessible": i32::from(sr.accessible),
        "host": sr.host.as_ref().and_then(|id| cloud.hosts.iter().find(|host| host.id == *id))
            .map_or_else(|| named("", ""), |host| named(&host.id, &host.name)),
        "pool": pool_ref(cloud, &sr.zone), "machineManager": zone(cloud, &sr.zone),
    })
}

fn vpc_of(cloud: &Cloud, network: &Network, address: &str) -> Option<Value> {
    let private = cloud
        .private_networks
        .iter()
        .find(|known| Some(&known.id) == network.behind.as_ref())?;
    Some(json!({
        "id": private.vpc.id, "name": private.vpc.name,
        "privateNetwork": named(&private.id, &private.name), "staticIpAddress": address,
    }))
}

/// A network.
pub fn network(cloud: &Cloud, network: &Network) -> Value {
    let adapters: Vec<&str> = cloud
        .adapters
        .values()
        .filter(|adapter| adapter.network == network.id)
        .map(|adapter| adapter.id.as_str())
        .collect();
    let mut view = json!({
        "id": network.id, "internalId": super::model::seed_id(&network.id), "name": network.name,
        "machineManager": zone(cloud, &network.zone), "pool": pool_ref(cloud, &network.zone),
        "maximumTransmissionUnit": 1500, "networkAdapters": adapters,
        "networkBlockDevice": false, "insecureNetworkBlockDevice": false,
    });
    if let Some(vpc) = vpc_of(cloud, network, "") {
        view["vpc"] = vpc;
    }
    view
}

/// A template.
pub fn template(cloud: &Cloud, template: &Template) -> Value {
    let sr = cloud
        .storage
        .iter()
        .find(|known| known.id == template.storage);
    let network = cloud
        .networks
        .iter()
        .find(|known| known.id == template.network);
    let disks: Vec<Value> = template
        .disk
        .iter()
        .map(|(name, size)| {
            json!({
                "id": super::model::seed_id(&format!("{}/disk", template.id)), "name": name, "description": "",
                "size": size,
                "storageRepository": named(&template.storage, sr.map(|sr| sr.name.as_str()).unwrap_or_default()),
            })
        })
        .collect();
    json!({
        "id": template.id, "internalId": super::model::seed_id(&template.id), "name": template.name,
        "machineManager": zone(cloud, &template.zone), "cpu": template.cpu, "numCoresPerSocket": 1,
        "memory": template.memory, "powerState": "Halted", "snapshots": [], "slaPolicies": [], "disks": disks,
        "networkAdapters": [{
            "name": "VIF #0", "macAddress": "02:00:00:00:00:01", "mtu": 1500, "attached": true,
            "network": named(&template.network, network.map(|known| known.name.as_str()).unwrap_or_default()),
        }],
    })
}

/// A VM. `addresses` are what its guest agent reports.
pub fn vm(cloud: &Cloud, behaviour: &Behaviour, vm: &Vm) -> Value {
    let running = vm.power == Power::Running;
    let drivers = running && vm.drivers_at.is_some_and(|at| at <= now());
    let agent = drivers && behaviour.guest_agent;
    let mut addresses = serde_json::Map::new();
    if agent {
        for (index, address) in vm.machine.reported_addresses.iter().enumerate() {
            addresses.insert(format!("0/ipv4/{index}"), json!(address));
        }
    }
    let host = vm
        .host
        .as_ref()
        .and_then(|id| cloud.hosts.iter().find(|host| host.id == *id))
        .map_or_else(|| named("", ""), |host| named(&host.id, &host.name));
    let dvd = vm
        .dvd
        .as_ref()
        .and_then(|id| cloud.disks.get(id))
        .map(|disk| disk.name.clone());
    json!({
        "id": vm.id, "name": vm.name, "internalId": vm.internal_id,
        "powerState": if running { "Running" } else { "Halted" },
        "cpu": vm.cpu, "numCoresPerSocket": vm.cores,
        "memory": vm.memory.saturating_sub(behaviour.memory_read_deficit),
        "secureBoot": vm.secure_boot, "bootFirmware": vm.firmware, "bootOrder": vm.boot_order,
        "autoPowerOn": vm.auto_power_on, "highAvailability": vm.high_availability,
        "dvdDrive": {"name": dvd.clone().unwrap_or_default(), "attached": dvd.is_some()},
        "operatingSystemName": if agent { format!("Talos ({})", vm.machine.talos_version) } else { String::new() },
        "tools": {"detected": agent, "version": if agent { "7.30.0" } else { "" }},
        "pvDrivers": {"detected": drivers, "version": if drivers { "6.18.44" } else { "" }, "areUpToDate": drivers},
        "managementAgent": {"detected": agent},
        "addresses": addresses,
        "machineManager": zone(cloud, &vm.zone), "pool": pool_ref(cloud, &vm.zone), "host": host,
    })
}

/// A disk.
pub fn disk(cloud: &Cloud, disk: &Disk) -> Value {
    let sr = cloud.storage.iter().find(|known| known.id == disk.storage);
    let links: Vec<Value> = disk
        .attachments
        .iter()
        .filter_map(|link| cloud.vms.get(&link.vm).map(|vm| (link, vm)))
        .map(|(link, vm)| {
            json!({
                "id": vm.id, "name": vm.name, "readOnly": link.read_only,
                "connected": link.plugged && vm.power == Power::Running,
            })
        })
        .collect();
    json!({
        "id": disk.id, "internalId": disk.internal_id, "name": disk.name, "description": "", "size": disk.size,
        "usage": 0, "isSnapshot": false,
        "storageRepository": named(&disk.storage, sr.map(|sr| sr.name.as_str()).unwrap_or_default()),
        "virtualMachines": links, "templates": [],
    })
}

/// A network adapter.
pub fn adapter(cloud: &Cloud, behaviour: &Behaviour, adapter: &Adapter) -> Value {
    let network = cloud
        .networks
        .iter()
        .find(|known| known.id == adapter.network);
    let vm = cloud.vms.get(&adapter.vm);
    let running = vm.is_some_and(|vm| {
        vm.power == Power::Running && vm.drivers_at.is_some_and(|at| at <= now())
    });
    let address = vm
        .filter(|_| running && behaviour.guest_agent && adapter.name == "VIF #0")
        .and_then(|vm| vm.machine.reported_addresses.first().cloned())
        .unwrap_or_default();
    let mut view = json!({
        "id": adapter.id, "internalId": adapter.internal_id, "name": adapter.name, "virtualMachineId": adapter.vm,
        "macAddress": adapter.mac, "mtu": 1500, "attached": adapter.attached,
        "txChecksumming": adapter.tx_checksumming,
        "network": named(&adapter.network, network.map(|known| known.name.as_str()).unwrap_or_default()),
        "machineManager": zone(cloud, vm.map(|vm| vm.zone.as_str()).unwrap_or_default()),
        "ipv4Address": address, "ipv6Address": "",
    });
    if let Some(vpc) = network.and_then(|network| vpc_of(cloud, network, &address)) {
        view["vpc"] = vpc;
    }
    view
}

/// A backup policy.
pub fn policy(cloud: &Cloud, policy: &Policy) -> Value {
    json!({
        "id": policy.id, "internalId": super::model::seed_id(&policy.id), "name": policy.name, "running": false,
        "mode": "", "machineManager": zone(cloud, &policy.zone), "virtualMachines": policy.vms,
        "schedulers": if policy.name == "nobackup" { json!([]) } else {
            json!([{"temporarilyDisabled": false, "retention": 7, "cron": "0 2 * * *", "timezone": "Europe/Paris"}])
        },
    })
}

/// A replication policy.
pub fn replication(cloud: &Cloud, replication: &Replication) -> Value {
    let sr = cloud
        .storage
        .iter()
        .find(|known| known.id == replication.storage);
    let zone_id = sr.map(|sr| sr.zone.clone()).unwrap_or_default();
    let pool = cloud.pool(&zone_id);
    json!({
        "id": replication.id, "name": replication.name,
        "storageRepository": named(&replication.storage, sr.map(|sr| sr.name.as_str()).unwrap_or_default()),
        "pool": {"id": pool.id, "name": pool.name, "label": pool.name},
        "machineManager": zone(cloud, &zone_id),
        "lastRun": {"start": 0, "end": 0, "status": ""},
        "interval": {"hours": replication.hours, "minutes": replication.minutes},
    })
}

/// A private network.
pub fn private_network(cloud: &Cloud, private: &PrivateNetwork) -> Value {
    let count = cloud
        .static_ips
        .values()
        .filter(|known| known.private_network == private.id)
        .count();
    json!({
        "id": private.id, "ipAddress": private.cidr, "name": private.name, "vlanId": 812, "staticIpCount": count,
        "vpc": named(&private.vpc.id, &private.vpc.name),
    })
}

/// A VPC.
pub fn vpc(cloud: &Cloud, private: &PrivateNetwork) -> Value {
    json!({
        "id": private.vpc.id, "name": private.vpc.name, "internetIp": "198.51.100.10",
        "privateNetworkCount": cloud.private_networks.iter().filter(|known| known.vpc.id == private.vpc.id).count(),
        "staticIpCount": cloud.static_ips.len(),
        "floatingIpCount": cloud.floating_ips.values().filter(|known| known.static_ip.is_some()).count(),
    })
}

/// A static address.
pub fn static_ip(cloud: &Cloud, known: &StaticIp) -> Value {
    let private = cloud
        .private_networks
        .iter()
        .find(|private| private.id == known.private_network);
    let adapter = cloud
        .adapters
        .values()
        .find(|adapter| adapter.mac == known.mac);
    let vm = adapter.and_then(|adapter| cloud.vms.get(&adapter.vm));
    let floating = cloud
        .floating_ips
        .values()
        .find(|floating| floating.static_ip.as_ref() == Some(&known.id));
    json!({
        "id": known.id, "ipAddress": known.address, "macAddress": known.mac,
        "virtualMachine": vm.map(|vm| named(&vm.id, &vm.name)),
        "networkAdapter": adapter.map(|adapter| named(&adapter.id, &adapter.name)),
        "source": known.source, "resourceDescription": known.description,
        "floatingIp": floating.map(|floating| json!({"id": floating.id, "ipAddress": floating.address})),
        "vpc": private.map(|private| named(&private.vpc.id, &private.vpc.name)),
        "privateNetwork": private.map(|private| named(&private.id, &private.name)),
    })
}

/// A public address; the keys of the relation are always there.
pub fn floating_ip(cloud: &Cloud, floating: &FloatingIp) -> Value {
    let bound = floating
        .static_ip
        .as_ref()
        .and_then(|id| cloud.static_ips.get(id));
    let private = bound.and_then(|known| {
        cloud
            .private_networks
            .iter()
            .find(|private| private.id == known.private_network)
    });
    json!({
        "id": floating.id, "ipAddress": floating.address, "description": floating.description,
        "staticIp": bound.map(|known| json!({"id": known.id, "address": known.address})),
        "vpc": private.map(|private| named(&private.vpc.id, &private.vpc.name)),
        "privateNetwork": private.map(|private| named(&private.id, &private.name)),
    })
}

/// An activity.
pub fn activity(cloud: &Cloud, activity: &Activity) -> Value {
    let state = match &activity.progress {
        Progress::Waiting => json!({"waiting": {}}),
        Progress::Running { start, progression } => {
            json!({"running": {"status": "running", "startDate": date(*start), "progression": progression}})
        }
        Progress::Completed {
            start,
            stop,
            result,
        } => {
            json!({"completed": {"startDate": date(*start), "stopDate": date(*stop), "result": result}})
        }
        Progress::Failed {
            start,
            stop,
            reason,
        } => {
            json!({"failed": {"startDate": date(*start), "stopDate": date(*stop), "reason": reason}})
        }
    };
    json!({
        "id": activity.id, "tenantId": cloud.tenant, "description": activity.description, "type": activity.kind,
        "tags": activity.tags, "initiator": cloud.user,
        "concernedItems": activity.concerned.iter().map(|(kind, id)| json!({"type": kind, "id": id})).collect::<Vec<_>>(),
        "creationDate": date(activity.created_at), "state": state, "operationType": "write",
    })
}

/// A bucket.
pub fn bucket(bucket: &super::model::Bucket) -> Value {
    json!({
        "id": bucket.id, "name": bucket.name, "namespace": "sandbox", "retentionPeriod": 0,
        "versioning": bucket.versioning, "endpoint": "https://sandbox.s3.fr1.cloud-temple.com",
        "totalSize": "0", "totalSizeUnit": "KB", "totalObjects": 0, "totalObjectsDeleted": "0",
        "totalSizeDeleted": "0", "tags": [],
    })
}

/// A storage account.
pub fn account(account: &super::model::StorageAccount) -> Value {
    json!({
        "id": account.id, "name": account.name, "accessKeyId": account.access_key,
        "arn": format!("urn:ecs:iam::sandbox:user/{}", account.name), "createDate": date(account.created_at),
        "path": "/", "tags": [],
    })
}
