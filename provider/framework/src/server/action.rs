//! PlanAction, InvokeAction.

use proto_plugin::tfplugin6::{self as wire, invoke_action};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument as _;

use super::call::{Call, capabilities, deferral};
use super::codec::decode;
use super::panics::{collect, outcome};
use super::registry::{Entry, find};
use super::{BoxStream, Server};
use crate::{
    Action, Diagnostics, Dynamic, InvokeRequest, PlanActionRequest, PlanActionResponse, Progress,
    Provider,
};

/// How many progress lines may wait to be shown.
const BUFFER: usize = 16;

/// An action, and its configuration.
type Prepared<'a, D> = (&'a Entry<dyn Action<D>>, Dynamic);

impl<P: Provider> Server<P> {
    /// An action by its name, with its configuration.
    fn action(
        &self,
        name: &str,
        config: Option<&wire::DynamicValue>,
    ) -> Result<Prepared<'_, P::Data>, Diagnostics> {
        let entry = find(&self.shared.registry().actions, name, "action")?;
        let config = decode(config, &entry.compiled().ty, "configuration")?;
        Ok((entry, config))
    }

    pub(super) async fn plan_action(
        &self,
        call: Call,
        request: wire::plan_action::Request,
    ) -> wire::plan_action::Response {
        let mut response = PlanActionResponse::default();
        let capabilities = capabilities(request.client_capabilities);
        let plan = async {
            call.proceed()?;
            let (entry, config) = self.action(&request.action_type, request.config.as_ref())?;
            let request = PlanActionRequest {
                config,
                capabilities,
                data: self.session.data()?,
                cancel: call.cancel,
            };
            collect(entry.handler.modify_plan(request, &mut response)).await
        };
        let failed = plan.await;
        let mut diagnostics = response.diagnostics;
        diagnostics.extend(failed.err().into_iter().flatten());
        let deferred = deferral(response.deferred, capabilities, &mut diagnostics)
            .or_else(|| self.session.put_off_failure(&mut diagnostics, capabilities));
        wire::plan_action::Response {
            diagnostics: diagnostics.to_wire(),
            deferred,
        }
    }

    pub(super) fn invoke(
        &self,
        request: invoke_action::Request,
    ) -> BoxStream<invoke_action::Event> {
        use invoke_action::event::{Completed, Type};
        let (events, receiver) = mpsc::channel(BUFFER);
        let server = self.clone();
        let call = self.call();
        let guard = call.cancel.clone().drop_guard();
        let span = self.span("invoke_action", &request.action_type);
        let task = async move {
            let diagnostics = server.invoke_to(call, request, &events).await;
            let completed = Type::Completed(Completed {
                diagnostics: diagnostics.to_wire(),
            });
            let _ = events.send(completed).await;
        };
        self.shared.calls.spawn(task.instrument(span));
        Box::pin(ReceiverStream::new(receiver).map(move |event| {
            let _ = &guard;
            Ok(invoke_action::Event {
                r#type: Some(event),
            })
        }))
    }

    async fn invoke_to(
        &self,
        call: Call,
        request: invoke_action::Request,
        events: &mpsc::Sender<invoke_action::event::Type>,
    ) -> Diagnostics {
        use invoke_action::event::{Progress as Line, Type};
        let mut diagnostics = Diagnostics::new();
        let prepared = (|| {
            call.proceed()?;
            let (entry, config) = self.action(&request.action_type, request.config.as_ref())?;
            let request = InvokeRequest {
                config,
                data: self.session.data()?,
                cancel: call.cancel,
            };
            Ok::<_, Diagnostics>((entry, request))
        })();
        let (entry, request) = match prepared {
            Ok(prepared) => prepared,
            Err(errors) => return errors,
        };
        let (sender, mut lines) = mpsc::channel(BUFFER);
        let mut errors = Diagnostics::new();
        let handler = outcome(
            entry
                .handler
                .invoke(request, Progress { sender }, &mut diagnostics),
            &mut errors,
        );
        let forward = async {
            while let Some(message) = lines.recv().await {
                if events.send(Type::Progress(Line { message })).await.is_err() {
                    break;
                }
            }
        };
        tokio::join!(handler, forward);
        diagnostics.extend(errors);
        diagnostics
    }
}
