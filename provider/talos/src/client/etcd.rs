//! etcd through a control-plane node.

use std::fmt;
use std::io;
use std::time::Duration;

use proto_talos::machine::machine_service_client::MachineServiceClient;
use proto_talos::machine::{
    self as wire, EtcdForfeitLeadershipRequest, EtcdLeaveClusterRequest, EtcdMemberListRequest,
    EtcdRemoveMemberByIdRequest, EtcdSnapshotRequest,
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::connect::{READ, sized, timed};
use super::{Node, TalosError};

/// Time without a chunk after which a snapshot is given up.
const SNAPSHOT_IDLE: Duration = Duration::from_mins(1);
/// Deadline of a change of membership.
const CHANGE: Duration = Duration::from_mins(1);
/// A snapshot is a database in pages of 512 bytes, then the SHA-256 of it.
const PAGE: u64 = 512;
const TRAILER: usize = 32;

/// The id of a member, printed as Talos does: lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub u64);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// A member of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdMember {
    /// Its id.
    pub id: MemberId,
    /// The node's name; empty while the member has not started.
    pub hostname: String,
    /// URLs for the other members.
    pub peer_urls: Vec<String>,
    /// Whether it still catches up and has no vote.
    pub is_learner: bool,
}

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdStatus {
    /// The member that answered.
    pub member: MemberId,
    /// The leader it follows, if it knows one.
    pub leader: Option<MemberId>,
    /// Whether it has no vote.
    pub is_learner: bool,
    /// How far its log reaches.
    pub raft_index: u64,
    /// How much of the log it has applied.
    pub raft_applied_index: u64,
    /// Size of its database, in bytes.
    pub db_size: u64,
    /// What is wrong, in its words.
    pub errors: Vec<String>,
}

/// An alarm of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdAlarm {
    /// The member.
    pub member: MemberId,
    /// What is wrong.
    pub kind: AlarmKind,
}

/// What an alarm says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmKind {
    /// The quota is used up: etcd takes no more writes.
    NoSpace,
    /// Data is damaged.
    Corrupt,
    /// An alarm of a later etcd.
    Unknown(String),
}

/// A snapshot that was written completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Bytes, the trailer included.
    pub bytes: u64,
    /// SHA-256 of the database, as the trailer says.
    pub sha256: String,
}

