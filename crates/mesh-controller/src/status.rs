//! The status of a mesh, from its components. Pure.

use crate::children::{LiveSpec, ObservedComponent, Owner};
use crate::items::{DesiredComponent, Kind};
use crate::reason::Reason;
use functionmesh_api::condition::{self, DesiredCondition as Condition, STALLED};
use functionmesh_api::condition::{PROGRESSING, READY, RECONCILE_FAILED};
use functionmesh_api::status::{Conditions, MeshStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::collections::{HashMap, HashSet};

/// Maximum number of components that a message names.
const NAMED: usize = 5;

/// The result of a reconcile, besides the components.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    /// Items that cannot become a component.
    pub(crate) invalid: Vec<String>,
    /// Components that are kept because of invalid items.
    pub(crate) kept: Vec<String>,
    /// Whether the spec does not decode at all: the number of components is unknown.
    pub(crate) unreadable: bool,
    /// Names that other objects use.
    pub(crate) conflicts: Vec<String>,
    /// Writes that the API server refused, or that failed repeatedly.
    pub(crate) failures: Vec<String>,
    /// Whether a user has to fix one of the failures.
    pub(crate) stopped: bool,
    /// Components that could not be written, whether or not the error lasts.
    pub(crate) unwritten: Vec<(Kind, String)>,
}

/// Derives the status.
pub(crate) fn status(
    previous: &MeshStatus,
    desired: &[DesiredComponent],
    seen: &[ObservedComponent],
    problems: &Problems,
    generation: Option<i64>,
    now: &Time,
) -> MeshStatus {
    let is_there = |s: &&ObservedComponent| matches!(s.owner, Owner::Ours | Owner::Orphan) && !s.terminating;
    let by_name: HashMap<_, _> =
        seen.iter().filter(is_there).map(|live| ((live.kind, live.name.as_str()), live)).collect();
    let find = |w: &DesiredComponent| by_name.get(&(w.kind, w.name.as_str())).copied();
    // For a mesh that was ready with this spec, a write is a repair, and a spec that still contains the item was scaled: the
    // readiness of its component does not change before the component reports it.
    let was_ready = previous.observed_generation == generation
        && previous.conditions.get(READY).is_some_and(|ready| ready.status == "True");
    let unwritten: HashSet<_> =
        problems.unwritten.iter().map(|(kind, name)| (*kind, name.as_str())).collect();
    let is_unwritten = |w: &DesiredComponent| unwritten.contains(&(w.kind, w.name.as_str()));
    let is_still_ready =
        |live: &ObservedComponent| was_ready && live.was_ready && live.spec == LiveSpec::Current;
    let is_ready = |w: &DesiredComponent| {
        (was_ready || !is_unwritten(w)) && find(w).is_some_and(|live| live.is_ready() || is_still_ready(live))
    };
    let is_held_up = !problems.failures.is_empty() && desired.iter().any(|w| is_unwritten(w) && !is_ready(w));
    let ready = desired.iter().filter(|w| is_ready(w)).count();
    let total = desired.len() + problems.invalid.len();
    let components: Vec<_> = desired.iter().map(|w| (w, find(w).filter(|_| !is_ready(w)))).collect();
    let messages = messages(problems, is_held_up, &components);
    let reason = if !problems.invalid.is_empty() {
        Reason::Invalid
    } else if !problems.conflicts.is_empty() {
        Reason::NameConflict
    } else if is_held_up {
        Reason::ApplyFailed
    } else if ready == total {
        Reason::AllComponentsReady
    } else {
        Reason::ComponentsNotReady
    };
    let counted = (!problems.unreadable).then(|| format!("{ready}/{total} ready"));
    let message = message(counted, messages);
    let complete = reason == Reason::AllComponentsReady;
    let condition = |type_, status, reason: Reason| Condition {
        type_,
        status,
        reason: reason.to_string(),
        message: message.clone(),
    };
    let missing = || desired.iter().filter(|w| !is_ready(w)).map(find);
    // A component that is not created or updated yet is in progress.
    let moves = missing().any(|seen| seen.is_none_or(|seen| seen.is_ready() || seen.progresses()));
    let overdue = missing().flatten().any(ObservedComponent::is_overdue);
    let (progressing, why) = match reason {
        _ if complete => (false, Reason::Complete),
        Reason::ApplyFailed if !problems.stopped => (true, reason),
        Reason::ComponentsNotReady if moves => (true, reason),
        Reason::ComponentsNotReady if overdue => (false, Reason::ProgressDeadlineExceeded),
        _ => (false, reason),
    };
    let (is_ready, progressing) =
        (condition(READY, complete, reason), condition(PROGRESSING, progressing, why));
    let kstatus_condition = condition::kstatus_condition(&is_ready, &progressing);
    let mut conditions: Vec<_> = [is_ready, progressing].into_iter().chain(kstatus_condition).collect();
    if reason != Reason::ApplyFailed {
        conditions.extend(failed_writes(problems, complete));
    }
    let (components, ready_components) = if problems.unreadable {
        (previous.components, previous.ready_components)
    } else {
        (i32::try_from(total).ok(), i32::try_from(ready).ok())
    };
    MeshStatus {
        observed_generation: generation,
        components,
        ready_components,
        conditions: Conditions::from(condition::set(previous.conditions.list(), conditions, generation, now)),
    }
}

