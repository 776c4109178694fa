//! Objects: their identity, versions and locks, how they are patched, refused and deleted.

use serde_json::{Value, json};

use super::super::bed::Target;
use super::reading::read;
use super::{config_map, deployment, maps};
use crate::kubernetes::value::{array, deleting, name, text};

pub(super) async fn identity(target: &Target, space: &str) {
    let path = maps(space);
    let object = json!({ "metadata": { "generateName": "made-" }, "data": { "a": "1" } });
    let (code, made) = target.post(&path, &object).await;
    assert_eq!(code, 201, "{made}");
    assert!(
        name(&made).starts_with("made-") && name(&made).len() == 10,
        "{made}"
    );
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        assert!(!text(&made["metadata"][field]).is_empty(), "{field}");
    }
    let again = config_map(name(&made), json!({}));
    let (code, refused) = target.post(&path, &again).await;
    assert_eq!((code, text(&refused["reason"])), (409, "AlreadyExists"));
    assert_eq!(
        text(&refused["message"]),
        format!("configmaps \"{}\" already exists", name(&made))
    );
    let (code, refused) = target.read(&format!("{path}/none")).await;
    assert_eq!(
        (code, text(&refused["message"])),
        (404, "configmaps \"none\" not found")
    );
}

pub(super) async fn locks(target: &Target, space: &str) {
    let path = maps(space);
    let (_, first) = target
        .post(&path, &config_map("a", json!({ "x": "1" })))
        .await;
    let mut second = first.clone();
    second["data"]["x"] = json!("2");
    let (code, _) = target.put(&format!("{path}/a"), &second).await;
    assert_eq!(code, 200);
    let (code, refused) = target.put(&format!("{path}/a"), &second).await;
    assert_eq!((code, text(&refused["reason"])), (409, "Conflict"));
    let (code, refused) = target
        .delete_with(
            &format!("{path}/a"),
            &json!({ "preconditions": { "uid": "another" } }),
        )
        .await;
    assert_eq!((code, text(&refused["reason"])), (409, "Conflict"));
}

/// Versions of objects and lists.
pub(super) async fn versions(target: &Target, space: &str) {
    let path = maps(space);
    let (_, first) = target
        .post(&path, &config_map("a", json!({ "x": "1" })))
        .await;
    let version = |object: &Value| -> u64 {
        text(&object["metadata"]["resourceVersion"])
            .parse()
            .expect("versions are numbers here")
    };
    // A write that changes nothing makes no version.
    let (code, same) = target
        .merge(&format!("{path}/a"), &json!({ "data": { "x": "1" } }))
        .await;
    assert_eq!((code, version(&same)), (200, version(&first)));
    let (_, next) = target
        .merge(&format!("{path}/a"), &json!({ "data": { "x": "2" } }))
        .await;
    assert!(version(&next) > version(&first));
    let list = target.get(&path).await;
    assert!(
        version(&list) >= version(&next),
        "a list is no older than what is in it"
    );
    // A version of the future, of no shape, of a lock that is lost, of an object that is to be made.
    for (query, code) in [
        ("resourceVersion=nonsense", 400),
        ("resourceVersionMatch=Exact", 422),
        ("labelSelector=a%3D%3D%3Db", 400),
        ("fieldSelector=spec.none%3Da", 400),
    ] {
        let (seen, answer) = target.read(&format!("{path}?{query}")).await;
        assert_eq!(seen, code, "{query}: {answer}");
    }
    let mut stale = json!({ "metadata": { "resourceVersion": text(&first["metadata"]["resourceVersion"]) }, "data": { "x": "3" } });
    let (code, refused) = target.merge(&format!("{path}/a"), &stale).await;
    assert_eq!(
        (code, text(&refused["reason"])),
        (409, "Conflict"),
        "{refused}"
    );
    stale["metadata"]["name"] = json!("b");
    let (code, refused) = target.post(&path, &stale).await;
    assert_eq!(code, 500, "{refused}");
    assert!(
        text(&refused["message"])
            .contains("resourceVersion should not be set on objects to be created"),
        "{refused}"
    );
    let precondition = json!({ "preconditions": { "resourceVersion": text(&first["metadata"]["resourceVersion"]) } });
    let (code, _) = target
        .delete_with(&format!("{path}/a"), &precondition)
        .await;
    assert_eq!(code, 409);
    // The version of a deletion is later than that of what was deleted.
    let query = format!("{path}?watch=true&resourceVersion={}", version(&next));
    let (code, _) = target.delete(&format!("{path}/a")).await;
    assert_eq!(code, 200);
    let events = read(target, &query, 1).await;
    assert_eq!(text(&events[0]["type"]), "DELETED");
    assert!(version(&events[0]["object"]) > version(&next));
}

