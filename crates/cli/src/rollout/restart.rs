//! A restart that a user asks for, by annotation of the object.

use crate::cluster::controllers::Controller;
use crate::cluster::item::Item;
use crate::cluster::kubectl::Connection;
use anyhow::Result;
use functionmesh_api::constants::{ANNOTATION_MANAGED, ANNOTATION_PAUSE_ROLLOUT, ANNOTATION_RESTARTED_AT};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

/// The time of a restart that is asked for now, as `kubectl rollout restart` writes it.
pub(super) fn now() -> Result<String> {
    Ok(Timestamp::from_second(Timestamp::now().as_second())?.to_string())
}

/// The controllers, as far as they may be read: without them, no restart is known to be held back by one.
pub(super) fn controllers(cluster: &Connection) -> Vec<Controller> {
    let deployments = cluster.objects(&["deployments.apps", "--all-namespaces"]);
    deployments.map(|deployments| Controller::among(&deployments)).unwrap_or_default()
}

/// Why an object would not restart, with what to do about it.
pub(super) fn obstacle(item: &Item, controllers: &[Controller]) -> Option<String> {
    let mut watching = controllers
        .iter()
        .filter(|controller| controller.is_of(&item.kind) && controller.watches(&item.namespace))
        .peekable();
    // Of a label selector nothing is known: one that does not pause may be the one that reconciles it.
    let pausing = watching.peek().copied().filter(|_| watching.all(|controller| controller.pauses));
    if item.annotation(ANNOTATION_PAUSE_ROLLOUT) == Some("true") {
        Some(format!("{item}: its rollout is paused; use `kubectl fmesh resume` first"))
    } else if item.annotation(ANNOTATION_MANAGED) == Some("false") {
        Some(format!("{item}: the controllers do not manage it (annotation {ANNOTATION_MANAGED})"))
    } else {
        let flag = |controller: &Controller| {
            format!(
                "{item}: Deployment {}/{} pauses the rollouts of all objects; remove its flag --pause-rollout first",
                controller.namespace, controller.name
            )
        };
        pausing.map(flag)
    }
}

/// Whether the pods of an object were all replaced since a restart was asked for.
///
/// # Errors
/// When kubectl fails.
pub(super) fn is_done(item: &Item, time: &str, cluster: &Connection) -> Result<bool> {
    let name = format!("{}-{}", item.name, item.kind.to_lowercase());
    let words = ["statefulsets.apps", &name, "--namespace", &item.namespace, "--ignore-not-found"];
    let set = cluster.objects_if_any(&words)?.pop();
    Ok(set.is_some_and(|set| is_replaced(&set, time)))
}

fn is_replaced(set: &Value, time: &str) -> bool {
    let number = |pointer| set.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let annotations = set.pointer("/spec/template/metadata/annotations");
    let wanted = number("/spec/replicas");
    annotations.is_some_and(|all| all[ANNOTATION_RESTARTED_AT] == time)
        && number("/status/observedGeneration") >= number("/metadata/generation")
        && number("/status/updatedReplicas") == wanted
        && number("/status/availableReplicas") == wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_time_is_one_that_can_be_read() {
        let now = now().unwrap();
        assert!(now.parse::<Timestamp>().is_ok() && now.ends_with('Z') && !now.contains('.'), "{now}");
    }

    #[test]
    fn pods_are_replaced_when_all_are_of_the_newest_template() {
        let set = |time: &str, updated: i64| {
            json!({"metadata": {"generation": 2},
                "spec": {"replicas": 2, "template": {"metadata": {"annotations": {ANNOTATION_RESTARTED_AT: time}}}},
                "status": {"observedGeneration": 2, "updatedReplicas": updated, "availableReplicas": 2}})
        };
        assert!(is_replaced(&set("now", 2), "now"));
        assert!(!is_replaced(&set("now", 1), "now"));
        assert!(!is_replaced(&set("before", 2), "now"));
    }

    #[test]
    fn what_is_paused_is_not_restarted() {
        let item = |annotations: Value| {
            Item::of(
                json!({"kind": "Function", "metadata": {"name": "a", "namespace": "b", "annotations": annotations}}),
            )
        };
        let of = |name: &str, args: &[&str]| {
            let deployment = json!({"metadata": {"namespace": "fm", "name": name, "labels": {
                    "app.kubernetes.io/part-of": "function-mesh", "app.kubernetes.io/name": name}},
                "spec": {"template": {"spec": {"containers": [{"name": "c", "args": args}]}}}});
            Controller::of(&deployment).unwrap()
        };
        let plain = of("function-controller", &["--watched-namespace=b"]);
        let known = [plain.clone(), of("sink-controller", &["--pause-rollout"])];
        assert_eq!(obstacle(&item(json!({})), &known), None);
        let paused = obstacle(&item(json!({ANNOTATION_PAUSE_ROLLOUT: "true"})), &known).unwrap();
        assert!(paused.contains("kubectl fmesh resume"), "{paused}");
        assert!(obstacle(&item(json!({ANNOTATION_MANAGED: "false"})), &known).is_some());

        let pausing = of("function-controller", &["--pause-rollout"]);
        let paused = obstacle(&item(json!({})), std::slice::from_ref(&pausing)).unwrap();
        assert!(paused.contains("fm/function-controller") && paused.contains("--pause-rollout"), "{paused}");
        assert_eq!(obstacle(&item(json!({})), &[pausing, plain]), None, "another one may reconcile it");
        assert_eq!(obstacle(&item(json!({})), &[]), None, "nothing is known");
    }
}
