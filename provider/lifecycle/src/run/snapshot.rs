//! A snapshot of etcd, from any control plane that has it. It needs the machine API alone: neither the cloud's API nor
//! Kubernetes has to answer.

use std::net::Ipv4Addr;

use tokio::io::AsyncWrite;
use transport::{CancellationToken, chain};

use super::going;
use crate::Error;
use crate::error::Fault;
use crate::ports::{EtcdService, Nodes, SnapshotTaken};

/// Writes a snapshot to `target`, from the first of `members` whose etcd runs. `chosen` hears which one that is.
///
/// # Errors
/// No member whose etcd runs, with what each said; a stream that broke: what was written then is of no use.
pub async fn etcd_snapshot(
    nodes: &dyn Nodes,
    members: &[Ipv4Addr],
    target: &mut (dyn AsyncWrite + Send + Unpin),
    chosen: impl FnOnce(Ipv4Addr) + Send,
    cancel: &CancellationToken,
) -> Result<SnapshotTaken, Error> {
    let mut reasons = Vec::new();
    for member in members {
        going(cancel)?;
        let reason = match nodes.etcd(*member, cancel).await {
            Ok(EtcdService::Running(_)) => {
                chosen(*member);
                let taken = nodes.etcd_snapshot(*member, target, cancel).await;
                return taken.map_err(Error::cluster("take a snapshot of etcd"));
            }
            Ok(EtcdService::Waiting) => "its etcd waits to be bootstrapped".to_owned(),
            Ok(EtcdService::Starting(state)) => format!("its etcd is {state}"),
            Err(Fault::Cancelled) => return Err(Error::Cancelled),
            Err(fault) => chain(&fault),
        };
        reasons.push(format!("{member}: {reason}"));
    }
    Err(Error::Cluster {
        doing: "take a snapshot of etcd".to_owned(),
        source: Fault::Unreachable(format!(
            "no control plane has etcd running: {}",
            reasons.join("; ")
        )),
    })
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::ports::{Bootstrapped, NodeLook};

    const FIRST: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 21);
    const SECOND: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 22);

    /// The first control plane is down, the second has etcd.
    struct OneDown;

    fn unused<T>() -> Result<T, Fault> {
        Err(Fault::Unreachable("not asked for here".to_owned()))
    }

    #[async_trait]
    impl Nodes for OneDown {
        async fn look(&self, _: Ipv4Addr, _: &CancellationToken) -> Result<NodeLook, Fault> {
            unused()
        }

        async fn occupant(
            &self,
            _: Ipv4Addr,
            _: &CancellationToken,
        ) -> Result<Option<crate::ports::Occupant>, Fault> {
            unused()
        }

        async fn etcd(&self, node: Ipv4Addr, _: &CancellationToken) -> Result<EtcdService, Fault> {
            match node {
                SECOND => Ok(EtcdService::Running(Vec::new())),
                _ => Err(Fault::Unreachable("connection refused".to_owned())),
            }
        }

        async fn bootstrap(
            &self,
            _: Ipv4Addr,
            _: &CancellationToken,
        ) -> Result<Bootstrapped, Fault> {
            unused()
        }

        async fn remove_member(
            &self,
            _: Ipv4Addr,
            _: u64,
            _: &CancellationToken,
        ) -> Result<(), Fault> {
            unused()
        }

        async fn shutdown(&self, _: Ipv4Addr, _: &CancellationToken) -> Result<(), Fault> {
            unused()
        }

        async fn etcd_snapshot(
            &self,
            _: Ipv4Addr,
            target: &mut (dyn AsyncWrite + Send + Unpin),
            _: &CancellationToken,
        ) -> Result<SnapshotTaken, Fault> {
            let written = target.write_all(b"etcd").await;
            written.map_err(Fault::failed("write"))?;
            Ok(SnapshotTaken { bytes: 4 })
        }
    }

    #[tokio::test]
    async fn a_member_that_is_down_is_passed_over() {
        let mut written = Vec::new();
        let mut from = None;
        let cancel = CancellationToken::new();
        let members = [FIRST, SECOND];
        let taken = etcd_snapshot(
            &OneDown,
            &members,
            &mut written,
            |node| from = Some(node),
            &cancel,
        )
        .await;
        assert_eq!(taken.map(|taken| taken.bytes).ok(), Some(4));
        assert_eq!(from, Some(SECOND));
        assert_eq!(written, b"etcd");
    }

    #[tokio::test]
    async fn without_a_running_etcd_every_member_is_named() {
        let cancel = CancellationToken::new();
        let refused = etcd_snapshot(&OneDown, &[FIRST], &mut Vec::new(), |_| {}, &cancel).await;
        let error = refused
            .err()
            .map(|error| error.problem().detail())
            .unwrap_or_default();
        assert!(error.contains("10.20.0.21: connection refused"), "{error}");
        cancel.cancel();
        let stopped = etcd_snapshot(&OneDown, &[SECOND], &mut Vec::new(), |_| {}, &cancel).await;
        assert!(stopped.is_err_and(|error| error.is_cancelled()));
    }
}
