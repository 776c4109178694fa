//! URLs as Go's net/url takes them apart and puts them together, and host names.

use std::net::ToSocketAddrs as _;

use super::quote::quote;
use super::{Answer, Function, fixed, map, text};
use crate::template::{Fault, Run};
use crate::value::{Entries, Map, Str, Type, Value};

pub(super) static TABLE: &[Function] = &[
    fixed("urlParse", &[Type::Str], |_, a| {
        let url = Url::parse(&text(a, 0))
            .map_err(|error| Fault::new(format!("unable to parse url: {error}")))?;
        Ok(Value::map(url.entries()))
    }),
    fixed("urlJoin", &[Type::Map], |_, a| join(&map(a, 0))),
    fixed("getHostByName", &[Type::Str], |run, a| {
        Ok(host(run, &text(a, 0)))
    }),
];

fn host(run: &Run<'_>, name: &Str) -> Value {
    if !run.env.dns {
        return Value::str("");
    }
    run.env.touch(|volatile| volatile.dns = true);
    let name = name.lossy().into_owned();
    let found = (name.as_str(), 0)
        .to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next());
    Value::str(found.map_or_else(String::new, |address| address.ip().to_string()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    User,
    Fragment,
}

#[derive(Default)]
struct Url {
    scheme: Vec<u8>,
    opaque: Vec<u8>,
    user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    host: Vec<u8>,
    path: Vec<u8>,
    query: Vec<u8>,
    fragment: Vec<u8>,
}

fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == at) {
        Some(position) => (&text[..position], Some(&text[position + 1..])),
        None => (text, None),
    }
}

fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'%' {
            if part == Part::Host && text[at] < 0x80 && should_escape(text[at], part) {
                let shown = quote(&text[at..=at]);
                return Err(format!("invalid character {shown} in host name"));
            }
            out.push(text[at]);
            at += 1;
            continue;
        }
        let digits = text
            .get(at + 1..at + 3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|d| u8::from_str_radix(d, 16).ok())
        {
            Some(byte) => out.push(byte),
            None => {
                let end = (at + 3).min(text.len());
                return Err(format!("invalid URL escape {}", quote(&text[at..end])));
            }
        }
        at += 3;
    }
    Ok(out)
}

fn should_escape(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    if part == Part::Host {
        return !b"!$&'()*+,;=:[]<>\"".contains(&byte);
    }
    if b"$&+,/:;=?@".contains(&byte) {
        return match part {
            Part::Path => byte == b'?',
            Part::User => b"@/?:".contains(&byte),
            _ => false,
        };
    }
    !(part == Part::Fragment && b"!()*".contains(&byte))
}

