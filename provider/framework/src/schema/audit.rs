//! All rules at once, over a whole provider.

use std::collections::BTreeSet;

use super::{SchemaProblem, Use, check_identity, check_schema};
use crate::Provider;
use crate::server::Registry;

/// Every rule that anything of a provider breaks, each with the name of the thing. Core makes a
/// provider unusable for most of them, so call this in a test and expect nothing.
pub fn check_provider<P: Provider>(provider: &P) -> Vec<String> {
    let registry = Registry::new(provider);
    let mut found = Vec::new();
    let add = |found: &mut Vec<String>, owner: &str, problems: Vec<SchemaProblem>| {
        found.extend(problems.iter().map(|problem| format!("{owner}: {problem}")));
    };
    let schema = &registry.provider(provider).schema;
    add(&mut found, "provider", check_schema(schema, Use::Provider));
    if let Some(meta) = registry.meta(provider) {
        add(
            &mut found,
            "provider_meta",
            check_schema(&meta.schema, Use::Other),
        );
    }
    let prefix = format!("{}_", provider.name());
    macro_rules! all {
        ($entries:ident, $kind:literal, $purpose:expr) => {
            for (name, entry) in &registry.$entries {
                let owner = format!("{} {name}", $kind);
                if !(name.starts_with(&prefix) || **name == *provider.name()) {
                    found.push(format!("{owner}: the name does not begin with {prefix:?}"));
                }
                let compiled = entry.compiled();
                if compiled.schema.description.trim().is_empty() {
                    found.push(format!("{owner}: it has no description"));
                }
                add(&mut found, &owner, check_schema(&compiled.schema, $purpose));
                if let Some((identity, _)) = &compiled.identity {
                    add(
                        &mut found,
                        &format!("{owner} (identity)"),
                        check_identity(identity),
                    );
                }
            }
        };
    }
    all!(resources, "resource", Use::Resource);
    all!(data_sources, "data source", Use::Other);
    all!(ephemeral, "ephemeral resource", Use::Other);
    all!(lists, "list resource", Use::Other);
    all!(actions, "action", Use::Other);
    for name in registry.lists.keys() {
        let identity = registry
            .resources
            .get(name)
            .and_then(|r| r.compiled().identity.as_ref());
        if identity.is_none() {
            found.push(format!(
                "list resource {name}: there is no managed resource of that name with an identity"
            ));
        }
    }
    for (name, function) in &registry.functions {
        let definition = function.definition();
        let mut names = BTreeSet::new();
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !name.bytes().all(letters) {
            found.push(format!(
                "function {name}: a name is made of lower-case letters, digits and _"
            ));
        }
        if definition.summary.trim().is_empty() || definition.description.trim().is_empty() {
            found.push(format!("function {name}: it has no summary or description"));
        }
        for parameter in definition.parameters.iter().chain(&definition.variadic) {
            if !names.insert(parameter.name) {
                found.push(format!(
                    "function {name}: parameter {:?} occurs twice",
                    parameter.name
                ));
            }
            if parameter.description.trim().is_empty() {
                found.push(format!(
                    "function {name}: parameter {:?} has no description",
                    parameter.name
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::{Attribute, Path, Schema, Type, Use, check_schema};

    fn broken(schema: &Schema, purpose: Use) -> Vec<(String, &'static str)> {
        check_schema(schema, purpose)
            .into_iter()
            .map(|problem| (problem.path.to_string(), problem.rule))
            .collect()
    }

    fn rules(name: &'static str, attribute: Attribute) -> Vec<&'static str> {
        let schema = Schema::new("s").attribute(name, attribute);
        broken(&schema, Use::Resource)
            .into_iter()
            .map(|(_, rule)| rule)
            .collect()
    }

    #[test]
    fn each_rule_is_found() {
        let text = || Attribute::string("A text.");
        assert_eq!(rules("a", text().required()), Vec::<&str>::new());
        assert_eq!(
            rules("a", text()).len(),
            1,
            "neither required, optional nor computed"
        );
        assert_eq!(rules("a", text().required().optional()).len(), 1);
        assert_eq!(rules("a", Attribute::string(" ").optional()).len(), 1);
        assert_eq!(rules("count", text().optional()).len(), 1);
        assert_eq!(rules("Name", text().optional()).len(), 1);
        assert_eq!(rules("a", text().optional().deprecated("")).len(), 1);
        assert_eq!(rules("a", text().computed().write_only()).len(), 1);
        assert_eq!(
            rules("a", text().default(5)).len(),
            1,
            "a number for a text"
        );
        assert_eq!(
            rules("a", Attribute::set(Type::Dynamic, "Any.").optional()).len(),
            1
        );
        let in_set = [("w", text().optional().write_only())];
        assert_eq!(
            rules("a", Attribute::set_of(in_set, "Set.").optional()).len(),
            1
        );
        let any = [("v", Attribute::any("Anything.").optional())];
        let blocks = Schema::new("s").block("b", crate::Block::list(any, "Blocks."));
        assert_eq!(broken(&blocks, Use::Resource).len(), 1);
        let plain = [("p", text().optional())];
        assert_eq!(
            rules(
                "a",
                Attribute::single(plain, "One.").optional().write_only()
            )
            .len(),
            1
        );
        let twice =
            Schema::new("s").attributes([("a", text().optional()), ("a", text().optional())]);
        assert_eq!(broken(&twice, Use::Resource).len(), 1);
        let deep = Attribute::list_of([("x", text())], "List.").optional();
        let schema = Schema::new("s").attribute("list", deep);
        assert_eq!(
            broken(&schema, Use::Resource)[0].0,
            Path::of("list.x").to_string()
        );
        let provider = Schema::new("s").attribute("alias", text().computed());
        assert_eq!(broken(&provider, Use::Provider).len(), 2);
    }
}
