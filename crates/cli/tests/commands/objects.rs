//! A small cluster.

use super::fake::Fake;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A text that nobody may read.
pub(crate) const CANARY: &str = "c4n4ry-x7";
/// Pattern of the call that lists our objects.
pub(crate) const OBJECTS: &str = "functions.compute.functionmesh.io,sources";

/// A token that ends at a time, in seconds since 1970.
pub(crate) fn token(end: i64) -> String {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{CANARY}",
        part(r#"{"alg":"HS256"}"#.to_owned()),
        part(json!({"sub": CANARY, "exp": end}).to_string())
    )
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// A Secret.
pub(crate) fn secret(name: &str, data: &[(&str, &str)]) -> Value {
    let data: serde_json::Map<String, Value> =
        data.iter().map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value)))).collect();
    json!({"kind": "Secret", "metadata": {"name": name, "namespace": "demo"}, "data": data})
}

/// A ConfigMap that was changed at noon of the first of January.
pub(crate) fn config_map(name: &str, data: &Value) -> Value {
    json!({"kind": "ConfigMap", "metadata": {"name": name, "namespace": "demo",
        "managedFields": [{"time": "2026-01-01T12:00:00Z", "fieldsV1": {"f:data": {}}}]}, "data": data})
}

/// A Function with the canary wherever a secret can be.
pub(crate) fn function(name: &str) -> Value {
    json!({
        "apiVersion": "compute.functionmesh.io/v1alpha1", "kind": "Function",
        "metadata": {"name": name, "namespace": "demo", "uid": format!("u-{name}"), "generation": 1,
            "annotations": {"example.com/note": CANARY,
                "kubectl.kubernetes.io/last-applied-configuration": json!({"spec": CANARY}).to_string()}},
        "spec": {
            "image": "streamnative/pulsar-functions-java-runner:2.10.0.1", "className": "org.Example", "replicas": 1,
            "funcConfig": {"password": CANARY}, "java": {"jar": "/a.jar", "jarLocation": format!("https://u:{CANARY}@h/a.jar")},
            "pod": {"env": [{"name": "A", "value": CANARY}]},
            "pulsar": {"pulsarConfig": "pulsar", "authSecret": "auth"}, "secretsMap": {"DB": {"path": "db", "key": "password"}},
        },
        "status": {"observedGeneration": 1, "replicas": 1, "conditions": [{"type": "Ready", "status": "True",
            "reason": "AllReplicasAvailable", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    })
}

/// Its StatefulSet.
pub(crate) fn stateful_set(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": format!("{name}-function"), "namespace": "demo", "uid": format!("s-{name}"),
            "labels": labels(name),
            "ownerReferences": [{"kind": "Function", "name": name, "uid": format!("u-{name}"), "controller": true}]},
        "spec": {"replicas": 1, "template": {"spec": pod_spec()}}, "status": {"readyReplicas": 1, "replicas": 1},
    })
}

fn labels(name: &str) -> Value {
    json!({"compute.functionmesh.io/component": "function", "compute.functionmesh.io/name": name,
        "compute.functionmesh.io/namespace": "demo"})
}

fn pod_spec() -> Value {
    json!({"containers": [{"name": "pulsar-function", "image": "streamnative/pulsar-functions-java-runner:2.10.0.1",
        "command": ["sh", "-c", format!("exec java --details '{{\"userConfig\":\"{CANARY}\"}}'")],
        "env": [{"name": "A", "value": CANARY},
            {"name": "DB", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
        "envFrom": [{"configMapRef": {"name": "pulsar"}}, {"secretRef": {"name": "auth"}}]}]})
}

/// A pod of it that started before the ConfigMaps were changed.
pub(crate) fn pod(name: &str, number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{name}-function-{number}"), "namespace": "demo", "labels": labels(name),
            "ownerReferences": [{"kind": "StatefulSet", "name": format!("{name}-function"), "uid": format!("s-{name}"),
                "controller": true}]},
        "spec": pod_spec(),
        "status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "message": format!("token:{CANARY}")}],
            "containerStatuses": [{"name": "pulsar-function", "ready": true, "restartCount": 1,
                "state": {"running": {"startedAt": "2026-01-01T06:00:00Z"}},
                "lastState": {"terminated": {"message": format!("login with password={CANARY}")}}}]},
    })
}

/// A Deployment of this operator.
pub(crate) fn controller(kind: &str, namespaces: &str) -> Value {
    let name = format!("{kind}-controller");
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "fm", "labels": {"app.kubernetes.io/part-of": "function-mesh",
            "app.kubernetes.io/name": name, "app.kubernetes.io/version": "0.1.0"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "controller", "image": "local/function-mesh:0.1.0",
            "args": [format!("--watched-namespace={namespaces}")], "env": [{"name": "X", "value": CANARY}]}]}}},
        "status": {"readyReplicas": 1}})
}

/// The definitions of this release.
pub(crate) fn definitions() -> Vec<Value> {
    // Made once: without optimisation that takes seconds.
    static MADE: LazyLock<Vec<Value>> = LazyLock::new(|| {
        functionmesh_api::crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect()
    });
    MADE.clone()
}

/// A cluster in which everything is in order, apart from what a test replaces by rules before these. Its definitions are not
/// known, unless a test has them: comparing them takes seconds without optimisation.
pub(crate) fn cluster(fake: Fake) -> Fake {
    fake.lists(OBJECTS, &[function("enrich")])
        .lists("statefulsets.apps", &[stateful_set("enrich")])
        .lists("pods --namespace pulsar", &[])
        .lists("pods", &[pod("enrich", 0)])
        .lists("deployments.apps", &[controller("function", "")])
}
