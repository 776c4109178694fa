//! What happens to adapters and their addresses.

use std::net::Ipv4Addr;

use super::{AdapterPatch, Outcome, gone, vm_mut};
use crate::openiaas::model::{Adapter, Cloud, StaticIp, new_id, now};

pub(super) fn random_mac() -> String {
    let bytes = *uuid::Uuid::new_v4().as_bytes();
    format!(
        "00:16:3e:{:02x}:{:02x}:{:02x}",
        bytes[0], bytes[1], bytes[2]
    )
}

pub(super) fn create_adapter(
    cloud: &mut Cloud,
    id: String,
    vm: &str,
    network: &str,
    mac: Option<String>,
    address: Option<Ipv4Addr>,
) -> Outcome {
    let zone = vm_mut(cloud, vm)?.zone.clone();
    let found = cloud
        .networks
        .iter()
        .find(|known| known.id == network && known.zone == zone)
        .cloned()
        .ok_or_else(|| gone("network", network))?;
    let names: Vec<String> = cloud
        .adapters_of(vm)
        .iter()
        .map(|adapter| adapter.name.clone())
        .collect();
    if names.len() >= 7 {
        return Err("A virtual machine has at most 7 network adapters".into());
    }
    let name = (0..7)
        .map(|index| format!("VIF #{index}"))
        .find(|name| !names.contains(name))
        .unwrap_or_default();
    let mac = mac.unwrap_or_else(random_mac);
    let adapter = Adapter {
        id: id.clone(),
        internal_id: new_id(),
        name,
        vm: vm.to_owned(),
        network: network.to_owned(),
        mac: mac.clone(),
        attached: true,
        tx_checksumming: true,
        created_at: now(),
    };
    cloud.adapters.insert(id.clone(), adapter);
    if let Some(private) = found.behind {
        // The loss of a taken address is silent on this path.
        let _ = register(cloud, new_id(), &private, &mac, address, "xoa", None);
    }
    Ok(id)
}

pub(super) fn update_adapter(cloud: &mut Cloud, id: &str, patch: AdapterPatch) -> Outcome {
    let adapter = cloud
        .adapters
        .get(id)
        .cloned()
        .ok_or_else(|| gone("network adapter", id))?;
    let private = |cloud: &Cloud, network: &str| {
        cloud
            .networks
            .iter()
            .find(|known| known.id == network)
            .and_then(|known| known.behind.clone())
    };
    let on_vpc = private(cloud, &adapter.network).is_some();
    let same_network = patch
        .network_id
        .as_ref()
        .is_none_or(|network| *network == adapter.network);
    let same_mac = patch.mac.as_ref().is_none_or(|mac| *mac == adapter.mac);
    let touched = patch.network_id.is_some() || patch.mac.is_some();
    if on_vpc && touched && same_network && same_mac && patch.ip_address.is_none() {
        let name = cloud
            .vms
            .get(&adapter.vm)
            .map(|vm| vm.name.clone())
            .unwrap_or_default();
        return Err(format!(
            "VPC configuration incomplete: Static IP operation failed: MAC address {} is already used by virtual machine {name}",
            adapter.mac
        ));
    }
    let zone = cloud
        .vms
        .get(&adapter.vm)
        .map(|vm| vm.zone.clone())
        .unwrap_or_default();
    if let Some(network) = &patch.network_id
        && !cloud
            .networks
            .iter()
            .any(|known| known.id == *network && known.zone == zone)
    {
        return Err(gone("network", network));
    }
    release_static_ip(cloud, &adapter.mac);
    let Some(found) = cloud.adapters.get_mut(id) else {
        return Err(gone("network adapter", id));
    };
    if let Some(network) = patch.network_id {
        found.network = network;
    }
    if let Some(mac) = patch.mac {
        found.mac = mac;
    }
    found.tx_checksumming = patch.tx_checksumming.unwrap_or(found.tx_checksumming);
    found.attached = patch.attached.unwrap_or(found.attached);
    let (network, mac) = (found.network.clone(), found.mac.clone());
    if let Some(private) = private(cloud, &network) {
        let _ = register(
            cloud,
            new_id(),
            &private,
            &mac,
            patch.ip_address,
            "xoa",
            None,
        );
    }
    Ok(id.to_owned())
}

pub(super) fn register(
    cloud: &mut Cloud,
    id: String,
    private_network: &str,
    mac: &str,
    address: Option<Ipv4Addr>,
    source: &str,
    description: Option<String>,
) -> Outcome {
    let network = cloud
        .private_networks
        .iter()
        .find(|known| known.id == private_network)
        .ok_or_else(|| gone("private network", private_network))?;
    let cidr: ipnet::Ipv4Net = network
        .cidr
        .parse()
        .map_err(|_| "the private network has no CIDR".to_owned())?;
    let taken = |address: Ipv4Addr| {
        cloud
            .static_ips
            .values()
            .any(|known| known.private_network == private_network && known.address == address)
    };
    if cloud
        .static_ips
        .values()
        .any(|known| known.private_network == private_network && known.mac == mac)
    {
        return Err(format!("MAC address {mac} is already registered"));
    }
    let address = match address {
        Some(address) if !cidr.contains(&address) => {
            return Err(format!("{address} is not in {cidr}"));
        }
        Some(address) if taken(address) => return Err(format!("{address} is already registered")),
        Some(address) => address,
        // The first address is the gateway's.
        None => cidr
            .hosts()
            .skip(1)
            .find(|address| !taken(*address))
            .ok_or("the private network is full")?,
    };
    let new = StaticIp {
        id: id.clone(),
        private_network: private_network.to_owned(),
        address,
        mac: mac.to_owned(),
        source: source.to_owned(),
        description,
    };
    cloud.static_ips.insert(id.clone(), new);
    Ok(id)
}

pub(super) fn release_static_ip(cloud: &mut Cloud, mac: &str) {
    let released: Vec<String> = cloud
        .static_ips
        .values()
        .filter(|known| known.mac == mac && known.source == "xoa")
        .map(|known| known.id.clone())
        .collect();
    for id in released {
        cloud.static_ips.remove(&id);
        for floating in cloud.floating_ips.values_mut() {
            if floating.static_ip.as_ref() == Some(&id) {
                floating.static_ip = None;
            }
        }
    }
}
