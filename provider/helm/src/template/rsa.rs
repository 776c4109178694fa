//! RSA keys, on all cores.
//!
//! How long the search for primes takes is luck, and charts ask for one key after the other. So several threads search
//! at once, the first key that is found is taken, and those found later are there for the next one who asks.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};

/// Threads that search at the same time.
const SEARCHERS: usize = 4;

/// The keys of one size.
#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    found: Condvar,
}

#[derive(Default)]
struct State {
    /// PKCS#8, or nothing where a search failed.
    ready: Vec<Option<Vec<u8>>>,
    searching: usize,
}

/// A new key of `bits`, as PKCS#8; `None` for a size that nobody makes.
pub(super) fn key(bits: usize) -> Option<Vec<u8>> {
    static POOLS: Mutex<Vec<(usize, Arc<Pool>)>> = Mutex::new(Vec::new());
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        _ => return None,
    };
    let pool = {
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        match pools.iter().find(|(own, _)| *own == bits) {
            Some((_, pool)) => pool.clone(),
            None => {
                let pool = Arc::new(Pool::default());
                pools.push((bits, pool.clone()));
                pool
            }
        }
    };
    take(&pool, move || search(size))
}

fn search(size: KeySize) -> Option<Vec<u8>> {
    let key = KeyPair::generate(size).ok()?;
    let der: Pkcs8V1Der<'_> = key.as_der().ok()?;
    Some(der.as_ref().to_vec())
}

fn take(
    pool: &Arc<Pool>,
    search: impl Fn() -> Option<Vec<u8>> + Copy + Send + 'static,
) -> Option<Vec<u8>> {
    let searchers = thread::available_parallelism().map_or(1, |cores| cores.get().min(SEARCHERS));
    let mut state = pool.state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(key) = state.ready.pop() {
            return key;
        }
        while state.searching < searchers {
            let own = pool.clone();
            let started = thread::Builder::new()
                .name("rsa".to_owned())
                .spawn(move || {
                    let key = search();
                    let mut state = own.state.lock().unwrap_or_else(PoisonError::into_inner);
                    state.searching -= 1;
                    state.ready.push(key);
                    own.found.notify_one();
                });
            if started.is_err() {
                break;
            }
            state.searching += 1;
        }
        // No thread to be had: then here.
        if state.searching == 0 {
            return search();
        }
        state = pool
            .found
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    #[test]
    fn every_key_is_given_out_once() {
        static COUNT: AtomicU8 = AtomicU8::new(0);
        let pool = Arc::new(Pool::default());
        let next = || Some(vec![COUNT.fetch_add(1, Ordering::Relaxed)]);
        let mut seen: Vec<u8> = (0..20)
            .map(|_| take(&pool, next).expect("a key")[0])
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 20);
    }

    #[test]
    fn a_search_that_fails_is_told() {
        assert_eq!(take(&Arc::new(Pool::default()), || None), None);
        assert_eq!(key(1), None);
    }
}
