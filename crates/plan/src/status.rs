//! The status of a Function, Source or Sink, derived from the outcome of the reconcile and the caches. Pure.

use crate::conditions::{CLEANUP_PENDING, MISSING, UNSAFE_SETTINGS, UPDATE_AVAILABLE};
use crate::health::readiness::Readiness;
use crate::health::reason::Reason;
use crate::observed::statefulset::StatefulSetView;
use crate::outcome::{FailedWrite, Outcome};
use functionmesh_api::condition::{self, DesiredCondition, STALLED};
use functionmesh_api::condition::{READY, RECONCILE_FAILED};
use functionmesh_api::status::{ComponentStatus, Conditions};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::core::ObjectMeta;

/// Derives the status from the readiness about the same outcome.
pub fn status(
    previous: &ComponentStatus,
    outcome: &Outcome,
    readiness: &Readiness,
    generation: Option<i64>,
    now: &Time,
) -> ComponentStatus {
    let mut next = match outcome {
        // Running pods are unaffected; their numbers stay unless newer ones are known.
        Outcome::Refused { written, live, .. } => {
            let stateful_set = written.as_deref().cloned().or_else(|| previous.stateful_set.clone());
            let known = live.as_ref().map_or_else(|| previous.clone(), |live| numbers(live));
            ComponentStatus { stateful_set, selector: previous.selector.clone(), ..known }
        }
        Outcome::CleanupPending { .. } => previous.clone(),
        Outcome::Applied { stateful_set, recorded, selector, .. } => ComponentStatus {
            selector: Some(selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")),
            stateful_set: recorded.as_deref().cloned(),
            ..numbers(stateful_set)
        },
    };
    next.observed_generation = generation;
    let mut desired = readiness.conditions();
    match outcome {
        Outcome::Applied { notices, failed, .. } => {
            desired.extend(notices.iter().cloned());
            let condition_of = |failed: &FailedWrite, type_| DesiredCondition {
                type_,
                status: true,
                reason: failed.reason.to_string(),
                message: failed.message.clone(),
            };
            desired.extend(failed.iter().map(|failed| condition_of(failed, RECONCILE_FAILED)));
            // For tools that wait: the pods run, but a user has to fix another part of the object.
            let helpless =
                failed.as_ref().filter(|failed| failed.reason.is_terminal() && readiness.ready().status);
            desired.extend(helpless.map(|failed| condition_of(failed, STALLED)));
        }
        Outcome::CleanupPending { reason, message } => desired.push(DesiredCondition {
            type_: CLEANUP_PENDING,
            status: true,
            reason: reason.to_string(),
            message: message.clone(),
        }),
        Outcome::Refused { .. } => {}
    }
    next.conditions = Conditions::from(condition::set(previous.conditions.list(), desired, generation, now));
    next
}

/// Whether the pods once matched a generation of the object, whatever happened to them later.
pub fn is_current(status: &ComponentStatus, generation: Option<i64>) -> bool {
    let is_refusal = |c: &Condition| Reason::ALL.iter().any(|r| r.is_refusal() && r.as_str() == c.reason);
    status.observed_generation == generation && status.conditions.get(READY).is_some_and(|c| !is_refusal(c))
}

/// Whether the last writer of the status had observed the newest spec; true if the status does not say.
pub fn is_observed(status: &ComponentStatus, object: &ObjectMeta) -> bool {
    status.observed_generation.is_none() || status.observed_generation == object.generation
}

/// The failed write, if the pods match the spec.
pub fn failed_before(status: &ComponentStatus) -> Option<FailedWrite> {
    let condition = status.conditions.get(RECONCILE_FAILED)?;
    let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == condition.reason)?;
    Some(FailedWrite { reason, message: condition.message.clone() })
}

/// The conditions of a status that a failed write does not affect.
pub fn notices(status: &ComponentStatus) -> Vec<DesiredCondition> {
    let kept = [UPDATE_AVAILABLE, MISSING, UNSAFE_SETTINGS].into_iter().filter_map(|type_| {
        let condition = status.conditions.get(type_)?;
        let (reason, message) = (condition.reason.clone(), condition.message.clone());
        Some(DesiredCondition { type_, status: condition.status == "True", reason, message })
    });
    kept.collect()
}

