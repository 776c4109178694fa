//! The plain part of YAML, which is nearly all that charts write, read in one pass over the lines: block maps and
//! lists, scalars on one line or folded over several, block scalars, and flow collections on one line.
//!
//! It reads what it is sure of and refuses nothing: a text with anything else (anchors, tags, tabs, escapes that are
//! rare, several documents, mistakes) is left whole to [`super::decode`], which alone says what is wrong. Custom
//! resource definitions are megabytes of such text, and most of the time a rendering takes.

use std::borrow::Cow;

use memchr::memchr;

use super::decode::{scalar_key, scalar_value};
use super::resolve::resolve;
use super::tree::Tree;

/// Something that the full reader is to judge.
struct Odd;

type Read<T> = Result<T, Odd>;

/// Collections within collections that are read here.
const MAX_DEPTH: usize = 200;
/// Keys beyond this may be none: YAML wants their colon within 1,024 characters.
const MAX_KEY: usize = 1_000;

/// The only document of a text whose characters are all allowed; `None` when it is not plain.
pub(super) fn read<T: Tree>(source: &str) -> Option<T> {
    if has_other_breaks(source) {
        return None;
    }
    let mut reader = Reader {
        source,
        bytes: source.as_bytes(),
        next: 0,
        line: None,
    };
    reader.document().ok()
}

/// Line ends that are no line feed, and byte order marks.
fn has_other_breaks(source: &str) -> bool {
    memchr(b'\r', source.as_bytes()).is_some()
        || (!source.is_ascii() && source.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']))
}

/// What is left of a line: never blank, never only a comment.
#[derive(Clone, Copy)]
struct Line {
    /// The column of what is left.
    column: usize,
    start: usize,
    /// Where its line feed is, or the text's end.
    end: usize,
}

struct Reader<'s> {
    source: &'s str,
    bytes: &'s [u8],
    /// Where the line behind the current one begins.
    next: usize,
    /// The line that is to be read.
    line: Option<Line>,
}

/// What encloses a value.
#[derive(Clone, Copy)]
struct Parent {
    /// The column of its keys or dashes: what belongs to a value stands further right.
    column: usize,
    /// A map's value may be a list whose dashes stand below the key.
    map: bool,
    depth: usize,
}

impl<'s> Reader<'s> {
    fn document<T: Tree>(&mut self) -> Read<T> {
        self.advance()?;
        if self.line.is_some_and(|line| self.is_start(line)) {
            self.advance()?;
        }
        let line = self.line.ok_or(Odd)?;
        let root = if matches!(self.bytes[line.start], b'[' | b'{') {
            let (root, end) = self.flow(line.start, line.end, 0)?;
            self.trailing(end, line.end)?;
            self.advance()?;
            root
        } else {
            self.block(0)?
        };
        match self.line {
            None => Ok(root),
            Some(_) => Err(Odd),
        }
    }

    fn is_start(&self, line: Line) -> bool {
        line.column == 0 && self.source[line.start..line.end].trim_end_matches(' ') == "---"
    }

    /// Where the line ends that begins at, or contains, `from`.
    fn end_of(&self, from: usize) -> usize {
        memchr(b'\n', &self.bytes[from..]).map_or(self.bytes.len(), |length| from + length)
    }

    fn spaces(&self, from: usize) -> usize {
        let rest = &self.bytes[from..];
        rest.iter()
            .position(|&byte| byte != b' ')
            .unwrap_or(rest.len())
    }

