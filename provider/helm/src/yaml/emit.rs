//! The layout of YAML text, as libyaml's emitter makes it for go-yaml.

use super::resolve::{Scalar, is_base60, old_bool, resolve};

/// Which go-yaml is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// v2: lists flush with their key, lines folded at 80 columns.
    V2,
    /// v3 with an indent of two: lists indented, no folding.
    V3,
}

const INDENT: i32 = 2;
const WIDTH: usize = 80;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Writes scalars and indicators and keeps track of the place on the line.
pub(super) struct Emitter {
    pub(super) out: String,
    dialect: Dialect,
    column: usize,
    whitespace: bool,
    indention: bool,
    pub(super) indent: i32,
}

/// What a text allows.
#[derive(Default)]
struct Analysis {
    multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
}

impl Emitter {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            out: String::new(),
            dialect,
            column: 0,
            whitespace: true,
            indention: true,
            indent: -1,
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn is_indented(&self) -> bool {
        self.indention
    }

    fn put(&mut self, char: char) {
        self.out.push(char);
        self.column += 1;
    }

    /// Text on one line.
    fn put_all(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn write_break(&mut self, char: char) {
        if char == '\n' {
            self.put_break();
        } else {
            self.out.push(char);
            self.column = 0;
        }
    }

    pub(super) fn write_indent(&mut self) {
        let indent = self.indent.max(0) as usize;
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    pub(super) fn indicator(
        &mut self,
        text: &str,
        need_space: bool,
        is_space: bool,
        is_indent: bool,
    ) {
        if need_space && !self.whitespace {
            self.put(' ');
        }
        self.put_all(text);
        self.whitespace = is_space;
        self.indention = self.indention && is_indent;
    }

    /// One level deeper; the return value restores the old one.
    pub(super) fn deeper(&mut self, flow: bool, indentless: bool) -> i32 {
        let old = self.indent;
        if self.indent < 0 {
            self.indent = if flow { INDENT } else { 0 };
        } else if !indentless {
            self.indent += INDENT;
        }
        old
    }

    /// Ends the document.
    pub(super) fn finish(mut self) -> String {
        self.indent = -1;
        self.write_indent();
        self.out
    }

    /// A scalar that is no text: never quoted.
    pub(super) fn word(&mut self, text: &str) {
        if !self.whitespace {
            self.put(' ');
        }
        self.put_all(text);
        self.whitespace = false;
        self.indention = false;
    }

    /// Whether `text` can stand before a colon on one line.
    pub(super) fn is_simple_key(text: &str) -> bool {
        text.len() <= 128 && !text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
    }

    /// Text in the style that go-yaml chooses.
    pub(super) fn text(&mut self, text: &str, key: bool) {
        let analysis = self.analyse(text);
        let style = self.style(text, &analysis, key);
        let old = self.deeper(true, false);
        match style {
            Style::Plain => self.plain(text, !key),
            Style::Single => self.single(text, !key),
            Style::Double => self.double(text, !key),
            Style::Literal => self.literal(text),
        }
        self.indent = old;
    }

    fn style(&self, text: &str, analysis: &Analysis, key: bool) -> Style {
        let old = self.dialect == Dialect::V2;
        let is_text = matches!(resolve(text, old), Scalar::Text | Scalar::Merge);
        let plain = is_text && !is_base60(text) && (old || old_bool(text).is_none());
        let mut style = if text.contains('\n') {
            Style::Literal
        } else if plain {
            Style::Plain
        } else {
            Style::Double
        };
        if key && analysis.multiline {
            style = Style::Double;
        }
        if style == Style::Plain && (!analysis.plain || (text.is_empty() && key)) {
            style = Style::Single;
        }
        if style == Style::Single && !analysis.single {
            style = Style::Double;
        }
        if style == Style::Literal && (!analysis.block || key) {
            style = Style::Double;
        }
        style
    }

    fn analyse(&self, text: &str) -> Analysis {
        if text.is_empty() {
            return Analysis {
                multiline: false,
                plain: true,
                single: true,
                block: false,
            };
        }
        if is_simple(text) {
            return Analysis {
                multiline: false,
                plain: true,
                single: true,
                block: true,
            };
        }
        let bytes = text.as_bytes();
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut breaks, mut special, mut tabs) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut previous_space, mut previous_break) = (false, false);
        let mut after_blank = true;
        for (at, char) in text.char_indices() {
            let before_blank = match bytes.get(at + char.len_utf8()) {
                None => true,
                Some(next) => matches!(next, b' ' | b'\t'),
            };
            match char {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                | '%' | '@' | '`'
                    if at == 0 =>
                {
                    indicators = true;
                }
                '-' | '?' if at == 0 && before_blank => indicators = true,
                ':' if before_blank => indicators = true,
                '#' if after_blank => indicators = true,
                _ => {}
            }
            if char == '\t' && self.dialect == Dialect::V3 {
                tabs = true;
            } else if !is_printable(char) {
                special = true;
            }
            if char == ' ' {
                break_space |= previous_break;
                (previous_space, previous_break) = (true, false);
            } else if is_break(char) {
                breaks = true;
                space_break |= previous_space;
                (previous_space, previous_break) = (false, true);
            } else {
                (previous_space, previous_break) = (false, false);
            }
            after_blank = matches!(char, ' ' | '\t') || is_break(char);
        }
        let first = text.chars().next().unwrap_or(' ');
        let last = text.chars().next_back().unwrap_or(' ');
        let edges = first == ' ' || is_break(first) || last == ' ' || is_break(last);
        Analysis {
            multiline: breaks,
            plain: !edges
                && !break_space
                && !space_break
                && !tabs
                && !special
                && !breaks
                && !indicators,
            single: !break_space && !space_break && !tabs && !special,
            block: last != ' ' && !space_break && !special,
        }
    }

