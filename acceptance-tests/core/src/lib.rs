//! A protocol-level test client that plays Terraform core.
//!
//! It starts a provider as go-plugin does, speaks tfplugin6 at its newest minor, calls in core's order and fails on
//! whatever core would reject: planned values that disagree with the configuration, applied values that disagree with
//! the plan, write-only values that would be stored, identities that change. It shares no code with the framework it
//! judges; rules and messages follow core's own (`objchange`, `configschema`, go-plugin).
//!
//! ```no_run
//! # async fn example() -> Result<(), core_client::Error> {
//! use core_client::{Core, Launch};
//! use serde_json::json;
//!
//! let mut core = Core::start(&Launch::new("target/debug/terraform-provider-example")).await?;
//! core.configure(&json!({})).await?;
//! let plan = core.plan("example_thing", None, &json!({ "name": "a" })).await?;
//! let made = core.apply(&plan).await?;
//! assert!(!made.failed());
//! # Ok(())
//! # }
//! ```

mod connection;
mod error;
mod process;
mod propose;
mod rules;
mod schema;
mod session;
mod value;

pub use connection::{Identity, TlsVersion, connect, connect_with};
pub use error::{Diagnostic, Error};
pub use process::{Handshake, Launch, MAGIC_COOKIE, Process};
pub use rules::{apply_problems, plan_problems};
pub use schema::{Attribute, Block, Nesting, Schema};
pub use session::{Action, Applied, Core, Era, Found, Instance, Invoked, Plan, Query, Schemas};
pub use value::{Type, UNKNOWN, Value, same};
