//! From tokens to trees.

mod expression;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::ast::{Branch, Node, Tree};
use super::lex::{Kind, Lexer, Token};
use crate::functions::quote::{quote, unquote};

/// Nested parentheses and blocks beyond this are refused.
const MAX_NESTING: usize = 1_000;
/// Stack to keep free, and to add when less is left.
const RED_ZONE: usize = 128 << 10;
const SEGMENT: usize = 2 << 20;

/// The trees of one source, by name; the source's own is among them.
pub(super) type Trees = BTreeMap<Rc<str>, Rc<Tree>>;

/// Parses `source`; the error is Go's, `template: file:line: message`.
pub(super) fn parse(name: &str, source: &str) -> Result<Trees, String> {
    let mut parser = Parser {
        lexer: Lexer::new(source),
        file: name.into(),
        source: source.into(),
        trees: Trees::new(),
        nesting: 0,
        scope: Scope::new(),
    };
    let root = parser.file()?;
    parser.add(name, root)?;
    Ok(parser.trees)
}

/// What each definition has of its own: look-ahead, variables, loops.
struct Scope<'s> {
    tokens: [Token<'s>; 3],
    peeked: usize,
    variables: Vec<Rc<str>>,
    loops: usize,
    action_line: usize,
}

impl Scope<'_> {
    fn new() -> Self {
        let none = Token {
            kind: Kind::Eof,
            pos: 0,
            line: 0,
            text: "".into(),
        };
        Self {
            tokens: [none.clone(), none.clone(), none],
            peeked: 0,
            variables: vec!["$".into()],
            loops: 0,
            action_line: 0,
        }
    }
}

struct Parser<'s> {
    lexer: Lexer<'s>,
    file: Rc<str>,
    source: Rc<str>,
    trees: Trees,
    nesting: usize,
    scope: Scope<'s>,
}

/// What ends a list of nodes.
enum End {
    End,
    Else,
}

/// An item of a list, or what ends it.
enum Item {
    Node(Node),
    End(End),
}

impl End {
    const fn text(&self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

fn describe(token: &Token<'_>) -> String {
    match token.kind {
        Kind::Eof => "EOF".to_owned(),
        Kind::Error => token.text.to_string(),
        kind if kind.is_keyword() => format!("<{}>", token.text),
        _ => match token.text.char_indices().nth(10) {
            Some((end, _)) if token.text.len() > 10 => {
                format!("{}...", quote(&token.text.as_bytes()[..end]))
            }
            _ => quote(token.text.as_bytes()),
        },
    }
}

impl<'s> Parser<'s> {
    fn next(&mut self) -> Token<'s> {
        if self.scope.peeked > 0 {
            self.scope.peeked -= 1;
        } else {
            self.scope.tokens[0] = self.lexer.next();
        }
        self.scope.tokens[self.scope.peeked].clone()
    }

    fn backup(&mut self) {
        self.scope.peeked += 1;
    }

    /// Puts `token` in front of the one token that is looked at.
    fn backup2(&mut self, token: Token<'s>) {
        self.scope.tokens[1] = token;
        self.scope.peeked = 2;
    }

    /// Puts `second`, then `first` in front.
    fn backup3(&mut self, second: Token<'s>, first: Token<'s>) {
        self.scope.tokens[1] = first;
        self.scope.tokens[2] = second;
        self.scope.peeked = 3;
    }

    fn peek_ref(&mut self) -> &Token<'s> {
        if self.scope.peeked == 0 {
            self.scope.peeked = 1;
            self.scope.tokens[0] = self.lexer.next();
        }
        &self.scope.tokens[self.scope.peeked - 1]
    }

    fn peek(&mut self) -> Kind {
        self.peek_ref().kind
    }

    fn next_word(&mut self) -> Token<'s> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_word(&mut self) -> &Token<'s> {
        while self.peek() == Kind::Space {
            self.next();
        }
        self.peek_ref()
    }

    fn error<T>(&self, message: impl AsRef<str>) -> Result<T, String> {
        Err(format!(
            "template: {}:{}: {}",
            self.file,
            self.scope.tokens[0].line,
            message.as_ref()
        ))
    }

