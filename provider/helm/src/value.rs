//! The values that templates work with: Go's model, as far as a template can see it.
//!
//! Maps are shared and mutable, because `set`, `merge` and their kin act in place and charts rely on
//! it; lists are immutable, because no template function changes one. Strings are bytes: `trunc`,
//! `substr` and `.Files.Get` can cut or return text that is not UTF-8. Nothing here is `Send`: one
//! rendering is one thread.

mod convert;
mod object;
mod string;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

pub use object::{Object, Signature, Type};
pub use string::Str;
pub(crate) use string::lossy;

/// The entries of a map, in the byte order of their keys, which is the order templates see.
pub type Entries = BTreeMap<Str, Value>;

/// A value inside a template.
#[derive(Clone, Default)]
pub enum Value {
    /// No value at all: what a missing key becomes at the end of a pipeline. Prints `<no value>`.
    #[default]
    Absent,
    /// A nil interface: what a map or a list holds for YAML's `null`, or a missing map key.
    Nil,
    /// A truth value.
    Bool(bool),
    /// Go's `int`: integer literals, `len`, `atoi`, range indexes.
    Int(i64),
    /// Go's `int64`: sprig's arithmetic, `--set` integers.
    Int64(i64),
    /// Go's `uint8`: an element of a byte slice.
    Uint8(u8),
    /// Go's `float64`: every number that came from YAML or JSON.
    Float(f64),
    /// Go's `complex128`: a literal such as `1i`.
    Complex(f64, f64),
    /// Go's `time.Duration`, in nanoseconds.
    Duration(i64),
    /// A string of bytes.
    Str(Str),
    /// Go's `[]byte`.
    Bytes(Str),
    /// A list.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// A value with fields or methods of its own.
    Object(Rc<dyn Object>),
}

/// Go's type of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// `[]interface {}`
    Any,
    /// `[]string`
    Str,
    /// `[]int`
    Int,
    /// `[][]interface {}`
    Lists,
    /// `[]map[string]interface {}`
    Maps,
    /// The API versions of a cluster: a list of strings with a method `Has`.
    Versions,
}

impl ListKind {
    /// The type as Go prints it.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::Str => "[]string",
            Self::Int => "[]int",
            Self::Lists => "[][]interface {}",
            Self::Maps => "[]map[string]interface {}",
            Self::Versions => "common.VersionSet",
        }
    }

    /// Whether elements are held as `interface {}`.
    pub const fn of_interfaces(self) -> bool {
        matches!(self, Self::Any)
    }
}

/// An immutable list; cloning shares it.
#[derive(Clone)]
pub struct List {
    kind: ListKind,
    items: Option<Rc<Vec<Value>>>,
}

impl List {
    /// A list of `kind`.
    pub fn new(kind: ListKind, items: Vec<Value>) -> Self {
        Self {
            kind,
            items: Some(Rc::new(items)),
        }
    }

    /// `[]interface {}`.
    pub fn any(items: Vec<Value>) -> Self {
        Self::new(ListKind::Any, items)
    }

    /// `[]string`.
    pub fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Self {
        let items = items.into_iter().map(|item| Value::Str(item.into()));
        Self::new(ListKind::Str, items.collect())
    }

    /// A nil slice: prints like an empty one, is `null` in JSON.
    pub const fn nil(kind: ListKind) -> Self {
        Self { kind, items: None }
    }

    /// Go's type.
    pub const fn kind(&self) -> ListKind {
        self.kind
    }

    /// Whether it is a nil slice.
    pub const fn is_nil(&self) -> bool {
        self.items.is_none()
    }

    /// The elements.
    pub fn items(&self) -> &[Value] {
        self.items.as_ref().map_or(&[], |items| items.as_slice())
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.items().len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.items().is_empty()
    }
}

/// Go's type of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// `map[string]interface {}`
    Any,
    /// `map[string]string`: a missing key is the empty string.
    Str,
    /// The values of a chart: a map of interfaces under a type name of its own.
    Values,
}

impl MapKind {
    /// The type as Go prints it.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Any => "map[string]interface {}",
            Self::Str => "map[string]string",
            Self::Values => "common.Values",
        }
    }
}

/// A shared, mutable map with string keys; cloning shares it.
#[derive(Clone)]
pub struct Map {
    kind: MapKind,
    cells: Option<Rc<RefCell<Entries>>>,
}

impl Map {
    /// A map of `kind`.
    pub fn new(kind: MapKind, entries: Entries) -> Self {
        Self {
            kind,
            cells: Some(Rc::new(RefCell::new(entries))),
        }
    }

    /// `map[string]interface {}`.
    pub fn any(entries: Entries) -> Self {
        Self::new(MapKind::Any, entries)
    }

    /// A nil map: reads as empty, cannot be written.
    pub const fn nil(kind: MapKind) -> Self {
        Self { kind, cells: None }
    }

    /// The same map (shared) under another type, as Go's assignment to a named type does.
    pub fn with_kind(&self, kind: MapKind) -> Self {
        Self {
            kind,
            cells: self.cells.clone(),
        }
    }

