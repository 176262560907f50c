//! The types of the conditions that only a Function, Source or Sink has; [`functionmesh_api::condition`] has those of every kind.

/// Condition: the pods would be rendered differently now; they stay unchanged until there is a reason to change them. Present
/// only while true.
pub const UPDATE_AVAILABLE: &str = "UpdateAvailable";

/// Condition: the object is deleted and waits for its cleanup. Present only while true.
pub const CLEANUP_PENDING: &str = "CleanupPending";

/// Condition: the object has settings that would be refused today. Present only while true.
pub const UNSAFE_SETTINGS: &str = "UnsafeSettings";

/// Condition: the object configures an autoscaler of a kind that the controller cannot use. Present only while true.
pub const MISSING: &str = "VerticalPodAutoscalerMissing";
