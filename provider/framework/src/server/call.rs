//! What surrounds every call: a span, a task of its own, a cancellation token, caught panics.

use std::future::Future;
use std::time::Instant;

use proto_plugin::tfplugin6 as wire;
use tokio_util::sync::CancellationToken;
use tonic::{Response, Status};
use tracing::{Instrument as _, Span};

use super::Server;
use crate::{ClientCapabilities, Deferred, Diagnostics, Dynamic, Path, Provider, Schema};

/// One call in flight.
pub(crate) struct Call {
    /// Cancelled by StopProvider, when the caller is gone, and when the call ends.
    pub cancel: CancellationToken,
    /// Whether the user had interrupted before the call began.
    pub stopped: bool,
}

impl Call {
    /// Calls that start after an interrupt end at once.
    pub fn proceed(&self) -> Result<(), Diagnostics> {
        if self.stopped {
            Err(Diagnostics::one_error(
                "interrupted",
                "The run was interrupted before this step began; nothing was done.",
            ))
        } else {
            Ok(())
        }
    }
}

/// Names the object of a call in the log, if it has an `id` that is no secret.
pub(super) fn name_object(schema: &Schema, state: &Dynamic) {
    let public = schema.attributes.get("id").is_some_and(|id| !id.sensitive);
    if public && let Some(id) = state.member("id").and_then(Dynamic::as_str) {
        Span::current().record("tf_resource_id", id);
    }
}

impl<P: Provider> Server<P> {
    /// The span of a call.
    pub(super) fn span(&self, method: &'static str, subject: &str) -> Span {
        tracing::info_span!(
            "rpc",
            tf_rpc = method,
            tf_req_id = %super::panics::new_id(),
            tf_resource_type = subject,
            tf_resource_id = tracing::field::Empty,
            tf_provider_addr = %self.shared.address,
        )
    }

    /// A new call with its token.
    pub(super) fn call(&self) -> Call {
        Call {
            cancel: self.session.cancel.child_token(),
            stopped: self.session.cancel.is_cancelled(),
        }
    }

    /// Runs a call in a task of its own: it goes on, cancelled, when the caller disappears, so that
    /// it can end in order.
    pub(super) async fn run<T, F, W>(
        &self,
        method: &'static str,
        subject: &str,
        work: W,
    ) -> Result<Response<T>, Status>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
        W: FnOnce(Call) -> F,
    {
        let call = self.call();
        let guard = call.cancel.clone().drop_guard();
        let span = self.span(method, subject);
        let work = work(call);
        let task = async move {
            let start = Instant::now();
            tracing::trace!("call received");
            let response = work.await;
            tracing::debug!(
                elapsed_ms = start.elapsed().as_millis() as u64,
                "call answered"
            );
            response
        };
        let answer = self.shared.calls.spawn(task.instrument(span)).await;
        drop(guard);
        // Handlers are guarded one by one; only a mistake of the framework itself comes here.
        answer
            .map(Response::new)
            .map_err(|error| Status::internal(format!("{method} failed: {error}")))
    }
}

/// What a request is about, for the log.
pub(crate) trait Subject {
    /// A type or function name; empty if the call is about the whole provider.
    fn subject(&self) -> &str;
}

macro_rules! subjects {
    ($($messages:ident: $field:ident;)*) => {$(
        impl Subject for wire::$messages::Request {
            fn subject(&self) -> &str {
                &self.$field
            }
        }
    )*};
    ($($messages:ident),*) => {$(
        impl Subject for wire::$messages::Request {
            fn subject(&self) -> &'static str {
                ""
            }
        }
    )*};
}

subjects! {
    validate_resource_config: type_name;
    validate_data_resource_config: type_name;
    upgrade_resource_state: type_name;
    upgrade_resource_identity: type_name;
    read_resource: type_name;
    plan_resource_change: type_name;
    apply_resource_change: type_name;
    import_resource_state: type_name;
    move_resource_state: target_type_name;
    read_data_source: type_name;
    generate_resource_config: type_name;
    validate_ephemeral_resource_config: type_name;
    open_ephemeral_resource: type_name;
    renew_ephemeral_resource: type_name;
    close_ephemeral_resource: type_name;
    validate_list_resource_config: type_name;
    call_function: name;
    validate_state_store: type_name;
    configure_state_store: type_name;
    lock_state: type_name;
    unlock_state: type_name;
    get_states: type_name;
    delete_state: type_name;
    plan_action: action_type;
    validate_action_config: type_name;
}

subjects!(
    get_metadata,
    get_provider_schema,
    validate_provider_config,
    get_resource_identity_schemas,
    configure_provider,
    get_functions,
    stop_provider
);

/// The caller's capabilities; an old caller sends none and has none.
pub(crate) fn capabilities(wire: Option<wire::ClientCapabilities>) -> ClientCapabilities {
    wire.map_or_else(ClientCapabilities::default, |c| ClientCapabilities {
        deferral_allowed: c.deferral_allowed,
        write_only_attributes_allowed: c.write_only_attributes_allowed,
        store_planned_private: c.store_planned_private,
        computed_blocks_allowed: c.computed_blocks_allowed,
    })
}

/// A deferral for the wire; one that the caller does not allow becomes an error.
pub(crate) fn deferral(
    deferred: Option<Deferred>,
    capabilities: ClientCapabilities,
    diagnostics: &mut Diagnostics,
) -> Option<wire::Deferred> {
    use wire::deferred::Reason;
    let deferred = deferred?;
    let (reason, missing) = match deferred {
        Deferred::ResourceConfigUnknown => (
            Reason::ResourceConfigUnknown,
            "Something in the configuration of this object is known only after another object was applied.",
        ),
        Deferred::ProviderConfigUnknown => (
            Reason::ProviderConfigUnknown,
            "Something in the provider block is known only after another object was applied.",
        ),
        Deferred::AbsentPrerequisite => (
            Reason::AbsentPrereq,
            "Something that this object needs does not exist yet.",
        ),
    };
    if capabilities.deferral_allowed {
        return Some(wire::Deferred {
            reason: reason.into(),
        });
    }
    if !diagnostics.has_errors() {
        diagnostics.error_at(
            Path::root(),
            "cannot be planned yet",
            format!("{missing} Apply that first, for example with -target."),
        );
    }
    None
}
