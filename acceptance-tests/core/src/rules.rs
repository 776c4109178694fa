//! Core's rules for answers: planned value against configuration (`objchange.AssertPlanValid`), applied value against
//! plan (`objchange.AssertObjectCompatible`), and the smaller checks around them.

use std::collections::BTreeMap;

use crate::schema::{Attribute, Block, Nesting};
use crate::value::{element_type, member_type, same};
use crate::{Type, Value};

/// Everything that core would refuse in a planned state.
pub fn plan_problems(block: &Block, prior: &Value, config: &Value, planned: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    match (config, planned) {
        (Value::Null, Value::Null) => {}
        (Value::Null, _) => problems.push("planned for existence but config wants absence".into()),
        (_, Value::Null) => problems.push("planned for absence but config wants existence".into()),
        _ => plan_block("", block, prior, config, planned, &mut problems),
    }
    problems
}

fn plan_block(
    path: &str,
    block: &Block,
    prior: &Value,
    config: &Value,
    planned: &Value,
    problems: &mut Vec<String>,
) {
    plan_attributes(path, &block.attributes, prior, config, planned, problems);
    for (name, (nesting, inner)) in &block.blocks {
        let path = format!("{path}.{name}");
        let (prior, config, planned) = (
            prior.member(name),
            config.member(name),
            planned.member(name),
        );
        let mut each = |path: &str, prior: &Value, config: &Value, planned: &Value| {
            if matches!(planned, Value::Unknown) {
                problems.push(format!(
                    "{path}: attribute representing nested block must not be unknown itself"
                ));
            } else if !matches!(config, Value::Null) {
                plan_block(path, inner, prior, config, planned, problems);
            }
        };
        match (nesting, config, planned) {
            (_, Value::Unknown, _) => {
                if planned != config {
                    problems.push(format!("{path}: unknown block must be returned unchanged"));
                }
            }
            (Nesting::Single | Nesting::Group, _, _) => {
                if matches!(config, Value::Null) != matches!(planned, Value::Null) {
                    problems.push(format!(
                        "{path}: block is in one of configuration and plan only"
                    ));
                } else {
                    each(&path, prior, config, planned);
                }
            }
            (Nesting::List, Value::List(configs), Value::List(plans))
                if configs.len() == plans.len() =>
            {
                let priors = prior.items();
                for (position, (config, planned)) in configs.iter().zip(plans).enumerate() {
                    let prior = priors.get(position).unwrap_or(&Value::Null);
                    each(&format!("{path}[{position}]"), prior, config, planned);
                }
            }
            (Nesting::Map, Value::Map(configs), Value::Map(plans))
                if configs.keys().eq(plans.keys()) =>
            {
                for (key, config) in configs {
                    each(
                        &format!("{path}[{key:?}]"),
                        prior.member(key),
                        config,
                        planned.member(key),
                    );
                }
            }
            (Nesting::Set, Value::List(configs), Value::List(plans))
                if configs.len() == plans.len() => {}
            _ => problems.push(format!(
                "{path}: block count in plan does not match count in config"
            )),
        }
    }
}

fn plan_attributes(
    path: &str,
    attributes: &BTreeMap<String, Attribute>,
    prior: &Value,
    config: &Value,
    planned: &Value,
    problems: &mut Vec<String>,
) {
    for (name, attribute) in attributes {
        let path = format!("{path}.{name}");
        plan_attribute(
            &path,
            attribute,
            prior.member(name),
            config.member(name),
            planned.member(name),
            problems,
        );
    }
}

fn plan_attribute(
    path: &str,
    attribute: &Attribute,
    prior: &Value,
    config: &Value,
    planned: &Value,
    problems: &mut Vec<String>,
) {
    if attribute.write_only {
        if !matches!(planned, Value::Null) {
            problems.push(format!("{path}: write-only attribute has a planned value"));
        }
        return;
    }
    let equal = |left: &Value, right: &Value| same(left, right, &attribute.ty);
    let keeps_prior =
        equal(planned, prior) && !matches!(prior, Value::Null) && !matches!(config, Value::Null);
    if equal(planned, config) || keeps_prior {
        return;
    }
    if attribute.computed && (!attribute.optional || matches!(config, Value::Null)) {
        return;
    }
    if matches!(config, Value::Null) {
        problems.push(format!(
            "{path}: planned value {} for a non-computed attribute",
            planned.to_json()
        ));
        return;
    }
    if let Some((nesting, members)) = &attribute.nested
        && plan_nested(path, *nesting, members, prior, config, planned, problems)
    {
        return;
    }
    problems.push(format!(
        "{path}: planned value {} does not match config value {}",
        planned.to_json(),
        config.to_json()
    ));
}

