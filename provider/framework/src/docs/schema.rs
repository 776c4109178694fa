//! The schema section of a page.

use std::fmt::Write as _;

use crate::schema::{Attribute, Attributes, Nesting, Schema, Shape};
use crate::{Dynamic, Type};

/// Writes all attributes: required, optional, read-only, then the members of nested ones.
pub(super) fn write(out: &mut String, schema: &Schema) {
    let rules: Vec<_> = schema
        .validators
        .iter()
        .map(|validator| validator.describe())
        .filter(|text| !text.is_empty())
        .collect();
    if !rules.is_empty() {
        out.push('\n');
        for rule in rules {
            let _ = writeln!(out, "- Set {rule}.");
        }
    }
    let mut nested = Vec::new();
    groups(out, &schema.attributes, "### ", "", &mut nested);
    let mut next = 0;
    while next < nested.len() {
        let (path, members): (String, &Attributes) = nested[next].clone();
        let anchor = path.replace('.', "--");
        let _ = write!(
            out,
            "\n<a id=\"nestedatt--{anchor}\"></a>\n### Nested Schema for `{path}`\n"
        );
        let mut more = Vec::new();
        groups(out, members, "", &path, &mut more);
        // Members of members follow their parent.
        let rest = nested.split_off(next + 1);
        nested.extend(more);
        nested.extend(rest);
        next += 1;
    }
}

fn groups<'s>(
    out: &mut String,
    attributes: &'s Attributes,
    heading: &str,
    parent: &str,
    nested: &mut Vec<(String, &'s Attributes)>,
) {
    type Belongs = fn(&Attribute) -> bool;
    let groups: [(&str, Belongs); 3] = [
        ("Required", |a| a.required),
        ("Optional", |a| a.optional),
        ("Read-Only", |a| !a.required && !a.optional),
    ];
    for (name, belongs) in groups {
        let mut members: Vec<_> = attributes.iter().filter(|(_, a)| belongs(a)).collect();
        if members.is_empty() {
            continue;
        }
        members.sort_by_key(|(name, _)| *name);
        let colon = if heading.is_empty() { ":" } else { "" };
        let _ = write!(out, "\n{heading}{name}{colon}\n\n");
        for (name, attribute) in members {
            let path = if parent.is_empty() {
                name.to_owned()
            } else {
                format!("{parent}.{name}")
            };
            line(out, name, &path, attribute);
            if let Some((_, members)) = attribute.nested() {
                nested.push((path, members));
            }
        }
    }
}

fn line(out: &mut String, name: &str, path: &str, attribute: &Attribute) {
    let word = if attribute.is_block() {
        "Block"
    } else {
        "Attributes"
    };
    let mut kind = match &attribute.shape {
        Shape::Plain(ty) => type_name(ty),
        Shape::Nested(Nesting::Single, _) => word.to_owned(),
        Shape::Nested(Nesting::List, _) => format!("{word} List"),
        Shape::Nested(Nesting::Set, _) => format!("{word} Set"),
        Shape::Nested(Nesting::Map, _) => format!("{word} Map"),
    };
    if let (Some(limits), Shape::Nested(Nesting::List | Nesting::Set, _)) =
        (attribute.block, &attribute.shape)
    {
        for (name, limit) in [("Min", limits.min), ("Max", limits.max)] {
            if limit > 0 {
                let _ = write!(kind, ", {name}: {limit}");
            }
        }
    }
    let flags = [
        (attribute.sensitive, ", Sensitive"),
        (attribute.write_only, ", Write-only"),
        (attribute.deprecated.is_some(), ", Deprecated"),
    ];
    let flags: String = flags
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, text)| *text)
        .collect();
    let _ = write!(
        out,
        "- `{name}` ({kind}{flags}) {}",
        attribute.description.trim()
    );
    let rules = attribute.validators.iter().map(|v| v.describe());
    let rules: Vec<_> = rules.filter(|text| !text.is_empty()).collect();
    if !rules.is_empty() {
        let _ = write!(out, " Allowed: {}.", rules.join("; "));
    }
    if let Some(default) = &attribute.default {
        let _ = write!(out, " Default: `{}`.", literal(default));
    }
    for text in attribute
        .modifiers
        .iter()
        .map(|m| m.describe())
        .filter(|t| !t.is_empty())
    {
        let mut letters = text.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        let sentence: String = first.chain(letters).collect();
        let _ = write!(out, " {sentence}.");
    }
    if let Some(message) = &attribute.deprecated {
        let _ = write!(out, " **Deprecated** {message}");
    }
    if attribute.nested().is_some() {
        let anchor = path.replace('.', "--");
        let _ = write!(
            out,
            " (see [below for nested schema](#nestedatt--{anchor}))"
        );
    }
    out.push('\n');
}

/// A default as HCL.
fn literal(value: &Dynamic) -> String {
    match value {
        Dynamic::List(elements) | Dynamic::Set(elements) | Dynamic::Tuple(elements) => {
            let elements: Vec<_> = elements.iter().map(literal).collect();
            format!("[{}]", elements.join(", "))
        }
        Dynamic::Map(members) | Dynamic::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, member)| format!("{name} = {}", literal(member)))
                .collect();
            if members.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", members.join(", "))
            }
        }
        other => crate::wire::to_json(other),
    }
}

/// A type as the registry's pages name it.
pub(super) fn type_name(ty: &Type) -> String {
    match ty {
        Type::String => "String".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::Bool => "Boolean".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(element) => format!("List of {}", type_name(element)),
        Type::Set(element) => format!("Set of {}", type_name(element)),
        Type::Map(element) => format!("Map of {}", type_name(element)),
        Type::Tuple(_) => "Tuple".to_owned(),
        Type::Object(_) => "Object".to_owned(),
    }
}
