//! Attributes of a plan, and what becomes of the parts that it leaves open.

use std::collections::BTreeMap;

use framework::Dynamic;

use super::Effects;

/// The attribute `objects` of a plan.
pub fn planned_objects(effects: &Effects) -> Dynamic {
    match &effects.objects {
        None => Dynamic::UNKNOWN,
        Some(objects) => Dynamic::map(objects.iter().map(|(key, (digest, certain))| {
            let digest = if *certain {
                Dynamic::string(digest.clone())
            } else {
                Dynamic::UNKNOWN
            };
            (key.clone(), digest)
        })),
    }
}

/// The attribute `changes` of a plan.
pub fn planned_changes(effects: &Effects) -> Dynamic {
    match &effects.changes {
        None => Dynamic::UNKNOWN,
        Some(changes) => Dynamic::map(changes.iter().map(|(key, text)| {
            let text = text.clone().map_or(Dynamic::UNKNOWN, Dynamic::string);
            (key.clone(), text)
        })),
    }
}

/// What became of a planned map: what the plan left open is filled in, the rest stays as it was shown.
pub fn settled(planned: &Dynamic, found: Option<BTreeMap<String, String>>) -> Dynamic {
    const NOT_SHOWN: &str = "not known before the apply";
    if planned.is_unknown() {
        let found = found.unwrap_or_default();
        return Dynamic::map(
            found
                .into_iter()
                .map(|(key, text)| (key, Dynamic::string(text))),
        );
    }
    let Some(members) = planned.as_members() else {
        return planned.clone();
    };
    let found = found.unwrap_or_default();
    Dynamic::map(members.iter().map(|(key, text)| {
        let text = if text.is_unknown() {
            let known = found.get(key).map_or(NOT_SHOWN, String::as_str);
            Dynamic::string(known)
        } else {
            text.clone()
        };
        (key.clone(), text)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_entries_are_filled_in_and_others_stay() {
        let planned = Dynamic::map([("a", Dynamic::string("x")), ("b", Dynamic::UNKNOWN)]);
        let found = BTreeMap::from([
            ("a".to_owned(), "y".to_owned()),
            ("b".to_owned(), "z".to_owned()),
        ]);
        assert_eq!(
            settled(&planned, Some(found.clone())),
            Dynamic::map([("a", Dynamic::string("x")), ("b", Dynamic::string("z"))])
        );
        assert_eq!(
            settled(&planned, None).member("a"),
            Some(&Dynamic::string("x"))
        );
        assert_eq!(
            settled(&Dynamic::UNKNOWN, Some(found)).member("a"),
            Some(&Dynamic::string("y"))
        );
    }
}
