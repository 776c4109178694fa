//! Reading YAML streams: patches of users and configurations that nodes hold.

use granit_parser::{Event, Options, Parser, ScalarStyle, Span};
use thiserror::Error;

use super::{Map, Yaml};

/// Nesting beyond this is an attack or an accident.
const DEEPEST: usize = 64;

/// Why a text is not YAML that can be used. The content is not repeated: it may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum YamlError {
    /// The syntax is broken.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Line, from one.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Two entries of a mapping have one key.
    #[error("line {line}: the key {key:?} stands twice in one mapping")]
    DuplicateKey {
        /// Line, from one.
        line: usize,
        /// The key.
        key: String,
    },
}

/// The documents of a stream, empty ones left out.
///
/// # Errors
/// [`YamlError`] with the line. Anchors and aliases are refused: no machine configuration needs
/// them, and they make small texts expand without limit.
pub fn parse(text: &str) -> Result<Vec<Yaml>, YamlError> {
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, Options::default()),
        line: 1,
    };
    let mut documents = Vec::new();
    while let Some(event) = reader.next()? {
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            node => {
                let value = reader.value(node, 0)?;
                if value != Yaml::Null {
                    documents.push(value);
                }
            }
        }
    }
    Ok(documents)
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    line: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<Event<'a>>, YamlError> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => {
                    self.seen(&span);
                    return Ok(Some(event));
                }
                Some(Err(error)) => {
                    self.line = error.marker().line();
                    return Err(self.syntax("the YAML syntax is broken"));
                }
            }
        }
    }

    fn seen(&mut self, span: &Span) {
        self.line = span.start.line();
    }

    fn syntax(&self, reason: &'static str) -> YamlError {
        YamlError::Syntax {
            line: self.line,
            reason,
        }
    }

    fn value(&mut self, event: Event<'a>, depth: usize) -> Result<Yaml, YamlError> {
        if depth > DEEPEST {
            return Err(self.syntax("nested too deeply"));
        }
        match event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(_, anchor, _)
            | Event::MappingStart(_, anchor, _)
                if anchor != 0 =>
            {
                Err(self.syntax("anchors are not supported"))
            }
            Event::Scalar(text, ScalarStyle::Plain, _, None) => Ok(resolve(&text)),
            Event::Scalar(text, _, _, None) => Ok(Yaml::Text(text.into_owned())),
            Event::Scalar(text, _, _, Some(tag)) if tag.is_yaml_core_schema_tag("str") => {
                Ok(Yaml::Text(text.into_owned()))
            }
            Event::Scalar(..) => Err(self.syntax("tags are not supported")),
            Event::SequenceStart(..) => self.list(depth),
            Event::MappingStart(..) => self.map(depth),
            Event::Alias(_) => Err(self.syntax("aliases are not supported")),
            _ => Err(self.syntax("a value is missing")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Yaml, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Some(Event::SequenceEnd) => return Ok(Yaml::List(items)),
                Some(event) => items.push(self.value(event, depth + 1)?),
                None => return Err(self.syntax("a list does not end")),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Yaml, YamlError> {
        let mut map = Map::new();
        loop {
            let key = match self.next()? {
                Some(Event::MappingEnd) => return Ok(Yaml::Map(map)),
                Some(Event::Scalar(key, _, 0, _)) => key.into_owned(),
                Some(_) => return Err(self.syntax("a key is not plain text")),
                None => return Err(self.syntax("a mapping does not end")),
            };
            if map.get(&key).is_some() {
                return Err(YamlError::DuplicateKey {
                    line: self.line,
                    key,
                });
            }
            let event = self
                .next()?
                .ok_or_else(|| self.syntax("a value is missing"))?;
            let value = self.value(event, depth + 1)?;
            map.set(key, value);
        }
    }
}

/// What a plain scalar means, by the core schema of YAML 1.2.
pub(super) fn resolve(text: &str) -> Yaml {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Yaml::Null,
        "true" | "True" | "TRUE" => Yaml::Bool(true),
        "false" | "False" | "FALSE" => Yaml::Bool(false),
        number if is_number(number) => Yaml::Number(number.to_owned()),
        text => Yaml::Text(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str, radix: u32| {
        !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix))
    };
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal, 8);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return digits(hexadecimal, 16);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_ok = exponent
        .is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent), 10));
    let mantissa_ok = match mantissa.split_once('.') {
        None => digits(mantissa, 10),
        Some((whole, fraction)) => {
            (digits(whole, 10) || whole.is_empty())
                && (digits(fraction, 10) || fraction.is_empty())
                && !(whole.is_empty() && fraction.is_empty())
        }
    };
    mantissa_ok && exponent_ok
}
