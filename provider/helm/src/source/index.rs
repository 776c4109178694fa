//! `index.yaml` of an HTTP repository. Indexes of tens of megabytes exist: only the part of the
//! wanted chart is read.

use serde_json::Value;

use super::Error;
use super::versions::{choose, newest};
use crate::yaml;

/// The versions of one chart.
pub(super) struct Entries {
    chart: String,
    repository: String,
    versions: Vec<Entry>,
}

/// One version.
pub(super) struct Entry {
    version: String,
    /// Where its archive is; the first that answers counts.
    pub(super) urls: Vec<String>,
    /// SHA-256 of the archive, when the index tells.
    pub(super) digest: Option<String>,
}

impl Entries {
    pub(super) fn of(index: &[u8], chart: &str, repository: &str) -> Result<Self, Error> {
        let broken = |reason: String| Error::Answer {
            url: repository.to_owned(),
            reason: format!("its index cannot be read: {reason}"),
        };
        let text = std::str::from_utf8(index).map_err(|error| broken(error.to_string()))?;
        let found = match slice(text, chart) {
            Some(part) => yaml::decode_one(part.as_bytes())
                .map_err(|error| broken(error.to_string()))?
                .get(chart)
                .cloned(),
            // Another layout than the usual one: read all of it.
            None => yaml::decode_one(text.as_bytes())
                .map_err(|error| broken(error.to_string()))?
                .get("entries")
                .and_then(|entries| entries.get(chart))
                .cloned(),
        };
        let Some(Value::Array(list)) = found else {
            return Err(Error::NoChart {
                chart: chart.to_owned(),
                repository: repository.to_owned(),
            });
        };
        Ok(Self {
            chart: chart.to_owned(),
            repository: repository.to_owned(),
            versions: list.iter().filter_map(entry).collect(),
        })
    }

    pub(super) fn choose(&self, wanted: Option<&str>, devel: bool) -> Result<&Entry, Error> {
        let versions = || self.versions.iter().map(|entry| entry.version.as_str());
        choose(versions(), wanted, devel)
            .and_then(|version| self.versions.iter().find(|entry| entry.version == version))
            .ok_or_else(|| Error::NoVersion {
                chart: self.chart.clone(),
                wanted: wanted.unwrap_or("any stable version").to_owned(),
                repository: self.repository.clone(),
                newest: newest(versions()),
            })
    }
}

fn entry(value: &Value) -> Option<Entry> {
    if value.get("removed") == Some(&Value::Bool(true)) {
        return None;
    }
    let urls = value.get("urls")?.as_array()?;
    Some(Entry {
        version: crate::chart::scalar(value.get("version")?)?,
        urls: urls
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        digest: value
            .get("digest")
            .and_then(Value::as_str)
            .filter(|digest| !digest.is_empty())
            .map(str::to_owned),
    })
}

/// The lines of one chart below `entries:`, as a document of their own.
fn slice(text: &str, chart: &str) -> Option<String> {
    let mut lines = text
        .lines()
        .skip_while(|line| line.trim_end() != "entries:");
    lines.next()?;
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut part: Option<(usize, String)> = None;
    for line in lines {
        let blank = line.trim().is_empty();
        match &mut part {
            None => {
                let name = line
                    .trim()
                    .strip_suffix(':')
                    .map(|key| key.trim_matches(['"', '\'']));
                if indent(line) > 0 && name == Some(chart) {
                    part = Some((indent(line), format!("{}\n", line.trim_start())));
                }
            }
            Some((depth, text)) => {
                let item = line.trim_start().starts_with("- ");
                if !blank && (indent(line) < *depth || (indent(line) == *depth && !item)) {
                    break;
                }
                text.push_str(line.get(*depth..).unwrap_or_default());
                text.push('\n');
            }
        }
    }
    part.map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  other:\n  - version: 9.0.0\n    urls: [o.tgz]\n  web:\n  - name: web\n    version: 1.2.0\n    description: |\n      web:\n      text\n    urls:\n    - web-1.2.0.tgz\n    digest: abc\n  - version: 2.0.0-rc.1\n    urls: [web-2.tgz]\n  - version: 1.10.0\n    urls: [web-1.10.0.tgz]\n  - version: 0.1.0\n    removed: true\n    urls: [x]\ngenerated: now\n";

    #[test]
    fn only_the_wanted_chart_is_read() {
        let part = slice(INDEX, "web").expect("the usual layout");
        assert!(part.starts_with("web:\n- name: web\n") && !part.contains("9.0.0"));
        assert!(!part.contains("generated"));
        assert!(slice(INDEX, "text").is_none());
    }

    #[test]
    fn versions_are_chosen_as_helm_chooses() {
        let entries = Entries::of(INDEX.as_bytes(), "web", "r").expect("a sound index");
        let pick = |wanted, devel| entries.choose(wanted, devel).map(|e| e.version.clone());
        assert_eq!(pick(None, false).expect("a version"), "1.10.0");
        assert_eq!(pick(None, true).expect("a version"), "2.0.0-rc.1");
        assert_eq!(pick(Some("1.2.0"), false).expect("a version"), "1.2.0");
        assert_eq!(pick(Some("~1.2"), false).expect("a version"), "1.2.0");
        let error = pick(Some("0.1.0"), false).expect_err("removed").to_string();
        assert!(
            error.contains("newest versions there: 2.0.0-rc.1, 1.10.0, 1.2.0"),
            "{error}"
        );
        assert!(matches!(
            Entries::of(INDEX.as_bytes(), "none", "r").err(),
            Some(Error::NoChart { .. })
        ));
    }

    #[test]
    fn an_index_in_json_is_read_too() {
        let index = r#"{"entries": {"web": [{"version": "1.0.0", "urls": ["a"]}]}}"#;
        let entries = Entries::of(index.as_bytes(), "web", "r").expect("a sound index");
        assert_eq!(entries.choose(None, false).expect("a version").urls, ["a"]);
    }
}
