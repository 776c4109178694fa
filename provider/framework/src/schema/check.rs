//! The rules that core sets for schemas, checked before core can refuse the whole provider.

use std::collections::BTreeSet;

use super::{Attribute, Attributes, IdentitySchema, Nesting, Schema, Shape};
use crate::{Path, Type};

/// What a schema is for: reserved names and allowed flags differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The provider block.
    Provider,
    /// A managed resource.
    Resource,
    /// A data source, ephemeral resource, list or action.
    Other,
}

/// A rule that a schema breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {rule}")]
pub struct SchemaProblem {
    /// The attribute.
    pub path: Path,
    /// What is wrong with it.
    pub rule: &'static str,
}

const RESOURCE_RESERVED: [&str; 7] = [
    "count",
    "for_each",
    "depends_on",
    "provider",
    "lifecycle",
    "connection",
    "provisioner",
];
const PROVIDER_RESERVED: [&str; 2] = ["version", "alias"];

/// All rules that a schema breaks. Call it in a test for every schema of the provider.
pub fn check_schema(schema: &Schema, purpose: Use) -> Vec<SchemaProblem> {
    let mut problems = Vec::new();
    let reserved: &[&str] = match purpose {
        Use::Provider => &PROVIDER_RESERVED,
        Use::Resource | Use::Other => &RESOURCE_RESERVED,
    };
    for (name, _) in schema.attributes.iter() {
        if reserved.contains(&name) {
            problems.push(SchemaProblem {
                path: Path::root().attribute(name),
                rule: "the name is reserved by terraform",
            });
        }
    }
    members(
        &schema.attributes,
        &Path::root(),
        purpose,
        Within::default(),
        &mut problems,
    );
    problems
}

/// What surrounds an attribute.
#[derive(Clone, Copy, Default)]
struct Within {
    set: bool,
    write_only: bool,
    /// Inside a nested attribute, where no block can be.
    attribute: bool,
}

fn members(
    attributes: &Attributes,
    parent: &Path,
    purpose: Use,
    within: Within,
    problems: &mut Vec<SchemaProblem>,
) {
    let mut names = BTreeSet::new();
    for (name, attribute) in attributes.iter() {
        let path = parent.clone().attribute(name);
        let mut broken = |rule| {
            problems.push(SchemaProblem {
                path: path.clone(),
                rule,
            });
        };
        if !names.insert(name) {
            broken("the name occurs twice");
        }
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || !name.bytes().all(letters) || name.as_bytes()[0].is_ascii_digit() {
            broken("a name is made of lower-case letters, digits and _, and begins with a letter");
        }
        attribute_rules(attribute, purpose, within, &mut broken);
        if let Shape::Nested(nesting, nested) = &attribute.shape {
            let within = Within {
                set: within.set || *nesting == Nesting::Set,
                write_only: within.write_only || attribute.write_only,
                attribute: within.attribute || !attribute.is_block(),
            };
            members(nested, &path, purpose, within, problems);
        }
    }
}

fn attribute_rules(
    attribute: &Attribute,
    purpose: Use,
    within: Within,
    broken: &mut impl FnMut(&'static str),
) {
    let Attribute {
        required,
        optional,
        computed,
        write_only,
        ..
    } = *attribute;
    if let Some(limits) = attribute.block {
        if within.attribute {
            broken("a nested attribute holds no block");
        }
        if limits.max != 0 && limits.min > limits.max {
            broken("it must be there more often than it may be");
        }
        let single = matches!(attribute.shape, Shape::Nested(Nesting::Single, _));
        if single && (limits.min > 1 || limits.max != 1) {
            broken("a single block is there once or not at all");
        }
        if !single && attribute.value_type().has_dynamic() {
            broken("several blocks hold no values of any type: use a nested attribute");
        }
        let map = matches!(attribute.shape, Shape::Nested(Nesting::Map, _));
        if map && (limits.min > 0 || limits.max > 0) {
            broken("terraform does not limit the number of labelled blocks");
        }
    }
    if !(required || optional || computed) {
        broken("it is neither required nor optional nor computed");
    }
    if required && (optional || computed) {
        broken("it is required, so it can be neither optional nor computed");
    }
    if attribute.description.trim().is_empty() {
        broken("it has no description");
    }
    if attribute.deprecated.as_deref().is_some_and(str::is_empty) {
        broken("the deprecation says nothing");
    }
    if write_only {
        if purpose != Use::Resource {
            broken("only managed resources have write-only attributes");
        }
        if computed {
            broken("a write-only attribute can be neither computed nor have a default");
        }
        if within.set {
            broken("a set holds no write-only attribute");
        }
    } else if within.write_only {
        broken("everything in a write-only attribute is write-only itself");
    }
    if purpose == Use::Provider && computed {
        broken("nothing in a provider block is computed");
    }
    let ty = attribute.value_type();
    if set_of_dynamic(&ty) || within.set && ty.has_dynamic() {
        broken("a set holds no values of dynamic type");
    }
    if let Some(default) = &attribute.default {
        let fits = crate::value::fits(default, &ty);
        if !fits {
            broken("the default does not have the attribute's type");
        }
        if required {
            broken("a required attribute has no default");
        }
    }
}

fn set_of_dynamic(ty: &Type) -> bool {
    match ty {
        Type::Set(element) => element.has_dynamic(),
        Type::List(element) | Type::Map(element) => set_of_dynamic(element),
        Type::Tuple(types) => types.iter().any(set_of_dynamic),
        Type::Object(types) => types.values().any(set_of_dynamic),
        Type::String | Type::Number | Type::Bool | Type::Dynamic => false,
    }
}

/// All rules that an identity breaks.
pub fn check_identity(identity: &IdentitySchema) -> Vec<SchemaProblem> {
    let primitive = |ty: &Type| matches!(ty, Type::String | Type::Number | Type::Bool);
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for attribute in &identity.attributes {
        let mut broken = |rule| {
            problems.push(SchemaProblem {
                path: Path::root().attribute(attribute.name),
                rule,
            });
        };
        if !names.insert(attribute.name) {
            broken("the name occurs twice");
        }
        if !(primitive(&attribute.ty)
            || matches!(&attribute.ty, Type::List(element) if primitive(element)))
        {
            broken("an identity holds primitive values and lists of them only");
        }
        if attribute.description.trim().is_empty() {
            broken("it has no description");
        }
    }
    if !identity.attributes.iter().any(|a| a.required_for_import) {
        problems.push(SchemaProblem {
            path: Path::root(),
            rule: "at least one member must be required for import",
        });
    }
    problems
}
