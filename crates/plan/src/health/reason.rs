//! Every reason a condition of a Function, Source or Sink can have.

use functionmesh_api::condition::Health;
use std::fmt;

/// `reason` of the conditions `Ready` and `Progressing`, and of the Events that tell of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// All replicas run the newest template and are available.
    AllReplicasAvailable,
    /// Zero replicas are wanted, and none is left.
    ScaledToZero,
    /// Pods are being created, pulled, started or replaced; nothing is known to be wrong.
    WaitingForPods,
    /// The roll-out is finished.
    Complete,
    /// The object says something that cannot run; the message has the fields.
    Invalid,
    /// A `BackendConfig` that holds for the object cannot be read; the message has its name. What runs goes on running.
    InvalidBackendConfig,
    /// A change of a `BackendConfig` without `autoUpdate` waits for the next change of the object's pods.
    BackendConfigChanged,
    /// A newer release renders the pods differently; they stay as they are until somebody approves.
    RendererChanged,
    /// The operator's configuration changed; the pods stay as they are until somebody approves.
    OperatorConfigChanged,
    /// The Go Function Mesh made the pods; they stay as they are until somebody approves.
    MadeByOriginal,
    /// Changes of the pods that do not come from the object's own spec wait while its roll-out is paused.
    RolloutPaused,
    /// A field of the `StatefulSet` would have to change that cannot.
    RecreateRequired,
    /// An object with the name of one of ours exists and belongs to somebody else; it is left alone.
    NameConflict,
    /// The node of a pod does not report, and Kubernetes does not replace the pod.
    NodeLost,
    /// The kubelet cannot pull an image.
    ImagePullBackOff,
    /// A `ConfigMap`, Secret or key that the container needs is missing.
    CreateContainerConfigError,
    /// The scheduler finds no node.
    Unschedulable,
    /// The volumes of a pod cannot be mounted, or its network cannot be made.
    VolumesNotReady,
    /// The controller of `StatefulSet`s makes no pods: something does not admit them.
    PodsNotCreated,
    /// The container was killed because it used more memory than its limit, or the JVM ran out of its own.
    OutOfMemory,
    /// A volume or the container's own file system is full.
    DiskFull,
    /// TLS fails: a certificate is not trusted or is for another host, or one side does not speak TLS.
    TlsFailed,
    /// Pulsar does not know who the instance is.
    AuthenticationFailed,
    /// Pulsar does not let the instance do what it wants to.
    AuthorizationFailed,
    /// The package cannot be downloaded, or is not where it is said to be.
    PackageUnavailable,
    /// The class, or one that it needs, is not in the package.
    ClassNotFound,
    /// A schema of the instance and that of the topic do not go together.
    IncompatibleSchema,
    /// A topic, or its namespace or tenant, does not exist.
    TopicNotFound,
    /// The broker cannot be reached.
    BrokerUnreachable,
    /// The instance runs and has no connection to a broker.
    NotConnected,
    /// An init container fails, so the instance never starts.
    InitContainerFailed,
    /// The instance ends after it was started. Exit code 0 included: a Java instance ends so after a fatal error.
    CrashLoop,
    /// The roll-out was not finished in time. It may still be: nothing is given up.
    ProgressDeadlineExceeded,
    /// The object asks for something of a kind that the cluster does not have.
    ApiMissing,
    /// The object has a setting that would be refused today; it was stored before, and runs on.
    SettingsRefused,
    /// The object is deleted, and what it left in Pulsar is being removed.
    CleanupRunning,
    /// What a deleted object left in Pulsar could not be removed; the message says why.
    CleanupFailed,
    /// The controller lacks a right; the message names it.
    Forbidden,
    /// A `ResourceQuota` of the namespace does not admit a child.
    QuotaExceeded,
    /// An admission webhook or policy of the cluster does not admit a child.
    AdmissionDenied,
    /// A child is larger than the API server stores.
    TooLarge,
    /// The API server failed or did not answer a write, again and again; the message has its words.
    ApplyFailed,
}

impl Reason {
    /// Whether the object was not brought to what it says: what is read of the children then is not of the newest spec.
    pub fn is_refusal(self) -> bool {
        self == Self::ApplyFailed
            || (self.health() == Health::Failed && self != Self::ProgressDeadlineExceeded)
    }

