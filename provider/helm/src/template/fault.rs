//! Errors while they travel outwards, and the form Helm gives them in the end.

use super::error::Error;

/// A failure inside an execution: its text, and the texts of what it wraps, outermost first.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    chain: Vec<String>,
}

impl Fault {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            chain: vec![text.into()],
        }
    }

    /// `text`, which contains the text of `cause`.
    pub(crate) fn wrap(text: String, cause: Self) -> Self {
        let mut chain = cause.chain;
        chain.insert(0, text);
        Self { chain }
    }

    pub(crate) fn text(&self) -> &str {
        self.chain.first().map_or("", String::as_str)
    }

    /// What the user reads: the message of `fail` and `required` alone with its place, otherwise the
    /// chain of places, each on lines of its own.
    pub(super) fn report(&self, file: &str) -> Error {
        let text = self.text();
        if !text.starts_with("template: ") || !text.contains(": executing ") {
            return Error::new(text);
        }
        let mut tokens = text.splitn(3, ": ").skip(1);
        let (Some(location), Some(rest)) = (tokens.next(), tokens.next()) else {
            return Error::new(format!("execution error in ({file}): {text}"));
        };
        if let Some(start) = rest.find(WARN_START)
            && let Some(end) = rest.rfind(WARN_END)
            && let Some(message) = rest.get(start + WARN_START.len()..end)
        {
            return Error::new(format!("execution error at ({location}): {message}"));
        }
        let mut places: Vec<Place> = Vec::new();
        for link in &self.chain {
            match Place::parse(link) {
                Some(place) => {
                    if places.last() != Some(&place) {
                        places.push(place);
                    }
                }
                None => return Error::new(text),
            }
        }
        let lines: String = places.iter().map(Place::lines).collect();
        Error::new(lines.trim())
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Box<Self>> for Fault {
    fn from(fault: Box<Self>) -> Self {
        *fault
    }
}

const WARN_START: &str = "HELM_ERR_START";
const WARN_END: &str = "HELM_ERR_END";

/// Marks the message of `fail` and `required`, which Helm shows alone.
pub(crate) fn warn(message: &str) -> Fault {
    Fault::new(format!("{WARN_START}{message}{WARN_END}"))
}

/// One link of a chain, taken apart as Helm does.
#[derive(PartialEq, Eq)]
struct Place {
    location: String,
    message: String,
    function: String,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Self {
                location: String::new(),
                message: text.to_owned(),
                function: String::new(),
            });
        }
        Self::executing(rest).or_else(|| Self::simple(rest))
    }

    fn executing(rest: &str) -> Option<Self> {
        let (location, after) = rest.split_once(": executing ")?;
        let after = after.strip_prefix('"')?;
        let (function, after) = after.split_once('"')?;
        let after = after.strip_prefix(" at <")?;
        let (context, message) = after.split_once(">: ")?;
        let message = message.split(" template:").next().unwrap_or(message);
        Some(Self {
            location: location.to_owned(),
            message: message.to_owned(),
            function: format!("executing \"{function}\" at <{context}>:"),
        })
    }

    fn simple(rest: &str) -> Option<Self> {
        let (location, message) = rest.rsplit_once(": ")?;
        let message = message.split(" template:").next().unwrap_or(message);
        Some(Self {
            location: location.to_owned(),
            message: message.to_owned(),
            function: String::new(),
        })
    }

    fn lines(&self) -> String {
        let mut out = String::new();
        for (text, indent) in [
            (&self.location, "\n  "),
            (&self.function, "\n    "),
            (&self.message, "\n"),
        ] {
            if !text.is_empty() {
                out.push_str(text);
                out.push_str(indent);
            }
        }
        out
    }
}

/// Helm's form of a parse error.
pub(super) fn parse_error(file: &str, text: &str) -> Error {
    let tokens: Vec<&str> = text.split(": ").collect();
    match tokens.as_slice() {
        [_, location, .., message] => Error::new(format!("parse error at ({location}): {message}")),
        [_, message] => Error::new(format!("parse error at ({message}): {message}")),
        _ => Error::new(format!("parse error in ({file}): {text}")),
    }
}
