//! Schemas as core sees them, and the rules it checks when it loads them.

use std::collections::BTreeMap;

use proto_plugin::tfplugin6 as wire;

use crate::{Error, Type};

/// How a nested attribute or block holds its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One object.
    Single,
    /// One object that is never null (blocks only).
    Group,
    /// A list of objects.
    List,
    /// A set of objects.
    Set,
    /// A map of objects.
    Map,
}

/// An attribute of a schema.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the protocol"
)]
pub struct Attribute {
    /// The whole type, with nested attributes as objects.
    pub ty: Type,
    /// Members and nesting of a nested attribute.
    pub nested: Option<(Nesting, BTreeMap<String, Attribute>)>,
    /// The argument must be set.
    pub required: bool,
    /// The argument may be set.
    pub optional: bool,
    /// The provider may set it.
    pub computed: bool,
    /// Masked on screen.
    pub sensitive: bool,
    /// Never stored.
    pub write_only: bool,
    /// Has a description.
    pub described: bool,
}

/// A body: attributes and blocks.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Its attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// Its nested blocks.
    pub blocks: BTreeMap<String, (Nesting, Block)>,
}

/// A versioned body.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// The version of stored state.
    pub version: i64,
    /// The body.
    pub block: Block,
}

impl Schema {
    /// Reads a schema and checks the rules that core checks at load; one broken rule makes a whole provider unusable.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every broken rule.
    pub fn read(name: &str, schema: &wire::Schema) -> Result<Self, Error> {
        let mut problems = Vec::new();
        let block = schema.block.clone().unwrap_or_default();
        let block = read_block(name, &block, &mut problems);
        if problems.is_empty() {
            Ok(Self {
                version: schema.version,
                block,
            })
        } else {
            Err(Error::Invalid {
                call: "GetProviderSchema",
                problems,
            })
        }
    }

    /// The type of a whole object.
    pub fn ty(&self) -> Type {
        self.block.ty()
    }
}

impl Block {
    /// Takes write-only attributes for ordinary ones, as a core does that does not know the flag.
    pub(crate) fn forget_write_only(&mut self) {
        fn forget(attributes: &mut BTreeMap<String, Attribute>) {
            for attribute in attributes.values_mut() {
                attribute.write_only = false;
                if let Some((_, members)) = &mut attribute.nested {
                    forget(members);
                }
            }
        }
        forget(&mut self.attributes);
        for (_, block) in self.blocks.values_mut() {
            block.forget_write_only();
        }
    }

    /// The type of the body.
    pub fn ty(&self) -> Type {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, attribute)| (name.clone(), attribute.ty.clone()));
        let blocks = self.blocks.iter().map(|(name, (nesting, block))| {
            let inner = block.ty();
            let ty = match nesting {
                Nesting::Single | Nesting::Group => inner,
                Nesting::List => Type::List(Box::new(inner)),
                Nesting::Set => Type::Set(Box::new(inner)),
                Nesting::Map => Type::Map(Box::new(inner)),
            };
            (name.clone(), ty)
        });
        Type::Object(attributes.chain(blocks).collect())
    }
}

fn read_block(path: &str, block: &wire::schema::Block, problems: &mut Vec<String>) -> Block {
    let mut read = Block::default();
    for attribute in &block.attributes {
        let path = format!("{path}.{}", attribute.name);
        if let Some(found) = read_attribute(&path, attribute, problems)
            && read
                .attributes
                .insert(attribute.name.clone(), found)
                .is_some()
        {
            problems.push(format!("{path}: attribute declared twice"));
        }
    }
    for nested in &block.block_types {
        let path = format!("{path}.{}", nested.type_name);
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !nested.type_name.chars().all(legal) || nested.type_name.is_empty() {
            problems.push(format!("{path}: illegal block type name"));
        }
        if read.attributes.contains_key(&nested.type_name) {
            problems.push(format!("{path}: name defined as both attribute and block"));
        }
        let Some(nesting) = nesting(nested.nesting) else {
            problems.push(format!("{path}: invalid nesting mode"));
            continue;
        };
        let (min, max) = (nested.min_items, nested.max_items);
        let fits = match nesting {
            Nesting::Single => min == max && (0..=1).contains(&min) || (min, max) == (0, 0),
            Nesting::Group | Nesting::Map => (min, max) == (0, 0),
            Nesting::List | Nesting::Set => max == 0 || min <= max,
        };
        if !fits {
            problems.push(format!("{path}: illegal min_items and max_items"));
        }
        let inner = read_block(&path, &nested.block.clone().unwrap_or_default(), problems);
        read.blocks
            .insert(nested.type_name.clone(), (nesting, inner));
    }
    read
}