    /// The word in the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllReplicasAvailable => "AllReplicasAvailable",
            Self::ScaledToZero => "ScaledToZero",
            Self::WaitingForPods => "WaitingForPods",
            Self::Complete => "Complete",
            Self::Invalid => "Invalid",
            Self::InvalidBackendConfig => "InvalidBackendConfig",
            Self::BackendConfigChanged => "BackendConfigChanged",
            Self::RendererChanged => "RendererChanged",
            Self::OperatorConfigChanged => "OperatorConfigChanged",
            Self::MadeByOriginal => "MadeByOriginal",
            Self::RolloutPaused => "RolloutPaused",
            Self::RecreateRequired => "RecreateRequired",
            Self::NameConflict => "NameConflict",
            Self::NodeLost => "NodeLost",
            Self::ImagePullBackOff => "ImagePullBackOff",
            Self::CreateContainerConfigError => "CreateContainerConfigError",
            Self::Unschedulable => "Unschedulable",
            Self::VolumesNotReady => "VolumesNotReady",
            Self::PodsNotCreated => "PodsNotCreated",
            Self::OutOfMemory => "OutOfMemory",
            Self::DiskFull => "DiskFull",
            Self::TlsFailed => "TlsFailed",
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::AuthorizationFailed => "AuthorizationFailed",
            Self::PackageUnavailable => "PackageUnavailable",
            Self::ClassNotFound => "ClassNotFound",
            Self::IncompatibleSchema => "IncompatibleSchema",
            Self::TopicNotFound => "TopicNotFound",
            Self::BrokerUnreachable => "BrokerUnreachable",
            Self::NotConnected => "NotConnected",
            Self::InitContainerFailed => "InitContainerFailed",
            Self::CrashLoop => "CrashLoop",
            Self::ProgressDeadlineExceeded => "ProgressDeadlineExceeded",
            Self::ApiMissing => "ApiMissing",
            Self::SettingsRefused => "SettingsRefused",
            Self::CleanupRunning => "CleanupRunning",
            Self::CleanupFailed => "CleanupFailed",
            Self::Forbidden => "Forbidden",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::AdmissionDenied => "AdmissionDenied",
            Self::TooLarge => "TooLarge",
            Self::ApplyFailed => "ApplyFailed",
        }
    }

    /// What it says to tools that wait for the object. One table for all: the conditions `Progressing`, `Reconciling` and
    /// `Stalled` follow from it, and the documentation of kstatus, kubectl and Argo CD.
    pub fn health(self) -> Health {
        match self {
            Self::AllReplicasAvailable
            | Self::ScaledToZero
            | Self::Complete
            // What waits for an approval, or lacks an autoscaler, runs.
            | Self::BackendConfigChanged
            | Self::RendererChanged
            | Self::OperatorConfigChanged
            | Self::MadeByOriginal
            | Self::RolloutPaused
            | Self::ApiMissing
            | Self::SettingsRefused => Health::Current,
            // A cluster autoscaler, a registry, a broker or another controller may help, until the deadline is over.
            Self::WaitingForPods
            | Self::NodeLost
            | Self::ImagePullBackOff
            | Self::CreateContainerConfigError
            | Self::Unschedulable
            | Self::VolumesNotReady
            | Self::PodsNotCreated
            | Self::OutOfMemory
            | Self::DiskFull
            | Self::TlsFailed
            | Self::AuthenticationFailed
            | Self::AuthorizationFailed
            | Self::PackageUnavailable
            | Self::ClassNotFound
            | Self::IncompatibleSchema
            | Self::TopicNotFound
            | Self::BrokerUnreachable
            | Self::NotConnected
            | Self::InitContainerFailed
            | Self::CrashLoop
            | Self::ApplyFailed => Health::InProgress,
            Self::Invalid
            | Self::InvalidBackendConfig
            | Self::NameConflict
            | Self::RecreateRequired
            | Self::ProgressDeadlineExceeded
            | Self::Forbidden
            | Self::QuotaExceeded
            | Self::AdmissionDenied
            | Self::TooLarge => Health::Failed,
            Self::CleanupRunning | Self::CleanupFailed => Health::Terminating,
        }
    }

    /// Whether nothing happens before a user changes something.
    pub(crate) fn stops(self) -> bool {
        self.health() == Health::Failed || self == Self::CleanupFailed
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
