//! What handlers of a managed resource are asked, and what they answer.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{ClientCapabilities, Deferred, Diagnostics, Dynamic, Path, Private, ToValue};

/// A check of a configuration; at this time nothing remote can be asked.
#[derive(Debug)]
pub struct ValidateConfigRequest {
    /// The configuration; anything may be unknown.
    pub config: Dynamic,
    /// What the caller can take.
    pub capabilities: ClientCapabilities,
}

/// A plan of one change.
#[derive(Debug)]
pub struct ModifyPlanRequest<D> {
    /// The configuration, write-only values included; null when the object is to be destroyed.
    pub config: Dynamic,
    /// The state; null when the object is to be created.
    pub prior_state: Dynamic,
    /// Core's merge of configuration and prior state, without write-only values; null when the
    /// object is to be destroyed.
    pub proposed_state: Dynamic,
    /// Private data beside the state. On the create leg of a replacement: what the first plan gave.
    pub prior_private: Private,
    /// In the plan just before an apply, where core hands it on (Terraform 1.16): what the plan that the user approved
    /// gave. Empty everywhere else, so it may save work and decide nothing.
    pub planned_private: Private,
    /// The identity beside the state.
    pub prior_identity: Option<Dynamic>,
    /// The module's `provider_meta`.
    pub provider_meta: Option<Dynamic>,
    /// What the caller can take.
    pub capabilities: ClientCapabilities,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// What a plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Makes the object. It may be the second leg of a replacement.
    Create,
    /// Changes it, or replaces it if a path asks for that.
    Update,
    /// Destroys it.
    Destroy,
}

impl<D> ModifyPlanRequest<D> {
    /// What is planned.
    pub fn change(&self) -> Change {
        if self.proposed_state.is_null() {
            Change::Destroy
        } else if self.prior_state.is_null() {
            Change::Create
        } else {
            Change::Update
        }
    }
}

/// The plan so far, to be changed. A known value must follow from configuration, prior state and
/// prior private data alone: terraform plans again before it applies and compares.
#[derive(Debug)]
pub struct ModifyPlanResponse {
    /// The planned state: defaults are in, computed values are unknown if anything changes, the
    /// attributes' plan modifiers have run. Null when the object is to be destroyed; leave it so.
    pub planned_state: Dynamic,
    /// Attributes whose change replaces the object.
    pub requires_replace: Vec<Path>,
    /// Goes to create, update and delete; begins as a copy of the prior private data.
    pub planned_private: Private,
    /// The identity, as far as it is known; begins as the prior one.
    pub planned_identity: Option<Dynamic>,
    /// Puts the change off; only if `capabilities.deferral_allowed`.
    pub deferred: Option<Deferred>,
    /// Messages; errors stop the plan.
    pub diagnostics: Diagnostics,
}

impl ModifyPlanResponse {
    /// Replaces the whole planned state.
    pub fn set_plan<T: ToValue>(&mut self, plan: &T) {
        self.planned_state = plan.to_value();
    }

    /// Sets one planned value.
    pub fn set_at(&mut self, path: &Path, value: &impl ToValue) {
        self.planned_state.set_at(path, value.to_value());
    }
}

