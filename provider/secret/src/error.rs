//! Why a key was not accepted.

use thiserror::Error;

/// Why the text of a key is not a key. Nothing of the text itself is repeated, only its length.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The text is empty: usually an environment variable that is set to nothing.
    #[error("the key is empty; make one with `terraform-provider-managedk8s key generate`")]
    Empty,
    /// The text has a character outside the base64 alphabet, or is cut in the middle.
    #[error(
        "the key ({characters} characters) is not base64; a key is 32 random bytes as base64, \
         44 characters: make one with `terraform-provider-managedk8s key generate`"
    )]
    NotBase64 {
        /// Characters seen, surrounding white space left out.
        characters: usize,
    },
    /// The base64 is sound but carries another number of bytes than 32.
    #[error(
        "the key is {bytes} bytes long; a key is exactly 32 random bytes as base64: make one with \
         `terraform-provider-managedk8s key generate`"
    )]
    WrongLength {
        /// Bytes seen.
        bytes: usize,
    },
    /// All bytes are equal: a placeholder, never the output of a random source.
    #[error(
        "the key is one byte repeated, not random; make one with \
         `terraform-provider-managedk8s key generate`"
    )]
    NotRandom,
    /// The text is not the form `v1.<birth>.<key>`.
    #[error(
        "the cluster key ({characters} characters) is not of the form v1.BIRTH.KEY; make one with \
         `terraform-provider-managedk8s key cluster`"
    )]
    NotAClusterKey {
        /// Characters seen, surrounding white space left out.
        characters: usize,
    },
    /// The cluster key was made by a later derivation.
    #[error(
        "the cluster key has derivation version {seen:?}, this provider knows version 1; use the \
         provider version that made it, or newer"
    )]
    UnknownVersion {
        /// The version as written, at most eight characters of it.
        seen: String,
    },
    /// A birth is not 32 hexadecimal digits.
    #[error("a birth is 32 hexadecimal digits, {characters} characters were seen")]
    NotABirth {
        /// Characters seen.
        characters: usize,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {reason}")]
    NoRandomness {
        /// The system's own words.
        reason: String,
    },
}
