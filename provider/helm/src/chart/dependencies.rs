//! Which subcharts take part, under which names, and what of their values moves up.

use std::collections::BTreeSet;

use serde_json::Value as Tree;

use super::{Chart, Dependency, ImportValues};
use crate::semver::{Constraint, Version};
use crate::template::marks;
use crate::value::{Entries, Map, Value};
use crate::values::{Warnings, coalesce, deep_copy, lookup, merge, merge_template_tables, to_tree};

/// Settles the whole tree: aliases, tags, conditions, then imported values. Disabled charts are
/// gone afterwards.
///
/// # Errors
///
/// Values that do not fit the subcharts.
pub(crate) fn process(
    chart: &mut Chart,
    values: &Map,
    warnings: &mut Warnings,
) -> Result<(), String> {
    enable(chart, values, "", warnings)?;
    import(chart, warnings)
}

/// Whether `version` lies in `constraint`; neither needs to be sound.
pub(crate) fn compatible(constraint: &str, version: &str) -> bool {
    match (Version::parse(version), Constraint::parse(constraint)) {
        (Ok(version), Ok(constraint)) => constraint.check(&version),
        _ => false,
    }
}

fn enable(
    chart: &mut Chart,
    values: &Map,
    path: &str,
    warnings: &mut Warnings,
) -> Result<(), String> {
    if !chart.metadata.declares_dependencies {
        return Ok(());
    }
    let present = std::mem::take(&mut chart.dependencies);
    let declared = &mut chart.metadata.dependencies;
    let wants = |wanted: &Dependency, present: &Chart| {
        present.name() == wanted.name && compatible(&wanted.version, &present.metadata.version)
    };
    // What nobody declares is there all the same, and cannot be switched off.
    let mut all: Vec<Chart> = present
        .iter()
        .filter(|present| !declared.iter().any(|wanted| wants(wanted, present)))
        .cloned()
        .collect();
    for wanted in declared.iter_mut() {
        if let Some(found) = present.iter().find(|present| wants(wanted, present)) {
            let mut found = found.clone();
            if !wanted.alias.is_empty() {
                found.metadata.name.clone_from(&wanted.alias);
            }
            all.push(found);
        }
        if !wanted.alias.is_empty() {
            wanted.name.clone_from(&wanted.alias);
        }
        wanted.enabled = true;
    }
    chart.dependencies = all;

    let values = coalesce(chart, values, warnings)?;
    let declared = &mut chart.metadata.dependencies;
    tags(declared, &values, warnings)?;
    conditions(declared, &values, path, warnings)?;
    let off: BTreeSet<String> = declared
        .iter()
        .filter(|dependency| !dependency.enabled)
        .map(|dependency| dependency.name.clone())
        .collect();
    declared.retain(|dependency| !off.contains(&dependency.name));
    chart.metadata.declares_dependencies = !declared.is_empty();
    chart.dependencies.retain(|sub| !off.contains(sub.name()));
    for subchart in &mut chart.dependencies {
        let path = format!("{path}{}.", subchart.name());
        enable(subchart, &values, &path, warnings)?;
    }
    Ok(())
}

fn tags(declared: &mut [Dependency], values: &Map, warnings: &mut Warnings) -> Result<(), String> {
    let Some(Value::Map(switches)) = values.get(b"tags") else {
        return Ok(());
    };
    for dependency in declared {
        let (mut on, mut off) = (false, false);
        for tag in &dependency.tags {
            match switches.get(tag.as_bytes()) {
                Some(Value::Bool(true)) => on = true,
                Some(Value::Bool(false)) => off = true,
                Some(other) if marks::direct(&other).unknown => {
                    return Err(format!(
                        "tag {tag} of dependency {} is not known yet",
                        dependency.name
                    ));
                }
                Some(_) => warnings.push(format!(
                    "tag {tag} of dependency {} is no boolean",
                    dependency.name
                )),
                None => {}
            }
        }
        dependency.enabled = on || !off;
    }
    Ok(())
}

fn conditions(
    declared: &mut [Dependency],
    values: &Map,
    path: &str,
    warnings: &mut Warnings,
) -> Result<(), String> {
    for dependency in declared {
        for condition in dependency.condition.trim().split(',') {
            if condition.is_empty() {
                continue;
            }
            match lookup(values, &format!("{path}{condition}")) {
                Some(Value::Bool(enabled)) => {
                    dependency.enabled = enabled;
                    break;
                }
                None | Some(Value::Map(_)) => {}
                Some(other) if marks::direct(&other).unknown => {
                    return Err(format!(
                        "condition {condition} of dependency {} is not known yet",
                        dependency.name
                    ));
                }
                Some(_) => warnings.push(format!(
                    "condition {condition} of dependency {} is no boolean",
                    dependency.name
                )),
            }
        }
    }
    Ok(())
}

/// Deepest first; what is imported ranks below the chart's own values.
fn import(chart: &mut Chart, warnings: &mut Warnings) -> Result<(), String> {
    for subchart in &mut chart.dependencies {
        import(subchart, warnings)?;
    }
    if !chart.metadata.declares_dependencies {
        return Ok(());
    }
    let own = merge(chart, &Map::any(Entries::new()), warnings)?;
    let imported = Map::any(Entries::new());
    for dependency in &mut chart.metadata.dependencies {
        dependency
            .import_values
            .retain(|import| !matches!(import, ImportValues::Other(_)));
        for wanted in &mut dependency.import_values {
            let (child, parent) = match wanted {
                ImportValues::Export(name) => (format!("exports.{name}"), ".".to_owned()),
                ImportValues::Table { child, parent } => (child.clone(), parent.clone()),
                ImportValues::Other(_) => continue,
            };
            match lookup(&own, &format!("{}.{child}", dependency.name)) {
                Some(Value::Map(table)) => {
                    merge_template_tables(&imported, &below(&parent, table), warnings);
                }
                _ => warnings.push(format!(
                    "import-values of {}: the chart has no table {child}",
                    dependency.name
                )),
            }
            *wanted = ImportValues::Table { child, parent };
        }
    }
    let Value::Map(own) = deep_copy(&Value::Map(own)) else {
        return Ok(());
    };
    merge_template_tables(&own, &imported, warnings);
    chart.values = to_tree(&own);
    Ok(())
}

/// `table` under the dotted path `parent`.
fn below(parent: &str, table: Map) -> Map {
    if parent == "." {
        return table;
    }
    parent.rsplit('.').fold(table, |inner, name| {
        Map::any(Entries::from([(name.into(), Value::Map(inner))]))
    })
}

impl ImportValues {
    /// The form in `.Chart.Dependencies`.
    pub(crate) fn tree(&self) -> Tree {
        match self {
            Self::Export(name) => name.clone().into(),
            Self::Table { child, parent } => {
                serde_json::json!({"child": child, "parent": parent})
            }
            Self::Other(value) => value.clone(),
        }
    }
}
