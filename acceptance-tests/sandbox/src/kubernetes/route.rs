//! Paths and queries of requests.

use std::collections::BTreeMap;

/// A path below `/api/v1` or `/apis/<group>/<version>`, or any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// A resource: its objects, one of them, or a subresource of one.
    Resource {
        group: String,
        version: String,
        plural: String,
        namespace: String,
        name: Option<String>,
        subresource: String,
    },
    /// `/api/v1` or `/apis/<group>/<version>`.
    Version { group: String, version: String },
    /// `/apis/<group>`.
    Group(String),
    /// Everything else: `/api`, `/apis`, `/version`, `/healthz`.
    Other(Vec<String>),
}

/// Undoes percent encoding.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escaped = (bytes[index] == b'%')
            .then(|| text.get(index + 1..index + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[index], escaped) {
            (_, Some(byte)) => {
                out.push(byte);
                index += 2;
            }
            (b'+', None) => out.push(b' '),
            (byte, None) => out.push(byte),
        }
        index += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The members of a query; of repeated ones the last.
pub(super) fn query(text: Option<&str>) -> BTreeMap<String, String> {
    text.unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// Reads a path.
pub(super) fn parse(path: &str) -> Route {
    // A plus sign is itself in a path.
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| decode(&part.replace('+', "%2B")))
        .collect();
    let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (group, version, rest) = match texts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group] => return Route::Group((*group).to_owned()),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Route::Other(parts),
    };
    let resource =
        |plural: &str, namespace: &str, name: Option<&str>, subresource: &[&str]| Route::Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            namespace: namespace.to_owned(),
            name: name.map(str::to_owned),
            subresource: subresource.join("/"),
        };
    match rest {
        [] => Route::Version {
            group: group.to_owned(),
            version: version.to_owned(),
        },
        ["namespaces", name, sub @ ("status" | "finalize")] if group.is_empty() => {
            resource("namespaces", "", Some(name), &[sub])
        }
        ["namespaces", namespace, plural] => resource(plural, namespace, None, &[]),
        ["namespaces", namespace, plural, name, sub @ ..] => {
            resource(plural, namespace, Some(name), sub)
        }
        [plural] => resource(plural, "", None, &[]),
        [plural, name, sub @ ..] => resource(plural, "", Some(name), sub),
    }
}

#[cfg(test)]
mod tests {
    use super::{Route, decode, parse, query};

    #[test]
    fn paths_are_read() {
        let seen = |path: &str| match parse(path) {
            Route::Resource {
                group,
                plural,
                namespace,
                name,
                subresource,
                ..
            } => format!(
                "{group}|{plural}|{namespace}|{}|{subresource}",
                name.unwrap_or_default()
            ),
            other => format!("{other:?}"),
        };
        assert_eq!(
            seen("/api/v1/namespaces/a/pods/b/eviction"),
            "|pods|a|b|eviction"
        );
        assert_eq!(seen("/api/v1/namespaces/a"), "|namespaces||a|");
        assert_eq!(
            seen("/api/v1/namespaces/a/finalize"),
            "|namespaces||a|finalize"
        );
        assert_eq!(seen("/apis/apps/v1/deployments"), "apps|deployments|||");
        assert_eq!(
            seen("/apis/apps/v1/namespaces/x/deployments/y"),
            "apps|deployments|x|y|"
        );
        assert_eq!(
            seen("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"),
            "rbac.authorization.k8s.io|clusterroles||system:node|"
        );
        assert_eq!(parse("/apis/apps"), Route::Group("apps".to_owned()));
    }

    #[test]
    fn queries_are_decoded() {
        assert_eq!(decode("a%3Db+c%"), "a=b c%");
        let query = query(Some("labelSelector=a%20in%20(b)&watch&limit=5"));
        assert_eq!(query["labelSelector"], "a in (b)");
        assert_eq!(query["watch"], "");
    }
}
