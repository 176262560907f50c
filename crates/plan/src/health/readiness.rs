//! The readiness of an object, from which `Ready` and `Progressing` follow, and when it has to be computed again. Pure.

use crate::health::diagnosis::Diagnosis;
use crate::health::pods::Pods;
use crate::health::reason::Reason;
use crate::observed::statefulset::StatefulSetView;
use crate::outcome::Outcome;
use crate::time::after;
use functionmesh_api::condition::{DesiredCondition, kstatus_condition};
use functionmesh_api::condition::{PROGRESSING, READY};
use functionmesh_api::status::ComponentStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long a rollout counts as progressing after it began, its last pod was created or it stopped being available: the default
/// of Deployments.
const DEADLINE: SignedDuration = SignedDuration::from_secs(600);
/// How long the StatefulSet controller may take to create pods.
const CREATION: SignedDuration = SignedDuration::from_secs(20);

/// The readiness of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The reason.
    pub reason: Reason,
    /// The message.
    pub message: String,
    /// Whether the rollout timed out.
    overdue: bool,
    /// When the readiness has to be computed again without an event.
    pub again: Option<Duration>,
}

impl Readiness {
    /// Derives the readiness from the outcome of the reconcile and the pods.
    pub fn of(
        outcome: &Outcome,
        pods: &Pods,
        previous: &ComponentStatus,
        generation: Option<i64>,
        now: &Time,
    ) -> Self {
        let started = || Started::of(previous.conditions.get(PROGRESSING), generation);
        match outcome {
            Outcome::Refused { reason: Reason::ApplyFailed, message, .. } => {
                Self::retried(message.clone(), started(), now.0)
            }
            Outcome::Refused { reason, message, .. } | Outcome::CleanupPending { reason, message } => {
                Self::final_(*reason, message.clone())
            }
            Outcome::Applied { blocked: Some(message), .. } => {
                Self::final_(Reason::RecreateRequired, message.clone())
            }
            Outcome::Applied { stateful_set, .. } => Self::of_pods(stateful_set, pods, started(), now.0),
        }
    }

    fn final_(reason: Reason, message: String) -> Self {
        Self { reason, message, overdue: false, again: None }
    }

    /// A failing write is retried; for some time that counts as progress.
    fn retried(message: String, started: Started, now: Timestamp) -> Self {
        let overdue = matches!(started, Started::Overdue) || after(started.at(now), DEADLINE) <= now;
        Self { reason: Reason::ApplyFailed, message, overdue, again: None }
    }

    fn of_pods(stateful_set: &StatefulSetView, pods: &Pods, started: Started, now: Timestamp) -> Self {
        let desired = stateful_set.spec.replicas;
        let live = &stateful_set.status;
        let seen = Some(live.observed_generation) >= stateful_set.metadata.generation;
        let complete = seen
            && live.replicas == desired
            && live.available_replicas >= desired
            && live.updated_replicas >= desired;
        if complete && desired == 0 {
            return Self::final_(Reason::ScaledToZero, "0 replicas desired".to_owned());
        }
        if complete {
            return Self::final_(
                Reason::AllReplicasAvailable,
                format!("{desired} of {desired} replicas available"),
            );
        }
        let few =
            usize::try_from(desired).is_ok_and(|desired| pods.number < desired) && live.replicas < desired;
        let later = [
            pods.later.clone(),
            (seen && few).then(|| (after(started.at(now), CREATION), not_created(stateful_set, pods.number))),
        ];
        let mut waits: Vec<_> = pods.until.iter().map(|until| until.duration_since(now)).collect();
        let mut diagnosis = pods.diagnosis.clone();
        for (from, suspected) in later.into_iter().flatten().filter(|_| pods.diagnosis.is_none()) {
            if from <= now {
                diagnosis = diagnosis.into_iter().chain([suspected]).min();
            } else {
                waits.push(from.duration_since(now));
            }
        }
        if let Some((from, lost)) = pods.lost.clone() {
            if from <= now {
                diagnosis = diagnosis.into_iter().chain([lost]).min();
            } else {
                waits.push(from.duration_since(now));
            }
        }
        // A pod that ran for weeks and fails now has the full deadline as well.
        let since = started.at(now).max(pods.youngest.unwrap_or(Timestamp::MIN));
        let deadline = after(since, DEADLINE);
        let overdue = deadline <= now;
        if !overdue {
            waits.push(deadline.duration_since(now));
        }
        let Diagnosis { reason, message } = diagnosis.unwrap_or_else(|| Diagnosis {
            reason: Reason::WaitingForPods,
            message: format!("waiting for {desired} available replicas of the newest template"),
        });
        Self {
            reason,
            message,
            overdue,
            again: waits.into_iter().min().and_then(|wait| Duration::try_from(wait).ok()),
        }
    }

    fn is_ready(&self) -> bool {
        matches!(self.reason, Reason::AllReplicasAvailable | Reason::ScaledToZero)
    }

    /// The condition `Ready`.
    pub fn ready(&self) -> DesiredCondition {
        DesiredCondition {
            type_: READY,
            status: self.is_ready(),
            reason: self.reason.as_str().to_owned(),
            message: self.message.clone(),
        }
    }

    /// The condition `Progressing`: false if the API server refuses a write. Failures of pods, and of the API server, may clear
    /// before the deadline.
    pub fn progressing(&self) -> DesiredCondition {
        let (status, reason) = match self.reason {
            _ if self.is_ready() => (false, Reason::Complete),
            _ if self.overdue => (false, Reason::ProgressDeadlineExceeded),
            reason if reason.is_terminal() => (false, reason),
            reason => (true, reason),
        };
        let message = if self.overdue {
            format!("not available for {} s: {}", DEADLINE.as_secs(), self.message)
        } else {
            self.message.clone()
        };
        DesiredCondition { type_: PROGRESSING, status, reason: reason.as_str().to_owned(), message }
    }

    /// All conditions about the pods.
    pub fn conditions(&self) -> Vec<DesiredCondition> {
        let (ready, progressing) = (self.ready(), self.progressing());
        let kstatus_condition = kstatus_condition(&ready, &progressing);
        [ready, progressing].into_iter().chain(kstatus_condition).collect()
    }
}

/// Since when the rollout is in progress, by the previous status.
#[derive(Clone, Copy)]
enum Started {
    /// Now.
    Now,
    /// Since this time.
    At(Timestamp),
    /// It timed out.
    Overdue,
}

impl Started {
    fn of(progressing: Option<&Condition>, generation: Option<i64>) -> Self {
        match progressing {
            Some(c) if c.status == "True" => Self::At(c.last_transition_time.0),
            Some(c)
                if c.reason == Reason::ProgressDeadlineExceeded.as_str()
                    && c.observed_generation == generation =>
            {
                Self::Overdue
            }
            _ => Self::Now,
        }
    }

    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::At(then) => then,
            Self::Overdue => now.checked_sub(DEADLINE).unwrap_or(Timestamp::MIN),
        }
    }
}

fn not_created(stateful_set: &StatefulSetView, number: usize) -> Diagnosis {
    let metadata = &stateful_set.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    // Without a count, which would change with every pod.
    let some = if number == 0 { "no pod exists" } else { "some pods do not exist" };
    let message = format!(
        "{some}: admission denies them, often because of a ResourceQuota, a LimitRange or Pod Security; for the reason: \
         kubectl -n {namespace} describe statefulset {name}"
    );
    Diagnosis { reason: Reason::PodsNotCreated, message }
}

#[cfg(test)]
mod tests;
