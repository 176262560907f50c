//! Why pods do not run: the root cause from a trimmed view of the pods (design section 3).

use crate::reason::Reason;
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

/// What is read of a pod. [`PodView::trim`] turns it into the cause, which is all that is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize, Resource)]
#[resource(inherit = Pod)]
pub struct PodView {
    /// Name, namespace, labels.
    pub metadata: ObjectMeta,
    #[serde(default, skip_serializing)]
    status: Status,
    /// Why the pod does not run, when something is known to be wrong.
    #[serde(skip)]
    pub cause: Option<Cause>,
}

/// Something known to be wrong with a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// What kind of trouble. Ordered by how sure it is that waiting does not help.
    pub reason: Reason,
    /// In the words of whoever found it, without volatile text.
    pub message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    conditions: Vec<PodCondition>,
    init_container_statuses: Vec<ContainerStatus>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodCondition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    image: String,
    state: State,
    last_state: State,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct State {
    waiting: Option<Waiting>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Waiting {
    reason: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    exit_code: i32,
    reason: String,
    message: String,
}

/// Longest text taken over from a pod, in characters: enough for an exception with its cause.
const MESSAGE_LIMIT: usize = 600;

impl PodView {
    /// Finds the cause and drops everything else.
    pub fn trim(&mut self) {
        self.cause = cause(&std::mem::take(&mut self.status));
        let metadata = std::mem::take(&mut self.metadata);
        self.metadata = ObjectMeta {
            name: metadata.name,
            namespace: metadata.namespace,
            labels: metadata.labels.map(|mut labels| {
                labels.retain(|key, _| key == functionmesh_api::constants::LABEL_NAME);
                labels
            }),
            resource_version: metadata.resource_version,
            ..ObjectMeta::default()
        };
    }
}

fn cause(status: &Status) -> Option<Cause> {
    let unschedulable = status
        .conditions
        .iter()
        .find(|c| c.type_ == "PodScheduled" && c.status == "False" && c.reason == "Unschedulable")
        .map(|c| Cause { reason: Reason::Unschedulable, message: bounded(&c.message) });
    let init = status.init_container_statuses.iter().filter_map(|c| container_cause(c, true));
    let main = status.container_statuses.iter().filter_map(|c| container_cause(c, false));
    unschedulable.into_iter().chain(init).chain(main).min()
}

fn container_cause(container: &ContainerStatus, init: bool) -> Option<Cause> {
    let waiting = container.state.waiting.as_ref();
    match waiting.map(|w| w.reason.as_str()) {
        Some(
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "RegistryUnavailable",
        ) => {
            let answer = waiting.map(|w| pull_answer(&w.message)).unwrap_or_default();
            let message = format!("cannot pull image {:?}{answer}", container.image);
            return Some(Cause { reason: Reason::ImagePullBackOff, message: bounded(&message) });
        }
        Some("CreateContainerConfigError" | "CreateContainerError") => {
            let message = waiting.map(|w| w.message.as_str()).unwrap_or_default();
            let message = format!("container {}: {message}", container.name);
            return Some(Cause { reason: Reason::CreateContainerConfigError, message: bounded(&message) });
        }
        _ => {}
    }
    // The current end, or the one before the running restart: a restart alone proves nothing.
    let ended = container.state.terminated.as_ref().or(container.last_state.terminated.as_ref())?;
    if init && ended.exit_code == 0 {
        return None;
    }
    if ended.reason == "OOMKilled" {
        let message = format!("container {} used more memory than its limit and was killed", container.name);
        return Some(Cause { reason: Reason::OutOfMemory, message });
    }
    let reason = if init { Reason::InitContainerFailed } else { Reason::CrashLoop };
    let words = ended.message.trim();
    let separator = if words.is_empty() { "" } else { ": " };
    let message =
        format!("container {} ended with exit code {}{separator}{words}", container.name, ended.exit_code);
    Some(Cause { reason, message: bounded(&message) })
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
mod tests {
    use super::*;
    use serde_json::json;

    fn cause_of(status: &serde_json::Value) -> Option<(Reason, String)> {
        let mut pod: PodView =
            serde_json::from_value(json!({"metadata": {"name": "f-function-0"}, "status": status})).unwrap();
        pod.trim();
        pod.cause.map(|c| (c.reason, c.message))
    }

    fn container(state: &serde_json::Value, last: &serde_json::Value) -> serde_json::Value {
        json!({"containerStatuses": [
            {"name": "pulsar-function", "image": "img:1", "state": state, "lastState": last}
        ]})
    }

    #[test]
    fn pulling_and_backing_off_have_one_message() {
        let answer = "rpc error: code = NotFound desc = no such image";
        let pulling =
            container(&json!({"waiting": {"reason": "ErrImagePull", "message": answer}}), &json!({}));
        let waiting = container(
            &json!({"waiting": {"reason": "ImagePullBackOff",
                "message": format!("Back-off pulling image \"img:1\": ErrImagePull: {answer}")}}),
            &json!({}),
        );
        let want = Some((Reason::ImagePullBackOff, format!("cannot pull image \"img:1\": {answer}")));
        assert_eq!(cause_of(&pulling), want);
        assert_eq!(cause_of(&waiting), want);
    }

    #[test]
    fn a_missing_config_map_is_named() {
        let status = container(
            &json!({"waiting": {"reason": "CreateContainerConfigError", "message": "configmap \"x\" not found"}}),
            &json!({}),
        );
        let (reason, message) = cause_of(&status).unwrap();
        assert_eq!(reason, Reason::CreateContainerConfigError);
        assert!(message.contains("configmap \"x\" not found"), "{message}");
    }

    #[test]
    fn exit_code_zero_is_a_crash() {
        let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed", "message": "ERROR Class\n not found"}});
        let want = (
            Reason::CrashLoop,
            "container pulsar-function ended with exit code 0: ERROR Class not found".to_owned(),
        );
        assert_eq!(cause_of(&container(&json!({"running": {}}), &ended)), Some(want.clone()));
        assert_eq!(cause_of(&container(&ended, &json!({}))), Some(want));
        assert_eq!(cause_of(&container(&json!({"running": {}}), &json!({}))), None);
    }

    #[test]
    fn the_worst_cause_comes_first_and_is_bounded() {
        let status = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "x".repeat(2000)}]});
        let (reason, message) = cause_of(&status).unwrap();
        assert_eq!(reason, Reason::Unschedulable);
        assert!(message.chars().count() <= MESSAGE_LIMIT + 1);
    }

    #[test]
    fn a_finished_init_container_is_no_cause() {
        let status = json!({"initContainerStatuses": [
            {"name": "prepare", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
        ]});
        assert_eq!(cause_of(&status), None);
    }
}
