//! Words and cases as xstrings sees them.

use super::{is_space, to_lower, to_upper};

/// What xstrings sees at the start of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    /// Nothing is left.
    End,
    Number,
    /// A capital letter and the small ones after it, or several capital letters.
    Upper,
    /// Letters that are not capital.
    Letters,
    /// White space, `-` and `_`.
    Connector,
    Punctuation,
    Other,
}

impl Word {
    /// Whether a connector stands before such a word.
    const fn joins(self) -> bool {
        !matches!(self, Self::End | Self::Connector | Self::Punctuation)
    }

    /// Whether it can be part of a word that contains digits.
    const fn is_small_or_number(self) -> bool {
        matches!(self, Self::Letters | Self::Number)
    }
}

fn is_connector(char: char) -> bool {
    char == '-' || char == '_' || is_space(char)
}

fn is_punctuation(char: char) -> bool {
    use std::sync::LazyLock;
    static CLASS: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(r"^\p{P}$").ok());
    if char.is_ascii() {
        return char.is_ascii_punctuation() && !"$+<=>^`|~".contains(char);
    }
    CLASS
        .as_ref()
        .is_some_and(|class| class.is_match(char.encode_utf8(&mut [0; 4])))
}

/// Splits off the first word.
fn next_word<'t>(text: &mut &'t [char]) -> (Word, &'t [char]) {
    let run = |from: usize, matches: &dyn Fn(char) -> bool| {
        from + text[from..]
            .iter()
            .take_while(|char| matches(**char))
            .count()
    };
    let small = |char: char| char.is_alphabetic() && !char.is_uppercase();
    let (kind, length) = match text.first().copied() {
        None => (Word::End, 0),
        Some(first) if is_connector(first) => (Word::Connector, run(0, &is_connector)),
        Some(first) if is_punctuation(first) => (Word::Punctuation, run(0, &is_punctuation)),
        Some(first) if first.is_uppercase() => {
            let capitals = run(0, &char::is_uppercase);
            let length = match text.get(capitals) {
                // `HTTPServer`: the last capital letter belongs to what follows.
                Some(next) if capitals > 1 && next.is_alphabetic() => capitals - 1,
                _ if capitals > 1 => capitals,
                _ => run(1, &small),
            };
            (Word::Upper, length)
        }
        Some(first) if first.is_alphabetic() => (Word::Letters, run(0, &small)),
        Some(first) if first.is_numeric() => (Word::Number, run(0, &char::is_numeric)),
        Some(_) => {
            let other = |char: char| {
                !is_connector(char)
                    && !char.is_alphabetic()
                    && !char.is_numeric()
                    && !is_punctuation(char)
            };
            (Word::Other, run(0, &other))
        }
    };
    let (word, rest) = text.split_at(length);
    *text = rest;
    (kind, word)
}

fn put_word(kind: Word, word: &[char], connector: char, out: &mut String) {
    match kind {
        Word::Upper | Word::Connector => {
            for char in word {
                out.push(if is_connector(*char) {
                    connector
                } else {
                    to_lower(*char)
                });
            }
        }
        _ => out.extend(word),
    }
}

/// xstrings' snake and kebab case: words in small letters, joined; digits stay with the word before
/// them, unless small letters follow.
pub(in crate::functions) fn delimited_case(text: &[u8], connector: char) -> String {
    let chars: Vec<char> = String::from_utf8_lossy(text).chars().collect();
    let mut rest = chars.as_slice();
    let mut out = String::with_capacity(chars.len() + 8);
    let (mut kind, mut word) = next_word(&mut rest);
    while !rest.is_empty() {
        if kind != Word::Connector {
            put_word(kind, word, connector, &mut out);
        }
        let (previous, last) = (kind, word);
        (kind, word) = next_word(&mut rest);
        match previous {
            Word::Number => {
                while kind.is_small_or_number() {
                    put_word(kind, word, connector, &mut out);
                    (kind, word) = next_word(&mut rest);
                }
                if kind.joins() {
                    out.push(connector);
                }
            }
            Word::Connector => put_word(previous, last, connector, &mut out),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if kind.joins() {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let digits = word;
                (kind, word) = next_word(&mut rest);
                if kind == Word::Letters {
                    out.push(connector);
                    put_word(Word::Number, digits, connector, &mut out);
                    while kind.is_small_or_number() {
                        put_word(kind, word, connector, &mut out);
                        (kind, word) = next_word(&mut rest);
                    }
                } else {
                    put_word(Word::Number, digits, connector, &mut out);
                }
                if kind.joins() {
                    out.push(connector);
                }
            }
        }
    }
    put_word(kind, word, connector, &mut out);
    out
}

/// xstrings' Pascal case: a capital letter at the start and after each connector, which goes; of
/// several connectors one goes. Capital letters that follow a word's first capital become small.
pub(in crate::functions) fn pascal_case(text: &[u8]) -> String {
    let lossy = String::from_utf8_lossy(text);
    let mut out = String::with_capacity(lossy.len());
    let mut chars = lossy.chars();
    let mut held = None;
    let mut in_capitals = false;
    for char in chars.by_ref() {
        if !is_connector(char) {
            in_capitals = char.is_uppercase();
            held = Some(to_upper(char));
            break;
        }
        out.push(char);
    }
    let Some(mut previous) = held else {
        return out;
    };
    for char in chars {
        let mut current = char;
        if is_connector(char) && is_connector(previous) {
            out.push(previous);
        } else if is_connector(previous) {
            in_capitals = char.is_uppercase();
            current = to_upper(char);
        } else {
            if in_capitals && char.is_uppercase() {
                current = to_lower(char);
            } else {
                in_capitals = false;
            }
            out.push(previous);
        }
        previous = current;
    }
    out.push(previous);
    out
}
