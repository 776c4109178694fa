//! Label and field selectors.

use serde_json::Value;

use super::status::Status;
use super::value::{array, text};

/// A label selector as given in a query: a conjunction of requirements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Labels(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Requirement {
    /// Whether its values can be values of labels.
    fn sound(&self) -> bool {
        let fits = |value: &String| {
            value.len() <= 63
                && value
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match self {
            Self::In(_, values) | Self::NotIn(_, values) => values.iter().all(fits),
            Self::Exists(_) | Self::Absent(_) => true,
        }
    }
}

impl Labels {
    /// Parses the text of `labelSelector`: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    pub fn parse(query: &str) -> Result<Self, Status> {
        let mut requirements = Vec::new();
        for part in split(query) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let parsed = requirement(part).filter(Requirement::sound);
            requirements.push(parsed.ok_or_else(|| {
                Status::bad_request(format!("unable to parse requirement: {part}"))
            })?);
        }
        Ok(Self(requirements))
    }

    /// The selector of an object's `spec.selector`: `matchLabels` and `matchExpressions`.
    pub fn of(selector: &Value) -> Self {
        let mut requirements = Vec::new();
        if let Some(map) = selector["matchLabels"].as_object() {
            for (key, value) in map {
                requirements.push(Requirement::In(key.clone(), vec![text(value).to_owned()]));
            }
        }
        for expression in array(&selector["matchExpressions"]) {
            let key = text(&expression["key"]).to_owned();
            let values = array(&expression["values"])
                .iter()
                .map(|value| text(value).to_owned())
                .collect();
            requirements.push(match text(&expression["operator"]) {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "DoesNotExist" => Requirement::Absent(key),
                _ => Requirement::Exists(key),
            });
        }
        Self(requirements)
    }

    /// A plain map of labels: `spec.selector` of a Service, `nodeSelector` of a pod.
    pub fn of_map(map: &Value) -> Self {
        Self::of(&serde_json::json!({ "matchLabels": map }))
    }

    /// True when nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when an object with these labels is selected.
    pub fn matches(&self, labels: &Value) -> bool {
        let has = |key: &String| labels.get(key).and_then(Value::as_str);
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                has(key).is_some_and(|seen| values.iter().any(|value| value == seen))
            }
            Requirement::NotIn(key, values) => {
                has(key).is_none_or(|seen| values.iter().all(|value| value != seen))
            }
            Requirement::Exists(key) => has(key).is_some(),
            Requirement::Absent(key) => has(key).is_none(),
        })
    }
}

/// Splits at commas outside of parentheses.
fn split(query: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (index, byte) in query.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&query[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&query[start..]);
    parts
}

fn requirement(part: &str) -> Option<Requirement> {
    let own = |text: &str| text.trim().to_owned();
    if let Some(key) = part.strip_prefix('!') {
        return Some(Requirement::Absent(own(key)));
    }
    if let Some(list) = part.strip_suffix(')') {
        let (head, list) = list.split_once('(')?;
        let values = list.split(',').map(own).collect();
        let mut words = head.split_whitespace();
        let key = words.next()?.to_owned();
        return match words.next()? {
            "in" => Some(Requirement::In(key, values)),
            "notin" => Some(Requirement::NotIn(key, values)),
            _ => None,
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Some(Requirement::NotIn(own(key), vec![own(value)]));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(Requirement::In(own(key), vec![own(value)]));
    }
    (!part.contains(char::is_whitespace)).then(|| Requirement::Exists(part.to_owned()))
}

/// A field selector: a conjunction of equalities on dotted paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, bool, String)>);

impl Fields {
    /// Parses the text of `fieldSelector`: `metadata.name=a,status.phase!=Running`.
    pub fn parse(query: &str) -> Result<Self, Status> {
        let mut terms = Vec::new();
        for part in query.split(',').filter(|part| !part.is_empty()) {
            let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) =
                part.split_once("==").or_else(|| part.split_once('='))
            {
                (path, true, value)
            } else {
                return Err(Status::bad_request(format!(
                    "invalid field selector: \"{part}\""
                )));
            };
            terms.push((path.to_owned(), equal, value.to_owned()));
        }
        Ok(Self(terms))
    }

    /// Refuses fields that the kind cannot be selected by.
    pub fn check(&self, kind: &str) -> Result<(), Status> {
        let own: &[&str] = match kind {
            "Pod" => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.podIPs",
                "status.nominatedNodeName",
            ],
            "Node" => &["spec.unschedulable"],
            "Namespace" => &["status.phase"],
            "Secret" => &["type"],
            "Job" => &["status.successful"],
            "ReplicaSet" => &["status.replicas"],
            "CertificateSigningRequest" => &["spec.signerName"],
            "Event" => &["reason", "reportingComponent", "source", "type"],
            _ => &[],
        };
        let fits = |path: &str| {
            matches!(path, "metadata.name" | "metadata.namespace")
                || own.contains(&path)
                || kind == "Event" && path.starts_with("involvedObject.")
        };
        match self.0.iter().find(|(path, _, _)| !fits(path)) {
            Some((path, _, _)) => Err(Status::bad_request(format!(
                "field label not supported: {path}"
            ))),
            None => Ok(()),
        }
    }

    /// True when the object is selected. A missing field is an empty one.
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(path, equal, wanted)| {
            let found = path.split('.').fold(object, |value, key| &value[key]);
            let found = match found {
                Value::String(text) => text.clone(),
                Value::Null if path == "spec.unschedulable" => "false".to_owned(),
                Value::Null => String::new(),
                other => other.to_string(),
            };
            (found == *wanted) == *equal
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Fields, Labels};

    #[test]
    fn labels_select_as_the_grammar_says() {
        let labels = json!({ "app": "web", "tier": "front" });
        for (query, wanted) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (api, web)", true),
            ("app in (api),tier", false),
            ("app notin (web)", false),
            ("zone notin (a)", true),
            ("!zone", true),
            ("!app", false),
            ("zone", false),
        ] {
            let selector = Labels::parse(query).expect("the query is well formed");
            assert_eq!(selector.matches(&labels), wanted, "{query}");
        }
        assert!(Labels::parse("app is web").is_err());
    }

    #[test]
    fn a_missing_field_is_empty() {
        let pod = json!({ "metadata": { "name": "a" }, "spec": {} });
        for (query, wanted) in [
            ("metadata.name=a", true),
            ("spec.nodeName=", true),
            ("spec.nodeName!=n1", true),
            ("spec.unschedulable=false", true),
            ("metadata.name!=a", false),
        ] {
            let selector = Fields::parse(query).expect("the query is well formed");
            assert_eq!(selector.matches(&pod), wanted, "{query}");
        }
    }
}
