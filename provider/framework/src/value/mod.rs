//! Values: what HCL, plans and state are made of.

mod conform;
mod convert;
mod dynamic;
mod json;
mod msgpack;
mod number;
mod path;
#[cfg(test)]
mod tests;
mod three_state;
mod types;

pub use conform::Mismatch;
pub use convert::{FromValue, ToValue};
pub use dynamic::{Dynamic, Refinement};
pub use json::JsonError;
pub use msgpack::MsgpackError;
pub use number::{Number, NumberError};
pub use path::{Path, Step};
pub use three_state::Value;
pub use types::{Type, TypeError};

#[doc(hidden)]
pub use convert::derive_support;

pub(crate) use conform::{Source, conform};
pub(crate) use json::parse as parse_json;

/// Whether a value written in code has the type.
pub(crate) fn fits(value: &Dynamic, ty: &Type) -> bool {
    conform(value.clone(), ty, &mut Path::root(), Source::Code).is_ok()
}

pub mod wire {
    //! The encodings of values on the wire and in state files.

    pub use super::json::{from_json, to_json};
    pub use super::msgpack::{decode, encode};
}