    fn unexpected<T>(&self, token: &Token<'s>, context: &str) -> Result<T, String> {
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", describe(token)));
        }
        let mut extra = String::new();
        let started = self.scope.action_line;
        if started != 0 && started != token.line {
            extra = format!(" in action started at {}:{started}", self.file);
            if token.text.ends_with(" action") {
                extra.drain(.." in action".len());
            }
        }
        self.error(format!("{}{extra}", token.text))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token<'s>, String> {
        let token = self.next_word();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(&token, context)
        }
    }

    fn add(&mut self, name: &str, root: Vec<Node>) -> Result<(), String> {
        let tree = Tree {
            name: name.into(),
            file: self.file.clone(),
            source: self.source.clone(),
            root,
        };
        let blank = tree.is_empty();
        match self.trees.get(name) {
            Some(old) if !old.is_empty() => {
                if !blank {
                    let name = quote(name.as_bytes());
                    return self.error(format!("template: multiple definition of template {name}"));
                }
            }
            _ => {
                self.trees.insert(name.into(), Rc::new(tree));
            }
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<(), String> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return self.error("template is nested too deeply");
        }
        Ok(())
    }

    fn file(&mut self) -> Result<Vec<Node>, String> {
        let mut root = Vec::new();
        loop {
            match self.peek() {
                Kind::Eof => return Ok(root),
                Kind::LeftDelim => {
                    let delim = self.next();
                    if self.next_word().kind == Kind::Define {
                        let outer = std::mem::replace(&mut self.scope, Scope::new());
                        self.definition()?;
                        self.scope = outer;
                        continue;
                    }
                    self.backup2(delim);
                }
                _ => {}
            }
            match self.text_or_action()? {
                Item::Node(node) => root.push(node),
                Item::End(end) => return self.error(format!("unexpected {}", end.text())),
            }
        }
    }

    fn definition(&mut self) -> Result<(), String> {
        const CONTEXT: &str = "define clause";
        let token = self.next_word();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let (root, end) = self.list()?;
        if let End::Else = end {
            return self.error(format!("unexpected {} in {CONTEXT}", end.text()));
        }
        self.add(&name, root)
    }

    fn template_name(&mut self, token: &Token<'s>, context: &str) -> Result<String, String> {
        match token.kind {
            Kind::Str | Kind::RawStr => match unquote(&token.text) {
                Some(name) => Ok(String::from_utf8_lossy(&name).into_owned()),
                None => self.error("invalid syntax"),
            },
            _ => self.unexpected(token, context),
        }
    }

    fn list(&mut self) -> Result<(Vec<Node>, End), String> {
        stacker::maybe_grow(RED_ZONE, SEGMENT, || self.list_inner())
    }

    fn list_inner(&mut self) -> Result<(Vec<Node>, End), String> {
        self.enter()?;
        let mut nodes = Vec::new();
        while self.peek_word().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::End(end) => {
                    self.nesting -= 1;
                    return Ok((nodes, end));
                }
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Item, String> {
        let token = self.next_word();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text {
                pos: token.pos,
                len: token.text.len(),
            })),
            Kind::LeftDelim => {
                self.scope.action_line = token.line;
                let item = self.action()?;
                self.scope.action_line = 0;
                Ok(item)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Result<Item, String> {
        let token = self.next_word();
        Ok(Item::Node(match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => {
                self.loop_control("{{break}}")?;
                Node::Break { pos: token.pos }
            }
            Kind::Continue => {
                self.loop_control("{{continue}}")?;
                Node::Continue { pos: token.pos }
            }
            Kind::Else => {
                if !matches!(self.peek_word().kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                return Ok(Item::End(End::Else));
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::End(End::End));
            }
            Kind::If => Node::If(Box::new(self.branch("if")?)),
            Kind::Range => Node::Range(Box::new(self.branch("range")?)),
            Kind::With => Node::With(Box::new(self.branch("with")?)),
            Kind::Template => self.template()?,
            _ => {
                self.backup();
                let pos = self.peek_ref().pos;
                let pipe = self.pipe("command", Kind::RightDelim)?;
                Node::Action { pos, pipe }
            }
        }))
    }

    fn loop_control(&mut self, context: &str) -> Result<(), String> {
        let token = self.next_word();
        if token.kind != Kind::RightDelim {
            return self.unexpected(&token, context);
        }
        if self.scope.loops == 0 {
            return self.error(format!("{context} outside {{{{range}}}}"));
        }
        Ok(())
    }

    fn branch(&mut self, context: &str) -> Result<Branch, String> {
        let mark = self.scope.variables.len();
        let pipe = self.pipe(context, Kind::RightDelim)?;
        let is_loop = usize::from(context == "range");
        self.scope.loops += is_loop;
        let (body, end) = self.list()?;
        self.scope.loops -= is_loop;
        let otherwise = match end {
            End::End => None,
            End::Else if context == "if" && self.peek() == Kind::If => {
                self.next();
                self.enter()?;
                let inner = Node::If(Box::new(self.branch("if")?));
                self.nesting -= 1;
                Some(vec![inner])
            }
            End::Else if context == "with" && self.peek() == Kind::With => {
                self.next();
                self.enter()?;
                let inner = Node::With(Box::new(self.branch("with")?));
                self.nesting -= 1;
                Some(vec![inner])
            }
            End::Else => {
                let (nodes, end) = self.list()?;
                if let End::Else = end {
                    return self.error(format!("expected end; found {}", end.text()));
                }
                Some(nodes)
            }
        };
        self.scope.variables.truncate(mark);
        Ok(Branch {
            pos: pipe.pos,
            pipe,
            body,
            otherwise,
        })
    }

    fn block(&mut self) -> Result<Node, String> {
        const CONTEXT: &str = "block clause";
        let token = self.next_word();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipe(CONTEXT, Kind::RightDelim)?;
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        let (root, end) = self.list()?;
        if let End::Else = end {
            return self.error(format!("unexpected {} in {CONTEXT}", end.text()));
        }
        self.add(&name, root)?;
        self.scope = outer;
        Ok(Node::Template {
            pos: token.pos,
            name: name.into(),
            pipe: Some(pipe),
        })
    }

    fn template(&mut self) -> Result<Node, String> {
        const CONTEXT: &str = "template clause";
        let token = self.next_word();
        let name = self.template_name(&token, CONTEXT)?;
        let mut pipe = None;
        if self.next_word().kind != Kind::RightDelim {
            self.backup();
            pipe = Some(self.pipe(CONTEXT, Kind::RightDelim)?);
        }
        Ok(Node::Template {
            pos: token.pos,
            name: name.into(),
            pipe,
        })
    }
}
