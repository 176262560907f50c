//! Controllers: objects without one, objects with two, deletions that nobody completes.

use super::finding::{Findings, Severity, few};
use super::snapshot::Snapshot;
use crate::cluster::controllers::{Controller, Make};
use crate::cluster::item::Item;
use crate::terminal::plural;
use functionmesh_api::constants::{ANNOTATION_MANAGED, FINALIZER_CLEANUP};
use serde_json::Value;
use std::collections::BTreeMap;

/// Compares the objects with the controllers of the cluster.
pub(crate) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    let Some(controllers) = &snapshot.controllers else { return };
    clashes(controllers, findings);
    let mut alone: BTreeMap<(&str, &str), Vec<&Item>> = BTreeMap::new();
    for item in &snapshot.items {
        let watching = || controllers.iter().filter(|c| c.is_of(&item.kind) && c.watches(&item.namespace));
        if watching().next().is_none() {
            alone.entry((&item.kind, &item.namespace)).or_default().push(item);
        }
    }
    for ((kind, namespace), items) in alone {
        let names = few(items.iter().map(|item| item.name.as_str()));
        let (held, others): (Vec<&Item>, Vec<&Item>) =
            items.into_iter().partition(|item| has_finalizer(item));
        let remedy = format!(
            "install the controller of {kind} for the namespace {namespace} (watchedNamespaces of the chart); docs/uninstall.md tells how to remove a finalizer"
        );
        if !held.is_empty() {
            let deleted: Vec<&Item> = held.iter().copied().filter(|item| is_deleted(item)).collect();
            if !deleted.is_empty() {
                let number = plural(deleted.len(), "deletion");
                let text = format!(
                    "no controller removes the finalizer {FINALIZER_CLEANUP}: {number} cannot complete"
                );
                let of = few(deleted.iter().map(|item| item.name.as_str()));
                findings.add(Severity::Error, "Finalizer", format!("{kind} {namespace}/{of}"), text, &remedy);
            }
            let number = plural(held.len(), "object");
            let text = format!(
                "no controller removes the finalizer {FINALIZER_CLEANUP} of {number}: a deletion will not complete"
            );
            findings.add(
                Severity::Warning,
                "Finalizer",
                format!("{kind} {namespace}/{names}"),
                text,
                &remedy,
            );
        } else if others.iter().any(|item| item.annotation(ANNOTATION_MANAGED) != Some("false")) {
            let text = format!("no controller reconciles {} of this kind", plural(others.len(), "object"));
            findings.add(
                Severity::Warning,
                "NoController",
                format!("{kind} {namespace}/{names}"),
                text,
                &remedy,
            );
        }
    }
}

fn has_finalizer(item: &Item) -> bool {
    let finalizers = item.object.pointer("/metadata/finalizers").and_then(Value::as_array);
    finalizers.into_iter().flatten().any(|name| name == FINALIZER_CLEANUP)
}

fn is_deleted(item: &Item) -> bool {
    !item.text("/metadata/deletionTimestamp").is_empty()
}

