//! The plan before the resource's own hook sees it.
//!
//! In this order: core's proposal, write-only values out, other spellings of the same value back
//! to the stored one, defaults in, computed values unknown if anything changes, attribute
//! modifiers. That order keeps a plan without changes empty.

use super::walk::visit_mut;
use crate::schema::{ModifyRequest, ModifyResponse};
use crate::{Diagnostics, Dynamic, Path, Schema};

/// What is planned so far.
pub(crate) struct Proposal {
    pub planned: Dynamic,
    pub requires_replace: Vec<Path>,
    pub diagnostics: Diagnostics,
}

/// Plans a create or update; not called for a destroy.
pub(crate) fn propose(
    schema: &Schema,
    config: &Dynamic,
    prior: &Dynamic,
    proposed: Dynamic,
) -> Proposal {
    let mut planned = proposed;
    let attributes = &schema.attributes;
    let mut defaulted: Vec<Path> = Vec::new();
    visit_mut(
        attributes,
        &mut planned,
        config,
        prior,
        &mut Path::root(),
        &mut |site, value| {
            if site.attribute.write_only {
                *value = Dynamic::Null;
                return false;
            }
            if let Some(default) = &site.attribute.default
                && site.config.is_null()
            {
                *value = conformed(default, site.attribute);
            }
            if let Some(same) = &site.attribute.same {
                let both_known = !site.prior.is_null()
                    && !site.config.is_null()
                    && site.prior.is_wholly_known()
                    && site.config.is_wholly_known();
                if both_known && same(site.config, site.prior) {
                    *value = site.prior.clone();
                    return false;
                }
            }
            let descend = !site.config.is_null();
            if !descend && site.attribute.default.is_some() {
                defaulted.push(site.path.clone());
            }
            descend
        },
    );
    if !planned.same(prior) {
        visit_mut(
            attributes,
            &mut planned,
            config,
            prior,
            &mut Path::root(),
            &mut |site, value| {
                // Within an object that is a default as a whole, only what the default leaves open.
                let given = !value.is_null()
                    && defaulted
                        .iter()
                        .any(|path| site.path.steps().starts_with(path.steps()));
                let decided_by_provider = site.config.is_null()
                    && site.attribute.computed
                    && site.attribute.default.is_none()
                    && !given;
                if decided_by_provider {
                    *value = Dynamic::UNKNOWN;
                }
                !decided_by_provider
            },
        );
    }
    modify(schema, config, prior, planned)
}

fn conformed(default: &Dynamic, attribute: &crate::Attribute) -> Dynamic {
    let ty = attribute.value_type();
    crate::value::conform(
        default.clone(),
        &ty,
        &mut Path::root(),
        crate::value::Source::Code,
    )
    // A default of another type is a mistake that the schema check names.
    .unwrap_or_else(|_| default.clone())
}

fn modify(schema: &Schema, config: &Dynamic, prior: &Dynamic, mut planned: Dynamic) -> Proposal {
    let mut requires_replace = Vec::new();
    let mut diagnostics = Diagnostics::new();
    visit_mut(
        &schema.attributes,
        &mut planned,
        config,
        prior,
        &mut Path::root(),
        &mut |site, value| {
            for modifier in &site.attribute.modifiers {
                let request = ModifyRequest {
                    path: site.path,
                    config_value: site.config,
                    prior_value: site.prior,
                    in_prior: site.in_prior,
                    config,
                    prior,
                };
                let mut response = ModifyResponse {
                    value,
                    requires_replace: false,
                    diagnostics: &mut diagnostics,
                };
                modifier.modify(&request, &mut response);
                if response.requires_replace {
                    requires_replace.push(site.path.clone());
                }
            }
            true
        },
    );
    Proposal {
        planned,
        requires_replace,
        diagnostics,
    }
}
