//! The messages that can be read, from the table beside this file.

use std::collections::HashMap;
use std::sync::LazyLock;

/// How a field is written.
#[derive(Debug)]
pub(super) enum Type {
    Text,
    Bytes,
    Int,
    Bool,
    /// RFC 3339 in whole seconds.
    Time,
    /// RFC 3339 in microseconds.
    MicroTime,
    IntOrString,
    Quantity,
    /// A message whose only field is JSON: a `FieldsV1` or a `RawExtension`.
    Json,
    /// A message whose only field is a list of texts: an `ExtraValue`.
    Texts,
    Message(&'static str),
    /// A message whose members stand in its parent.
    Inline(&'static str),
    List(Box<Type>),
    Map(Box<Type>),
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub kind: Type,
    /// Whether it stays when it is zero or empty: its absence means something else.
    pub pointer: bool,
}

/// A message: its fields by their numbers.
pub(super) type Message = HashMap<u32, Field>;

static MESSAGES: LazyLock<HashMap<&'static str, Message>> =
    LazyLock::new(|| parse(include_str!("messages.txt")));

/// A message by the name that the table gives it.
pub(super) fn message(name: &str) -> Option<&'static Message> {
    MESSAGES.get(name)
}

/// The message of a kind: the group's own where several groups have one of this name.
pub(super) fn of_kind(api_version: &str, kind: &str) -> Option<&'static Message> {
    let group = api_version.split(['.', '/']).next().unwrap_or_default();
    message(&format!("{group}.{kind}")).or_else(|| message(kind))
}

fn parse(table: &'static str) -> HashMap<&'static str, Message> {
    let mut messages = HashMap::new();
    let mut current = "";
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let Some(fields) = line.strip_prefix("  ") else {
            current = line;
            messages.insert(current, Message::new());
            continue;
        };
        let message: &mut Message = messages.entry(current).or_default();
        message.extend(fields.trim_end_matches(',').split(", ").filter_map(field));
    }
    messages
}

/// `20 name *Type`.
fn field(text: &'static str) -> Option<(u32, Field)> {
    let mut words = text.split(' ');
    let (number, name, kind) = (words.next()?, words.next()?, words.next()?);
    let (pointer, kind) = match kind.strip_prefix('*') {
        Some(kind) => (true, kind),
        None => (false, kind),
    };
    let kind = match name {
        "inline" => Type::Inline(kind),
        _ => type_of(kind),
    };
    let field = Field {
        name,
        kind,
        pointer,
    };
    Some((number.parse().ok()?, field))
}

fn type_of(word: &'static str) -> Type {
    if let Some(item) = word.strip_prefix("[]") {
        return Type::List(Box::new(type_of(item)));
    }
    if let Some(item) = word.strip_prefix("{}") {
        return Type::Map(Box::new(type_of(item)));
    }
    match word {
        "string" => Type::Text,
        "bytes" => Type::Bytes,
        "int" => Type::Int,
        "bool" => Type::Bool,
        "Time" => Type::Time,
        "MicroTime" => Type::MicroTime,
        "IntOrString" => Type::IntOrString,
        "Quantity" => Type::Quantity,
        "FieldsV1" | "RawExtension" => Type::Json,
        "ExtraValue" => Type::Texts,
        name => Type::Message(name),
    }
}

#[cfg(test)]
mod tests {
    use super::{MESSAGES, Type, message};

    fn named(kind: &Type) -> Option<&'static str> {
        match kind {
            Type::Message(name) | Type::Inline(name) => Some(name),
            Type::List(item) | Type::Map(item) => named(item),
            _ => None,
        }
    }

    #[test]
    fn every_line_of_the_table_is_a_field_and_every_type_is_known() {
        let table = include_str!("messages.txt");
        let lines = table.lines().filter(|line| line.starts_with("  "));
        let written: usize = lines
            .map(|line| line.trim_end_matches(',').split(", ").count())
            .sum();
        assert_eq!(
            MESSAGES
                .values()
                .map(std::collections::HashMap::len)
                .sum::<usize>(),
            written
        );
        for (name, fields) in MESSAGES.iter() {
            for field in fields.values() {
                if let Some(part) = named(&field.kind) {
                    assert!(message(part).is_some(), "{name}.{}: {part}", field.name);
                }
            }
        }
    }

    #[test]
    fn every_built_in_kind_has_a_message() {
        for resource in super::super::super::registry::built_in() {
            // Clients of these two groups write JSON.
            if !["apiextensions.k8s.io", "apiregistration.k8s.io"]
                .contains(&resource.group.as_str())
            {
                let kind = super::of_kind(&resource.api_version(), &resource.kind);
                assert!(
                    kind.is_some(),
                    "{} {}",
                    resource.api_version(),
                    resource.kind
                );
            }
        }
    }
}
