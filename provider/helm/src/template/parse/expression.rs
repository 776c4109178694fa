//! Pipelines, commands and operands.

use std::rc::Rc;

use super::super::ast::{Command, Expr, ExprKind, Pipe};
use super::super::lex::Kind;
use super::super::number;
use super::{Parser, RED_ZONE, SEGMENT};
use crate::functions;
use crate::functions::quote::{quote, unquote};
use crate::value::Value;

impl Parser<'_> {
    pub(super) fn pipe(&mut self, context: &str, end: Kind) -> Result<Pipe, String> {
        stacker::maybe_grow(RED_ZONE, SEGMENT, || self.pipe_inner(context, end))
    }

    fn pipe_inner(&mut self, context: &str, end: Kind) -> Result<Pipe, String> {
        self.enter()?;
        let mut pipe = Pipe {
            pos: self.peek_word().pos,
            assign: false,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_word();
            match token.kind {
                kind if kind == end => {
                    self.check(&pipe, context)?;
                    self.nesting -= 1;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawStr
                | Kind::Str
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), String> {
        while self.peek_word().kind == Kind::Variable {
            let variable = self.next();
            let after = self.peek_ref().clone();
            let next = self.peek_word().clone();
            let is_comma = next.kind == Kind::Char && next.text == ",";
            if matches!(next.kind, Kind::Assign | Kind::Declare) || is_comma {
                self.next_word();
                let name: Rc<str> = variable.text.as_ref().into();
                pipe.variables.push(name.clone());
                self.scope.variables.push(name);
                if !is_comma {
                    pipe.assign = next.kind == Kind::Assign;
                    return Ok(());
                }
                if context == "range" && pipe.variables.len() < 2 {
                    match self.peek_word().kind {
                        Kind::Variable | Kind::RightDelim | Kind::RightParen => continue,
                        _ => return self.error("range can only initialize variables"),
                    }
                }
                return self.error(format!("too many declarations in {context}"));
            }
            if after.kind == Kind::Space {
                self.backup3(variable, after);
            } else {
                self.backup2(variable);
            }
            return Ok(());
        }
        Ok(())
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Result<(), String> {
        if pipe.commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if let Some(
                ExprKind::Bool(_)
                | ExprKind::Dot
                | ExprKind::Nil
                | ExprKind::Number(_)
                | ExprKind::Str { .. },
            ) = command.args.first().map(|arg| &arg.kind)
            {
                return self.error(format!(
                    "non executable command in pipeline stage {}",
                    index + 1
                ));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command, String> {
        let mut command = Command {
            pos: self.peek_word().pos,
            args: Vec::new(),
        };
        loop {
            self.peek_word();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.args.is_empty() {
            return self.error("empty command");
        }
        Ok(command)
    }

    fn operand(&mut self) -> Result<Option<Expr>, String> {
        let Some(mut term) = self.term()? else {
            return Ok(None);
        };
        if self.peek() != Kind::Field {
            return Ok(Some(term));
        }
        let pos = self.peek_ref().pos;
        let mut names: Vec<Box<str>> = Vec::new();
        while self.peek() == Kind::Field {
            names.push(self.next().text[1..].into());
        }
        match &mut term.kind {
            ExprKind::Field(fields) | ExprKind::Variable { fields, .. } => {
                let mut all = std::mem::take(fields).into_vec();
                all.append(&mut names);
                *fields = all.into();
                term.pos = pos;
                Ok(Some(term))
            }
            ExprKind::Bool(_)
            | ExprKind::Str { .. }
            | ExprKind::Number(_)
            | ExprKind::Nil
            | ExprKind::Dot => {
                let term = quote(term.to_string().as_bytes());
                self.error(format!("unexpected . after term {term}"))
            }
            _ => Ok(Some(Expr {
                pos,
                kind: ExprKind::Chain {
                    base: Box::new(term),
                    fields: names.into(),
                },
            })),
        }
    }

    fn term(&mut self) -> Result<Option<Expr>, String> {
        let token = self.next_word();
        let kind = match token.kind {
            Kind::Identifier => match functions::find(&token.text) {
                Some(function) => ExprKind::Function(function),
                None => {
                    let name = quote(token.text.as_bytes());
                    return self.error(format!("function {name} not defined"));
                }
            },
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Variable => match self
                .scope
                .variables
                .iter()
                .find(|name| ***name == token.text)
            {
                Some(name) => ExprKind::Variable {
                    name: name.clone(),
                    fields: Box::default(),
                },
                None => {
                    let name = quote(token.text.as_bytes());
                    return self.error(format!("undefined variable {name}"));
                }
            },
            Kind::Field => ExprKind::Field(Box::new([token.text[1..].into()])),
            Kind::Bool => ExprKind::Bool(token.text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                match number::parse(&token.text, token.kind) {
                    Ok(number) => ExprKind::Number(Box::new(number)),
                    Err(message) => return self.error(message),
                }
            }
            Kind::LeftParen => ExprKind::Pipe(Box::new(
                self.pipe("parenthesized pipeline", Kind::RightParen)?,
            )),
            Kind::Str | Kind::RawStr => match unquote(&token.text) {
                Some(text) => ExprKind::Str {
                    quoted: token.text.as_ref().into(),
                    value: Value::str(text),
                },
                None => return self.error("invalid syntax"),
            },
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(Expr {
            pos: token.pos,
            kind,
        }))
    }
}
