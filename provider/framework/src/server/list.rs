//! ListResource.

use proto_plugin::tfplugin6::list_resource as wire;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument as _;

use super::codec::{decode, encode, encode_identity};
use super::identity::finish_identity;
use super::panics::outcome;
use super::registry::{Compiled, find};
use super::{BoxStream, Server};
use crate::semantics::{Blame, Finish, storable};
use crate::{Diagnostics, ListRequest, ListResult, ListSink, Provider};

/// How many results may wait to be read.
const BUFFER: usize = 16;

impl<P: Provider> Server<P> {
    pub(super) fn list(&self, request: wire::Request) -> BoxStream<wire::Event> {
        let (events, receiver) = mpsc::channel(BUFFER);
        let server = self.clone();
        let call = self.call();
        // Ends the handler when the caller has read enough.
        let guard = call.cancel.clone().drop_guard();
        let span = self.span("list_resource", &request.type_name);
        let task = async move {
            let listed = server.list_to(call, request, &events).await;
            if let Err(errors) = listed {
                let _ = events.send(only(&errors)).await;
            }
        };
        self.shared.calls.spawn(task.instrument(span));
        Box::pin(ReceiverStream::new(receiver).map(move |event| {
            let _ = &guard;
            Ok(event)
        }))
    }

    async fn list_to(
        &self,
        call: super::call::Call,
        request: wire::Request,
        events: &mpsc::Sender<wire::Event>,
    ) -> Result<(), Diagnostics> {
        call.proceed()?;
        let registry = self.shared.registry();
        let entry = find(&registry.lists, &request.type_name, "list resource")?;
        let resource = find(&registry.resources, &request.type_name, "resource")?.compiled();
        let limit = u64::try_from(request.limit).ok().filter(|limit| *limit > 0);
        let list = ListRequest {
            config: decode(
                request.config.as_ref(),
                &entry.compiled().ty,
                "configuration",
            )?,
            include_resource: request.include_resource_object,
            limit,
            data: self.session.data()?,
            cancel: call.cancel.clone(),
        };
        let blame = Blame {
            handler: "list",
            type_name: entry.handler.type_name(),
        };
        let (sender, mut results) = mpsc::channel(BUFFER);
        let mut errors = Diagnostics::new();
        let handler = outcome(entry.handler.list(list, ListSink { sender }), &mut errors);
        let forward = async {
            let mut sent = 0;
            while limit.is_none_or(|limit| sent < limit) {
                let event = match results.recv().await {
                    None => break,
                    Some(Err(warnings)) => only(&warnings),
                    Some(Ok(result)) => {
                        sent += 1;
                        event(result, resource, request.include_resource_object, blame)
                            .unwrap_or_else(|errors| only(&errors))
                    }
                };
                if events.send(event).await.is_err() {
                    break;
                }
            }
            results.close();
            call.cancel.cancel();
        };
        tokio::join!(handler, forward);
        errors.into_result().map(|_| ())
    }
}

/// An event without an object.
fn only(diagnostics: &Diagnostics) -> wire::Event {
    wire::Event {
        diagnostic: diagnostics.to_wire(),
        ..Default::default()
    }
}

fn event(
    result: ListResult,
    resource: &Compiled,
    include_resource: bool,
    blame: Blame<'_>,
) -> Result<wire::Event, Diagnostics> {
    let ListResult {
        identity,
        display_name,
        resource: object,
        diagnostics,
    } = result;
    let identity = finish_identity(resource, Some(identity), blame)?;
    let object = match object.filter(|_| include_resource) {
        None => None,
        Some(object) => {
            let mut object = Finish::Known.value(object, &resource.ty, blame)?;
            storable(&resource.schema, &mut object);
            Some(encode(&object, &resource.ty)?)
        }
    };
    Ok(wire::Event {
        identity: encode_identity(identity.as_ref(), resource)?,
        display_name,
        resource_object: object,
        diagnostic: diagnostics.to_wire(),
    })
}