/// An object to be made.
#[derive(Debug)]
pub struct CreateRequest<D> {
    /// The configuration, wholly known, write-only values included.
    pub config: Dynamic,
    /// The plan; unknown where the provider was to choose.
    pub plan: Dynamic,
    /// Private data of the plan.
    pub planned_private: Private,
    /// The identity as planned.
    pub planned_identity: Option<Dynamic>,
    /// The module's `provider_meta`.
    pub provider_meta: Option<Dynamic>,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// An object as a handler leaves it, with what belongs to it.
#[derive(Debug, Default)]
pub struct ObjectResponse {
    /// The state. What is still unknown in it after a create or update becomes null if there is an error or warning.
    pub state: Option<Dynamic>,
    /// Private data to keep beside it; of a create or update it begins as the planned one.
    pub private: Private,
    /// The identity; of a create or update it begins as the planned one.
    pub identity: Option<Dynamic>,
    /// Messages.
    pub diagnostics: Diagnostics,
}

/// What was made. State together with an error means: made, but broken; core then marks it to be
/// replaced. State with warnings means: made, and the next plan may repair it. An error without
/// state means: nothing is to be remembered.
pub type CreateResponse = ObjectResponse;

/// An object to be changed.
#[derive(Debug)]
pub struct UpdateRequest<D> {
    /// The configuration, wholly known, write-only values included.
    pub config: Dynamic,
    /// The plan; unknown where the provider was to choose.
    pub plan: Dynamic,
    /// The state before.
    pub prior_state: Dynamic,
    /// Private data of the plan.
    pub planned_private: Private,
    /// The identity as planned.
    pub planned_identity: Option<Dynamic>,
    /// The module's `provider_meta`.
    pub provider_meta: Option<Dynamic>,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// What became of a change. With an error: the object as it truly is, so that the next plan shows
/// the rest; or no state, and the one before is kept.
pub type UpdateResponse = ObjectResponse;

/// An object to be deleted.
#[derive(Debug)]
pub struct DeleteRequest<D> {
    /// The state.
    pub prior_state: Dynamic,
    /// Private data of the plan; of a replacement: that of its create plan.
    pub planned_private: Private,
    /// The identity.
    pub planned_identity: Option<Dynamic>,
    /// The module's `provider_meta`.
    pub provider_meta: Option<Dynamic>,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// What became of a deletion. Without an error the object is gone.
#[derive(Debug, Default)]
pub struct DeleteResponse {
    /// With an error: the object as it now is, if that differs from the prior state.
    pub state: Option<Dynamic>,
    /// Private data beside it; begins as the planned one.
    pub private: Private,
    /// Messages.
    pub diagnostics: Diagnostics,
}

/// A refresh.
#[derive(Debug)]
pub struct ReadRequest<D> {
    /// The state; null after an import by identity alone.
    pub state: Dynamic,
    /// Private data beside it.
    pub private: Private,
    /// The identity beside it.
    pub identity: Option<Dynamic>,
    /// The module's `provider_meta`.
    pub provider_meta: Option<Dynamic>,
    /// What the caller can take.
    pub capabilities: ClientCapabilities,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// An object as it was found.
#[derive(Debug, Default)]
pub struct FoundResponse {
    /// The state; of a refresh it begins as the one before.
    pub state: Option<Dynamic>,
    /// Private data; of a refresh it begins as the one before.
    pub private: Private,
    /// The identity; it begins as the one that is known.
    pub identity: Option<Dynamic>,
    /// Puts the refresh or import off; only if `capabilities.deferral_allowed`.
    pub deferred: Option<Deferred>,
    /// Messages. An error keeps the state and stops the plan of this object.
    pub diagnostics: Diagnostics,
}

/// What a refresh found. `None` as the state means: it is gone, for certain.
pub type ReadResponse = FoundResponse;

/// An import.
#[derive(Debug)]
pub struct ImportRequest<D> {
    /// What the user typed; empty when the identity was given instead.
    pub id: String,
    /// The identity the user gave.
    pub identity: Option<Dynamic>,
    /// What the caller can take.
    pub capabilities: ClientCapabilities,
    /// What the provider was configured with.
    pub data: Arc<D>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// An object found by import. Read follows at once, so a state with the identifying attributes
/// alone is enough; attributes that are missing in it become null.
pub type ImportResponse = FoundResponse;

/// State of an older schema version.
#[derive(Debug)]
pub struct UpgradeStateRequest {
    /// The version it was stored with.
    pub version: i64,
    /// The state as it was stored: JSON, with objects as maps and sets as lists.
    pub raw_state: Dynamic,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// State of the current schema version. Attributes that are missing in it become null.
#[derive(Debug, Default)]
pub struct UpgradeStateResponse {
    /// The state.
    pub state: Option<Dynamic>,
    /// Messages.
    pub diagnostics: Diagnostics,
}

/// An identity of an older version.
#[derive(Debug)]
pub struct UpgradeIdentityRequest {
    /// The version it was stored with.
    pub version: i64,
    /// The identity as it was stored.
    pub raw_identity: Dynamic,
}

/// State of another resource type, named in a `moved` block.
#[derive(Debug)]
pub struct MoveStateRequest {
    /// The other provider: `registry.terraform.io/hashicorp/null`.
    pub source_provider_address: String,
    /// The other type.
    pub source_type_name: String,
    /// Its schema version.
    pub source_schema_version: i64,
    /// Its state as it was stored.
    pub source_state: Dynamic,
    /// Its private data, of whatever form.
    pub source_private: Vec<u8>,
    /// Its identity as it was stored.
    pub source_identity: Option<Dynamic>,
    /// Cancelled when the user interrupts or the caller is gone.
    pub cancel: CancellationToken,
}

/// The same object as one of ours.
pub type MoveStateResponse = ObjectResponse;

macro_rules! set_state {
    ($($response:ty),*) => {$(
        impl $response {
            /// Sets the state from a struct or value.
            pub fn set_state<T: ToValue>(&mut self, state: &T) {
                self.state = Some(state.to_value());
            }
        }
    )*};
}

set_state!(
    ObjectResponse,
    DeleteResponse,
    FoundResponse,
    UpgradeStateResponse
);
