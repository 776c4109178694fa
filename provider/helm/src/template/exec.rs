//! Walking a tree.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::ast::{At, Branch, Command, Expr, ExprKind, Node, Pipe, Tree};
use super::env::Env;
use super::fault::Fault;
use super::parse::{self, Trees};
use crate::functions::print::print_value;
use crate::functions::quote::quote;
use crate::functions::{Function, Special};
use crate::value::{List, ListKind, Map, MapKind, Object, Signature, Str, Type, Value};

/// Nested `{{ template }}` beyond this are refused.
const MAX_DEPTH: usize = 5_000;
/// Elements that one list may have.
const MAX_LIST: usize = 10_000_000;
/// Stack to keep free, and to add when less is left.
const RED_ZONE: usize = 256 << 10;
const SEGMENT: usize = 4 << 20;

/// The name Helm's root template has: the text of a `tpl` runs under it.
const ROOT: &str = "gotpl";

/// Texts given to `tpl`, parsed.
pub(super) type Cache = RefCell<HashMap<Str, Rc<Trees>>>;

/// The definitions in sight: those of a `tpl` text, then those around it.
pub(crate) struct Scope<'a> {
    pub(super) trees: &'a BTreeMap<Rc<str>, Rc<Tree>>,
    pub(super) outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    fn find(&self, name: &str) -> Option<&Rc<Tree>> {
        let mut scope = Some(self);
        while let Some(current) = scope {
            if let Some(tree) = current.trees.get(name) {
                // A blank definition inside a `tpl` text does not hide one outside.
                let hidden =
                    tree.is_empty() && current.outer.is_some_and(|o| o.find(name).is_some());
                if !hidden {
                    return Some(tree);
                }
            }
            scope = current.outer;
        }
        None
    }
}

/// What functions see of a running execution.
pub(crate) struct Run<'a> {
    pub(crate) env: &'a Env,
    pub(super) scope: Scope<'a>,
    pub(super) cache: &'a Cache,
    pub(super) included: &'a RefCell<HashMap<Str, usize>>,
    pub(super) depth: &'a Cell<usize>,
}

impl Run<'_> {
    /// Uses up `count` steps of the budget.
    pub(crate) fn charge(&self, count: u64) -> Result<(), Fault> {
        let used = self.env.steps.get().saturating_add(count);
        self.env.steps.set(used);
        if used > self.env.limits.steps {
            return Err(Fault::new(format!(
                "the rendering takes more than {} steps",
                self.env.limits.steps
            )));
        }
        Ok(())
    }

    /// Refuses text longer than an execution may write.
    pub(crate) fn check_size(&self, bytes: usize) -> Result<(), Fault> {
        if bytes > self.env.limits.output {
            return Err(Fault::new(format!(
                "the text is longer than {} bytes",
                self.env.limits.output
            )));
        }
        Ok(())
    }

    /// `include`.
    pub(crate) fn include(&self, name: &Str, data: &Value) -> Result<Value, Fault> {
        let count = self.included.borrow().get(name).copied().unwrap_or(0);
        if count > self.env.limits.depth {
            return Err(Fault::new(format!(
                "rendering template has a nested reference name: {}: unable to execute template",
                name.lossy()
            )));
        }
        self.included.borrow_mut().insert(name.clone(), count + 1);
        let mut out = Vec::new();
        let result = self.template(&name.lossy(), data, &mut out);
        if let Some(count) = self.included.borrow_mut().get_mut(name) {
            *count -= 1;
        }
        result?;
        Ok(Value::str(out))
    }

    /// `tpl`.
    pub(crate) fn tpl(&self, text: &Str, data: &Value) -> Result<Value, Fault> {
        if !text.windows(2).any(|pair| pair == b"{{") {
            return Ok(Value::Str(text.clone()));
        }
        let cached = self.cache.borrow().get(text).cloned();
        let trees = match cached {
            Some(trees) => trees,
            None => {
                let source = text.lossy();
                let trees = parse::parse(ROOT, &source).map_err(|error| {
                    Fault::wrap(
                        format!(
                            "cannot parse template {}: {error}",
                            quote(source.as_bytes())
                        ),
                        Fault::new(error),
                    )
                })?;
                let trees = Rc::new(trees);
                self.cache.borrow_mut().insert(text.clone(), trees.clone());
                trees
            }
        };
        let run = Run {
            env: self.env,
            scope: Scope {
                trees: &trees,
                outer: Some(&self.scope),
            },
            cache: self.cache,
            included: self.included,
            depth: self.depth,
        };
        let mut out = Vec::new();
        if self.depth.get() >= MAX_DEPTH {
            return Err(Fault::new(format!(
                "exceeded maximum template depth ({MAX_DEPTH})"
            )));
        }
        self.depth.set(self.depth.get() + 1);
        let result = trees
            .get(ROOT)
            .map_or(Ok(()), |tree| run.tree(tree, data, &mut out));
        self.depth.set(self.depth.get() - 1);
        if let Err(fault) = result {
            return Err({
                let message = format!(
                    "error during tpl function execution for {}: {}",
                    quote(text),
                    fault.text()
                );
                Fault::wrap(message, *fault)
            });
        }
        Ok(Value::str(without_no_value(out)))
    }

    /// Executes the template `name`.
    pub(super) fn template(
        &self,
        name: &str,
        data: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<Fault>> {
        match self.scope.find(name) {
            Some(tree) => self.tree(tree, data, out),
            None => Err(Box::new(Fault::new(format!(
                "template: no template {} associated with template {}",
                quote(name.as_bytes()),
                quote(ROOT.as_bytes())
            )))),
        }
    }

    fn tree(&self, tree: &Tree, data: &Value, out: &mut Vec<u8>) -> Result<(), Box<Fault>> {
        let dot = Slot {
            value: match data {
                Value::Nil => Value::Absent,
                other => other.clone(),
            },
            interface: false,
        };
        State::new(self, tree, dot.clone()).body(&dot, &tree.root, out)?;
        Ok(())
    }
}

