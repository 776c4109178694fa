//! Flow collections on one line.

use std::borrow::Cow;

use super::super::decode::{scalar_key, scalar_value};
use super::super::resolve::resolve;
use super::super::tree::Tree;
use super::{MAX_DEPTH, MAX_KEY, Odd, Read, Reader, is_word};

impl<'s> Reader<'s> {
    /// A flow collection that ends on its line, and where.
    pub(super) fn flow<T: Tree>(&self, at: usize, end: usize, depth: usize) -> Read<(T, usize)> {
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