fn clashes(controllers: &[Controller], findings: &mut Findings) {
    let mut go: BTreeMap<(&str, &str, String), Vec<&Controller>> = BTreeMap::new();
    for (i, one) in controllers.iter().enumerate() {
        for other in controllers.iter().skip(i + 1).filter(|other| one.clashes_with(other)) {
            let common = one.common_namespaces(other).unwrap_or_default();
            let (manager, ours) = if one.make == Make::Go { (one, other) } else { (other, one) };
            if manager.make == Make::Go && ours.make == Make::Rust {
                go.entry((&manager.namespace, &manager.name, common)).or_default().push(ours);
                continue;
            }
            let text = format!(
                "and Deployment {}/{} both reconcile the same objects, in {common}",
                other.namespace, other.name
            );
            findings.add(
                Severity::Error,
                "TwoOperators",
                format!("Deployment {}/{}", one.namespace, one.name),
                text,
                "remove one of them, or give them disjoint watchedNamespaces",
            );
        }
    }
    for ((namespace, name, common), ours) in go {
        let ours: Vec<String> = ours.iter().map(|c| format!("{}/{}", c.namespace, c.name)).collect();
        let text = format!(
            "is the Go operator and reconciles the same objects as {}, in {common}",
            few(ours.iter().map(String::as_str))
        );
        findings.add(
            Severity::Error,
            "TwoOperators",
            format!("Deployment {namespace}/{name}"),
            text,
            "scale the Go operator to zero replicas, see docs/migrate.md",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(namespace: &str, name: &str, image: &str, args: &Value) -> Value {
        let ours = json!({"app.kubernetes.io/part-of": "function-mesh", "app.kubernetes.io/name": name});
        let labels = if name == "manager" { json!({}) } else { ours };
        json!({"metadata": {"namespace": namespace, "name": name, "labels": labels},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "image": image, "args": args}]}}}})
    }

    fn found(deployments: &[Value], items: Vec<Value>) -> Findings {
        let mut findings = Findings::default();
        let snapshot = Snapshot {
            items: items.into_iter().map(Item::of).collect(),
            controllers: Some(Controller::among(deployments)),
            ..Snapshot::default()
        };
        check(&snapshot, &mut findings);
        findings
    }

    fn function(name: &str, metadata: Value) -> Value {
        let mut object = json!({"kind": "Function", "metadata": {"name": name, "namespace": "demo"}});
        if let (Some(fields), Value::Object(more)) = (object["metadata"].as_object_mut(), metadata) {
            fields.extend(more);
        }
        object
    }

    #[test]
    fn objects_without_a_controller_are_found_and_their_deletions() {
        let elsewhere =
            deployment("a", "function-controller", "function-mesh:1", &json!(["--watched-namespace=other"]));
        let held = json!({"finalizers": [FINALIZER_CLEANUP]});
        let deleted = json!({"finalizers": [FINALIZER_CLEANUP], "deletionTimestamp": "2026-01-01T00:00:00Z"});
        let findings = found(std::slice::from_ref(&elsewhere), vec![function("f", json!({}))]);
        assert_eq!(findings.of("NoController").len(), 1);
        let findings = found(&[elsewhere], vec![function("f", held.clone()), function("g", deleted)]);
        let found_ = findings.of("Finalizer");
        assert_eq!(found_.len(), 2, "{found_:?}");
        assert!(found_[0].0 == Severity::Error && found_[0].1 == "Function demo/g", "{found_:?}");
        assert_eq!(found_[1].1, "Function demo/f, g");
        let here = deployment("a", "function-controller", "function-mesh:1", &json!([]));
        assert!(found(&[here], vec![function("f", held)]).of("Finalizer").is_empty());
        let unmanaged = json!({"annotations": {ANNOTATION_MANAGED: "false"}});
        assert!(found(&[], vec![function("f", unmanaged)]).of("NoController").is_empty());
    }

    #[test]
    fn two_operators_for_one_namespace_are_found_once() {
        let ours = |namespace: &str| {
            ["function", "sink"].map(|kind| {
                deployment(
                    namespace,
                    &format!("{kind}-controller"),
                    "function-mesh:1",
                    &json!(["--watched-namespace=demo"]),
                )
            })
        };
        let go = deployment("fm", "manager", "streamnative/function-mesh:v0.27.2", &json!([]));
        let findings = found(&[&ours("a")[..], std::slice::from_ref(&go)].concat(), Vec::new());
        let found_ = findings.of("TwoOperators");
        assert!(found_.len() == 1 && found_[0].1 == "Deployment fm/manager", "{found_:?}");
        assert!(found_[0].2.contains("a/function-controller, a/sink-controller, in demo"), "{found_:?}");
        assert_eq!(found(&[ours("a"), ours("b")].concat(), Vec::new()).of("TwoOperators").len(), 2);
        let mut stopped = go;
        stopped["spec"]["replicas"] = json!(0);
        assert!(found(&[&ours("a")[..], &[stopped]].concat(), Vec::new()).of("TwoOperators").is_empty());
    }
}
