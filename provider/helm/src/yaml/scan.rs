//! The words of a YAML text, as libyaml's scanner finds them for go-yaml: YAML 1.1, one look ahead, and what it says
//! where it cannot go on. Keys that are written without `?` are known only at their colon: their token is put in
//! before what was found since.

mod cursor;
mod scalars;
mod signs;

use std::borrow::Cow;
use std::collections::VecDeque;

use cursor::Cursor;

/// Collections within collections beyond this are refused.
pub(super) const MAX_DEPTH: usize = 1_000;

/// How many characters after its start the colon of a key may come.
const MAX_KEY: usize = 1_024;

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Characters before it.
    pub(super) index: usize,
    /// Lines before it.
    pub(super) line: usize,
    /// Characters before it on its line.
    pub(super) column: usize,
}

/// Why a text cannot be read, and the line that go-yaml tells with it; it does not tell the first one.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: Option<usize>,
    pub(super) what: &'static str,
}

impl Fault {
    /// Of the grammar: `mark` is where the wrong token begins. go-yaml counts lines from nought here.
    pub(super) fn of_grammar(mark: Mark, what: &'static str) -> Self {
        let line = (mark.line > 0).then_some(mark.line);
        Self { line, what }
    }
}

#[derive(Debug)]
pub(super) enum Kind<'s> {
    StreamEnd,
    Version(u32, u32),
    TagDirective(&'s str, String),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'s str),
    Anchor(&'s str),
    /// Handle and suffix.
    Tag(&'s str, String),
    /// Text, and whether it stands without quotes.
    Scalar(Cow<'s, str>, bool),
}

#[derive(Debug)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind<'s>,
    pub(super) start: Mark,
}

/// Where a key may have begun.
#[derive(Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    /// Whether words are read on until it is known whether this is a key.
    awaited: bool,
    number: usize,
    mark: Mark,
}

pub(super) struct Scanner<'s> {
    at: Cursor<'s>,
    tokens: VecDeque<Token<'s>>,
    /// Tokens taken so far.
    taken: usize,
    ended: bool,
    indent: isize,
    indents: Vec<isize>,
    key_allowed: bool,
    /// One for each level of brackets, and one for the outside.
    keys: Vec<SimpleKey>,
}

