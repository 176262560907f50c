//! Scaling of an object whose spec cannot be rendered, or whose children conflict with other objects: the pod template stays as
//! it is, the number of pods follows the spec.

use crate::observed::statefulset::{StatefulSetView, Trace};
use crate::plan::Adjustment;
use functionmesh_api::status::StatefulSetStatusRef;
use serde::Deserialize;

/// The number that the spec states. A number that the API server filled in does not count if an autoscaler starts with more.
pub fn replicas(spec: &str, chosen: bool) -> Option<i32> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Scale {
        replicas: Option<i32>,
        min_replicas: Option<i32>,
    }
    let Scale { replicas, min_replicas } = serde_json::from_str(spec).ok()?;
    let is_default = replicas == Some(1) && min_replicas.is_some_and(|min| min > 1) && !chosen;
    replicas.filter(|number| *number >= 0 && !is_default)
}

/// The change to make.
pub fn adjustment(
    replicas: Option<i32>,
    live: &StatefulSetView,
    recorded: Option<&StatefulSetStatusRef>,
) -> Option<Adjustment> {
    let replicas = replicas.filter(|desired| *desired != live.spec.replicas)?;
    let settles = live.trace(recorded) != Trace::Edited;
    Some(Adjustment { replicas: Some(replicas), settles, ..Adjustment::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::statefulset::StatefulSetSpecView;

    #[test]
    fn only_a_number_that_is_stated_counts() {
        let spec = StatefulSetSpecView { replicas: 3, ..StatefulSetSpecView::default() };
        let live = StatefulSetView { spec, ..StatefulSetView::default() };
        let desired =
            |spec: &str| adjustment(replicas(spec, false), &live, None).and_then(|found| found.replicas);
        assert_eq!(desired(r#"{"replicas": 5, "java": 7}"#), Some(5));
        assert_eq!(desired(r#"{"replicas": 0}"#), Some(0));
        for nothing in [
            r#"{"replicas": 3}"#,
            r#"{"maxReplicas": 5}"#,
            r#"{"replicas": -1}"#,
            r#"{"replicas": "5"}"#,
            "",
            "{}",
            r#"{"replicas": 1, "minReplicas": 2, "maxReplicas": 5}"#,
        ] {
            assert_eq!(desired(nothing), None, "{nothing}");
        }
        assert_eq!(replicas(r#"{"replicas": 1, "minReplicas": 2, "maxReplicas": 5}"#, true), Some(1));
    }
}
