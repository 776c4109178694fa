//! Blocks: nested sections without `=`, as older providers have them.

use std::sync::Arc;

use super::{Attribute, Attributes, Nesting, Validator};
use crate::Dynamic;

/// How many of a block a configuration holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub min: u32,
    /// 0 for any number.
    pub max: u32,
}

/// A nested block of a schema.
///
/// Prefer nested attributes ([`Attribute::single`] and its like): they can be null, unknown, computed, and hold
/// defaults as a whole. A block is right where configurations written for an older provider must go on to work, and
/// where users make several with `dynamic`. It can be none of those; its absence is an empty collection, or null for a
/// single one.
///
/// ```
/// use framework::{Attribute, Block, Schema};
///
/// let schema = Schema::new("A firewall.")
///     .block(
///         "rule",
///         Block::list([("port", Attribute::number("The port.").required())], "What is let through.")
///             .at_least(1)
///             .at_most(20),
///     )
///     .block("logging", Block::single([("bucket", Attribute::string("Where to.").required())], "Where logs go."));
/// # let _ = schema;
/// ```
#[derive(Clone, Debug)]
pub struct Block(pub(crate) Attribute);

impl Block {
    fn new(nesting: Nesting, members: Attributes, description: String, limits: Limits) -> Self {
        let mut attribute = match nesting {
            Nesting::Single => Attribute::single(members, description),
            Nesting::List => Attribute::list_of(members, description),
            Nesting::Set => Attribute::set_of(members, description),
            Nesting::Map => Attribute::map_of(members, description),
        };
        attribute.optional = true;
        attribute.block = Some(limits);
        Self(attribute)
    }

    /// At most one block; the value is an object, or null.
    pub fn single(members: impl Into<Attributes>, description: impl Into<String>) -> Self {
        let limits = Limits { min: 0, max: 1 };
        Self::new(Nesting::Single, members.into(), description.into(), limits)
    }

    /// Any number of blocks, in order.
    pub fn list(members: impl Into<Attributes>, description: impl Into<String>) -> Self {
        Self::new(
            Nesting::List,
            members.into(),
            description.into(),
            Limits::default(),
        )
    }

    /// Any number of blocks without order or identity. A computed member makes every change a removal and an addition.
    pub fn set(members: impl Into<Attributes>, description: impl Into<String>) -> Self {
        Self::new(
            Nesting::Set,
            members.into(),
            description.into(),
            Limits::default(),
        )
    }

    /// Any number of blocks, each with one label, which is its key.
    pub fn map(members: impl Into<Attributes>, description: impl Into<String>) -> Self {
        Self::new(
            Nesting::Map,
            members.into(),
            description.into(),
            Limits::default(),
        )
    }

    /// Exactly one block: it must be written.
    pub fn required(mut self) -> Self {
        self.0.optional = false;
        self.0.required = true;
        self.at_least(1)
    }

    /// The configuration holds at least so many. Terraform checks it.
    pub fn at_least(mut self, min: u32) -> Self {
        self.limits(|limits| limits.min = min);
        self
    }

    /// The configuration holds at most so many. Terraform checks it.
    pub fn at_most(mut self, max: u32) -> Self {
        self.limits(|limits| limits.max = max);
        self
    }

    fn limits(&mut self, set: impl FnOnce(&mut Limits)) {
        set(self.0.block.get_or_insert_default());
    }

    /// Adds a block inside this one.
    pub fn block(mut self, name: &'static str, block: Self) -> Self {
        if let super::Shape::Nested(_, members) = &mut self.0.shape {
            members.0.push((name, block.0));
        }
        self
    }

    /// Users are told to leave it; say what to use instead.
    pub fn deprecated(mut self, message: impl Into<String>) -> Self {
        self.0 = self.0.deprecated(message);
        self
    }

    /// Adds a check of the configured value: the object, or the collection of objects.
    pub fn validate(mut self, validator: impl Validator + 'static) -> Self {
        self.0.validators.push(Arc::new(validator));
        self
    }

    /// A change of anything in it replaces the object.
    pub fn replace_on_change(mut self) -> Self {
        self.0 = self.0.replace_on_change();
        self
    }
}

impl Attribute {
    /// What the absence of a block is: terraform knows no null for several of them.
    pub(crate) fn absent_block(&self) -> Option<Dynamic> {
        self.block?;
        match self.nested()?.0 {
            Nesting::Single => None,
            Nesting::List => Some(Dynamic::List(Vec::new())),
            Nesting::Set => Some(Dynamic::Set(Vec::new())),
            Nesting::Map => Some(Dynamic::Map(std::collections::BTreeMap::new())),
        }
    }
}
