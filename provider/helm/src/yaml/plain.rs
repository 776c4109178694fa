//! The plain part of YAML, which is nearly all that charts write, read in one pass over the lines: block maps and
//! lists, scalars on one line or folded over several, block scalars, and flow collections on one line.
//!
//! It reads what it is sure of and refuses nothing: a text with anything else (anchors, tags, tabs, escapes that are
//! rare, several documents, mistakes) is left whole to [`super::decode`], which alone says what is wrong. Custom
//! resource definitions are megabytes of such text, and most of the time a rendering takes.

mod blocks;
mod flow;
mod quotes;
#[cfg(test)]
mod tests;
mod words;

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
                None => Cow::Owned(self.folded_quotes(at, end)?),
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
}

/// What plain keys and words begin with.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'$')
}

/// What else plain keys have inside.
const fn is_inner(byte: u8) -> bool {
    matches!(byte, b'-' | b'@' | b'+' | b'(' | b')' | b'*' | b'=' | b':')
}
