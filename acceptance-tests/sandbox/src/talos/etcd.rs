//! The calls about etcd.

use bytes::Bytes;
use proto_talos::machine as api;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::config::Role;
use super::machine::EtcdPhase;
use super::model::{EtcdCluster, EtcdMember};
use super::rpc::{data, decode, stream, unary, with_vm};
use super::server::{Context, Reply};

/// Bootstrap of a new etcd cluster.
pub fn bootstrap(context: &Context, request: api::BootstrapRequest) -> Result<Reply, Status> {
    let machine = &context.machine;
    let config = machine
        .config()
        .ok_or_else(|| Status::unimplemented("bootstrap is not available"))?;
    if config.role == Role::Worker {
        return Err(Status::unimplemented(
            "bootstrap can only be performed on a control plane node",
        ));
    }
    if with_vm(context, |vm| vm.machine.etcd.is_some()) == Some(true) {
        return Err(Status::already_exists("etcd data directory is not empty"));
    }
    let (phase, synced, ready) = {
        let state = machine.state();
        let cri = state
            .services
            .get("cri")
            .is_some_and(|service| service.state == "Running");
        (state.etcd, state.time_synced, cri)
    };
    if !ready || phase != EtcdPhase::Preparing {
        return Err(Status::failed_precondition(
            "bootstrap is not available yet",
        ));
    }
    if !synced {
        return Err(Status::failed_precondition("time is not in sync yet"));
    }
    if request.recover_etcd {
        let recovery = with_vm(context, |vm| vm.machine.recovery.clone()).flatten();
        let Some(recovery) = recovery else {
            return Err(Status::failed_precondition("no snapshot has been uploaded"));
        };
        if !request.recover_skip_hash_check && !has_right_hash(&recovery) {
            return Err(Status::invalid_argument("snapshot hash mismatch"));
        }
    }
    context
        .world
        .nodes
        .bootstrap(&context.world, machine, &config);
    unary(api::BootstrapResponse {
        messages: vec![api::Bootstrap {
            metadata: context.metadata(),
        }],
    })
}

fn has_right_hash(snapshot: &[u8]) -> bool {
    snapshot.len() > 32 && {
        let (body, hash) = snapshot.split_at(snapshot.len() - 32);
        Sha256::digest(body).as_slice() == hash
    }
}

/// The cluster and the member that the machine runs.
fn member(context: &Context) -> Result<(EtcdCluster, EtcdMember), Status> {
    let config = context.machine.config();
    if config.is_none_or(|config| config.role == Role::Worker) {
        return Err(Status::unimplemented(
            "etcd is only available on control plane nodes",
        ));
    }
    let phase = context.machine.state().etcd;
    let found = super::nodes::cluster_of(&context.world, &context.machine.vm);
    let found = found
        .filter(|_| phase == EtcdPhase::Running)
        .and_then(|(cluster, id)| {
            let member = cluster
                .members
                .iter()
                .find(|member| member.id == id)
                .cloned();
            member.map(|member| (cluster, member))
        });
    found.ok_or_else(|| Status::unavailable("etcd is not running"))
}

fn need_quorum(context: &Context) -> Result<(), Status> {
    if context
        .world
        .nodes
        .quorum(&context.world, &context.machine.vm)
    {
        Ok(())
    } else {
        Err(Status::deadline_exceeded(
            "context deadline exceeded: etcdserver: request timed out, no leader",
        ))
    }
}