fn read_attribute(
    path: &str,
    attribute: &wire::schema::Attribute,
    problems: &mut Vec<String>,
) -> Option<Attribute> {
    let flags = (attribute.required, attribute.optional, attribute.computed);
    if !matches!(
        flags,
        (true, false, false) | (false, true, _) | (false, false, true)
    ) {
        problems.push(format!(
            "{path}: must be exactly one of required, optional, computed, or optional and computed"
        ));
    }
    if !attribute.deprecated && !attribute.deprecation_message.is_empty() {
        problems.push(format!("{path}: a deprecation message without deprecation"));
    }
    if attribute.write_only && attribute.computed {
        problems.push(format!("{path}: write-only attributes cannot be computed"));
    }
    let (ty, nested) = match (&attribute.nested_type, attribute.r#type.is_empty()) {
        (None, false) => {
            let parsed = serde_json::from_slice(&attribute.r#type)
                .map_err(|error| error.to_string())
                .and_then(|json| Type::parse(&json));
            match parsed {
                Ok(ty) => (ty, None),
                Err(problem) => {
                    problems.push(format!("{path}: {problem}"));
                    return None;
                }
            }
        }
        (Some(object), true) => read_nested(path, object, problems)?,
        _ => {
            problems.push(format!(
                "{path}: exactly one of type and nested_type must be set"
            ));
            return None;
        }
    };
    Some(Attribute {
        ty,
        nested,
        required: attribute.required,
        optional: attribute.optional,
        computed: attribute.computed,
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        described: !attribute.description.is_empty(),
    })
}

type Nested = (Nesting, BTreeMap<String, Attribute>);

fn read_nested(
    path: &str,
    object: &wire::schema::Object,
    problems: &mut Vec<String>,
) -> Option<(Type, Option<Nested>)> {
    let Some(nesting) = nesting(object.nesting) else {
        problems.push(format!("{path}: invalid nesting mode"));
        return None;
    };
    let mut members = BTreeMap::new();
    for attribute in &object.attributes {
        let path = format!("{path}.{}", attribute.name);
        let found = read_attribute(&path, attribute, problems)?;
        if nesting == Nesting::Set && (found.write_only || found.ty == Type::Dynamic) {
            problems.push(format!(
                "{path}: a set cannot hold write-only or dynamic attributes"
            ));
        }
        if members.insert(attribute.name.clone(), found).is_some() {
            problems.push(format!("{path}: attribute declared twice"));
        }
    }
    let inner = Type::Object(
        members
            .iter()
            .map(|(name, member)| (name.clone(), member.ty.clone()))
            .collect(),
    );
    let ty = match nesting {
        Nesting::Single | Nesting::Group => inner,
        Nesting::List => Type::List(Box::new(inner)),
        Nesting::Set => Type::Set(Box::new(inner)),
        Nesting::Map => Type::Map(Box::new(inner)),
    };
    Some((ty, Some((nesting, members))))
}

fn nesting(mode: i32) -> Option<Nesting> {
    match mode {
        1 => Some(Nesting::Single),
        2 => Some(Nesting::List),
        3 => Some(Nesting::Set),
        4 => Some(Nesting::Map),
        5 => Some(Nesting::Group),
        _ => None,
    }
}
