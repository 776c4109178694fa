//! Backup policies (OpenIaaS API, backup).

use std::collections::BTreeSet;

use serde_json::json;
use transport::CancellationToken;

use crate::{Class, Client, Error, MachineManagerId, Policy, PolicyId, Request, VmId};

const PATH: &str = "/backup/v1/open_iaas/policies";

impl Client {
    /// The policies of a zone. What the server filters is filtered again: its matching is unproven.
    ///
    /// # Errors
    /// As every read.
    pub async fn policies(
        &self,
        zone: &MachineManagerId,
        cancel: &CancellationToken,
    ) -> Result<Vec<Policy>, Error> {
        let request = policies().query("machineManagerId", zone.as_str());
        let mut policies = self.policy_list(&request, cancel).await?;
        policies.retain(|policy| policy.machine_manager.id == *zone);
        Ok(policies)
    }

    /// The policies assigned to a VM.
    ///
    /// # Errors
    /// As every read.
    pub async fn policies_of(
        &self,
        vm: &VmId,
        cancel: &CancellationToken,
    ) -> Result<Vec<Policy>, Error> {
        let request = policies().query("virtualMachineId", vm.as_str());
        let mut policies = self.policy_list(&request, cancel).await?;
        // A policy that lists its VMs must list this one.
        policies.retain(|policy| {
            policy.virtual_machines.is_empty() || policy.virtual_machines.contains(vm)
        });
        Ok(policies)
    }

    /// Assigns policies to a VM. Give the union of what it has and what it shall have: it is unknown
    /// whether the platform adds or sets. Nothing is sent for an empty set, which would hang.
    ///
    /// # Errors
    /// As every write.
    pub async fn assign_policies(
        &self,
        vm: &VmId,
        policies: &BTreeSet<PolicyId>,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        if policies.is_empty() {
            return Ok(());
        }
        let request = Request::post("/backup/v1/open_iaas/policies/assign", &[], Class::Update)
            .body(json!({"virtualMachineId": vm, "policyIds": policies}))
            .needs("backup_iaas_opensource_write");
        self.carry_out(&request, cancel).await.map(drop)
    }

    async fn policy_list(
        &self,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Vec<Policy>, Error> {
        match self.list(request, cancel).await {
            Ok(listing) => Ok(listing.items),
            // The platform says 404 where there is none.
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn policies() -> Request {
    Request::get(PATH, &[])
        .class(Class::SlowRead)
        .needs("backup_iaas_opensource_read")
}
