//! Events: one for each change of the readiness, and one for each reverted drift.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, PostParams};
use kube::core::ObjectMeta;
use kube::{Client, Resource};
use tracing::debug;

/// Longest note that the API server accepts, in bytes.
const NOTE_LIMIT: usize = 1024;
/// Longest name of an object, in bytes.
const NAME_LIMIT: usize = 253;
/// Namespace of Events about objects without a namespace, by the rules of the API.
const DEFAULT_NAMESPACE: &str = "default";
/// Reason of the Events about reverted drift.
pub const REPAIRED: &str = "Repaired";

/// The two types that the API has.
const NORMAL: &str = "Normal";
/// See above.
const WARNING: &str = "Warning";

/// Publishes Events of the controller (docs/decisions/0034-events-are-not-aggregated.md).
///
/// Each Event is one request and is not kept: kube's recorder keeps those of the last six minutes to count equal ones in a row.
/// Here there are none, because an Event reports a change.
#[derive(Clone)]
pub struct Events {
    client: Client,
    controller: &'static str,
    instance: String,
}

impl Events {
    /// Prepares to publish.
    pub fn new(client: Client, controller: &'static str) -> Self {
        let instance = std::env::var("POD_NAME").unwrap_or_else(|_| controller.to_owned());
        Self { client, controller, instance }
    }

    /// Publishes an Event if the status or reason of the `Ready` condition differs from the one before: a warning, unless the
    /// condition is true or the object only waits for its pods. A new object that waits gets no Event. A failure to publish is
    /// ignored.
    pub async fn on_change<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        before: &[Condition],
        after: &[Condition],
        waiting: &str,
    ) {
        let ready = |list: &[Condition]| list.iter().find(|c| c.type_ == "Ready").cloned();
        let readiness = |c: &Condition| (c.status.clone(), c.reason.clone());
        let (before, Some(after)) = (ready(before), ready(after)) else { return };
        if before.as_ref().map(readiness) == Some(readiness(&after)) {
            return;
        }
        let waits = after.reason == waiting;
        if waits && before.is_none() {
            return;
        }
        let type_ = if after.status == "True" || waits { NORMAL } else { WARNING };
        self.publish(object, type_, &after.reason, "Reconcile", &after.message, None).await;
    }

    /// Publishes a Warning if a condition that is present only while something is wrong appears, or changes its reason.
    pub async fn on_trouble<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        before: &[Condition],
        after: &[Condition],
        type_: &str,
    ) {
        let find = |list: &[Condition]| list.iter().find(|c| c.type_ == type_).cloned();
        let Some(after) = find(after) else { return };
        if find(before).is_none_or(|before| before.reason != after.reason) {
            self.publish(object, WARNING, &after.reason, "Reconcile", &after.message, None).await;
        }
    }

    /// One Event about a permanent failure that no status can report.
    pub async fn failed<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, note: &str) {
        self.publish(object, WARNING, reason, "Reconcile", note, None).await;
    }

    /// Publishes an Event about a child that another field manager changed and that was reverted. It is a Warning, because the
    /// other field manager's change is lost. `action` is for machines, `note` for people.
    pub async fn repaired<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        child: ObjectReference,
        action: &str,
        note: &str,
    ) {
        self.publish(object, WARNING, REPAIRED, action, note, Some(child)).await;
    }

    async fn publish<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        type_: &str,
        reason: &str,
        action: &str,
        note: &str,
        related: Option<ObjectReference>,
    ) {
        let regarding = object.object_ref(&());
        let namespace = regarding.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        let now = Timestamp::now();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(name(regarding.name.as_deref().unwrap_or_default(), now)),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            action: Some(action.to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(cut(note, NOTE_LIMIT).to_owned()),
            reason: Some(reason.to_owned()),
            regarding: Some(regarding),
            related,
            reporting_controller: Some(self.controller.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(type_.to_owned()),
            ..Event::default()
        };
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        if let Err(error) = api.create(&PostParams::default(), &event).await {
            debug!(error = %error, "event not published");
        }
    }
}

/// The name of an Event, in the form of client-go: the name of the object and the time.
fn name(object: &str, now: Timestamp) -> String {
    let time = format!(".{:x}", now.as_nanosecond());
    format!("{}{time}", cut(object, NAME_LIMIT.saturating_sub(time.len())))
}

/// Cuts between two characters.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_fits() {
        assert_eq!(cut("short", NOTE_LIMIT), "short");
        assert!(cut(&"ü".repeat(1000), NOTE_LIMIT).len() <= NOTE_LIMIT);
    }

    #[test]
    fn the_name_of_an_event_fits() {
        let now = "2026-01-01T00:00:00.000000001Z".parse().unwrap();
        assert!(name("f", now).strip_prefix("f.").is_some_and(|time| i128::from_str_radix(time, 16).is_ok()));
        assert_eq!(name(&"f".repeat(300), now).len(), NAME_LIMIT);
    }
}
