//! The Provider service: one file for each group of calls.

/// Declares the outer half of a call: errors become the only content of the answer.
macro_rules! answer {
    ($method:ident, $inner:ident, $messages:ident) => {
        pub(super) async fn $method(
            &self,
            call: Call,
            request: wire::$messages::Request,
        ) -> wire::$messages::Response {
            match self.$inner(call, request).await {
                Ok(response) => response,
                Err(diagnostics) => wire::$messages::Response {
                    diagnostics: diagnostics.to_wire(),
                    ..Default::default()
                },
            }
        }
    };
}

/// Awaits a handler: what it returns as an error, and a panic, join the messages of its response.
macro_rules! ask {
    ($handler:expr => $response:ident) => {
        if let Err(errors) = super::panics::collect($handler).await {
            $response.diagnostics.extend(errors);
        }
    };
}

mod action;
mod apply;
mod apply_result;
mod call;
mod codec;
#[expect(clippy::unused_async, reason = "all calls have one shape")]
mod config;
mod data;
mod ephemeral;
#[expect(clippy::unused_async, reason = "all calls have one shape")]
mod functions;
mod identity;
mod import;
mod list;
mod panics;
mod plan;
mod read;
mod registry;
#[expect(clippy::unused_async, reason = "all calls have one shape")]
mod schema;
#[expect(clippy::unused_async, reason = "all calls have one shape")]
mod state;
#[expect(clippy::unused_async, reason = "all calls have one shape")]
mod state_store;

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::{BufMut as _, Bytes, BytesMut};
use proto_plugin::tfplugin6::{self as wire, provider_server};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::semantics::Blame;
use crate::{ClientCapabilities, Diagnostics, Dynamic, Provider, Resource};

pub(crate) use panics::{install_hook, new_id};
pub(crate) use registry::{Compiled, Registry};

/// What all sessions of a process share.
pub(crate) struct Shared<P: Provider> {
    pub provider: P,
    pub address: String,
    registry: OnceLock<Registry<P::Data>>,
    schema_frame: OnceLock<Bytes>,
    /// Calls in flight, on any connection.
    pub calls: TaskTracker,
}

impl<P: Provider> Shared<P> {
    pub fn new(provider: P, address: String) -> Self {
        Self {
            provider,
            address,
            registry: OnceLock::new(),
            schema_frame: OnceLock::new(),
            calls: TaskTracker::new(),
        }
    }

    pub fn registry(&self) -> &Registry<P::Data> {
        self.registry.get_or_init(|| Registry::new(&self.provider))
    }

    /// The answer of GetProviderSchema as gRPC frames it, encoded once: a call takes a reference to it.
    pub fn schema_frame(&self) -> Bytes {
        self.schema_frame
            .get_or_init(|| {
                let response = panics::catch(|| schema::response(&self.provider, self.registry()));
                let response =
                    response.unwrap_or_else(|errors| wire::get_provider_schema::Response {
                        diagnostics: errors.to_wire(),
                        ..Default::default()
                    });
                let length = prost::Message::encoded_len(&response);
                let mut frame = BytesMut::with_capacity(5 + length);
                // Not compressed, and so long.
                frame.put_u8(0);
                frame.put_u32(length as u32);
                prost::Message::encode(&response, &mut frame)
                    .expect("the frame has room for what was measured");
                frame.freeze()
            })
            .clone()
    }
}

/// One provider configuration: that of a process, or in reattach mode that of a connection.
pub(crate) struct Session<D> {
    data: RwLock<Option<Arc<D>>>,
    /// Whether something in the provider block is unknown.
    unready: std::sync::atomic::AtomicBool,
    pub cancel: CancellationToken,
}

impl<D> Session<D> {
    pub fn new(cancel: CancellationToken) -> Self {
        Self {
            data: RwLock::new(None),
            unready: std::sync::atomic::AtomicBool::new(false),
            cancel,
        }
    }

    fn configure(&self, data: D, unready: bool) {
        self.unready.store(unready, Ordering::Release);
        *self.data.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(data));
    }

    /// Whether a call that needs an answer of something remote is put off.
    fn puts_off(&self, capabilities: ClientCapabilities) -> Option<wire::Deferred> {
        let unready = self.unready.load(Ordering::Acquire) && capabilities.deferral_allowed;
        unready.then(|| wire::Deferred {
            reason: wire::deferred::Reason::ProviderConfigUnknown.into(),
        })
    }

    /// Puts a call off that failed for want of a provider configuration, in place of its errors. What needs nothing
    /// remote is never put off: OpenTofu 1.11 announces that it takes a deferral and then refuses every one.
    fn put_off_failure(
        &self,
        diagnostics: &mut Diagnostics,
        capabilities: ClientCapabilities,
    ) -> Option<wire::Deferred> {
        let deferred = self
            .puts_off(capabilities)
            .filter(|_| diagnostics.has_errors())?;
        *diagnostics = Diagnostics::new();
        Some(deferred)
    }

    /// What the provider was configured with.
    fn data(&self) -> Result<Arc<D>, Diagnostics> {
        self.data
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or_else(|| {
                Diagnostics::one_error(
                    "provider not configured",
                    "The call needs a configured provider, but ConfigureProvider was not called or failed.",
                )
            })
    }
}

