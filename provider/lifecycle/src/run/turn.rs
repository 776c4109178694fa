//! Disturbing nodes in turn: one step at a time in this process, and among processes the one that holds
//! the Lease `kube-system/managedk8s`.

use std::time::Duration;

use product::{Identifier, Path, Problem};
use transport::CancellationToken;

use super::{Engine, EventState};
use crate::Error;
use crate::plan::Step;
use crate::ports::{TurnWanted, Turns};

/// How long another run is waited for: longer than any drain with a usual limit.
const PATIENCE: Duration = Duration::from_mins(30);

/// Whose nodes a step disturbs, and who tells.
pub(crate) struct Disturbance<'a> {
    /// The cluster.
    pub cluster: &'a Identifier,
    /// Its API; `None` when it is dead or does not answer: nobody could hold a Lease there.
    pub kubernetes: Option<&'a dyn Turns>,
    /// The resource, for progress.
    pub subject: &'a str,
    /// The step.
    pub step: &'a Step,
}

impl Engine {
    /// Runs a step that disturbs nodes when it is its turn. The token that `work` gets fires when the run is
    /// interrupted, and when the turn is lost to another run.
    pub(crate) async fn in_turn<T, F>(
        &self,
        what: Disturbance<'_>,
        cancel: &CancellationToken,
        work: impl FnOnce(CancellationToken) -> F + Send,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
        T: Send,
    {
        let Disturbance {
            cluster,
            kubernetes,
            subject,
            step,
        } = what;
        let lock = self.disruption_lock(cluster.as_str());
        let _ours = tokio::select! {
            ours = lock.lock() => ours,
            () = cancel.cancelled() => return Err(Error::Cancelled),
        };
        let Some(kubernetes) = kubernetes else {
            return work(cancel.clone()).await;
        };
        let waiting = |holder: String| {
            tracing::info!(
                subject,
                holder,
                "another run disturbs nodes of this cluster: waiting for it"
            );
            let seen = format!("waits for another run on this cluster, {holder}");
            self.tell(subject, step, EventState::Waiting(seen));
        };
        let wanted = TurnWanted {
            runner: &self.runner,
            limit: PATIENCE,
        };
        hold(kubernetes, wanted, &waiting, step, cancel, work).await
    }
}

/// Takes a turn, works, gives it back.
async fn hold<T, F>(
    turns: &dyn Turns,
    wanted: TurnWanted<'_>,
    waiting: &(dyn Fn(String) + Send + Sync),
    step: &Step,
    cancel: &CancellationToken,
    work: impl FnOnce(CancellationToken) -> F + Send,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>> + Send,
    T: Send,
{
    let turn = turns
        .take_turn(wanted, waiting, cancel)
        .await
        .map_err(Error::cluster("take the turn to disturb nodes"))?;
    let token = cancel.child_token();
    let result = {
        let work = work(token.clone());
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => done,
            () = turn.lost().cancelled() => {
                token.cancel();
                work.await
            }
        }
    };
    let lost = turn.lost().is_cancelled();
    turn.end().await;
    match result {
        Err(Error::Cancelled) if lost && !cancel.is_cancelled() => Err(lost_turn(step)),
        result => result,
    }
}

/// The Lease went to somebody else in the middle of a step.
fn lost_turn(step: &Step) -> Error {
    Error::refused(
        Problem::error(Path::root(), "the turn to disturb nodes was lost")
            .seen(format!(
                "{step}: another run took the Lease kube-system/managedk8s, or it could not be renewed"
            ))
            .allowed("one run at a time that disturbs nodes of a cluster")
            .next("Let the other run end, then apply again: it goes on where this run stopped."),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use product::NodeKey;

    use super::*;
    use crate::error::Fault;
    use crate::plan::StepKind;
    use crate::ports::Turn;

    /// One turn, counted.
    #[derive(Clone, Default)]
    struct Bench {
        lost: CancellationToken,
        taken: Arc<AtomicUsize>,
        ended: Arc<AtomicUsize>,
        held_by_another: bool,
    }

    #[async_trait]
    impl Turns for Bench {
        async fn take_turn(
            &self,
            _: TurnWanted<'_>,
            waiting: &(dyn Fn(String) + Send + Sync),
            cancel: &CancellationToken,
        ) -> Result<Box<dyn Turn>, Fault> {
            if self.held_by_another {
                waiting("runner-2".to_owned());
                cancel.cancelled().await;
                return Err(Fault::Cancelled);
            }
            self.taken.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(self.clone()))
        }
    }

    #[async_trait]
    impl Turn for Bench {
        fn lost(&self) -> &CancellationToken {
            &self.lost
        }

        async fn end(self: Box<Self>) {
            self.ended.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Bench {
        async fn run<F: Future<Output = Result<(), Error>> + Send>(
            &self,
            cancel: &CancellationToken,
            work: impl FnOnce(CancellationToken) -> F + Send,
        ) -> Result<(), Error> {
            let wanted = TurnWanted {
                runner: "runner-1",
                limit: PATIENCE,
            };
            let step = Step::disruptive(StepKind::RemoveWorker, NodeKey::worker(5), "surplus");
            hold(self, wanted, &|_| {}, &step, cancel, work).await
        }

        fn counts(&self) -> (usize, usize) {
            let read = |count: &AtomicUsize| count.load(Ordering::SeqCst);
            (read(&self.taken), read(&self.ended))
        }
    }

    #[tokio::test]
    async fn a_turn_is_given_back_whatever_became_of_the_work() {
        let bench = Bench::default();
        let cancel = CancellationToken::new();
        assert!(bench.run(&cancel, |_| async { Ok(()) }).await.is_ok());
        assert_eq!(bench.counts(), (1, 1));
        let failed = bench.run(&cancel, |_| async { Err(lost_turn_of_nobody()) });
        assert!(failed.await.is_err());
        assert_eq!(bench.counts(), (2, 2));
        let interrupted = bench.run(&cancel, |token| async move {
            token.cancelled().await;
            Err(Error::Cancelled)
        });
        let (result, ()) = tokio::join!(interrupted, async { cancel.cancel() });
        assert!(matches!(result, Err(Error::Cancelled)));
        assert_eq!(bench.counts(), (3, 3));
    }

    #[tokio::test]
    async fn work_ends_when_the_turn_is_lost() {
        let bench = Bench::default();
        let cancel = CancellationToken::new();
        let work = bench.run(&cancel, |token| async move {
            token.cancelled().await;
            Err(Error::Cancelled)
        });
        let (result, ()) = tokio::join!(work, async { bench.lost.cancel() });
        let problem = result.expect_err("lost").problem();
        assert_eq!(problem.summary, "the turn to disturb nodes was lost");
        assert!(problem.seen.contains("wrk-05"), "{problem}");
        assert!(!cancel.is_cancelled());
    }

    #[tokio::test]
    async fn waiting_for_another_run_can_be_interrupted() {
        let bench = Bench {
            held_by_another: true,
            ..Bench::default()
        };
        let cancel = CancellationToken::new();
        let work = bench.run(&cancel, |_| async { Ok(()) });
        let (result, ()) = tokio::join!(work, async { cancel.cancel() });
        assert!(matches!(result, Err(Error::Cancelled)));
        assert_eq!(bench.counts(), (0, 0));
    }

    fn lost_turn_of_nobody() -> Error {
        Error::refused(Problem::error(Path::root(), "something else"))
    }
}
