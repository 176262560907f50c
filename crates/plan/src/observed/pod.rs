//! The cached form of a pod: its diagnosis and its creation time.

use crate::health::diagnosis::{Diagnosis, diagnoses};
use crate::health::lost_node::lost;
use crate::observed::pod_status::{Spec, Status};
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
    /// Name, namespace, labels, times of creation and deletion.
    #[serde(deserialize_with = "slim_metadata")]
    pub metadata: ObjectMeta,
    #[serde(default, skip_serializing)]
    status: Status,
    #[serde(default, skip_serializing)]
    spec: Spec,
    /// The known failures that keep the pod from being available, each with the time until which it counts.
    #[serde(skip)]
    pub(crate) diagnoses: Vec<(Diagnosis, Option<Timestamp>)>,
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

impl PodView {
    /// Computes the diagnosis and drops everything else.
    pub fn prune(&mut self) {
        let (status, spec) = (std::mem::take(&mut self.status), std::mem::take(&mut self.spec));
        self.diagnoses = diagnoses(&status, &spec);
        self.ready = status.is("Ready", "True");
        self.unconnected = status.unconnected(&spec);
        self.lost = lost(&self.metadata, &spec.node_name, &status).map(Box::new);
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
