//! What each [`Reason`] means and what to do about it: the source of the reference documentation.

use crate::reason::Reason;
use crate::status::{CLEANUP_PENDING, PROGRESSING, READY, UPDATE_AVAILABLE};
use crate::vertical::MISSING;
use functionmesh_runtime::condition::Explained;

/// Everything is there.
const DONE: &[(&str, bool)] = &[(READY, true)];
/// Not there yet, or in trouble that may end well: the controller goes on by itself.
const UNDER_WAY: &[(&str, bool)] = &[(READY, false), (PROGRESSING, true)];
/// The pods could be rendered anew, and are not.
const WAITING: &[(&str, bool)] = &[(UPDATE_AVAILABLE, true)];
/// Nothing happens before somebody changes something.
const STOPPED: &[(&str, bool)] = &[(READY, false), (PROGRESSING, false)];

impl Reason {
    /// All of them, in the order of declaration. A new one does not compile until it is here and has its texts below.
    pub const ALL: [Self; Self::ApplyFailed as usize + 1] = [
        Self::AllReplicasAvailable,
        Self::ScaledToZero,
        Self::WaitingForPods,
        Self::Complete,
        Self::Invalid,
        Self::InvalidBackendConfig,
        Self::BackendConfigChanged,
        Self::RendererChanged,
        Self::OperatorConfigChanged,
        Self::MadeByOriginal,
        Self::RolloutPaused,
        Self::RecreateRequired,
        Self::NameConflict,
        Self::ImagePullBackOff,
        Self::CreateContainerConfigError,
        Self::Unschedulable,
        Self::OutOfMemory,
        Self::InitContainerFailed,
        Self::CrashLoop,
        Self::ApiMissing,
        Self::CleanupRunning,
        Self::CleanupFailed,
        Self::Forbidden,
        Self::QuotaExceeded,
        Self::AdmissionDenied,
        Self::TooLarge,
        Self::ApplyFailed,
    ];

