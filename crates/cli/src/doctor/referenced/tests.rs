//! References, dates and versions of ConfigMaps and Secrets.

use super::*;
use crate::doctor::expiry::tests::{CERTIFICATE, token};
use base64::Engine;
use serde_json::json;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn secret(name: &str, data: &[(&str, &str)]) -> (Key, Option<Value>) {
    let encode = |value: &str| base64::engine::general_purpose::STANDARD.encode(value);
    let data: serde_json::Map<String, Value> =
        data.iter().map(|(key, value)| ((*key).to_owned(), json!(encode(value)))).collect();
    let object = json!({"kind": "Secret", "metadata": {"name": name, "namespace": "demo"}, "data": data});
    ((Kind::Secret, "demo".to_owned(), name.to_owned()), Some(object))
}

fn function(spec: &Value) -> Item {
    Item::of(
        json!({"kind": "Function", "metadata": {"name": "f", "namespace": "demo", "uid": "u"}, "spec": spec}),
    )
}

fn snapshot(spec: &Value) -> Snapshot {
    Snapshot { items: vec![function(spec)], ..Snapshot::default() }
}

fn examined(spec: &Value, found: impl IntoIterator<Item = (Key, Option<Value>)>) -> Findings {
    let mut findings = Findings::default();
    let dates = (Timestamp::from_second(NOW).unwrap(), SignedDuration::from_hours(14 * 24));
    examine(&uses(&snapshot(spec)), &found.into_iter().collect(), dates, &mut findings);
    findings
}

#[test]
fn a_token_is_reported_before_and_after_its_end() {
    let spec = json!({"pulsar": {"authSecret": "auth"}});
    let with = |days: i64| {
        let value = format!("token:{}", token(NOW + days * DAY));
        examined(&spec, [secret("auth", &[("clientAuthenticationParameters", &value)])])
    };
    let found = with(5).of("Expiry");
    assert_eq!(
        found,
        [(
            Severity::Warning,
            "Secret demo/auth".to_owned(),
            "the token in the key \"clientAuthenticationParameters\" expires on 2027-01-20, in 5 days; used by function demo/f"
                .to_owned()
        )]
    );
    let found = with(-2).of("Expiry");
    assert!(
        found[0].0 == Severity::Error && found[0].2.contains("expired on 2027-01-13, 2 days ago"),
        "{found:?}"
    );
    assert!(with(15).of("Expiry").is_empty());
    for text in [with(5).text(1), with(5).json(1).to_string()] {
        assert!(!text.contains("eyJ") && !text.contains("c4n4ry"), "{text}");
    }
}

#[test]
fn only_the_keys_that_are_used_are_examined() {
    let spec = json!({"pulsar": {"tlsConfig": {"certSecretName": "ca", "certSecretKey": "ca.crt"}}});
    let found =
        examined(&spec, [secret("ca", &[("ca.crt", CERTIFICATE), ("other", CERTIFICATE)])]).of("Expiry");
    assert!(
        found.len() == 1 && found[0].2.contains("certificate in the key \"ca.crt\" expired on 2021-01-02"),
        "{found:?}"
    );
    // The second of a bundle is no error.
    let bundle = format!("{CERTIFICATE}{CERTIFICATE}");
    let found = examined(&spec, [secret("ca", &[("ca.crt", &bundle)])]).of("Expiry");
    assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [Severity::Error, Severity::Warning]);
}

#[test]
fn what_is_missing_is_an_error_and_what_was_not_read_is_neither() {
    let spec = json!({"pulsar": {"pulsarConfig": "p", "authSecret": "a"}, "secretsMap": {"DB": {"path": "db", "key": "password"}}});
    let key = |kind, name: &str| (kind, "demo".to_owned(), name.to_owned());
    let found = [(key(Kind::ConfigMap, "p"), None), secret("db", &[("Password", "x")])];
    let findings = examined(&spec, found);
    let missing = findings.of("MissingReference");
    assert!(missing.len() == 1 && missing[0].1 == "ConfigMap demo/p", "{missing:?}");
    let keys = findings.of("MissingKey");
    assert!(keys.len() == 1 && keys[0].2.starts_with("has no key \"password\""), "{keys:?}");
}

fn pod(template: &Value, started: &str) -> Item {
    Item::of(json!({"kind": "Pod", "metadata": {"name": "f-function-0", "namespace": "demo",
        "ownerReferences": [{"name": "f-function"}]}, "spec": template,
        "status": {"containerStatuses": [{"name": "c", "state": {"running": {"startedAt": started}}}]}}))
}

#[test]
fn a_pod_that_read_an_older_version_is_found() {
    let changed = |field: &str| {
        json!({"metadata": {"managedFields": [
            {"time": "2026-01-02T00:00:00Z", "fieldsV1": {field: {}}},
            {"time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:data": {}}}]}})
    };
    let stale = |spec: &Value, started: &str, field: &str| {
        let pods = vec![pod(spec, started), pod(&json!({"containers": []}), started)];
        let found = [(Kind::ConfigMap, "m"), (Kind::Secret, "s")]
            .map(|(kind, name)| ((kind, "demo".to_owned(), name.to_owned()), Some(changed(field))));
        let mut findings = Findings::default();
        super::stale(&Snapshot { pods, ..Snapshot::default() }, &found.into_iter().collect(), &mut findings);
        findings.of("StaleConfiguration")
    };
    let environment = json!({"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "m"}}]}]});
    let found = stale(&environment, "2026-01-01T12:00:00Z", "f:data");
    assert!(found.len() == 1 && found[0].1 == "ConfigMap demo/m", "{found:?}");
    assert!(found[0].2.contains("after 1 pod of StatefulSet f-function read it"), "{found:?}");
    assert!(stale(&environment, "2026-01-02T00:00:01Z", "f:data").is_empty(), "it started later");
    assert!(stale(&environment, "2026-01-01T12:00:00Z", "f:metadata").is_empty(), "its data is as it was");

    let mounted = |path: &str, sub: Value| {
        json!({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "s"}}],
            "volumeMounts": [{"name": "v", "mountPath": path, "subPath": sub}]}],
            "volumes": [{"name": "v", "secret": {"secretName": "s"}}]})
    };
    assert_eq!(stale(&mounted("/x", json!("p")), "2026-01-01T12:00:00Z", "f:data").len(), 1, "by subPath");
    assert!(
        stale(&mounted(RENEWED, json!(null)), "2026-01-01T12:00:00Z", "f:data").is_empty(),
        "the instance reads a renewed token"
    );
}

#[test]
fn data_does_not_outlive_the_examination() {
    let mut found: Found = [secret("a", &[("k", "c4n4ry")])].into_iter().collect();
    without_data(&mut found);
    assert!(found.values().flatten().all(|object| object.get("data").is_none()), "{found:?}");
}
