use super::*;
use crate::observed::statefulset::{StatefulSetSpecView, StatefulSetStatusView};
use crate::status::status;
use kube::core::ObjectMeta;
use std::collections::BTreeMap;

const MADE: &str = "2026-01-01T00:00:00Z";

fn at(seconds: i64) -> Timestamp {
    MADE.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn waiting(wanted: i32, live: i32) -> Outcome {
    Outcome::Applied {
        stateful_set: Box::new(StatefulSetView {
            metadata: ObjectMeta {
                name: Some("f-function".to_owned()),
                namespace: Some("ns".to_owned()),
                generation: Some(1),
                ..ObjectMeta::default()
            },
            spec: StatefulSetSpecView { replicas: wanted, ..StatefulSetSpecView::default() },
            status: StatefulSetStatusView {
                observed_generation: 1,
                replicas: live,
                ..StatefulSetStatusView::default()
            },
            ..StatefulSetView::default()
        }),
        recorded: None,
        selector: BTreeMap::new(),
        notices: Vec::new(),
        blocked: None,
        failed: None,
    }
}

/// The readiness after some seconds, and the status that follows.
fn judged(
    before: &ComponentStatus,
    outcome: &Outcome,
    pods: &Pods,
    seconds: i64,
) -> (Readiness, ComponentStatus) {
    let now = Time(at(seconds));
    let readiness = Readiness::of(outcome, pods, before, Some(1), &now);
    let after = status(before, outcome, &readiness, Some(1), &now);
    (readiness, after)
}

fn condition(status: &ComponentStatus, type_: &str) -> (String, String, String) {
    let c = status.conditions.get(type_).unwrap();
    (c.status.clone(), c.reason.clone(), c.message.clone())
}

fn seconds(again: Option<Duration>) -> Option<u64> {
    again.map(|wait| wait.as_secs())
}

#[test]
fn a_roll_out_has_a_deadline() {
    let diagnosis = Diagnosis { reason: Reason::BrokerUnreachable, message: "no broker".to_owned() };
    let pods = Pods { number: 1, diagnosis: Some(diagnosis), youngest: Some(at(10)), ..Pods::default() };
    let (readiness, status) = judged(&ComponentStatus::default(), &waiting(1, 1), &pods, 10);
    assert_eq!(seconds(readiness.again), Some(600), "to be looked at when its time is over");
    assert_eq!(condition(&status, PROGRESSING).0, "True");
    let (readiness, late) = judged(&status, &waiting(1, 1), &pods, 610);
    assert_eq!(readiness.again, None);
    let want = ("False".to_owned(), "ProgressDeadlineExceeded".to_owned());
    let (status, reason, message) = condition(&late, PROGRESSING);
    assert_eq!((status, reason), want);
    assert_eq!(message, "not available for 600 s: no broker");
    assert_eq!(condition(&late, READY).1, "BrokerUnreachable", "the cause stays");
    // The same after a restart of the controller.
    assert_eq!(judged(&late, &waiting(1, 1), &pods, 5000).1, late);
    // A new pod has its own deadline.
    let renewed = Pods { youngest: Some(at(700)), ..pods };
    let (readiness, again) = judged(&late, &waiting(1, 1), &renewed, 701);
    assert_eq!((condition(&again, PROGRESSING).0.as_str(), seconds(readiness.again)), ("True", Some(599)));
}

#[test]
fn without_pods_the_deadline_counts_from_the_roll_out() {
    let none = Pods::default();
    let (_, status) = judged(&ComponentStatus::default(), &waiting(1, 0), &none, 0);
    let (_, late) = judged(&status, &waiting(1, 0), &none, 600);
    assert_eq!(condition(&late, PROGRESSING).1, "ProgressDeadlineExceeded");
    assert_eq!(judged(&late, &waiting(1, 0), &none, 700).1, late);
    // A change of the object starts a new rollout.
    let changed = Readiness::of(&waiting(1, 0), &none, &late, Some(2), &Time(at(700)));
    assert!(changed.progressing().status && changed.reason == Reason::WaitingForPods);
}

#[test]
fn pods_that_are_not_made_are_suspected_after_a_while() {
    let one = Pods { number: 1, ..Pods::default() };
    let (readiness, status) = judged(&ComponentStatus::default(), &waiting(2, 1), &one, 0);
    assert_eq!((readiness.reason, seconds(readiness.again)), (Reason::WaitingForPods, Some(20)));
    let (readiness, status) = judged(&status, &waiting(2, 1), &one, 20);
    assert_eq!(readiness.reason, Reason::PodsNotCreated);
    let message = condition(&status, READY).2;
    assert!(message.starts_with("some pods do not exist: "), "{message}");
    assert!(message.ends_with("kubectl -n ns describe statefulset f-function"), "{message}");
    let both = Pods { number: 2, ..Pods::default() };
    assert_eq!(judged(&status, &waiting(2, 2), &both, 30).0.reason, Reason::WaitingForPods);
    // A StatefulSet that its controller has not observed yet says nothing about its pods.
    let mut unseen = waiting(2, 0);
    if let Outcome::Applied { stateful_set, .. } = &mut unseen {
        stateful_set.status.observed_generation = 0;
    }
    assert_eq!(judged(&status, &unseen, &Pods::default(), 40).0.reason, Reason::WaitingForPods);
}

#[test]
fn a_suspicion_counts_only_without_a_cause_and_from_its_time_on() {
    let suspected = Diagnosis { reason: Reason::VolumesNotReady, message: "v".to_owned() };
    let pods = Pods {
        number: 1,
        diagnosis: None,
        youngest: Some(at(0)),
        later: Some((at(30), suspected)),
        ..Pods::default()
    };
    let (readiness, status) = judged(&ComponentStatus::default(), &waiting(1, 1), &pods, 5);
    assert_eq!((readiness.reason, seconds(readiness.again)), (Reason::WaitingForPods, Some(25)));
    assert_eq!(judged(&status, &waiting(1, 1), &pods, 30).0.reason, Reason::VolumesNotReady);
    let diagnosis = Diagnosis { reason: Reason::CrashLoop, message: "c".to_owned() };
    let known = Pods { diagnosis: Some(diagnosis), ..pods };
    assert_eq!(judged(&status, &waiting(1, 1), &known, 30).0.reason, Reason::CrashLoop);
}

#[test]
fn a_pod_that_ran_for_long_has_its_time_when_it_fails() {
    let old = Pods { number: 1, youngest: Some(at(0)), ..Pods::default() };
    let mut available = waiting(1, 1);
    if let Outcome::Applied { stateful_set, .. } = &mut available {
        (stateful_set.status.available_replicas, stateful_set.status.updated_replicas) = (1, 1);
    }
    let weeks = 3_000_000;
    let (_, status) = judged(&ComponentStatus::default(), &available, &Pods::default(), weeks);
    assert_eq!(condition(&status, PROGRESSING).1, "Complete");
    let diagnosis = Diagnosis { reason: Reason::CrashLoop, message: "c".to_owned() };
    let failing = Pods { diagnosis: Some(diagnosis), ..old };
    let (readiness, status) = judged(&status, &waiting(1, 1), &failing, weeks);
    assert_eq!(
        (condition(&status, "Reconciling").1.as_str(), seconds(readiness.again)),
        ("CrashLoop", Some(600))
    );
    // Unchanged a minute later, for a restarted controller.
    assert_eq!(judged(&status, &waiting(1, 1), &failing, weeks + 60).1, status);
    let (_, status) = judged(&status, &waiting(1, 1), &failing, weeks + 600);
    assert_eq!(condition(&status, "Stalled").1, "ProgressDeadlineExceeded");
}

#[test]
fn a_tool_that_waits_reads_at_most_one_of_two_conditions() {
    let types = |status: &ComponentStatus| {
        let list = status.conditions.list().iter();
        list.map(|c| format!("{}={}", c.type_, c.status)).collect::<Vec<_>>().join(" ")
    };
    let (_, status) = judged(&ComponentStatus::default(), &waiting(1, 0), &Pods::default(), 0);
    assert_eq!(types(&status), "Progressing=True Ready=False Reconciling=True");
    let refused = Outcome::refused(Reason::Invalid, "spec.java: must be set".to_owned());
    let (_, status) = judged(&status, &refused, &Pods::default(), 1);
    assert_eq!(types(&status), "Progressing=False Ready=False Stalled=True");
    assert_eq!(condition(&status, "Stalled").2, "spec.java: must be set");
    let (_, status) = judged(&status, &waiting(0, 0), &Pods::default(), 2);
    assert_eq!(types(&status), "Progressing=False Ready=True");
}

/// The previous release wrote neither `Reconciling` nor `Stalled`.
#[test]
fn a_status_of_the_release_before_is_written_again_only_where_it_is_not_ready() {
    let old = |status: &ComponentStatus| {
        let list =
            status.conditions.list().iter().filter(|c| matches!(c.type_.as_str(), "Ready" | "Progressing"));
        ComponentStatus { conditions: status.conditions.with(list.cloned().collect()), ..status.clone() }
    };
    let refused = Outcome::refused(Reason::Invalid, "spec.java: must be set".to_owned());
    for (outcome, writes) in [(waiting(0, 0), false), (waiting(1, 0), true), (refused, true)] {
        let (_, status) = judged(&ComponentStatus::default(), &outcome, &Pods::default(), 0);
        let (_, upgraded) = judged(&old(&status), &outcome, &Pods::default(), 10);
        assert_eq!(upgraded != old(&status), writes);
        assert_eq!(judged(&upgraded, &outcome, &Pods::default(), 15).1, upgraded, "once");
    }
}

#[test]
fn a_lost_node_is_named_from_its_time_on_whatever_else_is_known() {
    let lost = Diagnosis { reason: Reason::NodeLost, message: "node n1".to_owned() };
    let other = Diagnosis { reason: Reason::BrokerUnreachable, message: "no broker".to_owned() };
    let pods = Pods { number: 2, diagnosis: Some(other), lost: Some((at(60), lost)), ..Pods::default() };
    let (readiness, status) = judged(&ComponentStatus::default(), &waiting(2, 2), &pods, 0);
    assert_eq!((readiness.reason, seconds(readiness.again)), (Reason::BrokerUnreachable, Some(60)));
    let (readiness, status) = judged(&status, &waiting(2, 2), &pods, 60);
    assert_eq!((readiness.reason, seconds(readiness.again)), (Reason::NodeLost, Some(540)));
    assert_eq!(condition(&status, "Reconciling").2, "node n1");
    // A scale-down that removes the lost pod waits for it as well.
    assert_eq!(judged(&status, &waiting(1, 2), &pods, 61).0.reason, Reason::NodeLost);
}
