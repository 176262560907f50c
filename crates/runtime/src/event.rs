//! Events, one per change of a verdict and one per repair.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tracing::debug;

/// Longest note the API server takes, in bytes.
const NOTE_LIMIT: usize = 1024;
/// Reason of the Events about repairs.
pub const REPAIRED: &str = "Repaired";

/// Publishes Events in the name of the controller.
#[derive(Clone)]
pub struct Events(Recorder);

impl Events {
    /// Prepares to publish.
    pub fn new(client: Client, controller: &'static str) -> Self {
        let instance = std::env::var("POD_NAME").ok();
        Self(Recorder::new(client, Reporter { controller: controller.to_owned(), instance }))
    }

    /// One Event when the `Ready` condition has another status or reason than before; a warning unless it is true or
    /// nothing but waiting. An Event that cannot be published is not worth failing for.
    pub async fn on_change<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        before: &[Condition],
        after: &[Condition],
        waiting: &str,
    ) {
        let ready = |list: &[Condition]| list.iter().find(|c| c.type_ == "Ready").cloned();
        let verdict = |c: &Condition| (c.status.clone(), c.reason.clone());
        let (before, Some(after)) = (ready(before), ready(after)) else { return };
        if before.as_ref().map(verdict) == Some(verdict(&after)) {
            return;
        }
        let fine = after.status == "True" || after.reason == waiting;
        let type_ = if fine { EventType::Normal } else { EventType::Warning };
        let event = Event {
            type_,
            reason: after.reason,
            note: Some(cut(&after.message)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        self.publish(object, &event).await;
    }

    /// One Event of an object: a child of it was found changed by somebody else and put right. A warning, because
    /// whoever changed it will not see the change last. `action` tells for machines what was found, `note` for people.
    pub async fn repaired<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        child: ObjectReference,
        action: &str,
        note: &str,
    ) {
        let event = Event {
            type_: EventType::Warning,
            reason: REPAIRED.to_owned(),
            note: Some(cut(note)),
            action: action.to_owned(),
            secondary: Some(child),
        };
        self.publish(object, &event).await;
    }

    async fn publish<K: Resource<DynamicType = ()>>(&self, object: &K, event: &Event) {
        if let Err(error) = self.0.publish(event, &object.object_ref(&())).await {
            debug!(error = %error, "event not published");
        }
    }
}

/// Cuts between two characters.
fn cut(note: &str) -> String {
    let mut end = note.len().min(NOTE_LIMIT);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_fits() {
        assert_eq!(cut("short"), "short");
        assert!(cut(&"ü".repeat(1000)).len() <= NOTE_LIMIT);
    }
}