pub(super) async fn patches(target: &Target, space: &str) {
    let path = format!("{}/a", maps(space));
    target
        .post(
            &maps(space),
            &config_map("a", json!({ "x": "1", "y": "2" })),
        )
        .await;
    let (code, object) = target
        .merge(&path, &json!({ "data": { "x": null, "z": "3" } }))
        .await;
    assert_eq!(
        (code, object["data"].clone()),
        (200, json!({ "y": "2", "z": "3" }))
    );
    let patch = json!([{ "op": "replace", "path": "/data/y", "value": "9" }]);
    let (code, object) = target
        .send("PATCH", &path, "application/json-patch+json", &patch)
        .await;
    assert_eq!((code, object["data"]["y"].clone()), (200, json!("9")));
    let (code, _) = target.send("PATCH", &path, "text/plain", &patch).await;
    assert_eq!(code, 415);
    let pod = json!({
        "metadata": { "name": "p" },
        "spec": { "containers": [{ "name": "a", "image": "i:1" }, { "name": "b", "image": "i:1" }], "schedulerName": "nobody" },
    });
    target
        .post(&format!("/api/v1/namespaces/{space}/pods"), &pod)
        .await;
    let patch = json!({ "spec": { "containers": [{ "name": "b", "image": "i:2" }] } });
    let path = format!("/api/v1/namespaces/{space}/pods/p");
    let (code, pod) = target.strategic(&path, &patch).await;
    assert_eq!(code, 200, "{pod}");
    let images: Vec<&str> = array(&pod["spec"]["containers"])
        .iter()
        .map(|c| text(&c["image"]))
        .collect();
    assert_eq!(images, ["i:1", "i:2"]);
}

pub(super) async fn refusals(target: &Target, space: &str) {
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments");
    let mut wrong = deployment("a", 0);
    wrong["spec"]["template"]["metadata"]["labels"] = json!({ "app": "b" });
    let (code, refused) = target.post(&path, &wrong).await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
    assert!(
        text(&refused["message"]).contains("`selector` does not match template `labels`"),
        "{refused}"
    );
    assert_eq!(target.post(&path, &deployment("a", 0)).await.0, 201);
    let patch = json!({ "spec": {
        "selector": { "matchLabels": { "app": "c" } },
        "template": { "metadata": { "labels": { "app": "c" } } },
    } });
    let (code, refused) = target.merge(&format!("{path}/a"), &patch).await;
    assert_eq!(code, 422);
    assert!(
        text(&refused["message"]).contains("field is immutable"),
        "{refused}"
    );
    let (code, refused) = target
        .post(&maps(space), &config_map("Not_a_name", json!({})))
        .await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
    let mut odd = config_map("odd", json!({}));
    odd["metadata"]["annotations"] = json!({ "a": true });
    let (code, refused) = target.post(&maps(space), &odd).await;
    assert_eq!((code, text(&refused["reason"])), (400, "BadRequest"));
    let (code, refused) = target
        .post(&maps("promise-nowhere"), &config_map("a", json!({})))
        .await;
    assert_eq!(
        (code, text(&refused["message"])),
        (404, "namespaces \"promise-nowhere\" not found")
    );
}

pub(super) async fn finalizers(target: &Target, space: &str) {
    let path = format!("{}/a", maps(space));
    let mut object = config_map("a", json!({}));
    object["metadata"]["finalizers"] = json!(["promise.example/hold"]);
    target.post(&maps(space), &object).await;
    assert_eq!(target.delete(&path).await.0, 200);
    let held = target.get(&path).await;
    assert!(deleting(&held), "{held}");
    let (code, _) = target
        .merge(&path, &json!({ "metadata": { "finalizers": null } }))
        .await;
    assert_eq!(code, 200);
    target.until(&path, |seen| seen["code"] == 404).await;
}

