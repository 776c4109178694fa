//! What of a release's objects belongs to somebody else: it is no drift, and an upgrade leaves it as it is.

use serde_json::Value;

use super::fields::{FieldPath, partners};
use super::managed_fields::{Step, owners};
use crate::cluster::{FIELD_MANAGER, ObjectRef};

/// Fields of some objects that are somebody else's. Everything that is said of an object must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// The API group; the empty text is the core group.
    pub group: Option<String>,
    /// The kind.
    pub kind: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The fields. Empty: the object as a whole is not compared. It is written all the same: what nobody writes is no
    /// part of a release.
    pub fields: Vec<FieldPath>,
}

impl Ignored {
    fn names(&self, object: &ObjectRef) -> bool {
        let is = |wanted: &Option<String>, seen: &str| wanted.as_deref().is_none_or(|w| w == seen);
        is(&self.group, object.group())
            && is(&self.kind, &object.kind)
            && is(&self.name, &object.name)
            && is(
                &self.namespace,
                object.namespace.as_deref().unwrap_or_default(),
            )
    }
}

/// What belongs to somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Theirs {
    /// Fields, by where they are.
    pub ignored: Vec<Ignored>,
    /// Managers whose changes are wanted, besides the known controllers.
    pub managers: Vec<String>,
}

/// Field managers of Kubernetes' own controllers and of well-known autoscalers and injectors: what they own is theirs
/// by design.
const CONTROLLERS: &[&str] = &[
    "kube-controller-manager",
    "kube-scheduler",
    "cloud-controller-manager",
    "kubelet",
    "kube-apiserver",
    "keda-operator",
    "vpa-updater",
    "vpa-recommender",
    "vpa-admission-controller",
    "cluster-proportional-autoscaler",
    "cainjector",
    "cert-manager-cainjector",
];

impl Theirs {
    /// Whether an object as a whole is not looked at.
    pub fn object(&self, object: &ObjectRef) -> bool {
        self.ignored
            .iter()
            .any(|rule| rule.fields.is_empty() && rule.names(object))
    }

