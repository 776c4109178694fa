//! Which role may call what.

use tonic::Status;

use super::server::Context;

const ADMIN: &[&str] = &["os:admin"];
const OPERATOR: &[&str] = &["os:admin", "os:operator"];
const READER: &[&str] = &["os:admin", "os:operator", "os:reader"];

fn allowed(path: &str, maintenance: bool) -> &'static [&'static str] {
    let (service, rpc) = path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or_default();
    match (service, rpc) {
        ("machine.MachineService", "ApplyConfiguration")
        | ("storage.StorageService", "BlockDeviceWipe") => {
            if maintenance {
                READER
            } else {
                ADMIN
            }
        }
        (
            "machine.MachineService",
            "Bootstrap"
            | "Copy"
            | "EtcdForfeitLeadership"
            | "EtcdLeaveCluster"
            | "EtcdRecover"
            | "EtcdRemoveMemberByID"
            | "GenerateClientConfiguration"
            | "Kubeconfig"
            | "Read"
            | "Reset"
            | "Rollback"
            | "Upgrade",
        )
        | ("machine.LifecycleService", _)
        | ("machine.ImageService", "Import" | "Remove")
        | ("cosi.resource.State", "Create" | "Update" | "Destroy" | "Teardown") => ADMIN,
        (
            "machine.MachineService",
            "Reboot" | "Restart" | "Shutdown" | "ServiceRestart" | "ServiceStart" | "ServiceStop"
            | "EtcdAlarmDisarm" | "EtcdDefragment" | "ImagePull" | "PacketCapture",
        )
        | ("machine.ImageService", "Pull") => OPERATOR,
        ("machine.MachineService", "EtcdSnapshot") => {
            &["os:admin", "os:operator", "os:etcd:backup"]
        }
        ("machine.MachineService", "EtcdMemberList" | "EtcdStatus" | "EtcdAlarmList") => {
            &["os:admin", "os:operator", "os:reader", "os:etcd:backup"]
        }
        ("machine.MachineService", "MetaWrite" | "MetaDelete") => &["os:admin", "os:meta:writer"],
        ("machine.ImageService", "Verify") => {
            &["os:admin", "os:operator", "os:reader", "os:image:verifier"]
        }
        _ => READER,
    }
}

/// Refuses a caller without a role that may make the call.
pub fn check(context: &Context, path: &str) -> Result<(), Status> {
    let roles = allowed(path, context.maintenance);
    if context
        .roles
        .iter()
        .any(|role| roles.contains(&role.as_str()))
    {
        return Ok(());
    }
    Err(Status::permission_denied("not authorized"))
}
