//! One attribute: shape, behaviour and description together.

use std::fmt;
use std::sync::Arc;

use super::{Modifier, Validator};
use crate::{Dynamic, Type};

/// What holds the objects of a nested attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One object.
    Single,
    /// A list of objects.
    List,
    /// A set of objects; elements have no identity but their whole value, so prefer a map.
    Set,
    /// Objects under text keys.
    Map,
}

/// The shape of an attribute's value.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A plain type.
    Plain(Type),
    /// An object, or a collection of objects, whose members are attributes themselves.
    Nested(Nesting, Attributes),
}

/// Members of an object, in the order they were declared.
#[derive(Clone, Debug, Default)]
pub struct Attributes(pub(crate) Vec<(&'static str, Attribute)>);

impl Attributes {
    /// The attribute of this name.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, a)| a)
    }

    /// Names and attributes, in the order they were declared.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Attribute)> {
        self.0.iter().map(|(name, attribute)| (*name, attribute))
    }

    /// The type of an object of these members.
    pub fn object_type(&self) -> Type {
        Type::object(
            self.iter()
                .map(|(name, attribute)| (name, attribute.value_type())),
        )
    }
}

impl<const N: usize> From<[(&'static str, Attribute); N]> for Attributes {
    fn from(members: [(&'static str, Attribute); N]) -> Self {
        Self(members.into())
    }
}

impl From<Vec<(&'static str, Attribute)>> for Attributes {
    fn from(members: Vec<(&'static str, Attribute)>) -> Self {
        Self(members)
    }
}

/// Whether two spellings mean the same value.
pub type SemanticEquality = Arc<dyn Fn(&Dynamic, &Dynamic) -> bool + Send + Sync>;

/// One attribute of a schema.
///
/// Say what it holds, who sets it, what it means, and how it behaves:
///
/// ```
/// use framework::{Attribute, validators};
///
/// let size = Attribute::number("Size of the data disk in GB.")
///     .optional()
///     .default(100)
///     .validate(validators::int_between(20, 16_000));
/// let address = Attribute::string("Address of the machine.")
///     .computed()
///     .keep_known();
/// # let _ = (size, address);
/// ```
///
/// Exactly one of required, optional and computed is needed; optional and computed together mean
/// "the user may set it, else the provider does". A default makes an attribute computed as well,
/// since terraform allows no other planned value than the configured one.
#[derive(Clone)]
pub struct Attribute {
    pub(crate) shape: Shape,
    pub(crate) description: String,
    pub(crate) required: bool,
    pub(crate) optional: bool,
    pub(crate) computed: bool,
    pub(crate) sensitive: bool,
    pub(crate) write_only: bool,
    pub(crate) deprecated: Option<String>,
    pub(crate) default: Option<Dynamic>,
    pub(crate) validators: Vec<Arc<dyn Validator>>,
    pub(crate) modifiers: Vec<Arc<dyn Modifier>>,
    pub(crate) same: Option<SemanticEquality>,
    /// Set for what is written as a block.
    pub(crate) block: Option<super::block::Limits>,
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attribute")
            .field("shape", &self.shape)
            .field("required", &self.required)
            .field("optional", &self.optional)
            .field("computed", &self.computed)
            .finish_non_exhaustive()
    }
}

impl Attribute {
    /// An attribute of a plain type. The description is Markdown, one or more sentences.
    pub fn new(ty: Type, description: impl Into<String>) -> Self {
        Self::with_shape(Shape::Plain(ty), description)
    }

    fn with_shape(shape: Shape, description: impl Into<String>) -> Self {
        Self {
            shape,
            description: description.into(),
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            write_only: false,
            deprecated: None,
            default: None,
            validators: Vec::new(),
            modifiers: Vec::new(),
            same: None,
            block: None,
        }
    }

    /// Text.
    pub fn string(description: impl Into<String>) -> Self {
        Self::new(Type::String, description)
    }

    /// A number.
    pub fn number(description: impl Into<String>) -> Self {
        Self::new(Type::Number, description)
    }

    /// True or false.
    pub fn bool(description: impl Into<String>) -> Self {
        Self::new(Type::Bool, description)
    }

    /// A list of plain values.
    pub fn list(element: Type, description: impl Into<String>) -> Self {
        Self::new(Type::list(element), description)
    }

    /// A set of plain values.
    pub fn set(element: Type, description: impl Into<String>) -> Self {
        Self::new(Type::set(element), description)
    }

    /// A map of plain values.
    pub fn map(element: Type, description: impl Into<String>) -> Self {
        Self::new(Type::map(element), description)
    }

    /// A value of any type.
    pub fn any(description: impl Into<String>) -> Self {
        Self::new(Type::Dynamic, description)
    }

    /// One object whose members are attributes.
    pub fn single(members: impl Into<Attributes>, description: impl Into<String>) -> Self {
        Self::with_shape(Shape::Nested(Nesting::Single, members.into()), description)
    }

    /// A list of objects whose members are attributes.
    pub fn list_of(members: impl Into<Attributes>, description: impl Into<String>) -> Self {
        Self::with_shape(Shape::Nested(Nesting::List, members.into()), description)
    }

    /// A set of objects whose members are attributes.
    pub fn set_of(members: impl Into<Attributes>, description: impl Into<String>) -> Self {
        Self::with_shape(Shape::Nested(Nesting::Set, members.into()), description)
    }

    /// A map of objects whose members are attributes.
    pub fn map_of(members: impl Into<Attributes>, description: impl Into<String>) -> Self {
        Self::with_shape(Shape::Nested(Nesting::Map, members.into()), description)
    }

    /// The user must set it.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The user may set it.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The provider sets it; after `optional()`: unless the user does.
    pub fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// Terraform hides the value on screen. It is stored in state all the same.
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The value is never stored: handlers find it in the configuration only.
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// Users are told to leave it; say what to use instead.
    pub fn deprecated(mut self, message: impl Into<String>) -> Self {
        self.deprecated = Some(message.into());
        self
    }

    /// The value when the user sets none. Makes the attribute optional and computed.
    pub fn default(mut self, value: impl Into<Dynamic>) -> Self {
        self.default = Some(value.into());
        self.optional = true;
        self.computed = true;
        self
    }

    /// Adds a check of the configured value.
    pub fn validate(mut self, validator: impl Validator + 'static) -> Self {
        self.validators.push(Arc::new(validator));
        self
    }

    /// Adds a rule about the planned value.
    pub fn modify(mut self, modifier: impl Modifier + 'static) -> Self {
        self.modifiers.push(Arc::new(modifier));
        self
    }

    /// A change of this attribute replaces the object. Never on import: an unknown past is no change.
    pub fn replace_on_change(self) -> Self {
        self.modify(crate::modifiers::requires_replace())
    }

    /// The computed value does not change on update: the prior one is planned, instead of
    /// "known after apply". A value that was null so far may still appear.
    pub fn keep_known(self) -> Self {
        self.modify(crate::modifiers::use_non_null_state_for_unknown())
    }

    /// Two values for which `same` answers true are one: what the user wrote is kept when the remote
    /// side answers another spelling.
    pub fn same_if(
        mut self,
        same: impl Fn(&Dynamic, &Dynamic) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.same = Some(Arc::new(same));
        self
    }

    /// The shape of the value.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The members, if this is a nested attribute.
    pub const fn nested(&self) -> Option<(Nesting, &Attributes)> {
        match &self.shape {
            Shape::Nested(nesting, members) => Some((*nesting, members)),
            Shape::Plain(_) => None,
        }
    }

    /// The description, in Markdown.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Whether the user must set it.
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// Whether the user may set it.
    pub const fn is_optional(&self) -> bool {
        self.optional
    }

    /// Whether the provider may set it.
    pub const fn is_computed(&self) -> bool {
        self.computed
    }

    /// Whether terraform hides the value.
    pub const fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether the value is never stored.
    pub const fn is_write_only(&self) -> bool {
        self.write_only
    }

    /// Whether it is written as a block, without `=`.
    pub const fn is_block(&self) -> bool {
        self.block.is_some()
    }

    /// The value when the user sets none.
    pub const fn default_value(&self) -> Option<&Dynamic> {
        self.default.as_ref()
    }

    /// The type of the value.
    pub fn value_type(&self) -> Type {
        match &self.shape {
            Shape::Plain(ty) => ty.clone(),
            Shape::Nested(nesting, members) => {
                let object = members.object_type();
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Set => Type::set(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }
}
