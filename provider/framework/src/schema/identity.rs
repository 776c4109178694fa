//! What identifies an object for good.

use crate::Type;

/// The identity of a resource: permanent, enough to find the object, never changing.
///
/// Attributes are primitive or lists of primitives.
#[derive(Clone, Debug, Default)]
pub struct IdentitySchema {
    pub(crate) version: i64,
    pub(crate) attributes: Vec<IdentityAttribute>,
}

/// One member of an identity.
#[derive(Clone, Debug)]
pub struct IdentityAttribute {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Whether `import { identity = ... }` must give it; if not, it may.
    pub required_for_import: bool,
    /// What it is, in Markdown.
    pub description: String,
}

impl IdentitySchema {
    /// An identity without members, of version 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of the identity's shape. Identities of different versions are never equal.
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// Adds a member that an import by identity must give.
    pub fn required(
        mut self,
        name: &'static str,
        ty: Type,
        description: impl Into<String>,
    ) -> Self {
        self.attributes.push(IdentityAttribute {
            name,
            ty,
            required_for_import: true,
            description: description.into(),
        });
        self
    }

    /// Adds a member that an import by identity may give, because the provider knows a default.
    pub fn optional(
        mut self,
        name: &'static str,
        ty: Type,
        description: impl Into<String>,
    ) -> Self {
        self.attributes.push(IdentityAttribute {
            name,
            ty,
            required_for_import: false,
            description: description.into(),
        });
        self
    }

    /// The members.
    pub fn members(&self) -> &[IdentityAttribute] {
        &self.attributes
    }

    /// The type of a whole identity.
    pub fn object_type(&self) -> Type {
        Type::object(self.attributes.iter().map(|a| (a.name, a.ty.clone())))
    }
}
