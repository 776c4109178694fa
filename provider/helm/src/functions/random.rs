//! Randomness, always from the rendering's own source.

use super::quote::{Rune, runes};
use super::{Answer, Function, fixed, int, text};
use crate::template::{Fault, Run};
use crate::value::{Type, Value};

use base64::Engine as _;

const I: Type = Type::Int;
const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BOTH: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

pub(super) static TABLE: &[Function] = &[
    fixed("randAlphaNum", &[I], |run, a| pick(run, int(a, 0), BOTH)),
    fixed("randAlpha", &[I], |run, a| pick(run, int(a, 0), LETTERS)),
    fixed("randNumeric", &[I], |run, a| pick(run, int(a, 0), DIGITS)),
    fixed("randAscii", &[I], |run, a| {
        let printable: Vec<u8> = (b' '..=b'~').collect();
        pick(run, int(a, 0), &printable)
    }),
    fixed("randInt", &[I, I], |run, a| {
        let (low, high) = (int(a, 0), int(a, 1));
        let span = high
            .checked_sub(low)
            .and_then(|span| u64::try_from(span).ok());
        match span.filter(|span| *span > 0) {
            Some(span) => Ok(Value::Int(low + below(run, span) as i64)),
            None => Err("invalid argument to Intn".into()),
        }
    }),
    fixed("randBytes", &[I], |run, a| {
        let count = usize::try_from(int(a, 0))
            .map_err(|_| Fault::new("runtime error: makeslice: len out of range"))?;
        run.check_size(count.saturating_mul(2))?;
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes(run, count));
        Ok(Value::str(encoded))
    }),
    fixed("uuidv4", &[], |run, _| {
        let mut raw = [0; 16];
        fill(run, &mut raw);
        Ok(Value::str(
            uuid::Builder::from_random_bytes(raw)
                .into_uuid()
                .to_string(),
        ))
    }),
    fixed("shuffle", &[Type::Str], |run, a| {
        let all = text(a, 0);
        let mut chars: Vec<char> = runes(&all)
            .map(|rune| match rune {
                Rune::Char(char) => char,
                Rune::Invalid(_) => '\u{fffd}',
            })
            .collect();
        for last in (1..chars.len()).rev() {
            chars.swap(last, below(run, last as u64 + 1) as usize);
        }
        Ok(Value::str(chars.into_iter().collect::<String>()))
    }),
];

/// Fills `buffer` and remembers that randomness was used.
pub(super) fn fill(run: &Run<'_>, buffer: &mut [u8]) {
    run.env.touch(|volatile| volatile.entropy = true);
    run.env.entropy.fill(buffer);
}

/// `count` random bytes.
pub(super) fn bytes(run: &Run<'_>, count: usize) -> Vec<u8> {
    let mut buffer = vec![0; count];
    fill(run, &mut buffer);
    buffer
}

/// A number below `bound`, which is at least one.
fn below(run: &Run<'_>, bound: u64) -> u64 {
    run.env.touch(|volatile| volatile.entropy = true);
    run.env.entropy.below(bound)
}

fn pick(run: &Run<'_>, count: i64, from: &[u8]) -> Answer {
    // A negative count is an error that sprig ignores: the text is empty.
    let count = usize::try_from(count).unwrap_or(0);
    run.check_size(count)?;
    run.charge(count as u64)?;
    let text: Vec<u8> = (0..count)
        .map(|_| from[below(run, from.len() as u64) as usize % from.len()])
        .collect();
    Ok(Value::str(text))
}
