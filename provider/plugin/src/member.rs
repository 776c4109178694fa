//! What resources that live inside a cluster have in common: the cluster they name, and what the end of an apply means
//! for their state (design law 6).

use framework::{CreateResponse, Diagnostics, Dynamic, Outcome, ReadResponse, UpdateResponse};
use lifecycle::Error;
use lifecycle::run::ClusterHandle;

use crate::handle::{Handle, KnownFacts};
use crate::problems::{self, warning};

/// The cluster of a resource, and what the resource should be.
pub struct Member<D> {
    /// The handle as it is in plan or state.
    pub handle: Handle,
    /// The executors' form of it.
    pub cluster: ClusterHandle,
    /// What the resource should be.
    pub desired: D,
}

impl<D> Member<D> {
    /// From a plan or a state whose configuration is wholly known. `desired` gets what the cluster decides.
    ///
    /// # Errors
    ///
    /// A value that is still unknown or not valid, and a handle that this provider did not write.
    pub fn read(
        handle: &Dynamic,
        desired: impl FnOnce(&KnownFacts) -> Option<D>,
    ) -> Result<Self, Diagnostics> {
        let mut diagnostics = Diagnostics::new();
        let desired = KnownFacts::read(handle, &mut diagnostics).and_then(|facts| desired(&facts));
        let (Some(desired), false) = (desired, diagnostics.has_errors()) else {
            diagnostics.extend(incomplete());
            return Err(diagnostics);
        };
        let handle = Handle::read(handle)?;
        Ok(Self {
            cluster: handle.cluster()?,
            handle,
            desired,
        })
    }
}

/// The plan depended on something that is not known even now.
pub fn incomplete() -> Diagnostics {
    Diagnostics::one_error(
        "configuration is not complete",
        "A value that the plan depended on is still unknown or not valid. Plan again.",
    )
}

/// Ends a create. One that failed leaves no state, exactly as after a kill: the next apply finds what is there and goes on.
///
/// # Errors
///
/// Why it failed.
pub fn end_create(
    failure: Option<&Error>,
    identity: Dynamic,
    state: impl FnOnce() -> Dynamic,
    response: &mut CreateResponse,
) -> Outcome {
    match failure {
        None => {}
        // Core fails an interrupted run by itself; an error would taint what runs.
        Some(failure) if failure.is_cancelled() => {
            response.diagnostics.extend([warning(&failure.problem())]);
        }
        Some(failure) => return Err(problems::error(failure)),
    }
    response.state = Some(state());
    response.identity = Some(identity);
    Ok(())
}

/// Ends an update. What is not reached yet keeps its old value, so that the next plan shows it again: `stopped` is the
/// prior state with what was seen at the end.
///
/// # Errors
///
/// Why it failed.
pub fn end_update(
    failure: Option<&Error>,
    identity: Dynamic,
    done: impl FnOnce() -> Dynamic,
    stopped: impl FnOnce() -> Dynamic,
    response: &mut UpdateResponse,
) -> Outcome {
    response.identity = Some(identity);
    match failure {
        None => {
            response.state = Some(done());
            Ok(())
        }
        Some(failure) => {
            response.state = Some(stopped());
            Err(problems::error(failure))
        }
    }
}

/// Ends a read of something that is there.
pub fn end_read(identity: Dynamic, state: Dynamic, response: &mut ReadResponse) {
    response.state = Some(state);
    response.identity = Some(identity);
}