/// Why there is no usable snapshot.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The node did not deliver.
    #[error(transparent)]
    Node(#[from] TalosError),
    /// What was received could not be written.
    #[error("the snapshot cannot be written")]
    Write(#[from] io::Error),
    /// The size is that of no snapshot.
    #[error("the snapshot was cut short: {bytes} bytes are not whole pages and a checksum")]
    Short {
        /// Bytes received.
        bytes: u64,
    },
    /// The checksum at the end is another.
    #[error("the snapshot is damaged: its checksum does not fit its {bytes} bytes")]
    Damaged {
        /// Bytes received.
        bytes: u64,
    },
}

impl Node {
    /// The members as this node's etcd knows them.
    ///
    /// # Errors
    /// [`TalosError`], for example while etcd does not run.
    pub async fn etcd_members(&self) -> Result<Vec<EtcdMember>, TalosError> {
        const RPC: &str = "EtcdMemberList";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let request = timed(EtcdMemberListRequest { query_local: false }, READ);
        let reply = self
            .call(RPC, READ, client.etcd_member_list(request))
            .await?;
        let members = self.one(RPC, reply.messages)?.members;
        Ok(members
            .into_iter()
            .map(|member| EtcdMember {
                id: MemberId(member.id),
                hostname: member.hostname,
                peer_urls: member.peer_urls,
                is_learner: member.is_learner,
            })
            .collect())
    }

    /// What this node's member says of itself.
    ///
    /// # Errors
    /// [`TalosError`], for example while etcd does not run.
    pub async fn etcd_status(&self) -> Result<EtcdStatus, TalosError> {
        const RPC: &str = "EtcdStatus";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let reply = self
            .call(RPC, READ, client.etcd_status(timed((), READ)))
            .await?;
        let status = self
            .one(RPC, reply.messages)?
            .member_status
            .ok_or_else(|| self.unexpected(RPC, "no status in the answer"))?;
        Ok(EtcdStatus {
            member: MemberId(status.member_id),
            leader: (status.leader != 0).then_some(MemberId(status.leader)),
            is_learner: status.is_learner,
            raft_index: status.raft_index,
            raft_applied_index: status.raft_applied_index,
            db_size: status.db_size.max(0) as u64,
            errors: status.errors,
        })
    }

    /// Alarms of all members.
    ///
    /// # Errors
    /// [`TalosError`], for example while etcd does not run.
    pub async fn etcd_alarms(&self) -> Result<Vec<EtcdAlarm>, TalosError> {
        const RPC: &str = "EtcdAlarmList";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let reply = self
            .call(RPC, READ, client.etcd_alarm_list(timed((), READ)))
            .await?;
        let mut alarms = Vec::new();
        for alarm in self.one(RPC, reply.messages)?.member_alarms {
            let kind = match wire::etcd_member_alarm::AlarmType::try_from(alarm.alarm) {
                Ok(wire::etcd_member_alarm::AlarmType::None) => continue,
                Ok(wire::etcd_member_alarm::AlarmType::Nospace) => AlarmKind::NoSpace,
                Ok(wire::etcd_member_alarm::AlarmType::Corrupt) => AlarmKind::Corrupt,
                Err(_) => AlarmKind::Unknown(alarm.alarm.to_string()),
            };
            alarms.push(EtcdAlarm {
                member: MemberId(alarm.member_id),
                kind,
            });
        }
        Ok(alarms)
    }

    /// Removes a member, through another one. For nodes that are gone for good: the member must
    /// not come back with its old disk.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn etcd_remove_member(&self, member: MemberId) -> Result<(), TalosError> {
        const RPC: &str = "EtcdRemoveMemberByID";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let request = timed(
            EtcdRemoveMemberByIdRequest {
                member_id: member.0,
            },
            CHANGE,
        );
        let work = client.etcd_remove_member_by_id(request);
        let reply = self.call(RPC, CHANGE, work).await?;
        self.one(RPC, reply.messages).map(drop)
    }

    /// Lets this node's member leave. Its etcd would join again at the next start: the node must
    /// be reset or destroyed next.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn etcd_leave(&self) -> Result<(), TalosError> {
        const RPC: &str = "EtcdLeaveCluster";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let request = timed(EtcdLeaveClusterRequest {}, CHANGE);
        let work = client.etcd_leave_cluster(request);
        let reply = self.call(RPC, CHANGE, work).await?;
        self.one(RPC, reply.messages).map(drop)
    }

    /// Hands leadership to another member, if this node's member has it. The answer names the new
    /// leader when there was a change.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn etcd_forfeit_leadership(&self) -> Result<Option<String>, TalosError> {
        const RPC: &str = "EtcdForfeitLeadership";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let request = timed(EtcdForfeitLeadershipRequest {}, CHANGE);
        let work = client.etcd_forfeit_leadership(request);
        let reply = self.call(RPC, CHANGE, work).await?;
        let leader = self.one(RPC, reply.messages)?.member;
        Ok((!leader.is_empty()).then_some(leader))
    }

    /// Writes a snapshot of etcd to `target` and checks it: whole pages, and the checksum at the
    /// end. What was written before an error is of no use.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub async fn etcd_snapshot(
        &self,
        target: &mut (impl AsyncWrite + Unpin),
    ) -> Result<Snapshot, SnapshotError> {
        const RPC: &str = "EtcdSnapshot";
        let mut client = sized!(MachineServiceClient::new(self.channel.clone()));
        let work = client.etcd_snapshot(EtcdSnapshotRequest {});
        let mut stream = self.call(RPC, SNAPSHOT_IDLE, work).await?;
        let mut check = Check::default();
        while let Some(chunk) = self.bounded(RPC, SNAPSHOT_IDLE, stream.message()).await? {
            check.take(&chunk.bytes);
            target.write_all(&chunk.bytes).await?;
        }
        target.flush().await?;
        check.finish()
    }
}

/// Hashes everything but the last 32 bytes seen.
#[derive(Default)]
struct Check {
    hash: Sha256,
    held: Vec<u8>,
    bytes: u64,
}

impl Check {
    fn take(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.held.extend_from_slice(chunk);
        let settled = self.held.len().saturating_sub(TRAILER);
        self.hash.update(&self.held[..settled]);
        self.held.drain(..settled);
    }

    fn finish(self) -> Result<Snapshot, SnapshotError> {
        let bytes = self.bytes;
        if bytes <= TRAILER as u64 || bytes % PAGE != TRAILER as u64 {
            return Err(SnapshotError::Short { bytes });
        }
        if self.hash.finalize()[..] != self.held[..] {
            return Err(SnapshotError::Damaged { bytes });
        }
        Ok(Snapshot {
            bytes,
            sha256: hex::encode(&self.held),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bytes: &[u8], chunk: usize) -> Result<Snapshot, SnapshotError> {
        let mut check = Check::default();
        bytes.chunks(chunk).for_each(|chunk| check.take(chunk));
        check.finish()
    }

    proptest! {
        #[test]
        fn snapshots_are_checked_however_they_are_cut(pages in 1_usize..4, chunk in 1_usize..700, broken in 0_usize..1024) {
            let mut bytes: Vec<u8> = (0..pages * 512).map(|at| at as u8).collect();
            let sum = Sha256::digest(&bytes);
            bytes.extend_from_slice(&sum);
            prop_assert_eq!(check(&bytes, chunk).expect("sound").sha256, hex::encode(sum));
            let at = broken % bytes.len();
            bytes[at] ^= 1;
            let is_damaged = matches!(check(&bytes, chunk), Err(SnapshotError::Damaged { .. }));
            prop_assert!(is_damaged);
            bytes.pop();
            let is_short = matches!(check(&bytes, chunk), Err(SnapshotError::Short { .. }));
            prop_assert!(is_short);
        }
    }

    #[test]
    fn a_checksum_alone_is_no_snapshot() {
        let empty = Sha256::digest([]);
        assert!(matches!(
            check(&empty, 8),
            Err(SnapshotError::Short { bytes: 32 })
        ));
    }
}
