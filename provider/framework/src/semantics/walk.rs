//! Walking through an object, guided by its schema.

use std::borrow::Cow;

use super::walk_set::{Configured, Stored, without_computed};
use crate::schema::{Attribute, Attributes, Nesting};
use crate::{Dynamic, Path, Step};

pub(crate) static NULL: Dynamic = Dynamic::Null;

/// One attribute met on the way, with what configuration and state hold at the same place.
pub(crate) struct Site<'a> {
    pub attribute: &'a Attribute,
    pub path: &'a Path,
    pub config: &'a Dynamic,
    pub prior: &'a Dynamic,
    pub in_prior: bool,
}

/// Sees each attribute before its members; false keeps it from going into them.
pub(crate) type Visitor<'v> = dyn FnMut(&Site<'_>, &mut Dynamic) -> bool + 'v;

pub(crate) fn member<'a>(object: &'a Dynamic, name: &str) -> &'a Dynamic {
    object.member(name).unwrap_or(&NULL)
}

fn element_at(list: &Dynamic, index: usize) -> &Dynamic {
    list.as_elements()
        .and_then(|elements| elements.get(index))
        .unwrap_or(&NULL)
}

/// Visits all attributes of an object to change them. Elements of lists are matched by index with
/// those of configuration and state, elements of maps by key.
pub(crate) fn visit_mut(
    attributes: &Attributes,
    object: &mut Dynamic,
    config: &Dynamic,
    prior: &Dynamic,
    path: &mut Path,
    visitor: &mut Visitor<'_>,
) {
    let Some(members) = object.as_members_mut() else {
        return;
    };
    for (name, attribute) in attributes.iter() {
        let Some(value) = members.get_mut(name) else {
            continue;
        };
        path.push(Step::Attribute(name.into()));
        let here = (member(config, name), member(prior, name));
        let site = Site {
            attribute,
            path,
            config: here.0,
            prior: here.1,
            in_prior: prior.as_members().is_some(),
        };
        if visitor(&site, value)
            && let Some((nesting, nested)) = attribute.nested()
        {
            visit_nested(nesting, nested, value, here.0, here.1, path, visitor);
        }
        path.pop();
    }
}

fn visit_nested(
    nesting: Nesting,
    nested: &Attributes,
    value: &mut Dynamic,
    config: &Dynamic,
    prior: &Dynamic,
    path: &mut Path,
    visitor: &mut Visitor<'_>,
) {
    match (nesting, value) {
        (Nesting::Single, value) => visit_mut(nested, value, config, prior, path, visitor),
        (Nesting::List, Dynamic::List(elements) | Dynamic::Tuple(elements)) => {
            for (index, element) in elements.iter_mut().enumerate() {
                let (config, prior) = (element_at(config, index), element_at(prior, index));
                path.push(Step::Index(index as u64));
                visit_mut(nested, element, config, prior, path, visitor);
                path.pop();
            }
        }
        (Nesting::Map, Dynamic::Map(elements) | Dynamic::Object(elements)) => {
            for (key, element) in elements {
                let (config, prior) = (member(config, key), member(prior, key));
                path.push(Step::Key(key.clone()));
                visit_mut(nested, element, config, prior, path, visitor);
                path.pop();
            }
        }
        (Nesting::Set, Dynamic::Set(elements)) => {
            let old = std::mem::take(elements);
            let mut configs = Configured::new(nested, config);
            let mut priors = Stored::new(nested, prior);
            let visited = old.into_iter().map(|mut element| {
                // Elements have no key: the configured one that could have become this one is its configuration, and
                // the stored one that the same configuration could have become is its past.
                let config = match configs.take(&element) {
                    Some(config) => Cow::Borrowed(config),
                    None => Cow::Owned(without_computed(nested, &element)),
                };
                let prior = priors.take(&config);
                path.push(Step::Element);
                visit_mut(
                    nested,
                    &mut element,
                    &config,
                    prior.unwrap_or(&NULL),
                    path,
                    visitor,
                );
                path.pop();
                element
            });
            if let Dynamic::Set(new) = Dynamic::set(visited.collect::<Vec<_>>()) {
                *elements = new;
            }
        }
        _ => {}
    }
}

/// Visits all attributes of an object, each before its members.
pub(crate) fn visit(
    attributes: &Attributes,
    object: &Dynamic,
    path: &mut Path,
    visitor: &mut dyn FnMut(&Attribute, &Path, &Dynamic),
) {
    for (name, attribute) in attributes.iter() {
        let Some(value) = object.member(name) else {
            continue;
        };
        path.push(Step::Attribute(name.into()));
        visitor(attribute, path, value);
        if let Some((nesting, nested)) = attribute.nested() {
            elements(nesting, value, path, &mut |element, path| {
                visit(nested, element, path, visitor);
            });
        }
        path.pop();
    }
}

fn elements(
    nesting: Nesting,
    value: &Dynamic,
    path: &mut Path,
    each: &mut dyn FnMut(&Dynamic, &mut Path),
) {
    match nesting {
        Nesting::Single => each(value, path),
        Nesting::List | Nesting::Set => {
            for (index, element) in value.as_elements().into_iter().flatten().enumerate() {
                path.push(if nesting == Nesting::Set {
                    Step::Element
                } else {
                    Step::Index(index as u64)
                });
                each(element, path);
                path.pop();
            }
        }
        Nesting::Map => {
            for (key, element) in value.as_members().into_iter().flatten() {
                path.push(Step::Key(key.clone()));
                each(element, path);
                path.pop();
            }
        }
    }
}
