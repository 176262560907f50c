//! The parts of a pod's `status` and `spec` that are read.

use crate::time::after;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// How long a starting instance may be without a connection to a broker before that is reported: a Java instance takes 10 s, and
/// a minute on a busy node.
const CONNECT: SignedDuration = SignedDuration::from_secs(60);
/// How long an instance may lack a connection that it had. Its probe detects the loss after 15 s.
const LOST: SignedDuration = SignedDuration::from_secs(15);
/// How long after the start of a container its pod may still become unready for what was before.
const SETTLED: SignedDuration = SignedDuration::from_secs(5);
/// Maximum number of names in a list.
const NAMED: usize = 5;

/// The parts of a pod's `status` that are read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    pub(crate) phase: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) conditions: Vec<PodCondition>,
    pub(crate) init_container_statuses: Vec<ContainerStatus>,
    pub(crate) container_statuses: Vec<ContainerStatus>,
    pub(crate) start_time: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodCondition {
    #[serde(rename = "type")]
    pub(crate) type_: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) last_transition_time: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerStatus {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) ready: bool,
    pub(crate) started: bool,
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

/// The parts of a pod's `spec` that are read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    init_containers: Vec<Container>,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
    pub(crate) node_name: String,
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
    /// The memory limit of a container, as the user wrote it.
    pub(crate) fn memory_limit(&self, container: &str) -> Option<&str> {
        let mut containers = self.init_containers.iter().chain(&self.containers);
        let limits = &containers.find(|c| c.name == container)?.resources.limits;
        limits.get("memory").map(String::as_str)
    }

    /// Whether an init container is a sidecar, which runs as long as the pod (KEP-753).
    pub(crate) fn is_sidecar(&self, container: &str) -> bool {
        self.init_containers.iter().any(|c| c.name == container && c.restart_policy == "Always")
    }

    /// Whether the container's readiness depends on a connection to a broker: no other probe of it runs a command.
    pub(crate) fn connects(&self, container: &str) -> bool {
        ["pulsar-function", "pulsar-source", "pulsar-sink"].contains(&container)
            && self.containers.iter().any(|c| c.name == container && c.readiness_probe.exec.is_some())
    }

    /// The objects that the volumes require.
    pub(crate) fn needs(&self) -> Option<String> {
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
    /// Since when the pod is ready, if it is.
    pub(crate) fn ready_since(&self) -> Option<Timestamp> {
        let ready = self.conditions.iter().find(|c| c.type_ == "Ready" && c.status == "True")?;
        Some(ready.last_transition_time.as_ref()?.0)
    }

    /// From when on the running instance of the pod is known to be disconnected from the broker, and whether it had a connection.
    pub(crate) fn unconnected(&self, spec: &Spec) -> Option<(Timestamp, bool)> {
        let runs = |c: &&ContainerStatus| !c.ready && c.state.running.is_some() && spec.connects(&c.name);
        let container = self.container_statuses.iter().find(runs)?;
        let since = container.state.running.as_ref()?.started_at.as_ref()?.0;
        let unready = self.conditions.iter().find(|c| c.type_ == "Ready" && c.status == "False");
        let unready = unready.and_then(|c| c.last_transition_time.as_ref()).map(|time| time.0);
        // A pod that became unready with the start of its container, or before, has not been ready since: between the end of
        // its startup probe and its first readiness probe nothing is lost.
        let lost = unready.filter(|time| container.started && *time > after(since, SETTLED));
        Some(match lost {
            Some(time) => (after(time, LOST), true),
            None => (after(since, CONNECT), false),
        })
    }

    pub(crate) fn is(&self, condition: &str, status: &str) -> bool {
        self.conditions.iter().any(|c| c.type_ == condition && c.status == status)
    }
}
