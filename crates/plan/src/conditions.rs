//! The types of the conditions that only a Function, Source or Sink has; [`functionmesh_api::condition`] has those of every kind.

/// Condition: the pods would be rendered differently now; they stay unchanged until there is a reason to change them.
/// There only while true.
pub const UPDATE_AVAILABLE: &str = "UpdateAvailable";

/// Condition: the object is deleted and waits for its cleanup. There only while true.
pub const CLEANUP_PENDING: &str = "CleanupPending";

/// Condition: the object has settings that would be refused today. There only while true.
pub const UNSAFE_SETTINGS: &str = "UnsafeSettings";

/// Condition: the object asks for an autoscaler of a kind that the controller cannot use. There only while true.
pub const MISSING: &str = "VerticalPodAutoscalerMissing";
