//! Why the API server refused a request: the one place that separates transient errors from those that a user has to fix.

use kube::core::Status;

/// Why the API server refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The object changed meanwhile.
    Conflict,
    /// The object is gone.
    NotFound,
    /// The kind is not installed, or no longer.
    KindMissing,
    /// The namespace is being deleted: nothing can be created in it.
    NamespaceTerminating,
    /// The controller lacks a permission.
    Forbidden,
    /// A `ResourceQuota` of the namespace is used up.
    QuotaExceeded,
    /// An admission webhook or policy denied the request.
    AdmissionDenied,
    /// The object is larger than the API server stores.
    TooLarge,
    /// A field has a value that its kind does not accept.
    Invalid,
    /// The object cannot be read as its kind.
    BadRequest,
}

impl Refusal {
    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "Conflict",
            Self::NotFound => "NotFound",
            Self::KindMissing => "KindMissing",
            Self::NamespaceTerminating => "NamespaceTerminating",
            Self::Forbidden => "Forbidden",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::AdmissionDenied => "AdmissionDenied",
            Self::TooLarge => "TooLarge",
            Self::Invalid => "Invalid",
            Self::BadRequest => "BadRequest",
        }
    }

    /// Whether the next attempt may succeed although nothing changes.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Conflict | Self::NotFound | Self::KindMissing => true,
            Self::NamespaceTerminating
            | Self::Forbidden
            | Self::QuotaExceeded
            | Self::AdmissionDenied
            | Self::TooLarge
            | Self::Invalid
            | Self::BadRequest => false,
        }
    }

    /// Reads the API server's response; none if the API server itself failed.
    pub fn of(status: &Status) -> Option<Self> {
        let says = |text: &str| status.message.contains(text);
        Some(match status.code {
            403 if has_cause(status, "NamespaceTerminating") => Self::NamespaceTerminating,
            403 if says("exceeded quota") => Self::QuotaExceeded,
            // Denied by a webhook, with the code that the webhook chose, or by a ValidatingAdmissionPolicy.
            400..=499 if says(" denied the request") || says(" denied request") => Self::AdmissionDenied,
            403 => Self::Forbidden,
            413 => Self::TooLarge,
            // The API server's own size limit is above that of etcd.
            500 if says("request is too large") => Self::TooLarge,
            400 => Self::BadRequest,
            // Also for a definition that is being deleted: its objects can still be read, but not created.
            404 if says("could not find the requested resource") => Self::KindMissing,
            405 => Self::KindMissing,
            404 => Self::NotFound,
            409 => Self::Conflict,
            422 => Self::Invalid,
            _ => return None,
        })
    }

    /// Whether another field manager holds a field that was applied without force.
    pub fn is_of_managers(status: &Status) -> bool {
        status.is_conflict() && has_cause(status, "FieldManagerConflict")
    }
}

fn has_cause(status: &Status, wanted: &str) -> bool {
    status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.reason == wanted)
}
