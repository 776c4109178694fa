//! Schemas in the protocol's form.

use bytes::Bytes;
use proto_plugin::tfplugin6::{
    self as wire, StringKind, resource_identity_schema, schema as wire_schema,
};

use super::{Attribute, Attributes, IdentitySchema, Nesting, Schema, Shape};

impl Schema {
    pub(crate) fn to_wire(&self) -> wire::Schema {
        wire::Schema {
            version: self.version,
            block: Some(wire_schema::Block {
                version: self.version,
                attributes: attributes(&self.attributes),
                block_types: blocks(&self.attributes),
                description: self.description.clone(),
                description_kind: StringKind::Markdown.into(),
                deprecated: self.deprecated.is_some(),
                deprecation_message: self.deprecated.clone().unwrap_or_default(),
                computed: false,
            }),
        }
    }
}

fn attributes(members: &Attributes) -> Vec<wire_schema::Attribute> {
    let mut out: Vec<_> = members
        .iter()
        .filter(|(_, attribute)| !attribute.is_block())
        .map(|(name, attribute)| to_wire(name, attribute))
        .collect();
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

fn blocks(members: &Attributes) -> Vec<wire_schema::NestedBlock> {
    use wire_schema::nested_block::NestingMode;
    let block = |(name, attribute): (&'static str, &Attribute)| {
        let limits = attribute.block?;
        let (nesting, members) = attribute.nested()?;
        let mode = match nesting {
            Nesting::Single => NestingMode::Single,
            Nesting::List => NestingMode::List,
            Nesting::Set => NestingMode::Set,
            Nesting::Map => NestingMode::Map,
        };
        // For a single one both say whether it must be there, for a map core wants neither.
        let (min, max) = match nesting {
            Nesting::Single => (limits.min, limits.min),
            Nesting::Map => (0, 0),
            Nesting::List | Nesting::Set => (limits.min, limits.max),
        };
        Some(wire_schema::NestedBlock {
            type_name: name.to_owned(),
            block: Some(wire_schema::Block {
                version: 0,
                attributes: attributes(members),
                block_types: blocks(members),
                description: attribute.description.clone(),
                description_kind: StringKind::Markdown.into(),
                deprecated: attribute.deprecated.is_some(),
                deprecation_message: attribute.deprecated.clone().unwrap_or_default(),
                computed: false,
            }),
            nesting: mode.into(),
            min_items: min.into(),
            max_items: max.into(),
        })
    };
    let mut out: Vec<_> = members.iter().filter_map(block).collect();
    out.sort_by(|a, b| a.type_name.cmp(&b.type_name));
    out
}

fn to_wire(name: &str, attribute: &Attribute) -> wire_schema::Attribute {
    let (ty, nested_type) = match &attribute.shape {
        Shape::Plain(ty) => (ty.to_json().into_bytes().into(), None),
        Shape::Nested(nesting, members) => (Bytes::new(), Some(nested(*nesting, members))),
    };
    wire_schema::Attribute {
        name: name.to_owned(),
        r#type: ty,
        nested_type,
        description: attribute.description.clone(),
        required: attribute.required,
        optional: attribute.optional,
        computed: attribute.computed,
        sensitive: attribute.sensitive,
        description_kind: StringKind::Markdown.into(),
        deprecated: attribute.deprecated.is_some(),
        write_only: attribute.write_only,
        deprecation_message: attribute.deprecated.clone().unwrap_or_default(),
    }
}

fn nested(nesting: Nesting, members: &Attributes) -> wire_schema::Object {
    use wire_schema::object::NestingMode;
    let mode = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    wire_schema::Object {
        attributes: attributes(members),
        nesting: mode.into(),
        ..Default::default()
    }
}

impl IdentitySchema {
    pub(crate) fn to_wire(&self) -> wire::ResourceIdentitySchema {
        let identity_attributes = self
            .attributes
            .iter()
            .map(|attribute| resource_identity_schema::IdentityAttribute {
                name: attribute.name.to_owned(),
                r#type: attribute.ty.to_json().into_bytes().into(),
                required_for_import: attribute.required_for_import,
                optional_for_import: !attribute.required_for_import,
                description: attribute.description.clone(),
            })
            .collect();
        wire::ResourceIdentitySchema {
            version: self.version,
            identity_attributes,
        }
    }
}
