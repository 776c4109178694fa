//! A place in a text that moves on.

use super::Mark;

/// The text, and where in it reading is.
pub(super) struct Cursor<'s> {
    source: &'s str,
    pos: usize,
    pub(super) mark: Mark,
}

impl<'s> Cursor<'s> {
    pub(super) const fn new(source: &'s str) -> Self {
        Self {
            source,
            pos: 0,
            mark: Mark {
                index: 0,
                line: 0,
                column: 0,
            },
        }
    }

    pub(super) const fn pos(&self) -> usize {
        self.pos
    }

    /// What was read since `start`.
    pub(super) fn since(&self, start: usize) -> &'s str {
        &self.source[start..self.pos]
    }

    /// What lies between two places.
    pub(super) fn between(&self, start: usize, end: usize) -> &'s str {
        &self.source[start..end]
    }

    pub(super) fn rest(&self) -> &'s str {
        &self.source[self.pos..]
    }

    /// The byte so many bytes ahead; `None` at the end.
    pub(super) fn byte(&self, ahead: usize) -> Option<u8> {
        self.source.as_bytes().get(self.pos + ahead).copied()
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
        self.source.as_bytes()[self.pos..].starts_with(text.as_bytes())
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), Some(b' ' | b'\t'))
    }

    /// The length of the line break so many bytes ahead, nought when there is none.
    fn line_break(&self, ahead: usize) -> usize {
        let bytes = self
            .source
            .as_bytes()
            .get(self.pos + ahead..)
            .unwrap_or_default();
        match bytes {
            [b'\r', b'\n', ..] | [0xc2, 0x85, ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
            _ => 0,
        }
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        self.line_break(ahead) > 0
    }

    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.byte(ahead).is_none() || self.is_break(ahead)
    }

    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// Whether a line begins here with `sign` as a word of its own.
    pub(super) fn is_document_sign(&self, sign: &str) -> bool {
        self.mark.column == 0 && self.starts_with(sign) && self.is_blank_or_end(3)
    }

    /// Over one character.
    pub(super) fn skip(&mut self) {
        let width = match self.byte(0) {
            None => return,
            Some(0..=0x7f) => 1,
            Some(0x80..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(_) => 4,
        };
        self.pos += width;
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Over a line break, if one is here.
    pub(super) fn skip_line(&mut self) {
        let width = self.line_break(0);
        if width > 0 {
            self.mark.index += if self.starts_with("\r\n") { 2 } else { 1 };
            self.mark.line += 1;
            self.mark.column = 0;
            self.pos += width;
        }
    }

    /// Over a line break that goes into `out`, mostly as `\n`.
    pub(super) fn read_line(&mut self, out: &mut String) {
        let start = self.pos;
        self.skip_line();
        match self.since(start) {
            "" => {}
            kept @ ("\u{2028}" | "\u{2029}") => out.push_str(kept),
            _ => out.push('\n'),
        }
    }

    /// Over one character that goes into `out`.
    pub(super) fn read(&mut self, out: &mut String) {
        let start = self.pos;
        self.skip();
        out.push_str(self.since(start));
    }

    /// Over letters, digits, `_` and `-`.
    pub(super) fn word(&mut self) -> &'s str {
        let start = self.pos;
        while self
            .byte(0)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            self.skip();
        }
        self.since(start)
    }

    pub(super) fn skip_all_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    /// Over blanks and a comment; whether the line ends then.
    pub(super) fn ends_line(&mut self) -> bool {
        self.skip_all_blanks();
        if self.byte(0) == Some(b'#') {
            while !self.is_break_or_end(0) {
                self.skip();
            }
        }
        self.is_break_or_end(0)
    }
}