/// Deletes Go's mark of a missing value, as Helm does.
pub(super) fn without_no_value(text: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"<no value>";
    let finder = memchr::memmem::Finder::new(MARK);
    let Some(mut at) = finder.find(&text) else {
        return text;
    };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_slice();
    loop {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + MARK.len()..];
        match finder.find(rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.extend_from_slice(rest);
    out
}

/// A value and whether Go holds it as `interface {}`, which its error messages tell.
#[derive(Clone)]
struct Slot {
    value: Value,
    interface: bool,
}

impl Slot {
    const fn plain(value: Value) -> Self {
        Self {
            value,
            interface: false,
        }
    }

    fn type_name(&self) -> String {
        if self.interface {
            "interface {}".to_owned()
        } else {
            self.value.type_name()
        }
    }
}

/// How a body ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// One execution of one template.
struct State<'r, 't> {
    run: &'r Run<'r>,
    tree: &'t Tree,
    variables: Vec<(Rc<str>, Slot)>,
    at: Option<At<'t>>,
}

type Step<T> = Result<T, Box<Fault>>;

impl<'r, 't> State<'r, 't> {
    fn new(run: &'r Run<'r>, tree: &'t Tree, dot: Slot) -> Self {
        Self {
            run,
            tree,
            variables: vec![("$".into(), dot)],
            at: None,
        }
    }

    fn prefix(&self) -> String {
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
    fn error<T>(&self, message: impl AsRef<str>) -> Step<T> {
        let text = format!("{}{}", self.prefix(), message.as_ref());
        Err(Box::new(Fault::new(text)))
    }

    #[cold]
    fn called<T>(&self, name: &str, cause: Fault) -> Step<T> {
        let text = format!("{}error calling {name}: {}", self.prefix(), cause.text());
        Err(Box::new(Fault::wrap(text, cause)))
    }

    fn step(&self) -> Step<()> {
        match self.run.charge(1) {
            Ok(()) => Ok(()),
            Err(fault) => self.error(fault.text()),
        }
    }

    fn body(&mut self, dot: &Slot, nodes: &'t [Node], out: &mut Vec<u8>) -> Step<Flow> {
        stacker::maybe_grow(RED_ZONE, SEGMENT, || self.nodes(dot, nodes, out))
    }

    fn nodes(&mut self, dot: &Slot, nodes: &'t [Node], out: &mut Vec<u8>) -> Step<Flow> {
        for node in nodes {
            let flow = self.walk(dot, node, out)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn walk(&mut self, dot: &Slot, node: &'t Node, out: &mut Vec<u8>) -> Step<Flow> {
        self.at = Some(At::Node(node));
        self.step()?;
        match node {
            Node::Text { text, .. } => {
                out.extend_from_slice(text.as_bytes());
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

    fn check_output(&self, out: &[u8]) -> Step<()> {
        match self.run.check_size(out.len()) {
            Ok(()) => Ok(()),
            Err(fault) => self.error(fault.text()),
        }
    }

    fn if_or_with(
        &mut self,
        with: bool,
        dot: &Slot,
        branch: &'t Branch,
        out: &mut Vec<u8>,
    ) -> Step<Flow> {
        let mark = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
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

    fn call_template(
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

    fn range(&mut self, dot: &Slot, branch: &'t Branch, out: &mut Vec<u8>) -> Step<Flow> {
        let start = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let ran = self.iterate(&value, branch, out)?;
        let mut flow = Flow::Next;
        if !ran && let Some(otherwise) = &branch.otherwise {
            flow = self.body(dot, otherwise, out)?;
        }
        self.variables.truncate(start);
        Ok(flow)
    }

    /// Runs the body for each element; false when there is none.
    fn iterate(&mut self, value: &Value, branch: &'t Branch, out: &mut Vec<u8>) -> Step<bool> {
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
            _ => self.cannot_iterate(value),
        }
    }

    fn cannot_iterate<T>(&self, value: &Value) -> Step<T> {
        let mut text = Vec::new();
        print_value(value, &mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        self.error(format!("range can't iterate over {text}"))
    }

    fn count(
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

    fn iteration(
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

    fn assign(&mut self, name: &str, value: Slot) -> Step<()> {
        match self.variables.iter_mut().rev().find(|(n, _)| **n == *name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    /// The value of a pipeline; a nil interface becomes no value.
    fn pipe(&mut self, dot: &Slot, pipe: &'t Pipe) -> Step<Value> {
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

    fn command(&mut self, dot: &Slot, command: &'t Command, last: Option<Value>) -> Step<Slot> {
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

    fn not_a_function(&self, command: &Command, piped: bool) -> Step<()> {
        if command.args.len() > 1 || piped {
            return self.error(format!(
                "can't give argument to non-function {}",
                command.args[0]
            ));
        }
        Ok(())
    }

    fn variable(&self, name: &str) -> Step<Slot> {
        match self.variables.iter().rev().find(|(n, _)| **n == *name) {
            Some((_, slot)) => Ok(slot.clone()),
            None => self.error(format!("undefined variable: {name}")),
        }
    }

    /// A literal where any type will do.
    fn constant(&self, expr: &Expr) -> Step<Value> {
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

    fn chain(
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

    fn fields(
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

    fn field(
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
    fn member(
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

    fn function(
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
        let run = self.run;
        let result = stacker::maybe_grow(RED_ZONE, SEGMENT, || (function.call)(run, &args));
        match result.and_then(|value| self.weigh(value)) {
            Ok(value) => Ok(Slot::plain(value)),
            Err(fault) => {
                self.at = Some(node);
                self.called(function.name, fault)
            }
        }
    }

    /// Charges a result by its size, so that no chart can fill the memory step by step.
    fn weigh(&self, value: Value) -> Result<Value, Fault> {
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
    fn call_value(
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

    fn and_or(
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
            if value.truth() == (function.special == Special::Or) {
                return Ok(Slot::plain(value));
            }
        }
        Ok(Slot::plain(last.unwrap_or(value)))
    }

    fn count_arguments(&self, name: &str, signature: Signature, count: usize) -> Step<()> {
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

    fn arguments(
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

    fn argument(&mut self, dot: &Slot, wanted: Type, arg: &'t Expr) -> Step<Value> {
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
    fn literal(&self, wanted: Type, arg: &Expr) -> Step<Value> {
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
    fn convert(&self, slot: Slot, wanted: Type) -> Step<Value> {
        let value = slot.value;
        match (wanted, &value) {
            (Type::Reflect, _) => Ok(value),
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
