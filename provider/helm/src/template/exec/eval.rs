//! Evaluating pipelines, variables and fields.

use super::super::ast::{At, Command, Expr, ExprKind, Pipe};
use super::super::fault::Fault;
use super::super::marks::direct;
use super::walk::{Slot, State, Step};
use super::{RED_ZONE, SEGMENT};
use crate::functions::quote::quote;
use crate::value::{ListKind, MapKind, Object, Signature, Str, Type, Value};

impl<'t> State<'_, 't> {
    /// The value of a pipeline; a nil interface becomes no value.
    pub(super) fn pipe(&mut self, dot: &Slot, pipe: &'t Pipe) -> Step<Value> {
        self.at = Some(At::Pipe(pipe));
        let mut last: Option<Value> = None;
        for command in &pipe.commands {
            let value = self.command(dot, command, last.take())?.value;
            last = Some(match value {
                Value::Nil => Value::Absent,
                other => other,
            });
        }
        let value = last.unwrap_or_default();
        for name in &pipe.variables {
            if pipe.assign {
                self.assign(name, Slot::plain(value.clone()))?;
            } else {
                self.variables
                    .push((name.clone(), Slot::plain(value.clone())));
            }
        }
        Ok(value)
    }

    pub(super) fn command(
        &mut self,
        dot: &Slot,
        command: &'t Command,
        last: Option<Value>,
    ) -> Step<Slot> {
        let Some(first) = command.args.first() else {
            return self.error("empty command");
        };
        let args = &command.args[1..];
        match &first.kind {
            ExprKind::Field(names) => {
                self.at = Some(At::Expr(first));
                self.fields(dot, dot.clone(), At::Expr(first), names, args, last)
            }
            ExprKind::Chain { base, fields } => self.chain(dot, first, base, fields, args, last),
            ExprKind::Function(function) => {
                self.at = Some(At::Expr(first));
                self.function(dot, function, At::Command(command), args, last)
            }
            ExprKind::Pipe(pipe) => {
                self.not_a_function(command, last.is_some())?;
                let grown = || self.pipe(dot, pipe);
                Ok(Slot::plain(stacker::maybe_grow(RED_ZONE, SEGMENT, grown)?))
            }
            ExprKind::Variable { name, fields } => {
                self.at = Some(At::Expr(first));
                let value = self.variable(name)?;
                if fields.is_empty() {
                    self.not_a_function(command, last.is_some())?;
                    return Ok(value);
                }
                self.fields(dot, value, At::Expr(first), fields, args, last)
            }
            kind => {
                self.at = Some(At::Expr(first));
                self.not_a_function(command, last.is_some())?;
                match kind {
                    ExprKind::Dot => Ok(dot.clone()),
                    ExprKind::Nil => self.error("nil is not a command"),
                    _ => Ok(Slot::plain(self.constant(first)?)),
                }
            }
        }
    }

    pub(super) fn not_a_function(&self, command: &Command, piped: bool) -> Step<()> {
        if command.args.len() > 1 || piped {
            return self.error(format!(
                "can't give argument to non-function {}",
                command.args[0]
            ));
        }
        Ok(())
    }

    pub(super) fn variable(&self, name: &str) -> Step<Slot> {
        match self.variables.iter().rev().find(|(n, _)| **n == *name) {
            Some((_, slot)) => Ok(slot.clone()),
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    /// A literal where any type will do.
    pub(super) fn constant(&self, expr: &Expr) -> Step<Value> {
        match &expr.kind {
            ExprKind::Bool(value) => Ok(Value::Bool(*value)),
            ExprKind::Str { value, .. } => Ok(value.clone()),
            ExprKind::Number(number) => match &number.ideal {
                Some(value) => Ok(value.clone()),
                None => self.error(format!("{} overflows int", number.text)),
            },
            _ => self.error(format!(
                "can't evaluate command {}",
                quote(expr.to_string().as_bytes())
            )),
        }
    }

    pub(super) fn chain(
        &mut self,
        dot: &Slot,
        expr: &'t Expr,
        base: &'t Expr,
        names: &'t [Box<str>],
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Step<Slot> {
        self.at = Some(At::Expr(expr));
        let receiver = match &base.kind {
            ExprKind::Nil => {
                return self.error(format!("indirection through explicit nil in {expr}"));
            }
            ExprKind::Pipe(pipe) => {
                let grown = || self.pipe(dot, pipe);
                Slot::plain(stacker::maybe_grow(RED_ZONE, SEGMENT, grown)?)
            }
            ExprKind::Function(function) => {
                self.at = Some(At::Expr(base));
                self.function(dot, function, At::Expr(base), &[], None)?
            }
            _ => Slot::plain(self.constant(base)?),
        };
        self.fields(dot, receiver, At::Expr(expr), names, args, last)
    }

    pub(super) fn fields(
        &mut self,
        dot: &Slot,
        receiver: Slot,
        node: At<'t>,
        names: &'t [Box<str>],
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Step<Slot> {
        let mut receiver = receiver;
        let Some((final_name, names)) = names.split_last() else {
            return Ok(receiver);
        };
        for name in names {
            receiver = self.field(dot, receiver, node, name, &[], None)?;
        }
        self.field(dot, receiver, node, final_name, args, last)
    }

    pub(super) fn field(
        &mut self,
        dot: &Slot,
        receiver: Slot,
        node: At<'t>,
        name: &str,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Step<Slot> {
        let has_args = !args.is_empty() || last.is_some();
        match &receiver.value {
            Value::Absent => return Ok(Slot::plain(Value::Absent)),
            Value::Nil => {
                return self.error(format!("nil pointer evaluating interface {{}}.{name}"));
            }
            Value::Map(map) => {
                if map.kind() == MapKind::Values
                    && let Some(signature) = crate::functions::values_method(name)
                {
                    let args = self.arguments(dot, name, signature, args, last)?;
                    self.at = Some(node);
                    return match crate::functions::call_values_method(map, name, &args) {
                        Ok(value) => Ok(Slot::plain(value)),
                        Err(message) => self.called(name, Fault::new(message)),
                    };
                }
                if has_args {
                    return self.error(format!("{name} is not a method but has arguments"));
                }
                let interface = map.kind() != MapKind::Str;
                let value = map.get(name.as_bytes()).unwrap_or_else(|| {
                    if interface {
                        Value::Nil
                    } else {
                        Value::Str(Str::default())
                    }
                });
                return Ok(Slot { value, interface });
            }
            Value::Object(object) => {
                let object = object.clone();
                return self.member(dot, &receiver, object.as_ref(), node, name, args, last);
            }
            Value::List(list) if list.kind() == ListKind::Versions && name == "Has" => {
                let signature = Signature::fixed(&[Type::Str]);
                let list = list.clone();
                let args = self.arguments(dot, name, signature, args, last)?;
                let has = list.items().iter().any(
                    |item| matches!((item, &args[0]), (Value::Str(a), Value::Str(b)) if a == b),
                );
                return Ok(Slot::plain(Value::Bool(has)));
            }
            // A part of what is not known is not known.
            Value::Str(_) if !has_args && self.tracks() && direct(&receiver.value).any() => {
                return Ok(receiver);
            }
            Value::Duration(nanos) => {
                let nanos = *nanos;
                if let Some(signature) = crate::dates::duration_method(name) {
                    let args = self.arguments(dot, name, signature, args, last)?;
                    return Ok(Slot::plain(crate::dates::call_duration_method(
                        nanos, name, &args,
                    )));
                }
            }
            _ => {}
        }
        self.error(format!(
            "can't evaluate field {name} in type {}",
            receiver.type_name()
        ))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one expression")]
    pub(super) fn member(
        &mut self,
        dot: &Slot,
        receiver: &Slot,
        object: &dyn Object,
        node: At<'t>,
        name: &str,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Step<Slot> {
        if let Some(signature) = object.method(name) {
            let args = self.arguments(dot, name, signature, args, last)?;
            self.at = Some(node);
            return match object.call(name, &args) {
                Ok(value) => Ok(Slot::plain(value)),
                Err(message) => self.called(name, Fault::new(message)),
            };
        }
        let has_args = !args.is_empty() || last.is_some();
        if let Some(value) = object.field(name) {
            if has_args {
                return self.error(format!(
                    "{name} has arguments but cannot be invoked as function"
                ));
            }
            return Ok(Slot::plain(value));
        }
        if let Some(Value::Map(map)) = object.underlying() {
            if has_args {
                return self.error(format!("{name} is not a method but has arguments"));
            }
            return Ok(Slot::plain(
                map.get(name.as_bytes())
                    .unwrap_or(Value::Bytes(Str::default())),
            ));
        }
        self.error(format!(
            "can't evaluate field {name} in type {}",
            receiver.type_name()
        ))
    }
}
