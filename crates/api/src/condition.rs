//! Conditions that follow the Kubernetes API conventions.

use functionmesh_objects::text::bounded;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Maximum length of a message, in characters.
pub const MESSAGE_LIMIT: usize = 1024;

/// Condition: the object runs as its spec specifies.
pub const READY: &str = "Ready";
/// Condition: a rollout is in progress.
pub const PROGRESSING: &str = "Progressing";
/// Condition: the object runs as its spec specifies, but another write fails. Present only while true; if the failure affects the
/// pods, [`READY`] has the reason.
pub const RECONCILE_FAILED: &str = "ReconcileFailed";
/// Condition: work on the object is in progress. Present only while true, as kstatus (`sigs.k8s.io/cli-utils`) defines it: `helm
/// --wait`, Flux and other tools continue to wait.
pub const RECONCILING: &str = "Reconciling";
/// Condition: nothing happens until a user changes something. Present only while true, and never together with [`RECONCILING`]:
/// tools that wait for the object fail at once.
pub const STALLED: &str = "Stalled";

/// The meaning of a reason for tools that wait for an object, in the terms of kstatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The object matches its spec.
    Current,
    /// It may reach that state without a user.
    InProgress,
    /// A user has to fix it.
    Failed,
    /// It is being deleted.
    Terminating,
}

impl Health {
    /// The status in kstatus.
    pub fn kstatus(self) -> &'static str {
        match self {
            Self::Current => "Current",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
        }
    }

    /// The health in Argo CD.
    pub fn argo(self) -> &'static str {
        match self {
            Self::Current => "Healthy",
            Self::InProgress | Self::Terminating => "Progressing",
            Self::Failed => "Degraded",
        }
    }
}

/// A condition to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredCondition {
    /// Type, such as `Ready`.
    pub type_: &'static str,
    /// True or False.
    pub status: bool,
    /// A CamelCase name.
    pub reason: String,
    /// Human-readable; without volatile text, or every reconcile would write a status.
    pub message: String,
}

/// The documentation of a reason, for readers of a status: the reference pages are generated from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonDocs {
    /// The conditions that have the reason, each with its status.
    pub conditions: &'static [(&'static str, bool)],
    /// The state of the object.
    pub cause: &'static str,
    /// Commands that confirm the cause, or show more.
    pub check: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

/// The new list, ordered by type. The transition time stays while the status is unchanged. Conditions of other types are left to
/// their owners.
pub fn set(
    previous: &[Condition],
    desired: Vec<DesiredCondition>,
    generation: Option<i64>,
    now: &Time,
) -> Vec<Condition> {
    let mut list: Vec<Condition> = desired
        .into_iter()
        .map(|w| {
            let status = if w.status { "True" } else { "False" };
            let known = previous.iter().find(|c| c.type_ == w.type_ && c.status == status);
            Condition {
                type_: w.type_.to_owned(),
                status: status.to_owned(),
                reason: w.reason,
                message: bounded(w.message, MESSAGE_LIMIT),
                observed_generation: generation,
                last_transition_time: known.map_or_else(|| now.clone(), |c| c.last_transition_time.clone()),
            }
        })
        .collect();
    list.sort_by(|a, b| a.type_.cmp(&b.type_));
    list
}

/// The condition for tools that wait, derived from `Ready` and `Progressing`: none while ready, otherwise [`RECONCILING`] with
/// the reason of `Ready`, or [`STALLED`] with that of `Progressing`.
pub fn kstatus_condition(
    ready: &DesiredCondition,
    progressing: &DesiredCondition,
) -> Option<DesiredCondition> {
    match (ready.status, progressing.status) {
        (true, _) => None,
        (false, true) => Some(DesiredCondition { type_: RECONCILING, status: true, ..ready.clone() }),
        (false, false) => Some(DesiredCondition { type_: STALLED, status: true, ..progressing.clone() }),
    }
}

/// The conditions that this controller manages: those of a type that one of its reasons is documented for. Other controllers may
/// keep conditions in the same list; those are neither compared nor sent.
pub fn managed(list: &[Condition], reasons: &[ReasonDocs]) -> Vec<Condition> {
    let is_managed = |condition: &&Condition| {
        let of_type =
            |reason: &ReasonDocs| reason.conditions.iter().any(|(type_, _)| *type_ == condition.type_);
        reasons.iter().any(of_type)
    };
    list.iter().filter(is_managed).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;

    fn desired(status: bool, message: &str) -> Vec<DesiredCondition> {
        let reason = "Because".to_owned();
        vec![DesiredCondition { type_: "Ready", status, reason, message: message.to_owned() }]
    }

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn the_transition_time_moves_with_the_status_only() {
        let first = set(&[], desired(false, "a"), Some(1), &at(10));
        let second = set(&first, desired(false, "b"), Some(2), &at(20));
        assert_eq!((&second[0].last_transition_time, second[0].message.as_str()), (&at(10), "b"));
        assert_eq!(second[0].observed_generation, Some(2));
        let third = set(&second, desired(true, "b"), Some(2), &at(30));
        assert_eq!(third[0].last_transition_time, at(30));
    }

    #[test]
    fn tools_that_wait_read_one_condition_at_most() {
        let [ready] = &desired(true, "a")[..] else { panic!() };
        let [not_ready] = &desired(false, "b")[..] else { panic!() };
        let progressing = |status| DesiredCondition {
            type_: "Progressing",
            status,
            reason: "Late".to_owned(),
            message: "c".to_owned(),
        };
        let of = |ready, status| {
            kstatus_condition(ready, &progressing(status)).map(|w| (w.type_, w.status, w.reason, w.message))
        };
        assert_eq!((of(ready, true), of(ready, false)), (None, None));
        let because = (RECONCILING, true, "Because".to_owned(), "b".to_owned());
        assert_eq!(of(not_ready, true), Some(because));
        assert_eq!(of(not_ready, false), Some((STALLED, true, "Late".to_owned(), "c".to_owned())));
    }

    #[test]
    fn conditions_of_other_controllers_are_left_out() {
        let ready = set(&[], desired(true, "a"), Some(1), &at(1));
        let mut list = ready.clone();
        list.push(Condition { type_: "example.com/Checked".to_owned(), ..ready[0].clone() });
        let docs = ReasonDocs { conditions: &[("Ready", false)], cause: "", check: "", fix: "" };
        assert_eq!(managed(&list, &[docs]), ready);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let list = set(&[], desired(true, &"ü".repeat(5000)), None, &at(1));
        assert_eq!(list[0].message.chars().count(), MESSAGE_LIMIT + 1);
    }
}
