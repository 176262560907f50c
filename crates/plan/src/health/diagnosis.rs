//! The diagnosis of a pod that is not available now, from its status. Pure.

use crate::health::reason::Reason;
use crate::health::termination_message::classify::classify;
use crate::health::termination_message::normalize::{cleaned, without_amounts, without_counts};
use crate::observed::pod_status::{ContainerStatus, Spec, State, Status, Terminated};
use crate::time::after;
use functionmesh_objects::text::bounded;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// A known failure of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnosis {
    /// The kind of failure, ordered by how certain it is that waiting does not help.
    pub reason: Reason,
    /// Human-readable, without volatile text and secrets.
    pub message: String,
}

/// Longest text taken over from a pod, in characters: enough for an exception with its cause.
const MESSAGE_LIMIT: usize = 600;
/// Numbers of restarts that the message distinguishes, so that a crash loop does not change the condition with each restart.
const RESTARTS: [i32; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/// How long a running container that is not ready counts as crash-looping: the kubelet resets its back-off after the same time.
const RELAPSE: SignedDuration = SignedDuration::from_secs(600);
/// How long a ready pod may be unavailable: `minReadySeconds` and a little more.
const SETTLING: SignedDuration = SignedDuration::from_secs(20);

/// The known failures in a pod's status, the worst first, each with the time until which it counts; without a time, it counts as
/// long as the status contains it. Failures that do not keep the pod from being available now are left out.
pub(crate) fn diagnoses(status: &Status, spec: &Spec) -> Vec<(Diagnosis, Option<Timestamp>)> {
    if status.phase == "Failed" && !status.reason.is_empty() {
        // The termination of its containers is less informative.
        let details = format!("{}: {}", status.reason, without_amounts(&cleaned(&status.message)));
        let message = one_line(&format!("the pod failed: {details}"));
        return vec![(Diagnosis { reason: Reason::CrashLoop, message }, None)];
    }
    let unschedulable = status
        .conditions
        .iter()
        .find(|c| c.type_ == "PodScheduled" && c.status == "False" && c.reason == "Unschedulable")
        .map(|c| Diagnosis { reason: Reason::Unschedulable, message: one_line(&without_counts(&c.message)) });
    let init = status.init_container_statuses.iter().map(|c| (c, !spec.is_sidecar(&c.name)));
    let main = status.container_statuses.iter().map(|c| (c, false));
    let containers = init.chain(main).filter_map(|(c, ends)| container_diagnosis(c, status, spec, ends));
    let mut diagnoses: Vec<_> =
        unschedulable.map(|diagnosis| (diagnosis, None)).into_iter().chain(containers).collect();
    diagnoses.sort();
    diagnoses.shrink_to_fit();
    diagnoses
}

/// The diagnosis of a container. `ends` is true for containers that are expected to terminate, such as init containers.
fn container_diagnosis(
    container: &ContainerStatus,
    pod: &Status,
    spec: &Spec,
    ends: bool,
) -> Option<(Diagnosis, Option<Timestamp>)> {
    let waiting = container.state.waiting.as_ref();
    match waiting.map(|w| w.reason.as_str()) {
        Some(
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "SignatureValidationFailed"
            | "RegistryUnavailable",
        ) => {
            let answer = waiting.map(|w| pull_answer(&w.message)).unwrap_or_default();
            let message = format!("cannot pull image {:?}{}", container.image, cleaned(&answer));
            return Some((Diagnosis { reason: Reason::ImagePullBackOff, message: one_line(&message) }, None));
        }
        Some("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") => {
            let message = waiting.map(|w| cleaned(&w.message)).unwrap_or_default();
            let message = format!("container {}: {message}", container.name);
            let diagnosis =
                Diagnosis { reason: Reason::CreateContainerConfigError, message: one_line(&message) };
            return Some((diagnosis, None));
        }
        // It waits for other containers: its termination in an earlier sandbox is ignored.
        Some("PodInitializing" | "ContainerCreating") => return None,
        _ => {}
    }
    let State { running, terminated, .. } = &container.state;
    let last = container.last_state.terminated.as_ref();
    let (ended, until) = match (terminated, running) {
        (Some(ended), _) => (ended, None),
        // A pod that is ready long enough is available; a pod that is not has another container that is not ready.
        (None, Some(_)) if container.ready => (last?, Some(after(pod.ready_since()?, SETTLING))),
        (None, Some(running)) => (last?, running.started_at.as_ref().map(|at| after(at.0, RELAPSE))),
        // Between two restarts.
        (None, None) => (last?, None),
    };
    (!ends || ended.exit_code != 0).then(|| (end(container, ended, spec, ends), until))
}

/// The diagnosis of a terminated container.
fn end(container: &ContainerStatus, ended: &Terminated, spec: &Spec, init: bool) -> Diagnosis {
    let (name, restarts) = (&container.name, restarts(container.restart_count));
    if ended.reason == "OOMKilled" {
        let limit = spec.memory_limit(name).map(|limit| format!(" of {limit}")).unwrap_or_default();
        let message =
            format!("container {name} used more memory than its limit{limit} and was killed{restarts}");
        return Diagnosis { reason: Reason::OutOfMemory, message };
    }
    let classification = classify(&cleaned(&ended.message));
    let reason =
        classification.reason.unwrap_or(if init { Reason::InitContainerFailed } else { Reason::CrashLoop });
    let details = classification.text;
    let separator = if details.trim().is_empty() { "" } else { ": " };
    let message =
        format!("container {name} ended with exit code {}{restarts}{separator}{details}", ended.exit_code);
    Diagnosis { reason, message: one_line(&message) }
}

/// The number of restarts of a container, rounded down to a step.
fn restarts(count: i32) -> String {
    match RESTARTS.iter().rev().find(|step| count >= **step) {
        None => String::new(),
        Some(1) => ", restarted".to_owned(),
        Some(step) => format!(", restarted {step} times or more"),
    }
}

/// The registry's response, which stays the same while the kubelet alternates between pulling and waiting.
fn pull_answer(message: &str) -> String {
    let answer = message.rsplit_once("ErrImagePull: ").map_or(message, |(_, answer)| answer);
    if answer.is_empty() || answer.starts_with("Back-off") { String::new() } else { format!(": {answer}") }
}

/// One line of at most [`MESSAGE_LIMIT`] characters.
fn one_line(text: &str) -> String {
    bounded(text.split_whitespace().collect::<Vec<_>>().join(" "), MESSAGE_LIMIT)
}

#[cfg(test)]
mod tests;