fn escape(text: &[u8], part: Part, out: &mut Vec<u8>) {
    for byte in text {
        if should_escape(*byte, part) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
}

impl Url {
    fn parse(text: &[u8]) -> Result<Self, String> {
        let fail = |message: String| format!("parse {}: {message}", quote(text));
        if text.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
            return Err(fail("net/url: invalid control character in URL".to_owned()));
        }
        let (rest, fragment) = cut(text, b'#');
        let mut url = Self::without_fragment(rest)
            .map_err(|message| format!("parse {}: {message}", quote(rest)))?;
        if let Some(fragment) = fragment {
            url.fragment = unescape(fragment, Part::Fragment).map_err(fail)?;
        }
        Ok(url)
    }

    fn without_fragment(text: &[u8]) -> Result<Self, String> {
        let mut url = Self::default();
        if text == b"*" {
            url.path = b"*".to_vec();
            return Ok(url);
        }
        let mut rest = text;
        for (at, byte) in text.iter().enumerate() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' => {}
                b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
                b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
                b':' => {
                    url.scheme = text[..at].to_ascii_lowercase();
                    rest = &text[at + 1..];
                    break;
                }
                _ => break,
            }
        }
        let (before, query) = cut(rest, b'?');
        url.query = query.unwrap_or_default().to_vec();
        let mut rest = before;
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        if (!url.scheme.is_empty() || !rest.starts_with(b"///")) && rest.starts_with(b"//") {
            let end = rest[2..]
                .iter()
                .position(|byte| *byte == b'/')
                .map_or(rest.len(), |at| at + 2);
            url.authority(&rest[2..end])?;
            rest = &rest[end..];
        }
        url.path = unescape(rest, Part::Path)?;
        Ok(url)
    }

    fn authority(&mut self, text: &[u8]) -> Result<(), String> {
        let host = match text.iter().rposition(|byte| *byte == b'@') {
            None => text,
            Some(at) => {
                let user = &text[..at];
                let valid = |byte: &u8| {
                    byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte)
                };
                if !user.iter().all(valid) {
                    return Err("net/url: invalid userinfo".to_owned());
                }
                let (name, password) = cut(user, b':');
                let password = password
                    .map(|password| unescape(password, Part::User))
                    .transpose()?;
                self.user = Some((unescape(name, Part::User)?, password));
                &text[at + 1..]
            }
        };
        let port = if host.starts_with(b"[") {
            let close = host.iter().rposition(|byte| *byte == b']');
            &host[close.ok_or("missing ']' in host")? + 1..]
        } else {
            host.iter()
                .rposition(|byte| *byte == b':')
                .map_or(&host[host.len()..], |at| &host[at..])
        };
        let valid =
            port.is_empty() || (port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit));
        if !valid {
            return Err(format!("invalid port {} after host", quote(port)));
        }
        self.host = unescape(host, Part::Host)?;
        Ok(())
    }

    fn hostname(&self) -> Vec<u8> {
        let digits = self
            .host
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let end = self.host.len() - digits;
        let host = if end > 0 && self.host[end - 1] == b':' {
            &self.host[..end - 1]
        } else {
            &self.host
        };
        host.strip_prefix(b"[")
            .and_then(|host| host.strip_suffix(b"]"))
            .unwrap_or(host)
            .to_vec()
    }

    fn userinfo(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some((name, password)) = &self.user {
            escape(name, Part::User, &mut out);
            if let Some(password) = password {
                out.push(b':');
                escape(password, Part::User, &mut out);
            }
        }
        out
    }

    fn entries(self) -> Entries {
        let (hostname, userinfo) = (self.hostname(), self.userinfo());
        [
            ("scheme", self.scheme),
            ("host", self.host),
            ("hostname", hostname),
            ("path", self.path),
            ("query", self.query),
            ("opaque", self.opaque),
            ("fragment", self.fragment),
            ("userinfo", userinfo),
        ]
        .into_iter()
        .map(|(key, value)| (Str::from(key), Value::str(value)))
        .collect()
    }

    fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.hierarchy(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            escape(&self.fragment, Part::Fragment, &mut out);
        }
        out
    }

    fn hierarchy(&self, out: &mut Vec<u8>) {
        if !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some() {
            if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
                out.extend_from_slice(b"//");
            }
            if self.user.is_some() {
                out.extend_from_slice(&self.userinfo());
                out.push(b'@');
            }
            escape(&self.host, Part::Host, out);
        }
        let mut path = Vec::new();
        if self.path == b"*" {
            path.push(b'*');
        } else {
            escape(&self.path, Part::Path, &mut path);
        }
        if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
            out.push(b'/');
        }
        if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.append(&mut path);
    }
}

fn join(parts: &Map) -> Answer {
    let part = |key: &str| match parts.get(key.as_bytes()) {
        None => Ok(Vec::new()),
        Some(Value::Str(text)) => Ok(text.to_vec()),
        Some(value) if value.is_nil() => Err(Fault::new(
            "runtime error: invalid memory address or nil pointer dereference",
        )),
        Some(other) => Err(Fault::new(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            other.kind_name()
        ))),
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user: None,
    };
    let userinfo = part("userinfo")?;
    if !userinfo.is_empty() {
        let source = [b"proto://", userinfo.as_slice(), b"@host"].concat();
        let parsed = Url::parse(&source)
            .map_err(|error| Fault::new(format!("unable to parse userinfo in dict: {error}")))?;
        url.user = parsed.user;
    }
    Ok(Value::str(url.text()))
}
