//! The cached form of a pod: its diagnosis and its creation time.

use crate::health::diagnosis::{Diagnosis, diagnoses};
use crate::health::lost_node::lost;
use crate::observed::pod_status::{Spec, Status};
use crate::observed::view::Labelled;
use functionmesh_api::constants::LABEL_NAME;
use functionmesh_objects::bounded_json::slim_metadata;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

/// Label with which the StatefulSet controller marks the revision of the template a pod was created from.
const REVISION: &str = "controller-revision-hash";

/// The parts of a pod that are read. [`PodView::prune`] reduces them to what is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize, Resource)]
#[resource(inherit = Pod)]
pub struct PodView {
    /// Name, namespace, times of creation and deletion.
    #[serde(deserialize_with = "slim_metadata")]
    pub metadata: ObjectMeta,
    #[serde(default, skip_serializing)]
    status: Option<Box<Status>>,
    #[serde(default, skip_serializing)]
    spec: Option<Box<Spec>>,
    /// The known failures that keep the pod from being available, each with the time until which it counts.
    #[serde(skip)]
    pub(crate) diagnoses: Vec<(Diagnosis, Option<Timestamp>)>,
    /// The name of the object that it belongs to, by its label.
    #[serde(skip)]
    owner: Option<Box<str>>,
    /// The revision of the template that it was created from.
    #[serde(skip)]
    pub(crate) revision: Option<Box<str>>,
    /// Since when it has a node although none of its containers is being started, and what its volumes require.
    #[serde(skip)]
    pub(crate) starting: Option<(Timestamp, Option<String>)>,
    /// From when on its instance counts as disconnected from the broker, and whether it had a connection.
    #[serde(skip)]
    pub(crate) unconnected: Option<(Timestamp, bool)>,
    /// From when on it counts as lost with its node, and the message.
    #[serde(skip)]
    pub(crate) lost: Option<Box<(Timestamp, Diagnosis)>>,
    /// Whether it is ready.
    #[serde(skip)]
    pub(crate) ready: bool,
}

impl Labelled for PodView {
    fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }
}

impl PodView {
    /// Computes the diagnosis and drops everything else.
    pub fn prune(&mut self) {
        let (status, spec) = (self.status.take().unwrap_or_default(), self.spec.take().unwrap_or_default());
        self.diagnoses = diagnoses(&status, &spec);
        self.ready = status.is("Ready", "True");
        self.unconnected = status.unconnected(&spec);
        self.lost = lost(&self.metadata, &spec.node_name, &status).map(Box::new);
        // Volumes are mounted and the network is made before this condition is true (KEP-3085).
        let stuck = status.is("PodScheduled", "True") && status.is("PodReadyToStartContainers", "False");
        self.starting = status.start_time.filter(|_| stuck).map(|since| (since.0, spec.needs()));
        let metadata = std::mem::take(&mut self.metadata);
        let label = |key: &str| Some(metadata.labels.as_ref()?.get(key)?.as_str().into());
        (self.owner, self.revision) = (label(LABEL_NAME), label(REVISION));
        self.metadata = ObjectMeta {
            name: metadata.name,
            namespace: metadata.namespace,
            resource_version: metadata.resource_version,
            creation_timestamp: metadata.creation_timestamp,
            deletion_timestamp: metadata.deletion_timestamp,
            ..ObjectMeta::default()
        };
    }
}
