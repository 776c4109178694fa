//! Who may do what: RBAC rules as they are stored, with `system:masters` above them
//! ("Kubernetes docs", RBAC authorization).

use serde_json::{Value, json};

use super::handle::Call;
use super::pki::Identity;
use super::store::Store;
use super::value::{array, members, text};

/// What somebody wants to do.
#[derive(Debug, Clone, Copy)]
struct Wish<'a> {
    verb: &'a str,
    group: &'a str,
    resource: &'a str,
    namespace: &'a str,
    name: &'a str,
}

/// True when the caller may do it.
pub(super) fn allowed(store: &Store, identity: &Identity, verb: &str, call: &Call) -> bool {
    let resource = if call.subresource.is_empty() {
        call.resource.plural.clone()
    } else {
        format!("{}/{}", call.resource.plural, call.subresource)
    };
    let wish = Wish {
        verb,
        group: &call.resource.group,
        resource: &resource,
        namespace: &call.namespace,
        name: call.name.as_deref().unwrap_or_default(),
    };
    may(store, identity, wish)
}

fn may(store: &Store, identity: &Identity, wish: Wish<'_>) -> bool {
    if identity
        .groups
        .iter()
        .any(|group| group == "system:masters")
    {
        return true;
    }
    let everywhere = store
        .list("clusterrolebindings.rbac.authorization.k8s.io")
        .filter(|binding| concerns(binding, identity))
        .any(|binding| grants(store, binding, wish));
    everywhere
        || (!wish.namespace.is_empty()
            && store
                .list_in("rolebindings.rbac.authorization.k8s.io", wish.namespace)
                .filter(|binding| concerns(binding, identity))
                .any(|binding| grants(store, binding, wish)))
}

fn concerns(binding: &Value, identity: &Identity) -> bool {
    array(&binding["subjects"]).iter().any(|subject| {
        let name = text(&subject["name"]);
        match text(&subject["kind"]) {
            "User" => name == identity.user,
            "Group" => {
                name == "system:authenticated" || identity.groups.iter().any(|group| group == name)
            }
            "ServiceAccount" => {
                identity.user
                    == format!(
                        "system:serviceaccount:{}:{name}",
                        text(&subject["namespace"])
                    )
            }
            _ => false,
        }
    })
}

fn grants(store: &Store, binding: &Value, wish: Wish<'_>) -> bool {
    let reference = &binding["roleRef"];
    let role = if text(&reference["kind"]) == "ClusterRole" {
        store.get(
            "clusterroles.rbac.authorization.k8s.io",
            "",
            text(&reference["name"]),
        )
    } else {
        store.get(
            "roles.rbac.authorization.k8s.io",
            text(&binding["metadata"]["namespace"]),
            text(&reference["name"]),
        )
    };
    let has = |list: &Value, wanted: &str| {
        array(list)
            .iter()
            .any(|item| text(item) == "*" || text(item) == wanted)
    };
    role.is_some_and(|role| {
        array(&role["rules"]).iter().any(|rule| {
            has(&rule["verbs"], wish.verb)
                && has(&rule["apiGroups"], wish.group)
                && has(&rule["resources"], wish.resource)
                && (array(&rule["resourceNames"]).is_empty()
                    || has(&rule["resourceNames"], wish.name))
        })
    })
}

/// Answers a review: what the caller, or the one it names, may do, or who the caller is.
pub(super) fn review(store: &Store, identity: &Identity, plural: &str, mut body: Value) -> Value {
    members(&mut body);
    let asked = body["spec"]["resourceAttributes"].clone();
    let who = if plural == "subjectaccessreviews" {
        Identity {
            user: text(&body["spec"]["user"]).to_owned(),
            groups: array(&body["spec"]["groups"])
                .iter()
                .map(|group| text(group).to_owned())
                .collect(),
        }
    } else {
        identity.clone()
    };
    let resource = match text(&asked["subresource"]) {
        "" => text(&asked["resource"]).to_owned(),
        sub => format!("{}/{sub}", text(&asked["resource"])),
    };
    let allowed = asked.is_null()
        || may(
            store,
            &who,
            Wish {
                verb: text(&asked["verb"]),
                group: text(&asked["group"]),
                resource: &resource,
                namespace: text(&asked["namespace"]),
                name: text(&asked["name"]),
            },
        );
    body["status"] = match plural {
        "selfsubjectreviews" => json!({
            "userInfo": { "username": identity.user, "groups": identity.groups },
        }),
        "selfsubjectrulesreviews" => json!({
            "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }],
            "nonResourceRules": [],
            "incomplete": true,
        }),
        _ => json!({ "allowed": allowed }),
    };
    body
}
