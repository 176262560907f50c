//! Placeholder.
use k8s_openapi::api::apps::v1::StatefulSet;
/// D.
pub fn difference(_live: &serde_json::Value, _desired: &StatefulSet, _manager: &str) -> Vec<String> {
    Vec::new()
}
/// S.
pub fn summary(changes: &[String], _most: usize) -> String {
    changes.join("; ")
}
