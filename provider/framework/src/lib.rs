//! A Terraform provider framework: tfplugin6 server, schema, values, semantics.

// Lets the derive macro's `::framework` paths work inside this crate.
extern crate self as framework;

mod action;
mod data_source;
mod diagnostics;
mod ephemeral;
mod function;
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
    Change, CreateRequest, CreateResponse, DeleteRequest, DeleteResponse, ImportRequest,
    ImportResponse, ModifyPlanRequest, ModifyPlanResponse, MoveStateRequest, MoveStateResponse,
    ReadRequest, ReadResponse, Resource, UpdateRequest, UpdateResponse, UpgradeIdentityRequest,
    UpgradeStateRequest, UpgradeStateResponse, ValidateConfigRequest,
};
pub use schema::{
    Attribute, Attributes, ConfigValidator, IdentityAttribute, IdentitySchema, Modifier,
    ModifyRequest, ModifyResponse, Nesting, Schema, SchemaProblem, SemanticEquality, Shape, Use,
    ValidateRequest, Validator, check_identity, check_schema,
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
