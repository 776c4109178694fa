//! The two kinds of rules an attribute can carry.

use crate::{Diagnostics, Dynamic, Path};

/// What a validator sees.
#[derive(Debug)]
pub struct ValidateRequest<'a> {
    /// Where the value lies.
    pub path: &'a Path,
    /// The configured value. Never null or wholly unknown; members may still be unknown.
    pub value: &'a Dynamic,
    /// The whole configuration, for rules that look at other attributes.
    pub config: &'a Dynamic,
}

/// A check of a configured value. It runs before any plan, without a remote system, and several
/// times per run; it holds off when something it needs is unknown.
pub trait Validator: Send + Sync {
    /// The rule in a phrase, for the generated pages: `between 1 and 9`. Empty if there is none.
    fn describe(&self) -> String {
        String::new()
    }

    /// Checks; complaints go to `diagnostics`.
    fn validate(&self, request: &ValidateRequest<'_>, diagnostics: &mut Diagnostics);
}

/// A check of a whole configuration.
pub trait ConfigValidator: Send + Sync {
    /// The rule in a phrase, for the generated pages. Empty if there is none.
    fn describe(&self) -> String {
        String::new()
    }

    /// Checks; complaints go to `diagnostics`.
    fn validate(&self, config: &Dynamic, diagnostics: &mut Diagnostics);
}

/// What a plan modifier sees.
#[derive(Debug)]
pub struct ModifyRequest<'a> {
    /// Where the value lies.
    pub path: &'a Path,
    /// The configured value at the path.
    pub config_value: &'a Dynamic,
    /// The value in state at the path; null when there is none.
    pub prior_value: &'a Dynamic,
    /// Whether the object that holds the attribute exists in state: false on create and in a new
    /// element of a list or map.
    pub in_prior: bool,
    /// The whole configuration.
    pub config: &'a Dynamic,
    /// The whole state; null on create.
    pub prior: &'a Dynamic,
}

/// What a plan modifier may change.
#[derive(Debug)]
pub struct ModifyResponse<'a> {
    /// The planned value at the path.
    pub value: &'a mut Dynamic,
    /// Set to true to replace the object.
    pub requires_replace: bool,
    /// Complaints.
    pub diagnostics: &'a mut Diagnostics,
}

/// A rule about a planned value. It runs on create and update, never on destroy, and must be a
/// pure function of what it is given: terraform plans again before it applies and compares.
pub trait Modifier: Send + Sync {
    /// The rule in a phrase, for the generated pages: `changing it replaces the object`.
    fn describe(&self) -> String {
        String::new()
    }

    /// Changes the planned value.
    fn modify(&self, request: &ModifyRequest<'_>, response: &mut ModifyResponse<'_>);
}
