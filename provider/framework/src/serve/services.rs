//! go-plugin's own services, and health.

use std::pin::Pin;

use proto_plugin::health::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server,
};
use proto_plugin::plugin::{
    ConnInfo, Empty, StdioData, grpc_broker_server, grpc_controller_server, grpc_stdio_server,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::Token;
use super::connection::Lifetime;

type BoxStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A stream that says nothing until `end`.
fn silence<T: Send + 'static>(end: Token) -> BoxStream<T> {
    Box::pin(futures::StreamExt::filter_map(
        futures::stream::once(async move { end.cancelled().await }),
        |()| async { None },
    ))
}

/// All services beside the provider's.
#[derive(Clone)]
pub(super) struct Host {
    pub lifetime: Lifetime,
}

#[tonic::async_trait]
impl grpc_controller_server::GrpcController for Host {
    /// Ends the process: the answer is on its way, work in flight is not waited for.
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        tracing::debug!("shutdown");
        self.lifetime.shutdown.cancel();
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl grpc_stdio_server::GrpcStdio for Host {
    type StreamStdioStream = BoxStream<StdioData>;

    /// Open and silent: logs go to standard error, and standard output is never written to.
    async fn stream_stdio(
        &self,
        _: Request<()>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(silence(self.lifetime.shutdown.clone())))
    }
}

#[tonic::async_trait]
impl grpc_broker_server::GrpcBroker for Host {
    type StartStreamStream = BoxStream<ConnInfo>;

    /// Terraform opens the stream and brokers nothing.
    async fn start_stream(
        &self,
        _: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        Ok(Response::new(silence(self.lifetime.shutdown.clone())))
    }
}

fn health(service: &str) -> Result<HealthCheckResponse, Status> {
    match service {
        "" | "plugin" => Ok(HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        }),
        other => Err(Status::not_found(format!("no service {other:?}"))),
    }
}

#[tonic::async_trait]
impl health_server::Health for Host {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        health(&request.get_ref().service).map(Response::new)
    }

    type WatchStream = BoxStream<HealthCheckResponse>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let now = health(&request.get_ref().service)?;
        let rest = silence(self.lifetime.shutdown.clone());
        Ok(Response::new(Box::pin(
            tokio_stream::once(Ok(now)).chain(rest),
        )))
    }
}
