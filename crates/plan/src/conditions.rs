//! The types of the conditions of a Function, Source or Sink.

/// Condition: all wanted replicas run the newest template and are available.
pub const READY: &str = "Ready";
/// Condition: a roll-out is on its way.
pub const PROGRESSING: &str = "Progressing";
/// Condition: the pods would be rendered differently now; they are left alone until there is a reason to change them.
/// There only while true.
pub const UPDATE_AVAILABLE: &str = "UpdateAvailable";

/// Condition: the pods run as the object says, and a write beside that fails: of another child, or a repair. There only while
/// true; when the pods themselves are concerned, `Ready` has the reason.
pub const RECONCILE_FAILED: &str = "ReconcileFailed";

/// Condition: the object is deleted and waits for its cleanup. There only while true.
pub const CLEANUP_PENDING: &str = "CleanupPending";

/// Condition: the object has settings that would be refused today. There only while true.
pub const UNSAFE_SETTINGS: &str = "UnsafeSettings";

/// Condition: the object asks for an autoscaler of a kind that the controller cannot use. There only while true.
pub const MISSING: &str = "VerticalPodAutoscalerMissing";