/// The problems, the most serious first, then the components that are not ready, those with a known failure first.
fn messages(
    problems: &Problems,
    is_held_up: bool,
    unready: &[(&DesiredComponent, Option<&ObservedComponent>)],
) -> Vec<String> {
    let mut messages = problems.invalid.clone();
    if let Some(kept) = problems.kept.first() {
        let more = problems.kept.len() - 1;
        let more = if more > 0 { format!(" and {more} more without an item are") } else { " is".to_owned() };
        messages.push(format!("{kept}{more} kept until then: it may be the component of one of these items"));
    }
    messages.extend(problems.conflicts.iter().map(|name| {
        format!("{name} exists and does not belong to this mesh; it is not managed: delete or rename one of the two")
    }));
    if is_held_up {
        messages.extend(problems.failures.iter().cloned());
    }
    let mut waiting: Vec<(bool, String)> = unready
        .iter()
        .filter_map(|(component, observed)| {
            let (known, message) = match observed.map(|observed| observed.ready.as_ref())? {
                Some(c) if c.status == "True" => (false, "not updated yet".to_owned()),
                Some(c) => (c.reason != "WaitingForPods", format!("{}: {}", c.reason, c.message)),
                None => (false, "not reported yet".to_owned()),
            };
            Some((!known, format!("{} {}: {message}", component.kind.name().to_lowercase(), component.item)))
        })
        .collect();
    waiting.sort();
    messages.extend(waiting.into_iter().map(|(_, text)| text));
    messages
}

/// The counts and the first problems.
fn message(counted: Option<String>, mut messages: Vec<String>) -> String {
    let more = messages.len().saturating_sub(NAMED);
    messages.truncate(NAMED);
    let rest = (more > 0).then(|| format!("and {more} more"));
    let parts: Vec<String> = counted.into_iter().chain(messages).chain(rest).collect();
    parts.join("; ")
}

