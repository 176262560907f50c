//! Compares objects as a real API server returned them; e2e/tests/rollout/differences.rs makes the same edits on a real one.

use super::*;
use serde_json::{Map, json};

const MANAGER: &str = "function-controller";

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The rendering.
fn rendered() -> Value {
    object(include_str!("objects/desired.json"))
}

/// The same after server-side apply.
fn applied() -> Value {
    object(include_str!("objects/applied.json"))
}

/// The same after creation by another operator.
fn created() -> Value {
    object(include_str!("objects/created.json"))
}

/// Sets a value, appends one to a list (`-`), or removes one (`null`).
fn edit(object: &mut Value, path: &str, value: &Value) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    match object.pointer_mut(parent).unwrap() {
        Value::Object(fields) if value.is_null() => drop(fields.remove(&name)),
        Value::Object(fields) => drop(fields.insert(name, value.clone())),
        Value::Array(items) if name == "-" => items.push(value.clone()),
        Value::Array(items) if value.is_null() => drop(items.remove(name.parse().unwrap())),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
        other => panic!("{path}: {other}"),
    }
}

fn with(edits: &Map<String, Value>) -> StatefulSet {
    let mut desired = rendered();
    for (path, value) in edits {
        edit(&mut desired, path, value);
    }
    serde_json::from_value(desired).unwrap()
}

fn changes(live: &Value, desired: &StatefulSet) -> Vec<String> {
    difference(live, desired, MANAGER).iter().map(ToString::to_string).collect()
}

fn cases() -> Vec<(Map<String, Value>, Vec<String>)> {
    let cases = object(include_str!("objects/cases.json"));
    let case = |case: &Value| {
        (case["edit"].as_object().unwrap().clone(), serde_json::from_value(case["changes"].clone()).unwrap())
    };
    cases.as_array().unwrap().iter().map(case).collect()
}

#[test]
fn every_edit_is_reported_and_nothing_else() {
    for (edits, want) in cases() {
        assert_eq!(changes(&applied(), &with(&edits)), want, "{edits:?}");
        if edits.keys().all(|path| path.starts_with("/spec/template/")) {
            assert_eq!(changes(&created(), &with(&edits)), want, "made by another operator: {edits:?}");
        }
    }
}

