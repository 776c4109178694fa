//! The user's values from all the places Helm takes them from.

use serde_json::{Map, Value};

use super::set::{Kind, apply, floats};
use super::{literal, merge_maps, read};

/// Why the user's values cannot be read. The texts hold no values: they may be secrets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A values file.
    #[error("failed to parse {name}: {reason}")]
    File {
        /// The file's name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A `--set` line of some kind.
    #[error("failed parsing --{flag} data: {reason}")]
    Set {
        /// `set`, `set-string`, ...
        flag: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// Values files and `--set` lines. Whatever the order of the calls, files come first, then
/// `--set-json`, `--set`, `--set-string`, `--set-file`, `--set-literal`, as in Helm.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<(String, Vec<u8>)>,
    trees: Vec<Map<String, Value>>,
    json: Vec<String>,
    typed: Vec<String>,
    text: Vec<String>,
    contents: Vec<String>,
    literal: Vec<String>,
}

impl Sources {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// A values file (`-f`); `name` is for errors.
    pub fn file(mut self, name: impl Into<String>, yaml: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.into(), yaml.into()));
        self
    }

    /// Values that are already a tree; they come after the files. Numbers keep their kind: an
    /// integer prints as `--set` integers do.
    pub fn tree(mut self, tree: Map<String, Value>) -> Self {
        self.trees.push(tree);
        self
    }

    /// `--set-json`: `key=JSON,...` or one JSON object.
    pub fn set_json(mut self, line: impl Into<String>) -> Self {
        self.json.push(line.into());
        self
    }

    /// `--set`: `key=value,...` with typed values.
    pub fn set(mut self, line: impl Into<String>) -> Self {
        self.typed.push(line.into());
        self
    }

    /// `--set-string`: every value is text.
    pub fn set_string(mut self, line: impl Into<String>) -> Self {
        self.text.push(line.into());
        self
    }

    /// `--set-file`: `key=path,...`, the values are the files' texts.
    pub fn set_file(mut self, line: impl Into<String>) -> Self {
        self.contents.push(line.into());
        self
    }

    /// `--set-literal`: `key=value`, nothing in the value is special.
    pub fn set_literal(mut self, line: impl Into<String>) -> Self {
        self.literal.push(line.into());
        self
    }

    /// All of it merged; `--set-file` reads from the file system.
    ///
    /// # Errors
    ///
    /// The first source that cannot be read.
    pub fn merge(&self) -> Result<Map<String, Value>, Error> {
        self.merge_with(&|path| {
            std::fs::read_to_string(path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => format!("open {path}: no such file or directory"),
                _ => format!("open {path}: {error}"),
            })
        })
    }

    /// All of it merged; `read_file` gives the text of a `--set-file` path.
    ///
    /// # Errors
    ///
    /// The first source that cannot be read.
    pub fn merge_with(
        &self,
        read_file: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Map<String, Value>, Error> {
        let mut values = Map::new();
        for (name, yaml) in &self.files {
            let tree = read(yaml).map_err(|reason| Error::File {
                name: name.clone(),
                reason,
            })?;
            merge_maps(&mut values, tree);
        }
        for tree in &self.trees {
            merge_maps(&mut values, tree.clone());
        }
        for line in &self.json {
            json(line, &mut values).map_err(|reason| Error::Set {
                flag: "set-json",
                reason,
            })?;
        }
        for (flag, kind, lines) in [
            ("set", Kind::Typed, &self.typed),
            ("set-string", Kind::Text, &self.text),
            ("set-file", Kind::File(read_file), &self.contents),
        ] {
            for line in lines {
                apply(line, &kind, &mut values).map_err(|reason| Error::Set { flag, reason })?;
            }
        }
        for line in &self.literal {
            literal::apply(line, &mut values).map_err(|reason| Error::Set {
                flag: "set-literal",
                reason,
            })?;
        }
        Ok(values)
    }
}

fn json(line: &str, values: &mut Map<String, Value>) -> Result<(), String> {
    let trimmed = line.trim();
    if !trimmed.starts_with('{') {
        return apply(line, &Kind::Json, values);
    }
    let tree = serde_json::from_str::<Value>(trimmed)
        .map_err(|e| format!("invalid JSON at line {} column {}", e.line(), e.column()))?;
    if let Value::Object(map) = floats(tree) {
        merge_maps(values, map);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn later_kinds_win_over_earlier_ones() {
        let values = Sources::new()
            .set_literal("e=5")
            .set_file("d=x,e=x")
            .set_string("c=3,d=3")
            .set("b=2,c=2")
            .set_json("{\"a\": 1, \"b\": 1}")
            .set_json("f.g=[1]")
            .merge_with(&|path| Ok(format!("file {path}")))
            .expect("sound values");
        assert_eq!(
            Value::Object(values),
            json!({"a": 1.0, "b": 2, "c": "3", "d": "file x", "e": "5", "f": {"g": [1.0]}})
        );
    }

    #[test]
    fn an_error_names_the_flag_and_no_value() {
        let error = Sources::new()
            .set_json("password={\"hunter2\"")
            .merge()
            .expect_err("broken JSON")
            .to_string();
        assert!(
            error.starts_with("failed parsing --set-json data"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}
