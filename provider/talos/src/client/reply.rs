//! Replies of the classic services: a list with one element per node, each with metadata first.

use proto_talos::common::Metadata;
use proto_talos::{machine, storage};

use super::error::excerpt;
use super::{Node, TalosError};

pub(super) trait Element {
    fn metadata(&self) -> Option<&Metadata>;
}

macro_rules! elements {
    ($($type:ty),* $(,)?) => {
        $(impl Element for $type {
            fn metadata(&self) -> Option<&Metadata> {
                self.metadata.as_ref()
            }
        })*
    };
}

elements!(
    machine::ApplyConfiguration,
    machine::Bootstrap,
    machine::EtcdAlarm,
    machine::EtcdForfeitLeadership,
    machine::EtcdLeaveCluster,
    machine::EtcdMembers,
    machine::EtcdRemoveMemberById,
    machine::EtcdStatus,
    machine::Reboot,
    machine::Reset,
    machine::ServiceList,
    machine::Shutdown,
    machine::Upgrade,
    machine::Version,
    storage::Disks,
);

impl Node {
    /// The one element of a reply from the node that was dialled.
    pub(super) fn one<T: Element>(
        &self,
        rpc: &'static str,
        messages: Vec<T>,
    ) -> Result<T, TalosError> {
        let count = messages.len();
        let mut messages = messages.into_iter();
        let (Some(element), None) = (messages.next(), messages.next()) else {
            return Err(self.unexpected(rpc, format!("{count} answers instead of one")));
        };
        match element.metadata() {
            Some(metadata) if !metadata.error.is_empty() => {
                Err(self.unexpected(rpc, excerpt(&metadata.error)))
            }
            _ => Ok(element),
        }
    }
}
