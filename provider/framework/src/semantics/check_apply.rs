//! Core's rules for a result (`AssertObjectCompatible`): it must be what was planned.

use super::check_set::correspond;
use super::show;
use crate::{Diagnostics, Dynamic, Path, Refinement, Schema, Step};

/// All places where a result is not what was planned. `code` names what to blame, such as
/// `create of acme_machine`.
pub(crate) fn check_apply(
    schema: &Schema,
    planned: &Dynamic,
    actual: &Dynamic,
    code: &str,
) -> Diagnostics {
    let mut check = Check {
        schema,
        code,
        diagnostics: Diagnostics::new(),
    };
    check.value(planned, actual, &mut Path::root());
    check.diagnostics
}

/// Whether a result could be what was planned.
fn compatible(planned: &Dynamic, actual: &Dynamic, schema: &Schema) -> bool {
    let mut check = Check {
        schema,
        code: "",
        diagnostics: Diagnostics::new(),
    };
    check.value(planned, actual, &mut Path::root());
    check.diagnostics.is_empty()
}

/// As [`compatible`], where no message is made.
#[cfg(test)]
pub(super) fn compatible_for_tests(planned: &Dynamic, actual: &Dynamic) -> bool {
    compatible(planned, actual, &Schema::new(""))
}

struct Check<'a> {
    schema: &'a Schema,
    code: &'a str,
    diagnostics: Diagnostics,
}

impl Check<'_> {
    fn broken(&mut self, path: &Path, what: &str, planned: &Dynamic, actual: &Dynamic) {
        let name = if path.is_root() {
            "the object".to_owned()
        } else {
            path.to_string()
        };
        self.diagnostics.error_at(
            path.clone(),
            "result differs from the plan",
            format!(
                "For {name}, {} answered {} where {} was planned: {what}. \
                 This is a mistake in the provider; please report it.",
                self.code,
                show(actual, path, self.schema),
                show(planned, path, self.schema),
            ),
        );
    }

    fn value(&mut self, planned: &Dynamic, actual: &Dynamic, path: &mut Path) {
        match (planned, actual) {
            (Dynamic::Unknown(refinement), actual) => {
                if let Some(broken) = refinement.as_deref().and_then(|r| outside(r, actual)) {
                    self.broken(path, broken, planned, actual);
                }
            }
            (Dynamic::Typed(p), Dynamic::Typed(a)) => {
                if p.0 == a.0 || p.0.has_dynamic() {
                    self.value(&p.1, &a.1, path);
                } else {
                    self.broken(path, "the type differs", planned, actual);
                }
            }
            (Dynamic::Typed(planned), actual) => self.value(&planned.1, actual, path),
            (Dynamic::Null, Dynamic::Null) => {}
            (Dynamic::Null, _) => self.broken(path, "it was planned to be null", planned, actual),
            (_, Dynamic::Null) => self.broken(path, "it must not be null", planned, actual),
            (Dynamic::Object(p), Dynamic::Object(a)) => {
                for (name, planned) in p {
                    path.push(Step::Attribute(name.clone().into()));
                    self.value(planned, a.get(name).unwrap_or(&Dynamic::Null), path);
                    path.pop();
                }
            }
            (Dynamic::Map(p), Dynamic::Map(a)) => {
                if !p.keys().eq(a.keys()) {
                    self.broken(path, "the keys differ", planned, actual);
                    return;
                }
                for (key, planned) in p {
                    path.push(Step::Key(key.clone()));
                    self.value(planned, &a[key], path);
                    path.pop();
                }
            }
            (Dynamic::List(p) | Dynamic::Tuple(p), Dynamic::List(a) | Dynamic::Tuple(a)) => {
                if p.len() != a.len() {
                    self.broken(path, "the number of elements differs", planned, actual);
                    return;
                }
                for (index, (planned, actual)) in p.iter().zip(a).enumerate() {
                    path.push(Step::Index(index as u64));
                    self.value(planned, actual, path);
                    path.pop();
                }
            }
            (Dynamic::Set(p), Dynamic::Set(a)) => {
                let schema = self.schema;
                if a.len() > p.len() || !correspond(p, a, |p, a| compatible(p, a, schema)) {
                    self.broken(path, "the elements differ", planned, actual);
                }
            }
            (planned, actual) if planned.same(actual) => {}
            _ => self.broken(path, "the value differs", planned, actual),
        }
    }
}

/// What of a promise a value breaks.
fn outside(refinement: &Refinement, actual: &Dynamic) -> Option<&'static str> {
    let Refinement {
        not_null,
        prefix,
        lower,
        upper,
        min_length,
        max_length,
    } = refinement;
    if actual.is_null() {
        return not_null.then_some("it was promised not to be null");
    }
    if let (Some(prefix), Some(text)) = (prefix, actual.as_str())
        && !text.starts_with(prefix)
    {
        return Some("it was promised to begin otherwise");
    }
    if let Some(number) = actual.as_number() {
        let low = lower
            .as_ref()
            .is_some_and(|(bound, equal)| number < bound || number == bound && !equal);
        let high = upper
            .as_ref()
            .is_some_and(|(bound, equal)| number > bound || number == bound && !equal);
        if low || high {
            return Some("it was promised to lie within other bounds");
        }
    }
    let length = actual
        .as_elements()
        .map(<[_]>::len)
        .or_else(|| actual.as_members().map(std::collections::BTreeMap::len))?;
    let length = length as u64;
    let wrong =
        min_length.is_some_and(|min| length < min) || max_length.is_some_and(|max| length > max);
    wrong.then_some("it was promised to have another number of elements")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attribute, Type};

    fn found(planned: Dynamic, actual: Dynamic) -> Vec<String> {
        let schema = Schema::new("s").attribute("any", Attribute::any("Anything.").optional());
        let object = |value| Dynamic::object([("any", value)]);
        let found = check_apply(&schema, &object(planned), &object(actual), "create of a_b");
        found.iter().map(|one| one.detail.clone()).collect()
    }

    /// A tuple and a list of the same elements are two values to core.
    #[test]
    fn values_of_any_type_keep_the_type_that_was_planned() {
        let elements = || vec![Dynamic::from("a"), Dynamic::from("b")];
        let tuple = Dynamic::Typed(Box::new((
            Type::Tuple(vec![Type::String, Type::String]),
            Dynamic::Tuple(elements()),
        )));
        let list = Dynamic::Typed(Box::new((
            Type::list(Type::String),
            Dynamic::List(elements()),
        )));
        assert_eq!(found(tuple.clone(), tuple.clone()), Vec::<String>::new());
        assert_eq!(found(Dynamic::UNKNOWN, list.clone()), Vec::<String>::new());
        let differs = found(tuple, list);
        assert!(differs[0].contains("the type differs"), "{differs:?}");
    }
}
