//! ApplyResourceChange: create, update, delete.

use proto_plugin::tfplugin6 as wire;

use super::Server;
use super::apply_result::{Applied, Left};
use super::call::Call;
use super::codec::{decode, decode_identity};
use super::panics::outcome;
use super::registry::{Entry, find};
use crate::{
    CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, Diagnostics, Dynamic, Private,
    Provider, Resource, UpdateRequest, UpdateResponse,
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
        let change = Applied {
            compiled,
            type_name: entry.handler.type_name(),
            prior: prior.clone(),
            planned: planned.clone(),
            planned_identity: decode_identity(request.planned_identity.as_ref(), compiled)?,
            wants_identity: compiled.identity.is_some() && request.planned_identity.is_some(),
        };
        if planned.is_null() {
            let left = self.delete(call, &request, entry, prior).await?;
            return change.finish_delete(left);
        }
        let left = if prior.is_null() {
            self.create(call, &request, entry, planned).await?
        } else {
            self.update(call, &request, entry, prior, planned).await?
        };
        change.finish(left)
    }

    async fn create(
        &self,
        call: Call,
        request: &wire::apply_resource_change::Request,
        entry: &Entry<dyn Resource<P::Data>>,
        plan: Dynamic,
    ) -> Result<Left, Diagnostics> {
        let compiled = entry.compiled();
        let identity = decode_identity(request.planned_identity.as_ref(), compiled)?;
        let mut response = CreateResponse {
            private: Private::from_bytes(&request.planned_private),
            identity: identity.clone(),
            ..CreateResponse::default()
        };
        let request = CreateRequest {
            config: decode(request.config.as_ref(), &compiled.ty, "configuration")?,
            plan,
            planned_private: response.private.clone(),
            planned_identity: identity,
            provider_meta: self.meta(request.provider_meta.as_ref())?,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        let mut errors = Diagnostics::new();
        outcome(entry.handler.create(request, &mut response), &mut errors).await;
        response.diagnostics.extend(errors);
        Ok(Left {
            state: response.state,
            private: response.private,
            identity: response.identity,
            diagnostics: response.diagnostics,
        })
    }

    async fn update(
        &self,
        call: Call,
        request: &wire::apply_resource_change::Request,
        entry: &Entry<dyn Resource<P::Data>>,
        prior_state: Dynamic,
        plan: Dynamic,
    ) -> Result<Left, Diagnostics> {
        let compiled = entry.compiled();
        let identity = decode_identity(request.planned_identity.as_ref(), compiled)?;
        let mut response = UpdateResponse {
            private: Private::from_bytes(&request.planned_private),
            identity: identity.clone(),
            ..UpdateResponse::default()
        };
        let request = UpdateRequest {
            config: decode(request.config.as_ref(), &compiled.ty, "configuration")?,
            plan,
            prior_state,
            planned_private: response.private.clone(),
            planned_identity: identity,
            provider_meta: self.meta(request.provider_meta.as_ref())?,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        let mut errors = Diagnostics::new();
        outcome(entry.handler.update(request, &mut response), &mut errors).await;
        response.diagnostics.extend(errors);
        Ok(Left {
            state: response.state,
            private: response.private,
            identity: response.identity,
            diagnostics: response.diagnostics,
        })
    }

    async fn delete(
        &self,
        call: Call,
        request: &wire::apply_resource_change::Request,
        entry: &Entry<dyn Resource<P::Data>>,
        prior_state: Dynamic,
    ) -> Result<Left, Diagnostics> {
        let compiled = entry.compiled();
        let identity = decode_identity(request.planned_identity.as_ref(), compiled)?;
        let mut response = DeleteResponse {
            private: Private::from_bytes(&request.planned_private),
            ..DeleteResponse::default()
        };
        let request = DeleteRequest {
            prior_state,
            planned_private: response.private.clone(),
            planned_identity: identity.clone(),
            provider_meta: self.meta(request.provider_meta.as_ref())?,
            data: self.session.data()?,
            cancel: call.cancel,
        };
        let mut errors = Diagnostics::new();
        outcome(entry.handler.delete(request, &mut response), &mut errors).await;
        response.diagnostics.extend(errors);
        Ok(Left {
            state: response.state,
            private: response.private,
            identity,
            diagnostics: response.diagnostics,
        })
    }
}
