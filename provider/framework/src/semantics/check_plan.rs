//! Core's rules for a planned value (`AssertPlanValid`), checked before core refuses the plan
//! without saying where.

use std::collections::BTreeMap;

use super::show;
use super::walk::{NULL, member};
use crate::schema::{Attribute, Attributes, Nesting};
use crate::{Diagnostics, Dynamic, Path, Schema, Step};

/// All rules that a plan of a create or update breaks. `code` names what to blame, such as
/// `modify_plan of acme_machine`.
pub(crate) fn check_plan(
    schema: &Schema,
    prior: &Dynamic,
    config: &Dynamic,
    planned: &Dynamic,
    code: &str,
) -> Diagnostics {
    let mut check = Check {
        schema,
        code,
        diagnostics: Diagnostics::new(),
    };
    if planned.is_null() != config.is_null() {
        check.broken(
            &Path::root(),
            "the planned object is null exactly if the configuration is",
            planned,
            config,
        );
    } else {
        check.members(
            &schema.attributes,
            prior,
            config,
            planned,
            &mut Path::root(),
        );
    }
    check.diagnostics
}

struct Check<'a> {
    schema: &'a Schema,
    code: &'a str,
    diagnostics: Diagnostics,
}

impl Check<'_> {
    fn broken(&mut self, path: &Path, rule: &str, planned: &Dynamic, config: &Dynamic) {
        let name = if path.is_root() {
            "the object".to_owned()
        } else {
            path.to_string()
        };
        self.diagnostics.error_at(
            path.clone(),
            "invalid plan made by the provider",
            format!(
                "For {name}, {} planned {} where the configuration has {}: {rule}. \
                 This is a mistake in the provider; please report it.",
                self.code,
                show(planned, path, self.schema),
                show(config, path, self.schema),
            ),
        );
    }

    fn members(
        &mut self,
        attributes: &Attributes,
        prior: &Dynamic,
        config: &Dynamic,
        planned: &Dynamic,
        path: &mut Path,
    ) {
        for (name, attribute) in attributes.iter() {
            let (prior, config) = (member(prior, name), member(config, name));
            path.push(Step::Attribute(name.into()));
            self.attribute(attribute, prior, config, member(planned, name), path);
            path.pop();
        }
    }

    fn attribute(
        &mut self,
        attribute: &Attribute,
        prior: &Dynamic,
        config: &Dynamic,
        planned: &Dynamic,
        path: &mut Path,
    ) {
        if attribute.write_only {
            if !planned.is_null() {
                self.broken(
                    path,
                    "a write-only attribute is null in a plan",
                    planned,
                    config,
                );
            }
            return;
        }
        let unchanged = planned.same(prior) && !prior.is_null() && !config.is_null();
        let provider_decides = attribute.computed && (!attribute.optional || config.is_null());
        if planned.same(config) || unchanged || provider_decides {
            return;
        }
        match attribute.nested() {
            Some((nesting, nested)) => self.nested(nesting, nested, prior, config, planned, path),
            None if config.is_null() => self.broken(
                path,
                "an attribute that is not computed is planned as configured, also when it is not set",
                planned,
                config,
            ),
            None => self.broken(
                path,
                "a configured value is planned as configured, or as it was if both mean the same",
                planned,
                config,
            ),
        }
    }

    fn nested(
        &mut self,
        nesting: Nesting,
        nested: &Attributes,
        prior: &Dynamic,
        config: &Dynamic,
        planned: &Dynamic,
        path: &mut Path,
    ) {
        if config.is_null() != planned.is_null() || config.is_unknown() || planned.is_unknown() {
            self.broken(
                path,
                "a configured object is planned as an object with the configured members",
                planned,
                config,
            );
            return;
        }
        match nesting {
            Nesting::Single => self.members(nested, prior, config, planned, path),
            Nesting::List | Nesting::Set => {
                let (c, n) = (
                    config.as_elements().unwrap_or_default(),
                    planned.as_elements().unwrap_or_default(),
                );
                if c.len() != n.len() {
                    self.broken(
                        path,
                        "the number of elements is the configured one",
                        planned,
                        config,
                    );
                } else if nesting == Nesting::List {
                    for (index, (config, planned)) in c.iter().zip(n).enumerate() {
                        let prior = prior
                            .as_elements()
                            .and_then(|p| p.get(index))
                            .unwrap_or(&NULL);
                        path.push(Step::Index(index as u64));
                        self.element(nested, prior, config, planned, path);
                        path.pop();
                    }
                }
            }
            Nesting::Map => {
                let empty = BTreeMap::new();
                let (c, n) = (
                    config.as_members().unwrap_or(&empty),
                    planned.as_members().unwrap_or(&empty),
                );
                if !c.keys().eq(n.keys()) {
                    self.broken(path, "the keys are the configured ones", planned, config);
                    return;
                }
                for (key, planned) in n {
                    path.push(Step::Key(key.clone()));
                    let prior = prior.member(key).unwrap_or(&NULL);
                    self.element(nested, prior, &c[key], planned, path);
                    path.pop();
                }
            }
        }
    }

    fn element(
        &mut self,
        nested: &Attributes,
        prior: &Dynamic,
        config: &Dynamic,
        planned: &Dynamic,
        path: &mut Path,
    ) {
        if planned.same(config) {
            return;
        }
        if planned.as_members().is_none() || config.as_members().is_none() {
            self.broken(
                path,
                "a configured element is planned as it is",
                planned,
                config,
            );
            return;
        }
        self.members(nested, prior, config, planned, path);
    }
}
