//! What to ask, as a value. Sending is elsewhere.

use std::fmt;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::Call;

/// How to find what a write may have made, when its answer was lost. The API has no idempotency key
/// (OpenIaaS API, design advice).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handle {
    /// A VM by its name within a machine manager, confirmed by its MAC address.
    VmName(String),
    /// A disk by its name among the disks of its VM.
    DiskName(String),
    /// An adapter by its MAC address.
    AdapterMac(String),
    /// A tag by its key.
    TagKey(String),
    /// The object itself: read it again.
    Read,
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VmName(name) => write!(f, "VM {name:?}"),
            Self::DiskName(name) => write!(f, "disk {name:?}"),
            Self::AdapterMac(mac) => write!(f, "adapter {mac}"),
            Self::TagKey(key) => write!(f, "tag {key:?}"),
            Self::Read => f.write_str("the object"),
        }
    }
}

/// How the sender may treat an operation. Chosen next to the URL, read in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// A read that answers within seconds; repeated on transient faults.
    Read,
    /// A read that is known to hang now and then; repeated more often.
    SlowRead,
    /// One look of a loop that has its own patience; sent once.
    Poll,
    /// A write that makes something; sent once, and looked up by its handle when the answer is lost.
    Create {
        /// What to look for.
        find_by: Handle,
    },
    /// A write that changes something; sent once, the object is read again when the answer is lost.
    Update,
    /// A write that removes something; sent once, presence is read when the answer is lost.
    Delete,
    /// The exchange of credentials for a token; repeated like a read, it makes nothing.
    Login,
}

/// What a class allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Attempts at most. A write uses more than one only when it was surely not carried out.
    pub attempts: u32,
    /// Deadline of one attempt.
    pub deadline: Duration,
    /// Whether an attempt without a definite answer may have changed something.
    pub writes: bool,
}

impl Class {
    pub(crate) const fn rules(&self) -> Rules {
        let (attempts, seconds, writes) = match self {
            Self::Read => (5, 30, false),
            Self::SlowRead => (6, 30, false),
            Self::Poll => (1, 30, false),
            Self::Login => (4, 30, false),
            Self::Create { .. } | Self::Update | Self::Delete => (5, 120, true),
        };
        Rules {
            attempts,
            deadline: Duration::from_secs(seconds),
            writes,
        }
    }

    /// The name under which calls are counted.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::SlowRead => "slow read",
            Self::Poll => "poll",
            Self::Create { .. } => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Login => "login",
        }
    }
}

/// One call of the API that has not been made yet.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) template: &'static str,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) class: Class,
    pub(crate) right: &'static str,
    pub(crate) activity_limit: Duration,
}

impl Request {
    /// A read. Every `{}` of the template is replaced by the next argument, percent-encoded.
    pub(crate) fn get(template: &'static str, arguments: &[&str]) -> Self {
        Self::new(Method::GET, template, arguments, Class::Read)
    }

    pub(crate) fn post(template: &'static str, arguments: &[&str], class: Class) -> Self {
        Self::new(Method::POST, template, arguments, class)
    }

    pub(crate) fn patch(template: &'static str, arguments: &[&str]) -> Self {
        Self::new(Method::PATCH, template, arguments, Class::Update)
    }

    pub(crate) fn delete(template: &'static str, arguments: &[&str]) -> Self {
        Self::new(Method::DELETE, template, arguments, Class::Delete)
    }

    fn new(method: Method, template: &'static str, arguments: &[&str], class: Class) -> Self {
        let mut path = String::with_capacity(template.len() + 40);
        let mut arguments = arguments.iter();
        for (index, piece) in template.split("{}").enumerate() {
            if index > 0 {
                let argument = arguments.next();
                encode(argument.expect("one argument for each {}"), &mut path);
            }
            path.push_str(piece);
        }
        Self {
            method,
            template,
            path,
            query: Vec::new(),
            body: None,
            class,
            right: "compute_iaas_opensource_read",
            activity_limit: Duration::from_mins(10),
        }
    }

    pub(crate) fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    pub(crate) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// The right that a refusal (403) most probably misses.
    pub(crate) fn needs(mut self, right: &'static str) -> Self {
        self.right = right;
        self
    }

    /// How long the activity that the call starts may take.
    pub(crate) fn takes_up_to(mut self, minutes: u64) -> Self {
        self.activity_limit = Duration::from_mins(minutes);
        self
    }

    /// Method and path, for messages.
    pub fn call(&self) -> Call {
        Call {
            method: self.method.to_string(),
            path: self.path.clone(),
        }
    }

    /// The path with `{}` in the place of identifiers: the name under which calls are counted.
    pub const fn template(&self) -> &'static str {
        self.template
    }

    /// How the sender will treat it.
    pub const fn operation(&self) -> &Class {
        &self.class
    }
}

impl fmt::Debug for Request {
    /// Everything but the body's secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut body = self.body.clone();
        if let Some(body) = &mut body {
            if let Some(config) = body.pointer_mut("/cloudInit/cloudConfig") {
                *config = Value::from(secret::MASK);
            }
            if let Some(secret) = body.get_mut("secret") {
                *secret = Value::from(secret::MASK);
            }
        }
        let body = body.map(|body| body.to_string());
        f.debug_struct("Request")
            .field("method", &self.method.as_str())
            .field("path", &self.path)
            .field("query", &self.query)
            .field("class", &self.class)
            .field("body", &body)
            .finish_non_exhaustive()
    }
}

/// Percent-encodes all but the unreserved characters (RFC 3986, section 2.3).
fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            into.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(digit), 16).expect("below 16");
                into.push(digit.to_ascii_uppercase());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_encoded_into_the_path() {
        let request = Request::delete("/tag/v1/tags/resources/{}/keys/{}", &["vm-1", "a/b c"]);
        assert_eq!(request.path, "/tag/v1/tags/resources/vm-1/keys/a%2Fb%20c");
        assert_eq!(
            request.call().to_string(),
            "DELETE /tag/v1/tags/resources/vm-1/keys/a%2Fb%20c"
        );
    }

    #[test]
    fn a_printed_request_shows_no_secret() {
        let body = json!({"secret": "hunter2", "cloudInit": {"cloudConfig": "key: hunter2"}});
        let request = Request::post("/x", &[], Class::Login).body(body);
        let shown = format!("{request:?}");
        assert!(
            !shown.contains("hunter2") && shown.contains("[secret]"),
            "{shown}"
        );
    }
}
