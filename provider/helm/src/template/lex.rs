//! From text to tokens.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Eof,
    Text,
    LeftDelim,
    RightDelim,
    Space,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Char,
    CharConstant,
    Complex,
    Number,
    Bool,
    Str,
    RawStr,
    Field,
    Variable,
    Identifier,
    // Keywords.
    Dot,
    Nil,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

impl Kind {
    /// Whether Go prints the token as `<word>`.
    pub(super) const fn is_keyword(self) -> bool {
        matches!(
            self,
            Self::Dot
                | Self::Nil
                | Self::Block
                | Self::Break
                | Self::Continue
                | Self::Define
                | Self::Else
                | Self::End
                | Self::If
                | Self::Range
                | Self::Template
                | Self::With
        )
    }
}

/// A token: a slice of the source, or the text of an error.
#[derive(Clone, Debug)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) pos: usize,
    pub(super) line: usize,
    pub(super) text: std::borrow::Cow<'s, str>,
}

const TRIM: &[char] = &[' ', '\t', '\r', '\n'];

/// Splits `source` on demand.
pub(super) struct Lexer<'s> {
    source: &'s str,
    pos: usize,
    line: usize,
    /// Where `line` was counted.
    counted: usize,
    parens: usize,
    inside: bool,
    done: Option<Token<'s>>,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            source,
            pos: 0,
            line: 1,
            counted: 0,
            parens: 0,
            inside: false,
            done: None,
        }
    }

    /// The next token; after an error or the end, that token again.
    pub(super) fn next(&mut self) -> Token<'s> {
        if let Some(done) = &self.done {
            return done.clone();
        }
        let token = if self.inside {
            self.action()
        } else {
            self.outside()
        };
        if matches!(token.kind, Kind::Error | Kind::Eof) {
            self.done = Some(token.clone());
        }
        token
    }

    fn rest(&self) -> &'s str {
        &self.source[self.pos..]
    }

    fn line_at(&mut self, pos: usize) -> usize {
        if pos > self.counted {
            self.line +=
                memchr::memchr_iter(b'\n', &self.source.as_bytes()[self.counted..pos]).count();
            self.counted = pos;
        }
        self.line
    }

    fn token(&mut self, kind: Kind, start: usize) -> Token<'s> {
        let line = self.line_at(start);
        Token {
            kind,
            pos: start,
            line,
            text: self.source[start..self.pos].into(),
        }
    }

    fn error(&mut self, start: usize, message: String) -> Token<'s> {
        let line = self.line_at(start);
        Token {
            kind: Kind::Error,
            pos: start,
            line,
            text: message.into(),
        }
    }

    /// Text up to the next action, or that action's left delimiter. Comments vanish here.
    fn outside(&mut self) -> Token<'s> {
        loop {
            let start = self.pos;
            let Some(found) = self.rest().find("{{") else {
                self.pos = self.source.len();
                let kind = if self.pos > start {
                    Kind::Text
                } else {
                    Kind::Eof
                };
                return self.token(kind, start);
            };
            let delim = start + found;
            let after = &self.source[delim + 2..];
            let trim = trims_left(after);
            if found > 0 {
                let text = &self.source[start..delim];
                let kept = if trim {
                    text.trim_end_matches(TRIM)
                } else {
                    text
                };
                if !kept.is_empty() {
                    let line = self.line_at(start);
                    self.pos = delim;
                    return Token {
                        kind: Kind::Text,
                        pos: start,
                        line,
                        text: kept.into(),
                    };
                }
            }
            self.pos = delim + 2 + if trim { 2 } else { 0 };
            if !self.rest().starts_with("/*") {
                self.inside = true;
                self.parens = 0;
                let line = self.line_at(delim);
                return Token {
                    kind: Kind::LeftDelim,
                    pos: delim,
                    line,
                    text: "{{".into(),
                };
            }
            if let Err(token) = self.comment() {
                return token;
            }
        }
    }

    fn comment(&mut self) -> Result<(), Token<'s>> {
        let start = self.pos;
        let Some(end) = self.rest().find("*/") else {
            return Err(self.error(start, "unclosed comment".to_owned()));
        };
        self.pos += end + 2;
        let Some((length, trim)) = self.right_delim() else {
            return Err(self.error(start, "comment ends before closing delimiter".to_owned()));
        };
        self.pos += length;
        if trim {
            self.skip_space();
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        self.pos = self.source.len() - self.rest().trim_start_matches(TRIM).len();
    }

    /// The length of a right delimiter here, and whether it trims what follows.
    fn right_delim(&self) -> Option<(usize, bool)> {
        let rest = self.rest().as_bytes();
        if rest.starts_with(b"}}") {
            return Some((2, false));
        }
        let trims =
            rest.first().is_some_and(|byte| is_space(*byte)) && rest[1..].starts_with(b"-}}");
        trims.then_some((4, true))
    }

    fn action(&mut self) -> Token<'s> {
        let start = self.pos;
        if let Some((length, trim)) = self.right_delim() {
            if self.parens > 0 {
                return self.error(start, "unclosed left paren".to_owned());
            }
            self.pos += if trim { 2 } else { 0 };
            let delim = self.pos;
            self.pos = start + length;
            let token = self.token(Kind::RightDelim, delim);
            if trim {
                self.skip_space();
            }
            self.inside = false;
            return token;
        }
        let Some(first) = self.rest().chars().next() else {
            return self.error(start, "unclosed action".to_owned());
        };
        self.pos += first.len_utf8();
        match first {
            ' ' | '\t' | '\r' | '\n' => self.space(start),
            '=' => self.token(Kind::Assign, start),
            ':' => {
                if !self.rest().starts_with('=') {
                    return self.error(start, "expected :=".to_owned());
                }
                self.pos += 1;
                self.token(Kind::Declare, start)
            }
            '|' => self.token(Kind::Pipe, start),
            '"' => self.quoted(start, '"', Kind::Str, "unterminated quoted string"),
            '\'' => self.quoted(
                start,
                '\'',
                Kind::CharConstant,
                "unterminated character constant",
            ),
            '`' => match self.rest().find('`') {
                Some(end) => {
                    self.pos += end + 1;
                    self.token(Kind::RawStr, start)
                }
                None => self.error(start, "unterminated raw quoted string".to_owned()),
            },
            '$' => self.word_after(start, Kind::Variable),
            '.' if !self.rest().starts_with(|next: char| next.is_ascii_digit()) => {
                if self.at_terminator() {
                    return self.token(Kind::Dot, start);
                }
                self.word_after(start, Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = start;
                self.number(start)
            }
            '(' => {
                self.parens += 1;
                self.token(Kind::LeftParen, start)
            }
            ')' => {
                if self.parens == 0 {
                    return self.error(start, "unexpected right paren".to_owned());
                }
                self.parens -= 1;
                self.token(Kind::RightParen, start)
            }
            other if is_alphanumeric(other) => self.identifier(start),
            other if other.is_ascii() && !other.is_ascii_control() => self.token(Kind::Char, start),
            other => {
                let message = format!("unrecognized character in action: {}", code_point(other));
                self.error(start, message)
            }
        }
    }

    fn space(&mut self, start: usize) -> Token<'s> {
        // Stops before " -}}", whose space belongs to the delimiter.
        let bytes = self.source.as_bytes();
        while self.pos < bytes.len() && is_space(bytes[self.pos]) {
            self.pos += 1;
        }
        if self.rest().starts_with("-}}") {
            self.pos -= 1;
            if self.pos == start {
                // Cannot be: the delimiter was looked for first.
                self.pos += 1;
            }
        }
        self.token(Kind::Space, start)
    }

    fn quoted(&mut self, start: usize, quote: char, kind: Kind, unclosed: &str) -> Token<'s> {
        let mut escaped = false;
        for (offset, char) in self.rest().char_indices() {
            match char {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if char == quote => {
                    self.pos += offset + 1;
                    return self.token(kind, start);
                }
                _ => {}
            }
        }
        self.error(start, unclosed.to_owned())
    }

    fn take_word(&mut self) {
        let rest = self.rest();
        let end = rest
            .find(|char: char| !is_alphanumeric(char))
            .unwrap_or(rest.len());
        self.pos += end;
    }

    fn word_after(&mut self, start: usize, kind: Kind) -> Token<'s> {
        self.take_word();
        if !self.at_terminator() {
            return self.bad_character(start);
        }
        self.token(kind, start)
    }

    fn bad_character(&mut self, start: usize) -> Token<'s> {
        let char = self.rest().chars().next().unwrap_or('\u{0}');
        self.error(start, format!("bad character {}", code_point(char)))
    }

    fn identifier(&mut self, start: usize) -> Token<'s> {
        self.pos = start;
        self.take_word();
        if !self.at_terminator() {
            return self.bad_character(start);
        }
        let kind = match &self.source[start..self.pos] {
            "true" | "false" => Kind::Bool,
            "nil" => Kind::Nil,
            "block" => Kind::Block,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "range" => Kind::Range,
            "template" => Kind::Template,
            "with" => Kind::With,
            _ => Kind::Identifier,
        };
        self.token(kind, start)
    }

    /// Whether a word may end here.
    fn at_terminator(&self) -> bool {
        match self.rest().as_bytes().first() {
            None => true,
            Some(byte) if is_space(*byte) => true,
            Some(b'.' | b',' | b'|' | b':' | b')' | b'(') => true,
            Some(_) => self.rest().starts_with("}}"),
        }
    }

    fn number(&mut self, start: usize) -> Token<'s> {
        let mut ok = self.scan_number();
        let mut kind = Kind::Number;
        if ok && self.rest().starts_with(['+', '-']) {
            kind = Kind::Complex;
            ok = self.scan_number() && self.source[..self.pos].ends_with('i');
        }
        if ok {
            return self.token(kind, start);
        }
        let text = crate::functions::quote::quote(&self.source.as_bytes()[start..self.pos]);
        self.error(start, format!("bad number syntax: {text}"))
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.rest().starts_with(|char: char| set.contains(char));
        if found {
            self.pos += 1;
        }
        found
    }

    fn accept_run(&mut self, set: &str) {
        while self.accept(set) {}
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &str = "0123456789_";
        self.accept("+-");
        let mut digits = DECIMAL;
        let mut exponent = "eE";
        if self.accept("0") {
            if self.accept("xX") {
                (digits, exponent) = ("0123456789abcdefABCDEF_", "pP");
            } else if self.accept("oO") {
                (digits, exponent) = ("01234567_", "");
            } else if self.accept("bB") {
                (digits, exponent) = ("01_", "");
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run(DECIMAL);
        }
        self.accept("i");
        if let Some(next) = self.rest().chars().next()
            && is_alphanumeric(next)
        {
            self.pos += next.len_utf8();
            return false;
        }
        true
    }
}

fn trims_left(after: &str) -> bool {
    let bytes = after.as_bytes();
    bytes.first() == Some(&b'-') && bytes.get(1).is_some_and(|byte| is_space(*byte))
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_alphanumeric(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// Go's `%#U`.
fn code_point(char: char) -> String {
    let code = u32::from(char);
    if char.is_control() {
        format!("U+{code:04X}")
    } else {
        format!("U+{code:04X} '{char}'")
    }
}
