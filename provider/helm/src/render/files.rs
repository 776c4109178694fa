//! `.Files`: the chart's other files as templates see them.

use std::any::Any;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use regex::bytes::Regex;

use crate::chart::File;
use crate::functions::print::print_bytes;
use crate::value::{Entries, List, Map, MapKind, Object, Signature, Str, Type, Value};
use crate::yaml;

/// Files by name.
#[derive(Clone, Default)]
pub(super) struct Files(BTreeMap<String, Bytes>);

impl Files {
    pub(super) fn new(files: &[File]) -> Self {
        Self(
            files
                .iter()
                .map(|file| (file.name.clone(), file.data.clone()))
                .collect(),
        )
    }

    fn glob(&self, pattern: &str) -> Self {
        let expression = glob_expression(pattern).and_then(|text| Regex::new(&text).ok());
        let Some(expression) = expression else {
            // Helm takes a pattern that it cannot read for "everything".
            return self.clone();
        };
        Self(
            self.0
                .iter()
                .filter(|(name, _)| expression.is_match(name.as_bytes()))
                .map(|(name, data)| (name.clone(), data.clone()))
                .collect(),
        )
    }

    fn base_names(&self, text: impl Fn(&Bytes) -> Str) -> Value {
        let entries: Entries = self
            .0
            .iter()
            .map(|(name, data)| {
                let base = name.rsplit('/').next().unwrap_or(name);
                (Str::from(base), Value::Str(text(data)))
            })
            .collect();
        let encoded = yaml::encode_value(&Value::Map(Map::new(MapKind::Str, entries)));
        Value::str(encoded.trim_end_matches('\n').to_owned())
    }

    fn lines(&self, name: &str) -> Value {
        let data = self.0.get(name).cloned().unwrap_or_default();
        if data.is_empty() {
            return Value::List(List::strings(Vec::<Str>::new()));
        }
        let text = data.strip_suffix(b"\n").unwrap_or(&data);
        Value::List(List::strings(text.split(|&byte| byte == b'\n')))
    }
}

impl Object for Files {
    fn type_name(&self) -> &'static str {
        "engine.files"
    }

    fn kind(&self) -> &'static str {
        "map"
    }

    fn method(&self, name: &str) -> Option<Signature> {
        match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(Signature::fixed(&[Type::Str])),
            "AsConfig" | "AsSecrets" => Some(Signature::fixed(&[])),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let argument = match args.first() {
            Some(Value::Str(text)) => text.lossy().into_owned(),
            _ => String::new(),
        };
        let data = || Str::from(&*self.0.get(&argument).cloned().unwrap_or_default());
        Ok(match name {
            "Get" => Value::Str(data()),
            "GetBytes" => Value::Bytes(data()),
            "Glob" => Value::Object(std::rc::Rc::new(self.glob(&argument))),
            "Lines" => self.lines(&argument),
            "AsConfig" => self.base_names(|data| Str::from(&**data)),
            "AsSecrets" => self.base_names(|data| STANDARD.encode(data).into()),
            other => return Err(format!("no method {other}")),
        })
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::map(
            self.0
                .iter()
                .map(|(name, data)| (Str::from(name), Value::Bytes(Str::from(&**data))))
                .collect(),
        ))
    }

    fn print(&self) -> String {
        let mut out = Vec::new();
        self.print_to(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn print_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"map[");
        for (index, (name, data)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            print_bytes(data, out);
        }
        out.push(b']');
    }

    fn json(&self) -> Value {
        Value::map(
            self.0
                .iter()
                .map(|(name, data)| (Str::from(name), Value::str(STANDARD.encode(data))))
                .collect(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A glob as a regular expression: `**` crosses slashes, `*` and `?` do not, `[...]`, `{a,b}`, `\`.
/// `None` when it is not sound.
fn glob_expression(pattern: &str) -> Option<String> {
    let mut text = "(?s-u)^".to_owned();
    let mut depth = 0_u32;
    let mut chars = pattern.chars().peekable();
    let literal = |text: &mut String, c: char| {
        let mut buffer = [0; 4];
        text.push_str(&regex::escape(c.encode_utf8(&mut buffer)));
    };
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                if chars.next_if_eq(&'*').is_some() {
                    text.push_str(".*");
                } else {
                    text.push_str("[^/]*");
                }
            }
            '?' => text.push_str("(?u:[^/])"),
            '\\' => literal(&mut text, chars.next()?),
            '{' => {
                depth += 1;
                text.push_str("(?:");
            }
            ',' if depth > 0 => text.push('|'),
            '}' if depth > 0 => {
                depth -= 1;
                text.push(')');
            }
            '[' => {
                text.push_str("(?u:[");
                if chars.next_if_eq(&'!').is_some() {
                    text.push('^');
                }
                let mut any = false;
                loop {
                    match chars.next()? {
                        ']' if any => break,
                        ']' => return None,
                        '-' if any => text.push('-'),
                        '\\' => literal(&mut text, chars.next()?),
                        other => literal(&mut text, other),
                    }
                    any = true;
                }
                text.push_str("])");
            }
            other => literal(&mut text, other),
        }
    }
    text.push('$');
    (depth == 0).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_helm() {
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("**.txt", "d/a.txt", true),
            ("d/**", "d/e/f", true),
            ("{a,b}.txt", "b.txt", true),
            ("[ab].txt", "c.txt", false),
            ("[!ab].txt", "c.txt", true),
            ("[a-c]?", "bé", true),
            ("a\\*", "a*", true),
        ] {
            let files = Files::new(&[File::new(name, "x")]);
            assert_eq!(
                !files.glob(pattern).0.is_empty(),
                expected,
                "{pattern} {name}"
            );
        }
        let files = Files::new(&[File::new("a", "x")]);
        assert!(
            !files.glob("[").0.is_empty(),
            "a broken pattern means everything"
        );
    }

    #[test]
    fn lines_lose_one_final_line_feed() {
        let files = Files::new(&[File::new("a", "x\ny\n\n")]);
        let Value::List(lines) = files.lines("a") else {
            panic!("lines are a list");
        };
        assert_eq!(lines.len(), 3);
        let Value::List(none) = files.lines("b") else {
            panic!("lines are a list");
        };
        assert!(none.is_empty());
    }
}
