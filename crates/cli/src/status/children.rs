//! What belongs to a component: StatefulSet, pods, autoscaler.

use super::node::{Node, State};
use crate::age::age;
use crate::cluster::item::Item;
use functionmesh_plan::health::redaction::redacted;
use serde_json::Value;

/// All children of the objects that are shown.
#[derive(Default)]
pub(crate) struct Children(Vec<Value>);

impl Children {
    /// The children that kubectl printed.
    pub(crate) fn new(objects: Vec<Value>) -> Self {
        Self(objects)
    }

    /// The children of a component, pods below their StatefulSet.
    pub(crate) fn of(&self, item: &Item) -> Vec<Node> {
        let owned = |kind: &str| -> Vec<&Value> {
            self.0.iter().filter(|child| child["kind"] == kind && item.owns(child)).collect()
        };
        let mut nodes: Vec<Node> =
            owned("StatefulSet").into_iter().map(|set| self.stateful_set(set)).collect();
        nodes.extend(owned("HorizontalPodAutoscaler").into_iter().map(autoscaler));
        nodes
    }

    fn stateful_set(&self, set: &Value) -> Node {
        let owner = Item::of(set.clone());
        let number = |pointer| set.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
        let (ready, wanted) = (number("/status/readyReplicas"), number("/spec/replicas"));
        let pods = self.0.iter().filter(|child| child["kind"] == "Pod" && owner.owns(child));
        let newest = text(set, "/status/updateRevision");
        Node {
            title: format!("StatefulSet {}", owner.name),
            state: Some(State {
                is_ready: Some(ready == wanted),
                reason: format!("{ready}/{wanted} pods ready"),
                since: String::new(),
            }),
            children: pods.map(|pod| self::pod(pod, newest)).collect(),
            ..Node::default()
        }
    }
}

fn pod(pod: &Value, newest: &str) -> Node {
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let statuses: Vec<&Value> = statuses.into_iter().flatten().collect();
    let is_ready = !statuses.is_empty() && statuses.iter().all(|status| status["ready"] == true);
    let restarts: i64 = statuses.iter().filter_map(|status| status["restartCount"].as_i64()).sum();
    let waiting =
        statuses.iter().find_map(|status| status.pointer("/state/waiting/reason")).and_then(Value::as_str);
    let phase = match text(pod, "/metadata/deletionTimestamp") {
        "" => waiting.unwrap_or_else(|| text(pod, "/status/phase")),
        _ => "Terminating",
    };
    let mut facts = vec![phase.to_owned()];
    if restarts > 0 {
        facts.push(crate::terminal::plural(usize::try_from(restarts).unwrap_or_default(), "restart"));
    }
    let node = text(pod, "/spec/nodeName");
    if !node.is_empty() {
        facts.push(format!("on {node}"));
    }
    let revision = pod.pointer("/metadata/labels/controller-revision-hash").and_then(Value::as_str);
    if !newest.is_empty() && revision.is_some_and(|revision| revision != newest) {
        facts.push("of the previous revision".to_owned());
    }
    Node {
        title: format!("Pod {}", text(pod, "/metadata/name")),
        state: Some(State {
            is_ready: Some(is_ready),
            reason: facts.join(", "),
            since: age(text(pod, "/metadata/creationTimestamp")),
        }),
        ..Node::default()
    }
}

fn autoscaler(object: &Value) -> Node {
    let number =
        |pointer| object.pointer(pointer).and_then(Value::as_i64).map_or("?".to_owned(), |n| n.to_string());
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let broken =
        conditions.into_iter().flatten().find(|c| c["type"] == "ScalingActive" && c["status"] == "False");
    Node {
        title: format!("HorizontalPodAutoscaler {}", text(object, "/metadata/name")),
        state: Some(State {
            is_ready: broken.map(|_| false),
            reason: format!(
                "{} replicas, between {} and {}",
                number("/status/currentReplicas"),
                number("/spec/minReplicas"),
                number("/spec/maxReplicas")
            ),
            since: String::new(),
        }),
        notes: broken.map(|c| redacted(text(c, "/message"))).into_iter().collect(),
        ..Node::default()
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