pub(super) async fn owners(target: &Target, space: &str) {
    for (policy, survives) in [
        ("Background", false),
        ("Foreground", false),
        ("Orphan", true),
    ] {
        let owner = format!("owner-{}", policy.to_lowercase());
        let (_, made) = target
            .post(&maps(space), &config_map(&owner, json!({})))
            .await;
        let dependent = format!("dependent-{}", policy.to_lowercase());
        let mut object = config_map(&dependent, json!({}));
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": made["metadata"]["uid"], "blockOwnerDeletion": true,
        }]);
        assert_eq!(target.post(&maps(space), &object).await.0, 201);
        let path = format!("{}/{owner}", maps(space));
        target
            .delete_with(&path, &json!({ "propagationPolicy": policy }))
            .await;
        target.until(&path, |seen| seen["code"] == 404).await;
        let path = format!("{}/{dependent}", maps(space));
        if survives {
            let left = target.get(&path).await;
            assert!(
                array(&left["metadata"]["ownerReferences"]).is_empty(),
                "{left}"
            );
        } else {
            target.until(&path, |seen| seen["code"] == 404).await;
        }
    }
}

pub(super) async fn namespaces(target: &Target, _: &str) {
    let path = "/api/v1/namespaces/promise-short-lived";
    let object = json!({ "metadata": { "name": "promise-short-lived" } });
    target.post("/api/v1/namespaces", &object).await;
    target
        .until(&format!("{path}/serviceaccounts/default"), |seen| {
            seen["kind"] == "ServiceAccount"
        })
        .await;
    target
        .until(&format!("{path}/configmaps/kube-root-ca.crt"), |seen| {
            seen["kind"] == "ConfigMap"
        })
        .await;
    let mut held = config_map("held", json!({}));
    held["metadata"]["finalizers"] = json!(["promise.example/hold"]);
    target.post(&format!("{path}/configmaps"), &held).await;
    target.delete(path).await;
    target
        .until(path, |seen| seen["status"]["phase"] == "Terminating")
        .await;
    let (code, refused) = target
        .post(
            &format!("{path}/configmaps"),
            &config_map("late", json!({})),
        )
        .await;
    assert_eq!((code, text(&refused["reason"])), (403, "Forbidden"));
    let free = json!({ "metadata": { "finalizers": null } });
    target
        .until(&format!("{path}/configmaps/held"), deleting)
        .await;
    target
        .merge(&format!("{path}/configmaps/held"), &free)
        .await;
    target.until(path, |seen| seen["code"] == 404).await;
}

/// A lock that two processes fight for.
pub(super) async fn leases(target: &Target, space: &str) {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{space}/leases");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "lock" },
        "spec": {
            "holderIdentity": "one", "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-02T03:04:05.000006Z", "renewTime": "2026-01-02T03:04:05.000006Z",
        },
    });
    let (code, made) = target.post(&path, &lease).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["spec"]["renewTime"], "2026-01-02T03:04:05.000006Z");
    assert_eq!(target.post(&path, &lease).await.0, 409);
    let mut mine = made.clone();
    mine["spec"]["holderIdentity"] = json!("two");
    let named = format!("{path}/lock");
    assert_eq!(target.put(&named, &mine).await.0, 200);
    let mut theirs = made;
    theirs["spec"]["holderIdentity"] = json!("three");
    assert_eq!(target.put(&named, &theirs).await.0, 409);
    theirs["spec"]["renewTime"] = json!("yesterday");
    theirs["metadata"]["resourceVersion"] = Value::Null;
    let (code, refused) = target.put(&named, &theirs).await;
    assert_eq!(code, 400, "{refused}");
}

/// Whose owner does not exist goes as well.
pub(super) async fn orphans(target: &Target, space: &str) {
    let mut object = config_map("orphan", json!({}));
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-0000-0000-000000000001",
    }]);
    target.make(&maps(space), &object).await;
    target.until_gone(&format!("{}/orphan", maps(space))).await;
    // Two owners: one of them holds it.
    let owner = target
        .make(&maps(space), &config_map("owner", json!({})))
        .await;
    object["metadata"]["name"] = json!("held");
    object["metadata"]["ownerReferences"] = json!([
        { "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"] },
        { "apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-0000-0000-000000000001" },
    ]);
    target.make(&maps(space), &object).await;
    let held = format!("{}/held", maps(space));
    target
        .until(&held, |seen| {
            array(&seen["metadata"]["ownerReferences"]).len() == 1
        })
        .await;
    // Two controllers cannot be.
    object["metadata"]["name"] = json!("contested");
    for reference in object["metadata"]["ownerReferences"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        reference["controller"] = json!(true);
    }
    let (code, refused) = target.post(&maps(space), &object).await;
    assert_eq!((code, text(&refused["reason"])), (422, "Invalid"));
}
