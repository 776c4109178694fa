//! The whole schema as one committed file, so that no change of it goes unnoticed.
//!
//! `UPDATE_SCHEMA=1 cargo test -p terraform-provider-managedk8s golden` writes the file anew; nothing else does.

use std::path::Path;

use framework::{Attribute, Attributes, IdentitySchema, Provider as _, Schema, Shape};
use serde_json::{Map, Value, json};

use crate::provider::ManagedK8s;

/// Asks for the file to be written.
const UPDATE: &str = "UPDATE_SCHEMA";
const FILE: &str = "schema.golden.json";

#[test]
fn schema_is_the_golden_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let now = format!("{:#}\n", provider());
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &now).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = golden
        .lines()
        .zip(now.lines())
        .enumerate()
        .find(|(_, (golden, now))| golden != now);
    assert!(
        golden == now,
        "the schema is not that of {FILE}; first difference (line, golden and now): {differs:?}. If the change is wanted, \
         run the test with {UPDATE}=1 and commit the file"
    );
}

#[test]
fn schema_keeps_every_rule_of_core() {
    let broken = framework::check_provider(&ManagedK8s);
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The self-check covers this for resources; here with every level, for all kinds of objects.
#[test]
fn everything_is_described() {
    let mut without = Vec::new();
    blank("", &provider(), &mut without);
    assert!(without.is_empty(), "{without:#?}");
}

fn blank(at: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                blank(&format!("{at}/{name}"), member, found);
            }
        }
        Value::String(text) if at.ends_with("/description") => {
            let sentence =
                text.ends_with(['.', '`', ')']) && !text.starts_with(char::is_whitespace);
            if !sentence {
                found.push(format!("{at}: {text:?}"));
            }
        }
        _ => {}
    }
}

/// The provider, in the shape of `terraform providers schema -json`; types as HCL writes them.
fn provider() -> Value {
    let provider = ManagedK8s;
    let resources = provider.resources();
    let identities = resources
        .iter()
        .filter_map(|one| {
            Some((
                one.type_name().to_owned(),
                identity(&one.identity_schema()?),
            ))
        })
        .collect::<Map<_, _>>();
    let functions = provider.functions();
    let functions = functions.iter().map(|one| {
        let definition = one.definition();
        let parameters: Vec<_> = definition
            .parameters()
            .map(|parameter| {
                json!({
                    "name": parameter.name(),
                    "type": parameter.value_type().to_string(),
                    "description": parameter.description(),
                })
            })
            .collect();
        let value = json!({
            "summary": definition.summary(),
            "description": definition.description(),
            "return_type": definition.returns().to_string(),
            "parameters": parameters,
        });
        (one.name().to_owned(), value)
    });
    json!({
        "provider": schema(&provider.schema()),
        "resource_schemas": all(resources.iter().map(|one| (one.type_name(), one.schema()))),
        "resource_identity_schemas": identities,
        "data_source_schemas": all(provider.data_sources().iter().map(|one| (one.type_name(), one.schema()))),
        "ephemeral_resource_schemas":
            all(provider.ephemeral_resources().iter().map(|one| (one.type_name(), one.schema()))),
        "list_resource_schemas": all(provider.list_resources().iter().map(|one| (one.type_name(), one.schema()))),
        "action_schemas": all(provider.actions().iter().map(|one| (one.type_name(), one.schema()))),
        "functions": functions.collect::<Map<_, _>>(),
    })
}

fn all(schemas: impl Iterator<Item = (&'static str, Schema)>) -> Map<String, Value> {
    schemas
        .map(|(name, one)| (name.to_owned(), schema(&one)))
        .collect()
}

fn schema(schema: &Schema) -> Value {
    json!({
        "version": schema.stored_version(),
        "description": schema.description(),
        "attributes": attributes(schema.members()),
    })
}

fn attributes(attributes: &Attributes) -> Map<String, Value> {
    attributes
        .iter()
        .map(|(name, one)| (name.to_owned(), attribute(one)))
        .collect()
}

fn attribute(attribute: &Attribute) -> Value {
    let mut value = Map::new();
    value.insert("description".into(), json!(attribute.description()));
    for (flag, set) in [
        ("required", attribute.is_required()),
        ("optional", attribute.is_optional()),
        ("computed", attribute.is_computed()),
        ("sensitive", attribute.is_sensitive()),
        ("write_only", attribute.is_write_only()),
    ] {
        if set {
            value.insert(flag.into(), json!(true));
        }
    }
    match attribute.shape() {
        Shape::Plain(ty) => value.insert("type".into(), json!(ty.to_string())),
        Shape::Nested(nesting, members) => value.insert(
            "nested_type".into(),
            json!({
                "nesting_mode": format!("{nesting:?}").to_lowercase(),
                "attributes": attributes(members),
            }),
        ),
    };
    Value::Object(value)
}

fn identity(identity: &IdentitySchema) -> Value {
    identity
        .members()
        .iter()
        .map(|member| {
            let value = json!({
                "type": member.ty.to_string(),
                "required_for_import": member.required_for_import,
                "description": member.description,
            });
            (member.name.to_owned(), value)
        })
        .collect::<Map<_, _>>()
        .into()
}
