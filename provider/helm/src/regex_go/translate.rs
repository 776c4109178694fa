//! A pattern of Go's as the `regex` crate takes it.

use std::fmt::Write as _;

use regex::bytes::Regex;

/// Repetitions beyond this are refused, as in Go.
const MAX_REPEAT: u32 = 1_000;

pub(super) struct Translator<'p> {
    source: &'p str,
    at: usize,
    out: String,
    /// Where each open parenthesis stood.
    groups: Vec<usize>,
    /// Whether something stands here that can be repeated, and where a repetition of it began.
    atom: bool,
    repeated: Option<usize>,
    /// The names of the groups that catch something.
    names: Vec<Option<String>>,
}

impl<'p> Translator<'p> {
    pub(super) fn new(source: &'p str) -> Self {
        Self {
            source,
            at: 0,
            out: String::with_capacity(source.len() + 16),
            groups: Vec::new(),
            atom: false,
            repeated: None,
            names: Vec::new(),
        }
    }

    fn rest(&self) -> &'p str {
        &self.source[self.at..]
    }

    /// The pattern, and the name of each group in it that catches something.
    pub(super) fn run(mut self) -> Result<(String, Vec<Option<String>>), String> {
        while let Some(char) = self.rest().chars().next() {
            let start = self.at;
            self.at += char.len_utf8();
            match char {
                '\\' => {
                    self.at = start;
                    self.escape()?;
                }
                '[' => {
                    self.at = start;
                    self.class()?;
                    self.set_atom();
                }
                '(' => self.group(start)?,
                ')' => {
                    if self.groups.pop().is_none() {
                        return Err(format!("unexpected ): `{}`", self.source));
                    }
                    self.out.push(')');
                    self.set_atom();
                }
                '|' => {
                    self.out.push('|');
                    self.atom = false;
                    self.repeated = None;
                }
                '*' | '+' | '?' => self.repetition(start, char.to_string())?,
                '{' => match self.counted(start)? {
                    Some(text) => self.repetition(start, text)?,
                    None => {
                        self.out.push_str(r"\{");
                        self.set_atom();
                    }
                },
                '}' => {
                    self.out.push_str(r"\}");
                    self.set_atom();
                }
                '^' | '$' | '.' => {
                    self.out.push(char);
                    self.set_atom();
                }
                _ => {
                    self.literal(char);
                }
            }
        }
        if self.groups.is_empty() {
            Ok((self.out, self.names))
        } else {
            Err(format!("missing closing ): `{}`", self.source))
        }
    }

    fn set_atom(&mut self) {
        self.atom = true;
        self.repeated = None;
    }

    fn literal(&mut self, char: char) {
        if char.is_ascii()
            && !char.is_ascii_alphanumeric()
            && !char.is_ascii_control()
            && char != ' '
        {
            self.out
                .push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
        } else {
            self.out.push(char);
        }
        self.set_atom();
    }

    fn repetition(&mut self, start: usize, text: String) -> Result<(), String> {
        if !self.atom {
            return Err(format!(
                "missing argument to repetition operator: `{}`",
                &self.source[start..self.at]
            ));
        }
        if let Some(begin) = self.repeated {
            return Err(format!(
                "invalid nested repetition operator: `{}`",
                &self.source[begin..self.at]
            ));
        }
        self.out.push_str(&text);
        if self.rest().starts_with('?') {
            self.at += 1;
            self.out.push('?');
        }
        self.repeated = Some(start);
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,5}`; anything else is a brace.
    fn counted(&mut self, start: usize) -> Result<Option<String>, String> {
        let Some(close) = self.rest().find('}') else {
            return Ok(None);
        };
        let inner = &self.rest()[..close];
        let (low, high) = match inner.split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (inner, None),
        };
        let is_number = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'))
        };
        if !is_number(low) || high.is_some_and(|high| !high.is_empty() && !is_number(high)) {
            return Ok(None);
        }
        self.at += close + 1;
        let low: u32 = low.parse().unwrap_or(u32::MAX);
        let top = high
            .filter(|high| !high.is_empty())
            .map(|high| high.parse().unwrap_or(u32::MAX));
        if low > MAX_REPEAT || top.is_some_and(|top: u32| top > MAX_REPEAT || top < low) {
            return Err(format!(
                "invalid repeat count: `{}`",
                &self.source[start..self.at]
            ));
        }
        Ok(Some(format!("{{{inner}}}")))
    }

    fn group(&mut self, start: usize) -> Result<(), String> {
        self.groups.push(start);
        self.atom = false;
        self.repeated = None;
        let rest = self.rest();
        if !rest.starts_with('?') {
            self.names.push(None);
            self.out.push('(');
            return Ok(());
        }
        if rest.starts_with("?P<") || rest.starts_with("?<") {
            let Some(close) = rest.find('>') else {
                return Err(format!(
                    "invalid named capture: `{}`",
                    &self.source[start..]
                ));
            };
            let name = rest[..close]
                .trim_start_matches("?P<")
                .trim_start_matches("?<");
            let word = |char: char| char.is_ascii_alphanumeric() || char == '_';
            if name.is_empty() || !name.chars().all(word) {
                return Err(format!(
                    "invalid named capture: `{}`",
                    &self.source[start..=self.at + close]
                ));
            }
            // Only in Go may a name begin with a digit, or be given twice.
            self.names.push(Some(name.to_owned()));
            self.out.push('(');
            self.at += close + 1;
            return Ok(());
        }
        let end = rest.find([':', ')']);
        let flags = end.map(|end| &rest[1..end]);
        let ok = flags.is_some_and(|flags| {
            flags.chars().all(|char| "imsU-".contains(char))
                && flags.matches('-').count() <= 1
                && !flags.ends_with('-')
        });
        let Some(end) = end.filter(|_| ok) else {
            let shown: String = self.source[start..].chars().take(3).collect();
            return Err(format!("invalid or unsupported Perl syntax: `{shown}`"));
        };
        self.out.push('(');
        self.out.push_str(&rest[..=end]);
        self.at += end + 1;
        if rest.as_bytes()[end] == b')' {
            self.groups.pop();
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let Some(char) = rest[1..].chars().next() else {
            return Err("trailing backslash at end of expression: ``".to_owned());
        };
        match char {
            'Q' => {
                let quoted = &rest[2..];
                let end = quoted.find("\\E");
                for char in quoted[..end.unwrap_or(quoted.len())].chars() {
                    self.literal(char);
                }
                self.at += 2 + end.map_or(quoted.len(), |end| end + 2);
                return Ok(());
            }
            'A' | 'z' => self.out.push_str(&rest[..2]),
            'b' => self.out.push_str(r"(?-u:\b)"),
            'B' => self.out.push_str(r"(?-u:\B)"),
            _ => {
                if let Some((class, negated)) = perl_class(char) {
                    self.out.push('[');
                    if negated {
                        self.out.push('^');
                    }
                    self.out.push_str(class);
                    self.out.push(']');
                } else if matches!(char, 'p' | 'P') {
                    let class = self.unicode_class()?;
                    self.out.push_str(&class);
                    self.set_atom();
                    return Ok(());
                } else {
                    let code = self.escaped_char()?;
                    let _ = write!(self.out, "\\x{{{:x}}}", u32::from(code));
                    self.set_atom();
                    return Ok(());
                }
            }
        }
        self.at += 2;
        self.set_atom();
        Ok(())
    }

    /// `\pL`, `\p{Greek}`, `\P{^Lu}`; moves on.
    fn unicode_class(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let shown = |end: usize| {
            format!(
                "invalid character class range: `{}`",
                &rest[..end.min(rest.len())]
            )
        };
        let length = if rest[2..].starts_with('{') {
            rest.find('}')
                .map(|end| end + 1)
                .ok_or_else(|| shown(rest.len()))?
        } else {
            2 + rest[2..].chars().next().map_or(0, char::len_utf8)
        };
        let text = &rest[..length];
        let inner = text[2..].trim_start_matches('{').trim_end_matches('}');
        let (name, inverted) = match inner.strip_prefix('^') {
            Some(name) => (name, true),
            None => (inner, false),
        };
        let negated = text.starts_with("\\P") != inverted;
        let class = if name == "Any" {
            if negated {
                "[^\\x{0}-\\x{10ffff}]"
            } else {
                "[\\x{0}-\\x{10ffff}]"
            }
            .to_owned()
        } else {
            format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' })
        };
        if Regex::new(&class).is_err() {
            return Err(shown(length));
        }
        self.at += length;
        Ok(class)
    }

    /// A character written with a backslash; moves on.
    fn escaped_char(&mut self) -> Result<char, String> {
        let rest = self.rest();
        let invalid = |length: usize| {
            let shown: String = rest.chars().take(length).collect();
            format!("invalid escape sequence: `{shown}`")
        };
        let char = rest[1..].chars().next().ok_or_else(|| invalid(1))?;
        let (code, length) = match char {
            'a' => (7, 2),
            'f' => (12, 2),
            'n' => (10, 2),
            'r' => (13, 2),
            't' => (9, 2),
            'v' => (11, 2),
            '0' => {
                let digits = rest[1..]
                    .bytes()
                    .take(3)
                    .take_while(|byte| (b'0'..=b'7').contains(byte));
                let digits = digits.count();
                (
                    u32::from_str_radix(&rest[1..=digits], 8).unwrap_or(0),
                    1 + digits,
                )
            }
            '1'..='7' => {
                let digits = rest[1..]
                    .bytes()
                    .take(3)
                    .take_while(|byte| (b'0'..=b'7').contains(byte));
                let digits = digits.count();
                if digits < 2 {
                    return Err(invalid(2));
                }
                (
                    u32::from_str_radix(&rest[1..=digits], 8).unwrap_or(0),
                    1 + digits,
                )
            }
            'x' => {
                if rest[2..].starts_with('{') {
                    let end = rest.find('}').ok_or_else(|| invalid(rest.len()))?;
                    let code =
                        u32::from_str_radix(&rest[3..end], 16).map_err(|_| invalid(end + 1))?;
                    (code, end + 1)
                } else {
                    let digits = rest.get(2..4).ok_or_else(|| invalid(4))?;
                    let code = u32::from_str_radix(digits, 16).map_err(|_| invalid(4))?;
                    (code, 4)
                }
            }
            other
                if other.is_ascii()
                    && !other.is_ascii_alphanumeric()
                    && other != '<'
                    && other != '>' =>
            {
                (u32::from(other), 1 + other.len_utf8())
            }
            '<' | '>' => (u32::from(char), 2),
            _ => return Err(invalid(2)),
        };
        let decoded = char::from_u32(code).ok_or_else(|| invalid(length))?;
        self.at += length;
        Ok(decoded)
    }

    fn class(&mut self) -> Result<(), String> {
        let start = self.at;
        let missing = || format!("missing closing ]: `{}`", &self.source[start..]);
        let mut out = String::from("[");
        self.at += 1;
        if self.rest().starts_with('^') {
            self.at += 1;
            out.push('^');
        }
        let mut first = true;
        loop {
            let rest = self.rest();
            let Some(char) = rest.chars().next() else {
                return Err(missing());
            };
            if char == ']' && !first {
                self.at += 1;
                break;
            }
            first = false;
            if rest.starts_with("[:")
                && let Some(end) = rest.find(":]")
            {
                let class = &rest[..end + 2];
                if Regex::new(&format!("[{class}]")).is_err() {
                    return Err(format!("invalid character class range: `{class}`"));
                }
                out.push_str(class);
                self.at += class.len();
                continue;
            }
            if char == '\\' {
                match rest[1..].chars().next() {
                    None => return Err(missing()),
                    Some('p' | 'P') => {
                        let class = self.unicode_class()?;
                        out.push_str(&class);
                        continue;
                    }
                    Some(other) => {
                        if let Some((class, negated)) = perl_class(other) {
                            if negated {
                                let _ = write!(out, "[^{class}]");
                            } else {
                                out.push_str(class);
                            }
                            self.at += 2;
                            continue;
                        }
                    }
                }
            }
            let low_at = self.at;
            let low = self.class_char()?;
            let rest = self.rest();
            let is_range = rest.starts_with('-') && rest.len() > 1 && !rest[1..].starts_with(']');
            if !is_range {
                let _ = write!(out, "\\x{{{:x}}}", u32::from(low));
                continue;
            }
            self.at += 1;
            let high = self.class_char()?;
            if high < low {
                return Err(format!(
                    "invalid character class range: `{}`",
                    &self.source[low_at..self.at]
                ));
            }
            let _ = write!(
                out,
                "\\x{{{:x}}}-\\x{{{:x}}}",
                u32::from(low),
                u32::from(high)
            );
        }
        out.push(']');
        self.out.push_str(&out);
        Ok(())
    }

    fn class_char(&mut self) -> Result<char, String> {
        let rest = self.rest();
        match rest.chars().next() {
            Some('\\') => self.escaped_char(),
            Some(char) => {
                self.at += char.len_utf8();
                Ok(char)
            }
            None => Err(format!("missing closing ]: `{}`", self.source)),
        }
    }
}

/// The contents of a Perl class, and whether it is the opposite of them.
const fn perl_class(char: char) -> Option<(&'static str, bool)> {
    match char {
        'd' => Some(("0-9", false)),
        'D' => Some(("0-9", true)),
        'w' => Some(("0-9A-Za-z_", false)),
        'W' => Some(("0-9A-Za-z_", true)),
        's' => Some((r"\t\n\x0c\r ", false)),
        'S' => Some((r"\t\n\x0c\r ", true)),
        _ => None,
    }
}