    /// Go's type.
    pub const fn kind(&self) -> MapKind {
        self.kind
    }

    /// Whether it is a nil map.
    pub const fn is_nil(&self) -> bool {
        self.cells.is_none()
    }

    /// Whether both are one map.
    pub fn same(&self, other: &Self) -> bool {
        match (&self.cells, &other.cells) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }

    /// The entries for reading; `None` when the map is nil.
    pub fn read(&self) -> Option<Ref<'_, Entries>> {
        self.cells.as_ref().map(|cells| cells.borrow())
    }

    /// The entries for writing; `None` when the map is nil.
    pub fn write(&self) -> Option<RefMut<'_, Entries>> {
        self.cells.as_ref().map(|cells| cells.borrow_mut())
    }

    /// The value under `key`.
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.read()?.get(key).cloned()
    }

    /// Sets `key`; false when the map is nil.
    pub fn insert(&self, key: impl Into<Str>, value: Value) -> bool {
        match self.write() {
            Some(mut entries) => {
                entries.insert(key.into(), value);
                true
            }
            None => false,
        }
    }

    /// Removes `key`.
    pub fn remove(&self, key: &[u8]) -> Option<Value> {
        self.write()?.remove(key)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.read().map_or(0, |entries| entries.len())
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries as they are now; iteration over them survives changes of the map.
    pub fn snapshot(&self) -> Vec<(Str, Value)> {
        self.read().map_or_else(Vec::new, |entries| {
            entries
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        })
    }
}

thread_local! {
    /// Containers whose turn to be freed comes later; `None` while nothing is being freed.
    static CONDEMNED: RefCell<Option<Vec<Value>>> = const { RefCell::new(None) };
}

/// Frees values one after the other: a chart can nest containers deeper than the stack is.
fn bury(values: impl Iterator<Item = Value>) {
    let nested = values.filter(|value| matches!(value, Value::List(_) | Value::Map(_)));
    let mut nested = nested.peekable();
    if nested.peek().is_none() {
        return;
    }
    let mut own: Vec<Value> = nested.collect();
    let first = CONDEMNED.try_with(|condemned| match &mut *condemned.borrow_mut() {
        Some(queue) => {
            queue.append(&mut own);
            false
        }
        empty => {
            *empty = Some(Vec::new());
            true
        }
    });
    if !matches!(first, Ok(true)) {
        return;
    }
    while let Some(value) = own.pop() {
        drop(value);
        if own.is_empty() {
            let more = CONDEMNED.try_with(|queue| queue.borrow_mut().as_mut().map(std::mem::take));
            own = more.ok().flatten().unwrap_or_default();
        }
    }
    let _ = CONDEMNED.try_with(|condemned| *condemned.borrow_mut() = None);
}

impl Drop for Map {
    fn drop(&mut self) {
        if let Some(entries) = self.cells.take().and_then(Rc::into_inner) {
            bury(entries.into_inner().into_values());
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if let Some(items) = self.items.take().and_then(Rc::into_inner) {
            bury(items.into_iter());
        }
    }
}

impl Value {
    /// A string.
    pub fn str(text: impl Into<Str>) -> Self {
        Self::Str(text.into())
    }

    /// `[]interface {}`.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::any(items))
    }

    /// `map[string]interface {}`.
    pub fn map(entries: Entries) -> Self {
        Self::Map(Map::any(entries))
    }

    /// Neither a value nor a typed one: no value or a nil interface.
    pub const fn is_nil(&self) -> bool {
        matches!(self, Self::Absent | Self::Nil)
    }

    /// Go's truth of a template condition: the zero value of the kind is false, structs are true.
    pub fn truth(&self) -> bool {
        match self {
            Self::Absent | Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Int64(value) | Self::Duration(value) => *value != 0,
            Self::Uint8(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(re, im) => *re != 0.0 || *im != 0.0,
            Self::Str(text) | Self::Bytes(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object
                .underlying()
                .is_none_or(|underlying| underlying.truth()),
        }
    }

    /// The type as Go's `%T` prints it; `<nil>` without a value.
    pub fn type_name(&self) -> String {
        match self {
            Self::Absent | Self::Nil => "<nil>".to_owned(),
            Self::Object(object) => object.type_name().to_owned(),
            other => other.static_type_name().to_owned(),
        }
    }

    const fn static_type_name(&self) -> &'static str {
        match self {
            Self::Absent | Self::Nil | Self::Object(_) => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Uint8(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Duration(_) => "time.Duration",
            Self::Str(_) => "string",
            Self::Bytes(_) => "[]uint8",
            Self::List(list) => list.kind().type_name(),
            Self::Map(map) => map.kind().type_name(),
        }
    }

    /// Go's reflection kind, as sprig's `kindOf` names it.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Absent | Self::Nil => "invalid",
            Self::Duration(_) => "int64",
            Self::Bytes(_) | Self::List(_) => "slice",
            Self::Map(_) => "map",
            Self::Object(object) => object.kind(),
            other => other.static_type_name(),
        }
    }
}
