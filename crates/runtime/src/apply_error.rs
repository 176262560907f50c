//! Errors of writes, in a form that a condition can report.

use crate::observe::{Failure, FailureReason};
use crate::wording;
use functionmesh_objects::refusal::Refusal;
use std::time::Duration;

/// Why a write failed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// An unknown object of another owner has the name.
    #[error(
        "{kind} {name} exists and does not belong to this object; it is not managed: delete or rename it, or rename this object"
    )]
    NameConflict {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The API server refused the request.
    #[error("{kind} {name} was refused: {message}")]
    Refused {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// Why.
        reason: Refusal,
        /// Its message.
        message: String,
    },
    /// The API server failed or did not answer.
    #[error("{kind} {name} could not be written")]
    Unanswered {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// What happened.
        source: Box<kube::Error>,
    },
}

impl ApplyError {
    /// The text for a condition: includes the API server's message, if there is one, without the parts that differ each time.
    pub fn user_message(&self) -> String {
        wording::stable(&self.whole())
    }

    fn whole(&self) -> String {
        if let Self::Unanswered { source, .. } = self
            && let kube::Error::Api(status) = source.as_ref()
        {
            return format!("{self}: {}", status.message);
        }
        self.to_string()
    }

    /// Why the API server refused, if it did.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            Self::NameConflict { .. } | Self::Unanswered { .. } => None,
        }
    }

    /// Whether a retry may succeed: the request was not answered, the API server failed, or the object changed meanwhile. All
    /// other requests are refused until a user changes something.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unanswered { .. } => true,
            Self::Refused { reason, .. } => reason.is_transient(),
            Self::NameConflict { .. } => false,
        }
    }

    /// From a request that failed.
    pub(crate) fn from_request(kind: &str, name: &str, error: kube::Error) -> Self {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let kube::Error::Api(status) = error else {
            return Self::Unanswered { kind, name, source: Box::new(error) };
        };
        let Some(reason) = Refusal::of(&status) else {
            return Self::Unanswered { kind, name, source: Box::new(kube::Error::Api(status)) };
        };
        Self::Refused { kind, name, reason, message: status.message.clone() }
    }

    /// The same for a request to create an object: if other field managers own its fields, another object has the name.
    pub(crate) fn from_creation(kind: &str, name: &str, error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if Refusal::is_of_managers(status) => {
                Self::NameConflict { kind: kind.to_owned(), name: name.to_owned() }
            }
            _ => Self::from_request(kind, name, error),
        }
    }
}

impl ApplyError {
    /// Whether the API server does not have the kind.
    pub fn is_kind_missing(&self) -> bool {
        self.refusal() == Some(Refusal::KindMissing)
    }
}

impl Failure for ApplyError {
    fn reason(&self) -> FailureReason {
        match self {
            Self::NameConflict { .. } => FailureReason::NameConflict,
            Self::Refused { reason, .. } => FailureReason::Refused(*reason),
            Self::Unanswered { .. } => FailureReason::ApiServer,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let Self::Unanswered { source, .. } = self else { return None };
        let kube::Error::Api(status) = source.as_ref() else { return None };
        let seconds = status.details.as_ref()?.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let cases = [
            (403, "pods is forbidden: exceeded quota: q, requested: x", "QuotaExceeded"),
            (403, "services is forbidden: User \"u\" cannot patch resource \"services\"", "Forbidden"),
            (403, "admission webhook \"w\" denied the request: no", "AdmissionDenied"),
            (400, "admission webhook \"w\" denied the request: no", "AdmissionDenied"),
            (
                422,
                "x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                "AdmissionDenied",
            ),
            (422, "StatefulSet is invalid: spec", "Invalid"),
            (413, "Request entity too large: limit is 3145728", "TooLarge"),
            (404, "the server could not find the requested resource", "KindMissing"),
            (404, "namespaces \"n\" not found", "NotFound"),
            (405, "create not allowed while custom resource definition is terminating", "KindMissing"),
            (500, "etcdserver: request is too large", "TooLarge"),
            (500, "failed calling webhook", "ApiServer"),
            (400, "quantities must match the regular expression", "BadRequest"),
            (409, "the object has been modified", "Conflict"),
            (429, "too many requests", "ApiServer"),
            (504, "the request timed out", "ApiServer"),
        ];
        for (code, message, want) in cases {
            let status =
                kube::core::Status { code, message: message.to_owned(), ..kube::core::Status::default() };
            let error = kube::Error::Api(Box::new(status));
            let error = ApplyError::from_creation("Service", "x", error);
            assert_eq!(error.reason().as_str(), want, "{code} {message}");
            assert!(crate::metrics::FAILURES.contains(&want), "{want} does not begin with zero");
            assert_eq!(error.user_message().matches(message).count(), 1, "{}", error.user_message());
            assert_eq!(
                error.is_transient(),
                matches!(want, "Conflict" | "NotFound" | "KindMissing" | "ApiServer"),
                "{code} {message}"
            );
        }
    }
}
