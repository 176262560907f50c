use super::*;
use crate::cause::Cause;
use crate::children::{StatefulSetSpecView, StatefulSetStatusView, StatefulSetView};
use crate::pods::Pods;
use crate::status::{Outcome, UPDATE_AVAILABLE, status};
use crate::verdict::Verdict;
use crate::vertical;
use functionmesh_api::status::ComponentStatus;
use functionmesh_runtime::condition::{self, Wanted};
use k8s_openapi::jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn every_reason_is_there_once() {
    for (index, reason) in Reason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index, "{reason}");
        let explained = reason.explained();
        for text in [explained.meaning, explained.check, explained.advice] {
            assert!(!text.is_empty(), "{reason} is not explained");
        }
    }
}

fn applied(wanted: i32, live: i32) -> Outcome {
    Outcome::Applied {
        stateful_set: Box::new(StatefulSetView {
            spec: StatefulSetSpecView { replicas: wanted },
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
    }
}

/// Every way to a status, with every reason that can be given.
#[test]
fn the_conditions_are_those_that_a_status_has() {
    let waiting = Reason::ALL.into_iter().filter(|r| r.explained().conditions == WAITING).map(|reason| {
        let (reason, message) = (reason.to_string(), String::new());
        let mut held = applied(1, 1);
        if let Outcome::Applied { notices, .. } = &mut held {
            notices.extend([
                Wanted { type_: UPDATE_AVAILABLE, status: true, reason, message },
                vertical::missing(),
            ]);
        }
        held
    });
    let outcomes =
        [applied(0, 0), applied(1, 1), applied(1, 0)].into_iter().chain(waiting).map(|o| (o, None));
    let pending = [Reason::CleanupRunning, Reason::CleanupFailed]
        .map(|reason| (Outcome::CleanupPending { reason, message: String::new() }, None));
    let causes = Reason::ALL.into_iter().filter(|r| r.explained().conditions == UNDER_WAY);
    let causes = causes.map(|reason| (applied(1, 0), Some(Cause { reason, message: String::new() })));
    let refused = Reason::ALL.into_iter().filter(|r| r.explained().conditions == STOPPED);
    let refused = refused.map(|reason| (Outcome::refused(reason, String::new()), None));
    let mut found = BTreeSet::new();
    for (outcome, cause) in outcomes.chain(causes).chain(refused).chain(pending) {
        let (before, now) = (ComponentStatus::default(), condition::now());
        // Made just now, and long ago.
        for youngest in [now.0, now.0 - SignedDuration::from_secs(3600)] {
            let pods = Pods { cause: cause.clone(), youngest: Some(youngest), number: 1, later: None };
            let verdict = Verdict::of(&outcome, &pods, &before, Some(1), &now);
            let status = status(&before, &outcome, &verdict, Some(1), &now);
            for c in status.conditions.list() {
                found.insert((c.type_.clone(), c.status == "True", c.reason.clone()));
            }
        }
    }
    let explained: BTreeSet<_> = Reason::ALL
        .into_iter()
        .flat_map(|reason| {
            let conditions = reason.explained().conditions.iter();
            conditions.map(move |(type_, status)| ((*type_).to_owned(), *status, reason.to_string()))
        })
        .collect();
    assert_eq!(found, explained);
}
