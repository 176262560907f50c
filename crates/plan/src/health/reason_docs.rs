//! What each [`Reason`] means and what to do about it: the source of the reference documentation.

use crate::conditions::{
    CLEANUP_PENDING, MISSING, PROGRESSING, READY, RECONCILE_FAILED, UNSAFE_SETTINGS, UPDATE_AVAILABLE,
};
use crate::health::reason::Reason;
use functionmesh_api::condition::{RECONCILING, ReasonDocs, STALLED};

mod pods;

/// Everything is there.
const DONE: &[(&str, bool)] = &[(READY, true)];
/// Not there yet, or in trouble that may end well: the controller goes on by itself.
const UNDER_WAY: &[(&str, bool)] = &[(READY, false), (PROGRESSING, true), (RECONCILING, true)];
/// The pods could be rendered anew, and are not.
const WAITING: &[(&str, bool)] = &[(UPDATE_AVAILABLE, true)];
/// Nothing happens before somebody changes something.
const STOPPED: &[(&str, bool)] = &[(READY, false), (PROGRESSING, false), (STALLED, true)];
/// The API server refuses a write: of the pods, or of something beside pods that are as the object says.
const REFUSED: &[(&str, bool)] =
    &[(READY, false), (PROGRESSING, false), (STALLED, true), (RECONCILE_FAILED, true)];
/// The same, but the controller may succeed by trying again.
const RETRIED: &[(&str, bool)] =
    &[(READY, false), (PROGRESSING, true), (RECONCILING, true), (RECONCILE_FAILED, true)];