    /// What it means and what to do.
    #[allow(clippy::too_many_lines, reason = "a table")]
    pub fn explained(self) -> Explained {
        let (conditions, meaning, advice) = match self {
            Self::AllReplicasAvailable => {
                (DONE, "All replicas run the newest template and have been ready for a while.", "Nothing.")
            }
            Self::ScaledToZero => (
                DONE,
                "Zero replicas are wanted, and none is left.",
                "Nothing. To start it again, scale up: `kubectl scale function NAME --replicas=1`.",
            ),
            Self::WaitingForPods => (
                UNDER_WAY,
                "Pods are being created, pulled, started or replaced; nothing is known to be wrong.",
                "Wait. If it lasts, look at the pods: `kubectl describe pod` and `kubectl logs`.",
            ),
            Self::Complete => (
                &[(PROGRESSING, false)][..],
                "The roll-out is finished.",
                "Nothing; `Ready` is true as well.",
            ),
            Self::Invalid => (
                STOPPED,
                "The object says something that cannot run. Pods that run already go on running.",
                "Correct the fields that the message names.",
            ),
            Self::InvalidBackendConfig => (
                STOPPED,
                "A BackendConfig that holds for the object cannot be read. Pods that run already go on running.",
                "Correct the BackendConfig that the message names.",
            ),
            Self::BackendConfigChanged => (
                WAITING,
                "A BackendConfig without `autoUpdate` changed. The pods get the change with the next change of the \
                 object that restarts them anyway.",
                "Nothing; or set `spec.autoUpdate: true` in the BackendConfig, and it reaches all pods at once.",
            ),
            Self::RendererChanged => (
                WAITING,
                "A newer release of the operator renders the pods differently; the message has the differences. The \
                 pods run on as they are, and the update goes along with the next change of the spec.",
                "Nothing; or let it through: annotate the object with `compute.functionmesh.io/approve-update` and \
                 the value of `status.statefulSet.pendingHash`, or all objects with the flag `--approve-updates`.",
            ),
            Self::OperatorConfigChanged => (
                WAITING,
                "The operator's configuration (its file or flags) changed, and the pods would be rendered differently. \
                 They run on as they are, and the change goes along with the next change of the spec.",
                "As for `RendererChanged`.",
            ),
            Self::MadeByOriginal => (
                WAITING,
                "The Go Function Mesh made the pods. They run on as they are: taking them over restarts nothing. What \
                 this operator renders goes along with the next change of the spec.",
                "As for `RendererChanged`.",
            ),
            Self::RolloutPaused => (
                WAITING,
                "The roll-out is paused by the annotation `compute.functionmesh.io/pause-rollout` or the flag \
                 `--pause-rollout`: only a change of the object's own spec reaches its pods.",
                "Remove the annotation or the flag, or approve as for `RendererChanged`.",
            ),
            Self::RecreateRequired => (
                STOPPED,
                "A field of the StatefulSet would have to change that Kubernetes does not let change, such as its \
                 volume claim templates. The pods run on as they are.",
                "Take the change back; or annotate the object with `compute.functionmesh.io/recreate` and the value \
                 of `status.statefulSet.pendingHash`: the StatefulSet is deleted without its pods and made anew. \
                 Volume claims that exist stay as they are.",
            ),
            Self::NameConflict => (
                STOPPED,
                "An object with the name of a StatefulSet or Service of this one exists and belongs to somebody else. \
                 It is left alone.",
                "Delete or rename that object, or give this one another name.",
            ),
            Self::ImagePullBackOff => (
                UNDER_WAY,
                "The kubelet cannot pull an image; the message has the registry's answer.",
                "Check the name and tag in `spec.image`, the secrets in `spec.pod.imagePullSecrets`, and the way to \
                 the registry.",
            ),
            Self::CreateContainerConfigError => (
                UNDER_WAY,
                "A ConfigMap, a Secret or a key in one that the container needs is missing.",
                "Create what the message names, or correct the reference, such as `spec.pulsar.pulsarConfig` or \
                 `spec.secretsMap`.",
            ),
            Self::Unschedulable => (
                UNDER_WAY,
                "The scheduler finds no node for a pod; the message says what is lacking.",
                "Lower `spec.resources`, add nodes, or correct `nodeSelector`, `affinity` and `tolerations` in \
                 `spec.pod`.",
            ),
            Self::OutOfMemory => (
                UNDER_WAY,
                "A container used more memory than its limit and was killed.",
                "Raise `spec.resources.limits.memory`, or find out what the code keeps in memory.",
            ),
            Self::InitContainerFailed => (
                UNDER_WAY,
                "An init container fails, so the instance never starts. The message ends with its last words.",
                "Read its log: `kubectl logs POD -c CONTAINER`. Where it downloads the package, check the location \
                 and the credentials.",
            ),
            Self::CrashLoop => (
                UNDER_WAY,
                "The instance ends after it was started, and is started again. The message has its last errors; exit \
                 code 0 is no success, as Java instances end with it after a fatal error.",
                "Correct what the message says: often the class name, a missing library, or the address and \
                 credentials of Pulsar.",
            ),
            Self::ApiMissing => (
                &[(MISSING, true)][..],
                "The object asks for a VerticalPodAutoscaler, and the cluster does not have that kind. The pods run \
                 without.",
                "Install the Vertical Pod Autoscaler, which is noticed without a restart; or remove `spec.pod.vpa`.",
            ),
            Self::CleanupRunning => (
                &[(READY, false), (PROGRESSING, true), (CLEANUP_PENDING, true)][..],
                "The object is deleted, and what it left in Pulsar is being removed.",
                "Wait. To leave it there and let the object go at once: `kubectl annotate function NAME \
                 compute.functionmesh.io/need-cleanup=false`.",
            ),
            Self::CleanupFailed => (
                &[(READY, false), (PROGRESSING, false), (CLEANUP_PENDING, true)][..],
                "What a deleted object left in Pulsar could not be removed; the message says why. The object goes all \
                 the same, at the latest a quarter of an hour after its deletion; an Event tells of it.",
                "Remove the subscription by hand: `pulsar-admin topics unsubscribe`.",
            ),
            Self::Forbidden => (
                STOPPED,
                "The controller lacks a right; the message names the verb and the resource. It tries again, at the \
                 latest every five minutes.",
                "Give the controller's service account the rights of the chart, or of `config/rbac`.",
            ),
            Self::QuotaExceeded => (
                STOPPED,
                "A ResourceQuota of the namespace does not admit a child; the message says which amount is used up. \
                 The controller tries again, at the latest every five minutes.",
                "Raise the quota, or remove what uses it up: `kubectl describe resourcequota`.",
            ),
            Self::AdmissionDenied => (
                STOPPED,
                "An admission webhook or policy of the cluster does not admit a child; the message has its words. The \
                 controller tries again, at the latest every five minutes.",
                "Change the object so that the policy admits its pods, or have the policy make an exception.",
            ),
            Self::TooLarge => (
                STOPPED,
                "A child is larger than the API server stores. It is tried again when the object changes.",
                "Make the object smaller: often `userConfig`, a log configuration, or `spec.pod`.",
            ),
            Self::ApplyFailed => (
                STOPPED,
                "The API server refused a write or did not answer it; the message has its words. The controller \
                 tries again.",
                "Correct what was refused: often a field that Kubernetes does not accept.",
            ),
        };
        Explained { conditions, meaning, advice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::children::{StatefulSetSpecView, StatefulSetStatusView, StatefulSetView};
    use crate::pods::Cause;
    use crate::status::{Outcome, UPDATE_AVAILABLE, status};
    use crate::vertical;
    use functionmesh_api::status::ComponentStatus;
    use functionmesh_runtime::condition::{self, Wanted};
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_reason_is_there_once() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason}");
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
            let status =
                status(&ComponentStatus::default(), &outcome, cause.as_ref(), Some(1), &condition::now());
            for c in status.conditions.list() {
                found.insert((c.type_.clone(), c.status == "True", c.reason.clone()));
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
}
