//! Why a pod does not run: the root cause from what its status says (design section 3). Pure.

use crate::pods::{ContainerStatus, Spec, Status, Terminated};
use crate::reason::Reason;
use crate::words::{cleaned, known};

/// Something known to be wrong with a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// What kind of trouble. Ordered by how sure it is that waiting does not help.
    pub reason: Reason,
    /// In the words of whoever found it, without volatile text and secrets.
    pub message: String,
}

/// Longest text taken over from a pod, in characters: enough for an exception with its cause.
const MESSAGE_LIMIT: usize = 600;
/// Numbers of restarts that are told apart, so that a container that ends again and again is not news each time.
const RESTARTS: [i32; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/// The worst thing a pod's status tells of.
pub(crate) fn cause(status: &Status, spec: &Spec) -> Option<Cause> {
    let unschedulable = status
        .conditions
        .iter()
        .find(|c| c.type_ == "PodScheduled" && c.status == "False" && c.reason == "Unschedulable")
        .map(|c| Cause { reason: Reason::Unschedulable, message: bounded(&c.message) });
    let evicted = (status.phase == "Failed" && !status.reason.is_empty()).then(|| Cause {
        reason: Reason::CrashLoop,
        message: bounded(&format!("the pod failed: {}: {}", status.reason, cleaned(&status.message))),
    });
    let init = status.init_container_statuses.iter().filter_map(|c| container_cause(c, spec, true));
    let main = status.container_statuses.iter().filter_map(|c| container_cause(c, spec, false));
    unschedulable.into_iter().chain(init).chain(main).chain(evicted).min()
}

fn container_cause(container: &ContainerStatus, spec: &Spec, init: bool) -> Option<Cause> {
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
            return Some(Cause { reason: Reason::ImagePullBackOff, message: bounded(&message) });
        }
        Some("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") => {
            let message = waiting.map(|w| cleaned(&w.message)).unwrap_or_default();
            let message = format!("container {}: {message}", container.name);
            return Some(Cause { reason: Reason::CreateContainerConfigError, message: bounded(&message) });
        }
        _ => {}
    }
    // The current end, or the one before the running restart: a restart alone proves nothing.
    let ended = container.state.terminated.as_ref().or(container.last_state.terminated.as_ref())?;
    (!init || ended.exit_code != 0).then(|| end(container, ended, spec, init))
}

/// What the end of a container tells.
fn end(container: &ContainerStatus, ended: &Terminated, spec: &Spec, init: bool) -> Cause {
    let (name, restarts) = (&container.name, restarts(container.restart_count));
    if ended.reason == "OOMKilled" {
        let limit = spec.memory_limit(name).map(|limit| format!(" of {limit}")).unwrap_or_default();
        let message =
            format!("container {name} used more memory than its limit{limit} and was killed{restarts}");
        return Cause { reason: Reason::OutOfMemory, message };
    }
    let words = cleaned(&ended.message);
    let (reason, words) = match known(&words) {
        Some(known) => (known.reason, known.line),
        None if init => (Reason::InitContainerFailed, distinct(&words)),
        None => (Reason::CrashLoop, distinct(&words)),
    };
    let separator = if words.trim().is_empty() { "" } else { ": " };
    let message =
        format!("container {name} ended with exit code {}{restarts}{separator}{words}", ended.exit_code);
    Cause { reason, message: bounded(&message) }
}

/// The lines without those that were there before: an instance tells of the same exception several times.
fn distinct(words: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in words.lines().map(str::trim) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// How often a container was started again, in steps.
fn restarts(count: i32) -> String {
    match RESTARTS.iter().rev().find(|step| count >= **step) {
        None => String::new(),
        Some(1) => ", restarted".to_owned(),
        Some(step) => format!(", restarted {step} times or more"),
    }
}

/// The registry's answer, which stays the same while the kubelet alternates between pulling and waiting.
fn pull_answer(message: &str) -> String {
    let answer = message.rsplit_once("ErrImagePull: ").map_or(message, |(_, answer)| answer);
    if answer.is_empty() || answer.starts_with("Back-off") { String::new() } else { format!(": {answer}") }
}

/// One line of at most [`MESSAGE_LIMIT`] characters.
fn bounded(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests;
