//! Detects a pod on a lost node (docs/decisions/0029-lost-nodes-are-detected-from-pods.md).
//!
//! Kubernetes replaces a pod of a StatefulSet only after its node removed it, or after a user marked the node as out of service.
//! Only the pod is read, so no permission on nodes is needed.

use crate::health::diagnosis::Diagnosis;
use crate::health::reason::Reason;
use crate::observed::pod_status::Status;
use crate::time::after;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::core::ObjectMeta;

/// Time for a kubelet to remove a pod after its grace period, in which volumes are unmounted.
const REMOVAL: SignedDuration = SignedDuration::from_secs(30);

/// From when on a pod counts as lost with its node, and the message.
pub(crate) fn lost(metadata: &ObjectMeta, node: &str, status: &Status) -> Option<(Timestamp, Diagnosis)> {
    // Without a node nothing is lost; and if the kubelet has terminated the containers, something else keeps the pod.
    if node.is_empty() || is_held(metadata, status) {
        return None;
    }
    let pod = metadata.name.as_deref().unwrap_or_default();
    let (from, what) = if let Some(since) = stopped_reporting(status) {
        // The same message before and after Kubernetes evicts the pod.
        (since, format!("does not report, and pod {pod} is on it"))
    } else {
        // The deletion timestamp includes the grace period. Draining a node and preemption end the pod before it.
        let deleted = metadata.deletion_timestamp.as_ref()?;
        (after(deleted.0, REMOVAL), format!("did not remove pod {pod} within its grace period"))
    };
    let message = format!(
        "node {node} {what}: Kubernetes replaces the pod once the node is back, or once you mark the node as out of service: \
         kubectl taint nodes {node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
    );
    Some((from, Diagnosis { reason: Reason::NodeLost, message }))
}

/// When the node controller marked the pod because its node does not report: only the status of `Ready` changes. A kubelet never
/// sets `Ready` to false while `ContainersReady` is true without a reason.
fn stopped_reporting(status: &Status) -> Option<Timestamp> {
    let ready = status.conditions.iter().find(|c| c.type_ == "Ready")?;
    let marked = ready.status == "False" && ready.reason.is_empty() && status.is("ContainersReady", "True");
    marked.then(|| ready.last_transition_time.as_ref().map_or(Timestamp::MIN, |time| time.0))
}

fn is_held(metadata: &ObjectMeta, status: &Status) -> bool {
    let ended = matches!(status.phase.as_str(), "Succeeded" | "Failed");
    ended && metadata.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::pods::Pods;
    use crate::observed::pod::PodView;
    use serde_json::{Value, json};

    const DELETED: &str = "2026-01-01T00:01:00Z";
    const MARKED: &str = "2026-01-01T00:00:40Z";

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    /// The combined diagnosis of pods, the first of which has this status and may be deleted.
    fn seen(deleted: bool, finalizers: &[&str], status: &Value) -> Option<(Timestamp, Diagnosis)> {
        let mut object = json!({"metadata": {"name": "f-0", "finalizers": finalizers}, "spec": {"nodeName": "n1"},
            "status": status});
        if deleted {
            object["metadata"]["deletionTimestamp"] = json!(DELETED);
        }
        let mut pod: PodView = serde_json::from_value(object).unwrap();
        pod.prune();
        Pods::of([&pod].into_iter(), None, Timestamp::UNIX_EPOCH).lost
    }

    fn running(ready: &str, containers: &str, reason: &str) -> Value {
        json!({"phase": "Running", "conditions": [
            {"type": "Ready", "status": ready, "reason": reason, "lastTransitionTime": MARKED},
            {"type": "ContainersReady", "status": containers}]})
    }

    #[test]
    fn a_pod_that_outlives_its_grace_period_is_lost() {
        let mut status = running("True", "True", "");
        let (from, diagnosis) = seen(true, &[], &status).unwrap();
        assert_eq!(from, at("2026-01-01T00:01:30Z"));
        assert_eq!(diagnosis.reason, Reason::NodeLost);
        assert_eq!(
            diagnosis.message,
            "node n1 did not remove pod f-0 within its grace period: Kubernetes replaces the pod once the node is back, or \
             once you mark the node as out of service: kubectl taint nodes n1 \
             node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
        );
        // The reason does not matter: the taint manager, an eviction, the scheduler, the kubelet or a user deleted the pod.
        for reason in [
            "DeletionByTaintManager",
            "EvictionByEvictionAPI",
            "PreemptionByScheduler",
            "TerminationByKubelet",
        ] {
            let disrupted = json!({"type": "DisruptionTarget", "status": "True", "reason": reason});
            status["conditions"].as_array_mut().unwrap().push(disrupted);
            assert_eq!(seen(true, &[], &status), Some((from, diagnosis.clone())), "{reason}");
        }
    }

    #[test]
    fn a_pod_marked_by_the_controller_of_nodes_is_lost_at_once() {
        let marked = running("False", "True", "");
        let (from, diagnosis) = seen(false, &[], &marked).unwrap();
        assert_eq!(from, at(MARKED));
        assert_eq!(
            seen(true, &[], &marked),
            Some((from, diagnosis.clone())),
            "nothing new when it is evicted"
        );
        assert!(
            diagnosis.message.starts_with("node n1 does not report, and pod f-0 is on it: "),
            "{}",
            diagnosis.message
        );
    }

    #[test]
    fn other_pods_are_not_lost() {
        assert_eq!(seen(false, &[], &running("True", "True", "")), None);
        assert_eq!(seen(false, &[], &running("False", "False", "ContainersNotReady")), None);
        assert_eq!(seen(false, &[], &running("False", "True", "ReadinessGatesNotReady")), None);
        // A cordoned node, a pod that an eviction will delete, and one that the scheduler will preempt.
        let mut disrupted = running("True", "True", "");
        let target = json!({"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"});
        disrupted["conditions"].as_array_mut().unwrap().push(target);
        assert_eq!(seen(false, &[], &disrupted), None);
        // Kept by a finalizer after its containers ended.
        assert_eq!(seen(true, &["example.com/hold"], &json!({"phase": "Succeeded"})), None);
        // Never scheduled to a node.
        let mut pod: PodView = serde_json::from_value(
            json!({"metadata": {"name": "f-0", "deletionTimestamp": DELETED}, "status": {"phase": "Pending"}}),
        )
        .unwrap();
        pod.prune();
        assert_eq!(Pods::of([&pod].into_iter(), None, Timestamp::UNIX_EPOCH).lost, None);
    }
}