/// The service of one session.
pub(crate) struct Server<P: Provider> {
    pub shared: Arc<Shared<P>>,
    pub session: Arc<Session<P::Data>>,
}

impl<P: Provider> Server<P> {
    /// A resource, its schema, and whom to blame for what its handler answers.
    fn resource(
        &self,
        type_name: &str,
        handler: &'static str,
    ) -> Result<Found<'_, P::Data>, Diagnostics> {
        let entry = registry::find(&self.shared.registry().resources, type_name, "resource")?;
        let blame = Blame {
            handler,
            type_name: entry.handler.type_name(),
        };
        Ok((entry, entry.compiled(), blame))
    }

    /// The module's `provider_meta`.
    pub(super) fn meta(
        &self,
        value: Option<&wire::DynamicValue>,
    ) -> Result<Option<Dynamic>, Diagnostics> {
        let Some(meta) = self.shared.registry().meta(&self.shared.provider) else {
            return Ok(None);
        };
        let value = codec::decode(value, &meta.ty, "provider_meta")?;
        Ok((!value.is_null()).then_some(value))
    }
}

/// An entry of the registry with what every call needs of it.
type Found<'a, D> = (
    &'a registry::Entry<dyn Resource<D>>,
    &'a Compiled,
    Blame<'a>,
);

impl<P: Provider> Clone for Server<P> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            session: Arc::clone(&self.session),
        }
    }
}

type BoxStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Declares the calls that answer a single message: name, module of messages, method to run.
macro_rules! service {
    ($($method:ident: $messages:ident;)*) => {
        #[tonic::async_trait]
        impl<P: Provider> provider_server::Provider for Server<P> {
            $(
                async fn $method(
                    &self,
                    request: Request<wire::$messages::Request>,
                ) -> Result<Response<wire::$messages::Response>, Status> {
                    let server = self.clone();
                    let request = request.into_inner();
                    let subject = call::Subject::subject(&request).to_owned();
                    self.run(stringify!($method), &subject, move |call| async move {
                        server.$method(call, request).await
                    })
                    .await
                }
            )*

            type ListResourceStream = BoxStream<wire::list_resource::Event>;

            async fn list_resource(
                &self,
                request: Request<wire::list_resource::Request>,
            ) -> Result<Response<Self::ListResourceStream>, Status> {
                Ok(Response::new(self.list(request.into_inner())))
            }

            type InvokeActionStream = BoxStream<wire::invoke_action::Event>;

            async fn invoke_action(
                &self,
                request: Request<wire::invoke_action::Request>,
            ) -> Result<Response<Self::InvokeActionStream>, Status> {
                Ok(Response::new(self.invoke(request.into_inner())))
            }

            type ReadStateBytesStream = BoxStream<wire::read_state_bytes::Response>;

            async fn read_state_bytes(
                &self,
                request: Request<wire::read_state_bytes::Request>,
            ) -> Result<Response<Self::ReadStateBytesStream>, Status> {
                let response = wire::read_state_bytes::Response {
                    diagnostics: state_store::none(&request.get_ref().type_name),
                    ..Default::default()
                };
                Ok(Response::new(Box::pin(tokio_stream::once(Ok(response)))))
            }

            async fn write_state_bytes(
                &self,
                _: Request<Streaming<wire::write_state_bytes::RequestChunk>>,
            ) -> Result<Response<wire::write_state_bytes::Response>, Status> {
                Ok(Response::new(wire::write_state_bytes::Response {
                    diagnostics: state_store::none("state store"),
                }))
            }
        }
    };
}

service! {
    get_metadata: get_metadata;
    get_provider_schema: get_provider_schema;
    validate_provider_config: validate_provider_config;
    validate_resource_config: validate_resource_config;
    validate_data_resource_config: validate_data_resource_config;
    upgrade_resource_state: upgrade_resource_state;
    get_resource_identity_schemas: get_resource_identity_schemas;
    upgrade_resource_identity: upgrade_resource_identity;
    configure_provider: configure_provider;
    read_resource: read_resource;
    plan_resource_change: plan_resource_change;
    apply_resource_change: apply_resource_change;
    import_resource_state: import_resource_state;
    move_resource_state: move_resource_state;
    read_data_source: read_data_source;
    generate_resource_config: generate_resource_config;
    validate_ephemeral_resource_config: validate_ephemeral_resource_config;
    open_ephemeral_resource: open_ephemeral_resource;
    renew_ephemeral_resource: renew_ephemeral_resource;
    close_ephemeral_resource: close_ephemeral_resource;
    validate_list_resource_config: validate_list_resource_config;
    get_functions: get_functions;
    call_function: call_function;
    validate_state_store_config: validate_state_store;
    configure_state_store: configure_state_store;
    lock_state: lock_state;
    unlock_state: unlock_state;
    get_states: get_states;
    delete_state: delete_state;
    plan_action: plan_action;
    validate_action_config: validate_action_config;
    stop_provider: stop_provider;
}
