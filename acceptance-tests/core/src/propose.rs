//! The proposed new state: core's merge of prior state and configuration (`objchange.ProposedNew`).

use std::collections::BTreeMap;

use crate::Value;
use crate::schema::{Attribute, Block, Nesting};
use crate::value::same;

/// Merges configuration and prior state as core does before it asks for a plan.
pub fn proposed(block: &Block, prior: &Value, config: &Value) -> Value {
    let Value::Map(members) = config else {
        return config.clone();
    };
    let mut merged: BTreeMap<String, Value> = block
        .attributes
        .iter()
        .map(|(name, attribute)| {
            (
                name.clone(),
                proposed_attribute(attribute, prior.member(name), config.member(name)),
            )
        })
        .collect();
    for (name, (nesting, inner)) in &block.blocks {
        let value = members.get(name).unwrap_or(&Value::Null);
        merged.insert(
            name.clone(),
            proposed_block(*nesting, inner, prior.member(name), value),
        );
    }
    Value::Map(merged)
}

fn proposed_block(nesting: Nesting, block: &Block, prior: &Value, config: &Value) -> Value {
    match (nesting, config) {
        (Nesting::List, Value::List(items)) => {
            let priors = prior.items();
            Value::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(position, item)| {
                        proposed(block, priors.get(position).unwrap_or(&Value::Null), item)
                    })
                    .collect(),
            )
        }
        (Nesting::Map, Value::Map(items)) => Value::Map(
            items
                .iter()
                .map(|(key, item)| (key.clone(), proposed(block, prior.member(key), item)))
                .collect(),
        ),
        // Elements of a set block are correlated only when nothing in them is computed; the merge is then the
        // configuration itself.
        (Nesting::Set | Nesting::List | Nesting::Map, _) => config.clone(),
        (Nesting::Single | Nesting::Group, _) => proposed(block, prior, config),
    }
}

fn proposed_attribute(attribute: &Attribute, prior: &Value, config: &Value) -> Value {
    match config {
        Value::Null if attribute.computed => {
            if attribute.optional && holds_configured_member(attribute, prior) {
                Value::Null
            } else {
                prior.clone()
            }
        }
        Value::Null | Value::Unknown => config.clone(),
        _ => match &attribute.nested {
            None => config.clone(),
            Some((nesting, members)) => proposed_nested(*nesting, members, prior, config),
        },
    }
}

/// Whether a prior nested value must have come from configuration.
fn holds_configured_member(attribute: &Attribute, prior: &Value) -> bool {
    let Some((nesting, members)) = &attribute.nested else {
        return false;
    };
    let objects: Vec<&Value> = match (nesting, prior) {
        (Nesting::Single | Nesting::Group, Value::Map(_)) => vec![prior],
        (Nesting::List | Nesting::Set, Value::List(items)) => items.iter().collect(),
        (Nesting::Map, Value::Map(items)) => items.values().collect(),
        _ => Vec::new(),
    };
    objects.iter().any(|object| {
        members.iter().any(|(name, member)| {
            let value = object.member(name);
            !matches!(value, Value::Null)
                && (!member.computed || holds_configured_member(member, value))
        })
    })
}

fn proposed_nested(
    nesting: Nesting,
    members: &BTreeMap<String, Attribute>,
    prior: &Value,
    config: &Value,
) -> Value {
    let object = |prior: &Value, config: &Value| match config {
        Value::Map(_) => Value::Map(
            members
                .iter()
                .map(|(name, member)| {
                    (
                        name.clone(),
                        proposed_attribute(member, prior.member(name), config.member(name)),
                    )
                })
                .collect(),
        ),
        _ => config.clone(),
    };
    match (nesting, config) {
        (Nesting::Single | Nesting::Group, _) => object(prior, config),
        (Nesting::List, Value::List(items)) => {
            let priors = prior.items();
            Value::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(position, item)| {
                        object(priors.get(position).unwrap_or(&Value::Null), item)
                    })
                    .collect(),
            )
        }
        (Nesting::Map, Value::Map(items)) => Value::Map(
            items
                .iter()
                .map(|(key, item)| (key.clone(), object(prior.member(key), item)))
                .collect(),
        ),
        (Nesting::Set, Value::List(items)) => {
            let mut unused: Vec<&Value> = if let Value::List(priors) = prior {
                priors.iter().collect()
            } else {
                Vec::new()
            };
            Value::List(
                items
                    .iter()
                    .map(|item| {
                        let found = unused
                            .iter()
                            .position(|prior| corresponds(members, prior, item));
                        let prior = found.map_or(&Value::Null, |position| unused.remove(position));
                        object(prior, item)
                    })
                    .collect(),
            )
        }
        _ => config.clone(),
    }
}

/// Whether a prior set element equals a configured one except for computed members that are null in configuration.
fn corresponds(members: &BTreeMap<String, Attribute>, prior: &Value, config: &Value) -> bool {
    members.iter().all(|(name, member)| {
        let (prior, config) = (prior.member(name), config.member(name));
        (member.computed && matches!(config, Value::Null)) || same(prior, config, &member.ty)
    })
}
