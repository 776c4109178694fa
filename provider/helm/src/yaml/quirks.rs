//! Where go-yaml reads a text in its own way: it is libyaml's reader, which knows YAML 1.1 and looks one token ahead.

use granit_parser::{Event, StructureStyle};

/// Whether the event starts where its own text starts.
const fn is_token(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::MappingStart(StructureStyle::Flow, ..)
    )
}

/// The tab that indents what stands at `at`, if one does: go-yaml allows that inside flow collections only.
pub(super) fn after_tab(source: &str, event: &Event<'_>, at: Option<usize>) -> Option<usize> {
    let at = at.filter(|_| is_token(event))?;
    let before = source.as_bytes().get(..at)?;
    let blank = before
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let (rest, blanks) = before.split_at(before.len() - blank);
    let open = match rest {
        [] | [.., b'\n' | b'\r'] => true,
        // Behind a dash or a question mark a line begins anew.
        [.., before, b'-' | b'?'] => matches!(before, b' ' | b'\t' | b'\n' | b'\r'),
        [b'-' | b'?'] => true,
        _ => false,
    };
    let tab = blanks.iter().position(|&byte| byte == b'\t')?;
    open.then_some(rest.len() + tab)
}

/// The first tab that begins a line between two places where nothing stands but white space and comments.
pub(super) fn tab_begins_line(source: &str, from: usize, to: usize) -> Option<usize> {
    let between = source.get(from..to)?;
    // Nearly always there is nothing to look at.
    if !between.contains('\t') {
        return None;
    }
    let mut at = from;
    for line in between.split_inclusive('\n') {
        let blanks = line.len() - line.trim_start_matches(' ').len();
        let begins = at == 0 || source.as_bytes()[at - 1] == b'\n';
        if begins && line[blanks..].starts_with('\t') {
            return Some(at + blanks);
        }
        at += line.len();
    }
    None
}

/// The first tab of a block scalar that stands where its indentation should. The scalar starts with its first line's
/// text, whose column is the indentation.
pub(super) fn tab_in_block(source: &str, start: Option<usize>, end: usize) -> Option<usize> {
    let start = start?;
    let text = source.get(start..end)?;
    if !text.contains('\t') {
        return None;
    }
    let indent = start - source[..start].rfind('\n').map_or(0, |end| end + 1);
    let mut at = start;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let own = line.len() - line.trim_start_matches(' ').len();
        if index > 0 && own < indent && line[own..].starts_with('\t') {
            return Some(at + own);
        }
        at += line.len();
    }
    None
}

/// What go-yaml says where our reader says `info`.
pub(super) fn words(info: &str) -> &str {
    if info.starts_with("tabs disallowed") || info.starts_with("unexpected character") {
        "found character that cannot start any token"
    } else if info.starts_with("':' may not precede") {
        "did not find expected ',' or '}'"
    } else {
        info
    }
}

/// Whether a line of a quoted scalar stands no further right than what the scalar belongs to: YAML 1.2 forbids that,
/// go-yaml does not look.
pub(super) fn is_quote_too_far_left(info: &str) -> bool {
    info == "invalid indentation in multiline quoted scalar"
}

/// With the line, counted from nought, far to the right, which changes nothing inside quotes.
///
/// # Errors
///
/// What is wrong with the line where moving does not help.
pub(super) fn moved_right(source: &str, line: usize) -> Result<String, &'static str> {
    const FAR: usize = 256;
    let mut breaks = memchr::memchr_iter(b'\n', source.as_bytes());
    let ends = line.checked_sub(1).map(|before| breaks.nth(before));
    let at = ends.flatten().map_or(0, |end| end + 1);
    let (before, rest) = source.split_at(at);
    let marker = |marker| {
        rest.strip_prefix(marker)
            .is_some_and(|behind| behind.is_empty() || behind.starts_with([' ', '\t', '\n']))
    };
    if marker("---") || marker("...") {
        return Err("found unexpected document indicator");
    }
    if rest.starts_with(&" ".repeat(FAR)) {
        return Err("found unexpected end of stream");
    }
    Ok([before, &" ".repeat(FAR), rest].concat())
}

