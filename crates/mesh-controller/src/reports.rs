//! Merges the statuses of a mesh (docs/decisions/0056-statuses-of-a-mesh-are-merged.md).
//!
//! A status is written with its whole object, 1 MB for a mesh of 500 components, and each component that becomes ready changes
//! the count. While nothing but counts and texts change, a status is written every few seconds; everything else is written at
//! once, above all a loss of `Ready`.

use functionmesh_api::status::MeshStatus;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two statuses of a mesh that differ only in counts and texts.
pub(crate) const INTERVAL: Duration = Duration::from_secs(3);

/// When the last status of each mesh was written, by the uid of the mesh.
#[derive(Debug, Default)]
pub(crate) struct Reports(Mutex<HashMap<String, Instant>>);

impl Reports {
    /// How long a status has to wait; none if it is due.
    pub(crate) fn wait(
        &self,
        uid: Option<&str>,
        before: &MeshStatus,
        after: &MeshStatus,
    ) -> Option<Duration> {
        if !is_progress(before, after) {
            return None;
        }
        let reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        INTERVAL.checked_sub(reports.get(uid?)?.elapsed()).filter(|left| !left.is_zero())
    }

    /// Number of meshes whose next status may have to wait.
    pub(crate) fn entries(&self) -> usize {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.retain(|_, at| at.elapsed() < INTERVAL);
        reports.len()
    }

    /// Records that a status was written now.
    pub(crate) fn wrote(&self, uid: Option<String>) {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Older entries make no status wait.
        reports.retain(|_, at| at.elapsed() < INTERVAL);
        reports.extend(uid.map(|uid| (uid, Instant::now())));
    }
}

/// Whether two statuses of the same spec have the same conditions, apart from their texts.
fn is_progress(before: &MeshStatus, after: &MeshStatus) -> bool {
    let known = |status: &MeshStatus| -> Vec<(String, String, String)> {
        let conditions = status.conditions.list().iter();
        conditions.map(|c| (c.type_.clone(), c.status.clone(), c.reason.clone())).collect()
    };
    !before.conditions.is_legacy()
        && before.observed_generation == after.observed_generation
        && known(before) == known(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(generation: i64, ready: u32, reason: &str) -> MeshStatus {
        let is_ready = if reason == "AllComponentsReady" { "True" } else { "False" };
        serde_json::from_value(json!({
            "observedGeneration": generation, "components": 9, "readyComponents": ready,
            "conditions": [{"type": "Ready", "status": is_ready, "reason": reason,
                "message": format!("{ready}/9 ready"), "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        }))
        .unwrap()
    }

    #[test]
    fn only_counts_and_texts_wait() {
        let reports = Reports::default();
        let waits = |before: &MeshStatus, after: &MeshStatus| reports.wait(Some("u"), before, after);
        let (three, four) = (status(1, 3, "ComponentsNotReady"), status(1, 4, "ComponentsNotReady"));
        assert_eq!(waits(&three, &four), None, "the last one is not known");
        reports.wrote(Some("u".to_owned()));
        assert!(waits(&three, &four).is_some_and(|left| left <= INTERVAL));
        assert!(waits(&four, &three).is_some(), "fewer are ready: the mesh was not ready before");
        assert_eq!(reports.wait(Some("other"), &three, &four), None);
        assert_eq!(reports.wait(None, &three, &four), None);
        for (before, after) in [
            (status(1, 9, "AllComponentsReady"), status(1, 8, "ComponentsNotReady")),
            (status(1, 8, "ComponentsNotReady"), status(1, 9, "AllComponentsReady")),
            (status(1, 8, "ComponentsNotReady"), status(1, 8, "NameConflict")),
            (status(1, 8, "ComponentsNotReady"), status(2, 8, "ComponentsNotReady")),
            (MeshStatus::default(), status(1, 8, "ComponentsNotReady")),
        ] {
            assert_eq!(waits(&before, &after), None, "{after:?}");
        }
        let long_ago = Instant::now().checked_sub(INTERVAL).unwrap();
        reports.0.lock().unwrap().insert("u".to_owned(), long_ago);
        assert_eq!(waits(&three, &four), None, "due");
        reports.wrote(Some("other".to_owned()));
        assert_eq!(reports.0.lock().unwrap().len(), 1, "only what makes a status wait is kept");
    }
}
