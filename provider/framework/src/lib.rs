//! A framework for Terraform and OpenTofu providers.
//!
//! It speaks plugin protocol 6 at its newest minor to every core that knows protocol 6, and takes
//! over what all resources have in common: reading and writing values, validating, planning,
//! checking plans and results against core's rules before core does, upgrading, importing,
//! logging, the life of the process. What remains is yours: a schema, a struct, and four handlers.
//! The words are those of the field: provider, resource, data source, schema, plan modifier,
//! validator, identity, private state.
//!
//! # A provider in a page
//!
//! ```
//! use std::sync::Arc;
//! use framework::{
//!     Attribute, ConfigureRequest, ConfigureResponse, CreateRequest, CreateResponse, DeleteRequest,
//!     DeleteResponse, Diagnostics, FromValue, Options, Outcome, Provider, ReadRequest, ReadResponse,
//!     Resource, Schema, ToValue, UpdateRequest, UpdateResponse, Value, async_trait, validators,
//! };
//!
//! /// What the provider block makes: here a client of some machine park.
//! struct Client {
//!     endpoint: String,
//! }
//!
//! struct Acme;
//!
//! #[async_trait]
//! impl Provider for Acme {
//!     type Data = Client;
//!
//!     fn name(&self) -> &'static str {
//!         "acme"
//!     }
//!
//!     fn version(&self) -> &'static str {
//!         "1.0.0"
//!     }
//!
//!     fn schema(&self) -> Schema {
//!         Schema::new("Runs machines at Acme.")
//!             .attribute("endpoint", Attribute::string("Address of the API.").optional())
//!     }
//!
//!     async fn configure(
//!         &self,
//!         request: ConfigureRequest,
//!         _: &mut ConfigureResponse,
//!     ) -> Result<Client, Diagnostics> {
//!         // Unknown at plan if it comes from another resource: connect only when first needed.
//!         let endpoint: Value<String> = request.config.get_at(&framework::Path::of("endpoint"))?;
//!         Ok(Client { endpoint: endpoint.known().unwrap_or_else(|| "https://api.acme.test".into()) })
//!     }
//!
//!     fn resources(&self) -> Vec<Arc<dyn Resource<Client>>> {
//!         vec![Arc::new(Machine)]
//!     }
//! }
//!
//! struct Machine;
//!
//! /// The resource as HCL has it; `Value` is known, null or unknown.
//! #[derive(FromValue, ToValue)]
//! struct Model {
//!     id: Value<String>,
//!     name: String,
//!     size_gb: i64,
//! }
//!
//! #[async_trait]
//! impl Resource<Client> for Machine {
//!     fn type_name(&self) -> &'static str {
//!         "acme_machine"
//!     }
//!
//!     fn schema(&self) -> Schema {
//!         Schema::new("A machine.")
//!             .attribute("id", Attribute::string("Its id.").computed().keep_known())
//!             .attribute("name", Attribute::string("Its name.").required().replace_on_change())
//!             .attribute(
//!                 "size_gb",
//!                 Attribute::number("Size of its disk.").default(20).validate(validators::int_between(10, 500)),
//!             )
//!     }
//!
//!     async fn create(&self, request: CreateRequest<Client>, response: &mut CreateResponse) -> Outcome {
//!         let mut machine: Model = request.plan.get()?;
//!         machine.id = Value::Known(format!("{}/{}", request.data.endpoint, machine.name));
//!         // From here on the machine exists: what is in the response is stored, come what may.
//!         response.set_state(&machine);
//!         Ok(())
//!     }
//!
//!     async fn read(&self, _: ReadRequest<Client>, _: &mut ReadResponse) -> Outcome {
//!         // The response begins as the state before; `response.state = None` would mean: gone.
//!         Ok(())
//!     }
//!
//!     async fn update(&self, request: UpdateRequest<Client>, response: &mut UpdateResponse) -> Outcome {
//!         let machine: Model = request.plan.get()?;
//!         response.set_state(&machine);
//!         Ok(())
//!     }
//!
//!     async fn delete(&self, _: DeleteRequest<Client>, _: &mut DeleteResponse) -> Outcome {
//!         Ok(())
//!     }
//! }
//!
//! # mod program {
//! # use super::{Acme, Options};
//! fn main() -> std::process::ExitCode {
//!     let debug = std::env::args().any(|argument| argument == "-debug");
//!     framework::serve(Acme, Options::new("registry.terraform.io/acme/acme").debug(debug))
//! }
//! # }
//! # fn main() {
//! #     assert_eq!(framework::check_provider(&Acme), Vec::<String>::new());
//! # }
//! ```
//!
//! # What happens in a plan
//!
//! Core proposes a new state. The framework takes write-only values out, returns other spellings of
//! an unchanged value ([`Attribute::same_if`]), fills in defaults, makes computed values unknown if
//! anything changes at all, and runs the attributes' plan modifiers. Then
//! [`Resource::modify_plan`] sees configuration, prior and proposed state and may change or refuse
//! everything, destroy plans included. At last the plan is held against core's rules: a mistake
//! becomes a diagnostic that names the attribute and the handler.
//!
//! A known planned value must follow from configuration, prior state and prior private data alone,
//! since core plans again before it applies.
//!
//! # What happens in an apply
//!
//! Handlers answer through a response that outlives them: an error returned with `?`, and even a
//! panic, leaves in place what was put there. State with an error means "made, but broken" (on
//! create, core will replace the object), state with a warning means "made", an error without state
//! "not made" or, on update, "as before". Every request carries a [`CancellationToken`]: it is
//! cancelled when the user interrupts, when terraform dies, and when the call is no longer wanted.
//!
//! # Trade-offs
//!
//! - Nested attributes are the usual sections of a schema: they can be null, unknown and computed. [`Block`] is there
//!   for configurations that are written with blocks; computed blocks and groups are not, since nested attributes do
//!   the same on every version of terraform.
//! - A schema is built when first needed, once; its encoded form is kept.
//! - Objects are trees of [`Dynamic`] values; structs are made of them where handlers ask.
//!   Nothing is guessed: a struct that disagrees with its schema is refused with all places.
//! - State stores are not offered. Terraform has them behind an experiment, and OpenTofu does not call them, so that their
//!   meaning may still change. No store is announced, and each of their calls (validate, configure, read and write bytes,
//!   lock, unlock, list, delete) answers a diagnostic that says so, never a gRPC status, which would look like a crash.
//!
//! The [`guide`] goes on from here.