/// Everything that begins with `Etcd`.
pub fn service(context: &Context, rpc: &str, messages: &[Bytes]) -> Result<Reply, Status> {
    let metadata = context.metadata();
    let nodes = &context.world.nodes;
    match rpc {
        "EtcdMemberList" => {
            let (cluster, _) = member(context)?;
            let request: api::EtcdMemberListRequest = decode(messages)?;
            if !request.query_local {
                need_quorum(context)?;
            }
            let alive = nodes.alive();
            let members = cluster
                .members
                .iter()
                .map(|known| api::EtcdMember {
                    id: known.id,
                    // A learner that has not started yet has no name.
                    hostname: if known.learner && !alive.contains(&known.vm) {
                        String::new()
                    } else {
                        known.hostname.clone()
                    },
                    peer_urls: vec![format!("https://{}:2380", known.address)],
                    client_urls: vec![format!("https://{}:2379", known.address)],
                    is_learner: known.learner,
                })
                .collect();
            let list = api::EtcdMembers {
                metadata,
                legacy_members: Vec::new(),
                members,
            };
            unary(api::EtcdMemberListResponse {
                messages: vec![list],
            })
        }
        "EtcdStatus" => {
            let (cluster, own) = member(context)?;
            let quorum = nodes.quorum(&context.world, &context.machine.vm);
            let status = api::EtcdMemberStatus {
                storage_version: "3.6.0".into(),
                member_id: own.id,
                protocol_version: "3.6.12".into(),
                db_size: 4 << 20,
                db_size_in_use: 2 << 20,
                leader: cluster.leader.unwrap_or(0),
                raft_index: 1000,
                raft_term: cluster.term,
                raft_applied_index: 1000,
                errors: if quorum {
                    Vec::new()
                } else {
                    vec!["etcdserver: no leader".into()]
                },
                is_learner: own.learner,
            };
            unary(api::EtcdStatusResponse {
                messages: vec![api::EtcdStatus {
                    metadata,
                    member_status: Some(status),
                }],
            })
        }
        "EtcdAlarmList" => {
            member(context)?;
            unary(api::EtcdAlarmListResponse {
                messages: vec![api::EtcdAlarm {
                    metadata,
                    member_alarms: Vec::new(),
                }],
            })
        }
        "EtcdAlarmDisarm" => {
            member(context)?;
            unary(api::EtcdAlarmDisarmResponse {
                messages: vec![api::EtcdAlarmDisarm {
                    metadata,
                    member_alarms: Vec::new(),
                }],
            })
        }
        "EtcdDefragment" => {
            member(context)?;
            unary(api::EtcdDefragmentResponse {
                messages: vec![api::EtcdDefragment { metadata }],
            })
        }
        "EtcdForfeitLeadership" => {
            let (cluster, own) = member(context)?;
            need_quorum(context)?;
            let alive = nodes.alive();
            let heir = cluster
                .members
                .iter()
                .find(|m| m.id != own.id && !m.learner && alive.contains(&m.vm));
            let mut name = String::new();
            if let (true, Some(heir)) = (cluster.leader == Some(own.id), heir) {
                if let Some(found) = context.world.cloud().etcd.get_mut(&cluster.id) {
                    found.leader = Some(heir.id);
                    found.term += 1;
                }
                name.clone_from(&heir.hostname);
                context.world.changed();
            }
            unary(api::EtcdForfeitLeadershipResponse {
                messages: vec![api::EtcdForfeitLeadership {
                    metadata,
                    member: name,
                }],
            })
        }
        "EtcdRemoveMemberByID" => {
            let (cluster, _) = member(context)?;
            need_quorum(context)?;
            let request: api::EtcdRemoveMemberByIdRequest = decode(messages)?;
            if !nodes.remove_member(&context.world, &cluster.id, request.member_id) {
                return Err(Status::not_found("etcdserver: member not found"));
            }
            unary(api::EtcdRemoveMemberByIdResponse {
                messages: vec![api::EtcdRemoveMemberById { metadata }],
            })
        }
        "EtcdLeaveCluster" => {
            leave(context)?;
            unary(api::EtcdLeaveClusterResponse {
                messages: vec![api::EtcdLeaveCluster { metadata }],
            })
        }
        "EtcdSnapshot" => {
            let (cluster, _) = member(context)?;
            need_quorum(context)?;
            let mut bytes = vec![0_u8; 4096];
            bytes[..cluster.id.len()].copy_from_slice(cluster.id.as_bytes());
            let hash = Sha256::digest(&bytes);
            bytes.extend_from_slice(&hash);
            stream(
                bytes
                    .chunks(1024)
                    .map(|chunk| data(context, chunk.to_vec()))
                    .collect(),
            )
        }
        "EtcdRecover" => {
            if context.machine.state().etcd != EtcdPhase::Preparing {
                return Err(Status::failed_precondition(
                    "etcd service is not in the right state",
                ));
            }
            let mut snapshot = Vec::new();
            for message in messages {
                let chunk: proto_talos::common::Data = decode(std::slice::from_ref(message))?;
                snapshot.extend(chunk.bytes);
            }
            if let Some(vm) = context.world.cloud().vms.get_mut(&context.machine.vm) {
                vm.machine.recovery = Some(snapshot);
            }
            context.world.changed();
            unary(api::EtcdRecoverResponse {
                messages: vec![api::EtcdRecover { metadata }],
            })
        }
        _ => Err(Status::unimplemented(format!(
            "unknown method {rpc} for service machine.MachineService"
        ))),
    }
}

/// Leaves the etcd cluster; the last voter cannot.
pub fn leave(context: &Context) -> Result<(), Status> {
    let (cluster, own) = member(context)?;
    need_quorum(context)?;
    if cluster
        .members
        .iter()
        .filter(|known| !known.learner)
        .count()
        < 2
    {
        return Err(Status::failed_precondition(
            "cannot leave a single member etcd cluster",
        ));
    }
    if let Some(vm) = context.world.cloud().vms.get_mut(&context.machine.vm) {
        vm.machine.etcd = None;
    }
    context
        .world
        .nodes
        .remove_member(&context.world, &cluster.id, own.id);
    Ok(())
}
