//! The cached form of a cleanup Job: its owner and its result.

use crate::observed::metadata::pruned_metadata;
use crate::observed::view::{Labelled, View};
use crate::takeover::marks::LABEL_OWNER;
use functionmesh_objects::bounded_json::metadata;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The parts of a Job that are read. Pruning keeps only the result.
#[derive(Clone, Debug, Default, Deserialize, Serialize, Resource)]
#[resource(inherit = Job)]
pub struct JobView {
    /// Name, labels and owner.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    #[serde(default, skip_serializing)]
    status: Status,
    /// The result, if it has finished.
    #[serde(skip)]
    pub end: Option<End>,
    /// Whether a pod of it has started.
    #[serde(skip)]
    pub started: bool,
    /// When it was created, in seconds.
    #[serde(skip)]
    created: Option<i64>,
}

/// The result of a Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was removed.
    Complete,
    /// It failed, with the message of the Job controller.
    Failed(String),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
    ready: i32,
    failed: i32,
    succeeded: i32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
    message: String,
}

impl Labelled for JobView {}

impl View for JobView {
    fn prune(&mut self, manager: &str) {
        let status = std::mem::take(&mut self.status);
        let true_ = |type_: &str| status.conditions.iter().find(|c| c.type_ == type_ && c.status == "True");
        self.end = match (true_("Complete"), true_("Failed")) {
            (Some(_), _) => Some(End::Complete),
            (None, Some(failed)) => Some(End::Failed(format!("{}: {}", failed.reason, failed.message))),
            (None, None) => None,
        };
        self.started = status.ready > 0 || status.failed > 0 || status.succeeded > 0;
        self.created = self.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second());
        self.metadata = pruned_metadata(std::mem::take(&mut self.metadata), manager);
    }
}

impl JobView {
    /// Time since it was created, by the clock of the API server.
    pub fn age(&self, now: &Time) -> Duration {
        let now = now.0.as_second();
        Duration::from_secs(u64::try_from(now - self.created.unwrap_or(now)).unwrap_or_default())
    }

    /// Whether the Go operator created it for the object of this uid: it sleeps until it is signalled to clean up.
    pub fn is_of_the_go_operator(&self, uid: Option<&str>) -> bool {
        let owner = self.labels().get(LABEL_OWNER).map(String::as_str);
        self.owner_references().is_empty() && owner.is_some() && owner == uid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(metadata: &serde_json::Value, conditions: &serde_json::Value) -> JobView {
        let mut view: JobView =
            serde_json::from_value(json!({"metadata": metadata, "status": {"conditions": conditions}}))
                .unwrap();
        view.prune("ours");
        view
    }

    #[test]
    fn the_end_of_a_job_is_its_last_condition() {
        let end = |conditions| job(&json!({}), &conditions).end;
        assert_eq!(end(json!([])), None);
        // Before the pods are deleted.
        assert_eq!(end(json!([{"type": "FailureTarget", "status": "True"}])), None);
        assert_eq!(end(json!([{"type": "Complete", "status": "True"}])), Some(End::Complete));
        let failed = json!([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}]);
        assert_eq!(end(failed), Some(End::Failed("DeadlineExceeded: too long".to_owned())));
    }

    #[test]
    fn a_job_has_started_when_a_pod_of_it_has() {
        let started = |status: serde_json::Value| {
            let mut view: JobView =
                serde_json::from_value(json!({"metadata": {}, "status": status})).unwrap();
            view.prune("ours");
            view.started
        };
        assert!(
            !started(json!({"active": 1, "ready": 0, "startTime": "2026-01-01T00:00:00Z"})),
            "its pod waits"
        );
        assert!(started(json!({"active": 1, "ready": 1})));
        assert!(started(json!({"failed": 1})), "it may be between two pods");
    }

    #[test]
    fn a_job_of_the_go_operator_is_known_by_its_label() {
        let labels = json!({"labels": {"owner": "uid"}});
        assert!(job(&labels, &json!([])).is_of_the_go_operator(Some("uid")));
        assert!(!job(&labels, &json!([])).is_of_the_go_operator(Some("other")));
        assert!(!job(&json!({}), &json!([])).is_of_the_go_operator(None));
    }
}