// Lets the derive macro's `::framework` paths work inside this crate.
extern crate self as framework;

mod action;
mod data_source;
mod diagnostics;
pub mod docs;
mod ephemeral;
mod function;
pub mod guide {
    #![doc = include_str!("guide.md")]
}
mod list;
mod log;
pub mod modifiers;
mod private;
mod provider;
mod resource;
mod schema;
mod semantics;
mod serve;
mod server;
pub mod timeouts;
pub mod validators;
mod value;

pub use action::{Action, InvokeRequest, PlanActionRequest, PlanActionResponse, Progress};
pub use async_trait::async_trait;
pub use data_source::{DataSource, ReadDataRequest, ReadDataResponse};
pub use diagnostics::{Diagnostic, Diagnostics, Outcome, Severity};
pub use ephemeral::{
    CloseRequest, CloseResponse, EphemeralResource, OpenRequest, OpenResponse, RenewRequest,
    RenewResponse,
};
pub use framework_derive::{FromValue, ToValue};
pub use function::{Arguments, Definition, Function, FunctionError, Parameter};
pub use list::{ListRequest, ListResource, ListResult, ListSink};
pub use private::Private;
pub use provider::{
    ClientCapabilities, ConfigureRequest, ConfigureResponse, Deferred, Provider,
    ValidateProviderRequest,
};
pub use resource::{
    Change, CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, FoundResponse,
    ImportRequest, ImportResponse, ModifyPlanRequest, ModifyPlanResponse, MoveStateRequest,
    MoveStateResponse, ObjectResponse, ReadRequest, ReadResponse, Resource, UpdateRequest,
    UpdateResponse, UpgradeIdentityRequest, UpgradeStateRequest, UpgradeStateResponse,
    ValidateConfigRequest,
};
pub use schema::{
    Attribute, Attributes, Block, ConfigValidator, IdentityAttribute, IdentitySchema, Modifier,
    ModifyRequest, ModifyResponse, Nesting, Schema, SchemaProblem, SemanticEquality, Shape, Use,
    ValidateRequest, Validator, check_identity, check_provider, check_schema,
};
pub use serve::{Options, Scrub, serve};
pub use tokio_util::sync::CancellationToken;
pub use value::{
    Dynamic, FromValue, JsonError, Mismatch, MsgpackError, Number, NumberError, Path, Refinement,
    Step, ToValue, Type, TypeError, Value, wire,
};

/// What the derive macros call.
#[doc(hidden)]
pub use value::derive_support;
