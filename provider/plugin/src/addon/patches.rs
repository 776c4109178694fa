//! `post_render` as configured.

use framework::Dynamic;
use lifecycle::addon::{PatchRule, PatchTarget};
use product::{Checked, Path, Problem};
use serde_json::Value as Json;

use super::values::{inner, json};

fn wrong(place: Path, seen: impl std::fmt::Display) -> Problem {
    Problem::error(place, "not a patch")
            .seen(seen)
            .allowed(
                "an object { target = { kind, name, ... }, patch = ... }, where the patch is an object (strategic merge), \
                 a list of operations (JSON patch), or YAML of one of them",
            )
            .next("Correct the patch.")
}

/// Reads patches; `None` while something in them is not known.
///
/// # Errors
///
/// What is no patch, at its place.
pub fn patches(value: &Dynamic) -> Checked<Option<Vec<PatchRule>>> {
    let place = Path::of("post_render");
    let value = inner(value);
    if value.is_null() {
        return Ok(Some(Vec::new()));
    }
    if value.is_unknown() {
        return Ok(None);
    }
    let Some(elements) = value.as_elements() else {
        return Err(wrong(place, format!("a {}", value.kind())).into());
    };
    let mut rules = Vec::new();
    for (index, element) in (0..).zip(elements) {
        match one(element, place.clone().index(index))? {
            Some(rule) => rules.push(rule),
            None => return Ok(None),
        }
    }
    Ok(Some(rules))
}

fn one(element: &Dynamic, place: Path) -> Checked<Option<PatchRule>> {
    if !element.is_wholly_known() {
        return Ok(None);
    }
    let Some(members) = inner(element).as_members() else {
        return Err(wrong(place, format!("a {}", inner(element).kind())).into());
    };
    if let Some(other) = members
        .keys()
        .find(|name| !["target", "patch"].contains(&name.as_str()))
    {
        return Err(wrong(place, format!("a member {other:?}")).into());
    }
    let member = |name: &str| {
        members
            .get(name)
            .map(inner)
            .filter(|value| !value.is_null())
    };
    let target = match member("target").map(json) {
        None => PatchTarget::default(),
        Some(target) => serde_json::from_value(target.unwrap_or_default())
            .map_err(|error| Box::new(wrong(place.clone().attribute("target"), error)))?,
    };
    let here = place.clone().attribute("patch");
    let patch = match member("patch") {
        None => return Err(wrong(place, "no patch").into()),
        Some(Dynamic::String(text)) => helm::yaml::decode_one(text.as_bytes())
            .map_err(|error| Box::new(wrong(here.clone(), format!("no YAML: {error}"))))?,
        Some(other) => json(other).unwrap_or(Json::Null),
    };
    let rule = PatchRule { target, patch };
    match rule.patch() {
        Ok(_) => Ok(Some(rule)),
        Err(why) => Err(wrong(here, why).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(members: impl IntoIterator<Item = (&'static str, Dynamic)>) -> Dynamic {
        Dynamic::object(members)
    }

    #[test]
    fn objects_lists_and_yaml_are_patches() {
        let target = || object([("kind", Dynamic::string("Deployment"))]);
        let all = Dynamic::Tuple(vec![
            object([
                ("target", target()),
                (
                    "patch",
                    object([("spec", object([("replicas", Dynamic::Null)]))]),
                ),
            ]),
            object([
                ("target", target()),
                (
                    "patch",
                    Dynamic::string("- {op: remove, path: /spec/replicas}"),
                ),
            ]),
            object([(
                "patch",
                Dynamic::string("kind: Service\nmetadata: {name: web}\n"),
            )]),
        ]);
        let rules = patches(&all).expect("patches").expect("known");
        assert_eq!(rules.len(), 3);
        assert!(rules[1].patch.is_array());
        assert_eq!(rules[0].target.kind.as_deref(), Some("Deployment"));
        assert_eq!(patches(&Dynamic::Null), Ok(Some(Vec::new())));
        let open = Dynamic::Tuple(vec![object([("patch", Dynamic::UNKNOWN)])]);
        assert_eq!(patches(&open), Ok(None));
    }

    #[test]
    fn what_is_no_patch_is_told_at_its_place() {
        for (element, place) in [
            (Dynamic::string("x"), "post_render[0]"),
            (object([("target", Dynamic::Null)]), "post_render[0]"),
            (object([("patches", Dynamic::Null)]), "post_render[0]"),
            (
                object([("patch", Dynamic::string("a: 1"))]),
                "post_render[0].patch",
            ),
            (
                object([
                    ("target", object([("kinds", Dynamic::string("X"))])),
                    ("patch", Dynamic::string("a: 1")),
                ]),
                "post_render[0].target",
            ),
        ] {
            let problem = patches(&Dynamic::Tuple(vec![element])).expect_err("no patch");
            assert_eq!(problem.path.to_string(), place);
        }
    }
}