/// The reverse of every edit: fields that exist only in the edited object are removed if the operator owns them.
#[test]
fn fields_of_other_managers_stay() {
    let mut foreign = applied();
    let container = "/spec/template/spec/containers/1";
    for (path, value) in [
        ("/metadata/labels/theirs", json!("x")),
        ("/metadata/annotations/theirs", json!("x")),
        ("/metadata/finalizers", json!(["theirs"])),
        (
            "/metadata/ownerReferences",
            json!([{"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "u"}]),
        ),
        ("/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt", json!("now")),
        ("/spec/template/spec/containers/-", json!({"name": "theirs", "image": "x"})),
        ("/spec/template/spec/volumes/-", json!({"name": "theirs", "emptyDir": {}})),
        ("/spec/template/spec/priorityClassName", json!("high")),
        (&format!("{container}/env/-"), json!({"name": "THEIRS", "value": "x"})),
        (&format!("{container}/readinessProbe"), json!({"tcpSocket": {"port": 1}})),
        (&format!("{container}/livenessProbe/terminationGracePeriodSeconds"), json!(5)),
        (&format!("{container}/securityContext/privileged"), json!(true)),
        (&format!("{container}/volumeMounts/-"), json!({"name": "theirs", "mountPath": "/theirs"})),
    ] {
        edit(&mut foreign, path, &value);
    }
    assert_eq!(changes(&foreign, &with(&Map::new())), [""; 0]);
    // A field that has one owner as a whole is replaced as a whole.
    edit(&mut foreign, "/spec/template/spec/nodeSelector/theirs", &json!("x"));
    edit(&mut foreign, &format!("{container}/env/0/valueFrom/fieldRef/apiVersion"), &json!("v2"));
    assert_eq!(
        changes(&foreign, &with(&Map::new())),
        ["container pulsar-function: env POD_NAME changed", "pod: nodeSelector theirs removed"]
    );
}

/// An object without an apply is taken over as a whole.
#[test]
fn an_object_of_another_operator_loses_what_is_not_rendered() {
    let mut live = created();
    edit(&mut live, "/spec/template/spec/containers/1/env/-", &json!({"name": "THEIRS", "value": "x"}));
    edit(&mut live, "/spec/template/spec/containers/1/env/0/valueFrom/fieldRef/apiVersion", &json!("v1"));
    edit(&mut live, "/spec/template/spec/securityContext/runAsGroup", &json!(7));
    edit(&mut live, "/metadata/labels/theirs", &json!("x"));
    edit(&mut live, "/spec/minReadySeconds", &Value::Null);
    assert_eq!(
        changes(&live, &with(&Map::new())),
        [
            "minReadySeconds changed from 0 to 15",
            "container pulsar-function: env THEIRS removed",
            "pod: securityContext.runAsGroup removed"
        ]
    );
}

/// A field that another manager owns as well stays when the operator drops it.
#[test]
fn what_another_holds_too_is_not_removed() {
    let mut live = applied();
    let fields = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"pulsar-function\"}": {
        "f:env": {"k:{\"name\":\"OPTIONS\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}}}});
    let theirs = json!({"manager": "kubectl-edit", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": fields});
    edit(&mut live, "/metadata/managedFields/-", &theirs);
    let without =
        |path: &str| with(&[(path.to_owned(), Value::Null)].into_iter().collect::<Map<String, Value>>());
    assert_eq!(changes(&live, &without("/spec/template/spec/containers/1/env/2")), [""; 0]);
    assert_eq!(
        changes(&live, &without("/spec/template/spec/containers/1/env/1")),
        ["container pulsar-function: env PASSWORD removed"]
    );
}

#[test]
fn no_value_is_shown() {
    for (edits, _) in cases() {
        for live in [applied(), created()] {
            let changes = difference(&live, &with(&edits), MANAGER);
            let text = summary(&changes, usize::MAX);
            for secret in ["s3cr3t", "0th3r", "-D", "exec", "9094"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

#[test]
fn a_summary_names_each_place_once_and_counts_the_rest() {
    let edits = json!({
        "/spec/minReadySeconds": 0,
        "/spec/template/spec/containers/0": null,
        "/spec/template/spec/containers/-": {"name": "filebeat", "image": "example.com/filebeat:1"},
        "/spec/template/spec/volumes/2": null,
        "/spec/template/metadata/labels/team": "x",
    });
    let mut desired = serde_json::to_value(with(edits.as_object().unwrap())).unwrap();
    let main = "/spec/template/spec/containers/0";
    edit(&mut desired, &format!("{main}/env/-"), &json!({"name": "X", "value": "y"}));
    edit(&mut desired, &format!("{main}/image"), &json!("example.com/java:2"));
    let desired: StatefulSet = serde_json::from_value(desired).unwrap();
    let changes = difference(&applied(), &desired, MANAGER);
    let all = "minReadySeconds changed from 15 to 0; container pulsar-function: env X added; \
               image changed from example.com/java:1 to example.com/java:2; container filebeat added; \
               container proxy removed; pod: label team changed; volume token removed";
    assert_eq!(summary(&changes, 7), all);
    assert_eq!(summary(&changes, 100), all);
    assert_eq!(
        summary(&changes, 2),
        "minReadySeconds changed from 15 to 0; container pulsar-function: env X added; and 5 more"
    );
    assert_eq!(summary(&changes, 0), "7 changes");
    assert_eq!(summary(&[], 3), "");
}

/// Comparison works whatever the live object looks like.
#[test]
fn an_object_that_is_none_differs_in_everything() {
    for live in [json!(null), json!([]), json!({"spec": 1, "metadata": {"managedFields": [{"manager": 1}]}})]
    {
        assert!(changes(&live, &with(&Map::new())).contains(&"container pulsar-function added".to_owned()));
    }
}

/// In an object that the Go operator created, all fields count as owned.
#[test]
fn what_the_api_server_fills_in_is_no_difference() {
    let mut live = created();
    for (path, value) in [
        (
            "/spec/persistentVolumeClaimRetentionPolicy",
            json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
        ),
        (
            "/spec/updateStrategy",
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}}),
        ),
    ] {
        edit(&mut live, path, &value);
    }
    let manager =
        json!([{"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {}, "f:metadata": {}}}]);
    edit(&mut live, "/metadata/managedFields", &manager);
    let mut desired = rendered();
    for field in ["persistentVolumeClaimRetentionPolicy", "updateStrategy", "revisionHistoryLimit"] {
        desired["spec"].as_object_mut().unwrap().remove(field);
    }
    let desired: StatefulSet = serde_json::from_value(desired).unwrap();
    assert_eq!(changes(&live, &desired), [""; 0]);
    edit(&mut live, "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted", &json!("Delete"));
    assert_eq!(changes(&live, &desired), ["persistentVolumeClaimRetentionPolicy.whenDeleted removed"]);
}

#[test]
fn fields_that_cannot_change_are_found_no_matter_who_holds_them() {
    let edits = json!({"/spec/serviceName": "other", "/spec/volumeClaimTemplates/0/metadata/name": "other",
        "/spec/minReadySeconds": 0, "/spec/template/spec/containers/1/image": "example.com/java:2"});
    let desired = with(edits.as_object().unwrap());
    for live in [applied(), created()] {
        assert_eq!(immutable(&live, &desired), ["serviceName", "volumeClaimTemplates"]);
        assert_eq!(immutable(&live, &with(&Map::new())), [""; 0]);
    }
    let shown = summary(&by_weight(difference(&applied(), &desired, MANAGER)), 10);
    assert_eq!(
        shown,
        "serviceName changed; volumeClaimTemplate data removed; volumeClaimTemplate other added; \
         container pulsar-function: image changed from example.com/java:1 to example.com/java:2; \
         minReadySeconds changed from 15 to 0"
    );
}
