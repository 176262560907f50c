//! How the status reports a failed write.

use crate::health::reason::Reason;
use crate::outcome::FailedWrite;
use crate::rollout::update_message::blocked;
use functionmesh_objects::refusal::Refusal;

/// A write that failed.
#[derive(Clone, Debug)]
pub struct WriteError {
    /// Why the API server refused, if it did.
    pub refusal: Option<Refusal>,
    /// Whether an unknown foreign object has the name.
    pub is_name_conflict: bool,
    /// The message, with the response of the API server.
    pub message: String,
}

/// As reported by the API server for fields of a `StatefulSet` that cannot change.
const IMMUTABLE: &str = "updates to statefulset spec for fields other than";

/// How an error is reported if it lasts. `hash` is that of the rendering.
pub fn failed(error: WriteError, hash: &str) -> FailedWrite {
    let WriteError { refusal, is_name_conflict, message } = error;
    let reason = match refusal {
        Some(Refusal::Invalid) if message.contains(IMMUTABLE) => {
            let message = blocked("fields", hash) + ": " + &message;
            return FailedWrite { reason: Reason::RecreateRequired, message };
        }
        Some(Refusal::Invalid | Refusal::BadRequest) => Reason::Invalid,
        Some(Refusal::Forbidden) => Reason::Forbidden,
        Some(Refusal::QuotaExceeded) => Reason::QuotaExceeded,
        Some(Refusal::AdmissionDenied) => Reason::AdmissionDenied,
        Some(Refusal::TooLarge) => Reason::TooLarge,
        None if is_name_conflict => Reason::NameConflict,
        Some(
            Refusal::Conflict | Refusal::NotFound | Refusal::KindMissing | Refusal::NamespaceTerminating,
        )
        | None => Reason::ApplyFailed,
    };
    FailedWrite { reason, message }
}
