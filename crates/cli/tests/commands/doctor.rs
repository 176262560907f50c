//! `doctor`: each thing that can be wrong is found with its remedy, and what may not be read is said.

use super::fake::{Answer, Fake};
use super::objects::{
    CANARY, OBJECTS, cluster, config_map, controller, definitions, function, now, pod, secret, stateful_set,
    token,
};
use serde_json::{Value, json};

const DAY: i64 = 86_400;
const CERTIFICATE: &str = include_str!("../data/expired.pem");

fn pulsar() -> Value {
    config_map(
        "pulsar",
        &json!({"webServiceURL": format!("http://u:{CANARY}@broker.pulsar:8080"),
        "brokerServiceURL": format!("pulsar://u:{CANARY}@broker.pulsar:6650")}),
    )
}

fn findings(answer: &Answer) -> Vec<(String, String, String)> {
    let report = answer.json();
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let list = report["findings"].as_array().unwrap();
    list.iter().map(|f| (text(f, "check"), text(f, "object"), text(f, "message"))).collect()
}

#[test]
fn five_faults_are_each_named_with_a_remedy() {
    let auth = format!("token:{}", token(now() + 5 * DAY + 60));
    let fake = cluster(
        Fake::new()
            .lists(
                "secrets --namespace",
                &[
                    secret(
                        "auth",
                        &[
                            ("clientAuthenticationPlugin", "p"),
                            ("clientAuthenticationParameters", &auth),
                            ("ca.crt", CERTIFICATE),
                        ],
                    ),
                    secret("db", &[("Password", CANARY)]),
                ],
            )
            .lists("configmaps --namespace", &[pulsar()])
            .answers("services/http:broker:8080/proxy/admin/v2/brokers/version", "4.0.6"),
    );
    let answer = fake.run(&["doctor", "-n", "demo", "-o", "json"]);
    assert_eq!(answer.code, Some(2), "{answer:#?}");
    let found = findings(&answer);
    for (check, object, text) in [
        ("Expiry", "Secret demo/auth", "expires on"),
        ("Expiry", "Secret demo/auth", "certificate in the key \"ca.crt\" expired on 2021-01-02"),
        ("MissingKey", "Secret demo/db", "has no key \"password\""),
        ("StaleConfiguration", "ConfigMap demo/pulsar", "after 1 pod of StatefulSet enrich-function read it"),
        (
            "PulsarLine",
            "function demo/enrich (ConfigMap demo/pulsar)",
            "of Pulsar 2.10; the broker is of 4.0",
        ),
    ] {
        assert!(
            found.iter().any(|f| f.0 == check && f.1 == object && f.2.contains(text)),
            "{check} {text}: {found:#?}"
        );
    }
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(
        answer.json()["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| !f["remedy"].as_str().unwrap().is_empty())
    );
    let text = fake.run(&["doctor", "-n", "demo"]);
    assert_eq!(text.code, Some(2));
    assert!(text.stdout.starts_with("Examined 1 object: 2 errors, 3 warnings."), "{}", text.stdout);
    for text in [answer.stdout, answer.stderr, text.stdout, text.stderr] {
        assert!(!text.contains(CANARY) && !text.contains("eyJ"), "{text}");
    }
    // A token is warned of as early as one wants.
    let later = findings(&fake.run(&["doctor", "-n", "demo", "-o", "json", "--within", "3"]));
    assert_eq!(later.iter().filter(|f| f.0 == "Expiry").count(), 1, "{later:#?}");
}

#[test]
fn nothing_is_found_where_everything_is_in_order() {
    let mut fresh = pulsar();
    fresh["metadata"]["managedFields"] = json!([]);
    let fake = cluster(
        Fake::new()
            .lists(
                "secrets --namespace",
                &[secret("auth", &[("a", "b")]), secret("db", &[("password", "x")])],
            )
            .lists("configmaps --namespace", &[fresh])
            .lists("customresourcedefinitions", &definitions())
            .answers("proxy/admin/v2/brokers/version", "2.10.5"),
    );
    let answer = fake.run(&["doctor"]);
    assert_eq!(
        (answer.code, answer.stdout.as_str()),
        (Some(0), "Examined 1 object: nothing found.\n"),
        "{answer:#?}"
    );
}

#[test]
fn what_may_not_be_read_is_said() {
    let fake = cluster(
        Fake::new()
            .forbids("secrets --namespace")
            .forbids("deployments.apps")
            .forbids("customresourcedefinitions")
            .forbids("--raw")
            .forbids("services broker")
            .lists("configmaps --namespace", &[pulsar()]),
    );
    let answer = fake.run(&["doctor"]);
    let lines: Vec<&str> = answer.stdout.lines().filter(|line| line.starts_with("not checked: ")).collect();
    for what in [
        "secrets in demo",
        "controllers",
        "CustomResourceDefinitions",
        "the broker's version for ConfigMap demo/pulsar",
    ] {
        assert!(
            lines.iter().any(|line| line.contains(what) && line.contains("Forbidden")),
            "{what}: {answer:#?}"
        );
    }
    assert_eq!(lines.len(), 4, "{lines:#?}");
    // Without the objects nothing can be said.
    let answer = Fake::new().forbids("get").run(&["doctor"]);
    assert!(answer.code == Some(1) && answer.stderr.contains("nothing was checked"), "{answer:#?}");
}

#[test]
fn a_broker_that_does_not_answer_is_known_by_its_image() {
    let broker = json!({"kind": "Pod", "metadata": {"name": "broker-0"}, "spec": {"containers": [{"image": "apachepulsar/pulsar:3.0.1"}]}});
    let fake = cluster(
        Fake::new()
            .lists(
                "secrets --namespace",
                &[secret("auth", &[("a", "b")]), secret("db", &[("password", "x")])],
            )
            .lists("configmaps --namespace", &[pulsar()])
            .forbids("--raw")
            .lists("services broker", &[json!({"spec": {"selector": {"component": "broker"}}})])
            .lists("pods --namespace pulsar --selector=component=broker", &[broker]),
    );
    let found = findings(&fake.run(&["doctor", "-o", "json"]));
    assert!(
        found
            .iter()
            .any(|f| f.0 == "PulsarLine" && f.2.contains("the image apachepulsar/pulsar:3.0.1 of its pods")),
        "{found:#?}"
    );
}

#[test]
fn missing_objects_orphans_operators_and_definitions_are_found() {
    let mut orphan = stateful_set("gone");
    orphan["metadata"]["ownerReferences"] = json!([]);
    let mut held = function("held");
    held["metadata"]["finalizers"] = json!(["cleanup.subscription.finalizer"]);
    let mut sink = function("archive");
    sink["kind"] = json!("Sink");
    let mut waiting = function("waiting");
    waiting["status"] = json!({"replicas": 2, "statefulSet": {"generation": 1, "renderedHash": "a", "pendingHash": "h1"},
        "conditions": [{"type": "UpdateAvailable", "status": "True", "reason": "RendererChanged", "lastTransitionTime": "2026-01-01T00:00:00Z",
            "message": "newer; annotate it with compute.functionmesh.io/approve-update=h1"}]});
    let go = json!({"kind": "Deployment", "metadata": {"name": "function-mesh-controller-manager", "namespace": "old"},
        "spec": {"template": {"spec": {"containers": [{"name": "x", "image": "streamnative/function-mesh:v0.27.2", "command": ["/manager"],
            "args": ["--watched-namespace=other"]}]}}}});
    let mut older = definitions();
    let fields =
        older[0].pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
    fields.as_object_mut().unwrap().remove("className");
    let fake = cluster(
        Fake::new()
            .lists(OBJECTS, &[held, sink, waiting])
            .lists("statefulsets.apps", &[orphan])
            .lists("pods --selector", &[pod("gone", 0)])
            .answers("secrets --namespace", "")
            .answers("configmaps --namespace", "")
            .lists("deployments.apps", &[controller("function", "other"), controller("sink", ""), go])
            .lists("customresourcedefinitions", &older),
    );
    let answer = fake.run(&["doctor", "-A", "-o", "json"]);
    let found = findings(&answer);
    for (check, object, text) in [
        (
            "MissingReference",
            "Secret demo/auth",
            "no pod starts of function demo/held, function demo/waiting, sink demo/archive",
        ),
        ("MissingReference", "ConfigMap demo/pulsar", "does not exist"),
        ("Orphan", "StatefulSet demo/gone-function", "1 pod run"),
        ("Finalizer", "Function demo/held, waiting", "a deletion will not complete"),
        (
            "TwoOperators",
            "Deployment old/function-mesh-controller-manager",
            "fm/function-controller, fm/sink-controller, in other",
        ),
        ("PendingUpdate", "function demo/waiting", "an update waits for approval (RendererChanged): newer"),
        ("Definitions", "CustomResourceDefinition functions.compute.functionmesh.io", "spec.className"),
    ] {
        assert!(
            found.iter().any(|f| f.0 == check && f.1 == object && f.2.contains(text)),
            "{check} {text}: {found:#?}"
        );
    }
    let remedies = answer.json()["findings"].to_string();
    assert!(remedies.contains("kubectl fmesh approve function waiting --namespace demo"), "{remedies}");
}