    /// Whether an upgrade leaves a leaf of a preview as it is in the cluster. `key` and `path` are as previews write
    /// them: `Deployment/shop/web`, `.spec.replicas`. The key has no API group, so a rule's is taken to hold.
    pub fn leaves(&self, key: &str, path: &str) -> bool {
        let parts: Vec<&str> = key.split('/').collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, namespace, name] => (*kind, *namespace, *name),
            [kind, name] => (*kind, "", *name),
            _ => return false,
        };
        let is = |wanted: &Option<String>, seen: &str| wanted.as_deref().is_none_or(|w| w == seen);
        let Some(path) = FieldPath::parse(path) else {
            return false;
        };
        self.ignored.iter().any(|rule| {
            is(&rule.kind, kind)
                && is(&rule.namespace, namespace)
                && is(&rule.name, name)
                && rule.fields.iter().any(|field| field.holds(&path))
        })
    }

    /// Whether a difference in a field is no drift.
    pub(super) fn field(&self, object: &ObjectRef, path: &[Step<'_>], manager: &str) -> bool {
        self.object(object) || self.placed(object, path) || self.managed(manager)
    }

    /// Whether a field is left alone for where it is.
    fn placed(&self, object: &ObjectRef, path: &[Step<'_>]) -> bool {
        self.ignored
            .iter()
            .any(|rule| rule.names(object) && rule.fields.iter().any(|field| field.covers(path)))
    }

    /// Whether a field is left alone for who owns it.
    fn managed(&self, manager: &str) -> bool {
        let program = manager.split('/').next().unwrap_or_default();
        CONTROLLERS.contains(&program) || self.managers.iter().any(|own| own == program)
    }

    /// `ours` without a word on what is left alone in `live`; `None` when there is nothing to leave. `before` is the
    /// object as the revision before had it.
    ///
    /// What a manager owns is left for as long as the release goes on to say the same of it: a value that is changed in
    /// the release is meant, and an autoscaler that is still there answers it.
    ///
    /// A field that another manager owns is taken out: with server-side apply it then stays as it is, and theirs
    /// alone. One that nobody else owns would go away with our word on it, so it gets its live value.
    pub(super) fn leave(
        &self,
        object: &ObjectRef,
        ours: &Value,
        before: Option<&Value>,
        live: &Value,
    ) -> Option<Value> {
        let mut left = ours.clone();
        let view = View {
            theirs: self,
            object,
            root: live,
            compares: before.is_some(),
        };
        view.leave(&mut left, before, live, &[]);
        (left != *ours).then_some(left)
    }
}

/// Who owns a field now, the newest owner besides ourselves: an earlier apply of ours explains no difference.
pub(super) fn owner(root: &Value, path: &[Step<'_>]) -> String {
    let mut managers = owners(root, path);
    managers.retain(|(manager, _)| manager != FIELD_MANAGER);
    match managers.pop() {
        Some((manager, subresource)) if !subresource.is_empty() => {
            format!("{manager}/{subresource}")
        }
        Some((manager, _)) => manager,
        None => String::new(),
    }
}

struct View<'v> {
    theirs: &'v Theirs,
    object: &'v ObjectRef,
    root: &'v Value,
    /// Whether it is known what the revision before said.
    compares: bool,
}

impl View<'_> {
    fn leave(&self, ours: &mut Value, before: Option<&Value>, live: &Value, path: &[Step<'_>]) {
        match (ours, live) {
            (Value::Object(ours), Value::Object(live)) => {
                ours.retain(|key, ours| {
                    let before = before.and_then(|before| before.get(key));
                    self.stays(key, ours, before, live.get(key), path)
                });
            }
            (Value::Array(ours), Value::Array(live)) => {
                let Some(places) = partners(ours, live) else {
                    return;
                };
                let before = before
                    .and_then(Value::as_array)
                    .map_or(&[][..], Vec::as_slice);
                let earlier = partners(ours, before).unwrap_or_else(|| vec![None; ours.len()]);
                for ((ours, place), earlier) in ours.iter_mut().zip(places).zip(earlier) {
                    if let Some(place) = place {
                        let here = [path, &[Step::Element(place, &live[place])]].concat();
                        let before = earlier.and_then(|earlier| before.get(earlier));
                        self.leave(ours, before, &live[place], &here);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether a member goes on being ours, after its inside was gone through.
    fn stays(
        &self,
        key: &str,
        ours: &mut Value,
        before: Option<&Value>,
        live: Option<&Value>,
        path: &[Step<'_>],
    ) -> bool {
        if path.is_empty() && matches!(key, "apiVersion" | "kind") {
            return true;
        }
        let here = [path, &[Step::Field(key)]].concat();
        let Some(live) = live else {
            // Somebody took it out.
            return !self.theirs.placed(self.object, &here);
        };
        if same(ours, live) {
            return true;
        }
        let inside = match (&*ours, live) {
            (Value::Object(_), Value::Object(_)) => true,
            (Value::Array(ours), Value::Array(live)) => {
                let nested = |list: &[Value]| list.iter().all(Value::is_object);
                nested(ours) && nested(live) && partners(ours, live).is_some()
            }
            _ => false,
        };
        if inside {
            self.leave(ours, before, live, &here);
            return true;
        }
        let owner = owner(self.root, &here);
        let repeated = !self.compares || before.is_some_and(|before| same(before, ours));
        let left =
            self.theirs.placed(self.object, &here) || (repeated && self.theirs.managed(&owner));
        if !left {
            return true;
        }
        if owner.is_empty() {
            *ours = live.clone();
        }
        owner.is_empty()
    }
}

/// Whether two values are the same to an API: 1 and 1.0 are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn web() -> ObjectRef {
        ObjectRef::namespaced("apps/v1", "Deployment", "shop", "web")
    }

    fn ignoring(fields: &[&str]) -> Theirs {
        Theirs {
            ignored: vec![Ignored {
                kind: Some("Deployment".into()),
                fields: fields
                    .iter()
                    .map(|text| FieldPath::parse(text).expect("a path"))
                    .collect(),
                ..Ignored::default()
            }],
            ..Theirs::default()
        }
    }

    #[test]
    fn everything_said_of_an_object_must_hold() {
        let rule = |change: fn(&mut Ignored)| {
            let mut rule = Ignored::default();
            change(&mut rule);
            rule.names(&web())
        };
        assert!(rule(|_| ()));
        assert!(rule(|r| r.group = Some("apps".into())));
        assert!(!rule(|r| r.group = Some(String::new())));
        assert!(rule(|r| r.name = Some("web".into())));
        assert!(!rule(|r| {
            r.name = Some("web".into());
            r.namespace = Some("other".into());
        }));
    }

    #[test]
    fn controllers_and_wanted_managers_own_what_they_own() {
        let theirs = Theirs {
            managers: vec!["mine".into()],
            ..ignoring(&[".spec.a"])
        };
        let spec = |name| [Step::Field("spec"), Step::Field(name)];
        for (field, manager, expected) in [
            ("replicas", "kube-controller-manager/scale", true),
            ("replicas", "kubectl/scale", false),
            ("replicas", "mine", true),
            ("a", "kubectl", true),
            ("ab", "kubectl", false),
        ] {
            let found = theirs.field(&web(), &spec(field), manager);
            assert_eq!(found, expected, "{field} {manager}");
        }
        assert!(!theirs.object(&web()));
        // An object as a whole is not compared, and written all the same.
        let whole = ignoring(&[]);
        assert!(whole.object(&web()) && whole.field(&web(), &spec("a"), "kubectl"));
        let (ours, live) = (json!({"spec": {"a": 1}}), json!({"spec": {"a": 2}}));
        assert_eq!(whole.leave(&web(), &ours, None, &live), None);
    }

    #[test]
    fn leaves_of_previews_are_known_by_their_names() {
        let theirs = ignoring(&["/spec/replicas", ".spec.containers[*].image"]);
        for (key, path, expected) in [
            ("Deployment/shop/web", ".spec.replicas", true),
            ("Deployment/shop/web", ".spec.paused", false),
            (
                "Deployment/shop/web",
                ".spec.containers[name=\"app\"].image",
                true,
            ),
            ("StatefulSet/shop/web", ".spec.replicas", false),
            ("Deployment", ".spec.replicas", false),
        ] {
            assert_eq!(theirs.leaves(key, path), expected, "{key} {path}");
        }
    }

    #[test]
    fn what_others_own_is_left_out_and_what_nobody_owns_keeps_its_value() {
        let ours = json!({"apiVersion": "apps/v1", "spec": {"replicas": 1, "paused": true, "gone": 1, "kept": 2,
            "containers": [{"name": "app", "image": "a:1", "args": ["x"]}]}});
        let live = json!({"apiVersion": "apps/v1", "metadata": {"managedFields": [
                {"manager": "keda-operator", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:kept": {}, "f:containers": {
                    "k:{\"name\":\"app\"}": {"f:image": {}}}}}},
            ]},
            "spec": {"replicas": 5, "paused": false, "kept": 3,
                "containers": [{"name": "sidecar"}, {"name": "app", "image": "a:2", "args": ["y", "z"]}]}});
        let theirs = ignoring(&[
            "/spec/paused",
            ".spec.gone",
            ".spec.containers[name=\"app\"].image",
            ".spec.containers[name=\"app\"].args",
        ]);
        let left = theirs
            .leave(&web(), &ours, None, &live)
            .expect("something is left");
        assert_eq!(
            left,
            json!({"apiVersion": "apps/v1", "spec": {"paused": false, "kept": 2,
                "containers": [{"name": "app", "args": ["y", "z"]}]}})
        );
        // Without a rule only the autoscaler's field is left.
        for before in [None, Some(&ours)] {
            let left = Theirs::default().leave(&web(), &ours, before, &live);
            let left = left.expect("something is left");
            assert_eq!(left["spec"].get("replicas"), None);
            assert_eq!(left["spec"]["paused"], true);
        }
        assert_eq!(Theirs::default().leave(&web(), &ours, None, &ours), None);
    }

    #[test]
    fn a_value_that_the_release_changes_is_meant() {
        let live = json!({"metadata": {"managedFields": [{"manager": "keda-operator", "fieldsV1": {
                "f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"app\"}": {"f:image": {}}}}}}]},
            "spec": {"replicas": 5, "containers": [{"name": "app", "image": "a:9"}]}});
        let release = |replicas: u32, image: &str| {
            json!({"spec": {"replicas": replicas,
                "containers": [{"name": "other"}, {"name": "app", "image": image}]}})
        };
        let (ours, before) = (release(3, "a:1"), release(2, "a:1"));
        let left = Theirs::default().leave(&web(), &ours, Some(&before), &live);
        let left = left.expect("the image is left");
        assert_eq!(left["spec"]["replicas"], 3);
        assert_eq!(left["spec"]["containers"][1], json!({"name": "app"}));
        // A rule on the place holds whatever the release says.
        let placed = ignoring(&[".spec.replicas"]);
        let left = placed.leave(&web(), &ours, Some(&before), &live);
        assert_eq!(left.expect("both are left")["spec"].get("replicas"), None);
    }
}
