//! Panics in handlers: caught, logged with an id, told to the user; other calls go on.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Diagnostics;

/// Whether a panic on this thread will be caught.
#[derive(Default)]
enum Guard {
    /// It will not.
    #[default]
    Off,
    /// It will; none happened yet.
    On,
    /// It happened, and this is its text; further ones while it unwound are behind it.
    Noted(String),
}

/// What the standard library panics with when there is nothing left to unwind to: the process is aborted as soon as the
/// hook returns, whatever would have caught the panic.
const FATAL: [&str; 2] = [
    "panic in a destructor during cleanup",
    "panic in a function that cannot unwind",
];

thread_local! {
    /// While a guarded handler runs on this thread: the text of its panic, if any.
    static GUARDED: RefCell<Guard> = const { RefCell::new(Guard::Off) };
}

/// A short id that ties a message on screen to one in the log.
pub(crate) fn new_id() -> String {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => format!("{:08x}", u32::from_be_bytes(bytes)),
        // An id is a convenience; without randomness all share one.
        Err(_) => "00000000".to_owned(),
    }
}

/// Installs the hook: what is caught is only noted; what ends the process is written so that
/// terraform shows it, as a line that begins with `panic: ` and the lines behind it.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let fatal = info
            .payload_as_str()
            .is_some_and(|text| FATAL.contains(&text));
        let (text, guarded) = note(describe(info));
        if guarded && !fatal {
            return;
        }
        let trace = std::backtrace::Backtrace::force_capture();
        if fatal || std::thread::current().name() == Some("main") {
            eprintln!("panic: {text}\n{trace}");
        } else {
            tracing::error!(%text, %trace, "a background task panicked");
        }
    }));
}

/// Notes a panic where a guard waits for it: all that was noted there, and whether one does.
fn note(text: String) -> (String, bool) {
    let noted = GUARDED.try_with(|guard| {
        let mut guard = guard.borrow_mut();
        let all = match &*guard {
            Guard::Off => return None,
            Guard::On => text.clone(),
            Guard::Noted(earlier) => format!("{earlier}; then {text}"),
        };
        *guard = Guard::Noted(all.clone());
        Some(all)
    });
    // A thread that ends has no guard any more.
    match noted.ok().flatten() {
        Some(all) => (all, true),
        None => (text, false),
    }
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    match info.location() {
        Some(location) => format!("{message} ({}:{})", location.file(), location.line()),
        None => message.to_owned(),
    }
}

/// Runs something that may panic.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Diagnostics> {
    let outer = GUARDED.replace(Guard::On);
    let result = catch_unwind(AssertUnwindSafe(run));
    let noted = match GUARDED.replace(outer) {
        Guard::Noted(text) => Some(text),
        Guard::On | Guard::Off => None,
    };
    result.map_err(|payload| {
        let text = noted.unwrap_or_else(|| {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            text.or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned())
        });
        let id = new_id();
        tracing::error!(id, text, "a handler panicked");
        Diagnostics::one_error(
            "mistake in the provider",
            format!(
                "The provider's code failed unexpectedly (id {id}): {text}. Other objects are not affected. \
                 Please report it with the log of TF_LOG=debug around this id."
            ),
        )
    })
}

/// Calls a function that may panic.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, Diagnostics> {
    guarded(run)
}

/// Awaits a handler that may panic.
pub(crate) async fn catch_async<F: Future>(handler: F) -> Result<F::Output, Diagnostics> {
    Guarded {
        handler: Box::pin(handler),
    }
    .await
}

struct Guarded<F> {
    handler: Pin<Box<F>>,
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Diagnostics>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match guarded(|| self.handler.as_mut().poll(context)) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(diagnostics) => Poll::Ready(Err(diagnostics)),
        }
    }
}

/// Awaits a handler: its own errors and a panic alike end as messages.
pub(crate) async fn outcome(
    handler: impl Future<Output = crate::Outcome>,
    diagnostics: &mut Diagnostics,
) {
    if let Err(more) = collect(handler).await {
        diagnostics.extend(more);
    }
}

/// Awaits a handler: its own errors and a panic alike are the error.
pub(crate) async fn collect<T>(
    handler: impl Future<Output = Result<T, Diagnostics>>,
) -> Result<T, Diagnostics> {
    catch_async(handler).await.and_then(|result| result)
}
