//! Calling functions with checked arguments.

use super::super::ast::{At, Expr, ExprKind};
use super::super::fault::Fault;
use super::super::marks::direct;
use super::walk::{Slot, State, Step};
use super::{MAX_LIST, RED_ZONE, SEGMENT};
use crate::functions::{Function, Special};
use crate::value::{List, ListKind, Map, MapKind, Signature, Str, Type, Value};

impl<'t> State<'_, 't> {
    pub(super) fn function(
        &mut self,
        dot: &Slot,
        function: &'static Function,
        node: At<'t>,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Step<Slot> {
        match function.special {
            Special::And | Special::Or => {
                return self.and_or(dot, function, args, last);
            }
            Special::Call | Special::None => {}
        }
        if function.special == Special::Call {
            return self.call_value(dot, function, node, args, last);
        }
        let args = self.arguments(dot, function.name, function.signature, args, last)?;
        self.step()?;
        let watch = self.watch(function, &args);
        if let Some(watch) = &watch
            && let Some(value) = self.misfit(watch, function.signature, &args)
        {
            return Ok(Slot::plain(value));
        }
        let run = self.run;
        let result = stacker::maybe_grow(RED_ZONE, SEGMENT, || (function.call)(run, &args));
        match (result.and_then(|value| self.weigh(value)), watch) {
            (Ok(value), None) => Ok(Slot::plain(value)),
            (Ok(value), Some(watch)) => Ok(Slot::plain(self.marked(&watch, value))),
            // What it would give for the value itself, nobody knows.
            (Err(_), Some(watch)) if watch.direct.any() && function.name != "fail" => {
                Ok(Slot::plain(self.stand_in(&watch)))
            }
            (Err(fault), _) => {
                self.at = Some(node);
                self.called(function.name, fault)
            }
        }
    }

    /// Charges a result by its size, so that no chart can fill the memory step by step.
    pub(super) fn weigh(&self, value: Value) -> Result<Value, Fault> {
        match &value {
            Value::Str(text) => {
                self.run.check_size(text.len())?;
                self.run.charge(text.len() as u64 / 8)?;
            }
            Value::List(list) => {
                if list.len() > MAX_LIST {
                    return Err(Fault::new(format!(
                        "the list has more than {MAX_LIST} elements"
                    )));
                }
                self.run.charge(list.len() as u64)?;
            }
            Value::Map(map) => self.run.charge(map.len() as u64)?,
            _ => {}
        }
        Ok(value)
    }

    /// Charts have no function values: `call` can only fail.
    pub(super) fn call_value(
        &mut self,
        dot: &Slot,
        function: &'static Function,
        node: At<'t>,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Step<Slot> {
        let values = self.arguments(dot, function.name, function.signature, args, last)?;
        self.at = Some(node);
        let message = match (values.first(), args.first()) {
            (Some(value), _) if value.is_nil() => "call of nil".to_owned(),
            (Some(value), Some(name)) => {
                format!("non-function {name} of type {}", value.type_name())
            }
            (Some(value), None) => format!("non-function of type {}", value.type_name()),
            (None, _) => "call of nil".to_owned(),
        };
        self.called(function.name, Fault::new(message))
    }

    pub(super) fn and_or(
        &mut self,
        dot: &Slot,
        function: &'static Function,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Step<Slot> {
        self.count_arguments(
            function.name,
            function.signature,
            args.len() + usize::from(last.is_some()),
        )?;
        let mut value = Value::Absent;
        for arg in args {
            value = self.argument(dot, Type::Reflect, arg)?;
            if function.special == Special::And {
                self.decides(&value);
            }
            if value.truth() == (function.special == Special::Or) {
                return Ok(Slot::plain(value));
            }
        }
        Ok(Slot::plain(last.unwrap_or(value)))
    }

    pub(super) fn count_arguments(
        &self,
        name: &str,
        signature: Signature,
        count: usize,
    ) -> Step<()> {
        let fixed = signature.params.len();
        if signature.variadic.is_some() {
            if count < fixed {
                return self.error(format!(
                    "wrong number of args for {name}: want at least {fixed} got {count}"
                ));
            }
        } else if count != fixed {
            return self.error(format!(
                "wrong number of args for {name}: want {fixed} got {count}"
            ));
        }
        Ok(())
    }

    pub(super) fn arguments(
        &mut self,
        dot: &Slot,
        name: &str,
        signature: Signature,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Step<Vec<Value>> {
        let count = args.len() + usize::from(last.is_some());
        self.count_arguments(name, signature, count)?;
        let mut values = Vec::with_capacity(count);
        for (index, arg) in args.iter().enumerate() {
            let wanted = signature.at(index).unwrap_or(Type::Any);
            values.push(self.argument(dot, wanted, arg)?);
        }
        if let Some(last) = last {
            let wanted = signature.at(args.len()).unwrap_or(Type::Any);
            values.push(self.convert(Slot::plain(last), wanted)?);
        }
        Ok(values)
    }

    pub(super) fn argument(&mut self, dot: &Slot, wanted: Type, arg: &'t Expr) -> Step<Value> {
        self.at = Some(At::Expr(arg));
        let slot = match &arg.kind {
            ExprKind::Dot => dot.clone(),
            ExprKind::Nil => {
                if wanted.can_be_nil() {
                    return Ok(nil_of(wanted));
                }
                return self.error(format!("cannot assign nil to {}", wanted.name()));
            }
            ExprKind::Field(names) => {
                self.fields(dot, dot.clone(), At::Expr(arg), names, &[], None)?
            }
            ExprKind::Variable { name, fields } => {
                let value = self.variable(name)?;
                self.fields(dot, value, At::Expr(arg), fields, &[], None)?
            }
            ExprKind::Pipe(pipe) => {
                let grown = || self.pipe(dot, pipe);
                Slot::plain(stacker::maybe_grow(RED_ZONE, SEGMENT, grown)?)
            }
            ExprKind::Function(function) => {
                self.function(dot, function, At::Expr(arg), &[], None)?
            }
            ExprKind::Chain { base, fields } => self.chain(dot, arg, base, fields, &[], None)?,
            ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::Str { .. } => {
                return self.literal(wanted, arg);
            }
        };
        self.convert(slot, wanted)
    }

    /// A literal for a parameter of a known type.
    pub(super) fn literal(&self, wanted: Type, arg: &Expr) -> Step<Value> {
        let expected = |what: &str| self.error(format!("expected {what}; found {arg}"));
        match (wanted, &arg.kind) {
            (Type::Any | Type::Reflect, _) => self.constant(arg),
            (Type::Str, ExprKind::Str { value, .. }) => Ok(value.clone()),
            (Type::Str, _) => expected("string"),
            (Type::Bool, ExprKind::Bool(value)) => Ok(Value::Bool(*value)),
            (Type::Bool, _) => expected("bool"),
            (Type::Int | Type::Int64, ExprKind::Number(number)) => match number.int {
                Some(int) if wanted == Type::Int => Ok(Value::Int(int)),
                Some(int) => Ok(Value::Int64(int)),
                None => expected("integer"),
            },
            (Type::Int | Type::Int64, _) => expected("integer"),
            (Type::Named("time.Duration"), ExprKind::Number(number)) => match number.int {
                Some(int) => Ok(Value::Duration(int)),
                None => expected("integer"),
            },
            (Type::Named("time.Duration"), _) => expected("integer"),
            (Type::Named("uint32"), ExprKind::Number(number)) => match number.uint {
                Some(uint) => Ok(Value::Int64(i64::from(uint as u32))),
                None => expected("unsigned integer"),
            },
            (Type::Named("uint32"), _) => expected("unsigned integer"),
            (Type::Float, ExprKind::Number(number)) => match number.float {
                Some(float) => Ok(Value::Float(float)),
                None => expected("float"),
            },
            (Type::Float, _) => expected("float"),
            _ => self.error(format!(
                "can't handle {arg} for arg of type {}",
                wanted.name()
            )),
        }
    }

    /// Checks a value against a parameter's type, as Go's executor does.
    pub(super) fn convert(&self, slot: Slot, wanted: Type) -> Step<Value> {
        let value = slot.value;
        match (wanted, &value) {
            (Type::Reflect, _) => Ok(value),
            (_, Value::Str(_)) if self.tracks() && direct(&value).any() => Ok(value),
            (_, Value::Absent) => {
                if wanted.can_be_nil() {
                    Ok(nil_of(wanted))
                } else {
                    self.error(format!("invalid value; expected {}", wanted.name()))
                }
            }
            (Type::Any, _) => Ok(value),
            (_, Value::Nil) => self.error(format!(
                "wrong type for value; expected {}; got interface {{}}",
                wanted.name()
            )),
            (Type::Str, Value::Str(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::Int, Value::Int(_))
            | (Type::Int64, Value::Int64(_))
            | (Type::Float, Value::Float(_))
            | (Type::Bytes, Value::Bytes(_)) => Ok(value),
            (Type::Map, Value::Map(map)) if map.kind() != MapKind::Str => {
                Ok(Value::Map(map.with_kind(MapKind::Any)))
            }
            (Type::List, Value::List(list)) if list.kind() == ListKind::Any => Ok(value),
            (Type::Strings, Value::List(list))
                if matches!(list.kind(), ListKind::Str | ListKind::Versions) =>
            {
                Ok(value)
            }
            (Type::Named(name), _) if value.type_name() == name => Ok(value),
            _ => self.error(format!(
                "wrong type for value; expected {}; got {}",
                wanted.name(),
                value.type_name()
            )),
        }
    }
}

fn nil_of(wanted: Type) -> Value {
    match wanted {
        Type::Reflect => Value::Absent,
        Type::Map => Value::Map(Map::nil(MapKind::Any)),
        Type::List => Value::List(List::nil(ListKind::Any)),
        Type::Strings => Value::List(List::nil(ListKind::Str)),
        Type::Bytes => Value::Bytes(Str::default()),
        _ => Value::Nil,
    }
}