impl<'s> Scanner<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            at: Cursor::new(source),
            tokens: VecDeque::new(),
            taken: 0,
            ended: false,
            indent: -1,
            indents: Vec::new(),
            key_allowed: true,
            keys: vec![SimpleKey::default()],
        }
    }

    /// The next token, which stays.
    pub(super) fn peek(&mut self) -> Result<&Token<'s>, Fault> {
        self.fill()?;
        Ok(&self.tokens[0])
    }

    /// The next token; at the end of the text that, again and again.
    pub(super) fn take(&mut self) -> Result<Token<'s>, Fault> {
        self.fill()?;
        self.taken += 1;
        Ok(self.tokens.pop_front().unwrap_or(Token {
            kind: Kind::StreamEnd,
            start: self.at.mark,
        }))
    }

    fn fill(&mut self) -> Result<(), Fault> {
        loop {
            if !self.tokens.is_empty() {
                let first = self.taken;
                let level = self
                    .keys
                    .iter()
                    .rposition(|key| key.possible && key.awaited && key.number == first);
                match level {
                    Some(level) if self.is_key(level)? => {}
                    _ => return Ok(()),
                }
            } else if self.ended {
                self.push(Kind::StreamEnd, self.at.mark);
                return Ok(());
            }
            self.next()?;
        }
    }

    fn fault<T>(&self, what: &'static str) -> Result<T, Fault> {
        let line = self.at.mark.line;
        let line = (line > 0).then_some(line + 1);
        Err(Fault { line, what })
    }

    fn flow(&self) -> bool {
        self.keys.len() > 1
    }

    fn push(&mut self, kind: Kind<'s>, start: Mark) {
        self.tokens.push_back(Token { kind, start });
    }

    /// Puts a token before number `before`, or last when that was taken.
    fn insert(&mut self, before: usize, token: Token<'s>) {
        match before.checked_sub(self.taken) {
            Some(at) if at <= self.tokens.len() => self.tokens.insert(at, token),
            _ => self.tokens.push_back(token),
        }
    }

    /// Takes a sign of `length` characters.
    fn sign(&mut self, kind: Kind<'s>, length: usize) {
        let start = self.at.mark;
        for _ in 0..length {
            self.at.skip();
        }
        self.push(kind, start);
    }

    fn next(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        self.unroll(self.at.mark.column as isize);
        let Some(byte) = self.at.byte(0) else {
            return self.stream_end();
        };
        let blank_next = self.at.is_blank_or_end(1);
        match byte {
            b'%' if self.at.mark.column == 0 => self.directive(),
            b'-' if self.at.is_document_sign("---") => self.document(Kind::DocumentStart),
            b'.' if self.at.is_document_sign("...") => self.document(Kind::DocumentEnd),
            b'[' => self.open(Kind::FlowSequenceStart),
            b'{' => self.open(Kind::FlowMappingStart),
            b']' => self.close(Kind::FlowSequenceEnd),
            b'}' => self.close(Kind::FlowMappingEnd),
            b',' => {
                self.forget_key()?;
                self.key_allowed = true;
                self.sign(Kind::FlowEntry, 1);
                Ok(())
            }
            b'-' if blank_next => self.entry(),
            b'?' if self.flow() || blank_next => self.key(),
            b':' if self.flow() || blank_next => self.value(),
            b'*' | b'&' => {
                self.begin_key()?;
                self.key_allowed = false;
                self.anchor(byte == b'*')
            }
            b'!' => {
                self.begin_key()?;
                self.key_allowed = false;
                self.tag()
            }
            b'|' | b'>' if !self.flow() => {
                self.forget_key()?;
                self.key_allowed = true;
                self.block_scalar(byte == b'|')
            }
            b'\'' | b'"' => {
                self.begin_key()?;
                self.key_allowed = false;
                self.quoted(byte)
            }
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                self.fault("found character that cannot start any token")
            }
            _ => {
                self.begin_key()?;
                self.key_allowed = false;
                self.plain()
            }
        }
    }

    /// White space and comments; a tab counts as such where no key can begin.
    fn skip_blanks(&mut self) {
        loop {
            if self.at.mark.column == 0 && self.at.starts_with("\u{feff}") {
                self.at.skip();
            }
            while self.at.byte(0) == Some(b' ')
                || (self.at.byte(0) == Some(b'\t') && (self.flow() || !self.key_allowed))
            {
                self.at.skip();
            }
            if self.at.byte(0) == Some(b'#') {
                while !self.at.is_break_or_end(0) {
                    self.at.skip();
                }
            }
            if !self.at.is_break(0) {
                return;
            }
            self.at.skip_line();
            if !self.flow() {
                self.key_allowed = true;
            }
        }
    }

    /// Whether the key that may have begun at a level still may be one.
    fn is_key(&mut self, level: usize) -> Result<bool, Fault> {
        let key = self.keys[level];
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < self.at.mark.line || key.mark.index + MAX_KEY < self.at.mark.index {
            if key.required {
                return self.fault("could not find expected ':'");
            }
            self.keys[level].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn level(&self) -> usize {
        self.keys.len() - 1
    }

    /// A key may begin here.
    fn begin_key(&mut self) -> Result<(), Fault> {
        if self.key_allowed {
            let required = !self.flow() && self.indent == self.at.mark.column as isize;
            self.forget_key()?;
            let level = self.level();
            self.keys[level] = SimpleKey {
                possible: true,
                required,
                awaited: true,
                number: self.taken + self.tokens.len(),
                mark: self.at.mark,
            };
        }
        Ok(())
    }

    /// What may have been a key is none.
    fn forget_key(&mut self) -> Result<(), Fault> {
        let level = self.level();
        let key = self.keys[level];
        if key.possible && key.required {
            return self.fault("could not find expected ':'");
        }
        self.keys[level].possible = false;
        Ok(())
    }

    /// A collection begins at `column` unless one did; its token stands before number `before`.
    fn roll(
        &mut self,
        column: usize,
        before: Option<usize>,
        kind: Kind<'s>,
        start: Mark,
    ) -> Result<(), Fault> {
        let column = column as isize;
        if self.flow() || self.indent >= column {
            return Ok(());
        }
        if self.indents.len() >= MAX_DEPTH {
            return self.fault("exceeded max depth of 10000");
        }
        self.indents.push(self.indent);
        self.indent = column;
        let token = Token { kind, start };
        match before {
            Some(number) => self.insert(number, token),
            None => self.tokens.push_back(token),
        }
        Ok(())
    }

    /// Ends the collections that stand further right than `column`.
    fn unroll(&mut self, column: isize) {
        if self.flow() {
            return;
        }
        while self.indent > column {
            self.push(Kind::BlockEnd, self.at.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn stream_end(&mut self) -> Result<(), Fault> {
        // As if the last line ended.
        if self.at.mark.column != 0 {
            self.at.mark.column = 0;
            self.at.mark.line += 1;
        }
        self.unroll(-1);
        self.forget_key()?;
        self.key_allowed = false;
        self.push(Kind::StreamEnd, self.at.mark);
        self.ended = true;
        Ok(())
    }

    fn document(&mut self, kind: Kind<'s>) -> Result<(), Fault> {
        self.unroll(-1);
        self.forget_key()?;
        self.key_allowed = false;
        self.sign(kind, 3);
        Ok(())
    }

    fn open(&mut self, kind: Kind<'s>) -> Result<(), Fault> {
        self.begin_key()?;
        if self.keys.len() > MAX_DEPTH {
            return self.fault("exceeded max depth of 10000");
        }
        self.keys.push(SimpleKey {
            number: self.taken + self.tokens.len(),
            ..SimpleKey::default()
        });
        self.key_allowed = true;
        self.sign(kind, 1);
        Ok(())
    }

    fn close(&mut self, kind: Kind<'s>) -> Result<(), Fault> {
        self.forget_key()?;
        if self.flow()
            && let Some(inner) = self.keys.pop()
        {
            // go-yaml forgets both by one number: no brackets with nothing in them are a key.
            for key in &mut self.keys {
                key.awaited &= key.number != inner.number;
            }
        }
        self.key_allowed = false;
        self.sign(kind, 1);
        Ok(())
    }

    fn entry(&mut self) -> Result<(), Fault> {
        let mark = self.at.mark;
        if !self.flow() {
            if !self.key_allowed {
                return self.fault("block sequence entries are not allowed in this context");
            }
            self.roll(mark.column, None, Kind::BlockSequenceStart, mark)?;
        }
        self.forget_key()?;
        self.key_allowed = true;
        self.sign(Kind::BlockEntry, 1);
        Ok(())
    }

    fn key(&mut self) -> Result<(), Fault> {
        let mark = self.at.mark;
        if !self.flow() {
            if !self.key_allowed {
                return self.fault("mapping keys are not allowed in this context");
            }
            self.roll(mark.column, None, Kind::BlockMappingStart, mark)?;
        }
        self.forget_key()?;
        self.key_allowed = !self.flow();
        self.sign(Kind::Key, 1);
        Ok(())
    }

    fn value(&mut self) -> Result<(), Fault> {
        let level = self.level();
        if self.is_key(level)? {
            let key = self.keys[level];
            let token = Token {
                kind: Kind::Key,
                start: key.mark,
            };
            self.insert(key.number, token);
            self.roll(
                key.mark.column,
                Some(key.number),
                Kind::BlockMappingStart,
                key.mark,
            )?;
            self.keys[level].possible = false;
            self.key_allowed = false;
        } else {
            if !self.flow() {
                let mark = self.at.mark;
                if !self.key_allowed {
                    return self.fault("mapping values are not allowed in this context");
                }
                self.roll(mark.column, None, Kind::BlockMappingStart, mark)?;
            }
            self.key_allowed = !self.flow();
        }
        self.sign(Kind::Value, 1);
        Ok(())
    }
}
