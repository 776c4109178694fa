//! Which templates can change values that others see: read off their trees, so that a branch that is not taken counts.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::Set;
use super::ast::{Command, Expr, ExprKind, Node, Pipe, Tree};

/// Functions that change their first argument in place.
const CHANGE: &[&str] = &[
    "merge",
    "mergeOverwrite",
    "mustMerge",
    "mustMergeOverwrite",
    "set",
    "unset",
];

/// Functions that make a new container. Those that change one give it back.
const NEW: &[&str] = &[
    "deepCopy",
    "dict",
    "fromJson",
    "fromToml",
    "fromYaml",
    "mustDeepCopy",
    "omit",
    "pick",
];

impl Set {
    /// Whether executing `name` can change a container that it has not made itself.
    pub(crate) fn can_change(&self, name: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![name.to_owned()];
        while let Some(name) = next.pop() {
            let Some(tree) = self.trees.get(name.as_str()).filter(|_| seen.insert(name)) else {
                continue;
            };
            let mut look = Look::new(tree);
            look.nodes(&tree.root);
            if look.changes {
                return true;
            }
            if look.texts && self.texts_change() {
                return true;
            }
            if look.any {
                next.extend(self.trees.keys().map(ToString::to_string));
            }
            next.append(&mut look.includes);
        }
        false
    }

    /// The same of the texts given to `tpl` so far.
    fn texts_change(&self) -> bool {
        let cache = self.cache.borrow();
        let mut trees = cache.values().flat_map(|trees| trees.values());
        trees.any(|tree| {
            let mut look = Look::new(tree);
            look.nodes(&tree.root);
            look.changes
        })
    }
}

/// What one tree does.
struct Look<'t> {
    tree: &'t Tree,
    changes: bool,
    /// Templates that it executes, by name.
    includes: Vec<String>,
    /// It executes a template whose name is computed.
    any: bool,
    /// It executes texts.
    texts: bool,
}

impl<'t> Look<'t> {
    const fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            changes: false,
            includes: Vec::new(),
            any: false,
            texts: false,
        }
    }

    fn nodes(&mut self, nodes: &'t [Node]) {
        for node in nodes {
            match node {
                Node::Action { pipe, .. } => self.pipe(pipe),
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    self.pipe(&branch.pipe);
                    self.nodes(&branch.body);
                    self.nodes(branch.otherwise.as_deref().unwrap_or_default());
                }
                Node::Template { name, pipe, .. } => {
                    self.includes.push(name.to_string());
                    if let Some(pipe) = pipe {
                        self.pipe(pipe);
                    }
                }
                Node::Text { .. } | Node::Break { .. } | Node::Continue { .. } => {}
            }
        }
    }

    fn pipe(&mut self, pipe: &'t Pipe) {
        for command in &pipe.commands {
            self.command(command);
        }
    }

    fn command(&mut self, command: &'t Command) {
        if let Some((first, args)) = command.args.split_first()
            && let ExprKind::Function(function) = &first.kind
        {
            if CHANGE.contains(&function.name) {
                let own = args.first().is_some_and(|target| self.is_own(target));
                self.changes |= !own;
            }
            self.texts |= function.name == "tpl";
            if function.name == "include" {
                match args.first().map(|name| &name.kind) {
                    Some(ExprKind::Str {
                        value: crate::value::Value::Str(name),
                        ..
                    }) => self.includes.push(name.lossy().into_owned()),
                    _ => self.any = true,
                }
            }
        }
        for arg in &command.args {
            self.expr(arg);
        }
    }

    fn expr(&mut self, expr: &'t Expr) {
        match &expr.kind {
            ExprKind::Pipe(pipe) => self.pipe(pipe),
            ExprKind::Chain { base, .. } => self.expr(base),
            _ => {}
        }
    }

    /// Whether `expr` is a container made in this tree.
    fn is_own(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Pipe(pipe) => self.makes(pipe),
            ExprKind::Variable { name, fields } if fields.is_empty() => {
                let mut values = Vec::new();
                given(&self.tree.root, name, &mut values);
                !values.is_empty() && values.iter().all(|pipe| pipe.is_some_and(is_new))
            }
            _ => false,
        }
    }

    fn makes(&self, pipe: &Pipe) -> bool {
        let Some(command) = pipe.commands.last() else {
            return false;
        };
        let [first, args @ ..] = command.args.as_slice() else {
            return false;
        };
        match &first.kind {
            ExprKind::Function(function) if NEW.contains(&function.name) => true,
            ExprKind::Function(function) if CHANGE.contains(&function.name) => {
                args.first().is_some_and(|target| self.is_own(target))
            }
            ExprKind::Pipe(_) | ExprKind::Variable { .. } => {
                pipe.commands.len() == 1 && self.is_own(first)
            }
            _ => false,
        }
    }
}

/// Whether a pipe makes a new container, without a look at variables: one could be given another's value.
fn is_new(pipe: &Pipe) -> bool {
    let command = pipe
        .commands
        .last()
        .and_then(|command| command.args.first());
    matches!(command.map(|first| &first.kind), Some(ExprKind::Function(function)) if NEW.contains(&function.name))
}

/// Every pipe whose value the variable `name` gets anywhere; `None` for the elements of a range.
fn given<'t>(nodes: &'t [Node], name: &Rc<str>, values: &mut Vec<Option<&'t Pipe>>) {
    let takes = |pipe: &Pipe| pipe.variables.iter().any(|own| own == name);
    for node in nodes {
        match node {
            Node::Action { pipe, .. } if takes(pipe) => values.push(Some(pipe)),
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                if takes(&branch.pipe) {
                    let range = matches!(node, Node::Range(_));
                    values.push((!range).then_some(&branch.pipe));
                }
                given(&branch.body, name, values);
                given(
                    branch.otherwise.as_deref().unwrap_or_default(),
                    name,
                    values,
                );
            }
            _ => {}
        }
    }
}