    fn folds(&self) -> bool {
        self.dialect == Dialect::V2 && self.column > WIDTH
    }

    fn plain(&mut self, text: &str, breaks: bool) {
        if !self.whitespace && (!text.is_empty() || self.dialect == Dialect::V2) {
            self.put(' ');
        }
        // Nearly all texts end before a line would be folded.
        if !breaks || self.dialect == Dialect::V3 || self.column + text.len() <= WIDTH {
            self.put_all(text);
            self.whitespace = false;
            self.indention = false;
            return;
        }
        let mut spaces = false;
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            if char == ' ' {
                if breaks && !spaces && self.folds() && chars.peek() != Some(&' ') {
                    self.write_indent();
                } else {
                    self.put(char);
                }
                spaces = true;
            } else {
                self.put(char);
                self.indention = false;
                spaces = false;
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single(&mut self, text: &str, breaks_allowed: bool) {
        self.indicator("'", true, false, false);
        let (mut spaces, mut breaks) = (false, false);
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            if char == ' ' {
                let next = chars.peek().map(|(_, char)| *char);
                if breaks_allowed
                    && !spaces
                    && self.folds()
                    && at > 0
                    && next.is_some_and(|next| next != ' ')
                {
                    self.write_indent();
                } else {
                    self.put(char);
                }
                spaces = true;
            } else if is_break(char) {
                if !breaks && char == '\n' {
                    self.put_break();
                }
                self.write_break(char);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if char == '\'' {
                    self.put('\'');
                }
                self.put(char);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
        self.indicator("'", false, false, false);
    }

    fn double(&mut self, text: &str, breaks_allowed: bool) {
        self.indicator("\"", true, false, false);
        let mut spaces = false;
        // libyaml asks of each character whether the text begins with a mark.
        let marked = text.starts_with('\u{feff}');
        let mut chars = text.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            if marked || !is_printable(char) || is_break(char) || char == '"' || char == '\\' {
                self.escape(char);
                spaces = false;
            } else if char == ' ' {
                let next = chars.peek().map(|(_, char)| *char);
                if breaks_allowed && !spaces && self.folds() && at > 0 && next.is_some() {
                    self.write_indent();
                    if next == Some(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(char);
                }
                spaces = true;
            } else {
                self.put(char);
                spaces = false;
            }
        }
        self.indicator("\"", false, false, false);
    }

    fn escape(&mut self, char: char) {
        let code = u32::from(char);
        let short = match char {
            '\0' => Some('0'),
            '\u{7}' => Some('a'),
            '\u{8}' => Some('b'),
            '\t' => Some('t'),
            '\n' => Some('n'),
            '\u{b}' => Some('v'),
            '\u{c}' => Some('f'),
            '\r' => Some('r'),
            '\u{1b}' => Some('e'),
            '"' => Some('"'),
            '\\' => Some('\\'),
            '\u{85}' => Some('N'),
            '\u{a0}' => Some('_'),
            '\u{2028}' => Some('L'),
            '\u{2029}' => Some('P'),
            _ => None,
        };
        let text = match short {
            Some(short) => format!("\\{short}"),
            None if code <= 0xff => format!("\\x{code:02X}"),
            None if code <= 0xffff => format!("\\u{code:04X}"),
            None => format!("\\U{code:08X}"),
        };
        for char in text.chars() {
            self.put(char);
        }
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", true, false, false);
        if text.starts_with(|first| first == ' ' || is_break(first)) {
            self.indicator("2", false, false, false);
        }
        let mut ends = text.chars().rev();
        match (ends.next().is_some_and(is_break), ends.next()) {
            (false, _) => self.indicator("-", false, false, false),
            (true, None) => self.indicator("+", false, false, false),
            (true, Some(before)) if is_break(before) => self.indicator("+", false, false, false),
            _ => {}
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        for line in text.split_inclusive(is_break) {
            let end = line.chars().next_back().filter(|&last| is_break(last));
            let kept = &line[..line.len() - end.map_or(0, char::len_utf8)];
            if !kept.is_empty() {
                self.write_indent();
                self.put_all(kept);
                self.indention = false;
            }
            if let Some(end) = end {
                self.write_break(end);
                self.indention = true;
            }
        }
    }
}

/// Whether a glance tells that `text` can stand as it is: printable, without what is ever an indicator.
fn is_simple(text: &str) -> bool {
    let inner = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b':' | b'#');
    let outer = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'$'))
    };
    let bytes = text.as_bytes();
    outer(bytes.first())
        && (outer(bytes.last()) || matches!(bytes.last(), Some(b'.' | b'"' | b')' | b'%')))
        && bytes.iter().all(inner)
}

const fn is_break(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What libyaml writes as it is: not tabs, nor characters outside the basic plane.
const fn is_printable(char: char) -> bool {
    matches!(char, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}