impl Reason {
    /// All of them, in the order of declaration. A new one does not compile until it is here; a test asks for its
    /// texts.
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
        Self::NodeLost,
        Self::ImagePullBackOff,
        Self::CreateContainerConfigError,
        Self::Unschedulable,
        Self::VolumesNotReady,
        Self::PodsNotCreated,
        Self::OutOfMemory,
        Self::DiskFull,
        Self::TlsFailed,
        Self::AuthenticationFailed,
        Self::AuthorizationFailed,
        Self::PackageUnavailable,
        Self::ClassNotFound,
        Self::IncompatibleSchema,
        Self::TopicNotFound,
        Self::BrokerUnreachable,
        Self::NotConnected,
        Self::InitContainerFailed,
        Self::CrashLoop,
        Self::ProgressDeadlineExceeded,
        Self::ApiMissing,
        Self::SettingsRefused,
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
    pub fn docs(self) -> ReasonDocs {
        let (conditions, meaning, check, advice) = match self {
            Self::AllReplicasAvailable => (
                DONE,
                "All replicas run the newest template and have been ready for a while.",
                "`kubectl get pods -l compute.functionmesh.io/name=NAME`",
                "Nothing.",
            ),
            Self::ScaledToZero => (
                DONE,
                "Zero replicas are wanted, and none is left.",
                "`kubectl get function NAME -o jsonpath={.spec.replicas}`",
                "Nothing. To start it again, scale up: `kubectl scale function NAME --replicas=1`.",
            ),
            Self::WaitingForPods => (
                UNDER_WAY,
                "Pods are being created, pulled, started or replaced; nothing is known to be wrong.",
                "`kubectl get pods -l compute.functionmesh.io/name=NAME`, then `kubectl describe pod` and `kubectl logs`.",
                "Wait. If it lasts, look at the pods: `kubectl describe pod` and `kubectl logs`.",
            ),
            Self::Complete => (
                &[(PROGRESSING, false)][..],
                "The roll-out is finished.",
                "`kubectl get function NAME -o wide`",
                "Nothing; `Ready` is true as well.",
            ),
            Self::Invalid => (
                REFUSED,
                "The object says something that cannot run, or that the API server does not accept in a StatefulSet, \
                 Service or autoscaler. Pods that run already go on running.",
                "`kubectl get function NAME -o wide`: the message has each field with what is wrong with it.",
                "Correct the fields that the message names.",
            ),
            Self::InvalidBackendConfig => (
                STOPPED,
                "A BackendConfig that holds for the object cannot be read, or has content that the API server refuses in a pod. \
                 Pods that run stay as they are, and their number follows `spec.replicas`.",
                "`kubectl get backendconfigs -A` and `kubectl describe` the one that the message names.",
                "Correct the BackendConfig that the message names.",
            ),
            Self::BackendConfigChanged => (
                WAITING,
                "A BackendConfig without `autoUpdate` changed. The pods get the change with the next change of the \
                 object that restarts them anyway.",
                "`kubectl describe function NAME`: the message has what would change in the pods.",
                "Nothing; or set `spec.autoUpdate: true` in the BackendConfig, and it reaches all pods at once.",
            ),
            Self::RendererChanged => (
                WAITING,
                "A newer release of the operator renders the pods differently; the message has the differences. The \
                 pods run on as they are, and the update goes along with the next change of the spec.",
                "`kubectl describe function NAME`: the message has what would change in the pods.",
                "Nothing; or let it through: annotate the object with `compute.functionmesh.io/approve-update` and \
                 the value of `status.statefulSet.pendingHash`, or all objects with the flag `--approve-updates`.",
            ),
            Self::OperatorConfigChanged => (
                WAITING,
                "The operator's configuration (its file or flags) changed, and the pods would be rendered differently. \
                 They run on as they are, and the change goes along with the next change of the spec.",
                "`kubectl describe function NAME`: the message has what would change in the pods.",
                "As for `RendererChanged`.",
            ),
            Self::MadeByOriginal => (
                WAITING,
                "The Go Function Mesh made the pods. They run on as they are: taking them over restarts nothing. What \
                 this operator renders goes along with the next change of the spec.",
                "`kubectl describe function NAME`: the message has what would change in the pods.",
                "As for `RendererChanged`.",
            ),
            Self::RolloutPaused => (
                WAITING,
                "The roll-out is paused by the annotation `compute.functionmesh.io/pause-rollout` or the flag \
                 `--pause-rollout`: only a change of the object's own spec reaches its pods.",
                "`kubectl get function NAME -o yaml` for the annotation; the flag is an argument of the controller's container.",
                "Remove the annotation or the flag, or approve as for `RendererChanged`.",
            ),
            Self::RecreateRequired => (
                REFUSED,
                "A field of the StatefulSet would have to change that Kubernetes does not let change, such as its \
                 volume claim templates. The pods run on as they are.",
                "The message names the fields. `kubectl get statefulset -l compute.functionmesh.io/name=NAME -o yaml` has their values.",
                "Take the change back; or annotate the object with `compute.functionmesh.io/recreate` and the value \
                 of `status.statefulSet.pendingHash`: the StatefulSet is deleted without its pods and made anew. \
                 Volume claims that exist stay as they are.",
            ),
            Self::NameConflict => (
                REFUSED,
                "An object with the name of a StatefulSet or Service of this one exists and belongs to somebody else. \
                 It is left alone.",
                "The message names the object. `kubectl get KIND NAME -o yaml`: its owner references and labels tell whose it is.",
                "Delete or rename that object, or give this one another name.",
            ),
            Self::ApiMissing => (
                &[(MISSING, true)][..],
                "The object asks for a VerticalPodAutoscaler, and the cluster does not have that kind (any more), or does \
                 not let the controller list it. The pods run without.",
                "`kubectl api-resources --api-group=autoscaling.k8s.io`",
                "Install the Vertical Pod Autoscaler, or grant the permission that the message names: either is noticed \
                 within a minute, without a restart. Or remove `spec.pod.vpa`.",
            ),
            Self::SettingsRefused => (
                &[(UNSAFE_SETTINGS, true)][..],
                "The object has a setting that publishes in plain text what was to be encrypted, loses messages or ends the \
                 instance in its runtime. Today it would be refused at admission; the object was stored before, and runs on as \
                 it is.",
                "`kubectl get function NAME -o yaml`: the message has each setting with what it does; \
                 `docs/reference/settings.md` has all of them.",
                "Change the settings as the message says.",
            ),
            Self::CleanupRunning => (
                &[(READY, false), (PROGRESSING, true), (RECONCILING, true), (CLEANUP_PENDING, true)][..],
                "The object is deleted, and what it left in Pulsar is being removed. The message says what that waits \
                 for: the end of the pods, its turn among other deleted objects, the start of the Job's pod, or the Job.",
                "`kubectl get jobs,pods -l compute.functionmesh.io/name=NAME` and the logs of the Job's pod.",
                "Wait. To leave it there and let the object go at once: `kubectl annotate function NAME \
                 compute.functionmesh.io/need-cleanup=false`.",
            ),
            Self::CleanupFailed => (
                &[(READY, false), (PROGRESSING, false), (STALLED, true), (CLEANUP_PENDING, true)][..],
                "What a deleted object left in Pulsar could not be removed; the message says why. The object goes all \
                 the same, at the latest a quarter of an hour after the first attempt, and an Event reports it. A \
                 quota that is used up does not count as an attempt.",
                "`kubectl get events --field-selector involvedObject.name=NAME`, and the log of the Job's pod as long as it is there.",
                "Remove the subscription by hand: `pulsar-admin topics unsubscribe`.",
            ),
            Self::Forbidden => (
                REFUSED,
                "The controller lacks a right; the message names the verb and the resource. It tries again, at the \
                 latest every five minutes.",
                "`kubectl auth can-i VERB RESOURCE -n NAMESPACE --as=system:serviceaccount:NAMESPACE-OF-THE-OPERATOR:ACCOUNT`",
                "Give the controller's service account the rights of the chart, or of `config/rbac`.",
            ),
            Self::QuotaExceeded => (
                REFUSED,
                "A ResourceQuota of the namespace does not admit a child; the message says which amount is used up. \
                 The controller tries again, at the latest every five minutes.",
                "`kubectl describe resourcequota -n NAMESPACE`",
                "Raise the quota, or remove what uses it up: `kubectl describe resourcequota`.",
            ),
            Self::AdmissionDenied => (
                REFUSED,
                "An admission webhook or policy of the cluster does not admit a child; the message has its words. The \
                 controller tries again, at the latest every five minutes.",
                "`kubectl get validatingwebhookconfigurations,validatingadmissionpolicies`; the message names the one.",
                "Change the object so that the policy admits its pods, or have the policy make an exception.",
            ),
            Self::TooLarge => (
                REFUSED,
                "A child is larger than the API server stores. It is tried again when the object changes.",
                "`kubectl get function NAME -o yaml | wc -c`: an object may have about 1.5 MB.",
                "Make the object smaller: often `userConfig`, a log configuration, or `spec.pod`.",
            ),
            Self::ApplyFailed => (
                RETRIED,
                "The API server failed or did not answer a write six times in a row; the message has its words. The \
                 controller tries again, at the latest every five minutes. Pods that run already go on running.",
                "The message has the API server's words. The controller's log has each attempt: `kubectl logs deployment/function-mesh-function-controller`.",
                "Nothing when the API server was away: the controller catches up. Otherwise fix what the message names, \
                 often an admission webhook that does not answer.",
            ),

            _ => return pods::docs(self),
        };
        ReasonDocs { conditions, meaning, check, advice }
    }
}

#[cfg(test)]
mod tests;
