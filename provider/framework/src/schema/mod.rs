//! Schemas: the shape of configuration and state, with all that is said about it.

mod attribute;
mod audit;
mod block;
mod check;
mod identity;
mod rules;
mod wire;

use std::fmt;
use std::sync::Arc;

use crate::Type;

pub use attribute::{Attribute, Attributes, Nesting, SemanticEquality, Shape};
pub use audit::check_provider;
pub use block::Block;
pub use check::{SchemaProblem, Use, check_identity, check_schema};
pub use identity::{IdentityAttribute, IdentitySchema};
pub use rules::{
    ConfigValidator, Modifier, ModifyRequest, ModifyResponse, ValidateRequest, Validator,
};

/// The schema of a resource, data source, ephemeral resource, list, action or provider.
///
/// Nested attributes are the usual sections: they can be null, unknown, computed and sensitive as a whole, and hold
/// defaults inside. [`Block`] is there for configurations that are written with blocks.
///
/// ```
/// use framework::{Attribute, Schema};
///
/// let schema = Schema::new("A machine.")
///     .version(1)
///     .attribute("name", Attribute::string("Name of the machine.").required())
///     .attribute("id", Attribute::string("Its id.").computed().keep_known());
/// # let _ = schema;
/// ```
#[derive(Clone, Default)]
pub struct Schema {
    pub(crate) version: i64,
    pub(crate) attributes: Attributes,
    pub(crate) description: String,
    pub(crate) deprecated: Option<String>,
    pub(crate) validators: Vec<Arc<dyn ConfigValidator>>,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema")
            .field("version", &self.version)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

impl Schema {
    /// An empty schema. The description is Markdown.
    pub fn new(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            ..Self::default()
        }
    }

    /// The version of the stored shape; it must never fall. Older state goes through
    /// [`Resource::upgrade_state`](crate::Resource::upgrade_state).
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// Adds an attribute.
    pub fn attribute(mut self, name: &'static str, attribute: Attribute) -> Self {
        self.attributes.0.push((name, attribute));
        self
    }

    /// Adds several attributes.
    pub fn attributes(mut self, attributes: impl Into<Attributes>) -> Self {
        self.attributes.0.extend(attributes.into().0);
        self
    }

    /// Adds a nested block.
    pub fn block(mut self, name: &'static str, block: Block) -> Self {
        self.attributes.0.push((name, block.0));
        self
    }

    /// Users are told to leave it; say what to use instead.
    pub fn deprecated(mut self, message: impl Into<String>) -> Self {
        self.deprecated = Some(message.into());
        self
    }

    /// Adds a check that looks at several attributes.
    pub fn validate(mut self, validator: impl ConfigValidator + 'static) -> Self {
        self.validators.push(Arc::new(validator));
        self
    }

    /// The attributes, in the order they were declared.
    pub const fn members(&self) -> &Attributes {
        &self.attributes
    }

    /// The version of the stored shape.
    pub const fn stored_version(&self) -> i64 {
        self.version
    }

    /// The description, in Markdown.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The type of a whole value of this schema.
    pub fn object_type(&self) -> Type {
        self.attributes.object_type()
    }

    /// The attribute at a path of attribute names; steps into collections are passed over.
    pub fn at(&self, path: &crate::Path) -> Option<&Attribute> {
        let mut members = Some(&self.attributes);
        let mut found = None;
        for step in path.steps() {
            if let crate::Step::Attribute(name) = step {
                let attribute = members?.get(name)?;
                members = attribute.nested().map(|(_, members)| members);
                found = Some(attribute);
            }
        }
        found
    }
}
