//! ApplyResourceChange: create, update, delete.

use std::sync::Arc;

use proto_plugin::tfplugin6 as wire;
use tokio_util::sync::CancellationToken;

use super::Server;
use super::apply_result::Applied;
use super::call::{Call, name_object};
use super::codec::{decode, decode_identity};
use super::registry::{Compiled, Entry, find};
use crate::{
    CreateRequest, DeleteRequest, DeleteResponse, Diagnostics, Dynamic, ObjectResponse, Private,
    Provider, Resource, UpdateRequest,
};

impl<P: Provider> Server<P> {
    // Without a state in the answer, core keeps what was there before.
    answer!(apply_resource_change, apply, apply_resource_change);

    async fn apply(
        &self,
        call: Call,
        request: wire::apply_resource_change::Request,
    ) -> Result<wire::apply_resource_change::Response, Diagnostics> {
        call.proceed()?;
        let entry = find(
            &self.shared.registry().resources,
            &request.type_name,
            "resource",
        )?;
        let compiled = entry.compiled();
        let prior = decode(request.prior_state.as_ref(), &compiled.ty, "prior state")?;
        let planned = decode(
            request.planned_state.as_ref(),
            &compiled.ty,
            "planned state",
        )?;
        name_object(&compiled.schema, &prior);
        let asked = self.asked(call, &request, compiled)?;
        let change = Applied {
            compiled,
            type_name: entry.handler.type_name(),
            prior: prior.clone(),
            planned: planned.clone(),
            planned_identity: asked.identity.clone(),
            wants_identity: compiled.identity.is_some() && request.planned_identity.is_some(),
        };
        if planned.is_null() {
            change.finish_delete(asked.delete(entry, prior).await)
        } else if prior.is_null() {
            change.finish(asked.create(entry, planned).await)
        } else {
            change.finish(asked.update(entry, prior, planned).await)
        }
    }

    fn asked(
        &self,
        call: Call,
        request: &wire::apply_resource_change::Request,
        compiled: &Compiled,
    ) -> Result<Asked<P::Data>, Diagnostics> {
        Ok(Asked {
            config: decode(request.config.as_ref(), &compiled.ty, "configuration")?,
            private: Private::from_bytes(&request.planned_private),
            identity: decode_identity(request.planned_identity.as_ref(), compiled)?,
            meta: self.meta(request.provider_meta.as_ref())?,
            data: self.session.data()?,
            cancel: call.cancel,
        })
    }
}

/// What create, update and delete are told alike.
struct Asked<D> {
    /// Null when the object is to be deleted.
    config: Dynamic,
    private: Private,
    identity: Option<Dynamic>,
    meta: Option<Dynamic>,
    data: Arc<D>,
    cancel: CancellationToken,
}

impl<D: Send + Sync + 'static> Asked<D> {
    /// What the handler's answer begins as.
    fn response(&self) -> ObjectResponse {
        ObjectResponse {
            private: self.private.clone(),
            identity: self.identity.clone(),
            ..ObjectResponse::default()
        }
    }

    async fn create(self, entry: &Entry<dyn Resource<D>>, plan: Dynamic) -> ObjectResponse {
        let mut response = self.response();
        let request = CreateRequest {
            config: self.config,
            plan,
            planned_private: self.private,
            planned_identity: self.identity,
            provider_meta: self.meta,
            data: self.data,
            cancel: self.cancel,
        };
        ask!(entry.handler.create(request, &mut response) => response);
        response
    }

    async fn update(
        self,
        entry: &Entry<dyn Resource<D>>,
        prior_state: Dynamic,
        plan: Dynamic,
    ) -> ObjectResponse {
        let mut response = self.response();
        let request = UpdateRequest {
            config: self.config,
            plan,
            prior_state,
            planned_private: self.private,
            planned_identity: self.identity,
            provider_meta: self.meta,
            data: self.data,
            cancel: self.cancel,
        };
        ask!(entry.handler.update(request, &mut response) => response);
        response
    }

    async fn delete(self, entry: &Entry<dyn Resource<D>>, prior_state: Dynamic) -> ObjectResponse {
        let identity = self.identity.clone();
        let mut response = DeleteResponse {
            private: self.private.clone(),
            ..DeleteResponse::default()
        };
        let request = DeleteRequest {
            prior_state,
            planned_private: self.private,
            planned_identity: self.identity,
            provider_meta: self.meta,
            data: self.data,
            cancel: self.cancel,
        };
        ask!(entry.handler.delete(request, &mut response) => response);
        ObjectResponse {
            state: response.state,
            private: response.private,
            identity,
            diagnostics: response.diagnostics,
        }
    }
}
