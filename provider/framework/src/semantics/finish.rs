//! Bringing what resource code answers into the form that core accepts.

use super::walk::visit_mut;
use crate::value::{Source, conform};
use crate::{Diagnostics, Dynamic, Path, Schema, Type};

/// The code to blame: a handler of a type.
#[derive(Clone, Copy)]
pub(crate) struct Blame<'a> {
    pub handler: &'a str,
    pub type_name: &'a str,
}

impl std::fmt::Display for Blame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.handler, self.type_name)
    }
}

/// What is done with values that are still unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// They are allowed (plans).
    MayBeUnknown,
    /// They become null: the object is incomplete anyway.
    UnknownToNull,
    /// They are a mistake.
    Known,
}

impl Finish {
    /// Gives a value the exact shape of its type.
    ///
    /// # Errors
    /// It does not fit, or holds unknowns where it must not.
    pub(crate) fn value(
        self,
        value: Dynamic,
        ty: &Type,
        blame: Blame<'_>,
    ) -> Result<Dynamic, Diagnostics> {
        let value = conform(value, ty, &mut Path::root(), Source::Code).map_err(|mismatch| {
            Diagnostics::one_error_at(
                mismatch.path.clone(),
                "value does not fit the schema",
                format!(
                    "In the answer of {blame}, {mismatch}. This is a mistake in the provider; please report it."
                ),
            )
        })?;
        match self {
            Self::MayBeUnknown => Ok(value),
            Self::UnknownToNull => Ok(known(value)),
            Self::Known => {
                let mut unknown = Diagnostics::new();
                find_unknown(&value, &Path::root(), &mut |path| {
                    unknown.error_at(
                        path.clone(),
                        "value still unknown",
                        format!(
                            "{blame} left {path} unknown; every value must be known or null by then. \
                             This is a mistake in the provider; please report it."
                        ),
                    );
                });
                if unknown.is_empty() {
                    Ok(value)
                } else {
                    Err(unknown)
                }
            }
        }
    }
}

/// What is unknown becomes null.
pub(crate) fn known(value: Dynamic) -> Dynamic {
    match value {
        Dynamic::Unknown(_) => Dynamic::Null,
        Dynamic::List(elements) => Dynamic::List(elements.into_iter().map(known).collect()),
        Dynamic::Set(elements) => Dynamic::set(elements.into_iter().map(known)),
        Dynamic::Tuple(elements) => Dynamic::Tuple(elements.into_iter().map(known).collect()),
        Dynamic::Map(members) => {
            Dynamic::Map(members.into_iter().map(|(n, v)| (n, known(v))).collect())
        }
        Dynamic::Object(members) => {
            Dynamic::Object(members.into_iter().map(|(n, v)| (n, known(v))).collect())
        }
        Dynamic::Typed(typed) => Dynamic::Typed(Box::new((typed.0, known(typed.1)))),
        other => other,
    }
}

fn find_unknown(value: &Dynamic, path: &Path, found: &mut dyn FnMut(&Path)) {
    match value {
        Dynamic::Unknown(_) => found(path),
        Dynamic::List(elements) | Dynamic::Tuple(elements) => {
            for (index, element) in elements.iter().enumerate() {
                find_unknown(element, &path.clone().index(index as u64), found);
            }
        }
        Dynamic::Set(elements) => {
            for element in elements {
                find_unknown(element, &path.clone().element(), found);
            }
        }
        Dynamic::Map(members) => {
            for (key, member) in members {
                find_unknown(member, &path.clone().key(key.clone()), found);
            }
        }
        Dynamic::Object(members) => {
            for (name, member) in members {
                find_unknown(member, &path.clone().attribute(name.clone()), found);
            }
        }
        Dynamic::Typed(typed) => find_unknown(&typed.1, path, found),
        Dynamic::Null | Dynamic::Bool(_) | Dynamic::Number(_) | Dynamic::String(_) => {}
    }
}

/// Write-only values are never part of an answer, and blocks that are absent are empty there.
pub(crate) fn storable(schema: &Schema, value: &mut Dynamic) {
    let mut walk = |site: &super::walk::Site<'_>, value: &mut Dynamic| {
        if site.attribute.write_only {
            *value = Dynamic::Null;
        } else if value.is_null()
            && let Some(absent) = site.attribute.absent_block()
        {
            *value = absent;
        }
        !site.attribute.write_only
    };
    visit_mut(
        &schema.attributes,
        value,
        &Dynamic::Null,
        &Dynamic::Null,
        &mut Path::root(),
        &mut walk,
    );
}

/// Another spelling of the same value becomes the one that is known already.
pub(crate) fn keep_spelling(schema: &Schema, known: &Dynamic, value: &mut Dynamic) {
    visit_mut(
        &schema.attributes,
        value,
        &Dynamic::Null,
        known,
        &mut Path::root(),
        &mut |site, value| {
            if let Some(same) = &site.attribute.same {
                let comparable = !site.prior.is_null()
                    && !value.is_null()
                    && site.prior.is_wholly_known()
                    && value.is_wholly_known();
                if comparable && same(site.prior, value) {
                    *value = site.prior.clone();
                    return false;
                }
            }
            true
        },
    );
}

/// A configuration made of state: without what only the provider sets.
pub(crate) fn generated_config(schema: &Schema, state: &Dynamic) -> Dynamic {
    let mut config = state.clone();
    visit_mut(
        &schema.attributes,
        &mut config,
        &Dynamic::Null,
        &Dynamic::Null,
        &mut Path::root(),
        &mut |site, value| {
            let gone = site.attribute.write_only
                || site.attribute.computed && !site.attribute.optional
                || site.attribute.deprecated.is_some() && !site.attribute.required;
            if gone {
                *value = site.attribute.absent_block().unwrap_or(Dynamic::Null);
            }
            !gone
        },
    );
    config
}
