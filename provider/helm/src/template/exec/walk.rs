//! Walking the nodes of a tree.

use std::rc::Rc;

use super::super::ast::{At, Branch, Node, Pipe, Tree};
use super::super::fault::Fault;
use super::super::marks::direct;
use super::{MAX_DEPTH, RED_ZONE, Run, SEGMENT};
use crate::functions::print::print_value;
use crate::functions::quote::quote;
use crate::value::{MapKind, Value};

/// A value and whether Go holds it as `interface {}`, which its error messages tell.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) value: Value,
    pub(super) interface: bool,
}

impl Slot {
    pub(super) const fn plain(value: Value) -> Self {
        Self {
            value,
            interface: false,
        }
    }

    pub(super) fn type_name(&self) -> String {
        if self.interface {
            "interface {}".to_owned()
        } else {
            self.value.type_name()
        }
    }
}

/// How a body ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

/// One execution of one template.
pub(super) struct State<'r, 't> {
    pub(super) run: &'r Run<'r>,
    pub(super) tree: &'t Tree,
    pub(super) variables: Vec<(Rc<str>, Slot)>,
    pub(super) at: Option<At<'t>>,
}

pub(super) type Step<T> = Result<T, Box<Fault>>;

impl<'r, 't> State<'r, 't> {
    pub(super) fn new(run: &'r Run<'r>, tree: &'t Tree, dot: Slot) -> Self {
        Self {
            run,
            tree,
            variables: vec![("$".into(), dot)],
            at: None,
        }
    }

    pub(super) fn prefix(&self) -> String {
        match self.at {
            None => format!("template: {}: ", self.tree.name),
            Some(at) => format!(
                "template: {}: executing {} at <{at}>: ",
                self.tree.location(at.pos()),
                quote(self.tree.name.as_bytes()),
            ),
        }
    }

    #[cold]
    pub(super) fn error<T>(&self, message: impl AsRef<str>) -> Step<T> {
        let text = format!("{}{}", self.prefix(), message.as_ref());
        Err(Box::new(Fault::new(text)))
    }

    #[cold]
    pub(super) fn called<T>(&self, name: &str, cause: Fault) -> Step<T> {
        let text = format!("{}error calling {name}: {}", self.prefix(), cause.text());
        Err(Box::new(Fault::wrap(text, cause)))
    }

    pub(super) fn step(&self) -> Step<()> {
        match self.run.charge(1) {
            Ok(()) => Ok(()),
            Err(fault) => self.error(fault.text()),
        }
    }

    pub(super) fn body(&mut self, dot: &Slot, nodes: &'t [Node], out: &mut Vec<u8>) -> Step<Flow> {
        stacker::maybe_grow(RED_ZONE, SEGMENT, || self.nodes(dot, nodes, out))
    }

