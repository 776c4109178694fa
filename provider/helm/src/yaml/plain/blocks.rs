//! Block scalars.

use super::words::fold;
use super::{Odd, Parent, Read, Reader};

impl<'s> Reader<'s> {
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
                    if own <= parent.column
                        || deepest > own
                        || self.bytes.get(begin + own) == Some(&b'\t')
                    {
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

    pub(super) fn literal(&mut self, at: usize, end: usize, parent: Parent) -> Read<String> {
        let (lines, chomp, broken) = self.block_lines(at, end, parent)?;
        let mut text = lines.join("\n");
        if broken {
            text.push('\n');
        }
        chomp.apply(&mut text);
        Ok(text)
    }

    pub(super) fn folded(&mut self, at: usize, end: usize, parent: Parent) -> Read<String> {
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

/// The most spaces on one of the blank lines between the line of `header` and `end`.
fn lines_deepest(source: &str, header: usize, end: usize) -> usize {
    let lines = source[header..end].lines().skip(1);
    lines.map(str::len).max().unwrap_or(0)
}