/// The numbers of replicas.
fn numbers(stateful_set: &StatefulSetView) -> ComponentStatus {
    let live = &stateful_set.status;
    ComponentStatus {
        // As in the Go operator: the autoscaler reads the desired number.
        replicas: Some(stateful_set.spec.replicas),
        // Both count available pods, not merely ready ones: a pod in a crash loop changes neither.
        ready_replicas: Some(live.available_replicas),
        updated_replicas: Some(live.updated_replicas.min(live.available_replicas)),
        ..ComponentStatus::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::diagnosis::Diagnosis;
    use crate::health::pods::Pods;
    use crate::observed::statefulset::{StatefulSetSpecView, StatefulSetStatusView};
    use std::collections::BTreeMap;

    fn applied(desired: i32, live: StatefulSetStatusView) -> Outcome {
        Outcome::Applied {
            stateful_set: Box::new(StatefulSetView {
                metadata: ObjectMeta { generation: Some(2), ..ObjectMeta::default() },
                spec: StatefulSetSpecView { replicas: desired, ..StatefulSetSpecView::default() },
                status: live,
                ..StatefulSetView::default()
            }),
            recorded: None,
            selector: BTreeMap::from([("a".to_owned(), "b".to_owned()), ("c".to_owned(), "d".to_owned())]),
            notices: Vec::new(),
            blocked: None,
            failed: None,
        }
    }

    fn derived(
        previous: &ComponentStatus,
        outcome: &Outcome,
        diagnosis: Option<&Diagnosis>,
        generation: i64,
    ) -> ComponentStatus {
        let (pods, now) = (
            Pods { diagnosis: diagnosis.cloned(), ..Pods::default() },
            Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH),
        );
        let readiness = Readiness::of(outcome, &pods, previous, Some(generation), &now);
        status(previous, outcome, &readiness, Some(generation), &now)
    }

    fn ready_of(outcome: &Outcome, diagnosis: Option<&Diagnosis>) -> (String, String) {
        let status = derived(&ComponentStatus::default(), outcome, diagnosis, 3);
        let ready = status.conditions.list().iter().find(|c| c.type_ == READY).unwrap();
        assert_eq!(ready.observed_generation, Some(3));
        (ready.status.clone(), ready.reason.clone())
    }

    fn full(n: i32) -> StatefulSetStatusView {
        StatefulSetStatusView {
            observed_generation: 2,
            replicas: n,
            available_replicas: n,
            updated_replicas: n,
            update_revision: None,
        }
    }

    #[test]
    fn ready_only_when_all_replicas_run_the_newest_template() {
        let yes = ("True".to_owned(), "AllReplicasAvailable".to_owned());
        let waiting = ("False".to_owned(), "WaitingForPods".to_owned());
        assert_eq!(ready_of(&applied(2, full(2)), None), yes);
        assert_eq!(ready_of(&applied(2, full(1)), None), waiting);
        assert_eq!(ready_of(&applied(1, full(2)), None), waiting, "one pod too many is still terminating");
        let old_template = StatefulSetStatusView { updated_replicas: 1, ..full(2) };
        assert_eq!(ready_of(&applied(2, old_template), None), waiting);
        let not_seen = StatefulSetStatusView { observed_generation: 1, ..full(2) };
        assert_eq!(ready_of(&applied(2, not_seen), None), waiting);
        let not_available = StatefulSetStatusView { available_replicas: 1, ..full(2) };
        assert_eq!(ready_of(&applied(2, not_available), None), waiting);
    }

    #[test]
    fn zero_replicas_are_ready_when_none_is_left() {
        assert_eq!(ready_of(&applied(0, full(0)), None), ("True".to_owned(), "ScaledToZero".to_owned()));
        assert_eq!(ready_of(&applied(0, full(1)), None).0, "False");
    }

    #[test]
    fn the_cause_from_the_pods_is_shown_only_while_not_ready() {
        let diagnosis =
            Diagnosis { reason: Reason::CrashLoop, message: "container x ended with exit code 0".to_owned() };
        assert_eq!(ready_of(&applied(1, full(0)), Some(&diagnosis)).1, "CrashLoop");
        assert_eq!(ready_of(&applied(1, full(1)), Some(&diagnosis)).1, "AllReplicasAvailable");
    }

    #[test]
    fn the_selector_is_the_text_of_the_scale_subresource() {
        let status = derived(&ComponentStatus::default(), &applied(1, full(1)), None, 1);
        assert_eq!(status.selector.as_deref(), Some("a=b,c=d"));
        assert_eq!(status.replicas, Some(1));
    }

    #[test]
    fn a_refused_object_keeps_its_numbers() {
        let before = derived(&ComponentStatus::default(), &applied(2, full(2)), None, 1);
        let refused = Outcome::refused(Reason::Invalid, "spec.java: must be set".to_owned());
        let after = derived(&before, &refused, None, 2);
        assert_eq!((after.ready_replicas, after.observed_generation), (Some(2), Some(2)));
        assert_eq!(ready_of(&refused, None), ("False".to_owned(), "Invalid".to_owned()));
    }
}
