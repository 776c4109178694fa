//! Texts: plain, quoted and in blocks.

use std::borrow::Cow;

use super::{Fault, Kind, Scanner};

/// White space within a text, that is folded when the text goes on.
#[derive(Default)]
struct Gap {
    blanks: String,
    /// The first line break, nothing where that is escaped, and those after it.
    first: String,
    more: String,
    /// A line ended.
    broken: bool,
}

impl Gap {
    /// What of it belongs to the text.
    fn fold(&mut self, out: &mut String) {
        if self.broken {
            if self.first != "\n" {
                out.push_str(&self.first);
                out.push_str(&self.more);
            } else if self.more.is_empty() {
                out.push(' ');
            } else {
                out.push_str(&self.more);
            }
        } else {
            out.push_str(&self.blanks);
        }
        self.blanks.clear();
        self.first.clear();
        self.more.clear();
        self.broken = false;
    }
}

impl Scanner<'_> {
    pub(super) fn plain(&mut self) -> Result<(), Fault> {
        let (start, from) = (self.at.mark, self.at.pos());
        let indent = self.indent + 1;
        let mut gap = Gap::default();
        let mut folded = String::new();
        // Of the line that is being read: where it begins, and what is read of it.
        let (mut line, mut end) = (from, from);
        loop {
            if self.at.is_document_sign("---")
                || self.at.is_document_sign("...")
                || self.at.byte(0) == Some(b'#')
            {
                break;
            }
            while !self.at.is_blank_or_end(0) && !self.ends_plain() {
                if gap.broken {
                    folded.push_str(self.at.between(line, end));
                    gap.fold(&mut folded);
                    line = self.at.pos();
                }
                self.at.skip();
                end = self.at.pos();
            }
            if !self.at.is_blank(0) && !self.at.is_break(0) {
                break;
            }
            while self.at.is_blank(0) || self.at.is_break(0) {
                if self.at.is_break(0) {
                    let breaks = if gap.broken {
                        &mut gap.more
                    } else {
                        &mut gap.first
                    };
                    self.at.read_line(breaks);
                    gap.broken = true;
                    continue;
                }
                let is_tab = self.at.byte(0) == Some(b'\t');
                if gap.broken && is_tab && (self.at.mark.column as isize) < indent {
                    return self.fault("found a tab character that violates indentation");
                }
                self.at.skip();
            }
            if !self.flow() && (self.at.mark.column as isize) < indent {
                break;
            }
        }
        let last = self.at.between(line, end);
        let text = if folded.is_empty() {
            Cow::Borrowed(last)
        } else {
            folded.push_str(last);
            Cow::Owned(folded)
        };
        self.push(Kind::Scalar(text, true), start);
        if gap.broken {
            self.key_allowed = true;
        }
        Ok(())
    }

    fn ends_plain(&self) -> bool {
        match self.at.byte(0) {
            Some(b':') => self.at.is_blank_or_end(1),
            Some(b',' | b'?' | b'[' | b']' | b'{' | b'}') => self.flow(),
            _ => false,
        }
    }

    pub(super) fn quoted(&mut self, quote: u8) -> Result<(), Fault> {
        let start = self.at.mark;
        self.at.skip();
        let mut text = String::new();
        let mut gap = Gap::default();
        loop {
            if self.at.is_document_sign("---") || self.at.is_document_sign("...") {
                return self.fault("found unexpected document indicator");
            }
            if self.at.byte(0).is_none() {
                return self.fault("found unexpected end of stream");
            }
            while !self.at.is_blank_or_end(0) {
                match self.at.byte(0) {
                    Some(b'\'') if quote == b'\'' && self.at.byte(1) == Some(b'\'') => {
                        self.at.skip();
                        self.at.skip();
                        text.push('\'');
                    }
                    Some(byte) if byte == quote => break,
                    Some(b'\\') if quote == b'"' && self.at.is_break(1) => {
                        self.at.skip();
                        self.at.skip_line();
                        gap.broken = true;
                        break;
                    }
                    Some(b'\\') if quote == b'"' => {
                        let char = self.escaped()?;
                        text.push(char);
                    }
                    _ => self.at.read(&mut text),
                }
            }
            if self.at.byte(0) == Some(quote) {
                break;
            }
            self.gap(&mut gap);
            gap.fold(&mut text);
        }
        self.at.skip();
        self.push(Kind::Scalar(Cow::Owned(text), false), start);
        Ok(())
    }

    /// Blanks and line breaks within quotes.
    fn gap(&mut self, gap: &mut Gap) {
        while self.at.is_blank(0) || self.at.is_break(0) {
            if self.at.is_break(0) {
                let breaks = if gap.broken {
                    &mut gap.more
                } else {
                    gap.blanks.clear();
                    &mut gap.first
                };
                self.at.read_line(breaks);
                gap.broken = true;
            } else if gap.broken {
                self.at.skip();
            } else {
                self.at.read(&mut gap.blanks);
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Fault> {
        let length = match self.at.byte(1) {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            other => {
                let char = match other {
                    Some(b'0') => '\0',
                    Some(b'a') => '\u{7}',
                    Some(b'b') => '\u{8}',
                    Some(b't' | b'\t') => '\t',
                    Some(b'n') => '\n',
                    Some(b'v') => '\u{b}',
                    Some(b'f') => '\u{c}',
                    Some(b'r') => '\r',
                    Some(b'e') => '\u{1b}',
                    Some(byte @ (b' ' | b'"' | b'\'' | b'\\')) => char::from(byte),
                    Some(b'N') => '\u{85}',
                    Some(b'_') => '\u{a0}',
                    Some(b'L') => '\u{2028}',
                    Some(b'P') => '\u{2029}',
                    _ => return self.fault("found unknown escape character"),
                };
                self.at.skip();
                self.at.skip();
                return Ok(char);
            }
        };
        self.at.skip();
        self.at.skip();
        let digits = self.at.rest().as_bytes().get(..length).unwrap_or_default();
        if digits.len() < length || !digits.iter().all(u8::is_ascii_hexdigit) {
            return self.fault("did not find expected hexdecimal number");
        }
        let code = digits.iter().fold(0_u32, |code, digit| {
            let digit = char::from(*digit).to_digit(16).unwrap_or_default();
            (code << 4) | digit
        });
        let Some(char) = char::from_u32(code) else {
            return self.fault("found invalid Unicode character escape code");
        };
        for _ in 0..length {
            self.at.skip();
        }
        Ok(char)
    }

    pub(super) fn block_scalar(&mut self, literal: bool) -> Result<(), Fault> {
        let start = self.at.mark;
        self.at.skip();
        let (keep, given) = self.header()?;
        if !self.at.ends_line() {
            return self.fault("did not find expected comment or line break");
        }
        self.at.skip_line();
        let mut indent = given.map_or(0, |given| self.indent.max(0) as usize + given);
        let (mut text, mut first, mut more) = (String::new(), String::new(), String::new());
        self.block_breaks(&mut indent, &mut more)?;
        let mut was_blank = false;
        while self.at.mark.column == indent && self.at.byte(0).is_some() {
            let is_blank = self.at.is_blank(0);
            if !literal && !was_blank && !is_blank && first == "\n" {
                if more.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(&first);
            }
            first.clear();
            text.push_str(&more);
            more.clear();
            was_blank = is_blank;
            let from = self.at.pos();
            while !self.at.is_break_or_end(0) {
                self.at.skip();
            }
            text.push_str(self.at.since(from));
            self.at.read_line(&mut first);
            self.block_breaks(&mut indent, &mut more)?;
        }
        if keep != Some(false) {
            text.push_str(&first);
        }
        if keep == Some(true) {
            text.push_str(&more);
        }
        self.push(Kind::Scalar(Cow::Owned(text), false), start);
        Ok(())
    }

    /// Whether the line breaks at the end are kept or dropped, and the indentation, where they are told.
    fn header(&mut self) -> Result<(Option<bool>, Option<usize>), Fault> {
        let (mut keep, mut given) = (None, None);
        for _ in 0..2 {
            match self.at.byte(0) {
                Some(sign @ (b'+' | b'-')) if keep.is_none() => {
                    keep = Some(sign == b'+');
                    self.at.skip();
                }
                Some(b'0') if given.is_none() => {
                    return self.fault("found an indentation indicator equal to 0");
                }
                Some(digit @ b'1'..=b'9') if given.is_none() => {
                    given = Some(usize::from(digit - b'0'));
                    self.at.skip();
                }
                _ => break,
            }
        }
        Ok((keep, given))
    }

    /// The indentation of a line and the empty lines before it. An indentation of nought is not known yet: it is that
    /// of the line that stands furthest right.
    fn block_breaks(&mut self, indent: &mut usize, breaks: &mut String) -> Result<(), Fault> {
        let mut most = 0;
        loop {
            let within = |column: usize| *indent == 0 || column < *indent;
            while within(self.at.mark.column) && self.at.byte(0) == Some(b' ') {
                self.at.skip();
            }
            most = most.max(self.at.mark.column);
            if within(self.at.mark.column) && self.at.byte(0) == Some(b'\t') {
                return self.fault("found a tab character where an indentation space is expected");
            }
            if !self.at.is_break(0) {
                break;
            }
            self.at.read_line(breaks);
        }
        if *indent == 0 {
            *indent = most.max((self.indent + 1) as usize).max(1);
        }
        Ok(())
    }
}
