//! State stores: none are offered, and every call says so.

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::call::Call;
use crate::{Diagnostics, Provider};

/// The answer to every call about a state store.
pub(super) fn none(type_name: &str) -> Vec<wire::Diagnostic> {
    Diagnostics::one_error(
        "no state stores",
        format!("This provider stores no states: {type_name:?} is not one of its types."),
    )
    .to_wire()
}

macro_rules! refuse {
    ($($method:ident: $messages:ident;)*) => {
        impl<P: Provider> Server<P> {
            $(
                pub(super) async fn $method(
                    &self,
                    _: Call,
                    request: wire::$messages::Request,
                ) -> wire::$messages::Response {
                    wire::$messages::Response {
                        diagnostics: none(&request.type_name),
                        ..Default::default()
                    }
                }
            )*
        }
    };
}

refuse! {
    configure_state_store: configure_state_store;
    get_states: get_states;
    lock_state: lock_state;
}

impl<P: Provider> Server<P> {
    pub(super) async fn validate_state_store_config(
        &self,
        _: Call,
        request: wire::validate_state_store::Request,
    ) -> wire::validate_state_store::Response {
        wire::validate_state_store::Response {
            diagnostics: none(&request.type_name),
        }
    }

    pub(super) async fn unlock_state(
        &self,
        _: Call,
        request: wire::unlock_state::Request,
    ) -> wire::unlock_state::Response {
        wire::unlock_state::Response {
            diagnostics: none(&request.type_name),
        }
    }

    pub(super) async fn delete_state(
        &self,
        _: Call,
        request: wire::delete_state::Request,
    ) -> wire::delete_state::Response {
        wire::delete_state::Response {
            diagnostics: none(&request.type_name),
        }
    }
}