/// The conditions about writes that fail while the components match the spec otherwise: the mesh is stalled if a user has to fix
/// one of them and nothing else is in progress.
fn failed_writes(problems: &Problems, complete: bool) -> Vec<Condition> {
    if problems.failures.is_empty() {
        return Vec::new();
    }
    let named: Vec<_> = problems.failures.iter().take(NAMED).cloned().collect();
    let message = named.join("; ");
    let condition = |type_| Condition {
        type_,
        status: true,
        reason: Reason::ApplyFailed.to_string(),
        message: message.clone(),
    };
    let stalled = (complete && problems.stopped).then(|| condition(STALLED));
    std::iter::once(condition(RECONCILE_FAILED)).chain(stalled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::items;
    use functionmesh_runtime::clock;
    use serde_json::{Value, json};

    fn seen(desired: &DesiredComponent, ready: &Value) -> ObservedComponent {
        ObservedComponent {
            owners: functionmesh_objects::managed_fields::Owners::default(),
            kind: desired.kind,
            name: desired.name.clone(),
            owner: Owner::Ours,
            terminating: false,
            spec: LiveSpec::Current,
            labels: std::collections::BTreeMap::new(),
            ready: serde_json::from_value(ready.clone()).ok(),
            progressing: None,
            was_ready: false,
        }
    }

    fn condition(status: &str, reason: &str, message: &str) -> Value {
        json!({"type": "Ready", "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    }

    fn ready_of(
        desired: &[DesiredComponent],
        seen: &[ObservedComponent],
        problems: &Problems,
    ) -> (String, String, String) {
        let status = status(&MeshStatus::default(), desired, seen, problems, Some(1), &clock::now());
        let ready = status.conditions.get("Ready").unwrap();
        (ready.status.clone(), ready.reason.clone(), ready.message.clone())
    }

    #[test]
    fn is_readywhen_every_component_is() {
        let (desired, _) = items("m", &json!({"functions": [{"name": "a"}], "sinks": [{"name": "es"}]}));
        let yes = condition("True", "AllReplicasAvailable", "");
        let no = condition("False", "ImagePullBackOff", "cannot pull image \"x\"");
        let both = [seen(&desired[0], &yes), seen(&desired[1], &yes)];
        let (status, reason, message) = ready_of(&desired, &both, &Problems::default());
        assert_eq!(
            (status.as_str(), reason.as_str(), message.as_str()),
            ("True", "AllComponentsReady", "2/2 ready")
        );
        let one = [seen(&desired[0], &yes), seen(&desired[1], &no)];
        let (status, reason, message) = ready_of(&desired, &one, &Problems::default());
        assert_eq!((status.as_str(), reason.as_str()), ("False", "ComponentsNotReady"));
        assert_eq!(message, "1/2 ready; sink es: ImagePullBackOff: cannot pull image \"x\"");
    }

    #[test]
    fn a_write_that_fails_makes_no_component_unready() {
        let (desired, _) = items("m", &json!({"functions": [{"name": "a"}]}));
        let ready = [seen(&desired[0], &condition("True", "AllReplicasAvailable", ""))];
        let now = clock::now();
        let of = |previous: &MeshStatus, generation: i64, failures: &[&str]| {
            let problems = Problems {
                failures: failures.iter().map(|text| (*text).to_owned()).collect(),
                unwritten: vec![(desired[0].kind, desired[0].name.clone())],
                ..Problems::default()
            };
            status(previous, &desired, &ready, &problems, Some(generation), &now)
        };
        let text = |status: &MeshStatus, type_: &str| {
            status.conditions.get(type_).map(|c| format!("{} {}: {}", c.status, c.reason, c.message))
        };
        let before = status(&MeshStatus::default(), &desired, &ready, &Problems::default(), Some(1), &now);
        assert_eq!(of(&before, 1, &[]), before, "a repair that may succeed in a moment");
        let lasting = of(&before, 1, &["no answer"]);
        assert_eq!(lasting.conditions.get(READY), before.conditions.get(READY));
        assert_eq!(text(&lasting, RECONCILE_FAILED).as_deref(), Some("True ApplyFailed: no answer"));
        let edited = of(&before, 2, &[]);
        assert_eq!(
            text(&edited, READY).as_deref(),
            Some("False ComponentsNotReady: 0/1 ready; function a: not updated yet")
        );
        assert_eq!(edited.conditions.get(PROGRESSING).map(|c| c.status.as_str()), Some("True"));
        let refused = of(&edited, 2, &["no answer"]);
        let want = "False ApplyFailed: 0/1 ready; no answer; function a: not updated yet";
        assert_eq!(text(&refused, READY).as_deref(), Some(want));
    }

    #[test]
    fn a_component_that_is_scaled_stays_ready_until_it_reports() {
        let (desired, _) = items("m", &json!({"functions": [{"name": "a"}]}));
        let yes = condition("True", "AllReplicasAvailable", "");
        let now = clock::now();
        let none = Problems::default();
        let of = |previous: &MeshStatus, generation: i64, component: &ObservedComponent| {
            status(previous, &desired, std::slice::from_ref(component), &none, Some(generation), &now)
        };
        let before = of(&MeshStatus::default(), 1, &seen(&desired[0], &yes));
        let scaled = ObservedComponent { was_ready: true, ..seen(&desired[0], &Value::Null) };
        assert_eq!(of(&before, 1, &scaled), before, "its replicas changed, which the item does not state");
        let is_ready = |status: &MeshStatus| status.conditions.get(READY).map(|c| c.status.clone());
        let no = Some("False".to_owned());
        assert_eq!(is_ready(&of(&before, 2, &scaled)), no, "the mesh was edited");
        let edited = ObservedComponent { spec: LiveSpec::Different, ..scaled.clone() };
        assert_eq!(is_ready(&of(&before, 1, &edited)), no, "the component was edited");
        assert_eq!(is_ready(&of(&MeshStatus::default(), 1, &scaled)), no, "never ready before");
        let failed = seen(&desired[0], &condition("False", "CrashLoop", ""));
        assert_eq!(is_ready(&of(&before, 1, &failed)), no);
    }

    #[test]
    fn it_progresses_while_any_component_does() {
        let (desired, _) = items("m", &json!({"functions": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}));
        let no = condition("False", "CrashLoop", "");
        let component = |i: usize, status: &str, reason: &str| ObservedComponent {
            progressing: serde_json::from_value(condition(status, reason, "")).ok(),
            ..seen(&desired[i], &no)
        };
        let progressing = |seen: &[ObservedComponent]| {
            let none = Problems::default();
            let status = status(&MeshStatus::default(), &desired, seen, &none, Some(1), &clock::now());
            let found = status.conditions.get("Progressing").unwrap();
            (found.status == "True", found.reason.clone())
        };
        let overdue = [
            component(0, "False", "ProgressDeadlineExceeded"),
            component(1, "False", "Invalid"),
            component(2, "False", "ProgressDeadlineExceeded"),
        ];
        assert_eq!(progressing(&overdue), (false, "ProgressDeadlineExceeded".to_owned()));
        let mut one = overdue.clone();
        one[2] = component(2, "True", "CrashLoop");
        assert_eq!(progressing(&one), (true, "ComponentsNotReady".to_owned()));
        assert_eq!(
            progressing(&overdue[..2]),
            (true, "ComponentsNotReady".to_owned()),
            "one is not made yet"
        );
        let refused: Vec<ObservedComponent> = (0..3).map(|i| component(i, "False", "Invalid")).collect();
        assert_eq!(progressing(&refused), (false, "ComponentsNotReady".to_owned()));
    }

    #[test]
    fn the_message_is_bounded_and_begins_with_what_is_wrong() {
        let list: Vec<Value> = (0..9).map(|i| json!({"name": format!("f{i}")})).collect();
        let (desired, _) = items("m", &json!({"functions": list}));
        let seen: Vec<ObservedComponent> = desired
            .iter()
            .enumerate()
            .map(|(i, w)| {
                seen(w, &condition("False", if i == 8 { "CrashLoop" } else { "WaitingForPods" }, "m"))
            })
            .collect();
        let (_, _, message) = ready_of(&desired, &seen, &Problems::default());
        assert!(message.starts_with("0/9 ready; function f8: CrashLoop: m;"), "{message}");
        assert!(message.ends_with("and 4 more"), "{message}");
        let problems = Problems {
            invalid: vec!["spec.functions[3].name: must be set".to_owned()],
            ..Problems::default()
        };
        let (_, reason, message) = ready_of(&desired, &seen, &problems);
        assert_eq!(reason, "Invalid");
        assert!(message.starts_with("0/10 ready; spec.functions[3].name: must be set"), "{message}");
    }

    #[test]
    fn a_spec_that_cannot_be_read_says_so_and_keeps_the_counts() {
        let previous = MeshStatus { components: Some(3), ready_components: Some(2), ..MeshStatus::default() };
        let problems = Problems {
            invalid: vec!["spec: cannot be read: x".to_owned()],
            unreadable: true,
            ..Problems::default()
        };
        let status = status(&previous, &[], &[], &problems, Some(4), &clock::now());
        let ready = status.conditions.get("Ready").unwrap();
        assert_eq!((ready.reason.as_str(), ready.message.as_str()), ("Invalid", "spec: cannot be read: x"));
        assert_eq!((status.components, status.ready_components), (Some(3), Some(2)));
    }

    #[test]
    fn what_belongs_to_others_is_not_counted() {
        let (desired, _) = items("m", &json!({"functions": [{"name": "a"}]}));
        let ready = seen(&desired[0], &condition("True", "AllReplicasAvailable", ""));
        let problems = Problems { conflicts: vec!["Function m-a".to_owned()], ..Problems::default() };
        let foreign = ObservedComponent { owner: Owner::Foreign, ..ready };
        let (_, reason, message) = ready_of(&desired, &[foreign], &problems);
        assert!(
            reason == "NameConflict" && message.starts_with("0/1 ready; Function m-a exists"),
            "{message}"
        );
    }
}