    /// Goes to the next line that is neither blank nor a comment.
    fn advance(&mut self) -> Read<()> {
        self.line = None;
        while self.next < self.bytes.len() {
            let begin = self.next;
            let column = self.spaces(begin);
            let start = begin + column;
            let end = self.end_of(start);
            self.next = end + 1;
            match self.bytes.get(start) {
                None | Some(b'\n' | b'#') => {}
                Some(b'\t') => return Err(Odd),
                Some(b'%') if column == 0 => return Err(Odd),
                Some(_) => {
                    let line = Line { column, start, end };
                    let text = &self.bytes[start..end];
                    let marker = text.starts_with(b"---") || text.starts_with(b"...");
                    // One marker may come before the document; the others are not read here.
                    if column == 0 && marker && !(self.is_start(line) && self.is_first(begin)) {
                        return Err(Odd);
                    }
                    self.line = Some(line);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether only blank lines and comments come before.
    fn is_first(&self, at: usize) -> bool {
        self.source[..at].lines().all(|line| {
            let line = line.trim_start_matches(' ');
            line.is_empty() || line.starts_with('#')
        })
    }

    /// Whether `at` begins with a list's dash.
    fn is_dash(&self, at: usize, end: usize) -> bool {
        self.bytes[at] == b'-' && (at + 1 == end || self.bytes[at + 1] == b' ')
    }

    fn block<T: Tree>(&mut self, depth: usize) -> Read<T> {
        let line = self.line.ok_or(Odd)?;
        if depth > MAX_DEPTH {
            return Err(Odd);
        }
        if self.is_dash(line.start, line.end) {
            self.sequence(line.column, depth)
        } else {
            self.mapping(line.column, depth)
        }
    }

    fn sequence<T: Tree>(&mut self, column: usize, depth: usize) -> Read<T> {
        let mut items = Vec::new();
        let parent = Parent {
            column,
            map: false,
            depth,
        };
        while let Some(line) = self.line {
            if line.column > column {
                return Err(Odd);
            }
            if line.column < column || !self.is_dash(line.start, line.end) {
                break;
            }
            let rest = line.start + 1 + self.spaces(line.start + 1);
            let item = if rest < line.end
                && (self.is_dash(rest, line.end) || self.key(rest, line.end)?.is_some())
            {
                self.line = Some(Line {
                    column: column + (rest - line.start),
                    start: rest,
                    end: line.end,
                });
                self.block(depth + 1)?
            } else {
                self.value(rest, line.end, parent)?
            };
            items.push(item);
        }
        Ok(T::list(items))
    }

    fn mapping<T: Tree>(&mut self, column: usize, depth: usize) -> Read<T> {
        let mut members = T::Members::default();
        let parent = Parent {
            column,
            map: true,
            depth,
        };
        while let Some(line) = self.line {
            if line.column > column {
                return Err(Odd);
            }
            if line.column < column {
                break;
            }
            let (key, rest) = self.key(line.start, line.end)?.ok_or(Odd)?;
            let value = self.value(rest, line.end, parent)?;
            T::insert(&mut members, &key, value);
        }
        Ok(T::map(members))
    }

    /// The key at `at`, and where its value begins; `None` when no key begins there.
    fn key(&self, at: usize, end: usize) -> Read<Option<(Cow<'s, str>, usize)>> {
        let (text, colon) = match self.bytes[at] {
            b'"' | b'\'' => match self.quoted(at, end)? {
                Some((text, after)) if self.bytes[after..end].first() == Some(&b':') => {
                    (text, after)
                }
                Some((_, after)) => {
                    let after = after + self.spaces(after);
                    return if self.bytes[after..end].first() == Some(&b':') {
                        Err(Odd)
                    } else {
                        Ok(None)
                    };
                }
                None => return Ok(None),
            },
            first if is_word(first) || (first == b'-' && !self.is_dash(at, end)) => {
                let mut colon = at;
                loop {
                    match self.bytes[colon..end].first() {
                        Some(b':') if self.ends_word(colon + 1, end) => break,
                        Some(&byte) if is_word(byte) || is_inner(byte) => colon += 1,
                        _ => return Ok(None),
                    }
                }
                let text = &self.source[at..colon];
                (scalar_key(&resolve(text, true), text).ok_or(Odd)?, colon)
            }
            _ => return Ok(None),
        };
        if !self.ends_word(colon + 1, end) || colon - at > MAX_KEY {
            return Err(Odd);
        }
        Ok(Some((text, colon + 1 + self.spaces(colon + 1))))
    }

    fn ends_word(&self, at: usize, end: usize) -> bool {
        at >= end || self.bytes[at] == b' '
    }

    /// The value that begins at `at`, which may be the line's end.
    fn value<T: Tree>(&mut self, at: usize, end: usize, parent: Parent) -> Read<T> {
        let text = match self.bytes[at.min(end)..end].first() {
            None => return self.below(parent),
            Some(b'#') if self.bytes[at - 1] == b' ' => return self.below(parent),
            Some(b'[' | b'{') => {
                let (value, after) = self.flow(at, end, parent.depth + 1)?;
                self.trailing(after, end)?;
                self.advance()?;
                return Ok(value);
            }
            Some(b'"' | b'\'') => match self.quoted(at, end)? {
                Some((text, after)) => {
                    self.trailing(after, end)?;
                    text
                }
                None => Cow::Owned(self.folded_quotes(at, end, parent)?),
            },
            Some(b'|') => Cow::Owned(self.literal(at, end, parent)?),
            Some(b'>') => Cow::Owned(self.folded(at, end, parent)?),
            Some(_) => {
                let text = self.plain(at, end, parent)?;
                self.advance()?;
                let scalar = resolve(&text, true);
                return scalar_value(&scalar, &text).map_err(|_| Odd);
            }
        };
        self.advance()?;
        Ok(T::text(&text))
    }

    /// The value that begins on a later line, or nothing.
    fn below<T: Tree>(&mut self, parent: Parent) -> Read<T> {
        self.advance()?;
        match self.line {
            Some(line) if line.column > parent.column => {
                let flow = matches!(self.bytes[line.start], b'[' | b'{');
                if flow
                    || !self.is_dash(line.start, line.end)
                        && self.key(line.start, line.end)?.is_none()
                {
                    return self.value(line.start, line.end, parent);
                }
                self.block(parent.depth + 1)
            }
            Some(line)
                if parent.map
                    && line.column == parent.column
                    && self.is_dash(line.start, line.end) =>
            {
                self.sequence(line.column, parent.depth + 1)
            }
            _ => Ok(T::nil()),
        }
    }

    /// Behind a value stands nothing but a comment.
    fn trailing(&self, at: usize, end: usize) -> Read<()> {
        let spaces = self.spaces(at);
        match self.bytes[(at + spaces).min(end)..end].first() {
            None => Ok(()),
            Some(b'#') if spaces > 0 => Ok(()),
            Some(_) => Err(Odd),
        }
    }

    /// A scalar in quotes and where it ends; `None` when it does not end on its line.
    fn quoted(&self, at: usize, end: usize) -> Read<Option<(Cow<'s, str>, usize)>> {
        let quote = self.bytes[at];
        let from = at + 1;
        let mut owned: Option<String> = None;
        let mut kept = from;
        let mut at = from;
        loop {
            let line = &self.bytes[at..end];
            let found = if quote == b'"' {
                memchr::memchr2(b'"', b'\\', line)
            } else {
                memchr(b'\'', line)
            };
            let Some(found) = found else {
                return Ok(None);
            };
            let stop = at + found;
            let escaped = match escape(&self.bytes[stop..end])? {
                Escape::Char(char) => char,
                Escape::Line => return Ok(None),
                Escape::End => {
                    let last = &self.source[kept..stop];
                    let text = match owned {
                        None => Cow::Borrowed(last),
                        Some(mut text) => {
                            text.push_str(last);
                            Cow::Owned(text)
                        }
                    };
                    return Ok(Some((text, stop + 1)));
                }
            };
            let text = owned.get_or_insert_default();
            text.push_str(&self.source[kept..stop]);
            text.push(escaped);
            kept = stop + 2;
            at = kept;
        }
    }

    /// Where the plain text on a line ends, and whether a comment follows.
    fn plain_end(&self, at: usize, end: usize) -> Read<(usize, bool)> {
        let mut cut = end;
        let line = &self.bytes[at..end];
        let mut comment = false;
        for (index, &byte) in line.iter().enumerate() {
            match byte {
                b':' if self.ends_word(at + index + 1, end) => return Err(Odd),
                b'#' if index > 0 && line[index - 1] == b' ' => {
                    cut = at + index;
                    comment = true;
                    break;
                }
                b'\t' => return Err(Odd),
                _ => {}
            }
        }
        let text = &self.bytes[at..cut];
        let kept = text.iter().rposition(|&byte| byte != b' ');
        Ok((at + kept.map_or(0, |last| last + 1), comment))
    }

    /// The next line that is not blank when it goes on with a scalar: how many blank lines are between, where its
    /// text begins, where it ends.
    fn continuation(&self, column: usize) -> Read<Option<(usize, usize, usize)>> {
        let mut blank = 0;
        let mut begin = self.next;
        while begin < self.bytes.len() {
            let indent = self.spaces(begin);
            let start = begin + indent;
            match self.bytes.get(start) {
                None => return Ok(None),
                Some(b'\n') => {
                    blank += 1;
                    begin = start + 1;
                }
                Some(b'\t') => return Err(Odd),
                Some(_) if indent <= column => return Ok(None),
                Some(_) => return Ok(Some((blank, start, self.end_of(start)))),
            }
        }
        Ok(None)
    }

    fn plain(&mut self, at: usize, end: usize, parent: Parent) -> Read<Cow<'s, str>> {
        let starts_otherwise = matches!(
            self.bytes[at],
            b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | b'?' | b':' | b',' | b']' | b'}' | b'#'
        );
        if starts_otherwise || self.is_dash(at, end) {
            return Err(Odd);
        }
        let (stop, mut comment) = self.plain_end(at, end)?;
        let mut text = Cow::Borrowed(&self.source[at..stop]);
        while !comment && let Some((blank, start, end)) = self.continuation(parent.column)? {
            if self.bytes[start] == b'#' {
                break;
            }
            let (stop, commented) = self.plain_end(start, end)?;
            fold(text.to_mut(), blank);
            text.to_mut().push_str(&self.source[start..stop]);
            comment = commented;
            self.next = end + 1;
        }
        Ok(text)
    }

    /// A scalar in quotes over several lines.
    fn folded_quotes(&mut self, at: usize, end: usize, parent: Parent) -> Read<String> {
        let quote = self.bytes[at];
        let mut text = String::new();
        let (mut start, mut end) = (at + 1, end);
        loop {
            let line = &self.source[start..end];
            if line.contains('\t') {
                return Err(Odd);
            }
            let mut kept = line;
            // An escaped line feed, behind which nothing is folded.
            let mut joined = false;
            loop {
                let found = if quote == b'"' {
                    memchr::memchr2(b'"', b'\\', kept.as_bytes())
                } else {
                    memchr(b'\'', kept.as_bytes())
                };
                let Some(found) = found else {
                    text.push_str(kept.trim_end_matches(' '));
                    break;
                };
                text.push_str(&kept[..found]);
                let escaped = &kept.as_bytes()[found..];
                match escape(escaped)? {
                    Escape::Char(char) => {
                        text.push(char);
                        kept = &kept[found + 2..];
                    }
                    Escape::Line => {
                        joined = true;
                        break;
                    }
                    Escape::End => {
                        self.trailing(end - kept.len() + found + 1, end)?;
                        return Ok(text);
                    }
                }
            }
            let (blank, next, next_end) = self.continuation(parent.column)?.ok_or(Odd)?;
            self.next = next_end + 1;
            match (joined, blank) {
                (false, _) => fold(&mut text, blank),
                (true, 0) => {}
                (true, _) => return Err(Odd),
            }
            (start, end) = (next, next_end);
        }
    }

    /// The lines of a block scalar without their indentation and line feeds, from the header at `at`; how it ends; and
    /// whether the last line has a line feed.
    fn block_lines(
        &mut self,
        at: usize,
        end: usize,
        parent: Parent,
    ) -> Read<(Vec<&'s str>, Chomp, bool)> {
        let header = self.source[at + 1..end].trim_end_matches(' ').as_bytes();
        let (chomp, digit) = match *header {
            [] => (Chomp::Clip, None),
            [b'-'] => (Chomp::Strip, None),
            [b'+'] => (Chomp::Keep, None),
            [digit @ b'1'..=b'9'] => (Chomp::Clip, Some(digit)),
            [digit @ b'1'..=b'9', b'-'] | [b'-', digit @ b'1'..=b'9'] => {
                (Chomp::Strip, Some(digit))
            }
            [digit @ b'1'..=b'9', b'+'] | [b'+', digit @ b'1'..=b'9'] => (Chomp::Keep, Some(digit)),
            _ => return Err(Odd),
        };
        let mut lines: Vec<&str> = Vec::new();
        let mut indent = digit.map(|digit| parent.column + usize::from(digit - b'0'));
        let mut broken = false;
        while self.next < self.bytes.len() {
            let begin = self.next;
            let own = self.spaces(begin);
            let end = self.end_of(begin + own);
            let blank = begin + own == end;
            let indent = match indent {
                None if blank => {
                    lines.push("");
                    self.next = end + 1;
                    continue;
                }
                None => {
                    let deepest = lines_deepest(self.source, at, begin);
                    if own <= parent.column || deepest > own {
                        return Err(Odd);
                    }
                    *indent.insert(own)
                }
                Some(indent) => indent,
            };
            if own < indent && !blank {
                break;
            }
            // Blanks that end the text without a line feed are a matter of taste.
            if blank && end == self.bytes.len() {
                return Err(Odd);
            }
            lines.push(&self.source[(begin + indent).min(end)..end]);
            broken = end < self.bytes.len();
            self.next = end + 1;
        }
        // Without text, it depends on how it ends whether there are line feeds.
        if lines.iter().all(|line| line.is_empty()) {
            return Err(Odd);
        }
        Ok((lines, chomp, broken))
    }

    fn literal(&mut self, at: usize, end: usize, parent: Parent) -> Read<String> {
        let (lines, chomp, broken) = self.block_lines(at, end, parent)?;
        let mut text = lines.join("\n");
        if broken {
            text.push('\n');
        }
        chomp.apply(&mut text);
        Ok(text)
    }

    fn folded(&mut self, at: usize, end: usize, parent: Parent) -> Read<String> {
        let (lines, chomp, broken) = self.block_lines(at, end, parent)?;
        let last = lines.iter().rposition(|line| !line.is_empty()).ok_or(Odd)?;
        // Lines that are indented further, and blank ones at the start, fold by other rules.
        if lines[0].is_empty() || lines.iter().any(|line| line.starts_with([' ', '\t'])) {
            return Err(Odd);
        }
        let mut text = lines[0].to_owned();
        let mut blank = 0;
        for line in &lines[1..=last] {
            if line.is_empty() {
                blank += 1;
            } else {
                fold(&mut text, blank);
                text.push_str(line);
                blank = 0;
            }
        }
        if broken {
            text.push_str(&"\n".repeat(lines.len() - last));
        }
        chomp.apply(&mut text);
        Ok(text)
    }

    /// A flow collection that ends on its line, and where.
    fn flow<T: Tree>(&self, at: usize, end: usize, depth: usize) -> Read<(T, usize)> {
        if depth > MAX_DEPTH {
            return Err(Odd);
        }
        let list = self.bytes[at] == b'[';
        let close = if list { b']' } else { b'}' };
        let mut items = Vec::new();
        let mut members = T::Members::default();
        let mut at = at + 1 + self.spaces(at + 1);
        if self.bytes[at..end].first() == Some(&close) {
            let empty = if list {
                T::list(items)
            } else {
                T::map(members)
            };
            return Ok((empty, at + 1));
        }
        loop {
            if list {
                let (item, after) = self.flow_value(at, end, depth)?;
                items.push(item);
                at = after;
            } else {
                let (key, after) = self.flow_key(at, end)?;
                let (value, after) = self.flow_value(after, end, depth)?;
                T::insert(&mut members, &key, value);
                at = after;
            }
            at += self.spaces(at);
            match self.bytes[at.min(end)..end].first() {
                Some(b',') => at += 1 + self.spaces(at + 1),
                Some(&byte) if byte == close => {
                    let whole = if list {
                        T::list(items)
                    } else {
                        T::map(members)
                    };
                    return Ok((whole, at + 1));
                }
                _ => return Err(Odd),
            }
        }
    }

    fn flow_key(&self, at: usize, end: usize) -> Read<(Cow<'s, str>, usize)> {
        let (text, colon) = match self.bytes[at.min(end)..end].first() {
            Some(b'"' | b'\'') => self.quoted(at, end)?.ok_or(Odd)?,
            _ => {
                let (text, after) = self.flow_word(at, end)?;
                if !self.ends_word(after + 1, end) {
                    return Err(Odd);
                }
                (scalar_key(&resolve(text, true), text).ok_or(Odd)?, after)
            }
        };
        if self.bytes[colon.min(end)..end].first() != Some(&b':') || colon - at > MAX_KEY {
            return Err(Odd);
        }
        Ok((text, colon + 1 + self.spaces(colon + 1)))
    }

    fn flow_value<T: Tree>(&self, at: usize, end: usize, depth: usize) -> Read<(T, usize)> {
        match self.bytes[at.min(end)..end].first() {
            Some(b'[' | b'{') => self.flow(at, end, depth + 1),
            Some(b'"' | b'\'') => {
                let (text, after) = self.quoted(at, end)?.ok_or(Odd)?;
                Ok((T::text(&text), after))
            }
            _ => {
                let (text, after) = self.flow_word(at, end)?;
                let value = scalar_value(&resolve(text, true), text).map_err(|_| Odd)?;
                Ok((value, after))
            }
        }
    }

    /// A plain scalar without blanks and indicators inside a flow collection.
    fn flow_word(&self, at: usize, end: usize) -> Read<(&'s str, usize)> {
        let rest = &self.bytes[at.min(end)..end];
        let first = rest.first().ok_or(Odd)?;
        let negative = *first == b'-' && rest.get(1).is_some_and(u8::is_ascii_alphanumeric);
        if !is_word(*first) && !negative {
            return Err(Odd);
        }
        let word = |&byte: &u8| is_word(byte) || byte == b'-';
        let length = rest.iter().take_while(|byte| word(byte)).count();
        Ok((&self.source[at..at + length], at + length))
    }
}

/// What stands at a quote or a backslash inside quotes.
enum Escape {
    Char(char),
    /// A backslash that ends its line.
    Line,
    /// The closing quote.
    End,
}

/// `at` begins with the quote or the backslash, on its line.
fn escape(at: &[u8]) -> Read<Escape> {
    Ok(match at {
        [b'\\', b'n', ..] => Escape::Char('\n'),
        [b'\\', b't', ..] => Escape::Char('\t'),
        [b'\\', char @ (b'"' | b'\\' | b' '), ..] => Escape::Char(char::from(*char)),
        [b'\\'] => Escape::Line,
        [b'\\', ..] => return Err(Odd),
        [b'\'', b'\'', ..] => Escape::Char('\''),
        _ => Escape::End,
    })
}

/// What a block scalar does with the line feeds at its end.
#[derive(Clone, Copy)]
enum Chomp {
    Clip,
    Strip,
    Keep,
}

impl Chomp {
    fn apply(self, text: &mut String) {
        let bare = text.trim_end_matches('\n').len();
        match self {
            Self::Keep => {}
            Self::Strip => text.truncate(bare),
            Self::Clip => text.truncate(text.len().min(bare + 1)),
        }
    }
}

/// One line feed becomes a space, several lose the first.
fn fold(text: &mut String, blank: usize) {
    if blank == 0 {
        text.push(' ');
    }
    for _ in 0..blank {
        text.push('\n');
    }
}

/// The most spaces on one of the blank lines between the line of `header` and `end`.
fn lines_deepest(source: &str, header: usize, end: usize) -> usize {
    let lines = source[header..end].lines().skip(1);
    lines.map(str::len).max().unwrap_or(0)
}

/// What plain keys and words begin with.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'$')
}

/// What else plain keys have inside.
const fn is_inner(byte: u8) -> bool {
    matches!(byte, b'-' | b'@' | b'+' | b'(' | b')' | b'*' | b'=' | b':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::decode::full;
    use super::read;

    /// What stands on a line behind its indentation: what is plain, and what is nearly so.
    const PIECES: &[&str] = &[
        "a: 1",
        "b: x y",
        "c:",
        "d: ",
        "- 1",
        "-",
        "- a: b",
        "- - x",
        "-  e: f",
        "- c:",
        "a:b: c",
        "x",
        "more text",
        "f: 'it''s'",
        "g: \"a \\\"b\\\"\\n\"",
        "h: 'open",
        "closed'",
        "i: \"open",
        "shut\"",
        "j: |",
        "k: |-",
        "l: >",
        "m: >-",
        "n: |+",
        "o: [1, two, \"3\"]",
        "p: {a: 1, \"b\":2, 'c': [x]}",
        "q: []",
        "r: {}",
        "s: {a: }",
        "t: [a,]",
        "u: v # note",
        "# note",
        "w:x",
        "y: yes",
        "on: 1",
        "1: 2",
        "1.5: 3",
        "~: 4",
        "\"quoted key\": 1",
        "'k': 2",
        "z: &a 1",
        "aa: *a",
        "bb: !!str 1",
        "cc: -1",
        "dd: --x",
        "ee: - x",
        "ff: a: b",
        "gg: a:",
        "hh: http://x/y#z",
        "ii: @x",
        "jj: {{ x }}",
        "kk: 1_000",
        "ll: 0x1F",
        "mm: 1:30",
        "nn: .inf",
        "oo: 2001-01-01",
        "pp: ~",
        "qq: null",
        "rr:\ttab",
        "ss: a\tb",
        "tt: \"a\tb\"",
        "---",
        "...",
        "%YAML 1.1",
        "? a",
        ": b",
        "uu: ü \u{1f600}",
        "vv: a\u{85}b",
        "<<: {a: 1}",
        "ww: <<",
        "xx: \"\\u00e9\"",
        "yy: 'a' 'b'",
        "zz: \"a\"#b",
        "a-b/c.d: e",
        "(a)*: b",
        "",
        "  ",
        "\t",
        "- |",
        "- >-",
        "- 'x",
        "-x: 1",
        "a: 'b' # c",
        "a: \"b\": c",
        "- \"a\": b",
        "- 'a",
        "a: [b]: c",
        "a: ?x",
        "a: :x",
        "a: ,x",
        "a: ]",
        "a: |2",
        "a: | # c",
        "a: 18446744073709551615",
        "18446744073709551615: a",
        "a: 1e400",
        "a: \"\"",
        "a: ''",
    ];

    fn text() -> impl Strategy<Value = String> {
        let line = (0_usize..7, 0..PIECES.len());
        let lines = proptest::collection::vec(line, 1..9);
        (lines, any::<bool>()).prop_map(|(lines, ends)| {
            let lines: Vec<String> = lines
                .into_iter()
                .map(|(indent, piece)| format!("{}{}", " ".repeat(indent), PIECES[piece]))
                .collect();
            lines.join("\n") + if ends { "\n" } else { "" }
        })
    }

    /// `MANAGEDK8S_FUZZ` is how many times as many.
    fn cases() -> u32 {
        let factor = std::env::var("MANAGEDK8S_FUZZ").ok();
        20_000 * factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

        #[test]
        fn what_is_read_is_what_the_full_reader_reads(text in text()) {
            if let Some(value) = read::<Value>(&text) {
                prop_assert_eq!(full(&text), Ok(vec![value]));
            }
        }
    }

    #[test]
    fn what_charts_write_is_plain() {
        for text in [
            "a: 1\nb:\n  c: [x, 1]\n  d:\n  - e\n  - f: g\n    h: i\n\n# note\nj: {}\n",
            "# note\n---\na: 'b'\n",
            "a: |\n  one\n\n    two\n\nb: >-\n  one\n  two\n\n  three\nc: |-\n  end",
            "a: one\n  two\n\n  three\nb: 'one\n  it''s two'\nc: 2 # note\n",
            "- - a\n  - b\n-\n  c: d\n- e: f\n  g:\n  - h\n",
            "{\"a\":[1,{\"b\":\"c\\\"\"}],\"d\":null}\n",
            "on: x\n1: y\n\"k\": z\na/b.c-d: \"e\\n\"\nf: http://g:1/h#i\n",
            "  a: 1\n  b: ü\n",
            "a:\n  {}\nb:\n  'c'\nd:\n  long\n  text\n",
            "a: \"one\n  two\\n\\\n  \\ three\n\n  four\"\nb: |2-\n     c\n   d\n",
        ] {
            let value = read::<Value>(text);
            assert!(value.is_some(), "{text}");
            assert_eq!(full(text), Ok(value.into_iter().collect()), "{text}");
        }
    }

    #[test]
    fn all_else_is_left_alone() {
        for text in [
            "",
            "a",
            "a: &b 1",
            "a: *b",
            "a: !!str 1",
            "a:\t1",
            "a: 1\n\tb: 2",
            "a: 1\n---\nb: 2",
            "a: 1\n...\n",
            "%YAML 1.1\n---\na: 1",
            "? a\n: b",
            "<<: {a: 1}",
            "a: b: c",
            "a: 1\n  b: 2",
            " a: 1\nb: 2",
            "a: [b\n]",
            "a: \"\\u0041\"",
            "a: 1\r\nb: 2",
            "a: |0\n   b",
            "a: \"b",
            "a: 'b",
            "a: b\u{2028}c",
            "a: 1\n- b",
        ] {
            assert_eq!(read::<Value>(text), None, "{text}");
        }
    }
}
