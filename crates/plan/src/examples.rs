//! A status for each reason, as the controllers write it, for tests with tools that read it.

use crate::conditions::{MISSING, UNSAFE_SETTINGS, UPDATE_AVAILABLE};
use crate::health::diagnosis::Diagnosis;
use crate::health::pods::Pods;
use crate::health::readiness::Readiness;
use crate::health::reason::Reason;
use crate::observed::statefulset::{StatefulSetSpecView, StatefulSetStatusView, StatefulSetView};
use crate::outcome::{FailedWrite, Outcome};
use crate::status::status;
use functionmesh_api::condition::RECONCILE_FAILED;
use functionmesh_api::condition::{DesiredCondition, Health};
use functionmesh_api::status::ComponentStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// The status for a reason at first, and an hour later without further events.
pub fn statuses(reason: Reason) -> [ComponentStatus; 2] {
    let (outcome, diagnosis) = outcome(reason);
    let (mut before, began) = (ComponentStatus::default(), now());
    let pods = Pods { diagnosis, youngest: Some(began.0), number: 1, ..Pods::default() };
    let later = began.0.checked_add(SignedDuration::from_secs(3600)).unwrap_or(began.0);
    [began.0, later].map(|now| {
        let now = Time(now);
        let readiness = Readiness::of(&outcome, &pods, &before, Some(1), &now);
        before = status(&before, &outcome, &readiness, Some(1), &now);
        before.clone()
    })
}

/// A status that has the reason in a condition.
pub fn status_with(reason: Reason) -> ComponentStatus {
    let [first, late] = statuses(reason);
    if reason == Reason::ProgressDeadlineExceeded { late } else { first }
}

/// The outcome for a reason, with a diagnosis of the pods if the reason is one.
fn outcome(reason: Reason) -> (Outcome, Option<Diagnosis>) {
    let message = format!("an example of {reason}");
    match (reason, reason.health()) {
        (Reason::ScaledToZero, _) => (applied(0, 0), None),
        (Reason::AllReplicasAvailable | Reason::Complete, _) => (applied(1, 1), None),
        (Reason::ApiMissing, _) => {
            let reason = reason.to_string();
            (with_notice(DesiredCondition { type_: MISSING, status: true, reason, message }), None)
        }
        (Reason::ApplyFailed, _) => (Outcome::refused(reason, message), None),
        (Reason::WaitingForPods | Reason::ProgressDeadlineExceeded, _) => (applied(1, 0), None),
        (Reason::SettingsRefused, _) => {
            let reason = reason.to_string();
            (with_notice(DesiredCondition { type_: UNSAFE_SETTINGS, status: true, reason, message }), None)
        }
        (_, Health::Current) => {
            let reason = reason.to_string();
            (with_notice(DesiredCondition { type_: UPDATE_AVAILABLE, status: true, reason, message }), None)
        }
        (_, Health::InProgress) => (applied(1, 0), Some(Diagnosis { reason, message })),
        (_, Health::Failed) => (Outcome::refused(reason, message), None),
        (_, Health::Terminating) => (Outcome::CleanupPending { reason, message }, None),
    }
}

/// An arbitrary time.
fn now() -> Time {
    Time(Timestamp::UNIX_EPOCH)
}

fn with_notice(notice: DesiredCondition) -> Outcome {
    let mut outcome = applied(1, 1);
    if let Outcome::Applied { notices, .. } = &mut outcome {
        notices.push(notice);
    }
    outcome
}

fn applied(wanted: i32, live: i32) -> Outcome {
    Outcome::Applied {
        stateful_set: Box::new(StatefulSetView {
            spec: StatefulSetSpecView { replicas: wanted, ..StatefulSetSpecView::default() },
            status: StatefulSetStatusView {
                replicas: live,
                available_replicas: live,
                updated_replicas: live,
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

/// The status while the pods run and another write fails for this reason.
pub fn failing(reason: Reason) -> Option<ComponentStatus> {
    let mut outcome = applied(1, 1);
    let is_documented = reason.docs().conditions.iter().any(|(type_, _)| *type_ == RECONCILE_FAILED);
    if let Outcome::Applied { failed, .. } = &mut outcome {
        *failed = Some(FailedWrite { reason, message: format!("an example of {reason}") })
            .filter(|_| is_documented);
    }
    let (before, now) = (ComponentStatus::default(), now());
    let readiness = Readiness::of(&outcome, &Pods::default(), &before, Some(1), &now);
    is_documented.then(|| status(&before, &outcome, &readiness, Some(1), &now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use functionmesh_api::condition::{RECONCILING, STALLED};
    use std::collections::BTreeSet;

    /// Every way to a status, with every possible reason.
    #[test]
    fn the_conditions_are_those_that_are_explained() {
        let mut found = BTreeSet::new();
        for status in
            Reason::ALL.into_iter().flat_map(statuses).chain(Reason::ALL.into_iter().filter_map(failing))
        {
            let types: Vec<_> = status.conditions.list().iter().map(|c| c.type_.as_str()).collect();
            assert!(!(types.contains(&RECONCILING) && types.contains(&STALLED)), "{types:?}");
            for c in status.conditions.list() {
                found.insert((c.type_.clone(), c.status == "True", c.reason.clone()));
            }
        }
        let docs: BTreeSet<_> = Reason::ALL
            .into_iter()
            .flat_map(|reason| {
                let conditions = reason.docs().conditions.iter();
                conditions.map(move |(type_, status)| ((*type_).to_owned(), *status, reason.to_string()))
            })
            .collect();
        assert_eq!(found, docs);
    }

    #[test]
    fn each_reason_has_an_example() {
        for reason in Reason::ALL {
            let status = status_with(reason);
            let mut conditions = status.conditions.list().iter();
            assert!(conditions.any(|c| c.reason == reason.as_str()), "{reason}: {status:?}");
        }
    }
}