/// Checks the members of a nested attribute; false when the values have not even the same shape.
fn plan_nested(
    path: &str,
    nesting: Nesting,
    members: &BTreeMap<String, Attribute>,
    prior: &Value,
    config: &Value,
    planned: &Value,
    problems: &mut Vec<String>,
) -> bool {
    match (nesting, config, planned) {
        (Nesting::Single | Nesting::Group, Value::Map(_), Value::Map(_)) => {
            plan_attributes(path, members, prior, config, planned, problems);
            true
        }
        (Nesting::List, Value::List(configs), Value::List(plans))
            if configs.len() == plans.len() =>
        {
            let priors = prior.items();
            for (position, (config, planned)) in configs.iter().zip(plans).enumerate() {
                let prior = priors.get(position).unwrap_or(&Value::Null);
                plan_attributes(
                    &format!("{path}[{position}]"),
                    members,
                    prior,
                    config,
                    planned,
                    problems,
                );
            }
            true
        }
        (Nesting::Map, Value::Map(configs), Value::Map(plans))
            if configs.keys().eq(plans.keys()) =>
        {
            for (key, config) in configs {
                let path = format!("{path}[{key:?}]");
                plan_attributes(
                    &path,
                    members,
                    prior.member(key),
                    config,
                    planned.member(key),
                    problems,
                );
            }
            true
        }
        // Elements of sets cannot be told apart: core compares only how many there are.
        (Nesting::Set, Value::List(configs), Value::List(plans)) => configs.len() == plans.len(),
        _ => false,
    }
}

/// Everything that core would refuse in the state after an apply.
pub fn apply_problems(block: &Block, planned: &Value, actual: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    compatible("", &block.ty(), planned, actual, &mut problems);
    if !actual.is_wholly_known() {
        problems.push(
            "after the apply operation, the provider still indicated an unknown value".into(),
        );
    }
    write_only("", block, actual, &mut problems);
    problems
}

fn compatible(path: &str, ty: &Type, planned: &Value, actual: &Value, problems: &mut Vec<String>) {
    match (planned, actual) {
        (Value::Unknown, _) => {}
        (Value::Null, Value::Null) => {}
        (Value::Null, _) => {
            problems.push(format!("{path}: was null, but now {}", actual.to_json()));
        }
        (_, Value::Null) => {
            problems.push(format!("{path}: was {}, but now null", planned.to_json()));
        }
        (Value::Dynamic(planned_type, planned), Value::Dynamic(actual_type, actual)) => {
            if planned_type != actual_type {
                problems.push(format!("{path}: wrong final value type"));
            } else {
                compatible(path, planned_type, planned, actual, problems);
            }
        }
        (Value::List(plans), Value::List(actuals)) if matches!(ty, Type::Set(_)) => {
            let inner = element_type(ty, 0);
            let fits = |planned: &Value, actual: &Value| {
                let mut ignored = Vec::new();
                compatible(path, inner, planned, actual, &mut ignored);
                ignored.is_empty()
            };
            let vanished = plans
                .iter()
                .any(|planned| !actuals.iter().any(|actual| fits(planned, actual)));
            let appeared = actuals
                .iter()
                .any(|actual| !plans.iter().any(|planned| fits(planned, actual)));
            if vanished || appeared || actuals.len() > plans.len() {
                problems.push(format!(
                    "{path}: planned set element does not correlate with any element in actual"
                ));
            }
        }
        (Value::List(plans), Value::List(actuals)) => {
            for (position, planned) in plans.iter().enumerate() {
                let path = format!("{path}[{position}]");
                match actuals.get(position) {
                    Some(actual) => {
                        compatible(&path, element_type(ty, position), planned, actual, problems);
                    }
                    None => problems.push(format!("{path}: element has vanished")),
                }
            }
            for position in plans.len()..actuals.len() {
                problems.push(format!("{path}[{position}]: new element has appeared"));
            }
        }
        (Value::Map(plans), Value::Map(actuals)) => {
            for (key, planned) in plans {
                let path = format!("{path}.{key}");
                match actuals.get(key) {
                    Some(actual) => {
                        compatible(&path, member_type(ty, key), planned, actual, problems);
                    }
                    None => problems.push(format!("{path}: element has vanished")),
                }
            }
            for key in actuals.keys().filter(|key| !plans.contains_key(*key)) {
                problems.push(format!("{path}.{key}: new element has appeared"));
            }
        }
        _ if same(planned, actual, ty) => {}
        _ => problems.push(format!(
            "{path}: was {}, but now {}",
            planned.to_json(),
            actual.to_json()
        )),
    }
}

/// Write-only attributes that hold a value where none may be stored.
pub fn write_only(path: &str, block: &Block, value: &Value, problems: &mut Vec<String>) {
    write_only_attributes(path, &block.attributes, value, problems);
    for (name, (_, inner)) in &block.blocks {
        let path = format!("{path}.{name}");
        match value.member(name) {
            Value::List(items) => items
                .iter()
                .for_each(|item| write_only(&path, inner, item, problems)),
            item @ Value::Map(_) => write_only(&path, inner, item, problems),
            _ => {}
        }
    }
}

fn write_only_attributes(
    path: &str,
    attributes: &BTreeMap<String, Attribute>,
    value: &Value,
    problems: &mut Vec<String>,
) {
    for (name, attribute) in attributes {
        let path = format!("{path}.{name}");
        let value = value.member(name);
        if attribute.write_only && !matches!(value, Value::Null) {
            problems.push(format!("{path}: write-only attribute has a value"));
        }
        let Some((nesting, members)) = &attribute.nested else {
            continue;
        };
        match (nesting, value) {
            (Nesting::Single | Nesting::Group, _) => {
                write_only_attributes(&path, members, value, problems);
            }
            (_, Value::List(items)) => {
                for item in items {
                    write_only_attributes(&path, members, item, problems);
                }
            }
            (_, Value::Map(items)) => {
                for item in items.values() {
                    write_only_attributes(&path, members, item, problems);
                }
            }
            _ => {}
        }
    }
}
