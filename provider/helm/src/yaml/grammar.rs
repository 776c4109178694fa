//! What the words of a YAML text make, as libyaml's parser sees it for go-yaml.

use std::borrow::Cow;

use super::scan::{Fault, Kind, Mark, Scanner};

/// What there is in a document, in order.
#[derive(Debug)]
pub(super) enum Event<'s> {
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    Alias(&'s str),
    Scalar {
        text: Cow<'s, str>,
        plain: bool,
        of: Properties<'s>,
    },
    SequenceStart(Properties<'s>),
    SequenceEnd,
    MappingStart(Properties<'s>),
    MappingEnd,
}

/// What stands before a node.
#[derive(Debug, Default)]
pub(super) struct Properties<'s> {
    pub(super) anchor: Option<&'s str>,
    /// In full.
    pub(super) tag: Option<String>,
}

/// What is expected next.
#[derive(Clone, Copy)]
enum State {
    FirstDocument,
    Document,
    Content,
    End,
    BlockNode,
    Sequence,
    Indentless,
    MappingKey,
    MappingValue,
    FlowSequence { first: bool },
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowMapping { first: bool },
    FlowMappingValue,
    FlowMappingNoValue,
    Done,
}

const DEFAULT_TAGS: [(&str, &str); 2] = [("!", "!"), ("!!", "tag:yaml.org,2002:")];

pub(super) struct Parser<'s> {
    scanner: Scanner<'s>,
    state: State,
    states: Vec<State>,
    tags: Vec<(&'s str, String)>,
}

type Step<'s> = Result<Event<'s>, Fault>;

/// A match on the next token's kind.
macro_rules! next_is {
    ($parser:expr, $($kind:pat_param)|+) => {
        matches!($parser.scanner.peek()?.kind, $($kind)|+)
    };
}

impl<'s> Parser<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            scanner: Scanner::new(source),
            state: State::FirstDocument,
            states: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// The next event; after the last one that again.
    pub(super) fn next(&mut self) -> Step<'s> {
        match self.state {
            State::FirstDocument => self.document(true),
            State::Document => self.document(false),
            State::Content => self.content(),
            State::End => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::Sequence => self.sequence(),
            State::Indentless => self.indentless(),
            State::MappingKey => self.mapping_key(),
            State::MappingValue => self.mapping_value(),
            State::FlowSequence { first } => self.flow_sequence(first),
            State::FlowPairKey => self.pair_key(),
            State::FlowPairValue => self.pair_value(),
            State::FlowPairEnd => {
                self.state = State::FlowSequence { first: false };
                Ok(Event::MappingEnd)
            }
            State::FlowMapping { first } => self.flow_mapping(first),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingNoValue => self.nothing(State::FlowMapping { first: false }),
            State::Done => Ok(Event::StreamEnd),
        }
    }

    fn mark(&mut self) -> Result<Mark, Fault> {
        Ok(self.scanner.peek()?.start)
    }

    fn skip(&mut self) -> Result<(), Fault> {
        self.scanner.take().map(drop)
    }

    fn fault<T>(&mut self, what: &'static str) -> Result<T, Fault> {
        let mark = self.mark()?;
        Err(Fault::of_grammar(mark, what))
    }

    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::Done);
    }

    /// The value that is not written.
    fn nothing(&mut self, then: State) -> Step<'s> {
        self.state = then;
        Ok(Event::Scalar {
            text: Cow::Borrowed(""),
            plain: true,
            of: Properties::default(),
        })
    }

    fn node_then(&mut self, then: State, block: bool, indentless: bool) -> Step<'s> {
        self.states.push(then);
        self.node(block, indentless)
    }

    fn document(&mut self, first: bool) -> Step<'s> {
        while !first && next_is!(self, Kind::DocumentEnd) {
            self.skip()?;
        }
        if next_is!(self, Kind::StreamEnd) {
            self.state = State::Done;
            return Ok(Event::StreamEnd);
        }
        let explicit = next_is!(
            self,
            Kind::Version(..) | Kind::TagDirective(..) | Kind::DocumentStart
        );
        self.states.push(State::End);
        if first && !explicit {
            self.tags.clear();
            self.state = State::BlockNode;
            return Ok(Event::DocumentStart);
        }
        self.directives()?;
        if !next_is!(self, Kind::DocumentStart) {
            return self.fault("did not find expected <document start>");
        }
        self.skip()?;
        self.state = State::Content;
        Ok(Event::DocumentStart)
    }

    fn directives(&mut self) -> Result<(), Fault> {
        let mut version = false;
        self.tags.clear();
        while next_is!(self, Kind::Version(..) | Kind::TagDirective(..)) {
            let token = self.scanner.take()?;
            let fault = |what| Err(Fault::of_grammar(token.start, what));
            match token.kind {
                Kind::Version(..) if version => return fault("found duplicate %YAML directive"),
                Kind::Version(1, 1) => version = true,
                Kind::Version(..) => return fault("found incompatible YAML document"),
                Kind::TagDirective(handle, prefix) => {
                    if self.tags.iter().any(|(known, _)| *known == handle) {
                        return fault("found duplicate %TAG directive");
                    }
                    self.tags.push((handle, prefix));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn content(&mut self) -> Step<'s> {
        let none = next_is!(
            self,
            Kind::Version(..)
                | Kind::TagDirective(..)
                | Kind::DocumentStart
                | Kind::DocumentEnd
                | Kind::StreamEnd
        );
        if none {
            let then = self.states.pop().unwrap_or(State::Done);
            return self.nothing(then);
        }
        self.node(true, false)
    }

    fn document_end(&mut self) -> Step<'s> {
        if next_is!(self, Kind::DocumentEnd) {
            self.skip()?;
        }
        self.state = State::Document;
        Ok(Event::DocumentEnd)
    }

    fn node(&mut self, block: bool, indentless: bool) -> Step<'s> {
        if next_is!(self, Kind::Alias(_))
            && let Kind::Alias(name) = self.scanner.take()?.kind
        {
            self.pop();
            return Ok(Event::Alias(name));
        }
        let of = self.properties()?;
        if indentless && next_is!(self, Kind::BlockEntry) {
            self.state = State::Indentless;
            return Ok(Event::SequenceStart(of));
        }
        let state = match self.scanner.peek()?.kind {
            Kind::Scalar(..) => None,
            Kind::FlowSequenceStart => Some(State::FlowSequence { first: true }),
            Kind::FlowMappingStart => Some(State::FlowMapping { first: true }),
            Kind::BlockSequenceStart if block => Some(State::Sequence),
            Kind::BlockMappingStart if block => Some(State::MappingKey),
            _ if of.anchor.is_some() || of.tag.is_some() => {
                self.pop();
                return Ok(Event::Scalar {
                    text: Cow::Borrowed(""),
                    plain: true,
                    of,
                });
            }
            _ => return self.fault("did not find expected node content"),
        };
        let token = self.scanner.take()?;
        match (state, token.kind) {
            (None, Kind::Scalar(text, plain)) => {
                self.pop();
                Ok(Event::Scalar { text, plain, of })
            }
            (Some(state), Kind::FlowSequenceStart | Kind::BlockSequenceStart) => {
                self.state = state;
                Ok(Event::SequenceStart(of))
            }
            (state, _) => {
                self.state = state.unwrap_or(State::Done);
                Ok(Event::MappingStart(of))
            }
        }
    }

    /// An anchor and a tag in either order.
    fn properties(&mut self) -> Result<Properties<'s>, Fault> {
        let mut of = Properties::default();
        loop {
            let wanted = match self.scanner.peek()?.kind {
                Kind::Anchor(_) => of.anchor.is_none(),
                Kind::Tag(..) => of.tag.is_none(),
                _ => false,
            };
            if !wanted {
                return Ok(of);
            }
            let token = self.scanner.take()?;
            match token.kind {
                Kind::Anchor(name) => of.anchor = Some(name),
                Kind::Tag(handle, suffix) => {
                    of.tag = Some(self.full_tag(handle, suffix, token.start)?);
                }
                _ => {}
            }
        }
    }

    fn full_tag(&self, handle: &str, suffix: String, mark: Mark) -> Result<String, Fault> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        let own = self
            .tags
            .iter()
            .map(|(own, prefix)| (*own, prefix.as_str()));
        let mut known = own.chain(DEFAULT_TAGS);
        match known.find(|(own, _)| *own == handle) {
            Some((_, prefix)) => Ok(format!("{prefix}{suffix}")),
            None => Err(Fault::of_grammar(mark, "found undefined tag handle")),
        }
    }

    fn sequence(&mut self) -> Step<'s> {
        if next_is!(self, Kind::BlockEntry) {
            self.skip()?;
            if next_is!(self, Kind::BlockEntry | Kind::BlockEnd) {
                return self.nothing(State::Sequence);
            }
            return self.node_then(State::Sequence, true, false);
        }
        if next_is!(self, Kind::BlockEnd) {
            self.skip()?;
            self.pop();
            return Ok(Event::SequenceEnd);
        }
        self.fault("did not find expected '-' indicator")
    }

    fn indentless(&mut self) -> Step<'s> {
        if next_is!(self, Kind::BlockEntry) {
            self.skip()?;
            if next_is!(
                self,
                Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd
            ) {
                return self.nothing(State::Indentless);
            }
            return self.node_then(State::Indentless, true, false);
        }
        self.pop();
        Ok(Event::SequenceEnd)
    }

    fn mapping_key(&mut self) -> Step<'s> {
        if next_is!(self, Kind::Key) {
            self.skip()?;
            if next_is!(self, Kind::Key | Kind::Value | Kind::BlockEnd) {
                return self.nothing(State::MappingValue);
            }
            return self.node_then(State::MappingValue, true, true);
        }
        if next_is!(self, Kind::BlockEnd) {
            self.skip()?;
            self.pop();
            return Ok(Event::MappingEnd);
        }
        self.fault("did not find expected key")
    }

    fn mapping_value(&mut self) -> Step<'s> {
        if next_is!(self, Kind::Value) {
            self.skip()?;
            if !next_is!(self, Kind::Key | Kind::Value | Kind::BlockEnd) {
                return self.node_then(State::MappingKey, true, true);
            }
        }
        self.nothing(State::MappingKey)
    }

    fn flow_sequence(&mut self, first: bool) -> Step<'s> {
        if !first && !next_is!(self, Kind::FlowSequenceEnd) {
            if !next_is!(self, Kind::FlowEntry) {
                return self.fault("did not find expected ',' or ']'");
            }
            self.skip()?;
        }
        if next_is!(self, Kind::Key) {
            self.skip()?;
            self.state = State::FlowPairKey;
            return Ok(Event::MappingStart(Properties::default()));
        }
        if !next_is!(self, Kind::FlowSequenceEnd) {
            return self.node_then(State::FlowSequence { first: false }, false, false);
        }
        self.skip()?;
        self.pop();
        Ok(Event::SequenceEnd)
    }

    fn pair_key(&mut self) -> Step<'s> {
        if next_is!(self, Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd) {
            // libyaml passes over what should follow.
            self.skip()?;
            return self.nothing(State::FlowPairValue);
        }
        self.node_then(State::FlowPairValue, false, false)
    }

    fn pair_value(&mut self) -> Step<'s> {
        if next_is!(self, Kind::Value) {
            self.skip()?;
            if !next_is!(self, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                return self.node_then(State::FlowPairEnd, false, false);
            }
        }
        self.nothing(State::FlowPairEnd)
    }

    fn flow_mapping(&mut self, first: bool) -> Step<'s> {
        if !first && !next_is!(self, Kind::FlowMappingEnd) {
            if !next_is!(self, Kind::FlowEntry) {
                return self.fault("did not find expected ',' or '}'");
            }
            self.skip()?;
        }
        if next_is!(self, Kind::Key) {
            self.skip()?;
            if next_is!(self, Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd) {
                return self.nothing(State::FlowMappingValue);
            }
            return self.node_then(State::FlowMappingValue, false, false);
        }
        if !next_is!(self, Kind::FlowMappingEnd) {
            return self.node_then(State::FlowMappingNoValue, false, false);
        }
        self.skip()?;
        self.pop();
        Ok(Event::MappingEnd)
    }

    fn flow_mapping_value(&mut self) -> Step<'s> {
        if next_is!(self, Kind::Value) {
            self.skip()?;
            if !next_is!(self, Kind::FlowEntry | Kind::FlowMappingEnd) {
                return self.node_then(State::FlowMapping { first: false }, false, false);
            }
        }
        self.nothing(State::FlowMapping { first: false })
    }
}