    pub(super) fn nodes(&mut self, dot: &Slot, nodes: &'t [Node], out: &mut Vec<u8>) -> Step<Flow> {
        for node in nodes {
            let flow = self.walk(dot, node, out)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    pub(super) fn walk(&mut self, dot: &Slot, node: &'t Node, out: &mut Vec<u8>) -> Step<Flow> {
        self.at = Some(At::Node(node));
        self.step()?;
        match node {
            Node::Text { pos, len } => {
                out.extend_from_slice(self.tree.text(*pos, *len).as_bytes());
                self.check_output(out)?;
            }
            Node::Action { pipe, .. } => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.at = Some(At::Node(node));
                    print_value(&value, out);
                    self.check_output(out)?;
                }
            }
            Node::If(branch) => return self.if_or_with(false, dot, branch, out),
            Node::With(branch) => return self.if_or_with(true, dot, branch, out),
            Node::Range(branch) => return self.range(dot, branch, out),
            Node::Template { name, pipe, .. } => {
                self.call_template(dot, name, pipe.as_ref(), out)?;
            }
            Node::Break { .. } => return Ok(Flow::Break),
            Node::Continue { .. } => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    pub(super) fn check_output(&self, out: &[u8]) -> Step<()> {
        match self.run.check_size(out.len()) {
            Ok(()) => Ok(()),
            Err(fault) => self.error(fault.text()),
        }
    }

    pub(super) fn if_or_with(
        &mut self,
        with: bool,
        dot: &Slot,
        branch: &'t Branch,
        out: &mut Vec<u8>,
    ) -> Step<Flow> {
        let mark = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        self.decides(&value);
        let flow = if value.truth() {
            if with {
                self.body(&Slot::plain(value), &branch.body, out)?
            } else {
                self.body(dot, &branch.body, out)?
            }
        } else if let Some(otherwise) = &branch.otherwise {
            self.body(dot, otherwise, out)?
        } else {
            Flow::Next
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    pub(super) fn call_template(
        &mut self,
        dot: &Slot,
        name: &str,
        pipe: Option<&'t Pipe>,
        out: &mut Vec<u8>,
    ) -> Step<()> {
        let run = self.run;
        let Some(tree) = run.scope.find(name) else {
            return self.error(format!("template {} not defined", quote(name.as_bytes())));
        };
        if run.depth.get() >= MAX_DEPTH {
            return self.error(format!("exceeded maximum template depth ({MAX_DEPTH})"));
        }
        let dot = Slot::plain(match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Absent,
        });
        run.depth.set(run.depth.get() + 1);
        let result = stacker::maybe_grow(RED_ZONE, SEGMENT, || {
            State::new(run, tree, dot.clone()).body(&dot, &tree.root, out)
        });
        run.depth.set(run.depth.get() - 1);
        result.map(|_| ())
    }

    pub(super) fn range(
        &mut self,
        dot: &Slot,
        branch: &'t Branch,
        out: &mut Vec<u8>,
    ) -> Step<Flow> {
        let start = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        self.decides(&value);
        let ran = self.iterate(&value, branch, out)?;
        let mut flow = Flow::Next;
        if !ran && let Some(otherwise) = &branch.otherwise {
            flow = self.body(dot, otherwise, out)?;
        }
        self.variables.truncate(start);
        Ok(flow)
    }

    /// Runs the body for each element; false when there is none.
    pub(super) fn iterate(
        &mut self,
        value: &Value,
        branch: &'t Branch,
        out: &mut Vec<u8>,
    ) -> Step<bool> {
        match value {
            Value::List(list) => {
                let interface = list.kind().of_interfaces();
                for (index, item) in list.items().iter().enumerate() {
                    let element = Slot {
                        value: item.clone(),
                        interface,
                    };
                    let index = Value::Int(index as i64);
                    if self.iteration(index, element, branch, out)? == Flow::Break {
                        break;
                    }
                }
                Ok(!list.is_empty())
            }
            Value::Bytes(bytes) => {
                for (index, byte) in bytes.iter().enumerate() {
                    let element = Slot::plain(Value::Uint8(*byte));
                    let index = Value::Int(index as i64);
                    if self.iteration(index, element, branch, out)? == Flow::Break {
                        break;
                    }
                }
                Ok(!bytes.is_empty())
            }
            Value::Map(map) => {
                let interface = map.kind() != MapKind::Str;
                let entries = map.snapshot();
                let ran = !entries.is_empty();
                for (key, value) in entries {
                    let element = Slot { value, interface };
                    if self.iteration(Value::Str(key), element, branch, out)? == Flow::Break {
                        break;
                    }
                }
                Ok(ran)
            }
            Value::Int(count) | Value::Int64(count) | Value::Duration(count) => {
                self.count(value, *count, branch, out)
            }
            Value::Uint8(count) => self.count(value, i64::from(*count), branch, out),
            Value::Absent | Value::Nil => Ok(false),
            Value::Object(object) => match object.underlying() {
                Some(underlying) => self.iterate(&underlying, branch, out),
                None => self.cannot_iterate(value),
            },
            Value::Str(_) if self.tracks() && direct(value).any() => Ok(false),
            _ => self.cannot_iterate(value),
        }
    }

    pub(super) fn cannot_iterate<T>(&self, value: &Value) -> Step<T> {
        let mut text = Vec::new();
        print_value(value, &mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        self.error(format!("range can't iterate over {text}"))
    }

    pub(super) fn count(
        &mut self,
        value: &Value,
        count: i64,
        branch: &'t Branch,
        out: &mut Vec<u8>,
    ) -> Step<bool> {
        if branch.pipe.variables.len() > 1 {
            return self.error(format!(
                "can't use {count} to iterate over more than one variable"
            ));
        }
        for number in 0..count {
            let element = match value {
                Value::Int64(_) => Value::Int64(number),
                Value::Duration(_) => Value::Duration(number),
                Value::Uint8(_) => Value::Uint8(number as u8),
                _ => Value::Int(number),
            };
            if self.iteration(Value::Absent, Slot::plain(element), branch, out)? == Flow::Break {
                break;
            }
        }
        Ok(count > 0)
    }

    pub(super) fn iteration(
        &mut self,
        index: Value,
        element: Slot,
        branch: &'t Branch,
        out: &mut Vec<u8>,
    ) -> Step<Flow> {
        self.step()?;
        let mark = self.variables.len();
        let names = &branch.pipe.variables;
        if branch.pipe.assign {
            if let [first, second] = names.as_slice() {
                self.assign(first, Slot::plain(index))?;
                self.assign(second, element.clone())?;
            } else if let [only] = names.as_slice() {
                self.assign(only, element.clone())?;
            }
        } else {
            if !names.is_empty() {
                self.variables[mark - 1].1 = element.clone();
            }
            if names.len() > 1 {
                self.variables[mark - 2].1 = Slot::plain(index);
            }
        }
        let flow = self.body(&element, &branch.body, out)?;
        self.variables.truncate(mark);
        Ok(flow)
    }

    pub(super) fn assign(&mut self, name: &str, value: Slot) -> Step<()> {
        match self.variables.iter_mut().rev().find(|(n, _)| **n == *name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.error(format!("undefined variable: {name}")),
        }
    }
}
