//! What to render: charts, with their defaults, their CI values, flipped booleans.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use helm::Chart;
use serde_json::{Map, Value};

use crate::Arguments;

/// One chart with one set of values.
pub struct Case {
    pub chart: PathBuf,
    /// The name in reports.
    pub label: String,
    pub values: Option<PathBuf>,
}

/// Folders with a `Chart.yaml` and archives, but not the charts inside charts.
pub fn find(folder: &Path, charts: &mut Vec<PathBuf>) -> Result<(), String> {
    if folder.join("Chart.yaml").is_file() {
        charts.push(folder.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            find(&path, charts)?;
        } else if path.extension().is_some_and(|extension| extension == "tgz") {
            charts.push(path);
        }
    }
    Ok(())
}

pub fn add(
    chart: &Path,
    arguments: &Arguments,
    scratch: &Path,
    cases: &mut Vec<Case>,
) -> Result<(), String> {
    let name = chart
        .strip_prefix(&arguments.folder)
        .or_else(|_| chart.strip_prefix(scratch.join("vendored")))
        .unwrap_or(chart)
        .display()
        .to_string();
    let mut add = |label: String, values: Option<PathBuf>| {
        cases.push(Case {
            chart: chart.to_owned(),
            label,
            values,
        });
    };
    add(name.clone(), None);
    if arguments.values.is_some() {
        let ci = chart.join("ci");
        let mut files: Vec<PathBuf> = fs::read_dir(&ci)
            .map(|entries| entries.filter_map(|e| e.ok().map(|e| e.path())).collect())
            .unwrap_or_default();
        files.retain(|f| f.extension().is_some_and(|e| e == "yaml" || e == "yml"));
        files.sort();
        for file in files {
            let base = file.file_name().unwrap_or_default().to_string_lossy();
            add(format!("{name} with ci/{base}"), Some(file.clone()));
        }
    }
    if let Some(seed) = arguments.flip {
        let Ok(loaded) = Chart::load(chart) else {
            return Ok(());
        };
        let flags = flags(&Value::Object(loaded.values.clone()));
        let mut random = Random(seed ^ 0x9E37_79B9_7F4A_7C15 ^ hash(&name));
        for round in 0..7 {
            let mut tree = Map::new();
            for (path, value) in &flags {
                let last = path.last().map_or("", String::as_str);
                let flipped = match round {
                    0 => matches!(last, "enabled" | "create").then_some(true),
                    1 => Some(false),
                    _ => random.bit().then_some(!value),
                };
                if let Some(flipped) = flipped {
                    put(&mut tree, path, flipped);
                }
            }
            let folder = scratch.join("flips");
            fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
            let file = folder.join(format!("{:016x}-{round}.yaml", hash(&name)));
            fs::write(&file, Value::Object(tree).to_string()).map_err(|e| e.to_string())?;
            add(format!("{name} flipped {seed}/{round}"), Some(file));
        }
    }
    Ok(())
}

fn flags(values: &Value) -> Vec<(Vec<String>, bool)> {
    fn walk(value: &Value, path: &mut Vec<String>, all: &mut Vec<(Vec<String>, bool)>) {
        match value {
            Value::Bool(value) => all.push((path.clone(), *value)),
            Value::Object(map) => {
                let sorted: BTreeMap<&String, &Value> = map.iter().collect();
                for (key, value) in sorted {
                    path.push(key.clone());
                    walk(value, path, all);
                    path.pop();
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(values, &mut Vec::new(), &mut all);
    all
}

fn put(tree: &mut Map<String, Value>, path: &[String], value: bool) {
    match path {
        [] => {}
        [last] => {
            tree.insert(last.clone(), value.into());
        }
        [first, rest @ ..] => {
            let inner = tree
                .entry(first.clone())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// Splitmix: the same flips for the same seed everywhere.
struct Random(u64);

impl Random {
    fn bit(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) & 1 == 1
    }
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
