//! Charts with their dependencies beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use helm::Chart;
use helm::semver::{Constraint, Version};
use serde_json::Value;

/// A chart that others may depend on.
struct Found<'a> {
    folder: &'a Path,
    version: String,
}

/// The charts found, by name: repositories have some in common.
type ByName<'a> = BTreeMap<String, Vec<Found<'a>>>;

/// The one of a version that fits, and of those the one that shares most of its path with `chart`.
fn nearest<'a>(chart: &Path, wanted: &Value, found: &ByName<'a>) -> Option<&'a Path> {
    let constraint = Constraint::parse(wanted["version"].as_str()?).ok();
    let fits = |found: &Found<'_>| {
        let version = Version::parse(&found.version).ok();
        constraint
            .as_ref()
            .zip(version)
            .is_some_and(|(constraint, version)| constraint.check(&version))
    };
    let shared = |other: &Path| {
        let pairs = chart.components().zip(other.components());
        pairs.take_while(|(a, b)| a == b).count()
    };
    let found = found.get(wanted["name"].as_str()?)?;
    // Of equals the first.
    let best = found
        .iter()
        .rev()
        .max_by_key(|found| (fits(found), shared(found.folder)));
    best.map(|found| found.folder)
}

/// Copies charts with the dependencies that can be had from each other; the rest is dropped.
pub fn vendor(charts: &[PathBuf], target: &Path) -> Result<Vec<PathBuf>, String> {
    let mut by_name = ByName::new();
    for chart in charts.iter().filter(|chart| chart.is_dir()) {
        if let Ok(loaded) = Chart::load(chart) {
            let same = by_name.entry(loaded.name().to_owned()).or_default();
            same.push(Found {
                folder: chart,
                version: loaded.metadata.version.clone(),
            });
        }
    }
    let mut copies = Vec::new();
    for (index, chart) in charts.iter().enumerate() {
        if chart.is_dir() {
            let name = chart.file_name().unwrap_or_default();
            let copy = target.join(format!("{index:04}")).join(name);
            vendor_one(chart, &copy, &by_name, 0)?;
            copies.push(copy);
        } else {
            copies.push(chart.clone());
        }
    }
    Ok(copies)
}

fn vendor_one(chart: &Path, copy: &Path, by_name: &ByName<'_>, depth: usize) -> Result<(), String> {
    copy_folder(chart, copy)?;
    let file = copy.join("Chart.yaml");
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let Ok(Value::Object(mut metadata)) = helm::yaml::decode_one(text.as_bytes()) else {
        return Ok(());
    };
    let Some(Value::Array(declared)) = metadata.get("dependencies").cloned() else {
        return Ok(());
    };
    let present = Chart::load(copy)
        .map(|c| c.dependencies)
        .unwrap_or_default();
    let mut kept = Vec::new();
    for dependency in declared.iter().cloned() {
        let name = dependency["name"].as_str().unwrap_or_default();
        if !present.iter().any(|chart| chart.name() == name) {
            let Some(source) = nearest(chart, &dependency, by_name).filter(|_| depth < 4) else {
                continue;
            };
            vendor_one(source, &copy.join("charts").join(name), by_name, depth + 1)?;
        }
        let mut dependency = dependency;
        // Heads of repositories move on; the constraint is not what is compared here.
        dependency["version"] = "*-0".into();
        kept.push(dependency);
    }
    if kept.len() == declared.len() && kept.iter().zip(&declared).all(|(a, b)| a == b) {
        return Ok(());
    }
    metadata.insert("dependencies".into(), Value::Array(kept));
    let _ = fs::remove_file(copy.join("Chart.lock"));
    fs::write(&file, Value::Object(metadata).to_string()).map_err(|error| error.to_string())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| error.to_string())?;
    let entries = fs::read_dir(from).map_err(|error| error.to_string())?;
    for entry in entries.filter_map(Result::ok) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else if source.is_file() {
            fs::copy(&source, &target).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
