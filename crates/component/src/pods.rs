//! A trimmed view of the pods: what is wrong with each, and since when it is there.

use crate::cause::{Cause, causes};
use crate::reason::Reason;
use crate::verdict::after;
use functionmesh_objects::bounded_json::slim_metadata;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Resource;
use kube::core::ObjectMeta;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod lost;

/// How long a pod that has a node may take until its containers are being started. Pulling images comes later.
const START: SignedDuration = SignedDuration::from_secs(30);
/// How long an instance that starts may be without a connection to a broker before that is reported: a Java instance takes 10 s,
/// and a minute where the node is busy.
const CONNECT: SignedDuration = SignedDuration::from_secs(60);
/// How long an instance may be without the connection that it had. Its probe noticed 15 s after the loss.
const LOST: SignedDuration = SignedDuration::from_secs(15);
/// Label by which the controller of `StatefulSet`s says from which template a pod was made.
const REVISION: &str = "controller-revision-hash";
/// Most names in a list.
const NAMED: usize = 5;

/// What is read of a pod. [`PodView::trim`] turns it into what is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize, Resource)]
#[resource(inherit = Pod)]
pub struct PodView {
    /// Name, namespace, labels, times of creation and deletion.
    #[serde(deserialize_with = "slim_metadata")]
    pub metadata: ObjectMeta,
    #[serde(default, skip_serializing)]
    status: Status,
    #[serde(default, skip_serializing)]
    spec: Spec,
    /// What is known to keep the pod from being available, each with the time until which it counts.
    #[serde(skip)]
    causes: Vec<(Cause, Option<Timestamp>)>,
    /// The revision of the template that it was made from.
    #[serde(skip)]
    revision: Option<Box<str>>,
    /// Since when it has a node and none of its containers is being started, and what its volumes need for that.
    #[serde(skip)]
    starting: Option<(Timestamp, Option<String>)>,
    /// From when on its instance counts as one without a connection to a broker, and whether it had one.
    #[serde(skip)]
    unconnected: Option<(Timestamp, bool)>,
    /// From when on it counts as lost with its node, and in which words.
    #[serde(skip)]
    lost: Option<Box<(Timestamp, Cause)>>,
    /// Whether it is ready.
    #[serde(skip)]
    ready: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    pub(crate) phase: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) conditions: Vec<PodCondition>,
    pub(crate) init_container_statuses: Vec<ContainerStatus>,
    pub(crate) container_statuses: Vec<ContainerStatus>,
    start_time: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodCondition {
    #[serde(rename = "type")]
    pub(crate) type_: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    last_transition_time: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerStatus {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) ready: bool,
    started: bool,
    pub(crate) state: State,
    pub(crate) last_state: State,
    pub(crate) restart_count: i32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct State {
    pub(crate) waiting: Option<Waiting>,
    pub(crate) running: Option<Running>,
    pub(crate) terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Waiting {
    pub(crate) reason: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Running {
    pub(crate) started_at: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Terminated {
    pub(crate) exit_code: i32,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// What is read of a pod's `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    init_containers: Vec<Container>,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
    node_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    name: String,
    restart_policy: String,
    resources: Resources,
    readiness_probe: Probe,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Probe {
    exec: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    limits: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Volume {
    secret: Option<Source>,
    config_map: Option<Source>,
    persistent_volume_claim: Option<Source>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    #[serde(alias = "secretName", alias = "claimName")]
    name: String,
    optional: bool,
}

impl Spec {
    /// The memory limit of a container, as it was written.
    pub(crate) fn memory_limit(&self, container: &str) -> Option<&str> {
        let mut containers = self.init_containers.iter().chain(&self.containers);
        let limits = &containers.find(|c| c.name == container)?.resources.limits;
        limits.get("memory").map(String::as_str)
    }

    /// Whether an init container runs as long as the pod (KEP-753).
    pub(crate) fn is_sidecar(&self, container: &str) -> bool {
        self.init_containers.iter().any(|c| c.name == container && c.restart_policy == "Always")
    }

    /// Whether a container is that of a component whose readiness is a connection to a broker: no other probe of it runs a
    /// command.
    fn connects(&self, container: &str) -> bool {
        ["pulsar-function", "pulsar-source", "pulsar-sink"].contains(&container)
            && self.containers.iter().any(|c| c.name == container && c.readiness_probe.exec.is_some())
    }

    /// The objects without which the volumes cannot be mounted.
    fn needs(&self) -> Option<String> {
        let named = |kind: &str, source: &Option<Source>| {
            let source = source.as_ref().filter(|s| !s.optional && !s.name.is_empty())?;
            Some(format!("{kind} {}", source.name))
        };
        let mut needs: Vec<String> = self
            .volumes
            .iter()
            .filter_map(|v| {
                named("Secret", &v.secret)
                    .or_else(|| named("ConfigMap", &v.config_map))
                    .or_else(|| named("PersistentVolumeClaim", &v.persistent_volume_claim))
            })
            .collect();
        needs.truncate(NAMED);
        (!needs.is_empty()).then(|| needs.join(", "))
    }
}

impl Status {
    /// Since when the pod is ready, when it is.
    pub(crate) fn ready_since(&self) -> Option<Timestamp> {
        let ready = self.conditions.iter().find(|c| c.type_ == "Ready" && c.status == "True")?;
        Some(ready.last_transition_time.as_ref()?.0)
    }

    /// From when on the pod's instance, which runs, is known to have no connection to a broker, and whether it had one.
    fn unconnected(&self, spec: &Spec) -> Option<(Timestamp, bool)> {
        let runs = |c: &&ContainerStatus| !c.ready && c.state.running.is_some() && spec.connects(&c.name);
        let container = self.container_statuses.iter().find(runs)?;
        let since = container.state.running.as_ref()?.started_at.as_ref()?.0;
        let unready = self.conditions.iter().find(|c| c.type_ == "Ready" && c.status == "False");
        let unready = unready.and_then(|c| c.last_transition_time.as_ref());
        let since = since.max(unready.map_or(Timestamp::MIN, |time| time.0));
        Some((after(since, if container.started { LOST } else { CONNECT }), container.started))
    }

    fn is(&self, condition: &str, status: &str) -> bool {
        self.conditions.iter().any(|c| c.type_ == condition && c.status == status)
    }
}

impl PodView {
    /// Finds the cause and drops everything else.
    pub fn trim(&mut self) {
        let (status, spec) = (std::mem::take(&mut self.status), std::mem::take(&mut self.spec));
        self.causes = causes(&status, &spec);
        self.ready = status.is("Ready", "True");
        self.unconnected = status.unconnected(&spec);
        self.lost = lost::lost(&self.metadata, &spec.node_name, &status).map(Box::new);
        // Volumes are mounted and the network is made before this condition is true (KEP-3085).
        let stuck = status.is("PodScheduled", "True") && status.is("PodReadyToStartContainers", "False");
        self.starting = status.start_time.filter(|_| stuck).map(|since| (since.0, spec.needs()));
        let metadata = std::mem::take(&mut self.metadata);
        let labels = metadata.labels.as_ref();
        self.revision = labels.and_then(|labels| labels.get(REVISION)).map(|text| text.as_str().into());
        self.metadata = ObjectMeta {
            name: metadata.name,
            namespace: metadata.namespace,
            labels: metadata.labels.map(|mut labels| {
                labels.retain(|key, _| key == functionmesh_api::constants::LABEL_NAME);
                labels
            }),
            resource_version: metadata.resource_version,
            creation_timestamp: metadata.creation_timestamp,
            deletion_timestamp: metadata.deletion_timestamp,
            ..ObjectMeta::default()
        };
    }
}

/// What the pods of one object tell together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// How many there are, those that end included.
    pub number: usize,
    /// The worst thing known about them.
    pub cause: Option<Cause>,
    /// When the youngest of those that are not ready was made.
    pub youngest: Option<Timestamp>,
    /// What is taken for the cause from some time on, when there is no other.
    pub later: Option<(Timestamp, Cause)>,
    /// When a cause stops to count although nothing happens.
    pub until: Option<Timestamp>,
    /// From when on a pod is lost with its node, whatever else is known.
    pub lost: Option<(Timestamp, Cause)>,
}

impl Pods {
    /// Puts pods together. What is wrong with a pod that ends is history, unless its node does not let it end; and so is what
    /// is wrong with one of another template than the newest, when that is known: the controller of `StatefulSet`s is about
    /// to replace it.
    pub fn of<'a>(pods: impl Iterator<Item = &'a PodView>, newest: Option<&str>, now: Timestamp) -> Self {
        let mut all = Self::default();
        for pod in pods {
            all.number += 1;
            let lost = [all.lost.take(), pod.lost.as_deref().cloned()];
            all.lost = lost.into_iter().flatten().min();
            if pod.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let is_old =
                newest.is_some_and(|n| pod.revision.as_deref().is_some_and(|revision| revision != n));
            for (cause, until) in pod.causes.iter().filter(|_| !is_old) {
                if until.is_some_and(|until| until <= now) {
                    continue;
                }
                all.until = all.until.into_iter().chain(*until).min();
                all.cause = all.cause.take().into_iter().chain([cause.clone()]).min();
            }
            if !pod.ready {
                let made = pod.metadata.creation_timestamp.as_ref().map(|t| t.0);
                all.youngest = all.youngest.max(made);
            }
            if let Some((since, needs)) = pod.starting.as_ref().filter(|_| !is_old) {
                let cause = not_starting(pod.metadata.name.as_deref().unwrap_or_default(), needs.as_deref());
                let later = [all.later.take(), Some((after(*since, START), cause))];
                all.later = later.into_iter().flatten().min();
            }
            if let Some((from, was_connected)) = pod.unconnected.filter(|_| !is_old) {
                let cause = not_connected(pod.metadata.name.as_deref().unwrap_or_default(), was_connected);
                let later = [all.later.take(), Some((from, cause))];
                all.later = later.into_iter().flatten().min();
            }
        }
        all
    }
}

fn not_starting(pod: &str, needs: Option<&str>) -> Cause {
    let needs = needs.map(|needs| format!("; they need {needs}: check that each exists")).unwrap_or_default();
    let message = format!("pod {pod} has a node, and its volumes or its network are not ready there{needs}");
    Cause { reason: Reason::VolumesNotReady, message }
}

fn not_connected(pod: &str, was_connected: bool) -> Cause {
    let message = if was_connected {
        format!(
            "pod {pod} runs and has no connection to a broker: the broker is down or cannot be reached, or no longer accepts \
             the pod's credentials; kubectl logs {pod} has the reason"
        )
    } else {
        format!(
            "pod {pod} runs and has not connected to a broker yet: it downloads its package, or opens its state store or its \
             connector; kubectl logs {pod} tells how far it is"
        )
    };
    Cause { reason: Reason::NotConnected, message }
}

#[cfg(test)]
mod tests;
