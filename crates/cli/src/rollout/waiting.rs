//! An update that awaits approval.

use crate::cluster::item::Item;
use crate::terminal::plural;
use functionmesh_api::constants::{ANNOTATION_APPROVE_UPDATE, ANNOTATION_RECREATE};

/// What the controller says of an update that it holds back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Hash of the rendering that waits.
    pub(crate) hash: String,
    /// Why it waits.
    pub(crate) reason: String,
    /// What it would change.
    pub(crate) message: String,
    /// Whether the StatefulSet has to be recreated for it.
    pub(crate) recreates: bool,
    /// Pods that it would replace.
    pub(crate) pods: i64,
}

impl Waiting {
    /// The update that waits, if one does.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let status = item.status();
        let hash = status.stateful_set.as_ref()?.pending_hash.clone()?;
        let condition = ["UpdateAvailable", "Ready"]
            .into_iter()
            .filter_map(|type_| item.condition(type_))
            .find(|condition| condition.message.contains(&hash))?;
        Some(Self {
            recreates: condition.message.contains(&format!("{ANNOTATION_RECREATE}={hash}")),
            hash,
            reason: condition.reason,
            message: without_advice(&condition.message).to_owned(),
            pods: i64::from(status.replicas.unwrap_or_default()),
        })
    }

    /// What a person reads of it.
    pub(crate) fn lines(&self) -> Vec<String> {
        vec![
            format!("{}: {}", self.reason, self.message),
            format!("replaces up to {}", plural(usize::try_from(self.pods).unwrap_or_default(), "pod")),
        ]
    }
}

/// A message without the part that names the annotation to set: the command sets it.
fn without_advice(message: &str) -> &str {
    let advice = [ANNOTATION_APPROVE_UPDATE, ANNOTATION_RECREATE];
    let Some(at) = advice.iter().filter_map(|key| message.find(key)).min() else { return message };
    let before = message.get(..at).unwrap_or_default();
    before.rsplit_once("; ").map_or(message, |(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(condition: &str, message: &str) -> Item {
        Item::of(json!({
            "kind": "Function", "metadata": {"name": "a", "namespace": "b", "uid": "u"},
            "status": {
                "replicas": 3,
                "statefulSet": {"generation": 1, "renderedHash": "x", "pendingHash": "h"},
                "conditions": [{"type": condition, "status": "True", "reason": "RendererChanged",
                    "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            },
        }))
    }

    #[test]
    fn the_annotation_is_not_repeated() {
        let message =
            format!("newer; waiting: image changed; annotate it with {ANNOTATION_APPROVE_UPDATE}=h");
        let waiting = Waiting::of(&item("UpdateAvailable", &message)).unwrap();
        assert_eq!(
            (waiting.message.as_str(), waiting.recreates, waiting.pods),
            ("newer; waiting: image changed", false, 3)
        );
    }

    #[test]
    fn what_has_to_be_recreated_is_known() {
        let message = format!("serviceName cannot be changed; annotate it with {ANNOTATION_RECREATE}=h");
        assert!(Waiting::of(&item("Ready", &message)).unwrap().recreates);
    }

    #[test]
    fn an_object_without_an_update_waits_for_nothing() {
        let mut item = item("Ready", "fine");
        assert_eq!(Waiting::of(&item), None, "no condition speaks of it");
        item.object["status"]["statefulSet"]["pendingHash"] = json!(null);
        assert_eq!(Waiting::of(&item), None);
    }
}
