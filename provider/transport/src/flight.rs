//! One request for many who ask at the same time.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

type Cells<K, T> = Mutex<HashMap<K, Arc<OnceCell<T>>>>;

/// Runs the work of a key once for all who ask while it is under way, and forgets the result then.
/// For work whose result may be a little old: a login. A read that must not be older than a write
/// belongs to [`crate::Rounds`].
pub struct SingleFlight<K, T>(Cells<K, T>);

impl<K: Eq + Hash + Clone, T: Clone> SingleFlight<K, T> {
    /// Nothing under way.
    pub fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The result of `work`, or of the same key's work that is already under way. An error is the
    /// caller's own; whoever waited behind it tries with its own work.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn run<E>(&self, key: K, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let cell = cell(&self.0, &key);
        let result = cell.get_or_try_init(|| work).await.cloned();
        if result.is_ok() {
            remove(&self.0, &key, &cell);
        }
        result
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs the work of a key once and keeps the result for as long as the memo lives. For what does
/// not change during a run: zones, templates by name.
pub struct Memo<K, T>(Cells<K, T>);

impl<K: Eq + Hash + Clone, T: Clone> Memo<K, T> {
    /// Nothing known.
    pub fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The kept result, or that of `work`. Errors are not kept.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn get<E>(&self, key: K, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        cell(&self.0, &key).get_or_try_init(|| work).await.cloned()
    }

    /// Forgets a key, so that the next one who asks looks again.
    pub fn forget(&self, key: &K) {
        lock(&self.0).remove(key);
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Default for Memo<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

fn cell<K: Eq + Hash + Clone, T>(cells: &Cells<K, T>, key: &K) -> Arc<OnceCell<T>> {
    lock(cells).entry(key.clone()).or_default().clone()
}

fn remove<K: Eq + Hash, T>(cells: &Cells<K, T>, key: &K, done: &Arc<OnceCell<T>>) {
    let mut cells = lock(cells);
    if cells.get(key).is_some_and(|cell| Arc::ptr_eq(cell, done)) {
        cells.remove(key);
    }
}

fn lock<K, T>(cells: &Cells<K, T>) -> std::sync::MutexGuard<'_, HashMap<K, Arc<OnceCell<T>>>> {
    cells.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn callers_at_one_time_share_one_run() {
        let flight = Arc::new(SingleFlight::<&str, usize>::new());
        let runs = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let (flight, runs) = (Arc::clone(&flight), Arc::clone(&runs));
            tokio::spawn(async move {
                flight
                    .run("login", async {
                        tokio::task::yield_now().await;
                        Ok::<_, ()>(runs.fetch_add(1, Ordering::SeqCst))
                    })
                    .await
            })
        };
        let (one, two) = (ask(), ask());
        assert_eq!(one.await.expect("no panic"), Ok(0));
        assert_eq!(two.await.expect("no panic"), Ok(0));
        assert_eq!(
            ask().await.expect("no panic"),
            Ok(1),
            "the result is not kept"
        );
    }

    #[tokio::test]
    async fn a_memo_keeps_success_and_forgets_failure() {
        let memo = Memo::<u8, u8>::new();
        assert_eq!(memo.get(1, async { Err("down") }).await, Err("down"));
        assert_eq!(memo.get(1, async { Ok::<_, &str>(7) }).await, Ok(7));
        assert_eq!(memo.get(1, async { Err("down") }).await, Ok(7));
        memo.forget(&1);
        assert_eq!(memo.get(1, async { Err("down") }).await, Err("down"));
    }
}
