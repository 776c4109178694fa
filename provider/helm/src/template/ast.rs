//! The parsed form of a template, and how Go prints it in error messages.

use std::fmt::{self, Display, Formatter, Write as _};
use std::rc::Rc;

use crate::functions::Function;
use crate::value::Value;

/// A named template: the body and the file it stands in.
pub(super) struct Tree {
    /// The name it is called by.
    pub(super) name: Rc<str>,
    /// The file or text it was parsed from, for error messages.
    pub(super) file: Rc<str>,
    /// The source of that file; positions are offsets into it.
    pub(super) source: Rc<str>,
    pub(super) root: Vec<Node>,
}

impl Tree {
    /// Whether there is nothing but blanks: such a tree never replaces another.
    pub(super) fn is_empty(&self) -> bool {
        self.root.iter().all(|node| match node {
            Node::Text { pos, len } => self.text(*pos, *len).trim().is_empty(),
            _ => false,
        })
    }

    /// A piece of the source.
    pub(super) fn text(&self, pos: usize, len: usize) -> &str {
        self.source.get(pos..pos + len).unwrap_or_default()
    }

    /// `file:line:column` of an offset. The column counts bytes: from nought on the first line, from
    /// one on the others, as Go does.
    pub(super) fn location(&self, pos: usize) -> String {
        let before = &self.source.as_bytes()[..pos.min(self.source.len())];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = match before.iter().rposition(|byte| *byte == b'\n') {
            None => pos,
            Some(newline) => pos - newline - 1,
        };
        format!("{}:{line}:{column}", self.file)
    }
}

/// One step of a template's body.
pub(super) enum Node {
    /// What stands there in the source.
    Text {
        pos: usize,
        len: usize,
    },
    Action {
        pos: usize,
        pipe: Pipe,
    },
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template {
        pos: usize,
        name: Box<str>,
        pipe: Option<Pipe>,
    },
    Break {
        pos: usize,
    },
    Continue {
        pos: usize,
    },
}

/// `if`, `with` or `range`.
pub(super) struct Branch {
    pub(super) pos: usize,
    pub(super) pipe: Pipe,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Option<Vec<Node>>,
}

/// Commands joined by `|`, with the variables that take the result.
pub(super) struct Pipe {
    pub(super) pos: usize,
    pub(super) assign: bool,
    pub(super) variables: Vec<Rc<str>>,
    pub(super) commands: Vec<Command>,
}

/// An operand and its arguments.
pub(super) struct Command {
    pub(super) pos: usize,
    pub(super) args: Vec<Expr>,
}

/// An operand.
pub(super) struct Expr {
    pub(super) pos: usize,
    pub(super) kind: ExprKind,
}

pub(super) enum ExprKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Box<Number>),
    Str {
        quoted: Box<str>,
        value: Value,
    },
    Field(Box<[Box<str>]>),
    Variable {
        name: Rc<str>,
        fields: Box<[Box<str>]>,
    },
    Function(&'static Function),
    Chain {
        base: Box<Expr>,
        fields: Box<[Box<str>]>,
    },
    Pipe(Box<Pipe>),
}

/// A numeric literal: which types it can be used as.
pub(super) struct Number {
    pub(super) text: Box<str>,
    pub(super) int: Option<i64>,
    pub(super) uint: Option<u64>,
    pub(super) float: Option<f64>,
    /// What it is where any type will do; `None` when it overflows `int`.
    pub(super) ideal: Option<Value>,
}

/// The node an error is blamed on.
#[derive(Clone, Copy)]
pub(super) enum At<'t> {
    Node(&'t Node),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Expr(&'t Expr),
}

impl At<'_> {
    pub(super) fn pos(self) -> usize {
        match self {
            Self::Node(node) => node.pos(),
            Self::Pipe(pipe) => pipe.pos,
            Self::Command(command) => command.pos,
            Self::Expr(expr) => expr.pos,
        }
    }
}

impl Display for At<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Pipe(pipe) => pipe.fmt(f),
            Self::Command(command) => command.fmt(f),
            Self::Expr(expr) => expr.fmt(f),
        }
    }
}

impl Node {
    pub(super) fn pos(&self) -> usize {
        match self {
            Self::Text { pos, .. }
            | Self::Action { pos, .. }
            | Self::Template { pos, .. }
            | Self::Break { pos }
            | Self::Continue { pos } => *pos,
            Self::If(branch) | Self::With(branch) | Self::Range(branch) => branch.pos,
        }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { .. } => f.write_str("text"),
            Self::Action { pipe, .. } => write!(f, "{{{{{pipe}}}}}"),
            Self::If(branch) => branch.print("if", f),
            Self::With(branch) => branch.print("with", f),
            Self::Range(branch) => branch.print("range", f),
            Self::Template { name, pipe, .. } => {
                let name = crate::functions::quote::quote(name.as_bytes());
                write!(f, "{{{{template {name}")?;
                if let Some(pipe) = pipe {
                    write!(f, " {pipe}")?;
                }
                f.write_str("}}")
            }
            Self::Break { .. } => f.write_str("{{break}}"),
            Self::Continue { .. } => f.write_str("{{continue}}"),
        }
    }
}

impl Branch {
    fn print(&self, word: &str, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{word} {}}}}}", self.pipe)?;
        for node in &self.body {
            node.fmt(f)?;
        }
        if let Some(otherwise) = &self.otherwise {
            f.write_str("{{else}}")?;
            for node in otherwise {
                node.fmt(f)?;
            }
        }
        f.write_str("{{end}}")
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, variable) in self.variables.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(variable)?;
        }
        if !self.variables.is_empty() {
            f.write_str(if self.assign { " = " } else { " := " })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            command.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, arg) in self.args.iter().enumerate() {
            if index > 0 {
                f.write_char(' ')?;
            }
            match &arg.kind {
                ExprKind::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => arg.fmt(f)?,
            }
        }
        Ok(())
    }
}

fn fields(fields: &[Box<str>], f: &mut Formatter<'_>) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Dot => f.write_char('.'),
            ExprKind::Nil => f.write_str("nil"),
            ExprKind::Bool(value) => value.fmt(f),
            ExprKind::Number(number) => f.write_str(&number.text),
            ExprKind::Str { quoted, .. } => f.write_str(quoted),
            ExprKind::Field(names) => fields(names, f),
            ExprKind::Variable {
                name,
                fields: names,
            } => {
                f.write_str(name)?;
                fields(names, f)
            }
            ExprKind::Function(function) => f.write_str(function.name),
            ExprKind::Chain {
                base,
                fields: names,
            } => {
                match &base.kind {
                    ExprKind::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => base.fmt(f)?,
                }
                fields(names, f)
            }
            ExprKind::Pipe(pipe) => pipe.fmt(f),
        }
    }
}
