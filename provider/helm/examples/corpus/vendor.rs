//! Charts with their dependencies beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use helm::Chart;
use serde_json::Value;

/// The charts found, by name: repositories have some in common.
type ByName<'a> = BTreeMap<String, Vec<&'a PathBuf>>;

/// The one that shares most of its path with `chart`.
fn nearest<'a>(chart: &Path, found: Option<&Vec<&'a PathBuf>>) -> Option<&'a PathBuf> {
    let shared = |other: &&&PathBuf| {
        let pairs = chart.components().zip(other.components());
        pairs.take_while(|(a, b)| a == b).count()
    };
    // Of equals the first.
    found?.iter().rev().max_by_key(shared).copied()
}

/// Copies charts with the dependencies that can be had from each other; the rest is dropped.
pub fn vendor(charts: &[PathBuf], target: &Path) -> Result<Vec<PathBuf>, String> {
    let mut by_name = ByName::new();
    for chart in charts.iter().filter(|chart| chart.is_dir()) {
        if let Ok(loaded) = Chart::load(chart) {
            let same = by_name.entry(loaded.name().to_owned()).or_default();
            same.push(chart);
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
            let Some(source) = nearest(chart, by_name.get(name)).filter(|_| depth < 4) else {
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
