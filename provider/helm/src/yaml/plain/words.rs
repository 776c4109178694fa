//! Scalars without quotes.

use std::borrow::Cow;

use super::{Odd, Parent, Read, Reader};

impl<'s> Reader<'s> {
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

    /// The next line that is not blank when it goes on with a scalar, for which it stands right of `column`: how many
    /// blank lines are between, where its text begins, where it ends.
    pub(super) fn continuation(
        &self,
        column: Option<usize>,
    ) -> Read<Option<(usize, usize, usize)>> {
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
                Some(_) if column.is_some_and(|column| indent <= column) => return Ok(None),
                Some(_) => return Ok(Some((blank, start, self.end_of(start)))),
            }
        }
        Ok(None)
    }

    pub(super) fn plain(&mut self, at: usize, end: usize, parent: Parent) -> Read<Cow<'s, str>> {
        let starts_otherwise = matches!(
            self.bytes[at],
            b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | b'?' | b':' | b',' | b']' | b'}' | b'#'
        );
        if starts_otherwise || self.is_dash(at, end) {
            return Err(Odd);
        }
        let (stop, mut comment) = self.plain_end(at, end)?;
        let mut text = Cow::Borrowed(&self.source[at..stop]);
        while !comment && let Some((blank, start, end)) = self.continuation(Some(parent.column))? {
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
}

/// One line feed becomes a space, several lose the first.
pub(super) fn fold(text: &mut String, blank: usize) {
    if blank == 0 {
        text.push(' ');
    }
    for _ in 0..blank {
        text.push('\n');
    }
}
