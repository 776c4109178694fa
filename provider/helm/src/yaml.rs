//! YAML as Helm reads and writes it.
//!
//! Reading follows YAML 1.1 through JSON (sigs.k8s.io/yaml): `yes` and `on` are booleans, keys
//! become text, every number is a `float64`. Writing follows go-yaml v2 byte for byte, because
//! charts hash what they include.
//!
//! Nearly every text is read by `plain`, in one pass over its lines. All else goes through `scan`
//! (words), `grammar` (events) and `decode` (values), which follow libyaml rule by rule, its words for
//! what is wrong included.

mod decode;
mod emit;
mod encode;
mod grammar;
mod plain;
mod resolve;
mod scan;
#[cfg(test)]
mod tests;
mod tree;

pub use decode::{Error, decode, decode_one};
pub use encode::{encode, encode_pretty, encode_value};

pub(crate) use decode::decode_value;
pub(crate) use encode::{try_encode_pretty, try_encode_value};