/// Whether a document that is complete ends here although something follows: only the next token is looked at, and
/// only that it is one.
pub(super) fn ends_before(rest: &str) -> bool {
    let rest = without_notes(rest);
    match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest[1..].contains(quote),
        Some('@' | '`' | '%' | '|' | '>' | '!' | '&' | '*') => false,
        _ => true,
    }
}

/// What follows `bracket`, when that comes first.
pub(super) fn behind(rest: &str, bracket: char) -> Option<&str> {
    without_notes(rest).strip_prefix(bracket)
}

/// The text without white space and comments at its start.
pub(super) fn without_notes(text: &str) -> &str {
    let mut rest = text.trim_start_matches([' ', '\t', '\r', '\n']);
    while let Some(note) = rest.strip_prefix('#') {
        let line = note.find('\n').map_or(note.len(), |end| end + 1);
        rest = note[line..].trim_start_matches([' ', '\t', '\r', '\n']);
    }
    rest
}

/// Texts that go-yaml reads like `source`, for when our reader refuses it: a collection in brackets without what
/// follows it, and headers of block scalars that stand as far left as their key.
pub(super) fn other_readings(source: &str) -> Vec<String> {
    let cut = flow_end(source).filter(|&end| ends_before(&source[end..]));
    let cut = cut.map(|end| source[..end].to_owned());
    cut.into_iter().chain(moved_headers(source)).collect()
}

/// Where the collection in brackets ends that a text begins with.
fn flow_end(source: &str) -> Option<usize> {
    let start = source.len() - without_notes(source).len();
    if !source[start..].starts_with(['[', '{']) {
        return None;
    }
    let (mut depth, mut quote) = (0, None);
    for (at, char) in source[start..].char_indices() {
        match (quote, char) {
            (Some(open), char) if open == char => quote = None,
            (None, '"' | '\'') => quote = Some(char),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => {
                depth -= 1;
                if depth == 0 {
                    return Some(start + at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// With a space before each header of a block scalar that begins a line below its key.
fn moved_headers(source: &str) -> Option<String> {
    let mut out = String::with_capacity(source.len() + 8);
    let mut key = false;
    let mut moved = false;
    for line in source.split_inclusive('\n') {
        if key && line.starts_with(['>', '|']) {
            out.push(' ');
            moved = true;
        }
        out.push_str(line);
        let told = line.split(" #").next().unwrap_or(line).trim_end();
        if !told.is_empty() && !told.starts_with('#') {
            let mut words = told.rsplit(' ').filter(|word| !word.is_empty());
            let last = words.find(|word| !word.starts_with(['!', '&']));
            key = last.is_some_and(|word| word.ends_with(':'));
        }
    }
    moved.then_some(out)
}

/// Whether the text is an anchor and then something that no value begins with: the value is nothing, and what follows
/// is not read.
pub(super) fn is_bare_anchor(source: &str) -> bool {
    let text = source.trim_start_matches([' ', '\n']);
    let Some(name) = text.strip_prefix('&') else {
        return false;
    };
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let rest = name.trim_start_matches(word);
    let next = rest.trim_start_matches(' ');
    rest.len() < name.len() && next.len() < rest.len() && next.starts_with(['}', ']'])
}

/// A colon right behind a plain key in a flow collection.
pub(super) enum Colon {
    /// It belongs to the key: nothing but a blank makes it more.
    Kept,
    /// It belongs to the key, and what follows has no place.
    Broken,
}

/// What the colon at `at` is.
pub(super) fn colon(source: &str, at: Option<usize>) -> Option<Colon> {
    match source.as_bytes().get(at?..)? {
        [b':', b',' | b'}' | b']', ..] => Some(Colon::Kept),
        [b':', b'{' | b'[', ..] => Some(Colon::Broken),
        _ => None,
    }
}
