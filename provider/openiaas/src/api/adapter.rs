//! Network adapters (OpenIaaS API, compute).

use serde_json::json;
use transport::CancellationToken;

use crate::{Adapter, AdapterId, Class, Client, Error, Handle, NetworkId, Request, VmId};

const MANAGEMENT: &str = "compute_iaas_opensource_management";

/// An adapter to add to a VM. Add them one after another: side by side the platform mixes them up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAdapter {
    /// The VM.
    pub vm: VmId,
    /// The network, of the VM's pool.
    pub network: NetworkId,
    /// The MAC address, chosen by us: how it is found again.
    pub mac: String,
}

impl Client {
    /// The adapters of a VM, in the platform's order.
    ///
    /// # Errors
    /// As every read.
    pub async fn adapters(
        &self,
        vm: &VmId,
        cancel: &CancellationToken,
    ) -> Result<Vec<Adapter>, Error> {
        let request = Request::get("/compute/v1/open_iaas/network_adapters", &[])
            .query("virtualMachineId", vm.as_str());
        Ok(self.list(&request, cancel).await?.items)
    }

    /// Adds an adapter.
    ///
    /// # Errors
    /// As every write; after one for which [`Error::may_have_written`] holds look for its MAC
    /// address among the VM's adapters.
    pub async fn create_adapter(
        &self,
        adapter: &NewAdapter,
        cancel: &CancellationToken,
    ) -> Result<AdapterId, Error> {
        let class = Class::Create {
            find_by: Handle::AdapterMac(adapter.mac.clone()),
        };
        let request = Request::post("/compute/v1/open_iaas/network_adapters", &[], class)
            .body(json!({
                "virtualMachineId": adapter.vm,
                "networkId": adapter.network,
                "mac": adapter.mac,
            }))
            .needs(MANAGEMENT);
        self.make(&request, cancel).await.map(AdapterId::new)
    }

    /// Gives an adapter another network and, when they are given, another MAC address. Call it only
    /// for real differences: on a VPC the present values are refused.
    ///
    /// # Errors
    /// As every write.
    pub async fn update_adapter(
        &self,
        id: &AdapterId,
        network: Option<&NetworkId>,
        mac: Option<&str>,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let mut body = json!({});
        if let Some(network) = network {
            body["networkId"] = json!(network);
        }
        if let Some(mac) = mac {
            body["mac"] = json!(mac);
        }
        if body == json!({}) {
            return Ok(());
        }
        let path = "/compute/v1/open_iaas/network_adapters/{}";
        let request = Request::patch(path, &[id.as_str()])
            .body(body)
            .needs(MANAGEMENT);
        self.carry_out(&request, cancel).await.map(drop)
    }

    /// Removes an adapter; its platform address goes with it. One that is gone already is success.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_adapter(
        &self,
        id: &AdapterId,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let path = "/compute/v1/open_iaas/network_adapters/{}";
        let request = Request::delete(path, &[id.as_str()]).needs(MANAGEMENT);
        self.remove(&request, cancel).await
    }
}
