//! Scalars in quotes.

use std::borrow::Cow;

use memchr::memchr;

use super::words::fold;
use super::{Odd, Read, Reader};

impl<'s> Reader<'s> {
    /// A scalar in quotes and where it ends; `None` when it does not end on its line.
    pub(super) fn quoted(&self, at: usize, end: usize) -> Read<Option<(Cow<'s, str>, usize)>> {
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

    /// A scalar in quotes over several lines.
    pub(super) fn folded_quotes(&mut self, at: usize, end: usize) -> Read<String> {
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
            // Inside quotes go-yaml minds no indentation, only what could be a marker of documents.
            let (blank, next, next_end) = self.continuation(None)?.ok_or(Odd)?;
            if self.source[next..].starts_with(['-', '.']) && self.bytes[next - 1] == b'\n' {
                return Err(Odd);
            }
            self.next = next_end + 1;
            match (joined, blank) {
                (false, _) => fold(&mut text, blank),
                (true, 0) => {}
                (true, _) => return Err(Odd),
            }
            (start, end) = (next, next_end);
        }
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
