//! A status for each reason, as the controller writes it, for tests with tools that read it.

use crate::children::{LiveSpec, ObservedComponent, Owner};
use crate::items::{DesiredComponent, items};
use crate::reason::Reason;
use crate::status::{Problems, status};
use functionmesh_api::condition::Health;
use functionmesh_api::condition::{PROGRESSING, READY};
use functionmesh_api::status::MeshStatus;
use functionmesh_runtime::clock;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::json;
use std::collections::BTreeMap;

/// Every way to a status, with the reason that it is an example of and its meaning for tools.
pub fn statuses() -> Vec<(Reason, Health, MeshStatus)> {
    let (desired, _) = items("m", &json!({"functions": [{"name": "a"}]}));
    let some = vec!["an example".to_owned()];
    let problems = |invalid: bool, conflicts: bool, failures: bool| {
        let when = |there: bool| if there { some.clone() } else { Vec::new() };
        let unwritten = desired.iter().filter(|_| failures).map(|w| (w.kind, w.name.clone())).collect();
        let (invalid, conflicts, failures) = (when(invalid), when(conflicts), when(failures));
        Problems { invalid, conflicts, failures, unwritten, ..Problems::default() }
    };
    let failing = problems(false, false, true);
    let refused = Problems { stopped: true, ..failing.clone() };
    // Of what is not a component any more: all that are wanted run.
    let beside = |problems: &Problems| Problems { unwritten: Vec::new(), ..problems.clone() };
    let none = problems(false, false, false);
    let late = "ProgressDeadlineExceeded";
    let ready = (true, false, "AllReplicasAvailable");
    let cases = [
        (Reason::AllComponentsReady, Health::Current, Some(ready), none.clone()),
        (Reason::Complete, Health::Current, Some(ready), none.clone()),
        (Reason::ComponentsNotReady, Health::InProgress, None, none.clone()),
        (Reason::ComponentsNotReady, Health::InProgress, Some((false, true, "CrashLoop")), none.clone()),
        (Reason::ComponentsNotReady, Health::Failed, Some((false, false, "Invalid")), none.clone()),
        (Reason::ProgressDeadlineExceeded, Health::Failed, Some((false, false, late)), none),
        (Reason::Invalid, Health::Failed, None, problems(true, false, false)),
        (Reason::NameConflict, Health::Failed, None, problems(false, true, false)),
        (Reason::ApplyFailed, Health::InProgress, None, failing.clone()),
        (Reason::ApplyFailed, Health::Failed, None, refused.clone()),
        (Reason::ApplyFailed, Health::Current, Some(ready), beside(&failing)),
        (Reason::ApplyFailed, Health::Failed, Some(ready), beside(&refused)),
    ];
    cases
        .into_iter()
        .map(|(reason, health, component, problems)| {
            let observed: Vec<ObservedComponent> =
                desired.iter().zip(component).map(|(w, conditions)| observed(w, conditions)).collect();
            let before = MeshStatus::default();
            (reason, health, status(&before, &desired, &observed, &problems, Some(1), &clock::now()))
        })
        .collect()
}

/// A component with these `Ready` and `Progressing` conditions.
fn observed(
    desired: &DesiredComponent,
    (ready, progressing, reason): (bool, bool, &str),
) -> ObservedComponent {
    let condition = |type_: &str, status: bool| Condition {
        type_: type_.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        observed_generation: Some(1),
        last_transition_time: clock::now(),
    };
    ObservedComponent {
        owners: functionmesh_objects::managed_fields::Owners::default(),
        kind: desired.kind,
        name: desired.name.clone(),
        owner: Owner::Ours,
        terminating: false,
        spec: LiveSpec::Current,
        labels: BTreeMap::new(),
        ready: Some(condition(READY, ready)),
        progressing: Some(condition(PROGRESSING, progressing)),
        was_ready: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_conditions_are_those_that_are_explained() {
        let mut found = BTreeSet::new();
        for (reason, _, status) in statuses() {
            assert!(status.conditions.list().iter().any(|c| c.reason == reason.as_str()), "{reason}");
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
}
